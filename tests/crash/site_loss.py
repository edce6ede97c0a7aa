#!/usr/bin/env python3
"""Takes sites away while clients write, and brings them back, as an operator or an accident does: by moving the
folder. Checks that work goes on, that the state is told, that the folder heals, that either folder alone brings
everything back, and that a site that is behind never passes for current.

    CLARENCE_BIN=… tests/crash/site_loss.py
"""

import contextlib
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cloud as clouds  # noqa: E402
import load  # noqa: E402

results = []


def check(what, fine, why=""):
    results.append(bool(fine))
    print(f"{'ok  ' if fine else 'FAIL'} {what}{'' if fine else f': {why}'}", flush=True)


@contextlib.contextmanager
def under_load(cloud, promises, seed, writers=4):
    """Writers run while the block does."""
    stop = threading.Event()
    running = [load.Writer(cloud, promises, w, f"{seed}-{w}", stop, large=w == 0) for w in range(writers)]
    for writer in running:
        writer.start()
    try:
        yield running
    finally:
        stop.set()
        for writer in running:
            writer.join(60)


def wait_acknowledged(promises, more, seconds=60):
    """Waits until so many more acts were acknowledged; gives the seconds, or None."""
    goal, begun = promises.acknowledged + more, time.monotonic()
    while promises.acknowledged < goal:
        if time.monotonic() - begun > seconds:
            return None
        time.sleep(0.05)
    return time.monotonic() - begun


def away(cloud, letter):
    (cloud.data / f"site-{letter}").rename(cloud.data / f"taken-{letter}")


def back(cloud, letter):
    here = cloud.data / f"site-{letter}"
    if here.exists():
        raise clouds.CloudError(f"{here} was made again although it had been taken away")
    (cloud.data / f"taken-{letter}").rename(here)


def judge(cloud, promises, when):
    wrong, seen = load.judge(cloud, promises, everything=True)
    check(f"{when}: {seen} keys hold what was promised", not wrong, "; ".join(wrong[:5]))


def away_and_back(cloud, promises, letter):
    """One site goes under load, work goes on, it comes back and heals."""
    other = "b" if letter == "a" else "a"
    with under_load(cloud, promises, f"away-{letter}") as writers:
        wait_acknowledged(promises, 30)
        away(cloud, letter)
        took = wait_acknowledged(promises, 60)
        check(f"site-{letter} is taken away under load: writes go on", took is not None, "60 acts in 60 s were not reached")
        with contextlib.suppress(clouds.CloudError):
            cloud.wait_site(letter, "away", 30)
        check(f"status says that site-{letter} is away", cloud.site(letter)["state"] == "away", cloud.site(letter))
        check(f"status says that site-{other} serves", cloud.site(other)["state"] == "serving", cloud.site(other))
        owed = cloud.site(letter)
        back(cloud, letter)
        took = cloud.wait_site(letter, "serving", 180)
        check(f"site-{letter} is back under load and healed after {took:.1f} s", True)
    print(f"     longest time without an acknowledgement {max(w.longest_gap for w in writers):.1f} s; owed while away: "
          f"{owed.get('owed_chunks')} chunks, {owed.get('owed_bytes')} bytes")
    judge(cloud, promises, f"after site-{letter} healed")
    report = cloud.cli("scrub")
    check(f"a scrub finds nothing to mend after site-{letter} healed", clean(report), report)


def clean(report):
    """A scrub that read everything at both sites and found no difference."""
    chunks = report["chunks"]
    return len(report["sites"]) == 2 and chunks["bad"] == 0 and chunks["unreachable"] == 0 and all(rows.get("wrong", 0) == 0 for rows in report["catalog"].values())


def alone(cloud, promises, letter):
    """The node is started with one folder only: everything is there."""
    other = "b" if letter == "a" else "a"
    cloud.stop()
    away(cloud, other)
    cloud.up()
    judge(cloud, promises, f"site-{letter} alone")
    with under_load(cloud, promises, f"alone-{letter}", writers=2):
        took = wait_acknowledged(promises, 20)
    check(f"site-{letter} alone takes writes", took is not None, "20 acts in 60 s were not reached")
    back(cloud, other)
    cloud.wait_site(other, "serving", 180)
    judge(cloud, promises, f"site-{other} is back")


def replaced(cloud, promises, letter):
    """The folder is lost for good and an empty one takes its place: only when an operator says so."""
    other = "b" if letter == "a" else "a"
    away(cloud, letter)
    cloud.wait_site(letter, "away", 30)
    shutil.rmtree(cloud.data / f"taken-{letter}")
    folder = cloud.data / f"site-{letter}"
    folder.mkdir(mode=0o700)
    time.sleep(4)
    check("an empty folder is not taken into use by itself", not any(folder.iterdir()) and cloud.site(letter)["state"] == "away", cloud.site(letter))
    stray = folder / "somebody's file"
    stray.write_text("kept")
    error = cloud.cli("heal", "--site", letter, "--new-folder", check=False)
    check("a folder that holds something is refused and kept", error.get("type") == "conflict" and stray.read_text() == "kept", error)
    stray.unlink()
    with under_load(cloud, promises, f"replaced-{letter}", writers=2):
        cloud.cli("heal", "--site", letter, "--new-folder")
        cloud.wait_site(letter, "serving", 180)
    cloud.cli("ledger", "publish")
    cloud.stop()
    away(cloud, other)
    cloud.up()
    judge(cloud, promises, f"the new folder of site-{letter} alone")
    back(cloud, other)
    cloud.wait_site(other, "serving", 180)


def trap(cloud, promises):
    """B away, writes on A, A lost, B back: B must not bring old data to life."""
    away(cloud, "b")
    with under_load(cloud, promises, "trap", writers=2):
        wait_acknowledged(promises, 30)
    cloud.wait_site("b", "away", 30)
    cloud.stop()
    away(cloud, "a")
    back(cloud, "b")
    said = cloud.refuses_to_start()
    check("B, which is behind, refuses to start alone", "panicked" not in said, said)
    check("it names what it lacks", "site-b" in said and ("behind" in said or "lack" in said), said)
    print("     " + " ".join(line for line in said.splitlines() if not line.startswith("---"))[:600])
    first = cloud.shares()[0]
    error = cloud.cli("accept-loss", "--site", "b", "--share", str(first), check=False)
    check("one share is not enough to accept the loss", isinstance(error, dict) and "message" in error, error)
    check("nothing was accepted", "panicked" not in cloud.refuses_to_start())
    back(cloud, "a")
    cloud.up()
    cloud.wait_site("b", "serving", 180)
    judge(cloud, promises, "A is found again")


def loss(cloud):
    """A is really lost: the quorum accepts it, and B serves what it has."""
    s3 = load.client(cloud)
    s3.put_object(Bucket=load.BUCKET, Key="known-to-both", Body=b"1", Metadata={"note": load.CANARY})
    away(cloud, "b")
    cloud.wait_site("b", "away", 30)
    s3.put_object(Bucket=load.BUCKET, Key="known-to-a", Body=b"2", Metadata={"note": load.CANARY})
    cloud.stop()
    away(cloud, "a")
    back(cloud, "b")
    cloud.refuses_to_start()
    shares = [word for share in cloud.shares()[:2] for word in ("--share", str(share))]
    cloud.cli("accept-loss", "--site", "b", *shares)
    cloud.up()
    s3 = load.client(cloud)
    check("after the quorum accepted the loss B serves what it has", load.read(s3, "known-to-both") == load.digest(b"1"), load.read(s3, "known-to-both"))
    check("what only A had is gone", load.read(s3, "known-to-a") == load.MISSING, load.read(s3, "known-to-a"))
    kinds = [entry.get("kind") for entry in cloud.entries()]
    check("the accepted loss stands in the ledger", "accept-loss" in kinds, kinds[-12:])


def main():
    with tempfile.TemporaryDirectory(prefix="clarence-sites-") as temporary:
        cloud = clouds.Cloud(temporary)
        promises = load.Promises()
        try:
            cloud.up()
            load.client(cloud).create_bucket(Bucket=load.BUCKET)
            away_and_back(cloud, promises, "b")
            away_and_back(cloud, promises, "a")
            alone(cloud, promises, "a")
            alone(cloud, promises, "b")
            replaced(cloud, promises, "b")
            trap(cloud, promises)
            wrong, entries = load.judge_ledger(cloud, promises)
            check(f"every act has its entry among {entries}", not wrong, "; ".join(wrong[:5]))
            cloud.cli("ledger", "publish")
            verified = load.judge_log(cloud)
            check("the published log is whole", verified, verified)
            clear = load.judge_clear(cloud)
            check("nothing stands in clear on any disk", not clear, clear[:3])
            loss(cloud)
            cloud.stop()
        except clouds.CloudError as error:
            check("the cloud did what it was asked", False, f"{error}\n--- the node's last words\n{cloud.last_words(30)}")
        finally:
            cloud.kill()
    print(f"site loss: {results.count(True)} passed, {results.count(False)} failed")
    return 1 if results.count(False) else 0


if __name__ == "__main__":
    sys.exit(main())
