"""boto3 with its default settings: what an engineer writes in the first week, and what another tenant sees."""

import hashlib
import io
import os
import urllib.error
import urllib.request
import ssl

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

print("version", boto3.__version__)
s3 = boto3.client("s3")
B = "clients-boto3"


def code(call, **arguments):
    """The S3 error code and status of a call that has to fail."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    raise AssertionError(f"{call.__name__} {arguments} succeeded")


def read(key, **more):
    return s3.get_object(Bucket=B, Key=key, **more)["Body"].read()


def fetch(url):
    context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"]) if url.startswith("https") else None
    try:
        with urllib.request.urlopen(url, context=context) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def buckets():
    s3.create_bucket(Bucket=B, CreateBucketConfiguration={"LocationConstraint": os.environ["AWS_DEFAULT_REGION"]})
    assert B in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    s3.head_bucket(Bucket=B)
    assert code(s3.create_bucket, Bucket=B, CreateBucketConfiguration={"LocationConstraint": "lu-1"})[0] == "BucketAlreadyOwnedByYou"
    assert code(s3.create_bucket, Bucket="Not_A_Name")[0] in ("InvalidBucketName", "IllegalLocationConstraintException")


def put_and_get():
    body = b"x" * 100
    put = s3.put_object(Bucket=B, Key="k", Body=body, ContentType="text/plain", Metadata={"case": "7", "note": "Lëtzebuerg".encode().hex()},
                        CacheControl="no-store", ContentDisposition='attachment; filename="k"', ContentLanguage="lb")
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=B, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == body
    assert got["ContentType"] == "text/plain" and got["CacheControl"] == "no-store" and got["ContentLanguage"] == "lb"
    assert got["ContentDisposition"] == 'attachment; filename="k"' and got["Metadata"]["case"] == "7"
    assert got["ETag"] == put["ETag"] and got["ChecksumCRC32"] == put["ChecksumCRC32"]
    head = s3.head_object(Bucket=B, Key="k")
    assert head["ContentLength"] == 100 and head["Metadata"] == got["Metadata"] and head["LastModified"]
    s3.put_object(Bucket=B, Key="empty", Body=b"")
    assert read("empty") == b""
    for length in (1, 16383, 16384, 16385, 32768, 32769, 8388607, 8388608, 8388609):
        body = os.urandom(length)
        s3.put_object(Bucket=B, Key=f"edge/{length}", Body=body)
        assert read(f"edge/{length}") == body, length
        assert read(f"edge/{length}", Range=f"bytes={length - 1}-") == body[-1:], length


def checksums():
    import base64
    body = os.urandom(70_000)
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        put = s3.put_object(Bucket=B, Key="sum", Body=body, ChecksumAlgorithm=algorithm)
        got = s3.get_object(Bucket=B, Key="sum", ChecksumMode="ENABLED")
        assert got["Body"].read() == body and got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"], algorithm
    assert put["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert code(s3.put_object, Bucket=B, Key="bad", Body=body, ChecksumSHA256=base64.b64encode(b"\0" * 32).decode())[1] == 400
    assert code(s3.put_object, Bucket=B, Key="bad", Body=body, ContentMD5=base64.b64encode(b"\0" * 16).decode()) == ("BadDigest", 400)
    assert code(s3.get_object, Bucket=B, Key="bad") == ("NoSuchKey", 404)


def ranges():
    body = os.urandom(3_000_000)
    s3.put_object(Bucket=B, Key="r", Body=body)
    for asked, right in (("bytes=0-0", body[:1]), ("bytes=16380-16390", body[16380:16391]), ("bytes=-7", body[-7:]),
                         ("bytes=2999999-9999999", body[-1:]), ("bytes=1048570-2097160", body[1048570:2097161])):
        got = s3.get_object(Bucket=B, Key="r", Range=asked)
        assert got["Body"].read() == right and got["ResponseMetadata"]["HTTPStatusCode"] == 206, asked
        assert got["ContentRange"].endswith("/3000000")
    assert code(s3.get_object, Bucket=B, Key="r", Range="bytes=3000000-") == ("InvalidRange", 416)


def conditions():
    etag = s3.put_object(Bucket=B, Key="lock", Body=b"1", IfNoneMatch="*")["ETag"]
    assert code(s3.put_object, Bucket=B, Key="lock", Body=b"2", IfNoneMatch="*") == ("PreconditionFailed", 412)
    second = s3.put_object(Bucket=B, Key="lock", Body=b"2", IfMatch=etag)["ETag"]
    assert code(s3.put_object, Bucket=B, Key="lock", Body=b"3", IfMatch=etag) == ("PreconditionFailed", 412)
    assert code(s3.put_object, Bucket=B, Key="no-lock", Body=b"3", IfMatch=etag)[1] in (404, 412)
    assert read("lock", IfMatch=second) == b"2"
    assert code(s3.get_object, Bucket=B, Key="lock", IfMatch=etag)[1] == 412
    assert code(s3.get_object, Bucket=B, Key="lock", IfNoneMatch=second)[1] == 304
    when = s3.head_object(Bucket=B, Key="lock")["LastModified"]
    assert code(s3.get_object, Bucket=B, Key="lock", IfModifiedSince=when)[1] == 304


def multipart():
    big = os.urandom(26_000_000)
    s3.upload_fileobj(io.BytesIO(big), B, "big", Config=TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=8 << 20))
    out = io.BytesIO()
    s3.download_fileobj(B, "big", out)
    assert out.getvalue() == big
    etag = s3.head_object(Bucket=B, Key="big")["ETag"]
    assert etag.endswith('-4"'), etag

    up = s3.create_multipart_upload(Bucket=B, Key="parts", Metadata={"a": "b"})["UploadId"]
    tags = []
    for number, piece in ((2, big[5 << 20:]), (1, big[:5 << 20])):
        tags.append({"PartNumber": number, "ETag": s3.upload_part(Bucket=B, Key="parts", UploadId=up, PartNumber=number, Body=piece)["ETag"]})
    assert [p["PartNumber"] for p in s3.list_parts(Bucket=B, Key="parts", UploadId=up)["Parts"]] == [1, 2]
    assert up in [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=B)["Uploads"]]
    assert code(s3.complete_multipart_upload, Bucket=B, Key="parts", UploadId=up, MultipartUpload={"Parts": tags})[0] == "InvalidPartOrder"
    s3.complete_multipart_upload(Bucket=B, Key="parts", UploadId=up, MultipartUpload={"Parts": tags[::-1]})
    assert read("parts") == big
    assert read("parts", Range="bytes=5242870-5242890") == big[5242870:5242891]
    part = s3.get_object(Bucket=B, Key="parts", PartNumber=1)
    assert part["Body"].read() == big[:5 << 20]

    up = s3.create_multipart_upload(Bucket=B, Key="copied")["UploadId"]
    one = s3.upload_part_copy(Bucket=B, Key="copied", UploadId=up, PartNumber=1, CopySource={"Bucket": B, "Key": "big"}, CopySourceRange="bytes=1000-9999999")
    two = s3.upload_part_copy(Bucket=B, Key="copied", UploadId=up, PartNumber=2, CopySource=f"{B}/k")
    s3.complete_multipart_upload(Bucket=B, Key="copied", UploadId=up, MultipartUpload={"Parts": [
        {"PartNumber": 1, "ETag": one["CopyPartResult"]["ETag"]}, {"PartNumber": 2, "ETag": two["CopyPartResult"]["ETag"]}]})
    assert read("copied") == big[1000:10_000_000] + b"x" * 100

    up = s3.create_multipart_upload(Bucket=B, Key="small")["UploadId"]
    small = [{"PartNumber": n, "ETag": s3.upload_part(Bucket=B, Key="small", UploadId=up, PartNumber=n, Body=b"tiny")["ETag"]} for n in (1, 2)]
    assert code(s3.complete_multipart_upload, Bucket=B, Key="small", UploadId=up, MultipartUpload={"Parts": small})[0] == "EntityTooSmall"
    s3.abort_multipart_upload(Bucket=B, Key="small", UploadId=up)
    assert code(s3.list_parts, Bucket=B, Key="small", UploadId=up) == ("NoSuchUpload", 404)


def copies():
    s3.copy_object(Bucket=B, Key="k2", CopySource={"Bucket": B, "Key": "k"})
    assert s3.head_object(Bucket=B, Key="k2")["Metadata"]["case"] == "7"
    s3.copy_object(Bucket=B, Key="k2", CopySource={"Bucket": B, "Key": "k2"}, MetadataDirective="REPLACE", Metadata={"case": "8"})
    assert s3.head_object(Bucket=B, Key="k2")["Metadata"] == {"case": "8"}
    assert code(s3.copy_object, Bucket=B, Key="k2", CopySource={"Bucket": B, "Key": "k2"})[0] == "InvalidRequest"
    assert code(s3.copy_object, Bucket=B, Key="k3", CopySource={"Bucket": B, "Key": "nowhere"}) == ("NoSuchKey", 404)
    awkward = "é + ü & 100%/=?#.txt"
    s3.put_object(Bucket=B, Key=awkward, Body=b"awkward")
    s3.copy(CopySource={"Bucket": B, "Key": awkward}, Bucket=B, Key="from " + awkward)
    assert read("from " + awkward) == b"awkward"


def listings():
    names = sorted([f"list/{a}/{b:03}" for a in "abc" for b in range(15)] + ["list/z", "list/ä", "list/+ +"], key=str.encode)
    for name in names:
        s3.put_object(Bucket=B, Key=name, Body=b"")
    for call in ("list_objects_v2", "list_objects"):
        pages = s3.get_paginator(call).paginate(Bucket=B, Prefix="list/", PaginationConfig={"PageSize": 7})
        assert [o["Key"] for page in pages for o in page.get("Contents", [])] == names, call
        pages = list(s3.get_paginator(call).paginate(Bucket=B, Prefix="list/", Delimiter="/", PaginationConfig={"PageSize": 2}))
        assert [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])] == ["list/a/", "list/b/", "list/c/"], call
        assert [o["Key"] for page in pages for o in page.get("Contents", [])] == ["list/+ +", "list/z", "list/ä"], call
    after = s3.list_objects_v2(Bucket=B, Prefix="list/", StartAfter="list/b/014")
    assert [o["Key"] for o in after["Contents"]] == [n for n in names if n.encode() > b"list/b/014"]
    owner = s3.list_objects_v2(Bucket=B, Prefix="list/z", FetchOwner=True)["Contents"][0]
    assert owner["Owner"]["ID"] and owner["Size"] == 0 and owner["ETag"]


def deletions():
    keys = [f"del/{i}" for i in range(1000)]
    for key in keys[:30]:
        s3.put_object(Bucket=B, Key=key, Body=b"1")
    gone = s3.delete_objects(Bucket=B, Delete={"Objects": [{"Key": k} for k in keys]})
    assert len(gone["Deleted"]) == 1000 and not gone.get("Errors")
    assert s3.list_objects_v2(Bucket=B, Prefix="del/")["KeyCount"] == 0
    assert s3.delete_object(Bucket=B, Key="never-was")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert code(s3.get_object, Bucket=B, Key="del/1") == ("NoSuchKey", 404)
    assert code(s3.head_object, Bucket=B, Key="del/1") == ("404", 404)
    assert code(s3.delete_bucket, Bucket=B) == ("BucketNotEmpty", 409)


def links():
    get = s3.generate_presigned_url("get_object", Params={"Bucket": B, "Key": "k"}, ExpiresIn=60)
    assert fetch(get) == (200, b"x" * 100)
    status, body = fetch(get[:-1] + ("0" if get[-1] != "0" else "1"))
    assert status == 403 and b"SignatureDoesNotMatch" in body
    put = s3.generate_presigned_url("put_object", Params={"Bucket": B, "Key": "by-link"}, ExpiresIn=60)
    context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"]) if put.startswith("https") else None
    urllib.request.urlopen(urllib.request.Request(put, data=b"by link", method="PUT"), context=context).read()
    assert read("by-link") == b"by link"
    shown = s3.generate_presigned_url("get_object", Params={"Bucket": B, "Key": "k", "ResponseContentType": "application/x-seen"}, ExpiresIn=60)
    assert fetch(shown)[0] == 200


def errors():
    assert code(s3.get_object, Bucket="clients-not-there", Key="k") == ("NoSuchBucket", 404)
    assert code(s3.list_objects_v2, Bucket="clients-not-there") == ("NoSuchBucket", 404)
    wrong = boto3.client("s3", aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"], aws_secret_access_key="wrong-" + os.environ["AWS_SECRET_ACCESS_KEY"][6:])
    assert code(wrong.list_buckets) == ("SignatureDoesNotMatch", 403)
    unknown = boto3.client("s3", aws_access_key_id="CLNOTAKEY00000000000", aws_secret_access_key="x" * 40)
    assert code(unknown.list_buckets) == ("SignatureDoesNotMatch", 403)
    for call, more in ((s3.put_bucket_versioning, {"VersioningConfiguration": {"Status": "Enabled"}}), (s3.put_bucket_website, {"WebsiteConfiguration": {}}),
                       (s3.put_object_tagging, {"Key": "k", "Tagging": {"TagSet": []}}), (s3.put_object_acl, {"Key": "k", "ACL": "public-read"})):
        name, status = code(call, Bucket=B, **more)
        assert (name, status) == ("NotImplemented", 501), (call.__name__, name, status)
    assert code(s3.put_object, Bucket=B, Key="k", Body=b"", ACL="public-read")[1] == 501
    assert read("k") == b"x" * 100


def second_tenant():
    other = boto3.client("s3", aws_access_key_id=os.environ["SECOND_ACCESS_KEY_ID"], aws_secret_access_key=os.environ["SECOND_SECRET_ACCESS_KEY"])
    assert B not in [b["Name"] for b in other.list_buckets()["Buckets"]]
    assert code(other.get_object, Bucket=B, Key="k") == ("NoSuchBucket", 404)
    assert code(other.put_object, Bucket=B, Key="k", Body=b"") == ("NoSuchBucket", 404)
    assert code(other.delete_object, Bucket=B, Key="k") == ("NoSuchBucket", 404)
    assert code(other.list_objects_v2, Bucket=B) == ("NoSuchBucket", 404)
    assert code(other.head_bucket, Bucket=B) == ("404", 404)
    assert code(other.delete_bucket, Bucket=B) == ("NoSuchBucket", 404)
    other.create_bucket(Bucket="clients-second")
    assert code(other.copy_object, Bucket="clients-second", Key="x", CopySource={"Bucket": B, "Key": "k"})[1] == 404
    other.delete_bucket(Bucket="clients-second")


def clean():
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=B):
        s3.delete_objects(Bucket=B, Delete={"Objects": [{"Key": o["Key"]} for o in page.get("Contents", [])]})
    s3.delete_bucket(Bucket=B)
    assert code(s3.head_bucket, Bucket=B) == ("404", 404)


wrong = []
steps = [buckets, put_and_get, checksums, ranges, conditions, multipart, copies, listings, deletions, links, errors, second_tenant, clean]
for step in steps:
    try:
        step()
    except Exception as error:
        import traceback
        traceback.print_exc()
        wrong.append(f"{step.__name__} ({error!r})")
if wrong:
    raise SystemExit("wrong: " + "; ".join(wrong))
print("did", " ".join(step.__name__.replace("_", "-") for step in steps))
