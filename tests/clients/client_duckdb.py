"""DuckDB with its httpfs extension: SQL straight over the bucket."""

import glob
import os

import duckdb
import duckdb_extension_httpfs

print("version", duckdb.__version__)
files = os.path.join(os.path.dirname(duckdb_extension_httpfs.__file__), "extensions/*/httpfs.duckdb_extension")
db = duckdb.connect(config={"allow_unsigned_extensions": "true", "autoinstall_known_extensions": "false"})
db.execute(f"LOAD '{glob.glob(files)[0]}'")

tls = os.environ["AWS_ENDPOINT_URL"].startswith("https")
if tls:
    db.execute(f"SET ca_cert_file = '{os.environ['AWS_CA_BUNDLE']}'")
    db.execute("SET enable_server_cert_verification = true")
db.execute(
    f"""CREATE SECRET (TYPE s3, KEY_ID '{os.environ["AWS_ACCESS_KEY_ID"]}', SECRET '{os.environ["AWS_SECRET_ACCESS_KEY"]}',
        ENDPOINT '{os.environ["CLARENCE_ENDPOINT_HOST"]}', URL_STYLE 'path', USE_SSL {str(tls).lower()},
        REGION '{os.environ["AWS_DEFAULT_REGION"]}')"""
)

# DuckDB makes no buckets; a stock client does.
import boto3  # noqa: E402

s3 = boto3.client("s3")
bucket = "clients-duckdb"
s3.create_bucket(Bucket=bucket)

def one(sql):
    return db.execute(sql).fetchall()

data = os.environ["CLARENCE_TEST_DATA"]
db.execute(f"COPY (SELECT * FROM read_csv('{data}/aviation/flights.csv.gz', nullstr = 'NA')) TO 's3://{bucket}/flights.parquet'")
assert one(f"SELECT count(*) FROM 's3://{bucket}/flights.parquet'") == [(336_776,)]
local = one(f"SELECT carrier, count(*), round(avg(dep_delay), 3) FROM read_csv('{data}/aviation/flights.csv.gz', nullstr = 'NA') GROUP BY 1 ORDER BY 1")
there = one(f"SELECT carrier, count(*), round(avg(dep_delay), 3) FROM 's3://{bucket}/flights.parquet' GROUP BY 1 ORDER BY 1")
assert local == there

# Large enough for a multipart upload.
db.execute(f"COPY (SELECT range a, hash(range) b FROM range(6000000)) TO 's3://{bucket}/big.parquet'")
assert one(f"SELECT count(*), sum(a) FROM 's3://{bucket}/big.parquet'") == [(6_000_000, 17_999_997_000_000)]

db.execute(f"COPY (SELECT * FROM 's3://{bucket}/flights.parquet') TO 's3://{bucket}/parts' (FORMAT parquet, PARTITION_BY (origin, month))")
assert one(f"SELECT count(*) FROM read_parquet('s3://{bucket}/parts/**/*.parquet', hive_partitioning = true)") == [(336_776,)]
some = one(f"SELECT count(*) FROM read_parquet('s3://{bucket}/parts/**/*.parquet', hive_partitioning = true) WHERE origin = 'JFK' AND month = 7")
assert some == one(f"SELECT count(*) FROM read_csv('{data}/aviation/flights.csv.gz', nullstr = 'NA') WHERE origin = 'JFK' AND month = 7")
assert len(one(f"FROM glob('s3://{bucket}/parts/*/*/*.parquet')")) >= 36

db.execute(f"COPY (FROM read_csv('{data}/population-luxembourg.csv')) TO 's3://{bucket}/population.csv' (HEADER)")
assert one(f"SELECT count(*) FROM read_csv('s3://{bucket}/population.csv')") == one(f"SELECT count(*) FROM read_csv('{data}/population-luxembourg.csv')")

for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": o["Key"]} for o in page.get("Contents", [])]})
s3.delete_bucket(Bucket=bucket)
print("did copy-to(multipart) read_parquet partition_by glob(hive) read_csv")
