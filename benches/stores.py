"""Starts the stores that are compared, each in a folder and a process group of its own, on loopback only.

Nothing started here outlives the run: children die with this process, and `Stores.stop` ends each group.
"""

import ctypes
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path

import load
import machine
from signing import Signer

BUCKET = "bench"
START_SECONDS = 90
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class CannotStart(Exception):
    """A store did not come up; the message says what it printed last."""


class Store:
    """A running store."""

    def __init__(self, name, version, process, signer, log):
        self.name = name
        self.version = version
        self.process = process
        self.signer = signer
        self.log = log

    @property
    def endpoint(self):
        """Where it answers."""
        return self.signer.endpoint

    @property
    def pid(self):
        """Its process, for /proc."""
        return self.process.pid

    def call(self, method, path, query=()):
        """One presigned request without a body."""
        return load.once(self.endpoint, method, self.signer.one(method, path, query))

    def stop(self):
        """Asks it to end, then makes it end."""
        stop(self.process)

    def last_words(self):
        """The end of its log."""
        return tail(self.log)


def stop(process):
    """Ends one process group that `launch` made."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def tail(log):
    """The last lines of a log file."""
    text = Path(log).read_text(errors="replace") if Path(log).exists() else ""
    return "\n".join(text.splitlines()[-15:])


def launch(command, folder, log, **environment):
    """Starts a command that dies with us."""
    with open(log, "ab") as out:
        return subprocess.Popen(
            [str(word) for word in command], cwd=folder, stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=_die_with_parent,
            env={**os.environ, **environment},
        )


def _die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_ports(count):
    """Ports that are free now, and so is the one 10,000 above each (SeaweedFS puts gRPC there)."""
    found = []
    for port in random.sample(range(20000, 32000), 2000):
        if _is_free(port) and _is_free(port + 10000):
            found.append(port)
            if len(found) == count:
                return found
    raise CannotStart("no free ports on 127.0.0.1 between 20000 and 42000")


def _is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def start_clarence(binary, folder, port=None):
    """`clarence up`, which founds a cloud if the folder holds none, and serves."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_ports(1)[0]
    connect = folder / "connect.json"
    connect.unlink(missing_ok=True)
    log = folder.with_suffix(".log")
    process = launch([binary, "up", "--data", folder, "--s3", f"127.0.0.1:{port}"], folder, log)
    try:
        _wait(process, log, "clarence", lambda: connect.exists() and _json(connect) is not None)
        found = _json(connect)
        signer = Signer(found["endpoint"], found["region"], found["access_key"], found["secret_key"])
        store = Store("clarence", machine.clarence_version(binary), process, signer, log)
        _wait_for_objects(store)
    except BaseException:
        stop(process)
        raise
    return store


def _json(path):
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def start_seaweedfs(weed, folder):
    """`weed server -s3` with its defaults; only addresses, folders and its telemetry are set."""
    folder.mkdir(parents=True)
    master, volume, filer, s3 = free_ports(4)
    access, secret = "bench", secrets.token_hex(20)
    identity = {
        "name": "bench", "credentials": [{"accessKey": access, "secretKey": secret}], "actions": ["Admin"],
    }
    config = folder / "identities.json"
    config.write_text(json.dumps({"identities": [identity]}))
    command = [
        weed, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}",
        "-master.telemetry=false", "-s3", f"-s3.port={s3}", f"-s3.config={config}",
        "-s3.port.iceberg=0", "-s3.port.lance=0",
        f"-filer.localSocket={folder}/filer.sock", f"-s3.localSocket={folder}/s3.sock",
    ]
    version = subprocess.run([weed, "version"], capture_output=True, text=True).stdout
    version = version.split("\n")[0].removeprefix("version ")
    return _serve("seaweedfs", version, command, folder, s3, "us-east-1", access, secret)


def start_garage(garage, folder):
    """One Garage node with both of its fsync settings on."""
    folder.mkdir(parents=True)
    s3, rpc = free_ports(2)
    access, secret = "GK" + secrets.token_hex(12), secrets.token_hex(32)
    config = folder / "garage.toml"
    config.write_text(
        f'metadata_dir = "{folder}/meta"\ndata_dir = "{folder}/data"\n'
        "metadata_fsync = true\ndata_fsync = true\nreplication_factor = 1\n"
        f'rpc_secret = "{secrets.token_hex(32)}"\n'
        f'rpc_bind_addr = "127.0.0.1:{rpc}"\nrpc_public_addr = "127.0.0.1:{rpc}"\n'
        f'[s3_api]\ns3_region = "garage"\napi_bind_addr = "127.0.0.1:{s3}"\nroot_domain = ".s3.localhost"\n'
    )
    config.chmod(0o600)
    command = [garage, "-c", config, "server", "--single-node", "--default-bucket"]
    version = subprocess.run([garage, "--version"], capture_output=True, text=True).stdout.strip()
    return _serve(
        "garage", version, command, folder, s3, "garage", access, secret,
        GARAGE_DEFAULT_ACCESS_KEY=access, GARAGE_DEFAULT_SECRET_KEY=secret, GARAGE_DEFAULT_BUCKET=BUCKET,
    )


def start_s3s_fs(binary, folder):
    """s3s-fs over a folder."""
    root = folder / "root"
    root.mkdir(parents=True)
    port = free_ports(1)[0]
    access, secret = "bench", secrets.token_hex(20)
    command = [
        binary, "--host", "127.0.0.1", "--port", port, "--access-key", access, "--secret-key", secret, root,
    ]
    version = subprocess.run([binary, "--version"], capture_output=True, text=True).stdout.strip()
    return _serve("s3s-fs", version, command, folder, port, "us-east-1", access, secret)


def _serve(name, version, command, folder, port, region, access, secret, **environment):
    log = folder.with_suffix(".log")
    process = launch(command, folder, log, **environment)
    signer = Signer(f"http://127.0.0.1:{port}", region, access, secret)
    store = Store(name, version, process, signer, log)
    try:
        _wait_for_objects(store)
    except BaseException:
        stop(process)
        raise
    return store


def _wait(process, log, name, ready):
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise CannotStart(f"{name} ended with {process.returncode} while starting:\n{tail(log)}")
        if ready():
            return
        time.sleep(0.1)
    raise CannotStart(f"{name} was not ready within {START_SECONDS} s:\n{tail(log)}")


def _wait_for_objects(store):
    """Makes the bucket and stores one object; some stores answer before they can store anything."""
    probe = Path(store.log).with_suffix(".probe")
    probe.write_bytes(b"probe")
    target = f"/{BUCKET}/probe"
    seen = ["nothing yet"]

    def ready():
        try:
            made = store.call("PUT", f"/{BUCKET}")
            with probe.open("rb") as body:
                put = load.once(store.endpoint, "PUT", store.signer.one("PUT", target), body, 5)
            got = store.call("GET", target)
        except OSError as error:
            seen[0] = str(error)
            return False
        seen[0] = f"create bucket: {made}, put: {put}, get: {got}"
        return put[0] == 200 and got == (200, b"probe")

    try:
        _wait(store.process, store.log, store.name, ready)
    except CannotStart as error:
        raise CannotStart(f"{error}\nthe last answers: {seen[0]}") from None
