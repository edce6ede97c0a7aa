#!/usr/bin/env python3
"""A tenant cannot tell by an answer, nor by the time it takes, whether a name exists at another tenant.

    CLARENCE_BIN=… tests/tenants_timing.py              the answers are the same, apart from name, date and request id
    CLARENCE_BIN=… tests/tenants_timing.py --long       and so are the times: some minutes on a quiet machine

One tenant asks for buckets and objects that the other has, and for some that nobody has, drawn from the same pool of
names. The times are taken on one connection in random order. The unit of the comparison is a name, with the lower quartile
of its times: a name may be slow for a reason of its own, and many times of one name are then no evidence. Two classes of
names of nobody go along: one is delayed by the client, which the test has to find, and one is not, which it may not.
"""

import argparse
import concurrent.futures
import contextlib
import gc
import math
import os
import random
import re
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "clients"))
sys.path.insert(0, str(HERE))

import boto3  # noqa: E402
import botocore.config  # noqa: E402
import cloud as clouds  # noqa: E402
from sigv4 import Signer  # noqa: E402

COMMON = "common"
THEIRS, NOBODYS, CONTROL, DELAYED = "theirs", "nobody's", "nobody's too", "nobody's, delayed"
DELAY_SECONDS = 20e-6
# Of a normal distribution: in six comparisons without a difference, three in a million exceed it.
Z_MAX = 5.0
# How often each name is asked for before a look at the delayed class, and at most.
ROUNDS, ROUNDS_MAX = 40, 200

# What is asked with a name: method, path and query. A bucket's name and an object's are of one length.
OF_BUCKETS = {
    "HEAD bucket": ("HEAD", "/{}", ""),
    "list the bucket": ("GET", "/{}", "list-type=2"),
    "GET object in the bucket": ("GET", "/{}/object", ""),
}
OF_OBJECTS = {
    "HEAD object": ("HEAD", f"/{COMMON}/{{}}", ""),
    "GET object": ("GET", f"/{COMMON}/{{}}", ""),
    "list by prefix": ("GET", f"/{COMMON}", "list-type=2&prefix={}"),
}
# Asked once for each name, for the answer alone.
ONCE = {
    "the bucket's policy": ("GET", "/{}", "policy"),
    "its place": ("GET", "/{}", "location"),
    "its uploads": ("GET", "/{}", "uploads"),
    "an upload's parts": ("GET", "/{}/object", "uploadId=" + "0" * 32),
    "a new object in it": ("PUT", "/{}/object", ""),
    "its end": ("DELETE", "/{}", ""),
    "making it": ("PUT", "/{}", ""),
}


class Line:
    """One connection that is kept, and one tenant's signature on what goes over it."""

    def __init__(self, credential):
        self.signer = Signer(credential["endpoint"], credential["region"], credential["access_key"], credential["secret_key"])
        self.door, self.opened = None, 0

    def ask(self, question, name, delay=0.0):
        """Seconds until the whole answer was there, and the answer: status line, headers, body."""
        method, path, query = question
        head, _ = self.signer.head(method, path.format(name), query.format(name))
        if self.door is None:
            self.door = self.signer.connect()
            self.door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.opened += 1
        begun = time.perf_counter()
        while time.perf_counter() - begun < delay:
            pass
        self.door.sendall(head)
        data = self.door.recv(65536)
        while not (whole := complete(data, method)):
            piece = self.door.recv(65536)
            assert piece, data
            data += piece
        took = time.perf_counter() - begun
        if whole[1].get("connection") == "close":
            self.door.close()
            self.door = None
        return took, whole


def complete(data, method):
    """Status line, headers and body of an answer, once all of it is there."""
    if b"\r\n\r\n" not in data:
        return None
    head, body = data.split(b"\r\n\r\n", 1)
    first, *lines = head.decode().split("\r\n")
    headers = {key.lower(): value for key, value in (line.split(": ", 1) for line in lines)}
    expected = 0 if method == "HEAD" else int(headers.get("content-length", 0))
    assert "transfer-encoding" not in headers and len(body) <= expected, data
    return (first, headers, body.decode()) if len(body) == expected else None


def without_name(answer, name):
    """An answer without what may differ: the name that was asked for, the date and the request's id."""
    first, headers, body = answer
    ids = {headers.get("x-amz-request-id"), headers.get("x-amz-id-2")} - {None}
    kept = {key: value.replace(name, "NAME") for key, value in headers.items() if key not in ("date", "x-amz-request-id", "x-amz-id-2")}
    for one in ids:
        body = body.replace(one, "ID")
    return first, tuple(sorted(kept.items())), tuple(headers), body.replace(name, "NAME")


# --- two tenants -------------------------------------------------------------------------------------------
def draw(chance, count):
    """Names for the four classes, all of one length and from one pool."""
    pool = set()
    while len(pool) < 4 * count:
        pool.add(f"n{chance.getrandbits(60):015x}")
    pool = sorted(pool)
    chance.shuffle(pool)
    return {sort: pool[at * count:(at + 1) * count] for at, sort in enumerate((THEIRS, NOBODYS, CONTROL, DELAYED))}


def furnish(first, second, buckets, objects):
    """Both have the bucket COMMON with objects in it; the second has buckets and objects of its own names besides."""
    def client(credential):
        config = botocore.config.Config(s3={"addressing_style": "path"}, max_pool_connections=8)
        return boto3.client("s3", endpoint_url=credential["endpoint"], region_name=credential["region"], aws_access_key_id=credential["access_key"],
                            aws_secret_access_key=credential["secret_key"], config=config)

    mine, theirs = client(first), client(second)
    place = {"LocationConstraint": first["region"]}
    for s3 in (mine, theirs):
        s3.create_bucket(Bucket=COMMON, CreateBucketConfiguration=place)
        for number in range(5):
            s3.put_object(Bucket=COMMON, Key=f"own-{number}", Body=b"x")

    def bucket(name):
        theirs.create_bucket(Bucket=name, CreateBucketConfiguration=place)
        theirs.put_object(Bucket=name, Key="object", Body=name.encode())

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(bucket, buckets[THEIRS]))
        list(pool.map(lambda name: theirs.put_object(Bucket=COMMON, Key=name, Body=name.encode()), objects[THEIRS]))


def sees(second, buckets, objects):
    """The second tenant finds all of its own: what is compared is there, and lately read."""
    line = Line(second)
    for what, question in (OF_BUCKETS | OF_OBJECTS).items():
        for name in (buckets if what in OF_BUCKETS else objects)[THEIRS]:
            first, _, body = line.ask(question, name)[1]
            assert first.startswith("HTTP/1.1 200"), (what, first, body)
    assert line.opened == 1


# --- answers -----------------------------------------------------------------------------------------------
def same_answers(first, buckets, objects):
    """Each question is answered alike for every name, whosever it is."""
    line = Line(first)
    for what, question in (OF_BUCKETS | OF_OBJECTS | ONCE).items():
        names = objects if what in OF_OBJECTS else buckets
        answers = {sort: {without_name(line.ask(question, name)[1], name) for name in names[sort]} for sort in (THEIRS, NOBODYS)}
        assert len(answers[THEIRS] | answers[NOBODYS]) == 1, (what, answers)
        status = next(iter(answers[THEIRS]))[0].split(" ", 1)[1]
        body = next(iter(answers[THEIRS]))[3]
        code = re.search(r"<Code>(\w+)</Code>", body)
        print(f"  alike  {what}: {status}{', ' + code.group(1) if code else ''}", flush=True)
        expected = "200" if what in ("list by prefix", "making it") else "404"
        assert status.startswith(expected), (what, status, body)
    assert line.opened == 1, line.opened


# --- times -------------------------------------------------------------------------------------------------
def rank_test(one, other):
    """Mann and Whitney's test: z of the normal approximation, and how often a value of `one` is above one of `other`."""
    values = sorted([(value, True) for value in one] + [(value, False) for value in other])
    ranks, ties, at = 0.0, 0, 0
    while at < len(values):
        end = at
        while end < len(values) and values[end][0] == values[at][0]:
            end += 1
        ranks += sum(mine for _, mine in values[at:end]) * (at + 1 + end) / 2
        ties += (end - at) ** 3 - (end - at)
        at = end
    n, m = len(one), len(other)
    above = ranks - n * (n + 1) / 2
    spread = math.sqrt(n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1))))
    return (above - n * m / 2) / spread, above / (n * m)


def ask_all(line, question, times, rounds, chance):
    """Adds to the times of each name, in an order that is drawn anew for each round."""
    order = list(times)
    for _ in range(rounds):
        chance.shuffle(order)
        for key in order:
            times[key].append(line.ask(question, key[1], DELAY_SECONDS if key[0] == DELAYED else 0.0)[0] * 1e6)


def measured(line, question, names, chance):
    """For each class the lower quartile of each name's times, in microseconds; and how many requests it took.

    On a busy machine more is asked, until the delay is found by comparing it with a class that nothing else is
    compared with."""
    times = {(sort, name): [] for sort, of in names.items() for name in of}
    # For caches: what is looked for is what can be asked again and again.
    ask_all(line, question, {key: [] for key in times}, 2, chance)
    for asked in range(ROUNDS, ROUNDS_MAX + 1, ROUNDS):
        ask_all(line, question, times, ROUNDS, chance)
        found = {sort: [statistics.quantiles(times[sort, name], n=4)[0] for name in of] for sort, of in names.items()}
        if rank_test(found[DELAYED], found[CONTROL])[0] > Z_MAX + 1:
            break
    return found, asked * len(times)


def smallest_seen(found):
    """The smallest delay of all names of one class that would be found."""
    for delay in (0.5, 1, 2, 3, 5, 7, 10, 15, 20):
        if rank_test([value + delay for value in found[CONTROL]], found[NOBODYS])[0] > Z_MAX:
            return f"{delay} µs"
    return "more than 20 µs"


def same_times(first, buckets, objects, chance):
    """The rank test for each question; a difference, or a delay that is not found, is an error at the end."""
    line, wrong = Line(first), []
    print(f"\n  {'':25} {'requests':>8} {'quartile':>9} {'differ by':>9} {'z':>6} {'above':>6}   {'control z':>9} {'delayed z':>9}  found from")
    gc.disable()
    for what, question in (OF_BUCKETS | OF_OBJECTS).items():
        found, requests = measured(line, question, buckets if what in OF_BUCKETS else objects, chance)
        z, above = rank_test(found[THEIRS], found[NOBODYS])
        control, delayed = rank_test(found[CONTROL], found[NOBODYS])[0], rank_test(found[DELAYED], found[CONTROL])[0]
        middle = {sort: statistics.median(of) for sort, of in found.items()}
        print(f"  {what:25} {requests:8} {middle[NOBODYS]:6.1f} µs {middle[THEIRS] - middle[NOBODYS]:+6.2f} µs {z:+6.2f} {above:6.3f}   "
              f"{control:+9.2f} {delayed:+9.2f}  {smallest_seen(found)}", flush=True)
        if abs(z) > Z_MAX:
            wrong.append(f"{what}: the time tells whether another tenant has the name (z {z:+.2f})")
        if abs(control) > Z_MAX:
            wrong.append(f"{what}: two classes of names of nobody differ (z {control:+.2f}): the measurement is at fault")
        if delayed < Z_MAX:
            wrong.append(f"{what}: a delay of 20 µs was not found (z {delayed:+.2f}): this machine is too busy to say anything")
    gc.enable()
    assert not wrong, "; ".join(wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="compare the times too")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32), help="of names and order [default: drawn]")
    asked = parser.parse_args()
    print(f"seed {asked.seed}")
    chance = random.Random(asked.seed)
    # In memory a sync costs nothing. On a disk it takes a hundred times as long as what is looked for, and hides it.
    memory = "/dev/shm"
    if asked.long:
        # Before whatever else runs on this machine, the node too; as root only.
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, -15)
    buckets, objects = (draw(chance, count if asked.long else 12) for count in (100, 150))
    with tempfile.TemporaryDirectory(prefix="clarence-tenants-", dir=memory if os.access(memory, os.W_OK) else None) as temporary:
        cloud = clouds.Cloud(Path(temporary))
        try:
            cloud.up()
            first, second = cloud.connect(), {**cloud.connect(), **cloud.tenant("second")}
            furnish(first, second, buckets, objects)
            sees(second, buckets, objects)
            if asked.long:
                same_times(first, buckets, objects, chance)
            same_answers(first, buckets, objects)
            cloud.stop()
        except BaseException:
            print("--- the node's last words\n" + cloud.last_words(25))
            raise
        finally:
            cloud.kill()
    print("a tenant is told nothing of another's names")


if __name__ == "__main__":
    main()
