"""The two load generators, and what each of them counts as an error.

`wrk_run` drives wrk, which is light enough for tens of thousands of small requests per second.
`transfer` is for bounded work: seeding objects, and large uploads, which wrk copies three times in its own
memory and counts only when they end before the clock does. Here each body goes from the page cache to the
socket with sendfile, and the time is that of a fixed number of uploads, all finished.
"""

import http.client
import json
import os
import queue
import resource
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
THREADS = max(1, min(2, os.cpu_count() or 1))
TIMEOUT_SECONDS = 60


@dataclass
class Result:
    """One measured run of one case against one store."""

    requests: int
    seconds: float
    bytes_body: int
    p50_ms: float
    p99_ms: float
    errors: list = field(default_factory=list)
    wraps: int = 0
    generator_cpu_seconds: float = 0.0
    store_cpu_seconds: float = 0.0

    @property
    def per_second(self):
        """Finished requests per second."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def megabytes_per_second(self):
        """Millions of bytes of object data per second."""
        return self.bytes_body / self.seconds / 1e6 if self.seconds else 0.0

    def as_json(self):
        """What the report keeps of it."""
        return {
            "requests": self.requests, "seconds": round(self.seconds, 3),
            "per_second": round(self.per_second, 1),
            "megabytes_per_second": round(self.megabytes_per_second, 1),
            "p50_ms": round(self.p50_ms, 3), "p99_ms": round(self.p99_ms, 3), "wraps": self.wraps,
            "generator_cpu_seconds": round(self.generator_cpu_seconds, 2),
            "store_cpu_seconds": round(self.store_cpu_seconds, 2), "errors": self.errors,
        }


@dataclass
class WrkJob:
    """What wrk shall do: the list of signed requests and how long."""

    endpoint: str
    method: str
    list_file: Path
    size: int
    body_file: Path | None
    seconds: int
    connections: int
    check: bool = False
    once: bool = False


def wrk_run(job):
    """Runs wrk and returns a `Result`; whatever is not a success is in `errors`."""
    threads = min(THREADS, job.connections)
    body = str(job.body_file) if job.body_file else "-"
    command = [
        "wrk", "-t", str(threads), "-c", str(job.connections), "-d", f"{job.seconds}s",
        "--timeout", f"{TIMEOUT_SECONDS}s", "-s", str(HERE / "load.lua"), job.endpoint, "--",
        job.method, str(job.list_file), body, "1" if job.check else "0", str(threads),
        "1" if job.once else "0", str(-(-job.connections // threads)),
    ]
    cpu = _children_cpu()
    code, said = _drive(command, threads if job.once else 0, job.seconds + 120)
    cpu = _children_cpu() - cpu
    line = next((l for l in said.splitlines() if l.startswith("RESULT ")), None)
    if code != 0 or line is None:
        return Result(0, 0.0, 0, 0.0, 0.0, [f"wrk failed with {code}: {said.strip()[-600:]}"])
    found = json.loads(line.removeprefix("RESULT "))
    return _from_wrk(found, job, cpu)


def _drive(command, threads_to_finish, seconds_max):
    """Runs wrk; when each of its threads has said that its list is done, ends it before its clock does."""
    wrk = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    alarm = threading.Timer(seconds_max, wrk.kill)
    alarm.start()
    said = []
    try:
        for line in wrk.stdout:
            said.append(line)
            if threads_to_finish and sum(l.startswith("LIST DONE") for l in said) == threads_to_finish:
                wrk.send_signal(signal.SIGINT)
                threads_to_finish = 0
        return wrk.wait(), "".join(said)
    except BaseException:
        wrk.kill()
        wrk.wait()
        raise
    finally:
        alarm.cancel()


def _from_wrk(found, job, cpu):
    errors = [
        f"{found[name]} {text}"
        for name, text in (
            ("errors_connect", "connections refused"), ("errors_read", "reads broken off"),
            ("errors_write", "writes broken off"), ("errors_status", "answers of 400 or above"),
            ("errors_timeout", "requests timed out"), ("not_success", "answers that are not 2xx"),
        )
        if found[name]
    ]
    if found["first_bad"]:
        errors.append("the first of them: " + found["first_bad"])
    requests = found["requests"]
    if job.once and found["answered"] < found["lines"]:
        errors.append(f"only {found['answered']} of {found['lines']} were answered in {job.seconds} s")
    if requests == 0:
        errors.append("no request finished")
    if job.method == "GET" and found["bytes"] < requests * job.size:
        errors.append(f"answers too short: {found['bytes']} bytes in {requests} of {job.size}")
    # wrk counts received bytes as they come, so for large reads they say more than finished requests.
    body = requests * job.size
    if job.method == "GET" and job.size >= 1 << 20:
        body = max(body, found["bytes"] - 1024 * (requests + job.connections))
    return Result(
        requests, found["duration_us"] / 1e6, body, found["p50_us"] / 1e3, found["p99_us"] / 1e3,
        errors, found["wraps"], cpu,
    )


def _children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def transfer(endpoint, method, targets, connections, body_file=None, size=0):
    """Sends each signed target once over `connections` connections and waits for all of them."""
    work = queue.SimpleQueue()
    for target in targets:
        work.put(target)
    latencies, errors = [], []
    cpu = time.process_time()
    started = time.monotonic()
    crew = [
        threading.Thread(
            target=_carry, args=(endpoint, method, work, body_file, size, latencies, errors), daemon=True
        )
        for _ in range(connections)
    ]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    seconds = time.monotonic() - started
    latencies.sort()
    errors = [f"{len(errors)} failed, the first: {errors[0]}"] if errors else []
    return Result(
        len(latencies), seconds, len(latencies) * size, percentile(latencies, 50) * 1e3,
        percentile(latencies, 99) * 1e3, errors, 0, time.process_time() - cpu,
    )


def _carry(endpoint, method, work, body_file, size, latencies, errors):
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=TIMEOUT_SECONDS)
    body = open(body_file, "rb") if body_file else None
    while len(errors) < 20:
        try:
            target = work.get_nowait()
        except queue.Empty:
            break
        started = time.monotonic()
        try:
            status, answer = exchange(connection, method, target, body, size)
        except (OSError, http.client.HTTPException) as error:
            errors.append(f"{type(error).__name__}: {error}")
            connection.close()
            continue
        if 200 <= status <= 299:
            latencies.append(time.monotonic() - started)
        else:
            errors.append(f"{status} {answer[:300]!r}")
    connection.close()
    if body:
        body.close()


def exchange(connection, method, target, body=None, size=0):
    """One request on a kept connection; returns the status and the answer's body."""
    connection.putrequest(method, target, skip_accept_encoding=True)
    if body or method == "PUT":
        connection.putheader("Content-Length", str(size if body else 0))
    connection.endheaders()
    if body:
        connection.sock.sendfile(body, 0, size)
    response = connection.getresponse()
    return response.status, response.read()


def once(endpoint, method, target, body=None, size=0):
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=TIMEOUT_SECONDS)
    try:
        return exchange(connection, method, target, body, size)
    finally:
        connection.close()


def percentile(ordered, percent):
    """The value that `percent` of the ordered values do not exceed; 0 of none."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
