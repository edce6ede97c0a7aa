"""Checks a Clarence ledger folder with nothing of Clarence: PyPI `aics-tlog` for checkpoint, tiles, entries
and proofs, PyPI `cryptography` for the ML-DSA-65 signature, and hashlib for a commitment.

Usage: check_log.py FOLDER TRUSTED_KEYS_FILE [OLD_CHECKPOINT] [DISCLOSURE...]

Prints one JSON object and exits 0 if everything holds, 1 if not.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

from aics_tlog import bundle_from_tiles  # noqa: F401  (proves that the package is whole)
from aics_tlog.checkpoint import parse_checkpoint, verify_checkpoint
from aics_tlog.note import parse_note, parse_vkey
from aics_tlog.tiles import (
    FileSystemTileReader,
    consistency_proof_from_tiles,
    inclusion_proof_from_tiles,
    read_entry,
)
from aics_tlog.tree import verify_consistency, verify_leaf_inclusion
from aics_tlog.verified import audit_tiles
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

ML_DSA_TYPE = b"clarence/v1/note/ml-dsa-65"


def framed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def check_ml_dsa(note, vkey_line: str) -> None:
    """The second key: type 0xff, one byte of length, our identifier, then the public key."""
    name, key_id, material = vkey_line.split("+", 2)
    material = base64.b64decode(material, validate=True)
    assert hashlib.sha256(name.encode() + b"\n" + material).digest()[:4].hex() == key_id, "key id"
    prefix = b"\xff" + bytes([len(ML_DSA_TYPE)]) + ML_DSA_TYPE
    assert material.startswith(prefix), "key type"
    lines = [s for s in note.signatures if s.name == name and s.key_id.hex() == key_id]
    assert len(lines) == 1, "one ML-DSA-65 signature"
    key = MLDSA65PublicKey.from_public_bytes(material[len(prefix):])
    key.verify(lines[0].signature, framed(ML_DSA_TYPE, name.encode(), note.text.encode()))


def check_disclosure(folder_reader, size: int, index: int, disclosure: bytes) -> dict:
    """The fields shown of the entry at `index`, against the commitment in the tree."""
    assert disclosure[0] == 1
    rest, hashes, shown = disclosure[1:], b"", {}
    while rest:
        if rest[0] == 0:
            hashes, rest = hashes + rest[1:33], rest[33:]
            continue
        length = int.from_bytes(rest[19:23], "big")
        tag, salt, value = rest[1:3], rest[3:19], rest[23:23 + length]
        hashes += hashlib.sha256(b"\xf1" + salt + tag + rest[19:23] + value).digest()
        shown[int.from_bytes(tag, "big")] = value.decode()
        rest = rest[23 + length:]
    commitment = hashlib.sha256(b"clarence/v1/ledger/commitment" + hashes).digest()
    assert read_entry(folder_reader, index, size) == b"\x01" + commitment, "commitment"
    return shown


def main(folder: Path, keys_file: Path, old_file: str, *disclosures: str) -> dict:
    first, second = keys_file.read_text().splitlines()
    note = parse_note((folder / "checkpoint").read_bytes())
    head = parse_checkpoint(note.text)
    result = verify_checkpoint(note, parse_vkey(first), expected_origin=first.split("+")[0])
    assert result.ok, result.error
    check_ml_dsa(note, second)
    reader = FileSystemTileReader(folder)
    audit = audit_tiles(reader, head.size, head.root)
    proofs = 0
    for index in sorted({0, 1, 255, 256, head.size // 2, head.size - 1}):
        if 0 <= index < head.size:
            proof = inclusion_proof_from_tiles(reader, index, head.size)
            leaf = read_entry(reader, index, head.size)
            assert len(leaf) == 33 and leaf[0] == 1
            assert verify_leaf_inclusion(leaf, index, head.size, proof, head.root), index
            proofs += 1
    if old_file != "-":
        old = parse_checkpoint(parse_note(Path(old_file).read_bytes()).text)
        proof = consistency_proof_from_tiles(reader, old.size, head.size)
        assert verify_consistency(old.size, head.size, old.root, head.root, proof), "consistency"
        proofs += 1
    shown = {}
    for item in disclosures:
        index, hexed = item.split(":")
        shown[index] = check_disclosure(reader, head.size, int(index), bytes.fromhex(hexed))
    return {
        "ok": True, "origin": head.origin, "size": head.size, "tiles": audit.tiles,
        "bundles": audit.bundles, "proofs": proofs, "shown": shown,
    }


if __name__ == "__main__":
    try:
        print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])))
    except Exception as error:  # noqa: BLE001  (whatever goes wrong is the answer)
        print(json.dumps({"ok": False, "error": f"{type(error).__name__}: {error}"}))
        sys.exit(1)
