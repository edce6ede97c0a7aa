"""The comparison: the same requests against each store in turn, round after round, in one run.

Stores are interleaved (ours, peer, ours, peer, ...) because a shared machine drifts: what counts is the
ratio within one round, and the median of those.
"""

import os
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import load
import machine
import plain_two_copies
import stores as running
from stores import BUCKET

KIB = 1024
MIB = 1024 * 1024
DISK = "disk, two copies"


@dataclass(frozen=True)
class Case:
    """One row of the comparison."""

    name: str
    method: str
    size: int
    connections: int

    @property
    def key(self):
        """Beginning of the names of its objects."""
        return f"{self.size // KIB}k"


CASES = (
    Case("PUT 4 KiB", "PUT", 4 * KIB, 64),
    Case("GET 4 KiB", "GET", 4 * KIB, 64),
    Case("GET 1 MiB", "GET", MIB, 64),
    Case("PUT 16 MiB", "PUT", 16 * MIB, 16),
    Case("GET 16 MiB", "GET", 16 * MIB, 16),
)


@dataclass
class Plan:
    """How long and how much."""

    rounds: int = 3
    seconds: int = 10
    warm_seconds: int = 2
    settle_seconds: int = 15
    large_uploads: int = 64
    seeds: dict = field(default_factory=lambda: {4 * KIB: 10_000, MIB: 128, 16 * MIB: 16})


QUICK = Plan(3, 2, 1, 1, 24, {4 * KIB: 1_000, MIB: 48, 16 * MIB: 16})


class Comparison:
    """One run over the given stores; results by case and store, one `Result` per round."""

    def __init__(self, stores, folder, plan, say):
        self.stores = stores
        self.folder = Path(folder)
        self.plan = plan
        self.say = say
        self.results = {}
        self.rates = {}
        self.bodies = {}
        self.errors = []

    def run(self, cases=CASES):
        """Runs the cases; stops at the first one in which a request failed."""
        for case in cases:
            self._prepare(case)
            for number in range(1, self.plan.rounds + 1):
                for store in self.stores:
                    self._one(case, store, number)
                if case.name == "PUT 16 MiB":
                    self._disk(case, number)
            if self.errors:
                break
        return self.results

    def body(self, size):
        """A file of random bytes: nothing that a store could compress or find twice in one object."""
        if size not in self.bodies:
            path = self.folder / f"body-{size}"
            path.write_bytes(os.urandom(size))
            self.bodies[size] = path
        return self.bodies[size]

    def seed(self, store, size, count):
        """Stores the objects that reads will ask for."""
        names = [f"/{BUCKET}/seed-{size // KIB}k-{number:07d}" for number in range(count)]
        targets = list(store.signer.many("PUT", names))
        done = load.transfer(store.endpoint, "PUT", targets, 16, self.body(size), size)
        if done.errors or done.requests != count:
            raise running.CannotStart(f"{store.name} refused objects to read: {done.errors}")

    def _prepare(self, case):
        for store in self.stores:
            if case.method == "GET":
                self.seed(store, case.size, self.plan.seeds[case.size])
            elif case.size <= MIB:
                # A short run tells how many names the measured ones need, so that none is written twice.
                warm = self._wrk(case, store, self._upload_list(case, store, "warm", 20_000), warm=True)
                self._record(case, store, "warm", warm)
                self.rates[case.name, store.name] = warm.per_second
            if case.method == "GET":
                self._record(case, store, "warm", self._wrk(case, store, self._read_list(case, store), warm=True))

    def _one(self, case, store, number):
        targets, upload_list = None, None
        if case.method == "GET":
            upload_list = self._read_list(case, store)
        elif case.size > MIB:
            names = (self._name(case, number, i) for i in range(self.plan.large_uploads))
            targets = list(store.signer.many("PUT", names))
        else:
            count = int(self.rates[case.name, store.name] * self.plan.seconds * 1.5) + 1000
            upload_list = self._upload_list(case, store, number, count)
        waited, quiet = self._settle()
        cpu = machine.cpu_seconds(store.pid)
        if targets:
            result = load.transfer(
                store.endpoint, "PUT", targets, case.connections, self.body(case.size), case.size
            )
        else:
            result = self._wrk(case, store, upload_list)
        result.store_cpu_seconds = machine.cpu_seconds(store.pid) - cpu
        if case.method == "PUT":
            self._check_uploads(case, store, number, result)
            self.rates[case.name, store.name] = result.per_second
        self.results.setdefault(case.name, {}).setdefault(store.name, []).append(result)
        self._record(case, store, number, result)
        self._tell(case, store.name, number, result, "" if quiet else f", not quiet after {waited} s")

    def _disk(self, case, number):
        self._settle()
        body = self.body(case.size).read_bytes()
        result = plain_two_copies.measure(self.folder, body, self.plan.large_uploads, case.connections)
        self.results[case.name].setdefault(DISK, []).append(result)
        self.errors += [f"{DISK}: {error}" for error in result.errors]
        self._tell(case, DISK, number, result, "")

    def _settle(self):
        return machine.settle([store.pid for store in self.stores], self.plan.settle_seconds)

    def _wrk(self, case, store, list_file, warm=False):
        upload = case.method == "PUT"
        return load.wrk_run(load.WrkJob(
            store.endpoint, case.method, list_file, case.size, self.body(case.size) if upload else None,
            self.plan.warm_seconds if warm else self.plan.seconds, case.connections,
            check=upload or (warm and case.size <= MIB),
        ))

    def _name(self, case, number, index):
        return f"/{BUCKET}/put-{case.key}-{number}-{index:07d}"

    def _upload_list(self, case, store, number, count):
        names = (self._name(case, number, index) for index in range(count))
        return self._list(store.signer.many("PUT", names))

    def _read_list(self, case, store):
        numbers = list(range(self.plan.seeds[case.size]))
        random.shuffle(numbers)
        names = (f"/{BUCKET}/seed-{case.key}-{number:07d}" for number in numbers)
        return self._list(store.signer.many("GET", names))

    def _list(self, targets):
        path = self.folder / "requests"
        with path.open("w") as out:
            out.writelines(target + "\n" for target in targets)
        return path

    def _check_uploads(self, case, store, number, result):
        """Reads some of the objects back: a store that answers 200 must also have them."""
        sent = self.plan.large_uploads if case.size > MIB else result.requests // 2
        for index in random.sample(range(sent), min(sent, 3)):
            status, found = store.call("GET", self._name(case, number, index))
            if status != 200 or found != self.body(case.size).read_bytes():
                result.errors.append(f"an uploaded object did not come back: {status}, {len(found)} bytes")

    def _record(self, case, store, number, result):
        self.errors += [f"{case.name}, {store.name}, round {number}: {error}" for error in result.errors]
        if store.process.poll() is not None:
            self.errors.append(f"{store.name} died with {store.process.returncode}:\n{store.last_words()}")

    def _tell(self, case, name, number, result, remark):
        again = f", {result.wraps} lists used again" if case.method == "PUT" and result.wraps else ""
        self.say(
            f"  {case.name:<11} round {number}  {name:<17}{result.per_second:>9.0f} /s"
            f"{result.megabytes_per_second:>9.1f} MB/s   p50 {result.p50_ms:>8.2f} ms"
            f"   p99 {result.p99_ms:>8.2f} ms{again}{remark}"
        )


def room_needed(plan, stores):
    """Bytes that a run may leave on the disk before it cleans up."""
    large = plan.large_uploads * 16 * MIB * plan.rounds
    seeds = sum(size * count for size, count in plan.seeds.items())
    small = 10_000 * 4 * KIB * plan.seconds * plan.rounds
    return int((large + seeds + small) * 2.5 * stores) + large


def room_free(folder):
    """Bytes free where the run will write."""
    return shutil.disk_usage(folder).free
