"""One lab: its folder, its machines, what runs on them, and how that is asked, stopped and started.

Everything that a machine runs is found by looking at the processes in its namespace, so that each command of `lab` can be
a program of its own. The configuration is made by deploy/two-sites/sites.py from the templates that operators use.
"""

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "deploy/two-sites"))

import prepare  # noqa: E402
import sites as deploy  # noqa: E402
from network import LabError, Network, clean, run  # noqa: E402
from topology import MACHINES, PARENTS, PORTS, UNITS, Placement, address_of, other  # noqa: E402

OWNER, NODE, SUPER = "registry_owner", "registry_node", "postgres"
CLOUD_NAME = "s3.lu-1.clarence.internal"


class Lab:
    """A lab in a folder."""

    def __init__(self, folder=None):
        self.folder = Path(folder or os.environ.get("CLARENCE_LAB") or "/tmp/clarence-lab")
        self.logs = self.folder / "log"
        prefix = "lab" + hashlib.sha256(str(self.folder).encode()).hexdigest()[:4]
        self.network = Network(prefix, self.folder / "links")
        self.placement = Placement()
        self.started = []
        self.tls = None
        saved = self.folder / "placement.json"
        if saved.exists():
            self.placement = Placement(**json.loads(saved.read_text()))

    def save(self):
        """What the next command has to know."""
        (self.folder / "placement.json").write_text(json.dumps(self.placement.__dict__))

    # --- where things are -----------------------------------------------------------------------------

    def of(self, machine):
        """A machine's own folder."""
        return self.folder / machine

    def data(self, machine):
        """Where a machine's PostgreSQL has its files."""
        return self.of(machine) / "disk/registry"

    @property
    def cloud(self):
        """The node's data folder."""
        return self.folder / "cloud"

    def sites(self):
        """The description of the two sites, as an operator would write it, with the lab's addresses and folders."""
        own = str(self.folder / "%m")
        return deploy.Sites({
            "scope": "registry", "cloud_name": CLOUD_NAME, "ports": PORTS,
            "sites": {site: {"database": address_of(f"db-{site}"), "node": address_of(f"node-{site}")} for site in "ab"},
            "parents": {name: address_of(f"parent-{name}") for name in PARENTS},
            "paths": {
                "certificates": f"{own}/tls", "etcd": f"{own}/etcd", "patroni": str(prepare.VENV), "postgres_bin": str(prepare.postgres_bin()),
                "postgres": f"{own}/disk/registry", "postgres_socket": f"{own}/socket", "postgres_passfile": f"{own}/passfile",
                "clarence": str(self.cloud), "node_password": str(self.folder / "secrets/node"), "site_a": str(self.folder / "chunks-a"),
                "site_b": str(self.folder / "chunks-b"), "parents": str(self.cloud / "parents"), "witness": f"{own}/witness",
                "haproxy_ca": str(self.cloud / "tls/ca.pem")},
            "options": {"watchdog": "'off'", "slot_wal_max": "1GB"}})

    # --- up and down ----------------------------------------------------------------------------------

    def up(self, say=print, small_disks=0):
        """Raises everything and waits until the standby is synchronous and S3 answers."""
        if self.network.exists():
            raise LabError(f"this lab is up already ({self.folder}); ./lab/lab down takes it away")
        begun = time.monotonic()
        prepare.prepare()
        prepare.clarence()
        self.files()
        self.network.up()
        try:
            if small_disks:
                self.small_disks(small_disks)
            for machine in MACHINES:
                for unit in UNITS[machine]:
                    if unit == "etcd":
                        self.start(f"{machine}/etcd")
            self.wait(lambda: self.etcd_leader(), "etcd has a leader", 30)
            self.start("db-a/patroni")
            self.wait(lambda: self.writable("a"), "PostgreSQL is made at site a", 60)
            self.roles()
            self.start("db-b/patroni")
            self.wait(self.synchronous, "the standby is synchronous", 90)
            say(f"the catalog's servers are up after {time.monotonic() - begun:.0f} s")
            self.found()
            self.witnesses()
            for site in "ab":
                self.start(f"node-{site}/gate")
            self.wait(self.ready, "S3 answers at the gates", 30)
            say(f"the lab is up after {time.monotonic() - begun:.0f} s, in {self.folder}")
        except BaseException as error:
            if isinstance(error, Exception):
                self.keep_logs()
            self.down()
            raise

    def keep_logs(self):
        """What was written before the folder goes."""
        kept = Path(f"{self.folder}-failed")
        shutil.rmtree(kept, ignore_errors=True)
        with contextlib.suppress(OSError):
            shutil.copytree(self.logs, kept)
            print(f"the logs of what failed are kept in {kept}", file=sys.stderr)

    def files(self):
        """Folders, certificates, secrets, configuration."""
        self.down()
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o755)
        for name in ("log", "links", "secrets"):
            (self.folder / name).mkdir()
        self.logs.chmod(0o777)
        sites = self.sites()
        deploy.certificates(sites, self.folder / "authority", 30)
        for machine in MACHINES:
            if machine == "client":
                continue
            own = self.of(machine)
            shutil.copytree(self.folder / "authority" / machine, own / "tls")
            for template, to in deploy.FILES[machine.split("-", 1)[0]]:
                (own / Path(to).name).write_text(sites.render(template, machine))
            for name in ("socket", "disk", "etcd"):
                (own / name).mkdir(mode=0o700)
            if machine.startswith("db-"):
                run("chown", "-R", "postgres:postgres", own)
                (own / "tls/machine.key").chmod(0o600)
        for name in ("owner", "node", "superuser", "replication", "rewind"):
            secret = self.folder / "secrets" / name
            secret.write_text(os.urandom(16).hex() + "\n")
            secret.chmod(0o600)
        for name in ("chunks-a", "chunks-b", "cloud"):
            (self.folder / name).mkdir(mode=0o700)
        self.save()

    def small_disks(self, megabytes):
        """Gives each database a file system of its own that can be filled: a file, mounted."""
        for site in "ab":
            image, disk = self.folder / f"disk-{site}.ext4", self.of(f"db-{site}") / "disk"
            with open(image, "wb") as file:
                file.truncate(megabytes << 20)
            run("mkfs.ext4", "-q", "-m", "0", image)
            run("mount", "-o", "loop", image, disk)
            run("chown", "postgres:postgres", disk)

    def down(self):
        """Ends everything that this lab has started and removes its namespaces and its folder."""
        for site in "ab":
            with contextlib.suppress(OSError, ValueError, IndexError):
                # PostgreSQL takes its shared memory away if it is asked.
                postmaster = int((self.data(f"db-{site}") / "postmaster.pid").read_text().split()[0])
                running = self.network.pids(f"db-{site}")
                if postmaster in running:
                    for pid in self.of_unit(f"db-{site}/patroni-alone"):
                        os.kill(pid, signal.SIGKILL)
                    for pid in running:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGCONT)
                    os.kill(postmaster, signal.SIGQUIT)
        until = time.monotonic() + 5
        while time.monotonic() < until and any(self.of_unit(f"db-{site}/postgres") for site in "ab"):
            time.sleep(0.05)
        self.network.down()
        for process in self.started:
            process.wait()
        self.started = []
        for site in "ab":
            disk = self.of(f"db-{site}") / "disk"
            if os.path.ismount(disk):
                run("umount", "-l", disk, check=False)
        if (self.folder / "placement.json").exists() or not self.folder.exists():
            shutil.rmtree(self.folder, ignore_errors=True)
        elif any(self.folder.iterdir()):
            raise LabError(f"{self.folder} holds what no lab has made; nothing in it was touched. Set CLARENCE_LAB to a folder that does not exist")
        else:
            self.folder.rmdir()

    # --- units ----------------------------------------------------------------------------------------

    def units(self, what):
        """What a name stands for: `db-a/etcd`, `db-a`, `a`, or `parents`."""
        if "/" in what:
            machine, unit = what.split("/", 1)
            known = {*UNITS.get(machine, ()), *(("postgres", "patroni-alone") if machine.startswith("db-") else ()),
                     *(("clarence",) if machine.startswith("node-") else ()), *(("witness",) if machine.startswith("parent-") else ())}
            if unit in known:
                return [what]
        elif what in MACHINES:
            return [f"{what}/*"]
        elif what in MACHINES.values():
            return [f"{machine}/*" for machine, place in MACHINES.items() if place == what]
        raise LabError(f"there is no {what}; a machine is one of {', '.join(MACHINES)}, a unit is such as db-a/postgres, db-a/patroni-alone, node-a/clarence")

    def of_unit(self, what):
        """The processes of a unit that run now."""
        machine, unit = what.split("/", 1)
        found = []
        for pid in self.network.pids(machine):
            with contextlib.suppress(OSError):
                if unit in ("*", self.kind(machine, pid)) or (unit == "patroni" and self.kind(machine, pid) in ("postgres", "patroni-alone")):
                    found.append(pid)
        return found

    def kind(self, machine, pid):
        """Which unit a process belongs to."""
        program = os.path.basename(os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)"))
        if program.startswith("clarence"):
            return "witness" if machine.startswith("parent-") else "clarence"
        if program in ("etcd", "haproxy"):
            return {"haproxy": "gate"}.get(program, program)
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        if words.startswith(b"sh\0-c\0until"):
            return "supervisor"
        if b"/bin/patroni" in words:
            return "patroni-alone"
        return "postgres" if machine.startswith("db-") and program.startswith(("postgres", "pg_")) else "other"

    def signal(self, what, number):
        """Sends a signal to all of it; gives how many processes there were."""
        count = 0
        for unit in self.units(what):
            # Twice, since a process may start another one while it is looked for.
            for _ in range(2):
                for pid in self.of_unit(unit):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
                        count += 1
        for process in self.started:
            process.poll()
        return count

    def kill(self, what):
        """Ends it at once, as if it had crashed."""
        self.signal(what, signal.SIGKILL)
        until = time.monotonic() + 10
        while time.monotonic() < until and any(self.of_unit(unit) for unit in self.units(what)):
            for process in self.started:
                process.poll()
            time.sleep(0.02)

    def hang(self, what):
        """Stops it where it is: its connections stay, nothing answers."""
        self.signal(what, signal.SIGSTOP)

    def go_on(self, what):
        """The end of `hang`."""
        self.signal(what, signal.SIGCONT)

    def start(self, what):
        """Starts what does not run of a unit, a machine or a place."""
        for unit in self.units(what):
            machine, name = unit.split("/", 1)
            names = UNITS[machine] if name == "*" else (name,)
            if name == "*" and machine.startswith("parent-") and (self.of(machine) / "witness").exists():
                names = (*names, "witness")
            for each in names:
                self.start_one(machine, {"postgres": "patroni", "patroni-alone": "patroni"}.get(each, each))

    def start_one(self, machine, unit):
        alone = "patroni-alone" if unit == "patroni" else unit
        if self.of_unit(f"{machine}/{alone}"):
            return
        own, user, env = self.of(machine), None, clean()
        if unit == "etcd":
            words = ["etcd", "--config-file", own / "etcd.yml"]
            user = "postgres" if machine.startswith("db-") else None
        elif unit == "patroni":
            words, user = [prepare.VENV / "bin/patroni", own / "patroni.yml"], "postgres"
            for name in ("superuser", "replication", "rewind"):
                env[f"PATRONI_{name.upper()}_PASSWORD"] = self.secret(name)
        elif unit == "gate":
            words = ["haproxy", "-db", "-f", own / "haproxy.cfg"]
        elif unit == "witness":
            words = [prepare.clarence(), "witness", "serve", "--dir", own / "witness", "--listen", f"{address_of(machine)}:{PORTS['witness']}",
                     "--tls-cert", own / "tls/machine.pem", "--tls-key", own / "tls/machine.key"]
        elif unit == "clarence":
            return self.start_node(machine)
        else:
            raise LabError(f"{unit} cannot be started by itself")
        self.launch(machine, unit, words, user, env)

    def launch(self, machine, unit, words, user=None, env=None):
        log = open(self.logs / f"{machine}.{unit}.log", "ab")
        if user:
            env = {**(env or {}), "HOME": os.path.expanduser(f"~{user}"), "USER": user, "LOGNAME": user}
        process = self.network.spawn(machine, words, log, user, env)
        self.started.append(process)
        return process

    # --- the node -------------------------------------------------------------------------------------

    def node_env(self):
        """The configuration that deploy/two-sites has, and for a lab alone: shares beside the node, a first tenant."""
        return clean() | {"CLARENCE_UNSAFE_UNSEAL_FROM_THIS_MACHINE": "true", "CLARENCE_NODE__FIRST_TENANT": "lab"} | self.placement.settings

    def found(self):
        """Holds the ceremony and starts the node."""
        site = self.placement.node
        config = self.of(f"node-{site}") / "clarence.toml"
        base = ["--data", self.cloud, "--config", config]
        made = subprocess.run(
            [*self.network.enter(f"node-{site}"), prepare.clarence(), "found", *map(str, base), "--catalog-owner", OWNER, "--catalog-owner-password",
             str(self.folder / "secrets/owner")], env=self.node_env(), capture_output=True, text=True, timeout=120)
        if made.returncode != 0:
            raise LabError(f"the cloud was not founded: {made.stderr or made.stdout}")
        named = subprocess.run([prepare.clarence(), "tls", "renew", *map(str, base), "--name", address_of("node-a"), "--name", address_of("node-b")],
                               env=self.node_env(), capture_output=True, text=True, timeout=120)
        if named.returncode != 0:
            raise LabError(f"no certificates were made: {named.stderr or named.stdout}")
        self.start_node(f"node-{site}")
        self.wait(lambda: (self.cloud / "connect.json").exists() and self.node_ready(site), "the node serves", 60)

    def start_node(self, machine):
        """The node, at a site."""
        if self.of_unit(f"{machine}/clarence") or self.of_unit(f"{machine}/supervisor"):
            return None
        words = [prepare.clarence(), "serve", "--data", self.cloud, "--config", self.of(machine) / "clarence.toml"]
        self.placement.node = MACHINES[machine]
        self.save()
        # As systemd does (Restart=on-failure): again after two seconds, unless it ended well.
        again = ["sh", "-c", 'until "$@"; do sleep 2; done', "supervisor"]
        return self.launch(machine, "clarence", [*again, *words], env=self.node_env())

    def move(self, site, seconds=60):
        """The node ends where it is, if it runs, and starts at a site: what an operator does, or a standby node by itself."""
        here = self.placement.node
        for pid in self.of_unit(f"node-{here}/supervisor"):
            os.kill(pid, signal.SIGKILL)
        self.go_on(f"node-{here}/clarence")
        running = self.of_unit(f"node-{here}/clarence")
        if running:
            os.kill(min(running), signal.SIGTERM)  # the launcher, which ends the others
        until = time.monotonic() + 15
        while self.of_unit(f"node-{here}/clarence"):
            if time.monotonic() > until:
                self.kill(f"node-{here}/clarence")
            for process in self.started:
                process.poll()
            time.sleep(0.05)
        self.start_node(f"node-{site}")
        self.wait(lambda: self.node_ready(site), f"the node serves at site {site}", seconds)

    def cli(self, *words, check=True, seconds=60):
        """`clarence … --json` on the node's machine."""
        machine = f"node-{self.placement.node}"
        config = self.of(machine) / "clarence.toml"
        command = [*self.network.enter(machine), prepare.clarence(), *map(str, words), "--data", str(self.cloud), "--config", str(config), "--json"]
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, env=self.node_env())
        try:
            envelope = json.loads(ran.stdout.strip().splitlines()[-1])
        except (json.JSONDecodeError, IndexError):
            raise LabError(f"clarence {' '.join(map(str, words))} printed no envelope: {ran.stdout[-300:]!r} {ran.stderr[-300:]!r}") from None
        if check and envelope["status"] != "success":
            raise LabError(f"clarence {' '.join(map(str, words))}: {envelope['error']['message']}")
        return envelope.get("data") or envelope.get("error")

    def witnesses(self):
        """A witness at each parent, which knows the cloud's log."""
        lines = []
        for name in PARENTS:
            machine = f"parent-{name}"
            folder = self.of(machine) / "witness"
            made = run(prepare.clarence(), "witness", "init", "--dir", folder, "--name", f"{name}.example/witness")
            lines += [line for line in made.stdout.splitlines() if "+" in line]
            run(prepare.clarence(), "witness", "add-log", "--dir", folder, "--keys", self.cloud / "ledger.keys")
            self.start(f"{machine}/witness")
        (self.folder / "witnesses.vkeys").write_text("\n".join(lines) + "\n")

    def cosign(self):
        """Has the published log cosigned by two of three; gives the error's words, or None."""
        self.cli("ledger", "publish")
        words = ["ledger", "cosign", "--witnesses", self.folder / "witnesses.vkeys", "--ca", self.folder / "authority/ca.pem"]
        for name in PARENTS:
            words += ["--from", f"https://{address_of(f'parent-{name}')}:{PORTS['witness']}"]
        try:
            self.cli(*words)
        except LabError as error:
            return str(error)
        return None

    # --- what is asked --------------------------------------------------------------------------------

    def secret(self, name):
        return (self.folder / "secrets" / name).read_text().strip()

    def wait(self, what, name, seconds):
        """Waits until something holds; gives the seconds."""
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            with contextlib.suppress(LabError, subprocess.TimeoutExpired, OSError):
                if what():
                    return time.monotonic() - begun
            time.sleep(0.2)
        raise LabError(f"«{name}» did not become true in {seconds} s; look into {self.logs}")

    def ask(self, machine, port, path, name=None, host=None, source="client", timeout=2):
        """GET over TLS, from a machine; status and body."""
        context = ssl.create_default_context(cafile=self.folder / "authority/ca.pem" if name is None else self.cloud / "tls/ca.pem")
        address = address_of(machine)
        with self.network.inside(source):
            plain = http.client.HTTPSConnection(address, port, timeout=timeout, context=context)
            if name:
                context.check_hostname = False  # the certificate is the cloud's, and the address one of its machines
            try:
                plain.request("GET", path, headers={"Host": host or address})
                answer = plain.getresponse()
                return answer.status, answer.read()
            finally:
                plain.close()

    def cluster(self):
        """What Patroni says of its members: name to role, state, timeline and lag; the newest timeline's view counts."""
        views = []
        for site in "ab":
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                status, body = self.ask(f"db-{site}", PORTS["patroni"], "/cluster")
                if status == 200:
                    views.append({member["name"]: member for member in json.loads(body)["members"]})
        # Of two views the one that knows more of a leader that lives.
        return max(views, key=lambda view: max((m.get("timeline") or 0) for m in view.values()) if view else 0, default={})

    def primary(self):
        """The site whose server Patroni calls leader."""
        leaders = [name for name, member in self.cluster().items() if member["role"] == "leader" and member["state"] == "running"]
        return leaders[0].removeprefix("db-") if leaders else None

    def synchronous(self):
        """Whether there is a primary with a synchronous standby that streams."""
        members = self.cluster()
        roles = {member["role"] for member in members.values()}
        return {"leader", "sync_standby"} <= roles and all(member["state"] in ("running", "streaming") for member in members.values())

    def sql(self, site, text, database="postgres", timeout=5):
        """Asks a site's server over its socket, as its administrator."""
        words = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", SUPER, "-d", database, "-h",
                 self.of(f"db-{site}") / "socket", "-c", text]
        ran = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=timeout, cwd="/", env={"PATH": os.environ["PATH"], "PGCONNECT_TIMEOUT": "2"})
        if ran.returncode != 0:
            raise LabError(ran.stderr.strip())
        return ran.stdout.strip()

    def writable(self, site):
        """Whether a site's server says that it takes writes; None if it does not answer."""
        try:
            return self.sql(site, "SELECT NOT pg_is_in_recovery()", timeout=2) == "t"
        except (LabError, subprocess.TimeoutExpired):
            return None

    def roles(self):
        """The registry's roles and its database, with the file that operators use."""
        words = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-U", SUPER, "-d", "postgres", "-h",
                 self.of("db-a") / "socket"]
        for name in ("owner", "node", "rewind"):
            words += ["-v", f"{name}_password={self.secret(name)}"]
        run(*words, "-f", self.of("db-a") / "roles.sql")

    def etcd_leader(self):
        """Whether a quorum of etcd answers one of the machines."""
        return self.etcdctl("parent-ctie", "endpoint", "health").returncode == 0

    def etcdctl(self, machine, *words):
        own = self.of(machine) / "tls"
        return run(
            *self.network.enter(machine), "env", "ETCDCTL_API=3", "etcdctl", "--endpoints", f"https://{address_of(machine)}:{PORTS['etcd']}", "--cacert", own / "ca.pem",
            "--cert", own / "machine.pem", "--key", own / "machine.key", "--dial-timeout=1s", "--command-timeout=2s", *words, check=False, seconds=10)

    def node_ready(self, site):
        """Whether the node at a site says that it serves."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask(f"node-{site}", PORTS["s3"], "/readyz", name=CLOUD_NAME)[0] == 200
        return False

    def ready(self):
        """Whether S3 answers at both gates."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return all(self.ask(f"node-{site}", PORTS["gate"], "/readyz", name=CLOUD_NAME)[0] == 200 for site in "ab")
        return False

    def status(self):
        """Everything at a glance."""
        shown = {"folder": str(self.folder), "up": self.network.exists(), "node": self.placement.node, "chunks": self.placement.chunks}
        if not shown["up"]:
            return shown
        shown["members"] = {name: {key: member.get(key) for key in ("role", "state", "timeline", "lag")} for name, member in self.cluster().items()}
        shown["says that it takes writes"] = {site: self.writable(site) for site in "ab"}
        shown["machines"] = {machine: sorted({self.kind(machine, pid) for pid in self.network.pids(machine)}) for machine in MACHINES if machine != "client"}
        links = self.network
        from topology import LINKS
        shown["links"] = {link: "cut" if links.is_cut(link) else (f"{links.shape(link)[0]:g} ms, {links.shape(link)[1]:.1%} lost" if links.shape(link) else "whole") for link in LINKS}
        shown["s3"] = {site: self.node_ready(site) for site in "ab"}
        return shown
