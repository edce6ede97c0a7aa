#!/usr/bin/env python3
"""Unmodified PostgreSQL clients against a real node: psql, psycopg, pg8000 and SQLAlchemy ask, write, cancel, are
refused and come back; every statement is on the ledger; a killed engine comes back while S3 goes on.

    CLARENCE_BIN=… tests/sql.py
"""

import datetime
import decimal
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import boto3  # noqa: E402
import botocore.config  # noqa: E402
import cloud as clouds  # noqa: E402
import pg8000.dbapi  # noqa: E402
import psycopg  # noqa: E402
import sqlalchemy  # noqa: E402

PEOPLE = """id,born,canton,income
p1,1980-02-03,esch,1000
p2,1990-05-06,esch,2500
p3,1990-07-08,diekirch,3000
"""


def step(text):
    print(f"  {text}", flush=True)


class Door:
    """Where SQL is, and who asks."""

    def __init__(self, cloud, port):
        self.connect = cloud.connect()
        self.port = port
        self.user = self.connect["access_key"]
        self.password = self.connect["secret_key"]

    def psql(self, text, password=None, database="clarence", user=None):
        """What psql prints, and how it ended."""
        command = ["psql", "-X", "-h", "127.0.0.1", "-p", str(self.port), "-U", user or self.user, "-d", database]
        command += ["-v", "ON_ERROR_STOP=1", "-At", "-c", text]
        env = {**os.environ, "PGPASSWORD": password or self.password, "PGCONNECT_TIMEOUT": "10"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    def psycopg(self, **more):
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=self.user, password=self.password, dbname="clarence", **more
        )


def make_tables(door):
    s3 = boto3.client(
        "s3",
        endpoint_url=door.connect["endpoint"],
        region_name=door.connect["region"],
        aws_access_key_id=door.user,
        aws_secret_access_key=door.password,
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )
    s3.create_bucket(Bucket="registers")
    s3.put_object(Bucket="registers", Key="people/a.csv", Body=PEOPLE.encode())
    code, _, said = door.psql(
        "CREATE EXTERNAL TABLE people STORED AS CSV LOCATION 's3://registers/people/' OPTIONS ('subject' 'id')"
    )
    assert code == 0, said
    return s3


def psql_asks(door):
    code, out, said = door.psql("SELECT canton, count(*), sum(income) FROM people GROUP BY canton ORDER BY canton")
    assert (code, out) == (0, "diekirch|1|3000\nesch|2|3500"), (code, out, said)
    code, out, said = door.psql("SET clarence.purpose = 'statistics'; SELECT max(born) FROM people WHERE id = 'p2'")
    assert (code, out.splitlines()[-1]) == (0, "1990-05-06"), (code, out, said)
    for wrong, user in [("wrong", None), ("wrong", "NOBODYATALL")]:
        code, _, said = door.psql("SELECT 1", password=wrong, user=user)
        assert code == 2 and "password authentication failed" in said, said
    code, _, said = door.psql("SELECT 1", database="agr_0123456789abcdef")
    assert code == 2 and "no database" in said, said
    for text, wanted in [
        ("SELECT * FROM absent", "not found"),
        ("SELECT absent FROM people", "absent"),
        ("SELEC 1", "not SQL"),
        ("COPY people TO '/tmp/x'", "not served"),
        ("SELECT * FROM '/etc/passwd'", "not found"),
        ("DELETE FROM people", "not served"),
        ("SET no_such = 1", "unrecognized"),
    ]:
        code, _, said = door.psql(text)
        assert code == 1 and wanted in said, (text, said)
    step("psql asks, is answered, and is refused in sentences")


def psql_looks_around(door):
    for command, wanted in [
        ("\\dt", "people"),
        ("\\d people", "income"),
        ("\\d", "people"),
        ("\\dn", "public"),
        ("\\l", "first"),
        ("\\du", door.user[:4]),
        ("\\df nothing*", ""),
        ("\\di", ""),
        ("\\dv", ""),
    ]:
        code, out, said = door.psql(command)
        assert code == 0 and wanted in out, (command, out, said)
    step("psql's \\d commands show the session's tables")


def psycopg_asks(door):
    with door.psycopg() as client:
        client.autocommit = True
        row = client.execute(
            "SELECT id, born, income, income / 3.0, CAST(income AS numeric(10, 2)), NULL, true FROM people WHERE income > %s AND born < %s",
            (1500, datetime.date(1990, 6, 1)),
        ).fetchone()
        assert row[:3] == ("p2", datetime.date(1990, 5, 6), 2500), row
        assert row[4] == decimal.Decimal("2500.00") and row[5] is None and row[6] is True, row
        # Binary values, many rows, a cursor on the server.
        cursor = client.cursor(binary=True)
        cursor.execute("SELECT x, x * 0.5, 'v' || x FROM generate_series(1, 100000) AS g(x) ORDER BY x")
        rows = cursor.fetchall()
        assert len(rows) == 100_000 and rows[-1][0] == 100_000 and rows[-1][2] == "v100000", rows[-1]
        for number in range(20):  # psycopg prepares what it asks often
            found = client.execute("SELECT count(*) FROM people WHERE income >= %s", (number * 200,)).fetchone()
            assert found[0] == sum(income >= number * 200 for income in (1000, 2500, 3000)), (number, found)
        client.execute("CREATE TABLE made WITH (bucket = 'registers', subject = 'id') AS SELECT id, income FROM people")
        assert client.execute("INSERT INTO made VALUES (%s, %s)", ("p9", 9)).rowcount == 1
        assert client.execute("SELECT count(*), sum(income) FROM made").fetchone()[0] == 4
        assert client.execute("SELECT count(*) FROM made FOR VERSION AS OF 1").fetchone()[0] == 3
        for text, code in [
            ("SELECT * FROM absent", "42P01"),
            ("SELECT absent FROM people", "42703"),
            ("SELEC", "42601"),
            ("VACUUM", "0A000"),
        ]:
            try:
                client.execute(text)
                raise AssertionError(f"{text} was answered")
            except psycopg.Error as error:
                assert error.sqlstate == code, (text, error.sqlstate, error)
    with door.psycopg() as client:
        with client.transaction():
            client.execute("SELECT 1")
        try:
            with client.transaction():
                client.execute("SELECT absent FROM people")
        except psycopg.Error:
            pass
        assert client.execute("SELECT 1").fetchone() == (1,), "the session goes on after a failed block"
    step("psycopg: parameters, binary values, 100,000 rows, prepared statements, tables made and added to, error codes")


LONG = "SELECT count(*) FROM generate_series(1, 200000) AS a(x), generate_series(1, 200000) AS b(y) WHERE (x * y) % 7 = 3"


def it_is_ended(door):
    with door.psycopg() as client:
        client.autocommit = True
        client.execute("SET statement_timeout = '300ms'")
        begun = time.monotonic()
        try:
            client.execute(LONG)
            raise AssertionError("a statement outlived its time")
        except psycopg.errors.QueryCanceled:
            assert time.monotonic() - begun < 10
        client.execute("SET statement_timeout = 0")
        threading.Timer(0.5, client.cancel).start()
        begun = time.monotonic()
        try:
            client.execute(LONG)
            raise AssertionError("a statement outlived its cancelling")
        except psycopg.errors.QueryCanceled:
            assert time.monotonic() - begun < 10
        assert client.execute("SELECT 1").fetchone() == (1,), "the session goes on"
    step("a timeout and a cancel end what runs, and the session goes on")


def others_ask(door):
    client = pg8000.dbapi.connect(
        user=door.user, password=door.password, host="127.0.0.1", port=door.port, database="clarence"
    )
    cursor = client.cursor()
    cursor.execute("SELECT id, income FROM people WHERE canton = %s ORDER BY id", ("esch",))
    assert [list(row) for row in cursor.fetchall()] == [["p1", 1000], ["p2", 2500]]
    client.close()
    engine = sqlalchemy.create_engine(
        f"postgresql+psycopg://{door.user}:{door.password}@127.0.0.1:{door.port}/clarence"
    )
    with engine.connect() as connection:
        found = connection.execute(sqlalchemy.text("SELECT count(*) FROM people")).scalar()
        assert found == 3, found
        inspector = sqlalchemy.inspect(connection)
        assert "people" in inspector.get_table_names(), inspector.get_table_names()
        columns = {column["name"]: str(column["type"]) for column in inspector.get_columns("people")}
        assert list(columns) == ["id", "born", "canton", "income"], columns
        table = sqlalchemy.Table("people", sqlalchemy.MetaData(), autoload_with=connection)
        rows = connection.execute(sqlalchemy.select(table.c.id).where(table.c.income > 2000).order_by(table.c.id)).all()
        assert [row[0] for row in rows] == ["p2", "p3"], rows
    engine.dispose()
    step("pg8000 asks; SQLAlchemy reflects a table and asks through it")


def the_ledger_has_it(door, cloud):
    """Asks for one person, and finds the grant, sealed before a byte left, and what closed it."""
    before = max(entry["index"] for entry in cloud.entries())
    code, out, said = door.psql("SET clarence.case = 'A-17'; SELECT income FROM people WHERE id = 'p2'")
    assert (code, out.splitlines()[-1]) == (0, "2500"), said
    new = [entry for entry in cloud.entries(before) if entry["index"] > before]
    grant = [entry for entry in new if entry.get("operation") == "Query"]
    assert len(grant) == 1 and grant[0]["resource"] == "people", new
    shown = str(grant[0])
    assert "A-17" in shown and "income" in shown, shown
    closes = [entry for entry in new if entry["kind"] == "close" and entry.get("link") == str(grant[0]["index"])]
    assert len(closes) == 1 and closes[0]["rows"] == "1", new
    step("the ledger has what a statement was granted, and what closed it")


def the_engine_comes_back(door, cloud, s3):
    before = cloud.part("engine")
    assert before, "there is no engine"
    os.kill(before, signal.SIGKILL)
    assert s3.get_object(Bucket="registers", Key="people/a.csv")["Body"].read() == PEOPLE.encode()
    until = time.monotonic() + 30
    while True:
        code, out, said = door.psql("SELECT count(*) FROM people")
        if (code, out) == (0, "3"):
            break
        assert time.monotonic() < until, said
        time.sleep(0.2)
    assert cloud.part("engine") != before
    step("a killed engine is started again; S3 went on meanwhile")


def main():
    with tempfile.TemporaryDirectory() as folder:
        cloud = clouds.Cloud(folder)
        port = clouds.free_port()
        try:
            cloud.up("--sql", f"127.0.0.1:{port}")
            door = Door(cloud, port)
            s3 = make_tables(door)
            psql_asks(door)
            psycopg_asks(door)
            it_is_ended(door)
            psql_looks_around(door)
            others_ask(door)
            the_ledger_has_it(door, cloud)
            the_engine_comes_back(door, cloud, s3)
        finally:
            cloud.stop()
    print("SQL by unmodified clients: all held")


if __name__ == "__main__":
    main()
