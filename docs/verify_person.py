"""Checks the answer to "who used my data" (`clarence person accesses`), without Clarence and without a network.

    pip install cryptography
    python3 verify_person.py answer.json --subject 1893120105732 --keys ledger.keys

`--keys` is the ledger's public keys, got by another way than the answer: from the authority's page, a newspaper, a
neighbour. Without it the copy in the answer is used, and its fingerprint is printed for comparing by telephone.

Exit code 0: everything holds, and the accesses are printed. 1: it does not, and the line that was removed, added or
altered is named. The bytes are drawn in docs/format: person.md, ledger.md.
"""

import argparse
import base64
import hashlib
import hmac
import json
import sys
from datetime import datetime, timedelta, timezone

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

FIRST = "clarence person accesses, format 1"
COVERS = "all non-deferred accesses that were recorded; those that an order defers follow on their day"
ML_DSA = b"clarence/v1/note/ml-dsa-65"
BYTES_MAX = 512 * 1024 * 1024
KIND, TIME, TENANT, OPERATION, RESOURCE, PURPOSE, BASIS, AGREEMENT = 1, 2, 4, 7, 8, 11, 12, 13
PROVIDER, CONSUMER, BYTES, ROWS, COLUMNS, SUBJECTS, LINK = 14, 15, 20, 22, 23, 25, 26
GRANT, CLOSE, USAGE = 4, 5, 20


class Refused(Exception):
    """The answer does not hold, for this reason."""


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def altered(name: str, why: str) -> Refused:
    return Refused(f"the line {name} was altered: {why}")


# --- signatures (ledger.md, "Checkpoint") --------------------------------------------------------------------------
class Keys:
    """The two public keys of a log."""

    def __init__(self, text: str) -> None:
        try:
            first, second = text.splitlines()
            self.name, self.classical_id, classical = self.key(first, b"\x01")
            name, self.later_id, later = self.key(second, b"\xff" + bytes([len(ML_DSA)]) + ML_DSA)
            self.classical = Ed25519PublicKey.from_public_bytes(classical)
            self.later = MLDSA65PublicKey.from_public_bytes(later)
        except Exception as error:  # whatever it is, these are no keys
            raise Refused(f"the ledger's public keys cannot be read: {error}") from None
        if name != self.name:
            raise Refused("the two public keys are of different logs")
        self.fingerprint = sha256(text.encode()).hex()

    @staticmethod
    def key(line: str, kind: bytes) -> tuple[str, bytes, bytes]:
        name, key_id, material = line.split("+", 2)
        material = base64.b64decode(material, validate=True)
        if sha256(name.encode() + b"\n" + material)[:4].hex() != key_id or not material.startswith(kind):
            raise ValueError("a key id does not fit its key")
        return name, bytes.fromhex(key_id), material[len(kind):]

    def text_of(self, note: str, what: str) -> str:
        """The text of a signed note, if both keys have signed it."""
        text, cut, below = note.rpartition("\n\n")
        text += "\n"
        found = {}
        for line in below.splitlines():
            words = line.split(" ")
            if len(words) != 3 or words[0] != "\u2014":
                raise Refused(f"{what} is not a signed note")
            blob = base64.b64decode(words[2])
            if words[1] == self.name:
                found.setdefault(blob[:4], []).append(blob[4:])
        classical, later = found.get(self.classical_id, []), found.get(self.later_id, [])
        framed = b"".join(len(p).to_bytes(4, "big") + p for p in (ML_DSA, self.name.encode(), text.encode()))
        try:
            if not cut or len(classical) != 1 or len(later) != 1:
                raise InvalidSignature
            self.classical.verify(classical[0], text.encode())
            self.later.verify(later[0], framed)
        except InvalidSignature:
            raise Refused(f"{what} is not signed by the log with both of its keys") from None
        return text


# --- the log's tree (RFC 6962) -----------------------------------------------------------------------------------
def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\0" + leaf)


def included(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    if not 0 <= index < size:
        return False
    place, last, value = index, size - 1, leaf_hash(leaf)
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            value = sha256(b"\x01" + sibling + value)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            value = sha256(b"\x01" + value + sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and value == root


# --- the signed statement (person.md) ----------------------------------------------------------------------------
class Said:
    def __init__(self, text: str) -> None:
        lines = text.splitlines()
        if not lines or lines[0] != FIRST:
            raise Refused("the signed statement is of another format")
        found: dict[str, list[list[str]]] = {}
        for line in lines[1:]:
            found.setdefault(line[:11].rstrip(), []).append(line[11:].split(" "))
        try:
            (self.tenant, self.tenant_name), = found["tenant"]
            (self.subject,), = found["subject"]
            self.asked, self.issued = int(found["asked"][0][0]), int(found["issued"][0][0])
            self.log_size, self.log_digest = int(found["log"][0][0]), found["log"][0][1]
            self.names = {words[0]: words[1] for words in found.get("authority", [])}
            self.chains = {w[0]: (int(w[1]), bytes.fromhex(w[2]), bytes.fromhex(w[3])) for w in found["chain"]}
            self.whole = int(found["whole"][0][0])
            self.lines = [(w[0], w[1]) for w in found.get("line", [])]
            if " ".join(found["covers"][0]) != COVERS:
                raise ValueError("what it covers")
        except (KeyError, ValueError, IndexError) as error:
            raise Refused(f"the signed statement cannot be read: {error}") from None
        for name, (count, key, absent) in self.chains.items():
            if label(key, count) != absent:
                raise Refused(f"the statement does not say that nothing lies behind the last line of {name}")

    def expected(self):
        for name, (count, _, _) in self.chains.items():
            yield from (f"{name}/{n}" for n in range(count))
        yield from (f"whole/{n}" for n in range(self.whole))


def label(key: bytes, counter: int) -> bytes:
    return hmac.digest(key, counter.to_bytes(8, "big"), "sha256")


def complete(said: Said, lines: list[dict]) -> None:
    """Every counter is in the statement, and every line of the statement is there, in its place."""
    expected = list(said.expected())
    for name, (stated, _) in zip(expected, said.lines + [(None, None)] * len(expected)):
        if name != stated:
            raise Refused(f"the statement leaves out the line {name}: the answer is not complete")
    if len(said.lines) > len(expected):
        raise Refused(f"the line {said.lines[len(expected)][0]} was added: the log knows of no such line")
    names = [line["name"] for line in lines]
    for name in expected:
        if name not in names:
            raise Refused(f"the line {name} was removed")
        if names.count(name) > 1:
            raise Refused(f"the line {name} was added: the log knows of no such line")
    for name in names:
        if name not in expected:
            raise Refused(f"the line {name} was added: the log knows of no such line")
    for name, stands in zip(expected, names):
        if name != stands:
            raise altered(stands, "it stands in another place")


# --- one line ------------------------------------------------------------------------------------------------------
class Entry:
    """One ledger entry: index, leaf, shown fields, path (ledger.md, "Disclosure of single fields")."""

    def __init__(self, words: list[str], size: int, root: bytes) -> None:
        self.index = int(words[0])
        leaf, shown = (base64.b64decode(word, validate=True) for word in words[1:3])
        if not included(leaf, self.index, size, hashes(words[3]), root):
            raise ValueError("its ledger entry is not in the log")
        if shown[:1] != b"\x01" or len(leaf) != 33 or leaf[0] != 1:
            raise ValueError("its ledger entry is of another format")
        rest, parts, self.fields = shown[1:], b"", {}
        while rest:
            if rest[0] == 0:
                parts, rest = parts + rest[1:33], rest[33:]
                continue
            tag, length = int.from_bytes(rest[1:3], "big"), int.from_bytes(rest[19:23], "big")
            value = rest[23:23 + length]
            parts += sha256(b"\xf1" + rest[3:19] + rest[1:3] + rest[19:23] + value)
            self.fields[tag], rest = value, rest[23 + length:]
        if sha256(b"clarence/v1/ledger/commitment" + parts) != leaf[1:]:
            raise ValueError("the shown fields are not those of its ledger entry")

    def number(self, tag: int):
        return int.from_bytes(self.fields[tag], "big") if tag in self.fields else None

    def text(self, tag: int):
        return self.fields[tag].decode() if tag in self.fields else None


def hashes(text: str) -> list[bytes]:
    found = [] if text == "-" else [base64.b64decode(part, validate=True) for part in text.split(",")]
    if any(len(each) != 32 for each in found):
        raise ValueError("a path is cut")
    return found


def check_line(said: Said, name: str, proof: str, size: int, root: bytes) -> tuple[dict, bool]:
    """What the line says by its entries, and whether it is the entry of this very answer."""
    words = proof.split(" ")
    if len(words) not in (10, 14) or words[0] != name:
        raise ValueError("its proof is another line's")
    state, shown_label, committed, at, path = words[1:6]
    grant = Entry(words[6:10], size, root)
    close = Entry(words[10:14], size, root) if len(words) == 14 else None
    if grant.number(KIND) not in (GRANT, USAGE):
        raise ValueError("its ledger entry is not one of an access")
    if close and (close.number(KIND) != CLOSE or close.number(LINK) != grant.index):
        raise ValueError("the entry of its end belongs to another access")
    chain, counter = name.split("/")
    if chain == "whole" and shown_label == "-" and state in ("perhaps-you", "whole-dataset"):
        pass
    elif chain in said.chains and shown_label != "-" and state in ("you", "perhaps-you"):
        if bytes.fromhex(shown_label) != label(said.chains[chain][1], int(counter)):
            raise ValueError("its label is another counter's or another person's")
        place, many = map(int, at.split("/"))
        persons = (close or grant).fields.get(SUBJECTS, b"")
        among = included(bytes.fromhex(committed), place, many, hashes(path), persons)
        if state == "you" and not among:
            raise ValueError("its ledger entry does not commit to this person")
    else:
        raise ValueError("its place in the record is not one that the format knows")
    asked = grant.number(KIND) == USAGE
    named = lambda id: said.names.get(id, id)  # noqa: E731
    access = {
        "about": state,
        "time": utc(grant.number(TIME)),
        "recipient": grant.text(CONSUMER) or named(grant.fields[TENANT].hex()),
        "provider": grant.text(PROVIDER) or named(said.tenant),
        "operation": grant.text(OPERATION),
        "data": None if asked else grant.text(RESOURCE),
        "columns": grant.text(COLUMNS),
        "purpose": grant.text(PURPOSE),
        "legal_basis": grant.text(BASIS),
        "agreement": grant.text(AGREEMENT),
        "bytes_at_most": grant.number(BYTES),
        "bytes": close.number(BYTES) if close else None,
        "rows": close.number(ROWS) if close else None,
    }
    own = (grant.index == said.asked and asked and grant.text(OPERATION) == "PersonAccesses"
           and grant.text(RESOURCE) == said.subject)
    return {key: value for key, value in access.items() if value is not None}, own


def utc(millis: int) -> str:
    time = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=millis)
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{millis % 1000:03}Z"


# --- the whole answer ------------------------------------------------------------------------------------------------
def check(answer: dict, keys: Keys, subject: str) -> tuple[Said, list[tuple[str, dict]], int]:
    said = Said(keys.text_of(answer["statement"], "the statement"))
    checkpoint = keys.text_of(answer["checkpoint"], "the checkpoint").splitlines()
    origin, size, root = checkpoint[0], int(checkpoint[1]), base64.b64decode(checkpoint[2])
    digest = sha256(answer["checkpoint"].encode()).hex()
    if origin != keys.name or (size, digest) != (said.log_size, said.log_digest):
        raise Refused("the checkpoint is not the one that the statement names")
    opening = bytes.fromhex(answer["opening"])
    if sha256(b"clarence/v1/subject\0" + opening + subject.encode()).hex() != said.subject:
        raise Refused("the answer is not about this person, or about them under another spelling of their number")
    complete(said, answer["lines"])
    accesses, recorded = [], False
    for line, (name, signed) in zip(answer["lines"], said.lines):
        if sha256(line["proof"].encode()).hex() != signed:
            raise altered(name, "its proof is not the one that was signed")
        try:
            access, own = check_line(said, name, line["proof"], size, root)
        except (ValueError, KeyError, IndexError) as error:
            raise altered(name, str(error)) from None
        if access != line["access"]:
            raise altered(name, "what it says is not what its ledger entry says")
        recorded |= own
        accesses.append((name, access))
    if not recorded:
        raise Refused("the entry with which this answer should be recorded is not among its lines")
    return said, accesses, size


def main() -> None:
    arguments = argparse.ArgumentParser(description="Checks the answer to: who used my data?")
    arguments.add_argument("answer")
    arguments.add_argument("--subject", required=True, help="your number, as the authority writes it")
    arguments.add_argument("--keys", help="the ledger's public keys, got by another way")
    given = arguments.parse_args()
    try:
        with open(given.answer, "rb") as file:
            data = file.read(BYTES_MAX + 1)
        if len(data) > BYTES_MAX:
            raise Refused("the file is longer than any answer")
        answer = json.loads(data)
        if not isinstance(answer, dict) or answer.get("format") != FIRST:
            raise Refused("this is not an answer about a person's data, or one of another format")
        trusted = open(given.keys, encoding="utf-8").read() if given.keys else answer["keys"]
        keys = Keys(trusted)
        said, accesses, size = check(answer, keys, given.subject)
    except Refused as why:
        sys.exit(f"it does not hold: {why}")
    except OSError as error:
        sys.exit(f"a file cannot be read: {error}")
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        sys.exit(f"it does not hold: the file is not what the format says ({type(error).__name__}: {error})")
    for name, access in accesses:
        print(f"{access['time']}  {name:12}  {access['about']}")
        for key, value in access.items():
            if key not in ("time", "about"):
                print(f"    {key.replace('_', ' '):14} {value}")
    print(f"\nIt holds: {len(accesses)} accesses, {COVERS}.")
    print(f"Data of {said.tenant_name}; answered {utc(said.issued)}; a ledger of {size} entries, {keys.name}.")
    if not given.keys:
        print("The keys were taken from the answer itself. Compare their fingerprint with one that you trust:")
    print(f"Fingerprint of the ledger's keys: {keys.fingerprint}")


if __name__ == "__main__":
    main()
