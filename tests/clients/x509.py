#!/usr/bin/env python3
"""Sign-in with certificates and smart cards, by foreign programs against a real node over TLS.

    tests/clients/x509.py

An authority made with OpenSSL's command, AWS's own session library for Python (iam-rolesanywhere-session), a smart card
behind PKCS #11 (SoftHSM, spoken to through OpenSC's pkcs11-tool), and `aws` with `credential_process`.
CLARENCE_BIN names the program. Only loopback is used. Each line of the output is one thing that was shown; the
end is 0 only if all were.
"""

import datetime
import hashlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import boto3  # noqa: E402
import iam_rolesanywhere_session as anywhere  # noqa: E402
import urllib3  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey  # noqa: E402

import cloud as clouds  # noqa: E402

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "123456"
BUCKET = "cards"
CONFIG = """
[ca]
default_ca = own
[own]
dir = {folder}
database = $dir/index
serial = $dir/serial
crlnumber = $dir/crlnumber
new_certs_dir = $dir
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = sha256
default_days = 1
policy = any
crl_extensions = list
unique_subject = no
copy_extensions = none
[any]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = supplied
[req]
distinguished_name = empty
[empty]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[list]
authorityKeyIdentifier = keyid
[client]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
[server]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost,IP:127.0.0.1
"""


def shown(what):
    print(f"shown  {what}", flush=True)


def run(*words, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True, **more)
    if done.returncode != 0:
        raise SystemExit(f"{words}: {done.stderr.decode(errors='replace')}")
    return done.stdout


class Authority:
    """An authority as OpenSSL's `ca` keeps one: its certificates, its numbers, what it revoked."""

    def __init__(self, folder, name):
        self.folder = folder
        folder.mkdir()
        (folder / "index").touch()
        (folder / "serial").write_text("C8\n")
        (folder / "crlnumber").write_text("10\n")
        (folder / "openssl.cnf").write_text(CONFIG.format(folder=folder))
        self.pem = folder / "ca.pem"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", folder / "ca.key", "-out", self.pem,
            "-days", "2", "-subj", f"/C=LU/CN={name}", "-config", folder / "openssl.cnf", "-extensions", "authority")

    def ca(self, *words):
        return run("openssl", "ca", "-batch", "-config", self.folder / "openssl.cnf", *words)

    def issue(self, name, subject, extensions="client", algorithm=("ec", "ec_paramgen_curve:P-256"), more=()):
        """A key in a file and its certificate."""
        key, request, pem = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        run("openssl", "req", "-new", "-newkey", algorithm[0], "-pkeyopt", algorithm[1], "-noenc", "-keyout", key, "-out", request, "-subj", subject,
            "-config", self.folder / "openssl.cnf")
        self.ca("-in", request, "-out", pem, "-notext", "-extensions", extensions, *more)
        return pem, key

    def certify(self, name, subject, public):
        """A certificate for a key that never left its card."""
        pem = self.folder / f"{name}.pem"
        run("openssl", "x509", "-new", "-force_pubkey", public, "-subj", subject, "-CA", self.pem, "-CAkey", self.folder / "ca.key", "-set_serial", "0x7F0001",
            "-days", "1", "-extfile", self.folder / "openssl.cnf", "-extensions", "client", "-out", pem)
        return pem

    def revoke(self, pem):
        self.ca("-revoke", pem)

    def crl(self):
        path = self.folder / "ca.crl"
        self.ca("-gencrl", "-crldays", "1", "-out", path)
        return path


class Card:
    """A private key on a smart card, as the session library uses keys. The key never leaves the token."""

    def __init__(self, folder, label, kind, mechanism):
        self.label, self.mechanism = label, mechanism
        self.env = {**os.environ, "SOFTHSM2_CONF": str(folder / "softhsm2.conf")}
        tokens = folder / "tokens"
        tokens.mkdir(exist_ok=True)
        (folder / "softhsm2.conf").write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        run("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", PIN, env=self.env)
        self.tool("--keypairgen", "--key-type", kind, "--id", "01", "--usage-sign")
        der, self.public = folder / f"{label}.der", folder / f"{label}.public.pem"
        self.tool("--read-object", "--type", "pubkey", "--id", "01", "--output-file", der)
        run("openssl", "pkey", "-pubin", "-inform", "DER", "-in", der, "-out", self.public)

    def tool(self, *words, **more):
        return run("pkcs11-tool", "--module", MODULE, "--token-label", self.label, "--login", "--pin", PIN, *words, env=self.env, **more)

    def sign(self, data, *_, **__):
        with tempfile.TemporaryDirectory() as place:
            given, signed = Path(place) / "data", Path(place) / "signature"
            given.write_bytes(self.prepared(data))
            self.tool("--sign", "--id", "01", "--mechanism", self.mechanism, "--signature-format", "openssl", "--input-file", given, "--output-file", signed)
            return signed.read_bytes()


    def prepared(self, data):
        return data


class EcCard(Card):
    """A key on a curve. Cards sign what was hashed outside."""

    def prepared(self, data):
        return hashlib.sha256(data).digest()


EllipticCurvePrivateKey.register(EcCard)


class Office:
    """What a client knows of the cloud."""

    def __init__(self, cloud, authority):
        it = cloud.connect()
        self.region, self.host, self.ca = it["region"], it["endpoint"].split("://", 1)[1], str(authority.pem)
        self.root = boto3.client("s3", endpoint_url=it["endpoint"], region_name=self.region, aws_access_key_id=it["access_key"],
                                 aws_secret_access_key=it["secret_key"], verify=self.ca)
        sts = boto3.client("sts", endpoint_url=it["endpoint"], region_name=self.region, aws_access_key_id=it["access_key"],
                           aws_secret_access_key=it["secret_key"], verify=self.ca)
        self.tenant = sts.get_caller_identity()["Account"]
        self.endpoint = it["endpoint"]

    def names(self, role="reader", anchor="cards"):
        of = f"arn:aws:rolesanywhere:{self.region}:{self.tenant}"
        return {"profile_arn": f"{of}:profile/{role}", "role_arn": f"arn:aws:iam::{self.tenant}:role/{role}", "trust_anchor_arn": f"{of}:trust-anchor/{anchor}"}

    def session(self, pem, key, card=None, chain=None, **names):
        """The library's session; with a card, the key in the file is exchanged for the card's."""
        it = anywhere.IAMRolesAnywhereSession(certificate=str(pem), private_key=str(key), region=self.region, endpoint=self.host, session_duration=3600,
                                              verify=self.ca, certificate_chain=chain and str(chain), **self.names(**names))
        if card:
            it._request_signer.private_key = card
        return it

    def s3(self, session):
        return session.get_session().client("s3", endpoint_url=self.endpoint)

    def refused(self, session, status=403):
        try:
            session.get_refreshable_credentials().get_frozen_credentials()
        except anywhere.CredentialsRetrievalError as error:
            assert error.status_code == status, error
            return error.message
        raise AssertionError("it was believed")

    def request(self, session, at=None, body=None):
        """A request as the library signs it, to be sent by hand, at another time if one is named."""
        request = AWSRequest(method="POST", url=f"https://{self.host}/sessions", data=json.dumps(body or session._build_session_request_body()))
        signer = session._request_signer
        at = at or datetime.datetime.now(datetime.timezone.utc)
        request.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
        signer._modify_request_before_signing(request)
        text = signer.string_to_sign(request, signer.canonical_request(request))
        signer._inject_signature_to_request(request, signer.signature(text))
        return request.prepare()

    def send(self, request, body=None, headers=()):
        with urllib3.PoolManager(ca_certs=self.ca) as pool:
            own = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
            answer = pool.request("POST", request.url, body=body or request.body, headers={**own, **dict(headers)})
            return answer.status, json.loads(answer.data), answer.headers.get("x-amzn-errortype")


def setting(cloud, office, folder, authority):
    """The anchor, two roles and an object."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "rolesanywhere.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            "Condition": {"StringEquals": {"aws:PrincipalTag/x509Subject/OU": "Tax", "aws:PrincipalTag/x509Issuer/C": "LU"},
                          "ArnEquals": {"aws:SourceArn": office.names()["trust_anchor_arn"]}},
        }],
    }
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*",
                                                      "Condition": {"StringLike": {"aws:PrincipalTag/x509Subject/CN": "Anna*"}}}]}
    paths = {}
    for name, document in (("trust", trust), ("policy", policy), ("wrong", {**trust, "Statement": [{**trust["Statement"][0], "Condition": {
            "StringEquals": {"aws:PrincipalTag/department": "Tax"}}}]})):
        paths[name] = folder / f"{name}.json"
        paths[name].write_text(json.dumps(document))
    first = clouds_tenant(cloud)
    made = cloud.cli("trust-anchor", "add", "--tenant", first, "cards", "--certificates", str(authority.pem), "--crl", str(authority.crl()))
    assert made["arn"] == office.names()["trust_anchor_arn"], made
    assert made["revocation_lists"][0]["number"] == "10", made
    for role in ("reader", "other"):
        cloud.cli("identity", "add", "--tenant", first, "role", role, "--policy", str(paths["policy"]), "--trust", str(paths["trust"]))
    error = cloud.cli("identity", "add", "--tenant", first, "role", "vague", "--trust", str(paths["wrong"]), check=False)
    assert "PrincipalTag/department" in error["message"], error
    office.root.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": office.region})
    office.root.put_object(Bucket=BUCKET, Key="doc", Body=b"text")
    return first


def clouds_tenant(cloud):
    return cloud.cli("tenant", "list")["tenants"][0]["tenant"]


def reads(s3):
    assert s3.get_object(Bucket=BUCKET, Key="doc")["Body"].read() == b"text"
    for act in (lambda: s3.put_object(Bucket=BUCKET, Key="x", Body=b"x"), s3.list_buckets):
        try:
            act()
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDenied", error
        else:
            raise AssertionError("the session may more than its role")


def keys_in_files(office, authority):
    for name, algorithm in (("anna-256", ("ec", "ec_paramgen_curve:P-256")), ("anna-384", ("ec", "ec_paramgen_curve:P-384")), ("anna-rsa", ("rsa", "rsa_keygen_bits:2048"))):
        pem, key = authority.issue(name, f"/C=LU/O=Government/OU=Tax/CN=Anna {name}", algorithm=algorithm)
        reads(office.s3(office.session(pem, key)))
        shown(f"{algorithm[0]} {algorithm[1].split(':')[1]}: AWS's session library signs in, and reads what the role may and no more")
    return pem, key


def smart_cards(cloud, office, authority, folder, spare):
    for label, kind, mechanism, sort in (("card-ec", "EC:prime256v1", "ECDSA", EcCard), ("card-rsa", "rsa:2048", "SHA256-RSA-PKCS", Card)):
        card = sort(folder, label, kind, mechanism)
        pem = authority.certify(label, f"/C=LU/OU=Tax/CN=Anna {label}", card.public)
        session = office.session(pem, spare, card=card)
        assert session._request_signer.algorithm.split("-")[2] == {"card-ec": "ECDSA", "card-rsa": "RSA"}[label]
        reads(office.s3(session))
        shown(f"{label}: a key that never leaves its token signs in through PKCS #11 ({mechanism})")
        if label == "card-ec":
            by_process(office, folder, pem, spare)
    entry = [e for e in cloud.entries() if e.get("operation") == "CreateSession" and e.get("decision") == "permit"][-1]
    assert "CN=Anna card-rsa" in entry["actor"] and "serial 7f0001" in entry["actor"], entry
    shown("the ledger names the certificate's subject, serial number and fingerprint")


def by_process(office, folder, pem, spare):
    """`aws` asks a program for credentials, and the program asks the card."""
    names = json.dumps({"folder": str(folder), "pem": str(pem), "key": str(spare), "host": office.host, "region": office.region, "ca": office.ca, **office.names()})
    (folder / "names.json").write_text(names)
    config = folder / "aws.ini"
    config.write_text(f"[default]\nregion = {office.region}\nca_bundle = {office.ca}\nendpoint_url = {office.endpoint}\n"
                      f"credential_process = {sys.executable} {Path(__file__).resolve()} --for-aws {folder / 'names.json'}\n")
    env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    out = run("aws", "s3", "cp", f"s3://{BUCKET}/doc", "-", env={**env, "AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"})
    assert out == b"text", out
    shown("`aws s3 cp` with credential_process reads with the card")


def for_aws(path):
    """What `credential_process` is told: a session for the card."""
    names = json.loads(Path(path).read_text())
    folder = Path(names.pop("folder"))
    session = anywhere.IAMRolesAnywhereSession(certificate=names.pop("pem"), private_key=names.pop("key"), region=names.pop("region"), endpoint=names.pop("host"),
                                               session_duration=3600, verify=names.pop("ca"), **names)
    card = object.__new__(EcCard)
    card.label, card.mechanism, card.env = "card-ec", "ECDSA", {**os.environ, "SOFTHSM2_CONF": str(folder / "softhsm2.conf")}
    session._request_signer.private_key = card
    time.sleep(1.1)  # the second in which the card has signed before is over
    frozen = session.get_refreshable_credentials().get_frozen_credentials()
    print(json.dumps({"Version": 1, "AccessKeyId": frozen.access_key, "SecretAccessKey": frozen.secret_key, "SessionToken": frozen.token}))


def refusals(cloud, office, authority, other, tenant):
    before = cloud.entries()[-1]["index"]
    anna = authority.issue("good", "/C=LU/OU=Tax/CN=Anna Good")
    told = {}

    def refused(why, pem_and_key, **names):
        told[why] = office.refused(office.session(*pem_and_key, **names))

    past = "20200101000000Z"
    refused("expired", authority.issue("expired", "/C=LU/OU=Tax/CN=Anna", more=("-startdate", past, "-enddate", "20200102000000Z")))
    refused("another authority of the same name", other.issue("foreign", "/C=LU/OU=Tax/CN=Anna"))
    elsewhere = Authority(authority.folder.parent / "elsewhere", "Cards of nowhere")
    refused("another authority", elsewhere.issue("foreign", "/C=LU/OU=Tax/CN=Anna"))
    refused("for servers", authority.issue("server", "/C=LU/OU=Tax/CN=Anna", extensions="server"))
    refused("an authority's own", (authority.pem, authority.folder / "ca.key"))
    refused("another unit", authority.issue("land", "/C=LU/OU=Land/CN=Anna"))
    # Two units are no unit: a condition that wants one does not hold.
    refused("two units", authority.issue("units", "/C=LU/OU=Tax/OU=Land/CN=Anna"))
    refused("no such role", anna, role="nobody")
    refused("no such anchor", anna, anchor="nowhere")
    mixed = office.session(anna[0], authority.issue("mixed", "/C=LU/OU=Tax/CN=Luc")[1])
    told["another key"] = office.refused(mixed)
    session = office.session(*anna)
    request = office.request(session)
    altered = json.dumps({**session._build_session_request_body(), "durationSeconds": 43200})
    told["altered"] = office.send(request, body=altered)[1]["message"]
    for name, value in (("X-Amz-X509", request.headers["X-Amz-X509"][:-8] + "AAAAAAA="), ("X-Amz-Date", "20200101T000000Z")):
        assert office.send(request, headers=[(name, value)])[0] in (400, 403)
    role = json.dumps({**session._build_session_request_body(), "roleArn": office.names("other")["role_arn"], "profileArn": office.names("other")["profile_arn"]})
    told["another role"] = office.send(request, body=role)[1]["message"]
    status, given, _ = office.send(request)
    assert status == 201 and given["credentialSet"][0]["credentials"]["accessKeyId"].startswith("CLS"), given
    status, said, sort = office.send(request)
    assert (status, sort) == (403, "AccessDeniedException"), (status, said)
    told["replayed"] = said["message"]
    assert len(set(told.values())) == 1, told
    shown(f"{len(told)} reasons, one answer: {', '.join(told)}")
    words = ["expired", "does not lead to the trust anchor", "client authentication", "no such role", "no such trust anchor", "did not sign", "used before", "does not trust"]
    until = time.monotonic() + 20
    while True:
        # Refusals of strangers are written down a little later than they are answered.
        reasons = {e.get("reason", "") for e in cloud.entries(before) if e.get("operation") == "CreateSession" and e["kind"] == "refuse"}
        missing = [word for word in words if not any(word in reason for reason in reasons)]
        if not missing:
            break
        assert time.monotonic() < until, (missing, reasons)
        time.sleep(0.2)
    shown("the ledger tells the reasons apart")
    for minutes in (-16, 16):
        at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
        status, said, _ = office.send(office.request(session, at=at))
        assert status == 403 and "time" in said["message"], said
    shown("a request of another time is refused")
    profile = {**session._build_session_request_body(), "profileArn": office.names("other")["profile_arn"]}
    status, said, sort = office.send(office.request(session, body=profile))
    assert (status, sort) == (400, "ValidationException") and "profile" in said["message"], said
    shown("a profile other than the role's is refused in words")


def revocation(cloud, office, authority, tenant):
    anna = authority.issue("lost", "/C=LU/OU=Tax/CN=Anna Lost")
    s3 = office.s3(office.session(*anna))
    reads(s3)
    authority.revoke(anna[0])
    made = cloud.cli("trust-anchor", "crl", "--tenant", tenant, "cards", str(authority.crl()))
    assert made["revocation_lists"][0]["revoked"] == 1 and len(made["revocation_lists"]) == 1, made
    try:
        s3.get_object(Bucket=BUCKET, Key="doc")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied", error
    else:
        raise AssertionError("the session goes on")
    office.refused(office.session(*anna))
    shown("a list made with `openssl ca -gencrl` ends the session of a lost card, and signs it in no more")
    error = cloud.cli("trust-anchor", "crl", "--tenant", tenant, "cards", str(authority.folder / "ca.crl"), check=False)
    assert "newer" in error["message"], error
    rows = cloud.cli("trust-anchor", "list", "--tenant", tenant)["trust_anchors"]
    assert [row["name"] for row in rows] == ["cards"], rows
    cloud.cli("trust-anchor", "remove", "--tenant", tenant, "cards")
    other = authority.issue("late", "/C=LU/OU=Tax/CN=Anna Late")
    office.refused(office.session(*other))
    shown("without the anchor nobody signs in")


def main():
    logging.getLogger("iam_rolesanywhere_session").setLevel(logging.CRITICAL)  # it says each refusal that is wanted
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="clarence-x509-") as temporary:
        folder = Path(temporary)
        authority, other = Authority(folder / "authority", "Cards of Luxembourg"), Authority(folder / "other", "Cards of Luxembourg")
        pem, key = authority.issue("door", "/CN=localhost", extensions="server")
        chain = folder / "chain.pem"
        chain.write_bytes(pem.read_bytes() + authority.pem.read_bytes())
        cloud = clouds.Cloud(folder / "node")
        try:
            cloud.up("--tls-cert", str(chain), "--tls-key", str(key), wait=False)
            until = time.monotonic() + clouds.START_SECONDS_MAX
            while not (cloud.data / "connect.json").exists():
                if time.monotonic() > until:
                    raise clouds.CloudError(f"the node did not serve in time: {cloud.last_words()}")
                time.sleep(0.05)
            office = Office(cloud, authority)
            tenant = setting(cloud, office, folder, authority)
            _, spare = keys_in_files(office, authority)
            smart_cards(cloud, office, authority, folder, spare)
            refusals(cloud, office, authority, other, tenant)
            revocation(cloud, office, authority, tenant)
            cloud.stop()
        except BaseException:
            print("--- the node's last words\n" + cloud.last_words(25))
            raise
        finally:
            cloud.kill()
    print(f"all shown in {time.monotonic() - begun:.1f} s")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--for-aws"]:
        for_aws(sys.argv[2])
    else:
        main()
