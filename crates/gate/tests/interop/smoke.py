"""Unmodified clients with their default settings against the door. Usage: smoke.py ENDPOINT KEY SECRET REGION

Each client that is installed is run; one that is missing is named and skipped. Exits 1 if any fails. With an
https endpoint only those run that take their authority from AWS_CA_BUNDLE and SSL_CERT_FILE.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
import urllib.request

ENDPOINT, KEY, SECRET, REGION = sys.argv[1:5]
HOST = ENDPOINT.split("//")[1]
WORK = tempfile.mkdtemp(prefix="gate-smoke-")
ENV = {
    **{k: v for k, v in os.environ.items() if not k.startswith("AWS_") or k == "AWS_CA_BUNDLE"},
    "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true", "HOME": WORK, "PYENV_VERSION": os.environ.get("PYENV_VERSION", ""),
}
if not ENV["PYENV_VERSION"]:
    del ENV["PYENV_VERSION"]
SMALL, LARGE = os.path.join(WORK, "small"), os.path.join(WORK, "large file +ü.bin")
with open(SMALL, "wb") as f:
    f.write(b"hello world")
with open(LARGE, "wb") as f:
    f.write(os.urandom(20 << 20))


def run(*command, **more):
    done = subprocess.run(command, env=ENV | more, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def same(one, two):
    with open(one, "rb") as a, open(two, "rb") as b:
        assert hashlib.file_digest(a, "sha256").digest() == hashlib.file_digest(b, "sha256").digest()


def boto3():
    import boto3
    from botocore.exceptions import ClientError

    s3 = boto3.client("s3", endpoint_url=ENDPOINT, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name=REGION)
    s3.create_bucket(Bucket="boto", CreateBucketConfiguration={"LocationConstraint": REGION})
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]].count("boto") == 1
    put = s3.put_object(Bucket="boto", Key="a b/ü+%", Body=b"hello", Metadata={"n": "1"}, IfNoneMatch="*")
    assert put["ChecksumCRC32"] or put["ChecksumCRC64NVME"], put
    got = s3.get_object(Bucket="boto", Key="a b/ü+%")
    assert got["Body"].read() == b"hello" and got["Metadata"] == {"n": "1"} and got["ETag"] == put["ETag"]
    for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]:
        try:
            s3.put_object(Bucket="boto", Key=algorithm, Body=b"hello", ChecksumAlgorithm=algorithm)
        except Exception as error:  # CRC32C and CRC64NVME need awscrt
            assert "Missing Dependency" in str(error), error
    for call in [
        lambda: s3.put_object(Bucket="boto", Key="a b/ü+%", Body=b"x", IfNoneMatch="*"),
        lambda: s3.get_object(Bucket="boto", Key="a b/ü+%", IfMatch='"0"'),
    ]:
        try:
            call()
            raise AssertionError("412 expected")
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 412, error
    s3.upload_file(LARGE, "boto", "large")
    s3.download_file("boto", "large", LARGE + ".boto")
    same(LARGE, LARGE + ".boto")
    attributes = s3.get_object_attributes(Bucket="boto", Key="large", ObjectAttributes=["ETag", "ObjectParts", "ObjectSize"])
    assert attributes["ObjectSize"] == 20 << 20 and attributes["ETag"].count("-") == 1, attributes
    s3.copy_object(Bucket="boto", Key="copy", CopySource={"Bucket": "boto", "Key": "a b/ü+%"})
    assert s3.head_object(Bucket="boto", Key="copy")["ContentLength"] == 5
    keys = [o["Key"] for p in s3.get_paginator("list_objects_v2").paginate(Bucket="boto", PaginationConfig={"PageSize": 2}) for o in p["Contents"]]
    assert "a b/ü+%" in keys and keys == sorted(keys), keys
    assert s3.list_objects(Bucket="boto", Delimiter="/")["CommonPrefixes"] == [{"Prefix": "a b/"}]
    link = s3.generate_presigned_url("get_object", Params={"Bucket": "boto", "Key": "a b/ü+%", "ResponseContentType": "a/b"})
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == b"hello" and answer.headers["Content-Type"] == "a/b"
    done = s3.delete_objects(Bucket="boto", Delete={"Objects": [{"Key": key} for key in keys]})
    assert len(done["Deleted"]) == len(keys)
    s3.delete_bucket(Bucket="boto")
    scheme, port = ENDPOINT.split("://")[0], HOST.rsplit(":", 1)[1]
    virtual = boto3.client("s3", endpoint_url=f"{scheme}://localhost:{port}", aws_access_key_id=KEY,
                           aws_secret_access_key=SECRET, region_name=REGION)
    virtual.create_bucket(Bucket="virtual", CreateBucketConfiguration={"LocationConstraint": REGION})
    virtual.put_object(Bucket="virtual", Key="k", Body=b"x")
    assert virtual.get_object(Bucket="virtual", Key="k")["Body"].read() == b"x"


def aws():
    s3 = ["aws", "--endpoint-url", ENDPOINT, "s3"]
    run(*s3, "mb", "s3://awscli")
    run(*s3, "cp", SMALL, "s3://awscli/dir/small")
    run(*s3, "cp", LARGE, "s3://awscli/dir/large")
    run(*s3, "sync", "s3://awscli/dir", os.path.join(WORK, "aws-out"))
    same(LARGE, os.path.join(WORK, "aws-out", "large"))
    run(*s3, "mv", "s3://awscli/dir/small", "s3://awscli/other")
    assert "other" in run(*s3, "ls", "s3://awscli")
    run(*s3, "rb", "--force", "s3://awscli")


def s3cmd():
    base = ["s3cmd", f"--access_key={KEY}", f"--secret_key={SECRET}", f"--host={HOST}", f"--host-bucket={HOST}",
            "--no-ssl", f"--region={REGION}"]
    run(*base, "mb", "s3://s3cmd")
    run(*base, "put", LARGE, "s3://s3cmd/large", "--multipart-chunk-size-mb=5")
    run(*base, "get", "s3://s3cmd/large", LARGE + ".s3cmd")
    same(LARGE, LARGE + ".s3cmd")
    assert "FULL_CONTROL" in run(*base, "info", "s3://s3cmd/large")
    run(*base, "info", "s3://s3cmd")
    run(*base, "modify", "--add-header=x-amz-meta-n:1", "s3://s3cmd/large")
    run(*base, "cp", "s3://s3cmd/large", "s3://s3cmd/copy")
    run(*base, "rb", "--recursive", "--force", "s3://s3cmd")


def rclone():
    more = {"RCLONE_CONFIG_X_TYPE": "s3", "RCLONE_CONFIG_X_PROVIDER": "Other", "RCLONE_CONFIG_X_ENDPOINT": ENDPOINT,
            "RCLONE_CONFIG_X_ACCESS_KEY_ID": KEY, "RCLONE_CONFIG_X_SECRET_ACCESS_KEY": SECRET,
            "RCLONE_CONFIG_X_REGION": REGION}
    source = os.path.join(WORK, "tree")
    os.makedirs(os.path.join(source, "a", "b"), exist_ok=True)
    for n in range(30):
        with open(os.path.join(source, "a", "b", f"{n} ü+&.txt"), "w") as f:
            f.write(str(n) * n)
    shutil.copy(LARGE, os.path.join(source, "large"))
    run("rclone", "mkdir", "x:rclone", **more)
    run("rclone", "copy", source, "x:rclone/tree", "--s3-upload-cutoff=5M", "--s3-chunk-size=5M", **more)
    run("rclone", "check", source, "x:rclone/tree", **more)
    run("rclone", "check", "--download", source, "x:rclone/tree", **more)
    run("rclone", "copy", "x:rclone/tree/large", "x:rclone/copied", **more)
    run("rclone", "purge", "x:rclone", **more)


def restic():
    more = {"RESTIC_PASSWORD": "x", "RESTIC_REPOSITORY": f"s3:{ENDPOINT}/restic/repo"}
    run("restic", "init", "-o", f"s3.region={REGION}", **more)
    run("restic", "-o", f"s3.region={REGION}", "backup", LARGE, **more)
    run("restic", "-o", f"s3.region={REGION}", "check", "--read-data", **more)
    out = os.path.join(WORK, "restored")
    run("restic", "-o", f"s3.region={REGION}", "restore", "latest", "--target", out, **more)
    same(LARGE, out + LARGE)


def pyarrow():
    from pyarrow import fs

    s3 = fs.S3FileSystem(access_key=KEY, secret_key=SECRET, region=REGION, endpoint_override=HOST, scheme="http",
                         allow_bucket_creation=True, allow_bucket_deletion=True)
    s3.create_dir("arrow/dir")
    with s3.open_output_stream("arrow/dir/f") as out:
        out.write(b"x" * (12 << 20))
    with s3.open_input_file("arrow/dir/f") as f:
        assert f.size() == 12 << 20 and f.read_at(5, 100) == b"xxxxx"
    assert len(s3.get_file_info(fs.FileSelector("arrow", recursive=True))) == 2
    s3.delete_dir("arrow/dir")


failed = []
for client in [boto3, aws] if ENDPOINT.startswith("https") else [boto3, aws, s3cmd, rclone, restic, pyarrow]:
    name = client.__name__
    if name not in ("boto3", "pyarrow") and not shutil.which(name):
        print(f"{name}: not installed, skipped")
        continue
    try:
        client()
        print(f"{name}: ok")
    except ImportError as error:
        print(f"{name}: skipped ({error})")
    except Exception:
        failed.append(name)
        print(f"{name}: FAILED")
        traceback.print_exc()
shutil.rmtree(WORK, ignore_errors=True)
sys.exit(1 if failed else 0)
