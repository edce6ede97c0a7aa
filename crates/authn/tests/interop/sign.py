"""Signs requests with an unmodified botocore and prints what it would send, one JSON object a line.

Nothing is sent: a handler of botocore's own `before-send` event keeps each request. Every line has the
method, the target as it would stand in the request line, all headers, the body in base64 (framing
included) and what the verifier is expected to say: "ok" or the name of an error.
"""

import base64
import json
import logging
import urllib.parse

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

ACCESS, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
REGION = "lu-1"
KEYS = [
    "plain.txt", "a b", " lead", "trail ", "two  spaces", "plus+plus", "per%cent", "%2F", "%20", "a%2Bb",
    "~tilde~", "double//slash", "/leading", "trailing/", "a/./b", "a/../b", "../up", ".", "dots...",
    "ü", "Lëtzebuerg/Stad/é.pdf", "日本語/キー", "emoji-😀", "e\u0301 combining", "quote'\"", "semi;colon",
    "a=b&c=d", "question?mark", "hash#tag", "at@sign", "colon:colon", "comma,comma", "star*", "paren()",
    "brackets[]{}", "pipe|", "back\\slash", "caret^", "tick`", "dollar$", "bang!", "less<more>",
    "tab\there", "new\nline", "\x7f", "x" * 1024, "\u00a0nbsp", "\u200bzero", "a\u0000b", "\U0010ffff",
]

lines = []


class Silent:
    """The empty body of an answer that never came."""

    def read(self, *_):
        return b""

    def stream(self, *_args, **_kwargs):
        return iter([b""])


def keep(expect):
    def handler(request, **_):
        body = request.body
        if hasattr(body, "read"):
            body = body.read()
        if isinstance(body, str):
            body = body.encode()
        emit(request.method, request.url, request.headers.items(), body or b"", expect)
        return AWSResponse(request.url, 200, {"etag": '"x"'}, Silent())

    return handler


def emit(method, url, headers, body, expect):
    parts = urllib.parse.urlsplit(url)
    pairs = [(n.lower(), v.decode() if isinstance(v, bytes) else str(v)) for n, v in headers]
    if not any(n == "host" for n, _ in pairs):
        pairs.insert(0, ("host", parts.netloc))
    lines.append({
        "method": method,
        "path": parts.path,
        "query": parts.query,
        "headers": pairs,
        "body": base64.b64encode(body).decode(),
        "expect": expect,
    })


def client(endpoint="http://127.0.0.1:9000", style="path", expect="ok", token=None, **config):
    made = boto3.client(
        "s3", endpoint_url=endpoint, region_name=config.pop("region", REGION), aws_access_key_id=ACCESS,
        aws_secret_access_key=SECRET, aws_session_token=token,
        config=Config(s3={"addressing_style": style, **config.pop("s3", {})}, retries={"max_attempts": 0},
                      **config),
    )
    made.meta.events.register("before-send.s3", keep(expect))
    return made


def tried(act, **kwargs):
    """Answers are empty, so that botocore may fail to read them; the request is kept by then."""
    before = len(lines)
    try:
        act(**kwargs)
    except Exception:  # noqa: BLE001
        if len(lines) == before:
            raise


def objects(c):
    for key in KEYS:
        tried(c.get_object, Bucket="bucket", Key=key)
        tried(c.put_object, Bucket="bucket", Key=key, Body=b"some bytes " * 20)
    tried(c.head_object, Bucket="bucket", Key="a b")
    tried(c.get_object, Bucket="bucket", Key="k", Range="bytes=0-9", IfMatch='"abc"', PartNumber=3)
    tried(c.delete_object, Bucket="bucket", Key="a+b c")
    tried(c.put_object, Bucket="bucket", Key="m", Body=b"", ContentType="text/plain; charset=utf-8",
          CacheControl="no-cache,  no-store", IfNoneMatch="*",
          Metadata={"one": "  two   spaces  ", "Camel": "Case", "empty": "", "list": "a,b;c=d"})
    for kind in ("CRC32", "SHA1", "SHA256"):
        tried(c.put_object, Bucket="bucket", Key="sum", Body=b"z" * 70000, ChecksumAlgorithm=kind)
    tried(c.copy_object, Bucket="bucket", Key="to", CopySource={"Bucket": "bucket", "Key": "fröm + ?%"})


def buckets(c):
    tried(c.list_buckets)
    tried(c.create_bucket, Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    tried(c.head_bucket, Bucket="bucket")
    tried(c.get_bucket_location, Bucket="bucket")
    tried(c.get_bucket_versioning, Bucket="bucket")
    tried(c.list_objects, Bucket="bucket", Prefix="a b/ü+%", Delimiter="/", Marker="~&=", MaxKeys=7)
    tried(c.list_objects_v2, Bucket="bucket", Prefix="日本", StartAfter="a/b c", FetchOwner=True,
          ContinuationToken="abc/+==", EncodingType="url")
    tried(c.delete_objects, Bucket="bucket", Delete={"Objects": [{"Key": k} for k in ("a", "ü", "x y")]})
    tried(c.create_multipart_upload, Bucket="bucket", Key="big ü")
    tried(c.upload_part, Bucket="bucket", Key="big ü", UploadId="u+/=", PartNumber=10000, Body=b"p" * 3000)
    tried(c.upload_part_copy, Bucket="bucket", Key="big", UploadId="u", PartNumber=2, CopySource="bucket/a%20b",
          CopySourceRange="bytes=1-2")
    tried(c.complete_multipart_upload, Bucket="bucket", Key="big ü", UploadId="u",
          MultipartUpload={"Parts": [{"ETag": '"e"', "PartNumber": 1}]})
    tried(c.list_parts, Bucket="bucket", Key="big ü", UploadId="u", PartNumberMarker=5)


def links(c, expect):
    for key in KEYS:
        link(c, "GET", "get_object", expect, Bucket="bucket", Key=key)
    link(c, "PUT", "put_object", expect, Bucket="bucket", Key="up load")
    link(c, "HEAD", "head_object", expect, Bucket="bucket", Key="ü")
    link(c, "DELETE", "delete_object", expect, Bucket="bucket", Key="ü")
    link(c, "GET", "list_objects_v2", expect, Bucket="bucket", Prefix="a+b c/~", Delimiter="/")
    link(c, "GET", "get_object", expect, Bucket="bucket", Key="k", ResponseContentType="text/plain; x=y",
         ResponseContentDisposition="attachment; filename=\"ü +.txt\"")


def link(c, method, name, expect, **params):
    url = c.generate_presigned_url(name, Params=params, ExpiresIn=604800, HttpMethod=method)
    emit(method, url, [], b"", expect)


def main():
    logging.disable(logging.CRITICAL)
    plain = client()
    objects(plain)
    buckets(plain)
    tls = client("https://s3.lu-1.example.lu")  # the trailer framing of bodies
    objects(tls)
    hosts = client("https://s3.lu-1.example.lu", style="virtual")
    objects(hosts)
    buckets(hosts)
    objects(client(request_checksum_calculation="when_required", s3={"payload_signing_enabled": False}))
    objects(client("https://s3.lu-1.example.lu", s3={"payload_signing_enabled": True}))
    links(client(signature_version="s3v4"), "ok")
    links(client(style="virtual", endpoint="https://s3.example.lu:8443", signature_version="s3v4"), "ok")
    links(client(region="us-east-1", signature_version="s3"), "SignatureV2")
    link(client(signature_version="s3v4", region="eu-central-1"), "GET", "get_object", "Region", Bucket="bucket", Key="k")
    tried(client(region="us-east-1", expect="Region").get_object, Bucket="bucket", Key="k")
    tried(client(signature_version="s3", expect="SignatureV2").get_object, Bucket="bucket", Key="k")
    tried(client(token="a-token", expect="SessionToken").get_object, Bucket="bucket", Key="k")
    link(client(token="a-token", signature_version="s3v4"), "GET", "get_object", "SessionToken", Bucket="bucket", Key="k")
    for line in lines:
        print(json.dumps(line))


main()
