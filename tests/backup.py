#!/usr/bin/env python3
"""Backup and restore of a whole cloud, as an operator does it: under load, with the node killed in between, sealed; onto
PostgreSQL and back into folders, where every object, the ledger and the credentials are compared; and what the old cloud
does when it finds that it was replaced.

    CLARENCE_BIN=… tests/backup.py
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "crash"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import cloud as clouds  # noqa: E402
import load  # noqa: E402
import site_loss as losses  # noqa: E402
from catalog_servers import Server  # noqa: E402
from site_loss import check, judge, under_load, wait_acknowledged  # noqa: E402

LARGE = 12


def shares(cloud):
    """The words that give two shares."""
    return [word for share in cloud.shares()[:2] for word in ("--share", str(share))]


def begun(cloud, *words):
    """A command that runs beside the test."""
    command = [clouds.binary(), *map(str, words), "--data", str(cloud.data), "--json"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clouds.own_settings())


def ended(process, seconds=120):
    out, err = process.communicate(timeout=seconds)
    return process.returncode, json.loads(out.strip().splitlines()[-1]) if out.strip() else err


def new_place(folder, home, servers=()):
    """A place for a restore: its own folders, the parties' folders of the old cloud, perhaps servers."""
    place = clouds.Cloud(folder)
    place.data.mkdir(mode=0o700)
    listed = ", ".join(f'"{site}={server.sockets}:5432"' for site, server in zip("ab", servers))
    catalog = f'[catalog]\nservers = [{listed}]\ndatabase = "registry"\nuser = "registry_node"\n' if servers else ""
    (place.data / "clarence.toml").write_text(
        f'unsafe_unseal_from_this_machine = true\n[node]\nfirst_tenant = "main"\n[parents]\nfolder = "{home.data / "parents"}"\n{catalog}'
    )
    return place


def open_with_old_credentials(place, old):
    shutil.copy(old.data / "connect.json", place.data / "connect.json")
    keys = [cloud.connect()["access_key"] for cloud in (old, place)]
    place.up()
    until = time.monotonic() + 30
    while str(place.port) not in place.connect()["endpoint"] and time.monotonic() < until:
        time.sleep(0.05)  # the file says where the old cloud was until the node is open
    keys.append(place.connect()["access_key"])
    check("the old credential opens the restored cloud, and no other was made", len(set(keys)) == 1, keys)


def under_way(home, promises, folder):
    """Taken under load; the node is killed in between, and the same command goes on."""
    s3 = load.client(home)
    for number in range(LARGE):
        name = f"large/{number}"
        data = load.body(name, 8_388_608)
        s3.put_object(Bucket=load.BUCKET, Key=name, Body=data, Metadata={"note": load.CANARY})
        promises.keys[name].allowed = {load.digest(data)}
        promises.keys[name].promised["write"] += 1
    with under_load(home, promises, "backup", writers=3):
        wait_acknowledged(promises, 40)
        process = begun(home, "backup", "--to", folder, "--rate", "24MiB/s")
        until = time.monotonic() + 30
        while time.monotonic() < until and len(list((folder / "chunks").glob("*/*"))) < 4:
            time.sleep(0.05)
        home.kill()
        code, said = ended(process)
        check("the node is killed in between: the command says that it goes on when given again", code == 3 and said["error"]["type"] == "broken", said)
        said = home.cli("backup", "verify", str(folder), check=False)
        check("what is not complete is no backup", said.get("type") == "not-found", said)
        home.up()
        had = len(list((folder / "chunks").glob("*/*")))
        wait_acknowledged(promises, 20)
        took = time.monotonic()
        taken = home.cli("backup", "--to", str(folder))
        took = time.monotonic() - took
        check(f"given again it goes on: {taken['kept_chunks']} chunks of the {had} were kept, {taken['copied_chunks']} copied",
              0 < taken["kept_chunks"] <= had and taken["lacking_chunks"] == 0, taken)
        acked = wait_acknowledged(promises, 20)
        check("writes go on during and after it", acked is not None, "20 acts in 60 s were not reached")
    print(f"     {taken['rows']} rows, {taken['chunk_bytes'] >> 20} MiB of chunks; {taken['copied_bytes'] / took / 2**20:.0f} MiB/s unthrottled, under load")
    said = home.cli("backup", "verify", str(folder))
    check(f"it verifies without a key: {said['chunks']} chunks, {said['entries']} entries, {said['signed_entries']} signed",
          said["wrong_chunks"] == 0 and said["signed_entries"] and said["chunks"] == taken["chunks"], said)


def sealed_and_newer(home, folder):
    """A newer one in the same folder, of a sealed node: only what is new is copied."""
    home.cli("ledger", "publish")
    home.cli("seal")
    taken = home.cli("backup", "--to", str(folder))
    check(f"a sealed node gives one too; {taken['copied_chunks']} new chunks of {taken['chunks']} were copied, {taken['removed_files']} old files went",
          taken["generation"] == 2 and taken["kept_chunks"] > 0 and taken["copied_chunks"] < taken["chunks"], taken)
    keys = home.data / "parents" / "ctie" / "ledger.keys"
    said = home.cli("backup", "verify", str(folder), "--keys", str(keys))
    check("it verifies with the keys that a party holds", said["keys_trusted"] and said["wrong_chunks"] == 0, said)
    found = subprocess.run(["grep", "-rlaF", "--", load.CANARY, str(folder)], capture_output=True, text=True).stdout
    check("nothing of what was written stands in clear in it", not found, found[:300])
    secret = home.connect()["secret_key"]
    found = subprocess.run(["grep", "-rlaF", "--", secret, str(folder)], capture_output=True, text=True).stdout
    check("nor any secret of a credential", not found, found[:300])
    return taken


def damage(home, folder):
    """A flipped byte is named."""
    chunk = max((folder / "chunks").glob("*/*"), key=lambda path: path.stat().st_size)
    block = next(folder.glob("0*/rows/00000000"))
    for path in (chunk, block, folder / "MANIFEST"):
        whole = path.read_bytes()
        at = len(whole) // 2
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1:])
        said = home.cli("backup", "verify", str(folder), check=False)
        check(f"a flipped byte in {path.name[:8]} is named", str(path) in said.get("message", ""), said)
        path.write_bytes(whole)


def rehearsed(home, folder):
    took = time.monotonic()
    said = home.cli("backup", "drill", "--from", str(folder), *shares(home), "--all")
    took = time.monotonic() - took
    check(f"a drill reads all {said['objects_read']} objects back and verifies {said['ledger_entries']} entries in {took:.1f} s",
          said["objects_read"] == said["names"] > 0 and not said["wrong"] and said["ledger_entries"] > said["entries"], said)
    print("     " + ", ".join(f"{step['step']} {step['milliseconds']} ms" for step in said["steps"]))
    few = home.cli("backup", "drill", "--from", str(folder), *shares(home)[:2], check=False)
    check("one share is too few, and nothing is written", "nothing was written" in few.get("message", ""), few)


def ledger_continues(cloud, taken, restored, folder):
    cloud.cli("ledger", "publish")
    signed = next(folder.glob("0*/papers/ledger/checkpoint"))
    said = cloud.cli("ledger", "verify", "--earlier", str(signed))
    check(f"the ledger's first {taken['signed_entries']} entries are those that were signed before", said, said)
    first = next(e for e in cloud.entries(taken["entries"] - 1) if e["index"] == taken["entries"])
    check("the first entry says from what it was restored",
          first.get("operation") == "Restore" and restored["root"] and "restored from the backup" in first.get("reason", ""), first)


def onto_servers(home, folder, backup, taken, promises, server):
    """The cloud moves onto PostgreSQL while the old node still runs."""
    place = new_place(folder / "moved", home, [server])
    strange = clouds.Cloud(folder / "strange")
    strange.data.mkdir(mode=0o700)
    said = strange.cli("restore", "--from", str(backup), *shares(home), check=False)
    check("without the parties' folders of the old cloud it is refused", "--new-witnesses" in said.get("message", "") and not list(strange.data.glob("site-*")), said)
    took = time.monotonic()
    restored = place.cli("restore", "--from", str(backup), *shares(home), "--catalog-owner", "registry_owner")
    took = time.monotonic() - took
    check(f"it is restored onto PostgreSQL in {took:.1f} s, in epoch {restored['epoch']}", restored["engine"] == "postgres" and restored["rows"] == taken["rows"], restored)
    print("     " + ", ".join(f"{step['step']} {step['milliseconds']} ms" for step in restored["steps"]))
    try:
        code = home.process.wait(30)
        check("the old node ends by itself", code != 0 and "restored elsewhere" in home.last_words(), home.last_words())
    except subprocess.TimeoutExpired:
        check("the old node ends by itself", False, "it still runs after 30 s")
    home.kill()
    said = home.refuses_to_start()
    check("and does not start again", "older than the witnesses" in said, said)
    open_with_old_credentials(place, home)
    judge(place, promises, "on PostgreSQL")
    ledger_continues(place, taken, restored, backup)
    check("no catalog lies in the sites' folders", not list(place.data.glob("site-*/catalog")))
    said = place.cli("restore", "--from", str(backup), *shares(home), check=False)
    check("a place that holds a cloud is refused", "not empty" in said.get("message", ""), said)
    return place


def back_into_folders(home, folder, moved, promises):
    """And back, from a backup that was taken under load; the restore is killed in between."""
    backup = folder / "second"
    with under_load(moved, promises, "there", writers=3):
        wait_acknowledged(promises, 40)
        moved.cli("backup", "--to", str(backup))
        wait_acknowledged(promises, 10)
    said = moved.cli("backup", "verify", str(backup))
    check("a backup of a cloud on PostgreSQL, taken under load, verifies", said["wrong_chunks"] == 0, said)
    moved.cli("ledger", "publish")
    taken = moved.cli("backup", "--to", str(backup))
    place = new_place(folder / "back", home)
    process = begun(place, "restore", "--from", backup, *shares(home))
    time.sleep(0.25)
    process.kill()
    process.wait()
    if (place.data / "site-a" / "restoring").exists():
        said = place.refuses_to_start()
        check("killed in between: no node starts on what it left", "restoring" in said, said)
    restored = place.cli("restore", "--from", str(backup), *shares(home))
    check(f"given again it is restored into folders, in epoch {restored['epoch']}", restored["engine"] == "embedded" and restored["rows"] == taken["rows"], restored)
    moved.kill()
    said = moved.refuses_to_start()
    check("the cloud on PostgreSQL does not start again", "older than the witnesses" in said, said)
    open_with_old_credentials(place, home)
    judge(place, promises, "back in folders")
    ledger_continues(place, taken, restored, backup)
    with under_load(place, promises, "at home", writers=2):
        took = wait_acknowledged(promises, 20)
    check("it takes writes", took is not None, "20 acts in 60 s were not reached")
    judge(place, promises, "at the end")
    report = place.cli("scrub")
    check("a scrub finds both sites whole", losses.clean(report), report)
    said = place.cli("doctor", check=False)
    check("the doctor finds nothing wrong", said.get("bad") == 0, said)
    return place


def main():
    folder = Path(tempfile.mkdtemp(prefix="clarence-backup-", dir="/tmp"))
    folder.chmod(0o755)
    servers = folder / "servers"
    servers.mkdir()
    home, promises = clouds.Cloud(folder / "home"), load.Promises()
    server, running = Server(servers, "one"), [home]
    try:
        server.make()
        home.up()
        load.client(home).create_bucket(Bucket=load.BUCKET)
        backup = folder / "first"
        under_way(home, promises, backup)
        taken = sealed_and_newer(home, backup)
        damage(home, backup)
        rehearsed(home, backup)
        moved = onto_servers(home, folder, backup, taken, promises, server)
        running.append(moved)
        running.append(back_into_folders(home, folder, moved, promises))
    except clouds.CloudError as error:
        check("the cloud did what it was asked", False, f"{error}\n--- the node's last words\n{running[-1].last_words(30)}")
    finally:
        for cloud in running:
            cloud.kill()
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
    failed = losses.results.count(False)
    print(f"{len(losses.results)} checks, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
