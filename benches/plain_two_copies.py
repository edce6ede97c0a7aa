"""What the disk takes when every object is written twice and synced: the base for large uploads.

A program with nothing to do but this: for each object two files of the same bytes in two folders, written
side by side, then fsync of both files and both folders, as a store must that promises two durable copies.
The figure counts the object's bytes once, so that it compares with a store's upload rate.
"""

import argparse
import mmap
import os
import queue
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import load

PIECE_BYTES = 1 << 20


def measure(folder, body, count, writers, direct=False):
    """Writes `count` objects of `body` from `writers` threads; returns a `load.Result`.

    With `direct` past the page cache (O_DIRECT) into space reserved before: what the disk itself can do.
    """
    if direct:
        aligned = mmap.mmap(-1, len(body))
        aligned.write(body)
        body = aligned
    sites = [Path(folder) / "plain-a", Path(folder) / "plain-b"]
    for site in sites:
        site.mkdir(parents=True)
    work = queue.SimpleQueue()
    for number in range(count):
        work.put(number)
    latencies, errors = [], []
    started = time.monotonic()
    with ThreadPoolExecutor(writers) as pairs:
        crew = [
            threading.Thread(
                target=_writer, args=(sites, body, work, pairs, direct, latencies, errors)
            )
            for _ in range(writers)
        ]
        for thread in crew:
            thread.start()
        for thread in crew:
            thread.join()
    seconds = time.monotonic() - started
    for site in sites:
        shutil.rmtree(site)
    latencies.sort()
    return load.Result(
        len(latencies), seconds, len(latencies) * len(body), load.percentile(latencies, 50) * 1e3,
        load.percentile(latencies, 99) * 1e3, errors[:1],
    )


def _writer(sites, body, work, pairs, direct, latencies, errors):
    while not errors:
        try:
            number = work.get_nowait()
        except queue.Empty:
            return
        started = time.monotonic()
        try:
            other = pairs.submit(_write, sites[1] / str(number), body, direct)
            _write(sites[0] / str(number), body, direct)
            other.result()
        except OSError as error:
            errors.append(str(error))
            return
        latencies.append(time.monotonic() - started)


def _write(path, body, direct):
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | (os.O_DIRECT if direct else 0)
    file = os.open(path, flags, 0o600)
    try:
        if direct:
            os.posix_fallocate(file, 0, len(body))
        view = memoryview(body)
        for start in range(0, len(body), PIECE_BYTES):
            piece = view[start:start + PIECE_BYTES]
            while piece:
                piece = piece[os.write(file, piece):]
        os.fsync(file)
    finally:
        os.close(file)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def main():
    """Runs alone: prints one line per round and the median."""
    ask = argparse.ArgumentParser(prog="bench disk", description=__doc__.splitlines()[0])
    ask.add_argument("--folder", default="/var/tmp", help="a folder on the disk to measure (default /var/tmp)")
    ask.add_argument("--mib", type=int, default=16, help="size of an object (default 16)")
    ask.add_argument("--count", type=int, default=64, help="objects per round (default 64)")
    ask.add_argument("--writers", type=int, default=16, help="objects written at once (default 16)")
    ask.add_argument("--rounds", type=int, default=3)
    asked = ask.parse_args()
    body = os.urandom(asked.mib << 20)
    with tempfile.TemporaryDirectory(prefix="clarence-bench-", dir=asked.folder) as folder:
        for direct, way in ((False, "through the page cache"), (True, "past the page cache")):
            rates = sorted(_round(folder, body, asked, direct, way) for _ in range(asked.rounds))
            print(f"{way}, median: {rates[len(rates) // 2]:.0f} MB/s of objects, each written twice and synced")


def _round(folder, body, asked, direct, way):
    os.sync()
    result = measure(folder, body, asked.count, asked.writers, direct)
    if result.errors:
        raise SystemExit(f"the disk refused, {way}: {result.errors[0]}")
    print(
        f"  {way:<24}{result.megabytes_per_second:>8.0f} MB/s   p50 {result.p50_ms:.1f} ms"
        f"   p99 {result.p99_ms:.1f} ms"
    )
    return result.megabytes_per_second


if __name__ == "__main__":
    main()
