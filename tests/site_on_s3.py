#!/usr/bin/env python3
"""Both sites' chunks on two real SeaweedFS, taken away under load as accidents do it: killed, frozen, an object lost or
damaged, a bucket lost, exchanged for another cloud's. Work goes on with the other site, nothing that was acknowledged
is lost, and everything heals.

    CLARENCE_BIN=… tests/site_on_s3.py
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "crash"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import boto3  # noqa: E402
import cloud as clouds  # noqa: E402
import load  # noqa: E402
import site_loss as losses  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.exceptions import BotoCoreError, ClientError  # noqa: E402

check, under_load, wait_acknowledged, judge = losses.check, losses.under_load, losses.wait_acknowledged, losses.judge
OWN = f"{load.CANARY}-own"  # what the writers under load do not touch
CHUNK = 3_000_000  # an object of one chunk, larger than a row
WHOLE = load.body("first", 20_000_000)


def put(cloud, name, body):
    load.client(cloud).put_object(Bucket=OWN, Key=name, Body=body)


def same(cloud, name, body):
    """Whether an object is there and has these bytes."""
    try:
        return load.client(cloud).get_object(Bucket=OWN, Key=name)["Body"].read() == body
    except ClientError:
        return False


class Seaweed:
    """A SeaweedFS of one process, with its own folder and credential, on the loopback address."""

    def __init__(self, folder, name):
        self.name, self.folder = name, folder / name
        self.folder.mkdir(parents=True)
        self.process = None
        self.ports = {part: clouds.free_port() for part in ("master", "volume", "filer", "s3")}
        # SeaweedFS expects these 10000 above where nothing is said.
        self.grpc = {part: clouds.free_port() for part in self.ports}
        self.key = {"accessKey": f"site-{name}", "secretKey": f"secret-of-{name}"}
        identity = {"name": "clarence", "credentials": [self.key], "actions": ["Admin", "Read", "Write", "List"]}
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        (self.folder / "data").mkdir()

    def start(self):
        """Starts it and waits until S3 is served."""
        words = [
            shutil.which("weed", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}"), f"-logdir={self.folder}", "server", f"-dir={self.folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            "-master.telemetry=false", "-master.volumeSizeLimitMB=128", "-volume.max=0", "-volume.preStopSeconds=0",
            "-filer", f"-filer.localSocket={self.folder / 'filer.sock'}",
            "-s3", f"-s3.config={self.folder / 's3.json'}", f"-s3.localSocket={self.folder / 's3.sock'}", "-s3.port.iceberg=0", "-s3.port.lance=0",
        ]
        words += [f"-{part}.port={port}" for part, port in self.ports.items()]
        words += [f"-{part}.port.grpc={port}" for part, port in self.grpc.items()]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise clouds.CloudError(f"SeaweedFS ended with {self.process.returncode}; see {self.folder / 'log'}")
            with contextlib.suppress(OSError, BotoCoreError, ClientError):
                self.client().list_buckets()
                return self
            time.sleep(0.2)
        raise clouds.CloudError("SeaweedFS did not serve S3 within 60 s")

    def endpoint(self):
        return f"http://127.0.0.1:{self.ports['s3']}"

    def client(self):
        settings = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=10, s3={"addressing_style": "path"})
        return boto3.client("s3", endpoint_url=self.endpoint(), region_name="lu-1", aws_access_key_id=self.key["accessKey"],
                            aws_secret_access_key=self.key["secretKey"], config=settings)

    def place(self, path, bucket, **other):
        """Writes the file that a site's configuration names."""
        fields = {"endpoint": self.endpoint(), "region": "lu-1", "access_key": self.key["accessKey"], "secret_key": self.key["secretKey"], "bucket": bucket}
        path.touch(mode=0o600)
        path.write_text(json.dumps(fields | other))
        return path

    def names(self, bucket):
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def chunks(self, bucket):
        return {name for name in self.names(bucket) if name.startswith("c/")}

    def empty(self, bucket):
        for name in self.names(bucket):
            self.client().delete_object(Bucket=bucket, Key=name)

    def signal(self, what):
        self.process.send_signal(what)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()


def configured(cloud, places):
    """Writes the configuration of a cloud whose sites lie there."""
    cloud.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = ["unsafe_unseal_from_this_machine = true", "[sites]"]
    lines += [f'{site}_s3 = "{path}"' for site, path in places.items()]
    (cloud.data / "clarence.toml").write_text("\n".join(lines + ["[node]", 'first_tenant = "first"', ""]))


def founded(cloud, weeds):
    """What a founding leaves in folders and buckets, and what a client does with it."""
    for site, weed in weeds.items():
        names = weed.names(f"chunks-{site}")
        check(f"the bucket of site-{site} is made and marked", "clarence.site" in names, names)
        check(f"the folder of site-{site} keeps no chunks", not (cloud.data / f"site-{site}" / "chunks").exists())
        until = time.monotonic() + 10
        while time.monotonic() < until and cloud.site(site)["bucket"]["conditional_writes"] is None:
            time.sleep(0.3)
        bucket = cloud.site(site)["bucket"]
        fine = bucket["engine"].startswith("SeaweedFS") and bucket["conditional_writes"] is True
        check(f"status names the bucket of site-{site} and its engine", fine, bucket)
    s3 = load.client(cloud)
    s3.create_bucket(Bucket=load.BUCKET)
    s3.create_bucket(Bucket=OWN)
    begun = time.monotonic()
    put(cloud, "whole", WHOLE)
    took = time.monotonic() - begun
    upload = s3.create_multipart_upload(Bucket=OWN, Key="parts")["UploadId"]
    cuts = [WHOLE[at : at + 7_000_000] for at in range(0, len(WHOLE), 7_000_000)]
    tags = [s3.upload_part(Bucket=OWN, Key="parts", UploadId=upload, PartNumber=n, Body=cut)["ETag"] for n, cut in enumerate(cuts, 1)]
    parts = [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]
    s3.complete_multipart_upload(Bucket=OWN, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
    check(f"objects whole and in parts come back (20 MB were written in {took:.2f} s)", same(cloud, "whole", WHOLE) and same(cloud, "parts", WHOLE))
    part = s3.get_object(Bucket=OWN, Key="parts", Range="bytes=8388000-8389000")["Body"].read()
    check("and a range of them", part == WHOLE[8388000:8389001])
    check("they are listed", [o["Key"] for o in s3.list_objects_v2(Bucket=OWN)["Contents"]] == ["parts", "whole"])
    s3.delete_object(Bucket=OWN, Key="parts")
    check("a deleted one is gone", not same(cloud, "parts", WHOLE))
    one, other = (weed.chunks(f"chunks-{site}") for site, weed in weeds.items())
    check(f"the same {len(one)} chunks lie in both buckets", one == other and len(one) >= 3, one ^ other)


def killed(cloud, promises, weeds):
    """One engine is killed under load and started again."""
    with under_load(cloud, promises, "killed") as writers:
        wait_acknowledged(promises, 20)
        weeds["b"].kill()
        took = wait_acknowledged(promises, 40)
        check("an engine is killed under load: writes go on", took is not None, "40 acts in 60 s were not reached")
        took = cloud.wait_site("b", "away", 30)
        check("status says that its site is away", True)
        check("what lay there is read from the other site", same(cloud, "whole", WHOLE))
        owed = cloud.site("b")
        weeds["b"].start()
        took = cloud.wait_site("b", "serving", 90)
        check(f"started again it heals under load in {took:.1f} s", True)
    gap = max(w.longest_gap for w in writers)
    print(f"     longest time without an acknowledgement {gap:.1f} s; owed while away: {owed['owed_chunks']} chunks")
    check("no writer waited longer than two deadlines", gap < 12, gap)
    judge(cloud, promises, "after the engine came back")


def frozen(cloud, promises, weeds):
    """One engine takes calls and answers none."""
    with under_load(cloud, promises, "frozen") as writers:
        wait_acknowledged(promises, 10)
        weeds["a"].signal(signal.SIGSTOP)
        begun = time.monotonic()
        cloud.wait_site("a", "away", 30)
        gave_up = time.monotonic() - begun
        check(f"an engine that hangs is given up after {gave_up:.1f} s", gave_up < 12, gave_up)
        took = wait_acknowledged(promises, 30)
        check("writes go on", took is not None, "30 acts in 60 s were not reached")
        begun = time.monotonic()
        fine = same(cloud, "whole", WHOLE)
        check(f"reads go to the other site ({time.monotonic() - begun:.1f} s for 20 MB)", fine)
        weeds["a"].signal(signal.SIGCONT)
        took = cloud.wait_site("a", "serving", 90)
        check(f"thawed it heals in {took:.1f} s", True)
    print(f"     longest time without an acknowledgement {max(w.longest_gap for w in writers):.1f} s")
    judge(cloud, promises, "after the engine thawed")


def damaged(cloud, weeds):
    """A chunk is damaged, another one lost, behind the node's back."""
    seen = {}
    for name in ("hurt", "lost"):
        before = weeds["a"].chunks("chunks-a")
        put(cloud, name, load.body(name, CHUNK))
        [seen[name]] = weeds["a"].chunks("chunks-a") - before
    a, b = weeds["a"].client(), weeds["b"].client()
    stored = {name: b.get_object(Bucket="chunks-b", Key=chunk)["Body"].read() for name, chunk in seen.items()}
    wrong = bytearray(stored["hurt"])
    wrong[100_000] ^= 0x10
    a.put_object(Bucket="chunks-a", Key=seen["hurt"], Body=bytes(wrong))
    a.delete_object(Bucket="chunks-a", Key=seen["lost"])
    cloud.stop()
    cloud.up()
    fine = all(same(cloud, name, load.body(name, CHUNK)) for name in seen)
    check("a damaged and a lost chunk: the right bytes are read", fine)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(ClientError):
            if all(a.get_object(Bucket="chunks-a", Key=chunk)["Body"].read() == stored[name] for name, chunk in seen.items()):
                break
        time.sleep(0.3)
    else:
        check("both are mended", False, cloud.site("a"))
        return
    check(f"both are mended, and status reports {cloud.site('a')['repairs']} repairs", cloud.site("a")["repairs"] >= 2, cloud.site("a"))
    report = cloud.cli("scrub")
    check(f"a scrub compares {report['chunks']['chunks']} chunks and finds nothing to mend", losses.clean(report), report)


def lost(cloud, promises, weeds):
    """A bucket is emptied: its site is away until an operator says that a new one shall take its place."""
    with under_load(cloud, promises, "lost", writers=2):
        weeds["b"].empty("chunks-b")
        cloud.wait_site("b", "away", 30)
        weeds["b"].empty("chunks-b")  # what came while it was not known
        time.sleep(6)
        said = cloud.site("b")
        check("an emptied bucket is not taken into use by itself", said["state"] == "away" and not weeds["b"].names("chunks-b"), said)
        check("status says why", "mark" in said["why"], said)
        weeds["b"].client().put_object(Bucket="chunks-b", Key="somebody's", Body=b"kept")
        error = cloud.cli("heal", "--site", "b", "--new-folder", check=False)
        check("one that holds something is refused and kept", error.get("type") == "conflict" and weeds["b"].names("chunks-b") == ["somebody's"], error)
        weeds["b"].empty("chunks-b")
        cloud.cli("heal", "--site", "b", "--new-folder")
        cloud.wait_site("b", "serving", 90)
    one, other = (weeds[site].chunks(f"chunks-{site}") for site in "ab")
    check(f"the new bucket has every one of {len(one)} chunks", len(other) > 0, len(other))
    report = cloud.cli("scrub")
    check("a scrub finds nothing to mend", losses.clean(report), report)


def refusals(cloud, folder, weeds):
    """What must not pass for a site, and what the doctor says."""
    said = cloud.cli("doctor", check=False)
    rows = {row["name"]: row for row in said["checks"]}
    check("the doctor finds nothing that keeps a node from working", said["bad"] == 0, [r for r in said["checks"] if r["result"] == "bad"])
    check("it warns that SeaweedFS may acknowledge from memory", "fsync" in rows["site-a bucket durability"].get("mend", ""), rows)
    cloud.stop()
    kept = (cloud.data / "clarence.toml").read_text()
    other = clouds.Cloud(folder / "other")
    foreign = weeds["a"].place(folder / "foreign.json", "foreign")
    configured(other, {"b": foreign})
    other.up()
    check("one site in a folder and one in a bucket: a cloud is founded", other.site("a")["bucket"] is None and other.site("b")["state"] == "serving")
    theirs = other.status()["cloud"]
    other.stop()
    before = weeds["a"].names("foreign")
    for site, says in (("b", theirs), ("a", "site-b")):
        configured(cloud, {"a": folder / "a.json", "b": folder / "b.json"} | {site: foreign})
        said = cloud.refuses_to_start()
        check(f"another cloud's bucket as site-{site} is refused by name", says in said and "foreign" in said, said)
    configured(cloud, {"a": folder / "b.json", "b": folder / "a.json"})
    said = cloud.refuses_to_start()
    check("the sites' buckets exchanged are refused", "belongs to site-" in said, said)
    unmade = clouds.Cloud(folder / "unmade")
    configured(unmade, {"b": foreign})
    said = unmade.refuses_to_start()
    check("nothing is founded on a bucket in use", "nothing was founded" in said and not (unmade.data / "site-b").exists(), said)
    check("nothing in it was touched", weeds["a"].names("foreign") == before, weeds["a"].names("foreign"))
    (folder / "a.json").chmod(0o640)
    (cloud.data / "clarence.toml").write_text(kept)
    check("a credential that others can read is refused", "600" in cloud.refuses_to_start())
    (folder / "a.json").chmod(0o600)
    cloud.up()


def main():
    folder = Path(tempfile.mkdtemp(prefix="clarence-s3-"))
    weeds = {site: Seaweed(folder, site) for site in "ab"}
    cloud, promises = clouds.Cloud(folder / "one"), load.Promises()
    begun = time.monotonic()
    try:
        for weed in weeds.values():
            weed.start()
        configured(cloud, {site: weed.place(folder / f"{site}.json", f"chunks-{site}") for site, weed in weeds.items()})
        cloud.up()
        founded(cloud, weeds)
        killed(cloud, promises, weeds)
        frozen(cloud, promises, weeds)
        damaged(cloud, weeds)
        lost(cloud, promises, weeds)
        refusals(cloud, folder, weeds)
        wrong, entries = load.judge_ledger(cloud, promises)
        check(f"every act has its entry among {entries}", not wrong, "; ".join(wrong[:5]))
        judge(cloud, promises, "at the end")
        cloud.stop()
        found = subprocess.run(["grep", "-rlaF", "--", load.CANARY, str(folder)], capture_output=True, text=True).stdout
        check("nothing stands in clear in any folder, the engines' included", not found, found[:300])
    except clouds.CloudError as error:
        check("the cloud did what it was asked", False, f"{error}\n--- the node's last words\n{cloud.last_words(30)}")
    finally:
        for one in (cloud, *weeds.values()):
            one.kill()
        if not os.environ.get("CLARENCE_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)
    failed = losses.results.count(False)
    print(f"a site on S3: {len(losses.results)} checks, {failed} failed, {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
