"""An independent reading of docs/format/seal.md, against which the Rust tests compare: segments, wraps,
object records. It shares no code with the project and uses only the standard library and `cryptography`.

Reads a JSON list of requests from standard input and writes the list of replies to standard output. Bytes
travel as hexadecimal. A request that a checker must refuse gets {"refused": why}.
"""
import hashlib
import hmac
import json
import sys

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError:
    sys.stderr.write("python3 has no package 'cryptography': pip install cryptography\n")
    sys.exit(3)

FRAME, TAG, SALT, COMMITMENT = 16384, 16, 24, 32
HEADER = SALT + COMMITMENT
CIPHER_LABEL = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"
LEVELS = {"root-site": 1, "site-tenant": 2, "tenant-bucket": 3, "bucket-object": 5,
          "group-object": 6, "root-erase": 7, "erase-group": 8, "name": 16, "index": 17, "ledger": 18, "meta": 19}


class Refused(Exception):
    pass


def hkdf_expand(key, info, length):
    """RFC 5869 section 2.3 with SHA-512."""
    okm, block, count = b"", b"", 0
    while len(okm) < length:
        count += 1
        block = hmac.new(key, block + info + bytes([count]), hashlib.sha512).digest()
        okm += block
    return okm[:length]


def frame_cipher(key, salt, context):
    okm = hkdf_expand(key, CIPHER_LABEL + salt + context, 76)
    aes, base = AESGCM(okm[:32]), int.from_bytes(okm[32:44], "big")
    return aes, (lambda frame: (base ^ frame).to_bytes(12, "big")), okm[44:]


def seal(key, context, salt, message):
    aes, nonce, commitment = frame_cipher(key, salt, context)
    sealed = [salt, commitment]
    for frame in range(len(message) // FRAME + 1):
        sealed.append(aes.encrypt(nonce(frame), message[frame * FRAME:(frame + 1) * FRAME], None))
    return b"".join(sealed)


def unlock(key, context, sealed):
    if len(sealed) < HEADER + TAG:
        raise Refused("length")
    aes, nonce, commitment = frame_cipher(key, sealed[:SALT], context)
    if not hmac.compare_digest(commitment, sealed[SALT:HEADER]):
        raise Refused("commitment")
    return aes, nonce


def open_frames(key, context, sealed, first, last):
    aes, nonce = unlock(key, context, sealed)
    step, plain = FRAME + TAG, []
    for frame in range(first, last + 1):
        piece = sealed[HEADER + frame * step:HEADER + (frame + 1) * step]
        if len(piece) < TAG:
            raise Refused("length")
        try:
            plain.append(aes.decrypt(nonce(frame), piece, None))
        except InvalidTag:
            raise Refused("frame %d" % frame)
    return b"".join(plain)


def open_whole(key, context, sealed):
    unlock(key, context, sealed)
    full, rest = divmod(len(sealed) - HEADER, FRAME + TAG)
    if rest < TAG:
        raise Refused("length")
    return open_frames(key, context, sealed, 0, full)


def open_range(key, context, sealed, offset, length):
    first, last = offset // FRAME, (offset + length - 1) // FRAME
    return open_frames(key, context, sealed, first, last)[offset - first * FRAME:][:length]


def wrap_context(level, parent, parent_version, child, child_version):
    fields = [bytes([LEVELS[level]]), parent, parent_version.to_bytes(4, "big"), child,
              child_version.to_bytes(4, "big")]
    return b"clarence/v1/wrap\x00" + b"".join(len(f).to_bytes(4, "big") + f for f in fields)


def segment_context(tenant, bucket, version, number):
    return b"clarence/v1/seg\x00" + tenant + bucket + version + number.to_bytes(4, "big")


def record_mac(oek, signed):
    return hmac.new(hkdf_expand(oek, b"clarence/v1/record", 64), signed, hashlib.sha512).digest()


def table(segments):
    return b"".join(bytes.fromhex(s["salt"]) + s["plain"].to_bytes(8, "big") + s["sealed"].to_bytes(8, "big")
                    + bytes.fromhex(s["blake3"]) for s in segments)


def record(r):
    """Builds the 512 bytes from their description; `ct_root` is given, for want of BLAKE3 here."""
    segments = r["segments"]
    flags = (len(segments) > 1) | r["guest"] << 1 | r["group"] << 2
    signed = b"".join([
        b"CLRNOBJ1", (512).to_bytes(2, "big"), b"\x02", bytes([flags]),
        bytes.fromhex(r["tenant"]), bytes.fromhex(r["bucket"]), bytes.fromhex(r["version"]),
        bytes.fromhex(r["kek"]), r["kek_version"].to_bytes(4, "big"),
        sum(s["plain"] for s in segments).to_bytes(8, "big"), len(segments).to_bytes(4, "big"), bytes(4),
        bytes.fromhex(r["wrapped"]), bytes.fromhex(r["ct_root"]), bytes.fromhex(r["name"]),
        hashlib.new("sha512_256", table(segments)).digest(), bytes(152)])
    assert len(signed) == 448
    return signed + record_mac(bytes.fromhex(r["oek"]), signed)


def read_record(kek, level, raw):
    """Reads a record with nothing but the wrapping key."""
    if len(raw) != 512 or raw[:12] not in [b"CLRNOBJ1\x02\x00\x02" + bytes([f]) for f in range(8)]:
        raise Refused("layout")
    if any(raw[92:96]) or any(raw[296:448]):
        raise Refused("reserved")
    context = wrap_context(level, raw[60:76], int.from_bytes(raw[76:80], "big"), raw[44:60], 1)
    oek = open_whole(kek, context, raw[96:200])
    if not hmac.compare_digest(record_mac(oek, raw[:448]), raw[448:]):
        raise Refused("mac")
    return {"oek": oek.hex(), "flags": raw[11], "tenant": raw[12:28].hex(), "bucket": raw[28:44].hex(),
            "version": raw[44:60].hex(), "kek": raw[60:76].hex(), "kek_version": int.from_bytes(raw[76:80], "big"),
            "plain": int.from_bytes(raw[80:88], "big"), "segments": int.from_bytes(raw[88:92], "big"),
            "ct_root": raw[200:232].hex(), "name": raw[232:264].hex(), "manifest": raw[264:296].hex()}


def third_opinion(key, context, sealed):
    """`cryptography` has the construction built in from version 50 on; None before."""
    try:
        from cryptography.cobblestone import Cobblestone256Decryptor
    except ImportError:
        return None
    opener = Cobblestone256Decryptor(key, context)
    return (opener.update(sealed) + opener.finalize()).hex()


def name_hash(bucket_key, name):
    return hmac.new(hkdf_expand(bucket_key, b"clarence/v1/name", 32), name, hashlib.sha512).digest()[:32]


def answer(q):
    b = {k: bytes.fromhex(v) for k, v in q.items() if k in (
        "key", "context", "salt", "message", "sealed", "parent", "child", "tenant", "bucket", "version", "raw", "name")}
    verb = q["verb"]
    if verb == "seal":
        return seal(b["key"], b["context"], b["salt"], b["message"]).hex()
    if verb == "open":
        return open_whole(b["key"], b["context"], b["sealed"]).hex()
    if verb == "third":
        return third_opinion(b["key"], b["context"], b["sealed"])
    if verb == "range":
        return open_range(b["key"], b["context"], b["sealed"], q["offset"], q["length"]).hex()
    if verb == "wrap_context":
        return wrap_context(q["level"], b["parent"], q["parent_version"], b["child"], q["child_version"]).hex()
    if verb == "segment_context":
        return segment_context(b["tenant"], b["bucket"], b["version"], q["number"]).hex()
    if verb == "value_context":
        return (b"clarence/v1/value\x00" + b["context"]).hex()
    if verb == "record":
        return record(q["record"]).hex()
    if verb == "read_record":
        return read_record(b["key"], q["level"], b["raw"])
    if verb == "name_hash":
        return name_hash(b["key"], b["name"]).hex()
    if verb == "kcv":
        return hkdf_expand(b["key"], b"clarence/v1/kcv", 16).hex()
    raise SystemExit("unknown verb " + verb)


def guarded(q):
    try:
        return {"ok": answer(q)}
    except Refused as why:
        return {"refused": str(why)}


if __name__ == "__main__":
    json.dump([guarded(q) for q in json.load(sys.stdin)], sys.stdout)
