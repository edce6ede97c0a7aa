"""Requests that no honest client sends. Each has to get S3's own error code, store nothing, and leave the node
serving: after each one an object is read again and compared."""

import base64
import hashlib
import os
import re
import socket
import time
import zlib

from sigv4 import Signer

B = "clients-bad-input"
s3 = Signer(os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_DEFAULT_REGION"], os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
GOOD = os.urandom(100_000)
BODY = b"would be stored " * 100
results = []


def code_of(body):
    found = re.search(rb"<Code>(\w+)</Code>", body)
    return found.group(1).decode() if found else ""


def case(name, answer, *expected):
    """Checks one answer against the allowed (status, code) pairs, and that the node is unharmed."""
    status, body = answer
    seen = (status, code_of(body))
    fine = seen in expected
    why = "" if fine else f"answered {seen}, expected {' or '.join(map(str, expected))}: {body[:200]!r}"
    if os.environ["AWS_SECRET_ACCESS_KEY"].encode() in body:
        fine, why = False, "the answer holds the secret key"
    status, body = s3.send("GET", f"/{B}/good")
    if (status, body) != (200, GOOD):
        fine, why = False, why + f"; afterwards a good read gave {status}"
    results.append(fine)
    print(f"{'ok  ' if fine else 'FAIL'} {name}{': ' + why if why else ''}", flush=True)


def absent(name, key):
    """Nothing was stored."""
    status, body = s3.send("GET", f"/{B}/{key}")
    case(f"{name}: nothing stored", (status, body), (404, "NoSuchKey"))


def md5(body):
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def crc32(body):
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def who_asks():
    put = ("PUT", f"/{B}/k")
    case("wrong signature", s3.send(*put, body=BODY, spoil=True), (403, "SignatureDoesNotMatch"))
    case("unknown access key", s3.send(*put, body=BODY, access_key="CLNOTAKEY00000000000"), (403, "SignatureDoesNotMatch"))
    case("clock 20 minutes ahead", s3.send(*put, body=BODY, skew_seconds=1200), (403, "RequestTimeTooSkewed"))
    case("clock 20 minutes behind", s3.send(*put, body=BODY, skew_seconds=-1200), (403, "RequestTimeTooSkewed"))
    case("clock a day behind", s3.send(*put, body=BODY, skew_seconds=-86400), (403, "RequestTimeTooSkewed"))
    case("wrong region", s3.send(*put, body=BODY, region="us-east-1"), (400, "AuthorizationHeaderMalformed"))
    host = f"host: {s3.url.netloc}\r\n".encode()
    case("no credential", s3.raw(f"GET /{B}/good HTTP/1.1\r\n".encode() + host + b"\r\n"), (403, "AccessDenied"))
    old = f"GET /{B}/good HTTP/1.1\r\n".encode() + host + b"date: Thu, 01 Jan 2026 00:00:00 GMT\r\nauthorization: AWS AKIA:c2ln\r\n\r\n"
    case("Signature Version 2", s3.raw(old), (400, "InvalidRequest"), (403, "AccessDenied"), (501, "NotImplemented"), (400, "AuthorizationHeaderMalformed"))
    torn = f"GET /{B}/good HTTP/1.1\r\n".encode() + host + b"x-amz-date: 20260101T000000Z\r\nauthorization: AWS4-HMAC-SHA256 Credential=\r\n\r\n"
    case("torn authorization", s3.raw(torn), (400, "AuthorizationHeaderMalformed"), (403, "AccessDenied"))
    gone = s3.presign(f"/{B}/good", 60, skew_seconds=-3600)
    case("expired link", s3.raw(f"GET /{B}/good?{gone} HTTP/1.1\r\n".encode() + host + b"\r\n"), (403, "AccessDenied"), (403, "ExpiredToken"))
    long = s3.presign(f"/{B}/good", 8 * 86400)
    case("link for eight days", s3.raw(f"GET /{B}/good?{long} HTTP/1.1\r\n".encode() + host + b"\r\n"), (400, "AuthorizationQueryParametersError"))
    absent("requests that nobody signed", "k")


def names():
    case("key of 1,024 bytes", s3.send("PUT", f"/{B}/" + "n" * 1024, body=BODY), (200, ""))
    case("key of 1,025 bytes", s3.send("PUT", f"/{B}/" + "n" * 1025, body=BODY), (400, "KeyTooLongError"))
    case("key that is not UTF-8", s3.send("PUT", f"/{B}/%FF%FE", body=BODY), (400, "InvalidURI"), (400, "InvalidArgument"), (400, "InvalidRequest"))
    case("percent sign alone", s3.send("PUT", f"/{B}/100%", body=BODY), (400, "InvalidURI"), (400, "InvalidArgument"), (403, "SignatureDoesNotMatch"))
    case("bucket with capitals", s3.send("PUT", "/NotABucket"), (400, "InvalidBucketName"))
    case("bucket of two letters", s3.send("PUT", "/ab"), (400, "InvalidBucketName"))
    case("way out of the folder", s3.send("GET", f"/{B}/..%2F..%2F..%2Fetc%2Fpasswd"), (404, "NoSuchKey"), (400, "InvalidURI"), (400, "InvalidArgument"))
    s3.send("DELETE", f"/{B}/" + "n" * 1024)


def xml():
    def delete(body):
        return s3.send("POST", f"/{B}", "delete=", body=body, headers={"content-md5": md5(body)})

    levels = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e0 "ha">{levels}]><Delete><Object><Key>&e11;</Key></Object></Delete>'.encode()
    begun = time.monotonic()
    case("XML bomb", delete(bomb), (400, "MalformedXML"))
    outside = b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>'
    case("XML that reads a file", delete(outside), (400, "MalformedXML"))
    case("XML cut off", delete(b"<Delete><Object><Key>good</Key>"), (400, "MalformedXML"))
    case("XML nested 100,000 deep", delete(b"<Delete>" + b"<Object>" * 100_000), (400, "MalformedXML"))
    many = b"<Delete>" + b"".join(b"<Object><Key>%d</Key></Object>" % i for i in range(1001)) + b"</Delete>"
    case("1,001 names to delete", delete(many), (400, "MalformedXML"))
    case("3 MiB of XML", delete(b"<Delete>" + b" " * (3 << 20) + b"</Delete>"), (400, "MalformedXML"), (400, "EntityTooLarge"), (400, "MaxMessageLengthExceeded"), (413, "EntityTooLarge"))
    case("no XML where it is needed", delete(b""), (400, "MalformedXML"), (400, "MissingRequestBodyError"))
    results.append(time.monotonic() - begun < 30)


def bodies():
    half = s3.head("PUT", f"/{B}/half", body=BODY, length=len(BODY) * 2, payload="UNSIGNED-PAYLOAD")[0] + BODY
    case("body cut off", s3.raw(half, half_close=s3.url.scheme == "http"), (400, "IncompleteBody"), (None, "")) if s3.url.scheme == "http" else hang_up(half)
    absent("body cut off", "half")
    hang_up(s3.head("PUT", f"/{B}/hung", body=BODY, length=50_000_000, payload="UNSIGNED-PAYLOAD")[0] + BODY)
    absent("client hung up", "hung")
    other = s3.head("PUT", f"/{B}/other", body=BODY)[0] + BODY[::-1]
    case("another body than was signed", s3.raw(other), (400, "XAmzContentSHA256Mismatch"))
    absent("another body", "other")
    put = ("PUT", f"/{B}/sum")
    case("wrong Content-MD5", s3.send(*put, body=BODY, headers={"content-md5": md5(b"x")}), (400, "BadDigest"))
    case("Content-MD5 that is none", s3.send(*put, body=BODY, headers={"content-md5": "none"}), (400, "InvalidDigest"))
    case("wrong CRC32", s3.send(*put, body=BODY, headers={"x-amz-checksum-crc32": crc32(b"x")}), (400, "BadDigest"), (400, "XAmzContentChecksumMismatch"))
    case("CRC32 that is none", s3.send(*put, body=BODY, headers={"x-amz-checksum-crc32": "AAAA"}), (400, "InvalidRequest"), (400, "InvalidArgument"), (400, "InvalidDigest"))
    absent("wrong sums", "sum")
    case("no length", s3.send(*put, body=b"", length=False), (411, "MissingContentLength"), (400, "MissingContentLength"), (200, ""))
    s3.send("DELETE", f"/{B}/sum")
    case("6 TiB announced", s3.raw(s3.head(*put, body=b"", length=6 << 40, payload="UNSIGNED-PAYLOAD")[0]), (400, "EntityTooLarge"))
    absent("6 TiB", "sum")


def framing():
    pieces = [os.urandom(65536), os.urandom(65536), b"last"]
    whole = b"".join(pieces)

    def put(key, decoded=len(whole), spoil=None, cut=None, change=lambda framed: framed):
        size = len(s3.chunks(s3.head("PUT", "/x")[1], pieces))
        headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(decoded)}
        head, seed = s3.head("PUT", f"/{B}/{key}", headers=headers, payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD", length=size)
        framed = change(s3.chunks(seed, pieces, spoil))
        return s3.raw(head + framed[:cut], half_close=cut is not None and s3.url.scheme == "http")

    case("signed chunks", put("chunked"), (200, ""))
    status, body = s3.send("GET", f"/{B}/chunked")
    case("signed chunks come back whole", (status, b"" if body == whole else b"<Code>Different</Code>"), (200, ""))
    for number in range(4):
        case(f"chunk {number} signed wrong", put("spoiled", spoil=number), (403, "SignatureDoesNotMatch"))
    case("chunk changed", put("spoiled", change=lambda f: f.replace(b"last", b"lost")), (403, "SignatureDoesNotMatch"))
    case("fewer bytes than announced", put("spoiled", decoded=len(whole) + 1), (400, "IncompleteBody"))
    case("more bytes than announced", put("spoiled", decoded=len(whole) - 1), (400, "IncompleteBody"), (400, "InvalidRequest"), (400, "InvalidArgument"))
    case("chunk of negative size", put("spoiled", change=lambda f: b"-1" + f), (400, "InvalidRequest"), (400, "InvalidArgument"), (400, "IncompleteBody"), (400, "InvalidChunkSizeError"))
    case("chunk of 2^64 bytes", put("spoiled", change=lambda f: b"10000000000000000" + f), (400, "InvalidRequest"), (400, "InvalidArgument"), (400, "IncompleteBody"), (400, "InvalidChunkSizeError"))
    if s3.url.scheme == "http":
        case("chunks cut off", put("spoiled", cut=70_000), (400, "IncompleteBody"), (None, ""))
    absent("broken framing", "spoiled")
    s3.send("DELETE", f"/{B}/chunked")


def parts():
    status, body = s3.send("POST", f"/{B}/parts", "uploads=")
    upload = re.search(rb"<UploadId>([^<]+)<", body).group(1).decode()
    for number in ("0", "10001", "-1", "x"):
        answer = s3.send("PUT", f"/{B}/parts", f"partNumber={number}&uploadId={upload}", body=BODY)
        case(f"part number {number}", answer, (400, "InvalidArgument"), (400, "InvalidPartNumber"))
    listed = b"".join(b'<Part><PartNumber>%d</PartNumber><ETag>"%s"</ETag></Part>' % (n, b"0" * 32) for n in range(1, 10_002))
    answer = s3.send("POST", f"/{B}/parts", f"uploadId={upload}", body=b"<CompleteMultipartUpload>" + listed + b"</CompleteMultipartUpload>")
    case("10,001 parts", answer, (400, "MalformedXML"), (400, "InvalidArgument"), (400, "InvalidPart"))
    answer = s3.send("POST", f"/{B}/parts", f"uploadId={upload}", body=b"<CompleteMultipartUpload></CompleteMultipartUpload>")
    case("no parts", answer, (400, "MalformedXML"), (400, "InvalidRequest"))
    case("part of an unknown upload", s3.send("PUT", f"/{B}/parts", "partNumber=1&uploadId=nothing", body=BODY), (404, "NoSuchUpload"))
    case("give the upload up", s3.send("DELETE", f"/{B}/parts", f"uploadId={upload}"), (204, ""))


def heads():
    put = ("PUT", f"/{B}/head")
    case("a header of 100 KiB", s3.send(*put, body=BODY, headers={"x-long": "h" * 100_000}), (431, ""), (400, "RequestHeaderSectionTooLarge"), (400, "MetadataTooLarge"), (400, "InvalidRequest"), (431, "RequestHeaderSectionTooLarge"), (None, ""))
    case("a thousand headers", s3.send(*put, body=BODY, headers={f"x-h{i}": "h" for i in range(1000)}), (431, ""), (400, "RequestHeaderSectionTooLarge"), (400, "InvalidRequest"), (None, ""), (400, ""))
    case("metadata of 3 KiB", s3.send(*put, body=BODY, headers={"x-amz-meta-a": "m" * 3072}), (400, "MetadataTooLarge"))
    smuggled = s3.head(*put, body=BODY, headers={"transfer-encoding": "chunked"}, payload="UNSIGNED-PAYLOAD")[0]
    hidden = f"0\r\n\r\nGET /{B}/smuggled HTTP/1.1\r\nhost: x\r\n\r\n".encode()
    answer = s3.raw(smuggled + hidden)
    case("two lengths", answer, (403, "SignatureDoesNotMatch"), (400, ""), (400, "InvalidRequest"), (400, "IncompleteBody"), (None, ""))
    case("no HTTP at all", s3.raw(b"\x16\x03\x01\x00\xa5 garbage \x00\xff\r\n\r\n"), (400, ""), (None, ""))
    case("a range turned round", s3.send("GET", f"/{B}/good", headers={"range": "bytes=9-2"}), (416, "InvalidRange"), (400, "InvalidArgument"), (200, ""))
    absent("bad heads", "head")


def operations():
    for method, query in (("PUT", "encryption="), ("PUT", "lifecycle="), ("PUT", "replication="), ("GET", "inventory="), ("PUT", "made-up=")):
        case(f"{method} ?{query[:-1]}", s3.send(method, f"/{B}", query, body=b"<X/>"), (501, "NotImplemented"))
    case("PUT object ?retention", s3.send("PUT", f"/{B}/good", "retention=", body=b"<X/>"), (501, "NotImplemented"))
    case("POST object ?select", s3.send("POST", f"/{B}/good", "select=&select-type=2", body=b"<X/>"), (501, "NotImplemented"))
    case("an unknown method", s3.send("BREW", f"/{B}/good"), (405, "MethodNotAllowed"), (501, "NotImplemented"), (400, "InvalidRequest"))
    customer_key = {"x-amz-server-side-encryption-customer-algorithm": "AES256"}
    case("a customer's key", s3.send("PUT", f"/{B}/op", body=BODY, headers=customer_key), (501, "NotImplemented"), (400, "InvalidRequest"), (400, "InvalidArgument"))
    case("max-keys=-1", s3.send("GET", f"/{B}", "list-type=2&max-keys=-1"), (400, "InvalidArgument"))
    case("max-keys=many", s3.send("GET", f"/{B}", "list-type=2&max-keys=many"), (400, "InvalidArgument"), (400, "InvalidRequest"))
    case("a made-up continuation token", s3.send("GET", f"/{B}", "continuation-token=%21%21&list-type=2"), (400, "InvalidArgument"))
    copy = {"x-amz-copy-source": "nothing"}
    case("a copy from nowhere", s3.send("PUT", f"/{B}/op", headers=copy), (400, "InvalidArgument"), (404, "NoSuchBucket"), (404, "NoSuchKey"), (400, "InvalidRequest"))
    absent("operations that are not there", "op")


def slow():
    doors = []
    for _ in range(64):
        door = s3.connect()
        door.sendall(b"GET / HTTP/1.1\r\nhost: ")
        doors.append(door)
    case("64 clients that never finish their head", s3.send("GET", f"/{B}/good"), (200, code_of(GOOD)))
    for door in doors:
        door.close()


def hang_up(request):
    """Sends and goes away without a word."""
    with s3.connect() as door:
        door.sendall(request)
        if s3.url.scheme == "http":
            door.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    time.sleep(0.3)


print("version", "raw")
for request in (("PUT", f"/{B}", b""), ("PUT", f"/{B}/good", GOOD)):
    status, body = s3.send(request[0], request[1], body=request[2])
    assert status == 200, (request[:2], status, body)
for group in (who_asks, names, xml, bodies, framing, parts, heads, operations, slow):
    group()
status, body = s3.send("GET", f"/{B}", "list-type=2")
case("nothing is left but the good object", (status, b"" if body.count(b"<Key>") == 1 else b"<Code>TooMany</Code>"), (200, ""))
s3.send("DELETE", f"/{B}/good")
status, _ = s3.send("DELETE", f"/{B}")
results.append(status == 204)
if not all(results):
    raise SystemExit(f"{results.count(False)} of {len(results)} cases went wrong")
print(f"did {len(results)} cases, each with S3's own error, nothing stored, the node still serving")
