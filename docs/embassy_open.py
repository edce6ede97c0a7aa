"""Opens an export of an embassy (`clarence embassy evacuate`) with a quorum of the guest's shares, without Clarence.
    pip install cryptography; python3 embassy_open.py EXPORT OUT share.clarence share.clarence …      writes OUT/<tenant>/<bucket>/<object>
The bytes are drawn in docs/format: embassy.md, seal.md, vault.md, store.md, charter.md."""
import hashlib, hmac, os, re, sys
from struct import unpack
from urllib.parse import quote
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
def expand(key, info, length):                                                    # HKDF-Expand-SHA-512, RFC 5869
    out, block = b"", b""
    while len(out) < length: block = hmac.new(key, block + info + bytes([len(out) // 64 + 1]), hashlib.sha512).digest(); out += block
    return out[:length]
def unseal(key, context, sealed, what):                                           # seal.md section 1
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + sealed[:24] + context
    material, body, plain = expand(key, info, 76), sealed[56:], []
    if not hmac.compare_digest(material[44:], sealed[24:56]): sys.exit(f"{what}: these shares do not open it, or it was moved")
    for k in range(len(body) // 16400 + 1):
        nonce = (int.from_bytes(material[32:44], "big") ^ k).to_bytes(12, "big")
        try: plain.append(AESGCM(material[:32]).decrypt(nonce, body[k * 16400:(k + 1) * 16400], None))
        except Exception: sys.exit(f"{what}: it was altered or cut short")
    return b"".join(plain)
def unwrap(key, level, parent, parent_version, child, child_version, wrapped, what):  # seal.md section 3
    fields = [bytes([level]), parent, parent_version.to_bytes(4, "big"), child, child_version.to_bytes(4, "big")]
    return unseal(key, b"clarence/v1/wrap\0" + b"".join(len(f).to_bytes(4, "big") + f for f in fields), wrapped, what)
def value(key, context, sealed, what): return unseal(key, b"clarence/v1/value\0" + context, sealed, what)
def lp(b, at):                                                                    # length (u32), then so many bytes
    n = unpack(">I", b[at:at + 4])[0]; return b[at + 4:at + 4 + n], at + 4 + n
NEW, META = 1 << 31, 19                                                           # the mark of versions in signed rows
def versions(b, at, size): return [(NEW | unpack(">I", b[i:i + 4])[0], b[i + 4:i + 108]) for i in range(at + 1, at + 1 + size * b[at], size)]
def times(a, b):                                                                  # GF(256) modulo x^8+x^4+x^3+x+1
    p = 0
    while b: p, a, b = p ^ (a if b & 1 else 0), (a << 1) ^ (0x11b if a & 0x80 else 0), b >> 1
    return p
def rebuild(texts):                                                               # charter.md: interpolation at 0
    points = {int(re.search(r"^this share +(\d+)", t, re.M)[1]): bytes.fromhex("".join(re.findall(r"^share +(.*)$", t, re.M))) for t in texts}
    root = bytearray(32)
    for (x, y), weight in ((p, 1) for p in points.items()):
        for other in points.keys() - {x}: weight = times(weight, times(other, next(i for i in range(1, 256) if times(i, x ^ other) == 1)))
        for i in range(32): root[i] ^= times(weight, y[i])
    return bytes(root)
def files(export):                                                                # every file against the manifest
    body, end = open(f"{export}/MANIFEST").read().rstrip("\n").rsplit("\n", 1)
    if end.split() != ["end", str(body.count("\n")), hashlib.sha256((body + "\n").encode()).hexdigest()]: sys.exit("MANIFEST: it was truncated or altered")
    for line in body.split("\n")[1:]:
        digest, _, name = line.split(" ", 2)
        if not os.path.exists(f"{export}/{name}") or hashlib.sha256(open(f"{export}/{name}", "rb").read()).hexdigest() != digest: sys.exit(f"{export}/{name}: it is missing, truncated or altered")
        yield name
def rows_of(export, names, root):                                                 # embassy.md: the generation that came furthest
    best, SITE = (-1, {}, None, 0), b"\0" * 11 + b"sitea"
    for head in [n for n in names if n.startswith("t/") and n.endswith("/" + "0" * 16)]:
        h = open(f"{export}/{head}", "rb").read()
        version, rows, settled, seq = unpack(">I", h[57:61])[0], {}, None, -1
        site = unwrap(root, 1, h[9:25], 1, SITE, version, h[61:165], head)
        for name in sorted(n for n in names if n.startswith(head[:35]) and n != head):
            m = value(expand(site, b"clarence/v1/twin", 32), b"twin\0" + h[9:41] + bytes.fromhex(name[35:]), open(f"{export}/{name}", "rb").read(), name)
            kind, at = m[1], 2
            if kind in (3, 4):
                if kind == 4: exact, at = m[42], 43
                reached, at = unpack(">Q", m[at:at + 8])[0], lp(m, at + 40)[1]
            if kind in (2, 4):
                count, at = unpack(">I", m[at:at + 4])[0], at + 4
                for _ in range(count):
                    key, at = lp(m, at)
                    if m[at]: rows[key], at = lp(m, at + 1)
                    else: at, _ = at + 1, rows.pop(key, None)
            if kind == 3 or (kind == 4 and exact): settled, seq = {k: r[16:] for k, r in rows.items()}, reached
        if seq > best[0]: best = (seq, settled, site, version)
    return best[1:]
def segment(export, row, key, context, what):                                     # store.md: one place
    count = unpack(">I", row[72:76])[0]
    sealed = b"".join(open(f"{export}/c/{row[76 + 52 * i:92 + 52 * i].hex()}", "rb").read() for i in range(count))
    return unseal(key, context, sealed, what) if sealed[:24] == row[:24] else sys.exit(f"{what}: another upload of it lies there")
def main(export, out, *shares):
    rows, site, site_version = rows_of(export, list(files(export)), rebuild([open(s).read() for s in shares]))
    for tenant, t in [(k[1:], v) for k, v in rows.items() if k[:1] == b"T"]:
        tname, at = lp(t, 1)
        if t[0] != 2 or unpack(">I", t[at + 9:at + 13])[0] != site_version: sys.exit(f"tenant {tname}: a row of another format or under another key")
        tkeys = {v & NEW - 1: unwrap(site, 2, b"\0" * 11 + b"sitea", site_version, tenant, v, w, f"tenant {tname}") for v, w in versions(t, at + 13, 212)}
        meta_key = unwrap(tkeys[max(tkeys)], META, tenant, max(tkeys), tenant, 1, t[at + 14 + 212 * t[at + 13] + 208:][:104], f"tenant {tname}")
        for b in [v for k, v in rows.items() if k[:17] == b"B" + tenant]:
            bucket, tv = b[1:17], unpack(">I", b[26:30])[0]
            bkeys = {v & NEW - 1: unwrap(tkeys[tv], 3, tenant, tv, bucket, v, w, f"bucket {bucket.hex()}") for v, w in versions(b, 30, 108)}
            bname = value(meta_key, b"bucket name\0" + bucket, lp(b, 31 + 108 * b[30] + 208)[0], bucket.hex()).decode()
            for o in [v for k, v in rows.items() if k[:17] == b"O" + bucket]:
                r, version, what = o[1:513], o[45:61], f"object {o[45:61].hex()} in {bname}"
                if r[60:76] != bucket: print(f"{what}: it is about a subject; a Clarence opens it (clarence embassy restore)"); continue
                kv, (meta, at) = unpack(">I", r[76:80])[0], lp(o, 521)
                key = unwrap(bkeys[kv], 5, bucket, kv, version, 1, r[96:200], what)
                if hmac.new(expand(key, b"clarence/v1/record", 64), r[:448], hashlib.sha512).digest() != r[448:]: sys.exit(f"{what}: its record was altered")
                meta = value(key, b"object meta\0" + version, meta, what)
                name, context, place = lp(meta, 21)[0].decode(), b"clarence/v1/seg\0" + r[12:60], o[at]
                if place < 2: plain = segment(export, o[at + 1:], key, context + b"\0" * 4, what) if place else unseal(key, context + b"\0" * 4, lp(o, at + 1)[0], what)
                else:
                    lines = b"".join(rows[b"M" + version + p.to_bytes(4, "big")][3:] for p in range(unpack(">I", o[at + 5:at + 9])[0]))
                    parts = [(lines[i:i + 4], rows[b"P" + version + lines[i:i + 4]]) for i in range(0, len(lines), 76)]
                    plain = b"".join(segment(export, p[lp(p, 9)[1]:], key, context + n, what) for n, p in parts)
                if len(plain) != unpack(">Q", r[80:88])[0]: sys.exit(f"{what}: its length is another one")
                os.makedirs(f"{out}/{tname.decode()}/{bname}", exist_ok=True)
                file = quote(name, safe="") if len(quote(name, safe="")) < 250 else version.hex()   # too long for a file system
                open(f"{out}/{tname.decode()}/{bname}/{file}", "wb").write(plain)
main(*sys.argv[1:])
