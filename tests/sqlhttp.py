#!/usr/bin/env python3
"""SQL over HTTP by a client that knows nothing of it but the documentation, and `clarence sql`, plain and over TLS.

    CLARENCE_BIN=… tests/sqlhttp.py
"""

import base64
import csv
import io
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import boto3  # noqa: E402
import botocore.config  # noqa: E402
import cloud as clouds  # noqa: E402
import pyarrow.parquet  # noqa: E402

ROWS = 100_000
ENDLESS = "SELECT count(*) FROM planes a, generate_series(1, 100000000) AS g(x) WHERE (a.id * x) % 7 = 9"


def step(text):
    print(f"  {text}", flush=True)


class Http:
    """A client of a few lines."""

    def __init__(self, url, user, secret, context=None):
        self.url, self.context = url, context
        self.basic = "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()

    def ask(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, {"Authorization": self.basic, "Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60, context=self.context) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def json(self, method, path, body=None):
        status, bytes = self.ask(method, path, body)
        return status, json.loads(bytes)

    def hand_in(self, sql, **more):
        status, told = self.json("POST", "/v1/statements", {"sql": sql, "wait_ms": 20_000, **more})
        assert status in (200, 202), told
        return told

    def rows(self, told, format="json"):
        status, bytes = self.ask("GET", f"{told['rows_at']}?format={format}")
        assert status == 200, bytes
        return bytes


def asked(cloud, *words, env=None, check=True, stdin=None):
    """`clarence sql`, as a person calls it."""
    command = [clouds.binary(), "sql", "--data", str(cloud.data), *words]
    environment = {**clouds.own_settings(), **(env or {})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, input=stdin)
    if check:
        assert done.returncode == 0, (words, done.returncode, done.stdout, done.stderr)
    return done


def both(cloud, client, folder):
    told = client.hand_in("SELECT id, tail FROM planes WHERE id < 3 ORDER BY id")
    assert told["state"] == "ready" and told["columns"] == [{"name": "id", "type": "int8"}, {"name": "tail", "type": "text"}], told
    assert json.loads(client.rows(told)) == [{"id": at, "tail": f"LX-{at}"} for at in range(3)]
    status, again = client.json("GET", told["rows_at"])
    assert status == 410 and "fetched" in again["error"]["message"], again
    told = client.hand_in("SELECT tail FROM planes WHERE id = $1", parameters=[7], purpose="statistics")
    assert json.loads(client.rows(told)) == [{"tail": "LX-7"}]
    status, refused = Http(client.url, "nobody", "nothing", client.context).json("GET", "/v1/statements")
    assert status == 401, refused
    out = asked(cloud, "-c", "SELECT id, tail FROM planes WHERE id < 3 ORDER BY id").stdout
    assert out == "id  tail\n──  ────\n 0  LX-0\n 1  LX-1\n 2  LX-2\n", out


def served(url, authorities):
    """Waits until SQL is served over TLS."""
    for _ in range(300):
        try:
            context = ssl.create_default_context(cafile=str(authorities))
            if Http(url, "a", "b", context).ask("GET", "/v1/health")[0] == 200:
                return context
        except OSError:
            time.sleep(0.1)
    raise AssertionError("nothing is served over TLS")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cloud = clouds.Cloud(folder / "node")
        port = clouds.free_port()
        try:
            cloud.up("--sql-http", f"127.0.0.1:{port}")
            plain(cloud, port, folder)
            cloud.stop()
            cloud.up("--sql-http", f"127.0.0.1:{port}", "--tls", wait=False)
            context = served(f"https://localhost:{port}", cloud.data / "tls" / "ca.pem")
            connect = cloud.connect()
            client = Http(f"https://localhost:{port}", connect["access_key"], connect["secret_key"], context)
            both(cloud, client, folder)
            try:
                Http(f"https://localhost:{port}", "a", "b", ssl.create_default_context()).ask("GET", "/v1/health")
                raise AssertionError("a stranger's certificate was believed")
            except urllib.error.URLError as error:
                assert "CERTIFICATE" in str(error), error
            step("the same over TLS, with the local authority's certificate and no other")
        finally:
            cloud.stop()
    print("SQL over HTTP: all held")


def plain(cloud, port, folder):
    connect = cloud.connect()
    assert connect["sql"]["http"] == f"http://127.0.0.1:{port}", connect
    s3 = boto3.client(
        "s3",
        endpoint_url=connect["endpoint"],
        region_name=connect["region"],
        aws_access_key_id=connect["access_key"],
        aws_secret_access_key=connect["secret_key"],
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )
    s3.create_bucket(Bucket="lake")
    text = "id,tail\n" + "".join(f"{at},LX-{at}\n" for at in range(ROWS))
    s3.put_object(Bucket="lake", Key="planes/a.csv", Body=text.encode())
    client = Http(connect["sql"]["http"], connect["access_key"], connect["secret_key"])
    declared = client.hand_in("CREATE EXTERNAL TABLE planes STORED AS CSV LOCATION 's3://lake/planes/'")
    assert declared["state"] == "finished" and declared["done"] == "CREATE TABLE", declared
    both(cloud, client, folder)
    step("handed in, looked at, fetched once; parameters; a wrong key is refused; clarence sql shows a table")

    # Every format, whole.
    before = max(entry["index"] for entry in cloud.entries())
    told = client.hand_in("SELECT id, tail FROM planes ORDER BY id")
    rows = list(csv.reader(io.StringIO(client.rows(told, "csv").decode())))
    assert len(rows) == ROWS + 1 and rows[-1] == [str(ROWS - 1), f"LX-{ROWS - 1}"]
    out = folder / "planes.parquet"
    asked(cloud, "-c", "SELECT id, tail FROM planes", "--format", "parquet", "--out", str(out))
    assert pyarrow.parquet.read_table(out).num_rows == ROWS
    out = folder / "planes.arrow"
    asked(cloud, "-c", "SELECT id, tail FROM planes", "--format", "arrow", "--out", str(out))
    with pyarrow.ipc.open_stream(out) as stream:
        assert stream.read_all().num_rows == ROWS
    lines = asked(cloud, "-c", "SELECT id FROM planes WHERE id < 10", "--format", "ndjson").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == list(range(10))
    new = [entry for entry in cloud.entries(before) if entry["index"] > before]
    closed = [entry for entry in new if entry["kind"] == "close" and entry.get("rows") == str(ROWS)]
    assert len(closed) == 3, new
    step(f"{ROWS} rows in CSV, Parquet and Arrow; the ledger closes each with its rows")

    # What people type.
    wrong = asked(cloud, "-c", "SELECT nothing FROM planes", check=False)
    assert wrong.returncode == 2 and "42703" in wrong.stderr, wrong
    wrong = asked(cloud, "-c", "SELECT * FROM absent", check=False)
    assert wrong.returncode == 5 and "42P01" in wrong.stderr, wrong
    stranger = {"AWS_ACCESS_KEY_ID": "AKIANOBODY", "AWS_SECRET_ACCESS_KEY": "x"}
    wrong = asked(cloud, "-c", "SELECT 1", env=stranger, check=False)
    assert wrong.returncode == 4, wrong
    bars = asked(cloud, "--plot", "-c", "SELECT 'esch' AS c, 20 AS n UNION ALL SELECT 'wiltz', 5").stdout
    assert bars.count("█") == 62 and "▌" in bars, bars
    typed = "SELECT count(*) AS n\nFROM planes;\n\\d\n\\d planes\nSELECT 1 AS one;\n"
    out = asked(cloud, stdin=typed).stdout
    assert "100000" in out and "planes" in out and "bigint" in out and "one" in out, out
    envelope = json.loads(asked(cloud, "--json", "-c", "SELECT 1 AS one").stdout)
    assert envelope["type"] == "sql" and envelope["data"]["answer"] == [{"one": 1}], envelope
    step("clarence sql: errors with their exit codes, bars, statements from a pipe, one envelope")

    # Cancelled from the keyboard, by a request, and by its time.
    command = [clouds.binary(), "sql", "--data", str(cloud.data), "-c", ENDLESS]
    running = subprocess.Popen(command, env=clouds.own_settings(), stderr=subprocess.PIPE, text=True)
    time.sleep(1.5)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    assert running.returncode == 130, running.returncode
    _, mine = client.json("GET", "/v1/statements")
    assert [told["state"] for told in mine["statements"]].count("cancelled") == 1, mine
    status, told = client.json("POST", "/v1/statements", {"sql": ENDLESS})
    assert status == 202 and told["state"] == "running", told
    begun = time.monotonic()
    client.json("DELETE", f"/v1/statements/{told['id']}")
    _, told = client.json("GET", f"/v1/statements/{told['id']}?wait_ms=20000")
    assert told["state"] == "cancelled" and time.monotonic() - begun < 10, told
    late = asked(cloud, "--timeout", "1", "-c", ENDLESS, check=False)
    assert late.returncode == 1 and "57014" in late.stderr, late
    step("a statement is ended from the keyboard, by a request and by its time")

    # The node goes away in the middle, and nothing is taken for whole.
    told = client.hand_in("SELECT a.tail, b.tail FROM planes a, planes b WHERE b.id < 1000")
    request = urllib.request.Request(client.url + told["rows_at"] + "?format=csv", headers={"Authorization": client.basic})
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read(100_000)
        key = connect["access_key"]
        cloud.cli("key", "suspend", key)
        try:
            while answer.read(1 << 20):
                pass
            raise AssertionError("an answer that was cut off looks whole")
        except (OSError, ValueError, urllib.error.URLError) as error:
            step(f"a key was suspended: what was being fetched with it is cut off ({type(error).__name__})")
        except Exception as error:  # http.client's own
            assert type(error).__name__ == "IncompleteRead", error
            step("a key was suspended: what was being fetched with it is cut off")


if __name__ == "__main__":
    main()
