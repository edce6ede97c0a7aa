"""What the lab needs on a machine, and where it gets it: Debian's packages, and Patroni from PyPI, pinned.

Debian 12's own Patroni (3.0.2) has known faults of its synchronous mode and is never used. The lab needs root for its
namespaces; it installs into a folder that the server's user can read, which a home folder of root's is not.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from network import LabError, run

REQUIREMENTS = Path(__file__).resolve().parents[1] / "deploy/two-sites/requirements.txt"
VENV = Path("/var/cache/clarence-lab/venv")
PROGRAMS = {
    "etcd": "etcd-server", "etcdctl": "etcd-client", "haproxy": "haproxy", "openssl": "openssl", "psql": "postgresql-client",
    "ip": "iproute2", "nsenter": "util-linux", "setpriv": "util-linux",
}
# With these in the way a new namespace is refused; a container without them has to be told so.
NO_NAMESPACES = (
    "this machine does not let the lab make network namespaces ({why}). The lab needs root and CAP_NET_ADMIN, CAP_SYS_ADMIN (in a container: "
    "--privileged, or run it on the machine itself). Nothing was changed.")


def prepare():
    """Installs what is missing; says what it cannot."""
    permitted()
    debian()
    patroni()


def permitted():
    """Root, and namespaces."""
    if os.getuid() != 0:
        raise LabError(NO_NAMESPACES.format(why="not root"))
    name = f"clarence-try-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True) if shutil.which("ip") else None
    if tried is None:
        return  # iproute2 is installed below, and the first namespace is made after that
    if tried.returncode != 0:
        raise LabError(NO_NAMESPACES.format(why=tried.stderr.strip()))
    run("ip", "netns", "del", name)


def debian():
    """Debian's packages. Their services are not started: the lab starts programs of its own."""
    missing = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program)})
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        missing.append("postgresql")
    if not Path("/usr/bin/python3").exists() or subprocess.run(["/usr/bin/python3", "-c", "import ensurepip"], capture_output=True).returncode != 0:
        missing.append("python3-venv")
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise LabError(f"the lab needs {', '.join(missing)}; install them and run it again")
    print(f"installing {' '.join(missing)}", file=sys.stderr)
    policy = Path("/usr/sbin/policy-rc.d")
    held = not policy.exists()
    if held:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "postgresql-common"] if "postgresql" in missing else None,
                      ["install", "-y", "-qq", "--no-install-recommends", *missing]):
            if words is None:
                continue
            if words[-1] in missing:
                no_cluster()
            ran = subprocess.run(["apt-get", *words], env=quiet, capture_output=True, text=True)
            if ran.returncode != 0 and words[0] != "update":
                raise LabError(f"apt-get {' '.join(words)} failed: {ran.stderr.strip()[-500:]}")
    finally:
        if held:
            policy.unlink(missing_ok=True)


def no_cluster():
    """Debian's package would make a server of its own."""
    conf = Path("/etc/postgresql-common/createcluster.conf")
    if conf.exists():
        lines = [line for line in conf.read_text().splitlines() if "create_main_cluster" not in line]
        conf.write_text("\n".join([*lines, "create_main_cluster = false", ""]))


def patroni():
    """Patroni and the driver, in an environment of their own, once."""
    wanted = REQUIREMENTS.read_text()
    stamp = VENV / ".requirements"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("installing Patroni, once", file=sys.stderr)
    VENV.parent.mkdir(parents=True, exist_ok=True)
    for words in (["/usr/bin/python3", "-m", "venv", "--clear", VENV],
                  [VENV / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS]):
        run(*words, seconds=600)
    stamp.write_text(wanted)


def postgres_bin():
    """The newest server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        raise LabError("no PostgreSQL server is installed; ./lab/lab prepare installs one")
    return found[-1]


def clarence():
    """The program under test."""
    named = os.environ.get("CLARENCE_BIN") or shutil.which("clarence")
    if not named or not Path(named).exists():
        raise LabError("CLARENCE_BIN must name the clarence program, for example target/debug/clarence (cargo build makes it)")
    return str(Path(named).resolve())
