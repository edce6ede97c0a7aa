#!/usr/bin/env python3
"""Arrow Flight SQL by ADBC, a client that knows nothing of Clarence, plain and over TLS.

    CLARENCE_BIN=… tests/flight.py
"""

import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import adbc_driver_flightsql  # noqa: E402
import adbc_driver_flightsql.dbapi  # noqa: E402
import adbc_driver_manager  # noqa: E402
import boto3  # noqa: E402
import botocore.config  # noqa: E402
import cloud as clouds  # noqa: E402
import pyarrow  # noqa: E402
from adbc_driver_manager import AdbcStatusCode  # noqa: E402

ROWS = 100_000
ENDLESS = "SELECT count(*) FROM planes a, generate_series(1, 100000000) AS g(x) WHERE (a.id * x) % 7 = 9"
OPTIONS = adbc_driver_flightsql.DatabaseOptions
HEADER = OPTIONS.RPC_CALL_HEADER_PREFIX.value


def step(text):
    print(f"  {text}", flush=True)


def connect(cloud, authorities=None, user=None, secret=None, **more):
    told = cloud.connect()
    options = {"username": user or told["access_key"], "password": secret or told["secret_key"], **more}
    if authorities:
        options[OPTIONS.TLS_ROOT_CERTS.value] = authorities
    url = told["sql"]["flight"].replace("127.0.0.1", "localhost")
    return adbc_driver_flightsql.dbapi.connect(url, db_kwargs=options, autocommit=True)


def refused(code, what, *arguments):
    """Expects that something is refused in a certain way, and gives the message."""
    try:
        what(*arguments)
    except adbc_driver_manager.Error as error:
        assert error.status_code == code, (error.status_code, error)
        return str(error)
    raise AssertionError(f"it was not refused: {arguments}")


def asked(connection, sql, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetch_arrow_table()


def both(cloud, authorities=None):
    with connect(cloud, authorities) as connection:
        table = asked(connection, "SELECT id, tail FROM planes WHERE id < 3 ORDER BY id")
        assert table.to_pydict() == {"id": [0, 1, 2], "tail": ["LX-0", "LX-1", "LX-2"]}, table
        assert table.schema.types == [pyarrow.int64(), pyarrow.string()], table.schema
        assert asked(connection, "SELECT tail FROM planes WHERE id = $1", [7]).to_pydict() == {"tail": ["LX-7"]}
        info = connection.adbc_get_info()
        assert info["vendor_name"] == "Clarence", info
    told = refused(AdbcStatusCode.UNAUTHENTICATED, connect, cloud, authorities, "AKIANOBODY", "x")
    other = refused(AdbcStatusCode.UNAUTHENTICATED, connect, cloud, authorities, None, "x")
    assert "not its own" in told and "not its own" in other, (told, other)


def served(cloud, authorities):
    """Waits until SQL is served over TLS."""
    for _ in range(300):
        try:
            return connect(cloud, authorities()).close()
        except (adbc_driver_manager.Error, OSError, KeyError):
            time.sleep(0.1)
    raise AssertionError("nothing is served over TLS")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cloud = clouds.Cloud(folder / "node")
        port = clouds.free_port()
        try:
            cloud.up("--sql-flight", f"127.0.0.1:{port}")
            plain(cloud, port)
            cloud.stop()
            cloud.up("--sql-flight", f"127.0.0.1:{port}", "--tls", wait=False)
            authorities = cloud.data / "tls" / "ca.pem"
            served(cloud, authorities.read_text)
            assert cloud.connect()["sql"]["flight"] == f"grpc+tls://127.0.0.1:{port}", cloud.connect()
            both(cloud, authorities.read_text())
            try:
                connect(cloud)
                raise AssertionError("a stranger's certificate was believed")
            except adbc_driver_manager.Error as error:
                assert "certificate" in str(error), error
            step("the same over TLS, with the local authority's certificate and no other")
        finally:
            cloud.stop()
    print("Arrow Flight SQL: all held")


def plain(cloud, port):
    told = cloud.connect()
    assert told["sql"]["flight"] == f"grpc://127.0.0.1:{port}", told
    s3 = boto3.client(
        "s3",
        endpoint_url=told["endpoint"],
        region_name=told["region"],
        aws_access_key_id=told["access_key"],
        aws_secret_access_key=told["secret_key"],
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )
    s3.create_bucket(Bucket="lake")
    text = "id,tail\n" + "".join(f"{at},LX-{at}\n" for at in range(ROWS))
    s3.put_object(Bucket="lake", Key="planes/a.csv", Body=text.encode())
    with connect(cloud) as connection:
        asked(connection, "CREATE EXTERNAL TABLE planes STORED AS CSV LOCATION 's3://lake/planes/'")
        both(cloud)
        step("asked and bound by ADBC; an unknown key and a wrong secret are refused alike")
        whole(cloud, connection)
        lists(connection)
        wrong(connection)
        ended(cloud, connection, told["access_key"])


def whole(cloud, connection):
    """All rows, and what the ledger says of them."""
    before = max(entry["index"] for entry in cloud.entries())
    table = asked(connection, "SELECT id, tail FROM planes ORDER BY id")
    assert table.num_rows == ROWS and table["tail"][-1].as_py() == f"LX-{ROWS - 1}"
    new = [entry for entry in cloud.entries(before) if entry["index"] > before]
    closed = [entry for entry in new if entry["kind"] == "close" and entry.get("rows") == str(ROWS)]
    assert len(closed) == 1, new
    asked(connection, "CREATE TABLE few WITH (bucket = 'lake') AS SELECT id FROM planes WHERE id < 5")
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO few SELECT id FROM planes WHERE id < $1", [(3,)])
        assert cursor.rowcount == 3, cursor.rowcount
    assert asked(connection, "SELECT count(*) AS n FROM few").to_pydict() == {"n": [8]}
    step(f"{ROWS} rows, and the ledger closes them with their number; a table is made and added to")


def lists(connection):
    tables = connection.adbc_get_objects(depth="columns").read_all().to_pylist()
    (own,) = tables
    (schema,) = own["catalog_db_schemas"]
    assert schema["db_schema_name"] == "public", schema
    names = {table["table_name"]: [column["column_name"] for column in table["table_columns"]] for table in schema["db_schema_tables"]}
    assert names == {"few": ["id"], "planes": ["id", "tail"]}, names
    assert connection.adbc_get_table_types() == ["TABLE"]
    assert connection.adbc_get_table_schema("planes").names == ["id", "tail"]
    step("databases, tables and columns are listed")


def wrong(connection):
    cases = [
        ("SELEC 1", AdbcStatusCode.INVALID_ARGUMENT),
        ("SELECT nothing FROM planes", AdbcStatusCode.INVALID_ARGUMENT),
        ("SELECT * FROM absent", AdbcStatusCode.NOT_FOUND),
        ("DELETE FROM planes", AdbcStatusCode.NOT_IMPLEMENTED),
        ("SELECT id / (id - id) FROM planes WHERE id = 3", AdbcStatusCode.INVALID_ARGUMENT),
    ]
    for sql, code in cases:
        refused(code, asked, connection, sql)
    many = [(1,), (2,)]
    with connection.cursor() as cursor:
        refused(AdbcStatusCode.NOT_IMPLEMENTED, cursor.executemany, "INSERT INTO few SELECT id FROM planes WHERE id = $1", many)
    step("what is wrong is said in the statuses of gRPC")


def ended(cloud, connection, key):
    with connect(cloud, **{HEADER + "clarence.timeout-ms": "1000"}) as hasty:
        refused(AdbcStatusCode.TIMEOUT, asked, hasty, ENDLESS)
    with connection.cursor() as cursor:
        begun = time.monotonic()
        threading.Timer(1, cursor.adbc_cancel).start()
        refused(AdbcStatusCode.CANCELLED, cursor.execute, ENDLESS)
        assert time.monotonic() - begun < 20
    before = max(entry["index"] for entry in cloud.entries())
    with connection.cursor() as cursor:
        cursor.execute("SELECT a.tail, b.tail FROM planes a, planes b WHERE b.id < 1000")
        cursor.fetchone()
    for _ in range(100):
        closed = [entry for entry in cloud.entries(before) if entry["index"] > before and entry["kind"] == "close"]
        if closed:
            break
        time.sleep(0.1)
    assert closed, "a statement that nobody wants any more runs on"
    step("a statement is ended by its time, by its client, and by being left alone")

    # The key is suspended in the middle, and nothing is taken for whole.
    with connection.cursor() as cursor:
        cursor.execute("SELECT a.tail, b.tail FROM planes a, planes b WHERE b.id < 1000")
        reader = cursor.fetch_record_batch()
        reader.read_next_batch()
        cloud.cli("key", "suspend", key)
        try:
            while True:
                reader.read_next_batch()
        except StopIteration:
            raise AssertionError("an answer that was cut off looks whole") from None
        except (adbc_driver_manager.Error, OSError, pyarrow.ArrowException) as error:
            step(f"a key was suspended: what was being fetched with it is cut off ({type(error).__name__})")
    try:
        asked(connection, "SELECT 1")
        asked(connection, "SELECT count(*) FROM planes")
        raise AssertionError("a token outlives its key")
    except adbc_driver_manager.Error as error:
        step(f"and its token reads nothing any more ({error.status_code.name})")


if __name__ == "__main__":
    main()
