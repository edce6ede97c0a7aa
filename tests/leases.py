#!/usr/bin/env python3
"""Mode E2 of an embassy with two nodes and stock clients: a guest lends the key of a bucket at its host, each time for a
reason that stands in its own ledger; what is recalled is closed at once, and when the guest is away within the lease.

    CLARENCE_BIN=… tests/leases.py
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import boto3  # noqa: E402
import botocore.config  # noqa: E402
import jsonschema  # noqa: E402
import cloud as clouds  # noqa: E402
from botocore.exceptions import BotoCoreError, ClientError  # noqa: E402

BUCKET = "land-register"
LEASE = 6
CANARY = b"canary-" + hashlib.sha256(b"leases").hexdigest().encode()


def check(what, holds):
    print(f"  {'ok' if holds else 'WRONG'}  {what}", flush=True)
    if not holds:
        raise SystemExit(f"tests/leases.py: {what}: no")


def client(credential, endpoint, attempts=1):
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=credential["region"],
        aws_access_key_id=credential["access_key"],
        aws_secret_access_key=credential["secret_key"],
        config=botocore.config.Config(
            s3={"addressing_style": "path"}, retries={"total_max_attempts": attempts, "mode": "standard"}, read_timeout=30
        ),
    )


def refused(call):
    """Status and Retry-After of a call that has to fail; None if it went well."""
    try:
        call()
    except ClientError as error:
        meta = error.response["ResponseMetadata"]
        return meta["HTTPStatusCode"], meta["HTTPHeaders"].get("retry-after")
    except BotoCoreError as error:
        return type(error).__name__, None
    return None


def until(what, holds, seconds=30):
    """Waits until something holds, and gives how long it took."""
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > seconds:
            check(f"{what} within {seconds} s", False)
        time.sleep(0.05)
    return time.monotonic() - begun


def operations(cloud, operation):
    return [entry for entry in cloud.entries() if entry.get("operation") == operation]


def host_file(host, folder):
    """The tenant of the guest at the host, and the file that the host hands out for it."""
    made = host.tenant("estonia")
    credential = made.get("credential", made)
    credential = {**host.connect(), "access_key": credential["access_key"], "secret_key": credential["secret_key"]}
    path = folder / "from-the-host.json"
    path.touch(0o600)
    path.write_text(json.dumps({name: credential.get(name) for name in ("endpoint", "region", "access_key", "secret_key")}))
    return credential, path


def lend(guest, path, keys, bucket=BUCKET, **more):
    return guest.cli("embassy", "lend", "--tenant", "home", "--host", str(path), "--host-keys", str(keys), "--bucket", bucket, "--seconds", str(LEASE), **more)


def main():
    with tempfile.TemporaryDirectory(prefix="clarence-leases-") as work:
        work = Path(work)
        host, guest = clouds.Cloud(work / "host"), clouds.Cloud(work / "guest")
        try:
            host.up()
            guest.up()
            guest.tenant("home")
            story(work, host, guest)
        finally:
            host.kill()
            guest.kill()
    print("leases: all held")


def story(work, host, guest):
    credential, path = host_file(host, work)
    keys = host.data / "ledger.keys"
    print("lending", flush=True)
    said = lend(guest, path, keys, check=False)
    check("a node that was not told so calls no host", "embassy.lends" in said["message"])
    guest.stop()
    settings = guest.data / "clarence.toml"
    settings.write_text(settings.read_text().replace("[embassy]\n", "[embassy]\nlends = true\n", 1))
    guest.up()
    said = lend(guest, path, guest.data / "ledger.keys", bucket="other-keys")
    check("a request that the host's ledger did not sign is refused", said["state"] == "offered" and "not signed" in said["trouble"])
    guest.cli("embassy", "recall", said["loan"])
    said = lend(guest, path, keys)
    loan = said["loan"]
    check("the bucket is made at the host", said["state"] == "lent" and said["host"])
    s3 = client(credential, credential["endpoint"])
    s3.put_object(Bucket=BUCKET, Key="parcel/1", Body=CANARY)
    check("stock clients write and read", s3.get_object(Bucket=BUCKET, Key="parcel/1")["Body"].read() == CANARY)
    listed = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    check("and list", listed == ["parcel/1"])
    using(host, guest, s3)
    revoked(host, guest, s3, loan)
    away(host, guest, s3, loan)
    restarted(host, guest, s3)
    recorded(host, guest)


def using(host, guest, s3):
    print("over many leases", flush=True)
    body = os.urandom(3 * 1024 * 1024)
    s3.put_object(Bucket=BUCKET, Key="parcel/large", Body=body)
    begun, reads, longest = time.monotonic(), 0, 0.0
    while time.monotonic() - begun < 2.5 * LEASE:
        one = time.monotonic()
        key = "parcel/large" if reads % 50 == 0 else "parcel/1"
        got = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        longest = max(longest, time.monotonic() - one)
        assert got in (body, CANARY)
        reads += 1
    asked = guest.cli("embassy", "loans")["loans"]
    answered = next(one["answered"] for one in asked if one["bucket"] == BUCKET)
    check(f"{reads} reads in a row over {answered} leases, the longest took {1000 * longest:.0f} ms", answered >= 4)


def revoked(host, guest, s3, loan):
    print("recalled", flush=True)
    said = guest.cli("embassy", "recall", loan)
    check("the host is told", said["host_told"] is True and said["state"] == "recalled")
    status = refused(lambda: s3.get_object(Bucket=BUCKET, Key="parcel/1"))
    check("the next read is told 503 and when to come again", status and status[0] == 503 and status[1])
    check("so is a write", refused(lambda: s3.put_object(Bucket=BUCKET, Key="x", Body=b"x"))[0] == 503)
    check("and a listing", refused(lambda: s3.list_objects_v2(Bucket=BUCKET))[0] == 503)
    own = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    check("the bucket is still there", own == [BUCKET])
    guest.cli("embassy", "resume", loan)
    took = until("lent again", lambda: refused(lambda: s3.head_object(Bucket=BUCKET, Key="parcel/1")) is None)
    check(f"lent again it opens, after {took:.1f} s", True)


def away(host, guest, s3, loan):
    print("the guest is away", flush=True)
    s3.head_object(Bucket=BUCKET, Key="parcel/1")
    slow = s3.get_object(Bucket=BUCKET, Key="parcel/large")["Body"]
    slow.read(1000)
    guest.kill()
    begun, last = time.monotonic(), 0.0
    while time.monotonic() - begun < 3 * LEASE:
        if refused(lambda: s3.get_object(Bucket=BUCKET, Key="parcel/1")["Body"].read()) is None:
            last = time.monotonic() - begun
        time.sleep(0.1)
    check(f"the last byte was read {last:.1f} s after the guest was killed, with leases of {LEASE} s", last <= LEASE + 0.5)
    other = client(host.connect(), host.connect()["endpoint"])
    other.create_bucket(Bucket="ours", CreateBucketConfiguration={"LocationConstraint": host.connect()["region"]})
    other.put_object(Bucket="ours", Key="k", Body=b"v")
    check("other tenants do not notice", other.get_object(Bucket="ours", Key="k")["Body"].read() == b"v")
    slow.close()
    guest.up()
    took = until("lent again", lambda: refused(lambda: s3.head_object(Bucket=BUCKET, Key="parcel/1")) is None)
    check(f"the guest is back, and it opens after {took:.1f} s", True)


def restarted(host, guest, s3):
    print("the host begins anew", flush=True)
    host.kill()
    host.up()
    took = until("open", lambda: refused(lambda: s3.head_object(Bucket=BUCKET, Key="parcel/1")) is None)
    check(f"a lease is asked for anew, {took:.1f} s after the host served", True)
    host.cli("rotate", "tenant", "estonia")
    until("renewed", lambda: not host.cli("rotate", "status")["rotations"])
    took = until("open", lambda: refused(lambda: s3.get_object(Bucket=BUCKET, Key="parcel/1")) is None)
    check(f"with a new key of the tenant at the host it opens, after {took:.1f} s", True)
    error = host.cli("rotate", "bucket", BUCKET, "--tenant", "estonia", check=False)
    check("the host cannot give the bucket another key", "kept by its owner" in error["message"])


def recorded(host, guest):
    print("in both ledgers", flush=True)
    command = [clouds.binary(), "embassy", "loans", "--data", str(guest.data), "--json"]
    envelope = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env=clouds.own_settings()).stdout)
    schema = Path(__file__).resolve().parents[1] / "docs" / "schema" / "envelope-1.json"
    jsonschema.validate(envelope, json.loads(schema.read_text()))
    lent, taken = operations(guest, "LendKey"), [one for one in operations(host, "LeaseKey") if one["kind"] == "admin"]
    by_digest = {one["request_digest"]: one for one in lent if one["kind"] == "grant"}
    for one in taken:
        check_pair(one, by_digest)
    check(f"each of the {len(taken)} leases that the host took is on the guest's ledger with its reason", len(taken) >= 5)
    check("a refused request is there too", any(one["kind"] == "refuse" for one in lent))
    check("the host has when a key was forgotten", operations(host, "LeaseEnd") and operations(host, "LeaseRevoke"))
    clear = host.find_in_clear(CANARY.decode(), "parcel/large")
    check("nothing of it lies in clear at the host", not clear)
    raw = subprocess.run(["grep", "-rlaF", CANARY.decode(), str(guest.data)], capture_output=True, text=True)
    check("the data never came to the guest's node", not raw.stdout)


def check_pair(taken, by_digest):
    lent = by_digest.get(taken["response_digest"])
    if not lent or lent["reason"] != taken["reason"] or lent["bucket"] != taken["bucket"]:
        check(f"the guest's ledger has what the host took: {taken}", False)


if __name__ == "__main__":
    main()
