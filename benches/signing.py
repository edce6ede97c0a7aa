"""Presigned requests (Signature Version 4 in the query), one by one or by the hundred thousand.

The truth is botocore's signer. It takes about 0.1 ms per URL, too long for a million of them, so `many`
derives the signing key once and only hashes what differs from URL to URL. Every list that `many` makes
is held against botocore's answer for its first URL before it is used.
"""

import hashlib
import hmac
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

LIFE_SECONDS = 12 * 3600


class Signer:
    """Signs for one store with one credential."""

    def __init__(self, endpoint, region, access_key, secret_key):
        self.endpoint = endpoint.rstrip("/")
        self.host = urlsplit(self.endpoint).netloc
        self.region = region
        self.access_key = access_key
        self.secret_key = secret_key

    def one(self, method, path, query=()):
        """The path and query of one presigned request, by botocore."""
        url = self.endpoint + quote(path, safe="/-_.~")
        if query:
            url += "?" + urlencode(list(query), quote_via=quote, safe="-_.~")
        request = AWSRequest(method, url)
        credentials = Credentials(self.access_key, self.secret_key)
        S3SigV4QueryAuth(credentials, "s3", self.region, expires=LIFE_SECONDS).add_auth(request)
        parts = urlsplit(request.prepare().url)
        return f"{parts.path}?{parts.query}"

    def many(self, method, paths):
        """Yields the same for each path; the paths may hold only unreserved characters and '/'."""
        paths = iter(paths)
        first = next(paths, None)
        if first is None:
            return
        expected = self.one(method, first)
        date = parse_qs(urlsplit(expected).query)["X-Amz-Date"][0]
        sign = self._quick_signer(method, date)
        if sign(first) != expected:
            raise RuntimeError(f"the quick signer and botocore disagree:\n{sign(first)}\n{expected}")
        yield expected
        for path in paths:
            yield sign(path)

    def _quick_signer(self, method, date):
        scope = f"{date[:8]}/{self.region}/s3/aws4_request"
        key = ("AWS4" + self.secret_key).encode()
        for word in (date[:8], self.region, "s3", "aws4_request"):
            key = hmac.digest(key, word.encode(), "sha256")
        query = (
            "X-Amz-Algorithm=AWS4-HMAC-SHA256"
            f"&X-Amz-Credential={quote(self.access_key + '/' + scope, safe='-_.~')}"
            f"&X-Amz-Date={date}&X-Amz-Expires={LIFE_SECONDS}&X-Amz-SignedHeaders=host"
        )
        before = f"{method}\n".encode()
        after = f"\n{query}\nhost:{self.host}\n\nhost\nUNSIGNED-PAYLOAD".encode()
        head = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n".encode()

        def sign(path):
            canonical = hashlib.sha256(before + path.encode() + after).hexdigest()
            signature = hmac.digest(key, head + canonical.encode(), "sha256").hex()
            return f"{path}?{query}&X-Amz-Signature={signature}"

        return sign
