#!/usr/bin/env python3
"""Makes the files of one machine out of sites.toml and the templates, and the certificates of all machines.

    ./sites.py machines sites.toml
    ./sites.py render sites.toml MACHINE OUT
    ./sites.py certificates sites.toml OUT [--days 398]

Python 3.11's standard library and, for certificates, the program openssl; no network. `lab` raises its topology from the
same templates, so what stands there is what is tried.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
TEMPLATES = HERE / "templates"
PLACE = re.compile(r"@([a-z_][a-z0-9_]*)@")
# What each kind of machine runs: template, and where it goes below OUT.
UNITS = "etc/systemd/system"
FILES = {
    "db": [("patroni.yml", "etc/patroni/patroni.yml"), ("roles.sql", "etc/patroni/roles.sql"), ("etcd.yml", "etc/etcd/etcd.yml"),
           ("patroni.service", f"{UNITS}/clarence-patroni.service"), ("etcd.service", f"{UNITS}/clarence-etcd.service")],
    "node": [("clarence.toml", "etc/clarence/clarence.toml"), ("haproxy.cfg", "etc/haproxy/haproxy.cfg"), ("etcd.yml", "etc/etcd/etcd.yml"),
             ("clarence.service", f"{UNITS}/clarence.service"), ("haproxy.service", f"{UNITS}/clarence-gate.service"),
             ("etcd.service", f"{UNITS}/clarence-etcd.service")],
    "parent": [("etcd.yml", "etc/etcd/etcd.yml"), ("etcd.service", f"{UNITS}/clarence-etcd.service"),
               ("witness.service", f"{UNITS}/clarence-witness.service")],
}


class SitesError(Exception):
    """sites.toml is not as it has to be; nothing was written."""


class Sites:
    """What sites.toml says."""

    def __init__(self, table):
        try:
            self.scope, self.cloud_name = table["scope"], table["cloud_name"]
            self.ports, self.paths = table["ports"], table["paths"]
            self.machines = {f"db-{site}": table["sites"][site]["database"] for site in "ab"}
            self.machines |= {f"node-{site}": table["sites"][site]["node"] for site in "ab"}
            self.machines |= {f"parent-{name}": address for name, address in table["parents"].items()}
        except (KeyError, TypeError) as error:
            raise SitesError(f"sites.toml lacks {error}; compare with the one beside sites.py") from None
        self.options = {"watchdog": "automatic", "slot_wal_max": "4GB"} | table.get("options", {})
        if len(self.machines) != 7:
            raise SitesError(f"seven machines vote: two at each site and three parents, not {len(self.machines)}")
        if len(set(self.machines.values())) != 7:
            raise SitesError("two machines have the same address")

    @classmethod
    def read(cls, path):
        """From a file."""
        try:
            with open(path, "rb") as file:
                return cls(tomllib.load(file))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise SitesError(f"{path} cannot be read: {error}") from None

    def path(self, name, machine):
        """Where something lies on a machine."""
        return self.paths[name].replace("%m", machine)

    def values(self, machine):
        """What stands for each place of a template on a machine."""
        if machine not in self.machines:
            raise SitesError(f"there is no machine {machine}; there are {', '.join(self.machines)}")
        values = {"machine": machine, "address": self.machines[machine], "scope": self.scope, "cloud_name": self.cloud_name}
        values |= {f"port_{name}": str(port) for name, port in self.ports.items()}
        values |= {name: self.path(name, machine) for name in self.paths}
        values |= self.options
        for site in "ab":
            values[f"database_{site}"] = self.machines[f"db-{site}"]
            values[f"node_{site}"] = self.machines[f"node-{site}"]
        values["etcd_hosts"] = ", ".join(f'"{address}:{self.ports["etcd"]}"' for address in self.nearest(machine))
        values["etcd_cluster"] = ",".join(
            f"{name}=https://{address}:{self.ports['etcd_peers']}" for name, address in self.machines.items())
        return values

    def nearest(self, machine):
        """All members, a machine's own first, then its site's, so that what is near is asked first."""
        kind, place = machine.split("-", 1)
        near = lambda name: (name != machine, kind == "parent" or not name.endswith(f"-{place}"), name)  # noqa: E731
        return [self.machines[name] for name in sorted(self.machines, key=near)]

    def render(self, template, machine):
        """One file of one machine."""
        values = self.values(machine)
        text = (TEMPLATES / template).read_text()
        unknown = sorted(set(PLACE.findall(text)) - set(values))
        if unknown:
            raise SitesError(f"{template} asks for {', '.join(unknown)}, which sites.toml does not say")
        return PLACE.sub(lambda found: values[found[1]], text)


def render(sites, machine, out):
    """Writes the files of one machine below `out`."""
    sites.values(machine)
    made = {out / to: sites.render(template, machine) for template, to in FILES[machine.split("-", 1)[0]]}
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path)


def openssl(*words):
    """Runs openssl; its own words if it fails."""
    ran = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True)
    if ran.returncode != 0:
        raise SitesError(f"openssl {words[0]} failed: {ran.stderr.strip()}")


def certificates(sites, out, days):
    """An authority for these machines alone, and a key with a certificate for each. An authority that is there is used again."""
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority, key = out / "ca.pem", out / "authority.key"
    if not key.exists():
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 3650, "-subj", "/CN=machines of the two sites",
                "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", key, "-out", authority)
        key.chmod(0o600)
    for machine, address in sites.machines.items():
        folder = out / machine
        folder.mkdir(exist_ok=True)
        kind = "IP" if re.fullmatch(r"[0-9.]+|[0-9a-fA-F:]+", address) else "DNS"
        extensions = folder / "extensions"
        extensions.write_text(
            f"subjectAltName={kind}:{address},DNS:{machine}\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
            "extendedKeyUsage=serverAuth,clientAuth\n")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={machine}", "-keyout", folder / "machine.key",
                "-out", folder / "request")
        openssl("x509", "-req", "-in", folder / "request", "-CA", authority, "-CAkey", key, "-CAcreateserial", "-days", days, "-extfile", extensions,
                "-out", folder / "machine.pem")
        (folder / "ca.pem").write_bytes(authority.read_bytes())
        (folder / "machine.key").chmod(0o640)
        extensions.unlink()
        (folder / "request").unlink()


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = words.add_subparsers(dest="verb", required=True)
    for verb, more in (("machines", ()), ("render", ("machine", "out")), ("certificates", ("out",))):
        one = verbs.add_parser(verb)
        one.add_argument("sites")
        for name in more:
            one.add_argument(name)
        if verb == "certificates":
            one.add_argument("--days", type=int, default=398)
    asked = words.parse_args()
    try:
        sites = Sites.read(asked.sites)
        if asked.verb == "machines":
            for name, address in sites.machines.items():
                print(f"{name:18} {address}")
        elif asked.verb == "render":
            render(sites, asked.machine, Path(asked.out))
        else:
            certificates(sites, Path(asked.out), asked.days)
    except SitesError as error:
        print(f"sites.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
