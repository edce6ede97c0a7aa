#!/usr/bin/env python3
"""The node's processes as an attacker and an operator find them: the door's memory under load holds no secret, the
walls stand, a killed door comes back while the vault stays open, a killed vault or launcher takes all with it.

    CLARENCE_BIN=… tests/processes.py
"""

import datetime
import hashlib
import hmac
import http.client
import os
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "clients"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import boto3  # noqa: E402
import botocore.config  # noqa: E402
import cloud as clouds  # noqa: E402

READ_AT_ONCE = 4 * 1024 * 1024


def client(connect):
    """A stock client that tries again, as clients do."""
    return boto3.client(
        "s3",
        endpoint_url=connect["endpoint"],
        region_name=connect["region"],
        aws_access_key_id=connect["access_key"],
        aws_secret_access_key=connect["secret_key"],
        config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 8, "mode": "standard"}),
    )


def signing_keys(connect):
    """Everything that Signature Version 4 derives from the secret for yesterday, today and tomorrow."""
    found = {}
    for days in (-1, 0, 1):
        date = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y%m%d")
        key = f"AWS4{connect['secret_key']}".encode()
        for word in (date, connect["region"], "s3", "aws4_request"):
            key = hmac.new(key, word.encode(), hashlib.sha256).digest()
            found[f"the key derived up to {word} ({date})"] = key
    return found


def memory(pid):
    """All readable memory of a process, piece by piece; pieces overlap by 256 bytes."""
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            begin, end, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            if "r" not in rights or "[vsyscall]" in line or "[vvar" in line:
                continue
            at, end = int(begin, 16), int(end, 16)
            while at < end:
                try:
                    mem.seek(at)
                    piece = mem.read(min(READ_AT_ONCE, end - at))
                except OSError:
                    break  # pages that not even root reads this way
                if not piece:
                    break
                yield piece
                at += max(len(piece) - 256, 1) if at + len(piece) < end else len(piece)


def find(pid, secrets):
    """The names of the secrets that a process's memory holds."""
    found = set()
    for piece in memory(pid):
        found |= {name for name, secret in secrets.items() if secret in piece}
    return found


def load(connect, stop, wrong):
    """Reads and writes until told to stop."""
    s3 = client(connect)
    number = 0
    while not stop.is_set():
        body = os.urandom(3000)
        try:
            s3.put_object(Bucket="treasure", Key=f"k{number % 50}-{threading.get_ident()}", Body=body)
            back = s3.get_object(Bucket="treasure", Key=f"k{number % 50}-{threading.get_ident()}")["Body"].read()
            if back != body:
                wrong.append("other bytes came back than were written")
        except Exception as error:  # noqa: BLE001 - whatever it is, a client saw it
            wrong.append(f"a client saw {error!r}")
        number += 1


def check(what, holds):
    print(f"  {'ok' if holds else 'WRONG'}  {what}", flush=True)
    if not holds:
        raise SystemExit(f"tests/processes.py: {what}: no")


def status_of(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def sockets_of(pid):
    found = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(fd)
        except OSError:
            continue
        found |= set(re.findall(r"socket:\[(\d+)\]", target))
    return found


def internet_sockets():
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            found.add(line.split()[9])
    return found


def files_of(pid):
    found = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(fd))
        except OSError:
            continue
    return found


def memory_under_load(cloud, connect):
    """Claims about the memory of the door, with a control that the search finds what is there."""
    secrets = {"the secret key": connect["secret_key"].encode(), **signing_keys(connect)}
    vault, door = cloud.part("vault"), cloud.part("door")
    stop, wrong = threading.Event(), []
    threads = [threading.Thread(target=load, args=(connect, stop, wrong)) for _ in range(4)]
    for thread in threads:
        thread.start()
    in_door = set()
    for _ in range(3):
        time.sleep(0.7)
        in_door |= find(door, secrets)
    in_vault = find(vault, secrets)
    known = find(door, {"the access key": connect["access_key"].encode()})
    stop.set()
    for thread in threads:
        thread.join(60)
    check(f"no client saw an error or other bytes: {wrong[:3]}", not wrong)
    check("the search finds the secret key in the vault's memory (control)", "the secret key" in in_vault)
    check("the search finds the access key in the door's memory (control)", known)
    check(f"the door's memory holds none of {len(secrets)} secrets, three times under load: {in_door}", not in_door)


def walls(cloud):
    vault, door = cloud.part("vault"), cloud.part("door")
    for name, pid in (("vault", vault), ("door", door)):
        status = status_of(pid)
        check(f"the {name} filters system calls and can win no rights", status["Seccomp"] == "2" and status["NoNewPrivs"] == "1")
    check("the vault has no socket of the internet", not sockets_of(vault) & internet_sockets())
    check("the door has one (control)", sockets_of(door) & internet_sockets())
    check("the launcher holds the listener and no file of the cloud", not [f for f in files_of(cloud.process.pid) if str(cloud.data) in f])
    check("the door holds no file of the cloud", not [f for f in files_of(door) if str(cloud.data) in f])
    check("the vault holds the cloud's files (control)", [f for f in files_of(vault) if str(cloud.data) in f])


def lives(cloud, connect):
    """Who dies with whom."""
    s3 = client(connect)
    s3.put_object(Bucket="treasure", Key="before", Body=b"acknowledged")
    old, vault = cloud.part("door"), cloud.part("vault")
    begun = time.monotonic()
    cloud.kill_part("door")
    back = s3.get_object(Bucket="treasure", Key="before")["Body"].read()
    took = time.monotonic() - begun
    check(f"a killed door is started again, in {took:.2f} s, and the vault stays open", back == b"acknowledged" and cloud.part("door") != old)
    check("the vault is the same process", cloud.part("vault") == vault)
    door = cloud.part("door")
    cloud.kill_part("vault")
    check("a killed vault takes the door with it", not Path(f"/proc/{door}/mem").exists())
    cloud.up()
    check("what was acknowledged is there after the vault was killed", client(cloud.connect()).get_object(Bucket="treasure", Key="before")["Body"].read() == b"acknowledged")
    vault, door = cloud.part("vault"), cloud.part("door")
    cloud.kill()
    until = time.monotonic() + 10
    while time.monotonic() < until and any(Path(f"/proc/{pid}").exists() for pid in (vault, door)):
        time.sleep(0.02)
    check("a killed launcher takes both with it", not any(Path(f"/proc/{pid}").exists() for pid in (vault, door)))
    cloud.up()
    check("what was acknowledged is there after the launcher was killed", client(cloud.connect()).get_object(Bucket="treasure", Key="before")["Body"].read() == b"acknowledged")


def stop_under_load(cloud):
    """SIGTERM finishes what is under way."""
    s3 = client(cloud.connect())
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "treasure", "Key": "last"}, ExpiresIn=600)
    body = os.urandom(8 * 1024 * 1024)
    door = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=60)
    door.putrequest("PUT", url.split(str(cloud.port), 1)[1], skip_accept_encoding=True)
    door.putheader("content-length", str(len(body)))
    door.endheaders(body[: len(body) // 2])
    time.sleep(0.3)
    ending = threading.Thread(target=cloud.stop)
    ending.start()
    time.sleep(0.5)
    door.send(body[len(body) // 2 :])
    status = door.getresponse().status
    ending.join(60)
    check(f"an upload under way when the node is told to stop is finished ({status})", status == 200)
    cloud.up()
    back = client(cloud.connect()).get_object(Bucket="treasure", Key="last")["Body"].read()
    check("and it is there", back == body)
    cloud.stop()


def main():
    with tempfile.TemporaryDirectory(prefix="clarence-processes-") as folder:
        cloud = clouds.Cloud(folder)
        try:
            cloud.up()
            connect = cloud.connect()
            client(connect).create_bucket(Bucket="treasure")
            walls(cloud)
            memory_under_load(cloud, connect)
            lives(cloud, connect)
            stop_under_load(cloud)
        except BaseException:
            print(cloud.last_words(30), file=sys.stderr)
            raise
        finally:
            cloud.kill()
    print("processes: all held")


if __name__ == "__main__":
    main()
