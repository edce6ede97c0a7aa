"""A cloud on this machine, as the tests in Python see it: started, killed, asked, thrown away.

It speaks to the `clarence` binary only in the ways an operator has: the command line, the files of the data
folder and signals. It never looks into the binary and never touches a process that it did not start.
"""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

START_SECONDS_MAX = 60


def own_settings():
    """The environment for the program under test: without CLARENCE_*, which it would take for its configuration."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CLARENCE_")}


class CloudError(Exception):
    """The node did not do what it was asked; the message says what it said."""


def free_port():
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def binary():
    """The program under test."""
    path = os.environ.get("CLARENCE_BIN")
    if not path:
        raise SystemExit("CLARENCE_BIN must name the clarence binary, for example target/debug/clarence")
    return str(Path(path).resolve())


class Cloud:
    """One data folder and the node that serves it."""

    def __init__(self, folder, port=None):
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "cloud"
        self.log = self.folder / "node.log"
        self.port = port or free_port()
        self.process = None

    # --- the node -------------------------------------------------------------------------------------

    def up(self, *more, wait=True):
        """Starts the node: founds the cloud if it is new and opens it, or leaves it sealed if told so."""
        if self.process and self.process.poll() is None:
            raise CloudError("the node runs already")
        command = [binary(), "up", "--data", str(self.data), "--s3", f"127.0.0.1:{self.port}", *more]
        with open(self.log, "ab") as log:
            log.write(f"--- {' '.join(command[1:])}\n".encode())
            log.flush()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=own_settings())
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        """Waits until the node serves. A node that ends instead is an error with its last words."""
        until = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise CloudError(f"the node ended with {self.process.returncode}: {self.last_words()}")
            if self.answers("/readyz") == 200 and (self.data / "connect.json").exists():
                return
            time.sleep(0.03)
        raise CloudError(f"the node was not ready after {START_SECONDS_MAX} s: {self.last_words()}")

    def wait_answers(self, path="/healthz", status=200):
        """Waits until a path answers with a status, which a sealed node does for its health."""
        until = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise CloudError(f"the node ended with {self.process.returncode}: {self.last_words()}")
            if self.answers(path) == status:
                return
            time.sleep(0.03)
        raise CloudError(f"{path} did not answer {status} in {START_SECONDS_MAX} s: {self.last_words()}")

    def answers(self, path):
        """The status of a plain GET, or None if nobody listens."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as door:
                door.settimeout(5)
                door.sendall(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\nconnection: close\r\n\r\n".encode())
                line = b""
                while b"\r\n" not in line:
                    piece = door.recv(4096)
                    if not piece:
                        return None
                    line += piece
                return int(line.split()[1])
        except (OSError, ValueError, IndexError):
            return None

    def refuses_to_start(self):
        """Starts the node, expects that it ends by itself, and gives what it said."""
        before = self.log.stat().st_size if self.log.exists() else 0
        self.up(wait=False)
        try:
            code = self.process.wait(START_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise CloudError("the node started although it had to refuse") from None
        said = self.log.read_bytes()[before:].decode(errors="replace")
        if code == 0:
            raise CloudError(f"the node ended with 0 although it had to refuse: {said}")
        return said

    def kill(self):
        """Power off, as far as a process knows."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait()
        self.process = None

    def part(self, name):
        """The process id of a part of the node, `vault` or `door`; None while there is none."""
        for child in children_of(self.process.pid):
            if f"--part={name}" in command_of(child):
                return child
        return None

    def kill_part(self, name):
        """Kills one part. The vault takes the node with it; the door is started again."""
        os.kill(self.part(name), signal.SIGKILL)
        if name == "vault":
            self.process.wait(60)
            self.process = None

    def stop(self):
        """Ends the node cleanly; a node that does not end is an error."""
        if not self.process:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise CloudError("the node did not end within 60 s of SIGTERM") from None
        self.process = None
        if code != 0:
            raise CloudError(f"the node ended with {code} on SIGTERM: {self.last_words()}")

    def last_words(self, lines=12):
        """The end of the node's log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    # --- what an operator asks ------------------------------------------------------------------------

    def cli(self, *words, check=True, seconds=300):
        """Runs `clarence … --json` and gives the data of the envelope, or the error if it may fail."""
        command = [binary(), *words, "--data", str(self.data), "--json"]
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, env=own_settings())
        try:
            envelope = json.loads(ran.stdout.strip().splitlines()[-1])
        except (json.JSONDecodeError, IndexError):
            raise CloudError(f"clarence {' '.join(words)} printed no envelope: {ran.stdout!r} {ran.stderr!r}") from None
        if envelope["status"] == "success" and ran.returncode == 0:
            return envelope["data"]
        if check:
            raise CloudError(f"clarence {' '.join(words)} failed with {ran.returncode}: {envelope.get('error')}")
        return envelope["error"]

    def status(self):
        """`clarence status`."""
        return self.cli("status")

    def site(self, letter):
        """One site's part of the status."""
        return next(site for site in self.status()["sites"] if site["site"] == f"site-{letter}")

    def wait_site(self, letter, state, seconds=120):
        """Waits until a site is in a state, and gives how long that took."""
        begun = time.monotonic()
        seen = None
        while time.monotonic() - begun < seconds:
            seen = self.site(letter)
            if seen["state"] == state:
                return time.monotonic() - begun
            time.sleep(0.2)
        raise CloudError(f"site-{letter} is not {state} after {seconds} s but {seen}")

    def connect(self):
        """Endpoint, region and credential of the first tenant."""
        return json.loads((self.data / "connect.json").read_text())

    def tenant(self, name):
        """Another tenant with a credential of its own."""
        return self.cli("tenant", "add", name)

    def entries(self, newer_than=-1):
        """All entries of the ledger from an index on, oldest first, opened."""
        found, before = [], None
        while True:
            words = ["ledger", "tail", "-n", "1000"]
            if before is not None:
                words += ["--before", str(before)]
            page = self.cli(*words)["entries"]
            found += [entry for entry in page if entry["index"] > newer_than]
            if not page or page[-1]["index"] <= newer_than + 1 or page[-1]["index"] == 0:
                return found[::-1]
            before = page[-1]["index"]

    def shares(self):
        """The share files of the parties, in the order of their names."""
        return sorted((self.data / "parents").glob("*/share.clarence"))

    # --- what must never be found on a disk -----------------------------------------------------------

    def find_in_clear(self, *texts):
        """Files under the data folder, and the log, that hold one of the texts. `connect.json`, which holds
        a credential on purpose, is left out."""
        places = [str(self.log), *(str(p) for p in self.data.iterdir() if p.name not in ("connect.json", "control.sock"))]
        found = []
        for text in texts:
            ran = subprocess.run(["grep", "-rlaF", "--", text, *places], capture_output=True, text=True)
            if ran.returncode not in (0, 1) and self.process is None:
                raise CloudError(f"grep: {ran.stderr}")
            found += [(text, file) for file in ran.stdout.splitlines()]
        return found


def children_of(pid):
    """The processes that a process has started."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except OSError:
            pass  # it ended meanwhile
    return found


def command_of(pid):
    """The words a process was started with."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def environment(credential, base=None):
    """The settings that every AWS tool reads, for one credential, and nothing of this machine's own."""
    env = {k: v for k, v in (base or os.environ).items() if not k.startswith("AWS_")}
    env.update(
        AWS_ACCESS_KEY_ID=credential["access_key"],
        AWS_SECRET_ACCESS_KEY=credential["secret_key"],
        AWS_DEFAULT_REGION=credential["region"],
        AWS_REGION=credential["region"],
        AWS_ENDPOINT_URL=credential["endpoint"],
        AWS_CONFIG_FILE="/dev/null",
        AWS_SHARED_CREDENTIALS_FILE="/dev/null",
        AWS_EC2_METADATA_DISABLED="true",
        CLARENCE_ENDPOINT_HOST=credential["endpoint"].split("://", 1)[1],
    )
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        env.pop(proxy, None)
    return env
