"""pyarrow's own S3 file system (aws-sdk-cpp): Parquet files and a partitioned dataset."""

import os

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.dataset as ds
import pyarrow.fs as fs
import pyarrow.parquet as pq

print("version", pa.__version__)
scheme = os.environ["AWS_ENDPOINT_URL"].split(":")[0]
more = {"tls_ca_file_path": os.environ["AWS_CA_BUNDLE"]} if os.environ.get("AWS_CA_BUNDLE") else {}
store = fs.S3FileSystem(
    access_key=os.environ["AWS_ACCESS_KEY_ID"],
    secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    endpoint_override=os.environ["CLARENCE_ENDPOINT_HOST"],
    scheme=scheme,
    region=os.environ["AWS_DEFAULT_REGION"],
    allow_bucket_creation=True,
    allow_bucket_deletion=True,
    **more,
)
bucket = "clients-pyarrow"
store.create_dir(bucket)

flights = csv.read_csv(os.path.join(os.environ["CLARENCE_TEST_DATA"], "aviation/flights.csv.gz"))
assert flights.num_rows == 336_776, flights.num_rows

pq.write_table(flights, f"{bucket}/d/flights.parquet", filesystem=store, row_group_size=50_000)
back = pq.read_table(f"{bucket}/d/flights.parquet", filesystem=store)
assert back.cast(flights.schema).equals(flights)  # Parquet keeps seconds as milliseconds
column = pq.read_table(f"{bucket}/d/flights.parquet", filesystem=store, columns=["carrier"])
assert column.num_rows == flights.num_rows

ds.write_dataset(
    flights,
    f"{bucket}/by-carrier",
    filesystem=store,
    format="parquet",
    partitioning=ds.partitioning(pa.schema([("carrier", pa.string())]), flavor="hive"),
)
dataset = ds.dataset(f"{bucket}/by-carrier", filesystem=store, format="parquet", partitioning="hive")
assert dataset.count_rows() == flights.num_rows
assert dataset.to_table(filter=ds.field("carrier") == "UA").num_rows == flights["carrier"].to_pylist().count("UA")

with store.open_output_stream(f"{bucket}/stream.bin") as out:
    for i in range(24):
        out.write(bytes([i]) * 1_000_000)
with store.open_input_file(f"{bucket}/stream.bin") as into:
    into.seek(10_999_999)
    assert into.read(2) == bytes([10, 11])
    assert into.size() == 24_000_000

store.copy_file(f"{bucket}/stream.bin", f"{bucket}/d/copy.bin")
assert store.get_file_info(f"{bucket}/d/copy.bin").size == 24_000_000
store.move(f"{bucket}/d/copy.bin", f"{bucket}/d/moved.bin")
assert store.get_file_info(f"{bucket}/d/copy.bin").type == fs.FileType.NotFound
names = [f.path for f in store.get_file_info(fs.FileSelector(f"{bucket}/d", recursive=True))]
assert sorted(names) == [f"{bucket}/d/flights.parquet", f"{bucket}/d/moved.bin"], names

store.delete_dir(f"{bucket}/by-carrier")
assert store.get_file_info(f"{bucket}/by-carrier").type == fs.FileType.NotFound
store.delete_dir(bucket)
assert store.get_file_info(bucket).type == fs.FileType.NotFound
print("did create_dir write_table read_table dataset stream(multipart) seek copy move delete_dir")
