"""Mixed load on S3, one program on the clients' machine: what each client asked and was told, a line of JSON for each act.

    load.py SETTINGS.json      settings: connect (connect.json's content), ca, gates, out, stop, seed, read (keys: only read these once)

Registers: clients in groups write, compare-and-swap, make, delete and read the same few keys. Bulk: writers that put
objects of several sizes once, readers that read them. Patient: two clients that wait a minute, to see what a client with a
long deadline is told. Every body says whose it is, so that a torn one shows.
"""

import contextlib
import hashlib
import http.client
import json
import random
import socket
import ssl
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/clients"))

import sigv4  # noqa: E402

BUCKET = "lab"
GROUPS, CLIENTS, ACTS_PER_KEY, UNKNOWN_PER_KEY = 3, 3, 30, 3
SIZES = [120, 4_000, 30_000, 60_000, 200_000]
DEADLINE, PATIENCE, CONNECT = 10, 60, 2
PAUSE = 0.03


def body(value):
    """The bytes of a value; its name ends with their number."""
    size = int(value.rsplit("-", 1)[1])
    line = f"{value}\n".encode()
    return (line * (size // len(line) + 1))[:size]


def read_body(data):
    """The value whose bytes these are, or what is wrong."""
    value = data.split(b"\n", 1)[0].decode(errors="replace")
    with contextlib.suppress(ValueError, IndexError):
        if body(value) == data:
            return value
    return f"torn: {len(data)} bytes that begin {value[:60]!r}"


def tag(value):
    return f'"{hashlib.md5(body(value)).hexdigest()}"'


class Refused(Exception):
    """Nothing was sent."""


class Client:
    """One connection that is made again, at the other gate, when it breaks."""

    def __init__(self, settings, deadline):
        self.signer = sigv4.Signer(f"https://{settings['name']}:{settings['gate_port']}", settings["connect"]["region"], settings["connect"]["access_key"], settings["connect"]["secret_key"])
        self.context = ssl.create_default_context(cafile=settings["ca"])
        self.gates, self.port, self.name, self.deadline = list(settings["gates"]), settings["gate_port"], settings["name"], deadline
        self.door = None

    def connect(self):
        for turn in range(len(self.gates)):
            try:
                plain = socket.create_connection((self.gates[0], self.port), timeout=CONNECT)
                self.door = self.context.wrap_socket(plain, server_hostname=self.name)
                self.door.settimeout(self.deadline)
                return
            except (OSError, ssl.SSLError) as error:
                last = error
                self.gates.append(self.gates.pop(0))
        raise Refused(str(last))

    def send(self, method, path, headers=None, data=b""):
        """Status, headers and body."""
        if self.door is None:
            self.connect()
        try:
            head, _ = self.signer.head(method, path, headers=headers, body=data)
            self.door.sendall(head + data)
            answer = http.client.HTTPResponse(self.door, method=method)
            answer.begin()
            got = answer.read()
            if answer.will_close:
                self.drop()
            return answer.status, answer.headers, got
        except (OSError, http.client.HTTPException, ValueError):
            self.drop()
            self.gates.append(self.gates.pop(0))
            raise

    def drop(self):
        if self.door is not None:
            with contextlib.suppress(OSError):
                self.door.close()
        self.door = None


class Load:
    """All clients."""

    def __init__(self, settings):
        self.settings, self.stop = settings, Path(settings["stop"])
        self.out, self.lock = open(settings["out"], "w", buffering=1), threading.Lock()
        self.count, self.known, self.groups = 0, [], [{"generation": 0, "acts": 0, "unknown": 0} for _ in range(GROUPS)]

    def ended(self):
        return self.stop.exists()

    def value(self, who, size):
        with self.lock:
            self.count += 1
            return f"{self.settings['seed']}-{who}-{self.count}-{size}"

    def act(self, client, who, kind, key, value=None, expected=None, patient=False):
        """One request and what came of it, written down."""
        headers, method, data = {}, {"get": "GET", "delete": "DELETE"}.get(kind, "PUT"), b"" if value is None else body(value)
        if kind == "cas":
            headers["if-match"] = tag(expected)
        if kind == "create":
            headers["if-none-match"] = "*"
        line = {"k": key, "c": who, "op": kind, "v": value, "e": expected, "t0": time.time()}
        if patient:
            line["patient"] = True
        try:
            status, got, content = client.send(method, f"/{BUCKET}/{key}", headers, data)
            line |= {"s": status, "r": outcome(kind, status)}
            if kind == "get":
                line["got"] = read_body(content) if status == 200 else None
            if status >= 500:
                line["later"] = got.get("Retry-After")
                line["why"] = content.decode(errors="replace")[-300:]
        except Refused as error:
            line |= {"r": "refused", "why": str(error)[:80]}
        except (OSError, http.client.HTTPException, ValueError) as error:
            line |= {"r": "refused" if kind == "get" else "unknown", "why": f"{type(error).__name__} {error}"[:120]}
        line["t1"] = time.time()
        with self.lock:
            self.out.write(json.dumps(line) + "\n")
        if line["r"] in ("refused", "unknown"):
            time.sleep(0.2)
        return line

    # --- clients --------------------------------------------------------------------------------------

    def register(self, group, number):
        """Shares a key with the others of its group, and goes on to the next one before its history becomes long."""
        client, who, chance, seen = Client(self.settings, DEADLINE), f"r{group}.{number}", random.Random(f"{self.settings['seed']}{group}{number}"), {}
        shared = self.groups[group]
        while not self.ended():
            with self.lock:
                if shared["acts"] >= ACTS_PER_KEY or shared["unknown"] >= UNKNOWN_PER_KEY:
                    shared.update(generation=shared["generation"] + 1, acts=0, unknown=0)
                shared["acts"] += 1
                key = f"reg/{self.settings['seed']}/{group}/{shared['generation']}"
            kind = chance.choices(["get", "cas", "put", "create", "delete"], [40, 30, 15, 10, 5])[0]
            if kind == "cas" and not seen.get(key):
                kind = "get"
            value = self.value(who, 120) if kind in ("put", "cas", "create") else None
            told = self.act(client, who, kind, key, value, seen.get(key) if kind == "cas" else None)
            if told["r"] == "ok":
                seen = {key: told.get("got") if kind == "get" else value}
            if told["r"] == "unknown":
                with self.lock:
                    shared["unknown"] += 1
            time.sleep(PAUSE)

    def writer(self, number):
        """Puts objects once."""
        client, who, chance, count = Client(self.settings, DEADLINE), f"w{number}", random.Random(f"{self.settings['seed']}w{number}"), 0
        while not self.ended():
            count += 1
            value = self.value(who, chance.choice(SIZES))
            key = f"bulk/{self.settings['seed']}/{number}/{count:06}"
            if self.act(client, who, "put", key, value)["r"] == "ok":
                with self.lock:
                    self.known.append(key)
            time.sleep(PAUSE)

    def reader(self, number):
        """Reads what others have put, mostly the newest."""
        client, chance = Client(self.settings, DEADLINE), random.Random(f"{self.settings['seed']}g{number}")
        while not self.ended():
            with self.lock:
                key = self.known[-1 - min(len(self.known) - 1, int(chance.expovariate(0.1)))] if self.known else None
            if key:
                self.act(client, f"g{number}", "get", key)
            time.sleep(PAUSE)

    def patient(self, kind):
        """Waits as long as a client of a usual library would."""
        client, count = Client(self.settings, PATIENCE), 0
        while not self.ended():
            count += 1
            key = f"patient/{self.settings['seed']}/{kind}/{count if kind == 'put' else 0}"
            self.act(client, f"p-{kind}", kind, key, self.value("p", 200) if kind == "put" else None, patient=True)
            time.sleep(0.2)

    def run(self):
        threads = [threading.Thread(target=self.register, args=(group, number)) for group in range(GROUPS) for number in range(CLIENTS)]
        threads += [threading.Thread(target=self.writer, args=(number,)) for number in range(2)]
        threads += [threading.Thread(target=self.reader, args=(number,)) for number in range(2)]
        threads += [threading.Thread(target=self.patient, args=(kind,), daemon=True) for kind in ("put", "get")]
        for thread in threads:
            thread.start()
        until = None
        while any(thread.is_alive() for thread in threads if not thread.daemon):
            time.sleep(0.1)
            if self.ended() and until is None:
                until = time.monotonic() + DEADLINE + 5
            if until and time.monotonic() > until:
                break  # who still waits has an act without an end, which is in nobody's history

    def read_all(self, keys):
        """Reads each key once, after everything has settled; tries again until there is an answer."""
        queue = list(keys)

        def work():
            client = Client(self.settings, DEADLINE)
            while True:
                with self.lock:
                    if not queue:
                        return
                    key = queue.pop()
                for _ in range(8):
                    if self.act(client, "final", "get", key)["r"] == "ok":
                        break
                    time.sleep(1)
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def outcome(kind, status):
    """What an answer says about what took effect."""
    if status in (200, 204):
        return "ok"
    if status == 404 and kind in ("get", "delete"):
        return "ok"
    if status in (404, 412) and kind in ("cas", "create"):
        return "no"
    if status == 409 or kind == "get":
        return "refused"
    return "unknown"  # an error may come after the commit; only an acknowledgement settles it


def main(path):
    settings = json.loads(Path(path).read_text())
    load = Load(settings)
    if settings.get("read") is not None:
        load.read_all(settings["read"])
    else:
        with contextlib.suppress(OSError, Refused, http.client.HTTPException):
            Client(settings, DEADLINE).send("PUT", f"/{BUCKET}")
        load.run()
    load.out.flush()


if __name__ == "__main__":
    main(sys.argv[1])
