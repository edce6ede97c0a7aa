"""Runs a node under strace with clients at work, and keeps what it did: the changes of its files, and the requests.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cloud as clouds  # noqa: E402
import power_disk as disks  # noqa: E402
import power_load as load  # noqa: E402
import power_trace as trace  # noqa: E402
from power_model import Model  # noqa: E402

WRITERS = 4
START_SECONDS_MAX = 240


# The trace follows one process; what reaches the disk is the same from the vault's own.
IN_ONE = {"CLARENCE_UNSAFE_VAULT_IN_PROCESS": "true"}


class Recorded(clouds.Cloud):
    """A node that runs under strace. `self.process` is strace, `self.node` the process under it."""

    def __init__(self, folder):
        super().__init__(folder)
        self.data.mkdir(mode=0o700, exist_ok=True)
        self.lives = 0
        self.node = None

    @property
    def trace(self):
        return self.folder / f"life-{self.lives}.trace"

    def up(self, *more, wait=True):
        self.lives += 1
        command = [*trace.command(self.trace), clouds.binary(), "up", "--data", str(self.data), "--s3", f"127.0.0.1:{self.port}", *more]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**clouds.own_settings(), **IN_ONE})
        self.node = self.child()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        """Under strace every call waits for another process twice, which takes its time on a busy machine."""
        until = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                return super().wait_ready()
            except clouds.CloudError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise

    def child(self):
        """The process that strace starts; it also starts one to try out what the kernel can do."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        until = time.monotonic() + 30
        while time.monotonic() < until and self.process.poll() is None:
            for number in children.read_text().split():
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{number}/exe") == clouds.binary():
                        return int(number)
            time.sleep(0.01)
        self.process.kill()
        self.process.wait()
        raise clouds.CloudError(f"strace did not start the node: {self.last_words()}")

    def end(self, number, seconds=60):
        """Sends the node a signal and waits until strace has written everything down."""
        if self.process.poll() is None:
            os.kill(self.node, number)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.kill(self.node, signal.SIGKILL)
            self.process.wait(seconds)
            raise clouds.CloudError(f"the node did not end on signal {number}") from None
        finally:
            self.node = None

    def kill(self):
        if self.process and self.process.poll() is None:
            self.end(signal.SIGKILL)
        self.process = None

    def stop(self):
        self.end(signal.SIGTERM)
        code, self.process = self.process.returncode, None
        if code != 0:
            raise clouds.CloudError(f"the node ended with {code} on SIGTERM: {self.last_words()}")


@dataclass
class Recording:
    """What happened: the changes, the requests, and how to connect."""

    model: Model
    history: load.History
    connect: dict
    begun: int  # the moment from which on answered writes count
    lives: list  # the moments at which each of the node's lives ended


def record(folder, acts, heavy):
    """Runs the node through two lives under load and gives what it did."""
    cloud = Recorded(folder)
    model, history, ends = Model(cloud.data), load.History(), []
    try:
        cloud.up()
        connect = cloud.connect()
        bucket = load.Request("write", "")
        history.requests.append(bucket)
        load.Client(connect, "bucket").send("PUT", f"/{load.BUCKET}", request=bucket)
        run_writers(cloud, history, connect, 1, acts, heavy, kill=True)
        ends.append(follow(cloud, model, 0))
        cloud.up()
        run_writers(cloud, history, connect, 2, acts * 2 // 3, heavy, kill=False)
        must_be_well(cloud)
        cloud.stop()
        ends.append(follow(cloud, model, ends[0]))
    finally:
        cloud.kill()
    if history.wrong:
        raise clouds.CloudError("the recording went wrong: " + "; ".join(history.wrong[:5]))
    history.locate(model.answers)
    return Recording(model, history, connect, bucket.moments[1], ends)


def run_writers(cloud, history, connect, life, acts, heavy, kill):
    """Load, until all is done or (if the node is to be killed) most of it."""
    stop = threading.Event()
    writers = [load.Writer(connect, history, number, life, stop, acts, heavy) for number in range(WRITERS)]
    if life > 1:
        for writer in writers:
            writer.look_again()
    for writer in writers:
        writer.start()
    until = time.monotonic() + 300
    goal = WRITERS * acts * 4 // 5
    while any(writer.is_alive() for writer in writers) and time.monotonic() < until:
        if kill and sum(writer.done for writer in writers) >= goal:
            break
        time.sleep(0.01)
    if kill:
        stop.set()
        cloud.kill()
    for writer in writers:
        writer.join(60)
    if any(writer.is_alive() for writer in writers):
        raise clouds.CloudError("the writers did not come to an end")


def must_be_well(cloud):
    """Nothing may have gone wrong while it was recorded, or other roads than the usual one were taken."""
    status = cloud.status()
    if any(site["state"] != "serving" for site in status["sites"]):
        raise clouds.CloudError(f"a site was given up while it was recorded: {status}")


def follow(cloud, model, first):
    """Takes a life of the node into the model, and compares what the model says with what is on the disk."""
    with open(cloud.trace, "rb") as lines:
        last = first + sum(block.count(b"\n") for block in iter(lambda: lines.read(1 << 20), b"")) + 1
    model.follow(trace.read(cloud.trace, first), last)
    cloud.trace.unlink()
    copy = cloud.folder / "copy"
    disks.Disk(model, disks.Cut(last + 1, disks.KEPT), random.Random(0)).lay_down(copy)
    found = disks.differences(copy, cloud.data)
    shutil.rmtree(copy)
    if found:
        raise trace.NotModelled("the files made from the trace are not those on the disk: " + "; ".join(found))
    return last + 1


def get_up_again(folder, seconds):
    """Starts a node on the disks of a cut, lets it serve for some seconds, kills it, and gives what it did."""
    cloud = Recorded(folder)
    model = Model(cloud.data)
    try:
        cloud.up()
        time.sleep(seconds)
        cloud.kill()
        follow(cloud, model, 0)
    finally:
        cloud.kill()
    return model
