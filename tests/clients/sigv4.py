"""Signature Version 4 by hand, so that a test can get any part of it wrong; and a request sent byte by byte."""

import datetime
import hashlib
import hmac
import http.client
import os
import socket
import ssl
from urllib.parse import quote, urlsplit

EMPTY = hashlib.sha256(b"").hexdigest()


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Signer:
    """Signs requests for one credential. Every argument that `send` takes besides is a way to lie."""

    def __init__(self, endpoint, region, access_key, secret_key):
        self.url = urlsplit(endpoint)
        self.region, self.access_key, self.secret_key = region, access_key, secret_key

    def connect(self):
        """A plain or TLS connection."""
        door = socket.create_connection((self.url.hostname, self.url.port), timeout=30)
        if self.url.scheme == "https":
            door = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"]).wrap_socket(door, server_hostname=self.url.hostname)
        return door

    def key(self, day, region):
        """The signing key of a day."""
        key = _hmac(b"AWS4" + self.secret_key.encode(), day)
        for part in (region, "s3", "aws4_request"):
            key = _hmac(key, part)
        return key

    def head(self, method, path, query="", headers=None, body=b"", payload=None, skew_seconds=0, region=None, access_key=None, spoil=False, length=None):
        """The bytes of a signed request's head, and what chunk signatures go on from."""
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=skew_seconds)
        stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        region = region or self.region
        payload = payload or hashlib.sha256(body).hexdigest()
        sent = {"host": self.url.netloc, "x-amz-date": stamp, "x-amz-content-sha256": payload}
        sent.update({k.lower(): v for k, v in (headers or {}).items()})
        if length is not False:
            sent.setdefault("content-length", str(len(body) if length is None else length))
        names = ";".join(sorted(sent))
        pairs = sorted((p if "=" in p else p + "=" for p in query.split("&")), key=lambda p: p.split("=", 1)) if query else []
        canonical = "\n".join([method, path, "&".join(pairs), *(f"{k}:{' '.join(sent[k].split())}" for k in sorted(sent)), "", names, payload])
        scope = f"{day}/{region}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        signature = hmac.new(self.key(day, region), text.encode(), hashlib.sha256).hexdigest()
        if spoil:
            signature = ("0" if signature[0] != "0" else "1") + signature[1:]
        sent["authorization"] = f"AWS4-HMAC-SHA256 Credential={access_key or self.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        target = path + ("?" + query if query else "")
        lines = [f"{method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in sent.items()), "", ""]
        return "\r\n".join(lines).encode(), (stamp, scope, self.key(day, region), signature)

    def chunks(self, seed, pieces, spoil=None):
        """The pieces in `aws-chunked` framing with signatures; the one numbered `spoil` is signed wrong."""
        stamp, scope, key, previous = seed
        out = b""
        for number, piece in enumerate([*pieces, b""]):
            text = "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", stamp, scope, previous, EMPTY, hashlib.sha256(piece).hexdigest()])
            previous = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
            shown = "f" * 64 if number == spoil else previous
            out += f"{len(piece):x};chunk-signature={shown}\r\n".encode() + piece + b"\r\n"
        return out

    def raw(self, request, half_close=False):
        """Sends bytes as they are and gives status and body; (None, b"") if the node just hung up."""
        with self.connect() as door:
            try:
                for at in range(0, len(request), 65536):
                    door.sendall(request[at:at + 65536])
                if half_close:
                    door.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the node answered early and hung up; its answer can still be read
            answer = http.client.HTTPResponse(door, method=request.split(b" ", 1)[0].decode("latin-1"))
            try:
                answer.begin()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException, ValueError):
                return None, b""

    def send(self, method, path, query="", body=b"", half_close=False, **lies):
        """Signs, sends, and gives status and body."""
        head, _ = self.head(method, path, query, body=body, **lies)
        return self.raw(head + body, half_close)

    def presign(self, path, expires, skew_seconds=0):
        """The query of a presigned GET."""
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=skew_seconds)
        stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        scope = f"{day}/{self.region}/s3/aws4_request"
        query = "&".join([
            "X-Amz-Algorithm=AWS4-HMAC-SHA256", f"X-Amz-Credential={quote(self.access_key + '/' + scope, safe='')}",
            f"X-Amz-Date={stamp}", f"X-Amz-Expires={expires}", "X-Amz-SignedHeaders=host"])
        canonical = "\n".join(["GET", path, query, f"host:{self.url.netloc}", "", "host", "UNSIGNED-PAYLOAD"])
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        return query + "&X-Amz-Signature=" + hmac.new(self.key(day, self.region), text.encode(), hashlib.sha256).hexdigest()
