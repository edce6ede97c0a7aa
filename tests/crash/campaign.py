#!/usr/bin/env python3
"""Kills the node with SIGKILL at random moments under load, starts it again, and checks each time: no
acknowledged write is lost, no object is torn, the listing fits, every act has its ledger entry, and nothing
stands in clear on any disk.

    CLARENCE_BIN=… tests/crash/campaign.py --rounds 10 [--seed 1]
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cloud as clouds  # noqa: E402
import load  # noqa: E402

WRITERS = 6


def one_round(cloud, promises, chance, number):
    """Load, kill, restart, judge. Gives what is wrong."""
    stop = threading.Event()
    writers = [load.Writer(cloud, promises, w, f"{number}-{w}", stop) for w in range(WRITERS)]
    for writer in writers:
        writer.start()
    time.sleep(chance.uniform(0.2, 3.0))
    if chance.random() < 0.3:
        # The door alone: it must come back by itself, and nothing may be lost with it.
        cloud.kill_part("door")
        time.sleep(chance.uniform(0.2, 1.0))
    if chance.random() < 0.4:
        cloud.kill_part("vault")
    else:
        cloud.kill()
    stop.set()
    for writer in writers:
        writer.join(60)
    if chance.random() < 0.25:
        # A second blow while it gets up.
        cloud.up(wait=False)
        time.sleep(chance.uniform(0.0, 0.6))
        cloud.kill()
    begun = time.monotonic()
    cloud.up()
    back = time.monotonic() - begun
    wrong, seen = load.judge(cloud, promises)
    wrong += load.judge_clear(cloud)
    return wrong, seen, back


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", type=Path, help="leave the cloud in this folder")
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    print(f"seed {asked.seed}, {asked.rounds} rounds")
    with tempfile.TemporaryDirectory(prefix="clarence-crash-") as temporary:
        cloud = clouds.Cloud(asked.keep or temporary)
        failures = []
        try:
            cloud.up()
            load.client(cloud).create_bucket(Bucket=load.BUCKET)
            promises = load.Promises()
            for number in range(1, asked.rounds + 1):
                wrong, seen, back = one_round(cloud, promises, chance, number)
                print(f"round {number:3}: {promises.acknowledged} acknowledged so far, {promises.unanswered} without an answer, "
                      f"{seen} keys compared, serving again after {back:.1f} s{'' if not wrong else f', {len(wrong)} WRONG'}", flush=True)
                failures += [f"round {number}: {text}" for text in wrong]
                if len(failures) > 20:
                    break
            failures += load.judge(cloud, promises, everything=True)[0]
            wrong, entries = load.judge_ledger(cloud, promises)
            failures += wrong
            secret = cloud.connect()["secret_key"]
            cloud.stop()
            verified = load.judge_log(cloud)
            failures += load.judge_clear(cloud, [secret])
            print(f"{entries} ledger entries; the published log is whole at both sites: {verified}")
            print(f"refused while load ran: {dict(promises.refused)}; {load.disk_use(cloud)} MiB on disk")
        except clouds.CloudError as error:
            failures.append(str(error))
            print("--- the node's last words\n" + cloud.last_words(30))
        finally:
            cloud.kill()
    for text in failures[:30]:
        print("WRONG", text)
    if promises.acknowledged < asked.rounds * 5:
        failures.append("hardly anything was written; this proves nothing")
        print("WRONG", failures[-1])
    print(f"crash campaign: {asked.rounds} rounds, {promises.acknowledged} acknowledged acts, {len(failures)} wrong")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
