"""Asks Clarence's witnesses with nothing of Clarence: PyPI `aics-witness` as the client of tlog-witness, PyPI
`aics-tlog` counts the cosignatures under a policy, PyPI `cryptography` checks one over a message built here.

Usage: ask_witness.py TASK.json

Prints one JSON object and exits 0 if everything holds, 1 if not.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

from aics_tlog import WitnessPolicy, parse_checkpoint, parse_note, parse_vkey, verify_checkpoint
from aics_witness.feeder import WitnessClient, WitnessRejected, merge_cosignatures
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def check_by_hand(line: str, text: str, vkey: str) -> None:
    """c2sp.org/tlog-cosignature, Ed25519: key id, time, signature over header, time and checkpoint."""
    name, key_id, key = vkey.split("+", 2)
    material = base64.b64decode(key, validate=True)
    assert material[0] == 4 and len(material) == 33, "key type"
    dash, line_name, blob = line.rstrip("\n").split(" ")
    blob = base64.b64decode(blob, validate=True)
    assert (dash, line_name) == ("\u2014", name), "name"
    assert hashlib.sha256(name.encode() + b"\n" + material).digest()[:4].hex() == key_id, "key id"
    assert blob[:4].hex() == key_id and len(blob) == 4 + 8 + 64, "blob"
    time = int.from_bytes(blob[4:12], "big")
    message = f"cosignature/v1\ntime {time}\n{text}".encode()
    Ed25519PublicKey.from_public_bytes(material[1:]).verify(blob[12:], message)


def main(task: dict) -> dict:
    clients = [WitnessClient(one["url"], one["vkey"]) for one in task["witnesses"]]
    proofs = {}
    for step in task["steps"]:
        size = parse_checkpoint(parse_note(step["note"]).text).size
        proofs[(step["old"], size)] = [bytes.fromhex(hash) for hash in step["proof"]]
    cosigned, note = 0, None
    for step in task["steps"]:
        note = step["note"].encode()
        for client, one in zip(clients, task["witnesses"]):
            line = client.submit(note, lambda old, new: proofs[(old, new)])
            check_by_hand(line, parse_note(step["note"]).text, one["vkey"])
            cosigned += 1
            if client is clients[0]:
                merged = merge_cosignatures(note, line)
            else:
                merged = merge_cosignatures(merged, line)
    keys = tuple(parse_vkey(one["vkey"]) for one in task["witnesses"])
    policy = WitnessPolicy(quorum=2, witnesses=keys, max_age_seconds=600)
    result = verify_checkpoint(parse_note(merged), parse_vkey(task["log_vkey"]), policy=policy)
    assert result.ok, result.error
    # A client that remembers nothing learns the size from the conflict.
    fresh = WitnessClient(task["witnesses"][0]["url"], task["witnesses"][0]["vkey"])
    fresh.submit(note, lambda old, new: [])
    refused = []
    for client in clients:
        try:
            client.submit(task["fork"].encode(), lambda old, new: [])
        except WitnessRejected as error:
            refused.append(error.status)
    return {
        "cosigned": cosigned, "counted": result.cosignature_count, "fork_status": refused,
    }


if __name__ == "__main__":
    try:
        print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text()))))
    except Exception as error:  # noqa: BLE001  (whatever goes wrong is the answer)
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
        sys.exit(1)
