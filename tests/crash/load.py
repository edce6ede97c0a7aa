"""Writers that remember what they were promised, and a judge who compares it with what is there.

Every key belongs to one writer, who does one thing at a time on it. After an acknowledgement exactly one state
is right. A request that ended without an answer leaves two: the state before and the one it asked for.
"""

import collections
import hashlib
import random
import subprocess
import threading
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

CANARY = "canary-7f3a91c4e2"
BUCKET = f"{CANARY}-bucket"
SIZES = [0, 100, 4096, 32768, 32769, 300_000, 1_048_576]
LARGE = [8_388_607, 9_500_000]
MISSING = "missing"
# Writes that leave no object by themselves.
STEPS = {"CreateMultipartUpload", "UploadPart", "UploadPartCopy", "AbortMultipartUpload"}


def client(cloud, patience=30):
    """A stock client that tries once and gives up soon, so that what it was told is known exactly."""
    connect = cloud.connect()
    settings = Config(retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=patience, max_pool_connections=4)
    return boto3.client(
        "s3", endpoint_url=connect["endpoint"], region_name=connect["region"],
        aws_access_key_id=connect["access_key"], aws_secret_access_key=connect["secret_key"], config=settings)


def body(seed, size):
    """The bytes that belong to a seed; the canary stands in them again and again."""
    line = f"{CANARY} {seed} ".encode()
    noise = random.Random(seed).randbytes(max(0, size - size // 2))
    return (line * (size // 2 // len(line) + 1))[:size // 2] + noise


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Key:
    """What one name may hold."""

    def __init__(self):
        self.allowed = {MISSING}
        self.promised = collections.Counter()
        self.perhaps = collections.Counter()
        self.touched = False


class Promises:
    """What all writers were told."""

    def __init__(self):
        self.keys = collections.defaultdict(Key)
        self.acknowledged = 0
        self.unanswered = 0
        self.refused = collections.Counter()


class Writer(threading.Thread):
    """One client under load until it is told to stop."""

    def __init__(self, cloud, promises, number, seed, stop, pause=0.0, large=True, keys=40):
        super().__init__(daemon=True)
        self.cloud, self.promises, self.number, self.stop, self.pause = cloud, promises, number, stop, pause
        self.random, self.large, self.names = random.Random(seed), large, keys
        self.seed = seed
        self.count = 0
        self.longest_gap = 0.0

    def run(self):
        s3 = client(self.cloud)
        last = time.monotonic()
        while not self.stop.is_set():
            if self.step(s3):
                self.longest_gap = max(self.longest_gap, time.monotonic() - last)
                last = time.monotonic()
            else:
                time.sleep(0.02)
            if self.pause:
                time.sleep(self.pause)

    def step(self, s3):
        """One act on one key; True if it was acknowledged."""
        self.count += 1
        name = f"w{self.number}/{CANARY}/{self.random.randrange(self.names):03}"
        key = self.promises.keys[name]
        key.touched = True
        act = self.random.random()
        if act < 0.15:
            kind, state, call = "delete", MISSING, lambda: s3.delete_object(Bucket=BUCKET, Key=name)
        else:
            big = self.large and act > 0.93
            data = body(f"{self.seed}-{self.count}", self.random.choice(LARGE if big else SIZES))
            kind, state = "write", digest(data)
            parts = big and act > 0.97
            call = (lambda: self.in_parts(s3, name, data)) if parts else (
                lambda: s3.put_object(Bucket=BUCKET, Key=name, Body=data, Metadata={"note": CANARY}))
        try:
            call()
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            code = error.response["Error"]["Code"]
            self.promises.refused[f"{status} {code}"] += 1
            key.allowed.add(state)  # an error after the commit is possible; only an acknowledgement settles it
            key.perhaps[kind] += 1
            return False
        except (BotoCoreError, OSError):
            self.promises.unanswered += 1
            key.allowed.add(state)
            key.perhaps[kind] += 1
            return False
        key.allowed = {state}
        key.promised[kind] += 1
        self.promises.acknowledged += 1
        return True

    @staticmethod
    def in_parts(s3, name, data):
        upload = s3.create_multipart_upload(Bucket=BUCKET, Key=name, Metadata={"note": CANARY})["UploadId"]
        tags, cut = [], 5 * 1024 * 1024
        for number, piece in ((1, data[:cut]), (2, data[cut:])):
            tag = s3.upload_part(Bucket=BUCKET, Key=name, UploadId=upload, PartNumber=number, Body=piece)["ETag"]
            tags.append({"PartNumber": number, "ETag": tag})
        s3.complete_multipart_upload(Bucket=BUCKET, Key=name, UploadId=upload, MultipartUpload={"Parts": tags})


def judge(cloud, promises, everything=False):
    """Reads what was touched (or all) and gives a list of what is wrong. What is there now is from here on
    the one right state: after a restart nothing may change by itself."""
    s3 = client(cloud)
    wrong, seen = [], 0
    for name, key in promises.keys.items():
        if not (key.touched or everything):
            continue
        seen += 1
        state = read(s3, name)
        if state not in key.allowed:
            wrong.append(f"{name} holds {state[:60]}, allowed were {sorted(s[:12] for s in key.allowed)}")
        key.allowed, key.touched = {state}, False
    listed = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for item in page.get("Contents", []):
            if item["Key"] in listed:
                wrong.append(f"{item['Key']} is listed twice")
            listed[item["Key"]] = item["Size"]
    there = {name for name, key in promises.keys.items() if key.allowed != {MISSING}}
    wrong += [f"{name} can be read and is not listed" for name in sorted(there - listed.keys())]
    wrong += [f"{name} is listed and cannot be read" for name in sorted(listed.keys() - there)]
    return wrong, seen


def read(s3, name):
    """The state of a key: missing, the digest of its bytes, or what went wrong."""
    try:
        got = s3.get_object(Bucket=BUCKET, Key=name)
        data = got["Body"].read()
        if got["Metadata"] != {"note": CANARY}:
            return f"torn: metadata {got['Metadata']}"
        tag = got["ETag"].strip('"')
        if "-" not in tag and tag != hashlib.md5(data).hexdigest():
            return "torn: the ETag belongs to other bytes"
        return digest(data)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return MISSING
        return f"error {error.response['Error']['Code']}"
    except (BotoCoreError, OSError) as error:
        return f"error {error!r}"


def judge_ledger(cloud, promises):
    """Every acknowledged act has its entry, and there are no more entries than acts that may have happened."""
    found = {"write": collections.Counter(), "delete": collections.Counter()}
    entries = cloud.entries()
    wrong = []
    if [entry["index"] for entry in entries] != list(range(len(entries))):
        wrong.append("the ledger has a gap")
    for entry in entries:
        if entry.get("kind") in found and entry.get("operation") not in STEPS:
            found[entry["kind"]][entry.get("resource", "")] += 1
    for name, key in promises.keys.items():
        for kind in ("write", "delete"):
            least = key.promised[kind]
            most = least + key.perhaps[kind]
            have = found[kind][f"{BUCKET}/{name}"]
            if kind == "delete" and have < least:
                continue  # deleting what is not there leaves nothing to record as deleted; counted below
            if not least <= have <= most:
                wrong.append(f"{name}: {have} {kind} entries, between {least} and {most} expected")
    return wrong, len(entries)


def judge_log(cloud):
    """The published log, checked from its files."""
    found = cloud.cli("ledger", "verify")
    return found


def judge_clear(cloud, secrets=()):
    """Nothing in clear on any disk: neither contents nor names nor metadata nor secrets."""
    return [f"{text!r} stands in clear in {file}" for text, file in cloud.find_in_clear(CANARY, *secrets)]


def disk_use(cloud):
    return int(subprocess.run(["du", "-sm", str(cloud.data)], capture_output=True, text=True).stdout.split()[0])
