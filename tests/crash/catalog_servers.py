#!/usr/bin/env python3
"""A cloud whose catalog is on two servers of PostgreSQL, as two sites have them: a primary and a standby that it waits
for. Clients write while the primary is killed, the node is killed, a site's folder is taken away. Checks that nothing
acknowledged is lost, and that what must not start does not.

    CLARENCE_BIN=… tests/crash/catalog_servers.py
"""

import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cloud as clouds  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
import load  # noqa: E402
import site_loss as losses  # noqa: E402
from site_loss import check, judge, under_load, wait_acknowledged  # noqa: E402


class Server:
    """One server in a folder of its own, reached by a socket in it and by nothing else."""

    def __init__(self, folder, name):
        self.folder, self.name, self.process = Path(folder), name, None
        self.sockets, self.data = self.folder / name, self.folder / f"data-{name}"
        self.sockets.mkdir()
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
            shutil.chown(self.sockets, "postgres")

    def command(self, program, *words):
        """A program of the server, as somebody who may run it: a server refuses to run as root."""
        bins = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        as_whom = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        return [*as_whom, f"{bins[-1]}/{program}", *map(str, words)]

    def run(self, program, *words):
        ran = subprocess.run(self.command(program, *words), cwd="/", capture_output=True, text=True)
        if ran.returncode != 0:
            raise clouds.CloudError(f"{program} failed: {ran.stdout}{ran.stderr}")
        return ran.stdout.strip()

    def make(self):
        self.run("initdb", "--no-sync", "-A", "trust", "-U", "dba", "-E", "UTF8", "--locale=C", "-D", self.data)
        self.start("wal_level = replica", "max_wal_senders = 4", "wal_log_hints = on", "hot_standby = on", "wal_sender_timeout = 2s")
        self.sql("CREATE ROLE registry_owner LOGIN")
        self.sql("CREATE ROLE registry_node LOGIN")
        self.sql("CREATE DATABASE registry OWNER registry_owner")
        return self

    def follow(self, primary):
        self.run("pg_basebackup", "-U", "dba", "--no-sync", "-X", "stream", "-h", primary.sockets, "-D", self.data)
        (self.data / "standby.signal").touch()
        self.start(f"primary_conninfo = 'host={primary.sockets} user=dba application_name={self.name}'")
        primary.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{self.name}'")
        primary.sql("SELECT pg_reload_conf()")
        primary.wait("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'", "1")
        return self

    def start(self, *lines):
        with open(self.data / "postgresql.conf", "a") as conf:
            lines += ("listen_addresses = ''", f"unix_socket_directories = '{self.sockets}'")
            conf.write("\n".join(lines) + "\n")
        log = open(self.folder / f"{self.name}.log", "ab")
        self.process = subprocess.Popen(self.command("postgres", "-D", self.data), cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait("SELECT 1", "1")

    def sql(self, text):
        return self.run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "dba", "-d", "postgres", "-h", self.sockets, "-c", text)

    def wait(self, text, expected, seconds=60):
        until, seen = time.monotonic() + seconds, None
        while time.monotonic() < until:
            try:
                seen = self.sql(text)
            except clouds.CloudError as error:
                seen = str(error)
            if seen == expected:
                return
            time.sleep(0.05)
        raise clouds.CloudError(f"{text}: {seen}, not {expected}")

    def kill(self):
        """Power off. Its processes notice their postmaster's end by themselves."""
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def promote(self):
        self.run("pg_ctl", "promote", "-w", "-D", self.data)


def configured(cloud, servers):
    """Tells the node where its catalog is."""
    listed = ", ".join(f'"{site}={server.sockets}:5432"' for site, server in zip("ab", servers))
    cloud.data.mkdir(mode=0o700, exist_ok=True)
    (cloud.data / "clarence.toml").write_text(
        "unsafe_unseal_from_this_machine = true\n[node]\nfirst_tenant = \"main\"\n"
        f'[catalog]\nservers = [{listed}]\ndatabase = "registry"\nuser = "registry_node"\n'
    )


def primary_falls(cloud, promises, one, two):
    with under_load(cloud, promises, "fall") as writers:
        wait_acknowledged(promises, 60)
        one.kill()
        two.promote()
        took = wait_acknowledged(promises, 60)
        check("the primary is killed under load and the standby takes over: writes go on", took is not None, "60 acts in 60 s were not reached")
    gap = max(writer.longest_gap for writer in writers)
    print(f"     longest time without an acknowledgement {gap:.1f} s, promotion included")
    judge(cloud, promises, "after the take-over")
    told = cloud.status()["catalog"]
    check("status names the new primary and its timeline", str(two.sockets) in told["primary"] and told["timeline"] == 2, told)


def node_falls(cloud, promises):
    with under_load(cloud, promises, "node", writers=4):
        wait_acknowledged(promises, 40)
        cloud.kill()
        cloud.up()
        took = wait_acknowledged(promises, 40)
    check("the node is killed under load and started again: writes go on", took is not None, "40 acts in 60 s were not reached")
    judge(cloud, promises, "after the node's end")


def refusals(cloud, folder, one, two):
    other = clouds.Cloud(folder / "other")
    configured(other, [one, two])
    said = other.refuses_to_start()
    check("another cloud is not founded in the same database", "holds a catalog already" in said, said)
    two.sql("ALTER SYSTEM SET fsync = off")
    two.sql("SELECT pg_reload_conf()")
    two.wait("SHOW fsync", "off")
    cloud.stop()
    said = cloud.refuses_to_start()
    check("a server that acknowledges from memory is refused", "fsync = off" in said, said)
    two.sql("ALTER SYSTEM RESET fsync")
    two.sql("SELECT pg_reload_conf()")
    two.wait("SHOW fsync", "on")
    config = cloud.data / "clarence.toml"
    kept = config.read_text()
    config.write_text("")
    said = cloud.refuses_to_start()
    check("without its servers the cloud does not start, and says what is missing", "catalog.servers" in said, said)
    config.write_text(kept)
    cloud.up()


def ledger(cloud, promises, two):
    wrong, entries = load.judge_ledger(cloud, promises)
    check(f"every act has its entry among {entries}", not wrong, "; ".join(wrong[:5]))
    cloud.cli("ledger", "publish")
    verified = load.judge_log(cloud)
    check("the published log is whole", verified, verified)
    try:
        two.run("psql", "-XAtq", "-U", "registry_node", "-d", "registry", "-h", two.sockets, "-c", "DELETE FROM clarence.row WHERE k >= '\\x4c' AND k < '\\x4d'")
        said = "it could"
    except clouds.CloudError as error:
        said = str(error)
    check("the node's own role cannot take an entry away", "never change" in said, said)


def nobody_answers(cloud, two):
    """No server is there: clients are told to come back, not that something is wrong."""
    s3 = load.client(cloud, patience=90)  # the node itself waits half a minute for a server
    s3.put_object(Bucket=load.BUCKET, Key="kept", Body=b"kept")
    two.kill()
    acts = {
        "a read": lambda: s3.get_object(Bucket=load.BUCKET, Key="kept"),
        "a write": lambda: s3.put_object(Bucket=load.BUCKET, Key="kept", Body=b"new"),
    }
    for what, act in acts.items():
        try:
            said = act()["ResponseMetadata"]
        except ClientError as error:
            said = error.response["ResponseMetadata"]
        told = (said["HTTPStatusCode"], said["HTTPHeaders"].get("retry-after"))
        check(f"without its servers {what} is told 503 and when to come back", told[0] == 503 and told[1], told)
    (two.data / "postmaster.pid").unlink(missing_ok=True)
    two.start()
    got = s3.get_object(Bucket=load.BUCKET, Key="kept")["Body"].read()
    check("the server is back, and with it what was stored", got == b"kept", got)
    s3.delete_object(Bucket=load.BUCKET, Key="kept")


def main():
    folder = Path(tempfile.mkdtemp(prefix="clarence-servers-", dir="/tmp"))
    servers = folder / "servers"
    servers.mkdir()
    folder.chmod(0o755)
    one, two = Server(servers, "one"), Server(servers, "two")
    cloud, promises = clouds.Cloud(folder / "cloud"), load.Promises()
    try:
        one.make()
        two.follow(one)
        configured(cloud, [one, two])
        cloud.up("--catalog-owner", "registry_owner")
        load.client(cloud).create_bucket(Bucket=load.BUCKET)
        with under_load(cloud, promises, "first"):
            wait_acknowledged(promises, 60)
        judge(cloud, promises, "on two servers")
        check("no catalog lies in the sites' folders", not list(cloud.data.glob("site-*/catalog")))
        primary_falls(cloud, promises, one, two)
        node_falls(cloud, promises)
        losses.away_and_back(cloud, promises, "a")
        losses.alone(cloud, promises, "b")
        losses.replaced(cloud, promises, "a")
        nobody_answers(cloud, two)
        said = cloud.cli("doctor", check=False)
        check("the doctor finds nothing wrong", said.get("bad") == 0, said)
        refusals(cloud, folder, one, two)
        judge(cloud, promises, "at the end")
        ledger(cloud, promises, two)
        cloud.stop()
        clear = load.judge_clear(cloud)
        check("nothing stands in clear on any disk", not clear, clear[:3])
        two.sql("CHECKPOINT")
        found = subprocess.run(["grep", "-rlaF", "--", load.CANARY, str(servers)], capture_output=True, text=True).stdout
        check("nor in the servers' folders", not found, found[:300])
    except clouds.CloudError as error:
        check("the cloud did what it was asked", False, f"{error}\n--- the node's last words\n{cloud.last_words(30)}")
    finally:
        cloud.kill()
        for server in (one, two):
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)
    failed = losses.results.count(False)
    print(f"{len(losses.results)} checks, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
