#!/usr/bin/env python3
"""TPC-H through psycopg over sealed Parquet, its 22 answers compared with DuckDB over the same plain Parquet.

    CLARENCE_BIN=… tests/tpch.py [--scale 0.01] [--rounds 1]

With more rounds it prints times too: the best of each, cold left out. On one machine and beside other work they say little; the
ratio within one run says more.
"""

import argparse
import datetime
import decimal
import math
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import boto3  # noqa: E402
import botocore.config  # noqa: E402
import cloud as clouds  # noqa: E402
import duckdb  # noqa: E402
import duckdb_extension_tpch  # noqa: E402
import psycopg  # noqa: E402

TABLES = ["region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem"]


def plain(value):
    """A value that two engines write alike."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, str):
        return value.strip()
    return value


def same(one, other):
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=0.011)
    return one == other


def compare(number, ours, theirs):
    assert len(ours) == len(theirs), f"query {number}: {len(ours)} rows, and DuckDB has {len(theirs)}"
    for row, (left, right) in enumerate(zip(ours, theirs)):
        left, right = [plain(value) for value in left], [plain(value) for value in right]
        assert all(map(same, left, right)), f"query {number}, row {row}: {left} and DuckDB {right}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", default="0.01")
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        extension = next(Path(duckdb_extension_tpch.__file__).parent.glob("extensions/*/tpch.duckdb_extension"))
        db = duckdb.connect(config={"allow_unsigned_extensions": "true", "autoinstall_known_extensions": "false"})
        db.execute(f"LOAD '{extension}'")
        db.execute(f"CALL dbgen(sf={asked.scale})")
        for table in TABLES:
            db.execute(f"COPY {table} TO '{folder}/{table}.parquet' (FORMAT parquet, COMPRESSION zstd)")
            db.execute(f"DROP TABLE {table}")
            db.execute(f"CREATE VIEW {table} AS SELECT * FROM '{folder}/{table}.parquet'")
        questions = dict(db.execute("SELECT query_nr, query FROM tpch_queries()").fetchall())
        cloud = clouds.Cloud(folder / "node")
        port = clouds.free_port()
        try:
            cloud.up("--sql", f"127.0.0.1:{port}")
            run(cloud, port, folder, db, questions, asked.rounds)
        finally:
            cloud.stop()


def run(cloud, port, folder, db, questions, rounds):
    connect = cloud.connect()
    s3 = boto3.client(
        "s3",
        endpoint_url=connect["endpoint"],
        region_name=connect["region"],
        aws_access_key_id=connect["access_key"],
        aws_secret_access_key=connect["secret_key"],
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )
    s3.create_bucket(Bucket="tpch")
    with psycopg.connect(
        host="127.0.0.1",
        port=port,
        user=connect["access_key"],
        password=connect["secret_key"],
        dbname="clarence",
        autocommit=True,
    ) as client:
        for table in TABLES:
            s3.upload_file(str(folder / f"{table}.parquet"), "tpch", f"{table}/{table}.parquet")
            client.execute(f"CREATE EXTERNAL TABLE {table} STORED AS PARQUET LOCATION 's3://tpch/{table}/'")
        ours, theirs = {}, {}
        for number, question in sorted(questions.items()):
            for turn in range(rounds):
                begun = time.perf_counter()
                answer = client.execute(question.rstrip().rstrip(";")).fetchall()
                between = time.perf_counter()
                expected = db.execute(question).fetchall()
                after = time.perf_counter()
                if turn == 0:
                    compare(number, answer, expected)
                if turn > 0 or rounds == 1:
                    ours[number] = min(ours.get(number, math.inf), between - begun)
                    theirs[number] = min(theirs.get(number, math.inf), after - between)
        if rounds > 1:
            for number in sorted(ours):
                ratio = ours[number] / theirs[number]
                print(f"  query {number:2}  {ours[number]:7.3f} s   DuckDB {theirs[number]:7.3f} s   {ratio:5.2f}")
            whole, other = sum(ours.values()), sum(theirs.values())
            print(f"  all       {whole:7.3f} s   DuckDB {other:7.3f} s   {whole / other:5.2f}")
        print(f"TPC-H: {len(ours)} of {len(questions)} answers are DuckDB's")
    assert len(ours) == 22, sorted(ours)


if __name__ == "__main__":
    main()
