#!/usr/bin/env python3
"""Two nodes of one cloud, as on two machines: the catalog on two servers of PostgreSQL, the chunks on two SeaweedFS, and every
folder of a node its own. One holds the catalog, the other has joined and stands by. Under load the
first is killed, ended, frozen; its servers change; the root moves. Checks that the other takes over when it has to and only
then, opens itself, that nothing acknowledged is lost, and that a node that was stood in for writes nothing any more.

    CLARENCE_BIN=… tests/crash/standby.py
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cloud as clouds  # noqa: E402
import load  # noqa: E402
import site_loss as losses  # noqa: E402
from catalog_servers import Server  # noqa: E402
from site_loss import check, under_load, wait_acknowledged  # noqa: E402
from site_on_s3 import Seaweed  # noqa: E402


class Node(clouds.Cloud):
    """One of the two. Both reach the same servers and buckets; everything else of a node is its own."""

    def __init__(self, folder, name, servers, places):
        super().__init__(folder)
        self.name, self.folders = name, folder.parent
        listed = ", ".join(f'"{site}={server.sockets}:5432"' for site, server in zip("ab", servers))
        self.data.mkdir(mode=0o700, exist_ok=True)
        (self.data / "clarence.toml").write_text(
            f'[node]\nname = "{name}"\n[sites]\na_s3 = "{places["a"]}"\nb_s3 = "{places["b"]}"\n'
            f'[catalog]\nservers = [{listed}]\ndatabase = "registry"\nuser = "registry_node"\n')

    def shares(self):
        """Two parties' newest shares, at whichever node they were handed out."""
        found = [sorted(self.folders.glob(f"node-*/cloud/parents/{party}/share*.clarence"), key=lambda path: path.stat().st_mtime) for party in ("ctie", "proximus")]
        return [of_one[-1] for of_one in found]

    def stand_by(self):
        command = [clouds.binary(), "serve", "--standby", "--data", str(self.data), "--s3", f"127.0.0.1:{self.port}"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clouds.own_settings())
        return self

    def wait_state(self, wanted, seconds=60):
        """Waits until `status` says something, and gives it."""
        until, said = time.monotonic() + seconds, None
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise clouds.CloudError(f"{self.name} ended with {self.process.returncode}: {self.last_words()}")
            said = self.cli("status", check=False)
            if wanted(said):
                return said
            time.sleep(0.1)
        raise clouds.CloudError(f"{self.name} is {said}: {self.last_words()}")

    def wait_standby(self):
        return self.wait_state(lambda said: said.get("state") == "standby" and said["catalog"].get("timeline"))

    def wait_open(self):
        return self.wait_state(lambda said: "state" not in said and said.get("sealed") is False)

    def unseal(self):
        return self.cli("unseal", *(word for share in self.shares() for word in ("--share", str(share))))

    def signal_all(self, number):
        """Every part at once, as a machine that freezes."""
        for pid in [self.process.pid, *clouds.children_of(self.process.pid)]:
            os.kill(pid, number)


class Pair:
    """Both nodes behind one address, as a balancer shows them: a connection goes to the node that listens."""

    def __init__(self, nodes):
        self.nodes, self.credential = nodes, None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.forward, args=(client,), daemon=True).start()

    def forward(self, client):
        for node in self.nodes:
            try:
                server = socket.create_connection(("127.0.0.1", node.port), timeout=1)
            except OSError:
                continue
            server.settimeout(None)
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(one, other), daemon=True).start()
            return
        client.close()

    @staticmethod
    def pump(source, sink):
        try:
            while piece := source.recv(65536):
                sink.sendall(piece)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def holder(self):
        for node in self.nodes:
            if node.process and node.process.poll() is None and node.answers("/readyz") == 200:
                return node
        raise clouds.CloudError("no node serves")

    def connect(self):
        return {**self.credential, "endpoint": f"http://127.0.0.1:{self.port}", "region": "lu-1"}

    def cli(self, *words, **more):
        return self.holder().cli(*words, **more)

    def entries(self):
        return self.holder().entries()


def judge(pair, promises, when):
    wrong, seen = load.judge(pair, promises, everything=True)
    check(f"{when}: {seen} keys hold what was promised", not wrong, "; ".join(wrong[:5]))


def takes_over(pair, promises, what, event, other, most):
    """Something happens to the node that serves, under load; the other one goes on."""
    with under_load(pair, promises, what.replace(" ", "-")) as writers:
        wait_acknowledged(promises, 40)
        event()
        took = wait_acknowledged(promises, 40, seconds=90)
        check(f"{what} under load: the other node goes on", took is not None, f"40 acts in 90 s were not reached: {other.last_words()}")
    gap = max(writer.longest_gap for writer in writers)
    check(f"{what}: no longer than {most} s without an acknowledgement ({gap:.1f} s)", gap <= most, gap)
    other.wait_open()
    judge(pair, promises, f"after {what}")


def killed_and_ended(pair, promises, one, two):
    takes_over(pair, promises, "a killed node", one.kill, two, 20)
    one.stand_by()
    one.wait_standby()
    check("the killed node, started again, stands by", one.answers("/healthz") is None and two.answers("/readyz") == 200)
    one.unseal()
    takes_over(pair, promises, "a node that is ended", two.stop, one, 20)


def frozen(pair, promises, one, two):
    two.stand_by()
    two.wait_standby()
    two.unseal()
    pair.nodes.reverse()  # a balancer's health check leaves the frozen one out
    takes_over(pair, promises, "a frozen node", lambda: one.signal_all(signal.SIGSTOP), two, 45)
    one.signal_all(signal.SIGCONT)
    try:
        code = one.process.wait(60)
    except subprocess.TimeoutExpired:
        code = 0
    check("the frozen node, thawed, ends by itself and says why", code != 0 and "taken the catalog over" in one.log.read_text(errors="replace"), one.last_words())
    one.process = None
    judge(pair, promises, "after the frozen node has ended")


def left_alone(pair, promises, one, two, servers):
    """The servers change, and the node that holds the catalog keeps it."""
    one.stand_by()
    one.wait_standby()
    one.unseal()
    with under_load(pair, promises, "servers"):
        wait_acknowledged(promises, 40)
        servers[0].kill()
        servers[1].promote()
        took = wait_acknowledged(promises, 80, seconds=90)
        check("the servers change under load: the node goes on", took is not None, two.last_words())
        time.sleep(5)
    said = one.wait_standby()
    check("and the other one still stands by", said["catalog"]["timeline"] == 2 and two.answers("/readyz") == 200, said)
    judge(pair, promises, "after the servers changed")


def root_moves(pair, promises, one, two):
    """Keys of a root that is no longer in force are of no use, and are wiped."""
    before = one.shares()
    two.cli("root", "rekey", "--reason", "a test")
    said = one.wait_state(lambda said: said.get("state") == "standby" and said["sealed"])
    check("the root moves: the node that stands by forgets the keys of the old one", said["shares_given"] == 0, said)
    old = one.cli("unseal", *(w for share in before for w in ("--share", str(share))), check=False)
    check("and refuses the old shares", "sealed" not in old or old["sealed"], old)
    one.unseal()
    takes_over(pair, promises, "a node killed after the root moved", two.kill, one, 20)


def refusals(folder, one, two):
    said = subprocess.run([clouds.binary(), "serve", "--data", str(two.data), "--s3", "127.0.0.1:0"], capture_output=True, text=True, timeout=60, env=clouds.own_settings())
    check("a second node that does not stand by is refused", said.returncode != 0 and "in use by another node" in said.stderr, said.stderr[-300:])
    other = clouds.Cloud(folder / "other")
    other.data.mkdir(mode=0o700)
    said = subprocess.run([clouds.binary(), "serve", "--standby", "--data", str(other.data)], capture_output=True, text=True, timeout=60, env=clouds.own_settings())
    check("a node without servers cannot stand by", said.returncode == 2 and "catalog.servers" in said.stderr, said.stderr[-300:])
    two.stand_by()
    two.wait_standby()
    error = two.cli("tenant", "add", "late", check=False)
    check("a node that stands by does nothing else, and says so", "stands by" in error.get("message", ""), error)
    two.stop()


def main():
    folder = Path(tempfile.mkdtemp(prefix="clarence-standby-", dir="/tmp"))
    folder.chmod(0o755)
    (folder / "servers").mkdir()
    servers = [Server(folder / "servers", name) for name in ("one", "two")]
    weeds = [Seaweed(folder / "weeds", name) for name in "ab"]
    promises, nodes, pair = load.Promises(), [], None
    try:
        servers[0].make()
        servers[1].follow(servers[0])
        places = {weed.name: weed.start().place(folder / f"{weed.name}.json", f"chunks-{weed.name}") for weed in weeds}
        one, two = nodes = [Node(folder / f"node-{n}", f"node-{n}", servers, places) for n in (1, 2)]
        early = two.cli("join", check=False)
        check("a node cannot join a cloud that is not there", "no catalog of a cloud" in early.get("message", ""), early)
        one.cli("found", "--catalog-owner", "registry_owner")
        one.stand_by()
        one.wait_state(lambda said: "sealed" in said and "state" not in said)
        check("a node that stands by where nobody holds the catalog serves at once", True)
        one.unseal()
        one.wait_open()
        pair = Pair([one, two])
        pair.credential = one.tenant("main")
        joined = two.cli("join")
        check("a second node joins: its folders are made of the papers beside the catalog", len(joined["made"]) == 2, joined)
        again = two.cli("join")
        check("joining again changes nothing", again["made"] == [] and again["cloud"] == joined["cloud"], again)
        two.stand_by()
        two.wait_standby()
        check("it stands by, and listens nowhere", two.answers("/healthz") is None)
        said = two.unseal()
        check("it takes shares and keeps the keys for the moment it takes over", said.get("state") == "standby" and two.status()["sealed"] is False, said)
        load.client(pair).create_bucket(Bucket=load.BUCKET)
        killed_and_ended(pair, promises, one, two)
        refusals(folder, one, two)
        frozen(pair, promises, one, two)
        left_alone(pair, promises, one, two, servers)
        root_moves(pair, promises, one, two)
        wrong, entries = load.judge_ledger(pair, promises)
        check(f"every act has its entry among {entries}, in one order without a gap", not wrong, "; ".join(wrong[:5]))
        taken = [entry for entry in one.entries() if entry.get("operation") == "TakeOver"]
        check("each take-over is in the ledger, with whose shares opened the node", len(taken) == 4 and all("ctie" in e["actor"] for e in taken), taken)
        one.cli("ledger", "publish")
        verified = one.cli("ledger", "verify", "--site", str(one.data / "site-a" / "ledger"), "--keys", str(one.data / "ledger.keys"), check=False)
        check("the published log is whole, whoever published it", "message" not in verified, verified)
    except clouds.CloudError as error:
        words = "\n".join(f"--- {node.name}\n{node.last_words(20)}" for node in nodes)
        check("the nodes did what they were asked", False, f"{error}\n{words}")
    finally:
        if pair:
            pair.listener.close()
        for node in nodes:
            if node.process and node.process.poll() is None:
                node.signal_all(signal.SIGCONT)
            node.kill()
        for engine in (*servers, *weeds):
            engine.kill()
        if os.environ.get("KEEP") is None:
            shutil.rmtree(folder, ignore_errors=True)
    failed = losses.results.count(False)
    print(f"{len(losses.results)} checks, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
