//! Both ways against an independent implementation: `tests/interop/reference.py`.

use crate::support::{array, kek, new_record, noise, place, segment_context};
use seal::cobblestone::{self, FRAME_BYTES};
use seal::{
    BucketKey, ClaimedRecord, Derives, EraseKey, GroupKey, IndexKey, Key, KeyId, LedgerKey,
    MetaKey, NameKey, NewRecord, ObjectKey, ObjectRecord, RootKey, Segment, ShredKey, SiteKey,
    TenantKey, WrapContext, Wrapped, kcv, name_hash, open_value, seal_value, unwrap, wrap,
};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};
use words::hex::{decode, encode};

const LENGTHS: [usize; 9] = [
    0,
    1,
    100,
    FRAME_BYTES - 1,
    FRAME_BYTES,
    FRAME_BYTES + 1,
    2 * FRAME_BYTES,
    3 * FRAME_BYTES + 5,
    300 * FRAME_BYTES + 9,
];

/// Asks the reference and gives its replies in the order of the requests.
fn ask(requests: &[Value]) -> Vec<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/reference.py");
    let mut child = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the interop tests need `python3` on the PATH");
    let text = serde_json::to_vec(requests).unwrap();
    // The script reads everything before it writes. If it ends at once, its words below say why.
    let _ = child.stdin.take().unwrap().write_all(&text);
    let output = child.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the interop reference did not run: {words}"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn ok(reply: &Value) -> Vec<u8> {
    decode(
        reply["ok"]
            .as_str()
            .unwrap_or_else(|| panic!("refused: {reply}")),
    )
    .unwrap()
}

#[test]
fn segments_go_both_ways() {
    let (key_bytes, context): ([u8; 32], Vec<u8>) = (array(1), segment_context().bytes());
    let key = Key::from_bytes(key_bytes);
    let place = place();
    let mut requests = vec![json!({
        "verb": "segment_context", "tenant": encode(place.tenant.as_bytes()),
        "bucket": encode(place.bucket.as_bytes()), "version": encode(place.version.as_bytes()), "number": 0,
    })];
    let common = json!({ "key": encode(&key_bytes), "context": encode(&context) });
    let request = |more: Value| {
        let mut request = common.clone();
        request
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        request
    };
    for (seed, length) in (50..).zip(LENGTHS) {
        let message = noise(length, seed);
        let ours = encode(&cobblestone::seal(&key, &context, array(seed), &message));
        requests.push(request(
            json!({ "verb": "seal", "salt": encode(&array::<24>(seed)), "message": encode(&message) }),
        ));
        requests.push(request(json!({ "verb": "open", "sealed": ours })));
        requests.push(request(json!({ "verb": "third", "sealed": ours })));
        if length > 0 {
            let (offset, count) = (length / 3, length - length / 3);
            requests.push(request(
                json!({ "verb": "range", "sealed": ours, "offset": offset, "length": count }),
            ));
        }
    }
    let replies = ask(&requests);
    assert_eq!(ok(&replies[0]), context);
    let mut replies = replies[1..].iter();
    for (seed, length) in (50..).zip(LENGTHS) {
        let message = noise(length, seed);
        let theirs = ok(replies.next().unwrap());
        assert!(
            theirs == cobblestone::seal(&key, &context, array(seed), &message),
            "{length}: same bytes"
        );
        assert!(
            cobblestone::open(&key, &context, &theirs).unwrap()[..] == message,
            "{length}: theirs opens here"
        );
        assert!(
            ok(replies.next().unwrap()) == message,
            "{length}: ours opens there"
        );
        let third = replies.next().unwrap();
        // The built-in of `cryptography` exists from its version 50 on.
        assert!(
            third["ok"].is_null() || ok(third) == message,
            "{length}: the built-in agrees"
        );
        if length > 0 {
            assert!(
                ok(replies.next().unwrap()) == message[length / 3..],
                "{length}: a range"
            );
        }
    }
}

#[test]
fn damage_is_refused_there_as_here() {
    let key = Key::from_bytes([1; 32]);
    let good = cobblestone::seal(&key, b"c", array(1), &noise(2 * FRAME_BYTES + 3, 1));
    let damaged: Vec<Vec<u8>> = [0, 24, 56, 56 + 16_400, good.len() - 1]
        .map(|at| {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            bytes
        })
        .into_iter()
        .chain([good[..56 + 16_400].to_vec(), good[..40].to_vec()])
        .collect();
    let requests: Vec<Value> = damaged
        .iter()
        .map(|bytes| json!({ "verb": "open", "key": encode(&[1; 32]), "context": encode(b"c"), "sealed": encode(bytes) }))
        .collect();
    for (reply, bytes) in ask(&requests).iter().zip(&damaged) {
        assert!(reply["refused"].is_string(), "{reply}");
        assert!(cobblestone::open(&key, b"c", bytes).is_err());
    }
}

/// What a wrap of case `n` is bound to.
fn case(n: u8) -> WrapContext {
    WrapContext {
        parent: KeyId::from_bytes([n; 16]),
        parent_version: u32::from(n) + 1,
        child: KeyId::from_bytes([n + 100; 16]),
        child_version: u32::from(n) + 2,
    }
}

/// One wrap of every level, made by parent key 4…4 around child key 5…5.
fn wraps() -> Vec<(&'static str, Wrapped, WrapContext)> {
    let (parent, child, salt) = ([4; 32], [5; 32], array(1));
    let (site, tenant) = (SiteKey::from_bytes(parent), TenantKey::from_bytes(parent));
    let (bucket, group) = (BucketKey::from_bytes(parent), ShredKey::from_bytes(parent));
    let erase = EraseKey::from_bytes(parent);
    let root = RootKey::from_bytes(parent);
    let object = ObjectKey::fresh(child);
    let wrapped = [
        (
            "root-site",
            wrap(&root, &SiteKey::from_bytes(child), &case(0), salt),
        ),
        (
            "site-tenant",
            wrap(&site, &TenantKey::from_bytes(child), &case(1), salt),
        ),
        (
            "tenant-bucket",
            wrap(&tenant, &BucketKey::from_bytes(child), &case(2), salt),
        ),
        (
            "erase-group",
            wrap(&erase, &GroupKey::from_bytes(child), &case(3), salt),
        ),
        ("bucket-object", wrap(&bucket, &object, &case(4), salt)),
        ("group-object", wrap(&group, &object, &case(5), salt)),
        (
            "name",
            wrap(&bucket, &NameKey::from_bytes(child), &case(6), salt),
        ),
        (
            "index",
            wrap(&bucket, &IndexKey::from_bytes(child), &case(7), salt),
        ),
        (
            "ledger",
            wrap(&tenant, &LedgerKey::from_bytes(child), &case(8), salt),
        ),
        (
            "meta",
            wrap(&site, &MetaKey::from_bytes(child), &case(9), salt),
        ),
        (
            "root-erase",
            wrap(&root, &EraseKey::from_bytes(child), &case(10), salt),
        ),
    ];
    wrapped
        .into_iter()
        .zip(0..)
        .map(|((level, wrapped), n)| (level, wrapped, case(n)))
        .collect()
}

#[test]
fn wraps_of_every_level_go_both_ways() {
    let wraps = wraps();
    let contexts = ask(&wraps
        .iter()
        .map(|(level, _, c)| {
            json!({
                "verb": "wrap_context", "level": level,
                "parent": encode(c.parent.as_bytes()), "parent_version": c.parent_version,
                "child": encode(c.child.as_bytes()), "child_version": c.child_version,
            })
        })
        .collect::<Vec<_>>());
    let mut requests = Vec::new();
    for ((_, wrapped, _), context) in wraps.iter().zip(&contexts) {
        let (parent, context) = (encode(&[4; 32]), context["ok"].as_str().unwrap());
        let sealed = encode(wrapped.as_bytes());
        requests
            .push(json!({ "verb": "open", "key": parent, "context": context, "sealed": sealed }));
        let salt = encode(&wrapped.as_bytes()[..24]);
        let message = encode(&[5; 32]);
        requests.push(json!({ "verb": "seal", "key": parent, "context": context, "salt": salt, "message": message }));
    }
    let replies = ask(&requests);
    for ((level, wrapped, _), replies) in wraps.iter().zip(replies.chunks(2)) {
        assert_eq!(ok(&replies[0]), [5; 32], "{level}: ours opens there");
        assert_eq!(
            ok(&replies[1]),
            wrapped.as_bytes(),
            "{level}: theirs is the same"
        );
    }
    // Theirs opens here: the bytes are the same, and ours opens.
    let (_, wrapped, context) = &wraps[0];
    let site: SiteKey = unwrap(&RootKey::from_bytes([4; 32]), wrapped, context).unwrap();
    assert_eq!(site.kcv(), SiteKey::from_bytes([5; 32]).kcv());
}

fn described(record: &NewRecord<'_>, made: &ObjectRecord, oek: [u8; 32]) -> Value {
    let segments: Vec<Value> = record
        .segments
        .iter()
        .map(|s| {
            json!({ "salt": encode(&s.salt), "plain": s.plain_bytes, "sealed": s.sealed_bytes, "blake3": encode(&s.blake3) })
        })
        .collect();
    json!({
        "guest": record.guest_encrypted, "group": record.shred_group, "segments": segments,
        "tenant": encode(record.place.tenant.as_bytes()), "bucket": encode(record.place.bucket.as_bytes()),
        "version": encode(record.place.version.as_bytes()), "name": encode(&record.place.name),
        "kek": encode(record.kek.id.as_bytes()), "kek_version": record.kek.version,
        "wrapped": encode(record.wrapped.as_bytes()), "ct_root": encode(made.ct_root()), "oek": encode(&oek),
    })
}

#[test]
fn records_go_both_ways() {
    let bucket = BucketKey::from_bytes([4; 32]);
    let (oek, key) = ([6; 32], ObjectKey::fresh([6; 32]));
    let wrapped = wrap(
        &bucket,
        &key,
        &kek().wrap_context(place().version),
        array(1),
    );
    let segment = |plain, seed| Segment {
        salt: array(seed),
        plain_bytes: plain,
        sealed_bytes: cobblestone::sealed_len(plain),
        blake3: array(seed + 1),
    };
    let several: Vec<Segment> = (0..7).map(|n| segment(n * 1_000_003, 10 * n)).collect();
    let one = [segment(5, 3)];
    let cases = [
        new_record(wrapped, &one),
        NewRecord {
            guest_encrypted: true,
            ..new_record(wrapped, &several)
        },
        NewRecord {
            guest_encrypted: true,
            ..new_record(wrapped, &one)
        },
    ];
    let mut requests = Vec::new();
    for case in &cases {
        let made = ObjectRecord::new(case).unwrap();
        requests.push(json!({ "verb": "record", "record": described(case, &made, oek) }));
        let raw = encode(&made.to_bytes(&key));
        requests.push(json!({ "verb": "read_record", "key": encode(&[4; 32]), "level": "bucket-object", "raw": raw }));
    }
    let replies = ask(&requests);
    for (case, replies) in cases.iter().zip(replies.chunks(2)) {
        let made = ObjectRecord::new(case).unwrap();
        let theirs = ok(&replies[0]);
        assert_eq!(theirs, made.to_bytes(&key));
        let claimed = ClaimedRecord::read(&theirs).unwrap();
        assert_eq!(
            claimed.prove(&key, &place()).unwrap(),
            made,
            "theirs opens here"
        );
        let read = &replies[1]["ok"];
        assert_eq!(read["oek"], encode(&oek), "ours opens there");
        assert_eq!(read["plain"], made.plain_bytes());
        assert_eq!(read["segments"], made.segment_count());
        assert_eq!(read["manifest"], encode(made.manifest_digest()));
        assert_eq!(read["name"], encode(&place().name));
        assert_eq!(read["kek_version"], 3);
    }
}

#[test]
fn names_check_values_and_small_values_agree() {
    let bucket = BucketKey::from_bytes([4; 32]);
    let meta = MetaKey::from_bytes([8; 32]);
    let ours = seal_value(&meta, b"row", array(1), b"small");
    let replies = ask(&[
        json!({ "verb": "name_hash", "key": encode(&[4; 32]), "name": encode("Zürich/ä".as_bytes()) }),
        json!({ "verb": "kcv", "key": encode(&[4; 32]) }),
        json!({ "verb": "value_context", "context": encode(b"row") }),
    ]);
    let name: NameKey = bucket.derive();
    assert_eq!(ok(&replies[0]), name_hash(&name, "Zürich/ä".as_bytes()));
    assert_eq!(ok(&replies[1]), kcv(&Key::from_bytes([4; 32])));
    let context = replies[2]["ok"].clone();
    let common = json!({ "key": encode(&[8; 32]), "context": context });
    let mut open = common.clone();
    open["verb"] = "open".into();
    open["sealed"] = encode(&ours).into();
    let mut seal = common;
    seal["verb"] = "seal".into();
    seal["salt"] = encode(&array::<24>(2)).into();
    seal["message"] = encode(b"small").into();
    let replies = ask(&[open, seal]);
    assert_eq!(ok(&replies[0]), b"small");
    assert_eq!(
        &open_value(&meta, b"row", &ok(&replies[1])).unwrap()[..],
        b"small"
    );
}
