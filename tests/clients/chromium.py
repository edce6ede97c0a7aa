#!/usr/bin/env python3
"""Post-quantum TLS with a real browser: Chromium as Debian ships it, without a window, with a profile of its own.

    tests/clients/chromium.py

CLARENCE_BIN names the program. Only loopback is used: every other name is one that the browser cannot resolve. The
browser's own record of its connections (its net log) tells which group and which signature it took.

The authorities of the node are given to it by a policy, as an administrator gives them: Debian 12's `certutil` cannot
put an ML-DSA certificate into a database of NSS. The policy's folder is bound over /etc/chromium for the browser alone,
in a mount namespace; the machine's own is not touched.
"""

import base64
import html
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives.serialization import Encoding  # noqa: E402

from pq_tls import clouds, counters, s3, shown, start  # noqa: E402

# Numbers of the registry of TLS: a group, signature schemes.
X25519MLKEM768, X25519, MLDSA65, ECDSA_P256 = 0x11EC, 0x001D, 0x0905, 0x0403
SECONDS_MAX = 90
TEXT = "Seen in a browser: <é>"


class Browser:
    """A browser that trusts the authorities it is given, besides those it comes with."""

    def __init__(self, folder, authorities=()):
        self.folder = folder
        (folder / "etc" / "policies" / "managed").mkdir(parents=True)
        policy = {"CACertificates": [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in authorities]}
        (folder / "etc" / "policies" / "managed" / "authorities.json").write_text(json.dumps(policy))

    def see(self, url, *more):
        """The text of a page, or the name of the error; and its finished handshakes as the browser recorded them."""
        log = self.folder / "net.json"
        log.unlink(missing_ok=True)
        browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
                   "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
                   f"--user-data-dir={self.folder / 'profile'}", f"--log-net-log={log}", "--dump-dom", *more, url]
        namespace = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"])]
        bound = ["sh", "-c", 'mount --bind "$0" /etc/chromium && exec "$@"', str(self.folder / "etc")]
        env = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR")}
        ran = subprocess.run([*namespace, *bound, *browser], env={**env, "HOME": str(self.folder)}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS_MAX)
        failed = re.search(r"net::(ERR_\w+)", ran.stderr)
        page = re.search(r"<pre[^>]*>(.*)</pre>", ran.stdout, re.DOTALL)
        assert failed or page, ran
        return failed.group(1) if failed else html.unescape(page.group(1)), handshakes(log)


def handshakes(log):
    """Version, group and signature scheme of each finished handshake in a net log."""
    record = json.loads(log.read_text())
    kind, end = record["constants"]["logEventTypes"]["SSL_CONNECT"], record["constants"]["logEventPhase"]["PHASE_END"]
    ended = [event["params"] for event in record["events"] if event["type"] == kind and event["phase"] == end and "params" in event]
    return {(one["version"], one["key_exchange_group"], one["peer_signature_algorithm"]) for one in ended if "version" in one}


def page_of(cloud, credential, authorities):
    """An object with a text, and the link to it that a person would be given."""
    client = s3(credential, credential["endpoint"], authorities)
    client.create_bucket(Bucket="pages", CreateBucketConfiguration={"LocationConstraint": credential["region"]})
    client.put_object(Bucket="pages", Key="page", Body=TEXT.encode(), ContentType="text/plain; charset=utf-8")
    return client.generate_presigned_url("get_object", Params={"Bucket": "pages", "Key": "page"}, ExpiresIn=900)


def allowed(cloud, folder):
    """The default: the browser's handshake is hybrid, its certificate is checked, and TLS 1.2 is counted as classical."""
    start(cloud, "--tls")
    credential = cloud.connect()
    authorities = Path(credential["ca_bundle"])
    known = x509.load_pem_x509_certificates(authorities.read_bytes())
    browser, stranger = Browser(folder / "browser", known), Browser(folder / "stranger")
    link, health = page_of(cloud, credential, authorities), f"https://localhost:{cloud.port}/healthz"

    before = counters(cloud, authorities)
    assert browser.see(link) == (TEXT, {("TLS 1.3", X25519MLKEM768, MLDSA65)})
    after = counters(cloud, authorities)
    # One of the handshakes is that of the first reading of the counters.
    assert after["hybrid"] - before["hybrid"] >= 2 and after["classical"] == before["classical"], (before, after)
    version = subprocess.run(["chromium", "--version"], capture_output=True, text=True, check=True).stdout.split(" built")[0].strip()
    shown(f"{version} opens a share link: TLS 1.3, X25519MLKEM768, certificate ML-DSA-65 under the node's authority; counted as hybrid, 0 classical")

    # The control: that the certificate is looked at, and whose it is.
    assert stranger.see(health) == ("ERR_CERT_AUTHORITY_INVALID", set())
    ecdsa = [one for one in known if one.signature_algorithm_oid.dotted_string == "1.2.840.10045.4.3.2"]
    assert len(ecdsa) == 1 and Browser(folder / "half", ecdsa).see(health) == ("ERR_CERT_AUTHORITY_INVALID", set())
    assert browser.see(health.replace("localhost", "127.0.0.1"))[0] == "ok\n"
    assert browser.see(health.replace("localhost", "other.localhost"))[0] == "ERR_CERT_COMMON_NAME_INVALID"
    shown("a browser without the node's authorities, one with the ECDSA authority alone, and a name that is not in the certificate: no page")

    before = counters(cloud, authorities)
    assert browser.see(link, "--ssl-version-max=tls1.2") == (TEXT, {("TLS 1.2", X25519, ECDSA_P256)})
    after = counters(cloud, authorities)
    assert after["classical"] > before["classical"] and after["hybrid"] - before["hybrid"] == 1, (before, after)
    shown("the same browser held to TLS 1.2: X25519, certificate ECDSA P-256; counted as classical")
    cloud.stop()
    return browser, authorities, link


def refused(cloud, browser, authorities, link):
    """With the setting it sees the page as before, and nothing over TLS 1.2."""
    start(cloud, "--tls", "--tls-classical", "refuse")
    assert browser.see(link) == (TEXT, {("TLS 1.3", X25519MLKEM768, MLDSA65)})
    before = counters(cloud, authorities)
    assert before["refused classical"] == 0, before
    error, finished = browser.see(link, "--ssl-version-max=tls1.2")
    after = counters(cloud, authorities)
    assert error.startswith("ERR_SSL_") and not finished, (error, finished)
    assert after["refused classical"] > 0 and after["classical"] == 0, after
    shown(f"with s3.tls_classical = refuse: over TLS 1.3 the page, over TLS 1.2 {error}, counted as refused")
    cloud.stop()


def main():
    with tempfile.TemporaryDirectory(prefix="clarence-chromium-") as temporary:
        folder = Path(temporary)
        cloud = clouds.Cloud(folder / "node")
        try:
            refused(cloud, *allowed(cloud, folder))
        except BaseException:
            print("--- the node's last words\n" + cloud.last_words(25))
            raise
        finally:
            cloud.kill()
    print("all shown")


if __name__ == "__main__":
    main()
