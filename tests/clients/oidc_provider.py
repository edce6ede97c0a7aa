#!/usr/bin/env python3
"""Web identities of a real OpenID provider: the certified `oidc-provider` of Node.js gives tokens by the authorization
code flow with PKCE, and boto3 and the AWS command line, as they are, become a role with them.

    tests/clients/oidc_provider.py

CLARENCE_BIN names the program, NODE_PATH the folder of the packages of tests/clients/oidc/package-lock.json. Only
loopback is used, and Clarence asks the provider nothing: its keys go there as a file. Each line of the output is one
thing that was shown; the end is 0 only if all were.
"""

import base64
import contextlib
import hashlib
import hmac
import http.cookiejar
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import boto3  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers  # noqa: E402

import cloud as clouds  # noqa: E402

BUCKET = "registers"
AUDIENCES = ("clarence", "clarence-ec", "clarence-ed", "clarence-hmac")
ANSWER = "http://127.0.0.1/answer"
REFUSAL = "the token, or this role with this token, is not accepted here"
SECONDS_MAX = 60


def shown(what):
    print(f"shown  {what}", flush=True)


# --- the provider ------------------------------------------------------------------------------------------
class Provider:
    """A provider's process. `issuer` is what its tokens say, which is its own address unless told otherwise."""

    def __init__(self, word, issuer=None):
        self.url = f"http://127.0.0.1:{clouds.free_port()}"
        self.issuer = issuer or self.url
        command = ["node", str(HERE / "oidc" / "provider.mjs"), self.issuer, self.url.rsplit(":", 1)[1], word]
        # It warns about what is for development only; that is left in a file for the case that it fails.
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.said("listening")

    def said(self, word):
        line = self.process.stdout.readline().strip()
        if line != word:
            self.log.seek(0)
            raise AssertionError(f"the provider said {line!r} and not {word!r}: {self.log.read()}")

    def told(self, line):
        """Tells it to `rotate WORD`, to `retire` or to set its `clock SECONDS` off, and waits until it did."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        self.said(line.split()[0])

    def keys(self):
        """The keys that it publishes, at the place that its discovery document names."""
        known = json.loads(opened(self.url + "/.well-known/openid-configuration"))
        assert known["issuer"] == self.issuer and "S256" in known["code_challenge_methods_supported"], known
        return json.loads(opened(known["jwks_uri"]))

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()


def opened(url, form=None, browser=None):
    body = urllib.parse.urlencode(form).encode() if form is not None else None
    with (browser or urllib.request.build_opener(urllib.request.ProxyHandler({}))).open(url, body, timeout=SECONDS_MAX) as answer:
        return answer.read().decode()


class Returned(Exception):
    """The provider sent the browser back to the client, with an answer."""


class Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, fp, code, message, headers, url):
        if url.startswith(ANSWER):
            raise Returned(url)
        return super().redirect_request(request, fp, code, message, headers, url)


def code_for(provider, client, person, challenge):
    """What a browser does: sign in, agree, and come back with a code. Gives the code and the nonce that was sent."""
    browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), Redirects)
    state, nonce = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    asked = {"client_id": client, "response_type": "code", "redirect_uri": ANSWER, "scope": "openid groups", "state": state,
             "nonce": nonce, "code_challenge": challenge, "code_challenge_method": "S256"}
    forms = []
    try:
        page = opened(f"{provider.url}/auth?{urllib.parse.urlencode(asked)}", browser=browser)
        while len(forms) < 3:
            action = re.search(r'<form[^>]*action="([^"]+)"[^>]*method="post"', page).group(1)
            form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)"', page))
            forms.append(form["prompt"])
            if form["prompt"] == "login":
                form.update(login=person, password="any")
            page = opened(urllib.parse.urljoin(provider.url, action), form, browser)
    except Returned as back:
        answer = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(str(back)).query))
        assert forms == ["login", "consent"] and answer["state"] == state and answer["iss"] == provider.issuer, (forms, answer)
        return answer["code"], nonce
    raise AssertionError(f"the provider did not come back: {forms}, {page}")


def token_of(provider, person="anna", client="clarence", more=()):
    """An id_token, by the authorization code flow with PKCE (RFC 7636)."""
    verifier = secrets.token_urlsafe(48)
    code, nonce = code_for(provider, client, person, in_base64(hashlib.sha256(verifier.encode()).digest()))
    form = {"grant_type": "authorization_code", "client_id": client, "code": code, "redirect_uri": ANSWER, "code_verifier": verifier, **dict(more)}
    token = json.loads(opened(provider.url + "/token", form))["id_token"]
    claims = parts(token)[1]
    assert (claims["iss"], claims["aud"], claims["sub"], claims["nonce"]) == (provider.issuer, client, person, nonce), claims
    return token


# --- tokens by hand ----------------------------------------------------------------------------------------
def in_base64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parts(token):
    """Header and claims of a token."""
    return [json.loads(from_base64(part)) for part in token.split(".")[:2]]


def unsigned(header, claims):
    return ".".join(in_base64(json.dumps(part).encode()) for part in (header, claims))


def forgeries(token, keys):
    """A genuine token changed in the ways that readers of tokens fell for, each with the reason to be recorded."""
    header, claims = parts(token)
    signature = token.rsplit(".", 1)[1]
    jwk = next(key for key in keys["keys"] if key["kid"] == header["kid"])
    public = RSAPublicNumbers(*(int.from_bytes(from_base64(jwk[name])) for name in "en")).public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    algorithm, unproven = "the token's algorithm is not taken", "no key of the provider signed the token"
    for word in ("none", "None", "NONE", ""):
        for end in ("", signature):
            yield f"alg {word!r}", algorithm, f"{unsigned({**header, 'alg': word}, claims)}.{end}"
    for secret in (pem, pem.strip(), der, json.dumps(jwk).encode(), jwk["n"].encode(), from_base64(jwk["n"])):
        text = unsigned({**header, "alg": "HS256"}, claims)
        yield "HS256 with the public key", algorithm, f"{text}.{in_base64(hmac.digest(secret, text.encode(), 'sha256'))}"
        # And under a name that is taken.
        text = unsigned(header, claims)
        yield "HMAC called RS256", unproven, f"{text}.{in_base64(hmac.digest(secret, text.encode(), 'sha256'))}"
    yield "another group", unproven, f"{unsigned(header, {**claims, 'groups': ['chiefs']})}.{signature}"
    yield "no signature", unproven, f"{unsigned(header, claims)}."
    yield "the EC key's id", unproven, f"{unsigned({**header, 'kid': header['kid'].replace('rsa', 'ec')}, claims)}.{signature}"


# --- the store ---------------------------------------------------------------------------------------------
class Store:
    """The cloud, the role, and what its ledger says of refusals."""

    def __init__(self, cloud, folder):
        self.cloud, self.folder, self.credential = cloud, folder, cloud.connect()
        self.env = clouds.environment(self.credential)
        self.second = cloud.tenant("second")
        self.stranger = self.client("sts")

    def client(self, service, credential=None):
        """A stock client with a credential, or with none."""
        keys = credential or {"AccessKeyId": "", "SecretAccessKey": ""}
        return boto3.client(service, endpoint_url=self.credential["endpoint"], region_name=self.credential["region"], aws_access_key_id=keys["AccessKeyId"],
                            aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys.get("SessionToken"),
                            config=Config(retries={"max_attempts": 0}))

    def owner(self, service, of=None):
        of = of or self.credential
        return self.client(service, {"AccessKeyId": of["access_key"], "SecretAccessKey": of["secret_key"]})

    def believe(self, issuer, keys, audiences=AUDIENCES):
        """What an operator does with the file that the provider's administrator handed over."""
        file = self.folder / "keys.json"
        file.write_text(json.dumps(keys))
        words = [word for audience in audiences for word in ("--audience", audience)]
        self.cloud.cli("identity", "provider", "--tenant", "first", "--issuer", issuer, *words, "--jwks", str(file))

    def role(self, name, issuer, conditions, of=None):
        """A role for whom the provider knows and the conditions let in; chiefs read more than others."""
        iam = self.owner("iam", of)
        of_all = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/open/*"}
        of_chiefs = {**of_all, "Resource": f"arn:aws:s3:::{BUCKET}/closed/*", "Condition": {"ForAnyValue:StringEquals": {"clarence:Groups": "chiefs"}}}
        trust = {"Effect": "Allow", "Principal": {"Federated": issuer}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": conditions}
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="policy", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [of_all, of_chiefs]}))
        return arn

    def become(self, arn, token):
        return self.stranger.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="person", WebIdentityToken=token)

    def reads(self, s3, may):
        """That the session reads what it may, and nothing else."""
        for key in ("open/doc", "closed/doc"):
            if key in may:
                assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == key.encode()
            else:
                assert code(s3.get_object, Bucket=BUCKET, Key=key) == "AccessDenied", key
        assert code(s3.put_object, Bucket=BUCKET, Key="open/doc", Body=b"x") == "AccessDenied"
        assert code(s3.list_objects_v2, Bucket=BUCKET) == "AccessDenied"

    def refused(self, arn, *attempts):
        """That each token is refused in the same words, and that the ledger has the reason that is meant."""
        newest = self.cloud.cli("ledger", "tail", "-n", "1")["entries"][0]["index"]
        for why, _, token in attempts:
            try:
                self.become(arn, token)
            except ClientError as error:
                said = error.response["Error"]
                assert (said["Code"], said["Message"], error.response["ResponseMetadata"]["HTTPStatusCode"]) == ("AccessDenied", REFUSAL, 403), (why, said)
            else:
                raise AssertionError(f"{why}: the token was accepted")
        until = time.monotonic() + 20
        while len(found := self.reasons(newest)) < len(attempts):
            assert time.monotonic() < until, f"{len(found)} of {len(attempts)} refusals are in the ledger"
            time.sleep(0.1)
        for (why, reason, _), recorded in zip(attempts, found, strict=True):
            assert reason in recorded, (why, reason, recorded)

    def reasons(self, newer_than):
        entries = [entry.get("body", entry) for entry in self.cloud.entries(newer_than)]
        return [entry["reason"] for entry in entries if entry.get("operation") == "AssumeRoleWithWebIdentity" and entry.get("kind") == "refuse"]


def code(call, **arguments):
    """The error code of a call that has to fail."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    raise AssertionError(f"{call.__name__} {arguments} succeeded")


# --- what is shown -----------------------------------------------------------------------------------------
def flow(provider):
    """The provider holds to PKCE: a code is worth nothing without the verifier."""
    stolen, _ = code_for(provider, "clarence", "anna", in_base64(hashlib.sha256(b"v" * 43).digest()))
    form = {"grant_type": "authorization_code", "client_id": "clarence", "code": stolen, "redirect_uri": ANSWER, "code_verifier": "w" * 43}
    try:
        opened(provider.url + "/token", form)
    except urllib.error.HTTPError as error:
        assert json.loads(error.read())["error"] == "invalid_grant"
    else:
        raise AssertionError("a code was exchanged without its verifier")
    version = json.loads((HERE / "oidc" / "package.json").read_text())["dependencies"]["oidc-provider"]
    node = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    shown(f"oidc-provider {version} on Node.js {node}: authorization code flow with PKCE; a code without its verifier is worth nothing")


def with_boto3(store, provider, arn):
    """Tokens of three algorithms and two persons; boto3 by call and by its configuration."""
    for client in ("clarence", "clarence-ec", "clarence-ed"):
        made = store.become(arn, token_of(provider, client=client))
        assert (made["SubjectFromWebIdentityToken"], made["Audience"], made["Provider"]) == ("anna", client, provider.issuer), made
        store.reads(store.client("s3", made["Credentials"]), ["open/doc"])
    store.reads(store.client("s3", store.become(arn, token_of(provider, "clara"))["Credentials"]), ["open/doc", "closed/doc"])
    told = store.client("sts", made["Credentials"]).get_caller_identity()
    assert told["Arn"].endswith(":assumed-role/auditor/person"), told
    shown(f"boto3 {boto3.__version__}: RS256, ES256 and EdDSA; a person of two groups reads what one of them may, the others do not")


def with_settings(store, provider, arn):
    """boto3 and the AWS command line find the token by their own settings; nothing else is told to them."""
    file = store.folder / "token"
    env = {name: value for name, value in store.env.items() if name not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    env.update(AWS_WEB_IDENTITY_TOKEN_FILE=str(file), AWS_ROLE_ARN=arn, AWS_ROLE_SESSION_NAME="shell", HOME=str(store.folder), AWS_MAX_ATTEMPTS="1")

    def run(*words):
        ran = subprocess.run(words, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS_MAX)
        return ran.returncode, ran.stdout, ran.stderr

    file.write_text(token_of(provider))
    ended, said, error = run("aws", "--output", "json", "sts", "get-caller-identity")
    assert ended == 0 and json.loads(said)["Arn"].endswith(":assumed-role/auditor/shell"), (said, error)
    assert run("aws", "s3", "cp", f"s3://{BUCKET}/open/doc", "-")[:2] == (0, "open/doc")
    for words in (("cp", f"s3://{BUCKET}/closed/doc", "-"), ("cp", str(file), f"s3://{BUCKET}/open/new"), ("ls", f"s3://{BUCKET}/")):
        ended, said, error = run("aws", "s3", *words)
        # `aws s3 cp` asks with HEAD first, whose refusal has no body and so no code.
        assert ended != 0 and ("AccessDenied" in error or "403" in error), (words, said, error)
    script = f"import boto3; print(boto3.client('s3').get_object(Bucket={BUCKET!r}, Key='open/doc')['Body'].read().decode())"
    assert run(sys.executable, "-c", script)[:2] == (0, "open/doc\n")
    file.write_text(token_of(provider, "bert"))
    ended, said, error = run("aws", "s3", "cp", f"s3://{BUCKET}/open/doc", "-")
    assert ended != 0 and REFUSAL in error, (said, error)
    version = run("aws", "--version")[1].split()[0]
    shown(f"{version} and boto3 with AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN alone: reads what is allowed, is refused the rest; a person of no such group is refused")


def refusals(store, provider, arn):
    """Who is refused, each for its own reason and with the same answer."""
    token = token_of(provider)
    # One that was given out a quarter of an hour ago, for ten minutes.
    provider.told("clock -900")
    old = token_of(provider)
    provider.told("clock 0")
    impostor = Provider("first", provider.issuer)
    try:
        assert {key["kid"] for key in impostor.keys()["keys"]} == {key["kid"] for key in provider.keys()["keys"]}
        foreign = [token_of(impostor, client=client) for client in AUDIENCES[:3]]
    finally:
        impostor.end()
    secret = {"client_secret": "a secret that is long enough for HS256"}
    unproven = "no key of the provider signed the token"
    attempts = [
        ("another client's", "made for another audience", token_of(provider, client="another")),
        ("expired", "the token has expired", old),
        ("HS256 of the provider", "the token's algorithm is not taken", token_of(provider, client="clarence-hmac", more=secret)),
        *(("same issuer and key ids, other keys", unproven, one) for one in foreign),
        ("no such group", "does not trust", token_of(provider, "bert")),
        *forgeries(token, provider.keys()),
    ]
    store.refused(arn, *attempts)
    # The same token, where another tenant believes nobody, and where a role is another person's.
    for name, conditions, of, reason in (
        ("auditor", {}, store.second, "no such identity provider"),
        ("claras", {"StringEquals": {"jwt:sub": "clara"}}, None, "does not trust"),
        ("of-ec", {"StringEquals": {"jwt:aud": "clarence-ec"}}, None, "does not trust"),
    ):
        store.refused(store.role(name, provider.issuer, conditions, of), (name, reason, token))
    assert store.become(arn, token)
    shown(f"{len(attempts) + 3} refusals with one answer, each for its own reason in the ledger: another audience, an expired token, HS256 of the provider and with the public key, "
          "alg none, a second provider of the same issuer and key ids, changed claims, another tenant, another person's role")


def rotation(store, provider, arn):
    """Keys that the provider changes are not believed until they are handed over."""
    old = token_of(provider)
    provider.told("rotate second")
    new = {client: token_of(provider, client=client) for client in AUDIENCES[:3]}
    assert all(parts(token)[0]["kid"].startswith("second-") for token in new.values())
    store.refused(arn, *(("rotated", "no key of the provider signed", token) for token in new.values()))
    assert store.become(arn, old)
    store.believe(provider.issuer, provider.keys())
    for token in (old, *new.values()):
        store.reads(store.client("s3", store.become(arn, token)["Credentials"]), ["open/doc"])
    provider.told("retire")
    store.believe(provider.issuer, provider.keys())
    store.refused(arn, ("retired", "no key of the provider signed", old))
    assert all(store.become(arn, token) for token in new.values())
    shown("the provider's new keys are refused until its key set is given again; then old and new are taken; without the old ones in it, the old token is refused")


def main():
    with tempfile.TemporaryDirectory(prefix="clarence-oidc-") as temporary, contextlib.ExitStack() as stack:
        folder = Path(temporary)
        cloud = clouds.Cloud(folder / "node")
        stack.callback(cloud.kill)
        provider = Provider("first")
        stack.callback(provider.end)
        try:
            cloud.up()
            store = Store(cloud, folder)
            s3 = store.owner("s3")
            s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": store.credential["region"]})
            for key in ("open/doc", "closed/doc"):
                s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
            store.believe(provider.issuer, provider.keys())
            conditions = {"StringLike": {"jwt:aud": "clarence*"}, "ForAnyValue:StringEquals": {"clarence:Groups": "auditors"}}
            arn = store.role("auditor", provider.issuer, conditions)
            flow(provider)
            with_boto3(store, provider, arn)
            with_settings(store, provider, arn)
            refusals(store, provider, arn)
            rotation(store, provider, arn)
            cloud.stop()
        except BaseException:
            print("--- the node's last words\n" + cloud.last_words(25))
            raise
    print("all shown")


if __name__ == "__main__":
    main()
