"""One million objects: how fast they are made, how fast they are listed, and what the node then needs.

Puts the keys through many connections in blocks, counts them by listing all of them, restarts the node for
the cold listing, then runs the ordinary load against the full store and reads the highest memory use.
"""

import http.client
import os
import random
import time
from urllib.parse import urlsplit
from xml.etree import ElementTree

import compare
import load
import machine
import stores as running
from stores import BUCKET

OBJECT_BYTES = 1024
BLOCK = 50_000
PAGE = 1000
CONNECTIONS = 64


def name(index):
    """Names that sort by index and have a folder-like part, 1,000 to a folder."""
    return f"reg/{index // 1000:05d}/{index % 1000:03d}.json"


class Listing:
    """One run against Clarence; `results` and `errors` fill as it goes."""

    def __init__(self, binary, folder, keys, plan, say):
        self.binary = binary
        self.folder = folder
        self.keys = keys
        self.plan = plan
        self.say = say
        self.results = {"keys": keys, "object_bytes": OBJECT_BYTES, "memory": {}}
        self.errors = []
        self.store = None

    def run(self):
        """Everything in order; the caller stops `self.store`."""
        data = self.folder / "clarence"
        self.store = running.start_clarence(self.binary, data)
        self._memory("before")
        if not self._fill():
            return
        self._memory("filled")
        self._quiet("after filling")
        self._list_all("all_after_filling")
        self._pages("warm")
        self._memory("listed")
        self.store.stop()
        self._forget_pages(data)
        started = time.monotonic()
        self.store = running.start_clarence(self.binary, data)
        self.results["restart_seconds"] = round(time.monotonic() - started, 2)
        self._pages("cold_first", 1)
        self._list_all("all_after_restart")
        self._load()

    def _fill(self):
        body = self.folder / "body"
        body.write_bytes(random.randbytes(OBJECT_BYTES))
        requests, seconds, p99, slowest = 0, 0.0, [], None
        for first in range(0, self.keys, BLOCK):
            last = min(self.keys, first + BLOCK)
            paths = (f"/{BUCKET}/{name(index)}" for index in range(first, last))
            targets = self.folder / "requests"
            with targets.open("w") as out:
                out.writelines(line + "\n" for line in self.store.signer.many("PUT", paths))
            result = load.wrk_run(load.WrkJob(
                self.store.endpoint, "PUT", targets, OBJECT_BYTES, body, 600, CONNECTIONS,
                check=True, once=True,
            ))
            self.errors += [f"filling {first} to {last}: {error}" for error in result.errors]
            if self.errors:
                return False
            requests, seconds = requests + result.requests, seconds + result.seconds
            p99.append(result.p99_ms)
            slowest = min(slowest or result.per_second, result.per_second)
            memory = machine.memory_mib(self.store.pid)
            self.say(f"  {last:>9,} keys   {result.per_second:>7.0f} /s   p99 {result.p99_ms:.1f} ms"
                     f"   memory {memory['rss_mib']:.0f} MiB")
        self.results["fill"] = {
            "per_second": round(requests / seconds, 1), "slowest_block_per_second": round(slowest, 1),
            "p99_ms_worst_block": round(max(p99), 2),
        }
        return True

    def _quiet(self, when):
        waited, quiet = machine.settle([self.store.pid], 120)
        self.results.setdefault("settle_seconds", {})[when] = waited
        if not quiet:
            self.say(f"  the node was still busy {waited} s {when}")

    def _list_all(self, field):
        """Lists everything by continuation and demands each key once and in order."""
        connection = http.client.HTTPConnection(urlsplit(self.store.endpoint).netloc, timeout=60)
        expected = iter(range(self.keys))
        waiting, count, token, latencies = 0.0, 0, None, []
        while True:
            query = [("list-type", "2"), ("max-keys", str(PAGE)), ("prefix", "reg/")]
            if token:
                query.append(("continuation-token", token))
            seconds, keys, token = self._page(connection, query)
            waiting += seconds
            latencies.append(seconds * 1e3)
            count += len(keys)
            wrong = next((key for key in keys if key != name(next(expected, -1))), None)
            if wrong is not None:
                self.errors.append(f"listing: {wrong} is not the key that follows")
                break
            if not token:
                break
        connection.close()
        if count != self.keys and not self.errors:
            self.errors.append(f"listing found {count} of {self.keys} keys")
        latencies.sort()
        self.results[field] = {
            "keys": count, "keys_per_second": round(count / waiting) if waiting else 0,
            "page_p50_ms": round(load.percentile(latencies, 50), 2),
            "page_p99_ms": round(load.percentile(latencies, 99), 2),
        }
        self.say(f"  {field}: {self.results[field]}")

    def _pages(self, field, count=300):
        """Pages of 1,000 from random places."""
        connection = http.client.HTTPConnection(urlsplit(self.store.endpoint).netloc, timeout=60)
        latencies = []
        for _ in range(count):
            after = random.randrange(max(1, self.keys - PAGE - 1))
            query = [("list-type", "2"), ("max-keys", str(PAGE)), ("start-after", name(after))]
            seconds, keys, _ = self._page(connection, query)
            latencies.append(seconds * 1e3)
            asked = min(PAGE, self.keys - after - 1)
            if keys[:asked] != [name(index) for index in range(after + 1, after + 1 + asked)]:
                self.errors.append(f"a page after {name(after)} holds other keys than it should")
                break
        connection.close()
        latencies.sort()
        self.results[field] = {
            "pages": len(latencies), "p50_ms": round(load.percentile(latencies, 50), 2),
            "p99_ms": round(load.percentile(latencies, 99), 2), "max_ms": round(latencies[-1], 2),
        }
        self.say(f"  {field}: {self.results[field]}")

    def _page(self, connection, query):
        target = self.store.signer.one("GET", f"/{BUCKET}", query)
        started = time.monotonic()
        status, answer = load.exchange(connection, "GET", target)
        seconds = time.monotonic() - started
        if status != 200:
            self.errors.append(f"listing answered {status}: {answer[:300]!r}")
            return seconds, [], None
        tree = ElementTree.fromstring(answer)
        space = tree.tag.partition("}")[0] + "}" if tree.tag.startswith("{") else ""
        keys = [found.text for found in tree.iter(space + "Key")]
        return seconds, keys, tree.findtext(space + "NextContinuationToken")

    def _forget_pages(self, data):
        """Drops what the kernel keeps of the node's files, and of nobody else's."""
        os.sync()
        for path in data.rglob("*"):
            if path.is_file():
                file = os.open(path, os.O_RDONLY)
                try:
                    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                finally:
                    os.close(file)

    def _load(self):
        """The ordinary load on top of the million, for the memory it takes."""
        plan = compare.Plan(
            1, self.plan.seconds, self.plan.warm_seconds, self.plan.settle_seconds,
            self.plan.large_uploads, self.plan.seeds,
        )
        under = compare.Comparison([self.store], self.folder, plan, self.say)
        under.run()
        self.errors += under.errors
        self.results["load"] = {
            case: {n: [r.as_json() for r in runs] for n, runs in by_store.items()}
            for case, by_store in under.results.items()
        }
        self._memory("under_load")

    def _memory(self, when):
        self.results["memory"][when] = machine.memory_mib(self.store.pid)
        self.say(f"  memory {when}: {self.results['memory'][when]}")
