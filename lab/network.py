"""The lab's network: a namespace for each machine and place, links through bridges that can be cut without a word to
either end, and slowed or made to lose packets by a process that carries the frames (`wire.py`): many kernels come
without netem, and so every machine measures the same way.

Namespaces of this lab alone are made and removed; the machine's own network is never touched, and none of these reaches it.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from topology import LINKS, MACHINES, PLACES, address_of, network_of

HERE = Path(__file__).resolve().parent
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """Something did not go as asked; the message says what and what to do."""


def clean():
    """This program's environment without what Clarence or PostgreSQL would take for settings of theirs."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("CLARENCE_", "PATRONI_", "PG"))}


def run(*words, check=True, text=None, seconds=60):
    """Runs a program; its words in the error if it fails."""
    ran = subprocess.run([str(word) for word in words], input=text, capture_output=True, text=True, timeout=seconds, env=clean())
    if check and ran.returncode != 0:
        raise LabError(f"{' '.join(map(str, words))} failed: {ran.stderr.strip() or ran.stdout.strip()}")
    return ran


class Network:
    """The namespaces of one lab, told apart from another's by `prefix`."""

    def __init__(self, prefix, folder):
        self.prefix, self.folder = prefix, Path(folder)

    def name(self, which):
        """The namespace of a machine or place, or `switch`."""
        return f"{self.prefix}-{which}"

    def exists(self):
        """Whether it is up."""
        return Path("/run/netns", self.name("switch")).exists()

    # --- up and down ----------------------------------------------------------------------------------

    def up(self):
        """Makes everything. Half a network is taken away again."""
        try:
            self.make()
        except BaseException:
            self.down()
            raise

    def make(self):
        for which in ("switch", *PLACES, *MACHINES):
            run("ip", "netns", "add", self.name(which))
            run("ip", "-n", self.name(which), "link", "set", "lo", "up")
        for number, (machine, place) in enumerate(MACHINES.items()):
            router, address = f"10.77.{network_of(place)}.1", address_of(machine)
            self.batch(
                place, f"link add name m{number} type veth peer name eth0 netns {self.name(machine)}", f"link set m{number} up",
                f"addr add {router}/32 dev m{number}", f"route add {address}/32 dev m{number} src {router}")
            self.batch(
                machine, f"addr add {address}/32 dev eth0", "link set eth0 up", f"route add {router}/32 dev eth0",
                f"route add default via {router} src {address}")
        for number, (link, (one, two)) in enumerate(LINKS.items()):
            self.batch("switch", f"link add name br{number} type bridge forward_delay 0 ageing_time 30000", f"link set br{number} up")
            for end, place, peer in ((1, one, two), (2, two, one)):
                self.batch(
                    "switch", f"link add name p{number}.{end} type veth peer name l{number} netns {self.name(place)}",
                    f"link set p{number}.{end} master br{number}", f"link set p{number}.{end} up")
                self.batch(
                    place, f"addr add 10.78.{number}.{end}/24 dev l{number}", f"link set l{number} up",
                    f"route add 10.77.{network_of(peer)}.0/24 via 10.78.{number}.{3 - end}")
        for place in PLACES:
            with self.inside(place):
                Path("/proc/sys/net/ipv4/ip_forward").write_text("1")

    def batch(self, which, *lines):
        run("ip", "-n", self.name(which), "-batch", "-", text="\n".join(lines) + "\n")

    def down(self):
        """Ends what still runs in the namespaces and removes them."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            running = [pid for pids in self.everyone().values() for pid in pids]
            if not running:
                break
            for pid in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        for which in ("switch", *PLACES, *MACHINES):
            run("ip", "netns", "del", self.name(which), check=False)

    def everyone(self):
        """Namespace to the processes in it, which this lab has started, for nothing else knows it."""
        names = {}
        for which in ("switch", *PLACES, *MACHINES):
            with contextlib.suppress(OSError):
                names[os.stat(f"/run/netns/{self.name(which)}").st_ino] = which
        found = {which: [] for which in names.values()}
        for entry in os.scandir("/proc"):
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    which = names.get(os.stat(f"/proc/{entry.name}/ns/net").st_ino)
                    if which:
                        found[which].append(int(entry.name))
        return found

    def pids(self, which):
        """The processes in one namespace."""
        return self.everyone().get(which, [])

    # --- links ----------------------------------------------------------------------------------------

    def number(self, link):
        try:
            return list(LINKS).index(link)
        except ValueError:
            raise LabError(f"there is no link {link}; there are {', '.join(LINKS)}") from None

    def cut(self, link):
        """Frames vanish from here on; neither end is told."""
        number = self.number(link)
        self.stop_wire(link)
        for end in (1, 2):
            run("ip", "-n", self.name("switch"), "link", "set", f"p{number}.{end}", "nomaster")

    def join(self, link):
        """The link carries again, with the delay that it had."""
        number = self.number(link)
        self.stop_wire(link)
        shape = self.shape(link)
        if shape:
            return self.start_wire(link, *shape)
        for end in (1, 2):
            run("ip", "-n", self.name("switch"), "link", "set", f"p{number}.{end}", "master", f"br{number}")

    def slow(self, link, delay_ms, loss=0.0):
        """Each frame takes so much longer, one way; a part of them gets lost. Zero of both makes it as it was."""
        self.number(link)
        mark = self.folder / f"shape-{link}"
        if delay_ms == 0 and loss == 0:
            mark.unlink(missing_ok=True)
        else:
            mark.write_text(f"{delay_ms} {loss}")
        cut = self.is_cut(link)
        if not cut or self.wire_pid(link):
            self.join(link)

    def shape(self, link):
        try:
            delay, loss = (self.folder / f"shape-{link}").read_text().split()
            return float(delay), float(loss)
        except OSError:
            return None

    def is_cut(self, link):
        """Whether nothing is carried now."""
        number = self.number(link)
        shown = run("ip", "-n", self.name("switch"), "-o", "link", "show", f"p{number}.1").stdout
        return " master " not in shown and not self.wire_pid(link)

    def start_wire(self, link, delay_ms, loss):
        number = self.number(link)
        for end in (1, 2):
            run("ip", "-n", self.name("switch"), "link", "set", f"p{number}.{end}", "nomaster")
        log = open(self.folder / f"wire-{link}.log", "ab")
        words = [sys.executable, HERE / "wire.py", f"p{number}.1", f"p{number}.2", delay_ms, loss]
        wire = self.spawn("switch", words, log)
        (self.folder / f"wire-{link}.pid").write_text(str(wire.pid))

    def wire_pid(self, link):
        try:
            pid = int((self.folder / f"wire-{link}.pid").read_text())
        except (OSError, ValueError):
            return None
        return pid if pid in self.pids("switch") else None

    def stop_wire(self, link):
        pid = self.wire_pid(link)
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        (self.folder / f"wire-{link}.pid").unlink(missing_ok=True)

    # --- inside ---------------------------------------------------------------------------------------

    def enter(self, which, user=None):
        """The words before a program that make it run on a machine, as somebody."""
        words = ["nsenter", f"--net=/run/netns/{self.name(which)}"]
        if user:
            words += ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs"]
        return words

    def spawn(self, which, words, log, user=None, env=None):
        """Starts a program on a machine, in a session of its own, so that nothing at the keyboard reaches it."""
        words = [*self.enter(which, user), *map(str, words)]
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd="/", start_new_session=True)

    @contextlib.contextmanager
    def inside(self, which):
        """This thread stands on a machine while the block runs: sockets that it makes belong there."""
        own = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
        try:
            there = os.open(f"/run/netns/{self.name(which)}", os.O_RDONLY)
        except OSError:
            os.close(own)
            raise LabError(f"there is no machine {which} now: the lab is not up (./lab/lab up)") from None
        try:
            setns(there)
            yield
        finally:
            setns(own)
            os.close(own)
            os.close(there)


def setns(descriptor):
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise LabError(f"a network namespace cannot be entered: {os.strerror(ctypes.get_errno())}; this needs root")
