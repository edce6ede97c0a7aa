"""The client of the power-cut replay: writers that remember every request, and a judge who knows which of them had
been answered when the power went.

Plain HTTP with a signer of its own, because each request needs a digest by which its ledger entry is found (the
ledger keeps the SHA-256 of the canonical request), and each answer the request id by which it is found in the
trace. Every key belongs to one writer, who does one thing at a time.
"""

import collections
import hashlib
import http.client
import random
import re
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))

from sigv4 import Signer  # noqa: E402

CANARY = "canary-51d0b7e8aa"
BUCKET = f"{CANARY}-bucket"
MISSING = "missing"
# Empty, small, about the border between row and chunk file (32 KiB), and chunk files of one and several writes.
SIZES = [0, 1, 100, 700, 4096, 9000, 20_000, 32_767, 32_768, 32_769, 60_000, 200_000]
# As much as fits into a row, so that a catalog comes to write tables within a run.
HEAVY = [31_000] * 14
LARGE = [700_000, 1_048_576, 2_500_000]
PART = 5 * 1024 * 1024
# The node's own work (publishing, folding) goes by the clock; there has to be time for it.
PAUSE_SECONDS_MAX = 0.08


class Refused(Exception):
    """An answer that is not the one that was asked for."""


@dataclass
class Request:
    """One request as it was sent, and what came back."""

    kind: str
    digest: str
    answer: str | None = None  # the request id of the answer
    moments: tuple | None = None  # when the answer's first and last piece left, in lines of the trace

    def answered(self, at):
        """Whether the client may have had the answer by then: for what changes something the end of it, for what
        reads the beginning, because not a byte may leave before it is recorded."""
        return self.moments is not None and self.moments[self.kind not in ("grant", "list")] < at


@dataclass
class Act:
    """A change of one key: the state it leads to, and the request whose answer settles it."""

    state: str
    settled_by: Request | None = None

    def settled(self, at):
        return self.settled_by is not None and self.settled_by.answered(at)


@dataclass
class History:
    """What was asked of one bucket."""

    keys: dict = field(default_factory=lambda: collections.defaultdict(list))  # name: acts, in order
    requests: list = field(default_factory=list)
    wrong: list = field(default_factory=list)

    def locate(self, answers):
        """Tells each request when its answer left."""
        for request in self.requests:
            if request.answer is not None:
                answer = answers.get(request.answer)
                if answer is None:
                    raise Refused(f"the answer {request.answer} is not in the trace")
                request.moments = (answer.first, answer.last)

    def allowed(self, name, at):
        """The states that a key may have when the power goes at that moment: the last one that was answered, and
        the one that was asked for after it."""
        acts = self.keys[name]
        settled = max((n for n, act in enumerate(acts) if act.settled(at)), default=-1)
        return {acts[settled].state if settled >= 0 else MISSING} | {act.state for act in acts[settled + 1:settled + 2]}

    def settled(self, at):
        """How many acts had been answered by then."""
        return sum(act.settled(at) for acts in self.keys.values() for act in acts)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def body(seed, size):
    """The bytes that belong to a seed; the canary stands in them again and again."""
    line = f"{CANARY} {seed} ".encode()
    noise = random.Random(seed).randbytes(size - size // 2)
    return (line * (size // 2 // len(line) + 1))[:size // 2] + noise


def canonical_digest(head):
    """SHA-256 of the canonical request that a signed head stands for."""
    first, *lines = head.decode().split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    pairs = sorted((p if "=" in p else p + "=" for p in query.split("&")), key=lambda p: p.split("=", 1)) if query else []
    sent = dict(line.split(": ", 1) for line in lines if not line.startswith("authorization: "))
    headers = [f"{name}:{' '.join(sent[name].split())}" for name in sorted(sent)]
    text = "\n".join([method, path, "&".join(pairs), *headers, "", ";".join(sorted(sent)), sent["x-amz-content-sha256"]])
    return digest(text.encode())


class Client:
    """Signed requests over one connection. Each has a header of its own, so that no two have the same digest."""

    def __init__(self, connect, name, history=None):
        self.signer = Signer(connect["endpoint"], connect["region"], connect["access_key"], connect["secret_key"])
        self.name, self.history = name, history
        self.count = 0
        self.door = None

    def send(self, method, path, query="", data=b"", headers=None, expect=(200,), request=None):
        """Sends and gives status, headers and body. `request` notes what was sent, before it is."""
        self.count += 1
        headers = {"user-agent": f"power-cut {self.name} {self.count}", **(headers or {})}
        head, _ = self.signer.head(method, path, query, headers=headers, body=data)
        if request is not None:
            request.digest = canonical_digest(head)
        try:
            if self.door is None:
                self.door = self.signer.connect()
            self.door.sendall(head + data)
            answer = http.client.HTTPResponse(self.door, method=method)
            answer.begin()
            found = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if answer.will_close:
            self.close()
        if request is not None:
            request.answer = answer.headers.get("x-amz-request-id")
        if answer.status not in expect:
            raise Refused(f"{method} {path}?{query}: {answer.status} {found[:300]!r}")
        return answer.status, answer.headers, found

    def close(self):
        if self.door:
            self.door.close()
        self.door = None

    def read(self, name):
        """The state of a key: missing, the digest of its bytes, or what is wrong with it."""
        status, headers, data = self.send("GET", f"/{BUCKET}/{quote(name)}", expect=range(200, 600))
        if status == 404 and b"<Code>NoSuchKey</Code>" in data:
            return MISSING
        if status != 200:
            return f"error {status} {data[:200]!r}"
        if headers.get("x-amz-meta-note") != CANARY:
            return f"torn: its metadata is {headers.get('x-amz-meta-note')!r}"
        tag = headers["etag"].strip('"')
        if "-" not in tag and tag != hashlib.md5(data).hexdigest():
            return "torn: its ETag belongs to other bytes"
        return digest(data)

    def listed(self, prefix="", page=1000, request=None):
        """All keys with their lengths, in the order in which they are listed, several pages if need be."""
        found, token = [], ""
        while True:
            query = f"list-type=2&max-keys={page}" + (f"&prefix={quote(prefix, safe='')}" if prefix else "")
            query += f"&continuation-token={quote(token, safe='')}" if token else ""
            _, _, xml = self.send("GET", f"/{BUCKET}", query, request=request)
            tree = ElementTree.fromstring(re.sub(rb' xmlns="[^"]*"', b"", xml, count=1))
            found += [(item.findtext("Key"), int(item.findtext("Size"))) for item in tree.findall("Contents")]
            token, request = tree.findtext("NextContinuationToken") or "", None
            if not token:
                return found


class Writer(threading.Thread):
    """Works on keys of its own until it is told to stop, or has done its share."""

    def __init__(self, connect, history, number, life, stop, acts, heavy=False):
        super().__init__(daemon=True)
        self.client = Client(connect, f"{life}-{number}")
        self.history, self.stop, self.acts = history, stop, acts
        self.random = random.Random(f"{life}-{number}")
        self.names = [f"w{number}/{CANARY}/{n:03}" for n in range(14)]
        self.seed = f"{life}-{number}"
        self.sizes = SIZES + HEAVY if heavy else SIZES
        self.large, self.parts = (0.995, 0.354) if heavy else (0.96, 0.38)
        self.done = 0

    def run(self):
        for count in range(self.acts):
            if self.stop.is_set():
                return
            try:
                self.step(count)
            except (OSError, http.client.HTTPException):
                if not self.stop.wait(5):
                    self.history.wrong.append(f"writer {self.seed}: the node hung up while it was to serve")
                return
            except Refused as error:
                self.history.wrong.append(f"writer {self.seed}: {error}")
                return
            self.done += 1
            self.stop.wait(self.random.uniform(0, PAUSE_SECONDS_MAX))
        self.client.close()

    def ask(self, kind, *words, settles=None, **more):
        """Sends a request and remembers it; `settles` is the act that is done when it is answered."""
        request = Request(kind, "")
        self.history.requests.append(request)
        if settles is not None:
            settles.settled_by = request
        return self.client.send(*words, request=request, **more)

    def look_again(self):
        """After the node was killed: what a key holds whose last change was not answered. From when this is
        answered it is the one right state."""
        for name in self.names:
            acts = self.history.keys[name]
            if acts and (acts[-1].settled_by is None or acts[-1].settled_by.answer is None):
                act = Act("")
                status, _, data = self.ask("grant", "GET", f"/{BUCKET}/{quote(name)}", expect=(200, 404), settles=act)
                act.state = MISSING if status == 404 else digest(data)
                before = [a.state for a in acts if a.settled_by and a.settled_by.answer][-1:] or [MISSING]
                if act.state not in (acts[-1].state, *before):
                    self.history.wrong.append(f"{name} has a state after a kill that nobody asked for")
                acts.append(act)

    def begin(self, name, state):
        """Remembers a change before it is asked for."""
        act = Act(state)
        self.history.keys[name].append(act)
        return act

    def step(self, count):
        name, draw = self.random.choice(self.names), self.random.random()
        path = f"/{BUCKET}/{quote(name)}"
        note = {"x-amz-meta-note": CANARY}
        if draw < 0.14:
            self.ask("delete", "DELETE", path, expect=(204,), settles=self.begin(name, MISSING))
        elif draw < 0.24:
            self.read_back(name, path)
        elif draw < 0.29:
            request = Request("list", "")
            self.history.requests.append(request)
            self.client.listed(name[:3], request=request)
        elif draw < 0.35:
            self.copy(name, path)
        elif draw < self.parts and self.seed.endswith("-0"):
            self.in_parts(name, path, body(f"{self.seed}-{count}", PART + self.random.randrange(1, 300_000)))
        else:
            data = body(f"{self.seed}-{count}", self.random.choice(LARGE if draw > self.large else self.sizes))
            self.ask("write", "PUT", path, data=data, headers=note, settles=self.begin(name, digest(data)))

    def current(self, name):
        acts = self.history.keys[name]
        return acts[-1].state if acts else MISSING

    def read_back(self, name, path):
        there = self.current(name)
        status, _, data = self.ask("grant", "GET", path, expect=(200, 404))
        if (MISSING if status == 404 else digest(data)) != there:
            self.history.wrong.append(f"{name} was not what had been written, before any cut")

    def copy(self, name, path):
        source = self.random.choice([n for n in self.names if n != name])
        if self.current(source) != MISSING:
            headers = {"x-amz-copy-source": f"/{BUCKET}/{quote(source)}"}
            self.ask("write", "PUT", path, headers=headers, settles=self.begin(name, self.current(source)))

    def in_parts(self, name, path, data):
        act = self.begin(name, digest(data))
        note = {"x-amz-meta-note": CANARY}
        _, _, xml = self.ask("write", "POST", path, "uploads", headers=note)
        upload = re.search(rb"<UploadId>([^<]+)</UploadId>", xml).group(1).decode()
        parts = ""
        for number, piece in ((1, data[:PART]), (2, data[PART:])):
            query = f"partNumber={number}&uploadId={quote(upload, safe='')}"
            _, headers, _ = self.ask("write", "PUT", path, query, data=piece)
            parts += f"<Part><PartNumber>{number}</PartNumber><ETag>{headers['etag']}</ETag></Part>"
        xml = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        _, _, said = self.ask("write", "POST", path, f"uploadId={quote(upload, safe='')}", data=xml, settles=act)
        if b"<ETag>" not in said:
            raise Refused(f"the upload of {name} was not completed: {said[:300]!r}")


# --- after a cut ---------------------------------------------------------------------------------------------


def judge_objects(connect, history, at):
    """What is wrong with keys, bytes and lists if the power went at that moment."""
    client = Client(connect, f"judge-{time.monotonic_ns()}")
    wrong, there = [], {}
    for name in sorted(history.keys):
        state = client.read(name)
        allowed = history.allowed(name, at)
        if state not in allowed:
            wrong.append(f"{name} is {state[:200]}, and may be {' or '.join(sorted(s[:16] for s in allowed))}")
        if state != MISSING:
            there[name] = state
    listed = client.listed(page=37)
    names = [name for name, _ in listed]
    if names != sorted(set(names)):
        wrong.append("the list is not in order, or names a key twice")
    wrong += [f"{name} can be read and is not listed" for name in sorted(there.keys() - set(names))]
    wrong += [f"{name} is listed and cannot be read" for name in sorted(set(names) - there.keys())]
    client.close()
    return wrong, len(history.keys)


def judge_entries(entries, history, at):
    """Whether every request that had been answered has its entry, of its kind."""
    wrong = []
    if [entry["index"] for entry in entries] != list(range(len(entries))):
        wrong.append("the ledger has a gap")
    kinds = collections.defaultdict(set)
    for entry in entries:
        kinds[entry.get("request_digest")].add(entry.get("kind"))
    answered = [request for request in history.requests if request.answered(at)]
    for request in answered:
        if request.kind not in kinds[request.digest]:
            found = ", ".join(sorted(kinds[request.digest])) or "nothing"
            wrong.append(f"a request was answered as {request.answer} and the ledger has no {request.kind} of it but {found}")
    return wrong, len(answered)
