#!/usr/bin/env python3
"""Post-quantum TLS against foreign programs: OpenSSL 4 by pyOpenSSL, the OpenSSL of this machine by Python's ssl
and by its command, boto3 directly and through `clarence proxy`.

    tests/clients/pq_tls.py

CLARENCE_BIN names the program. Only loopback is used. Each line of the output is one thing that was shown; the
end is 0 only if all were.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import boto3  # noqa: E402
import OpenSSL  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.exceptions import BotoCoreError, ClientError  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, mldsa  # noqa: E402
from OpenSSL import SSL  # noqa: E402

import cloud as clouds  # noqa: E402

HYBRID = "X25519MLKEM768"
SECONDS_MAX = 20
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def shown(what):
    print(f"shown  {what}", flush=True)


# --- clients -----------------------------------------------------------------------------------------------
def new_openssl(port, authorities):
    """A handshake of OpenSSL 4 with its own defaults: group, version, certificate and an answered request."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.load_verify_locations(str(authorities))
    context.set_verify(SSL.VERIFY_PEER, lambda connection, certificate, error, depth, good: bool(good))
    with socket.create_connection(("127.0.0.1", port), SECONDS_MAX) as plain:
        plain.settimeout(None)
        connection = SSL.Connection(context, plain)
        connection.set_tlsext_host_name(b"localhost")
        connection.set_connect_state()
        connection.do_handshake()
        connection.sendall(REQUEST)
        assert connection.recv(1024).startswith(b"HTTP/1.1 200")
        return connection.get_group_name(), connection.get_protocol_version_name(), connection.get_peer_certificate(as_cryptography=True)


def old_openssl(port, authorities, version=None, name="localhost"):
    """A classical-only handshake of this machine's OpenSSL: version and certificate, or ssl.SSLError."""
    context = ssl.create_default_context(cafile=str(authorities))
    context.set_ecdh_curve("prime256v1")  # nothing hybrid, also where this machine's OpenSSL knows it
    if version:
        context.maximum_version = version
    with socket.create_connection(("127.0.0.1", port), SECONDS_MAX) as plain, context.wrap_socket(plain, server_hostname=name) as secure:
        secure.sendall(REQUEST)
        assert secure.recv(1024).startswith(b"HTTP/1.1 200")
        return secure.version(), x509.load_der_x509_certificate(secure.getpeercert(binary_form=True))


def s_client(port, authorities, *more):
    """`openssl s_client` with classical groups only: its exit code and what it said."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-verify_hostname", "localhost",
               "-CAfile", str(authorities), "-verify_return_error", "-groups", "X25519:P-256", *more]
    ran = subprocess.run(command, input=b"Q\n", capture_output=True, timeout=SECONDS_MAX)
    return ran.returncode, (ran.stdout + ran.stderr).decode(errors="replace")


def refused_by(call, *arguments):
    """Whether a classical client is refused with an alert."""
    try:
        call(*arguments)
    except ssl.SSLError as error:
        return "alert" in str(error).lower()
    except ConnectionResetError:
        return True
    return False


def counters(cloud, authorities):
    """Finished handshakes by class and refused ones by reason, read over a connection that counts itself as hybrid."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.load_verify_locations(str(authorities))
    with socket.create_connection(("127.0.0.1", cloud.port), SECONDS_MAX) as plain:
        plain.settimeout(None)
        connection = SSL.Connection(context, plain)
        connection.set_connect_state()
        connection.sendall(REQUEST.replace(b"/healthz", b"/metrics"))
        answer = b""
        with contextlib.suppress(SSL.ZeroReturnError, SSL.SysCallError):
            while piece := connection.recv(65536):
                answer += piece
    text = answer.decode()
    found = {"hybrid": 0, "classical": 0}
    for kind, count in re.findall(r'clarence_tls_handshakes_total\{.*class="(\w+)"\} (\d+)', text):
        found[kind] += int(count)
    for reason, count in re.findall(r'clarence_tls_handshakes_refused_total\{reason="(\w+)"\} (\d+)', text):
        found[f"refused {reason}"] = int(count)
    found["versions"] = dict(re.findall(r'clarence_tls_handshakes_total\{version="1.2",key_exchange="(\w+)".*\} (\d+)', text))
    return found


def s3(credential, endpoint, authorities=None):
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=credential["region"],
        aws_access_key_id=credential["access_key"],
        aws_secret_access_key=credential["secret_key"],
        verify=str(authorities) if authorities else None,
        config=Config(retries={"max_attempts": 0}, connect_timeout=SECONDS_MAX, read_timeout=60),
    )


@contextlib.contextmanager
def proxy(to, authorities, *more):
    """A running `clarence proxy`: its endpoint and the envelope that it printed."""
    command = [clouds.binary(), "proxy", "--listen", "127.0.0.1:0", "--to", to, "--ca", str(authorities), "--json", *more]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clouds.own_settings())
    try:
        data = json.loads(process.stdout.readline())["data"]
        yield data["endpoint"], data
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0, process.stderr.read()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def start(cloud, *flags):
    """Starts the node and waits until it is open; its door speaks TLS, so it is asked over its socket."""
    cloud.up(*flags, wait=False)
    until = time.monotonic() + clouds.START_SECONDS_MAX
    while cloud.cli("status", check=False).get("sealed") is not False or not (cloud.data / "connect.json").exists():
        assert time.monotonic() < until and cloud.process.poll() is None, cloud.last_words()
        time.sleep(0.05)


# --- what is shown -----------------------------------------------------------------------------------------
def allowed(cloud):
    """The default: hybrid with whoever can, classical for the others, and both are counted."""
    start(cloud, "--tls")
    credential = cloud.connect()
    authorities = Path(credential["ca_bundle"])
    assert credential["endpoint"].startswith("https://")
    assert authorities.stat().st_mode & 0o777 == 0o644
    assert all(f.stat().st_mode & 0o777 == 0o600 for f in authorities.parent.iterdir() if f != authorities)

    before = counters(cloud, authorities)
    group, version, certificate = new_openssl(cloud.port, authorities)
    assert (group, version) == (HYBRID, "TLSv1.3"), (group, version)
    assert isinstance(certificate.public_key(), mldsa.MLDSA65PublicKey)
    assert certificate.signature_algorithm_oid.dotted_string == "2.16.840.1.101.3.4.3.18"
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert "127.0.0.1" in map(str, names.get_values_for_type(x509.IPAddress))
    shown(f"OpenSSL {SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode().split()[1]} (pyOpenSSL {OpenSSL.__version__}): {version}, {group}, certificate ML-DSA-65")

    for limit, expected in ((None, "TLSv1.3"), (ssl.TLSVersion.TLSv1_2, "TLSv1.2")):
        version, certificate = old_openssl(cloud.port, authorities, limit)
        assert version == expected and isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    old_openssl(cloud.port, authorities, name="a-bucket.s3.lu-1.clarence.internal")
    after = counters(cloud, authorities)
    # Each reading of the counters is a hybrid handshake of its own.
    assert after["hybrid"] - before["hybrid"] == 2, (before, after)
    assert after["classical"] - before["classical"] == 3, (before, after)
    assert after["versions"]["secp256r1"] == "1", after
    shown(f"{ssl.OPENSSL_VERSION.split(' ')[1]} of this machine, curves only: served with TLS 1.3 and 1.2, certificate ECDSA P-256, 3 handshakes counted as classical")

    code, said = s_client(cloud.port, authorities)
    assert code == 0 and "Verify return code: 0 (ok)" in said, said
    client = s3(credential, credential["endpoint"], authorities)
    client.create_bucket(Bucket="pq-tls", CreateBucketConfiguration={"LocationConstraint": credential["region"]})
    client.put_object(Bucket="pq-tls", Key="direct", Body=b"x" * 100_000)
    assert client.get_object(Bucket="pq-tls", Key="direct")["Body"].read() == b"x" * 100_000
    shown("openssl s_client and boto3 trust ca.pem as it is")
    cloud.stop()
    return credential, authorities


def refused(cloud, credential, authorities):
    """With the setting, who cannot hybrid is refused by name of the counter, and nobody else is."""
    start(cloud, "--tls", "--tls-classical", "refuse")
    assert new_openssl(cloud.port, authorities)[0] == HYBRID
    assert counters(cloud, authorities)["refused classical"] == 0
    for limit in (None, ssl.TLSVersion.TLSv1_2):
        assert refused_by(old_openssl, cloud.port, authorities, limit)
    code, said = s_client(cloud.port, authorities)
    assert code != 0 and "alert" in said, said
    try:
        s3(credential, credential["endpoint"], authorities).list_buckets()
        direct = True  # this machine's OpenSSL is 3.5 or later and knows the hybrid group
    except BotoCoreError:
        direct = False
    count = counters(cloud, authorities)
    assert count["refused classical"] == 3 + (not direct) and count["classical"] == 0, count
    assert "without hybrid key exchange was refused" in cloud.last_words(200)
    shown(f"with s3.tls_classical = refuse: TLS 1.3 and 1.2 with curves only, openssl s_client{'' if direct else ' and boto3'} are refused, {count['refused classical']} counted; OpenSSL 4 is served")


def through_the_proxy(cloud, credential, authorities):
    """boto3 as it is, over the proxy, to the node that refuses it directly."""
    before = counters(cloud, authorities)
    with proxy(f"https://localhost:{cloud.port}", authorities, "--connections", "8") as (endpoint, data):
        assert data["key_exchange"] == HYBRID, data
        client = s3(credential, endpoint)
        body = os.urandom(20_000_000)
        client.upload_fileobj(io.BytesIO(body), "pq-tls", "multipart")
        assert client.get_object(Bucket="pq-tls", Key="multipart")["Body"].read() == body
        part = client.get_object(Bucket="pq-tls", Key="multipart", Range="bytes=9999990-10000010")["Body"].read()
        assert part == body[9_999_990:10_000_011]
        link = client.generate_presigned_url("get_object", Params={"Bucket": "pq-tls", "Key": "multipart"}, ExpiresIn=60)
        with urllib.request.urlopen(link) as answer:
            assert hashlib.sha256(answer.read()).digest() == hashlib.sha256(body).digest()
        try:
            client.get_object(Bucket="pq-tls", Key="nowhere")
            raise AssertionError("a key that is not there was read")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "NoSuchKey"

        def one(number):
            own = s3(credential, endpoint)
            own.put_object(Bucket="pq-tls", Key=f"many/{number}", Body=str(number).encode() * 1000)
            return own.get_object(Bucket="pq-tls", Key=f"many/{number}")["Body"].read() == str(number).encode() * 1000

        # More clients than connections: the others wait for one, nobody is refused.
        with ThreadPoolExecutor(24) as pool:
            assert all(pool.map(one, range(48)))
    after = counters(cloud, authorities)
    assert after["hybrid"] > before["hybrid"] + 3 and after["classical"] == 0, (before, after)
    shown(f"boto3 {boto3.__version__} through clarence proxy: multipart, ranges, share links, 48 clients over 8 connections, {after['hybrid'] - before['hybrid']} hybrid handshakes, 0 classical")


@contextlib.contextmanager
def old_server(identity):
    """A TLS server of this machine's OpenSSL that knows curves only. It tells whether anybody's handshake was finished."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(identity))
    context.set_ecdh_curve("prime256v1")
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.2)
    finished, over = [], threading.Event()

    def serve():
        while not over.is_set():
            try:
                plain, _ = listener.accept()
            except TimeoutError:
                continue
            plain.settimeout(5)
            with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as secure:
                finished.append(secure.version())

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], finished
    finally:
        over.set()
        thread.join()
        listener.close()


def message_over(to, authorities, credential):
    """What a client of a proxy reads that cannot reach its node."""
    with proxy(to, authorities) as (endpoint, data):
        assert data["key_exchange"] is None, data
        try:
            s3(credential, endpoint).put_object(Bucket="pq-tls", Key="lost", Body=b"secret" * 100_000)
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 502
            assert error.response["Error"]["Code"] == "BadGateway"
            return error.response["Error"]["Message"]
    raise AssertionError("it was sent")


def proxy_refuses(cloud, folder, credential, authorities):
    """The proxy sends nothing to a server that is classical, foreign, plain or not there, and says which it is."""
    node = f"https://localhost:{cloud.port}"
    with old_server(authorities.parent / "server-ecdsa-p256.pem") as (port, finished):
        said = message_over(f"https://localhost:{port}", authorities, credential)
        assert "no hybrid post-quantum key exchange" in said, said
        # The control: the same server serves a client that takes a curve.
        context = ssl.create_default_context(cafile=str(authorities))
        with socket.create_connection(("127.0.0.1", port), SECONDS_MAX) as plain, context.wrap_socket(plain, server_hostname="localhost"):
            pass
        time.sleep(0.2)
        assert len(finished) == 1, finished
    other = folder / "foreign"
    clouds.Cloud(other).cli("tls", "init")
    foreign = other / "cloud" / "tls" / "ca.pem"
    said = message_over(node, foreign, credential)
    assert "was not given out by an authority" in said, said
    said = message_over(f"https://127.0.0.2:{cloud.port}", authorities, credential)
    assert "no connection" in said or "not for the name" in said, said
    said = message_over(f"https://localhost:{clouds.free_port()}", authorities, credential)
    assert "no connection to the server" in said, said
    plain = socket.create_server(("127.0.0.1", 0))

    def speak():
        for _ in range(2):
            stream, _ = plain.accept()
            with stream:
                stream.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    speaking = threading.Thread(target=speak)
    speaking.start()
    said = message_over(f"https://localhost:{plain.getsockname()[1]}", authorities, credential)
    speaking.join()
    plain.close()
    assert "does not speak TLS" in said, said
    for words in (["--listen", "0.0.0.0:0", "--to", node], ["--to", node.replace("https", "http")]):
        ran = subprocess.run([clouds.binary(), "proxy", *words, "--ca", str(authorities)], capture_output=True, text=True, timeout=SECONDS_MAX, env=clouds.own_settings())
        assert ran.returncode == 2, (words, ran)
    shown("clarence proxy sends nothing to a classical, a foreign, a plain and an absent server, and each client reads why; it listens on loopback only")


def renewed(cloud, authorities):
    """New certificates are taken by the running node, under the same authority."""
    before = new_openssl(cloud.port, authorities)[2].serial_number
    again = cloud.cli("tls", "init", check=False)
    assert again["type"] == "conflict", again
    listed = cloud.cli("tls", "renew")["certificates"]
    assert {one["algorithm"] for one in listed} == {"ml-dsa-65", "ecdsa-p256"} and all(one["days_left"] > 390 for one in listed)
    until = time.monotonic() + 60
    while new_openssl(cloud.port, authorities)[2].serial_number == before:
        assert time.monotonic() < until, "the node kept the old certificate"
        time.sleep(0.5)
    shown("renewed certificates are in use without a restart, and clients trust them by the ca.pem they have")


def inventory(cloud):
    """What the inventory tells of a running and of a stopped node."""
    running = cloud.cli("crypto", "inventory")
    uses = {use["name"]: use for use in running["uses"]}
    assert running["node"] == "running" and running["tls_classical"] == "refuse", running["tls_classical"]
    assert uses["root-share"]["count"] == 3 and uses["site-key"]["count"] == 2 and uses["tenant-key"]["count"] == 1
    assert uses["bucket-key"]["count"] == 1 and uses["s3-secret"]["count"] == 1 and uses["bucket-key"]["versions"] == {"1": 1}
    assert uses["tls-server-ml-dsa-65"]["algorithm"] == "ML-DSA-65" and uses["tls-server-ml-dsa-65"]["ends_unix_ms"] > time.time() * 1000
    assert set(running["classical_only"]) == {name for name, use in uses.items() if use["quantum_bits"] == 0}
    assert "tls-server-ecdsa-p256" in running["classical_only"] and "ledger-ml-dsa-65" not in running["classical_only"]
    assert "handshakes since" in uses["tls-key-exchange"]["note"]
    cloud.stop()
    stopped = cloud.cli("crypto", "inventory")
    assert stopped["node"] == "stopped" and {use["name"] for use in stopped["uses"]} == set(uses)
    shown(f"clarence crypto inventory: {len(uses)} uses, {len(running['classical_only'])} of them classical only and named")


def main():
    if shutil.which("openssl") is None:
        raise SystemExit("the command openssl is needed: apt-get install openssl")
    with tempfile.TemporaryDirectory(prefix="clarence-pq-") as temporary:
        folder = Path(temporary)
        cloud = clouds.Cloud(folder / "node")
        try:
            credential, authorities = allowed(cloud)
            refused(cloud, credential, authorities)
            through_the_proxy(cloud, credential, authorities)
            proxy_refuses(cloud, folder, credential, authorities)
            renewed(cloud, authorities)
            inventory(cloud)
        except BaseException:
            print("--- the node's last words\n" + cloud.last_words(25))
            raise
        finally:
            cloud.kill()
    print("all shown")


if __name__ == "__main__":
    main()
