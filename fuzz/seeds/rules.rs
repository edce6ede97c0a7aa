//! Seeds for the pure rooms: words, authn, charter, ledger, seal, epoch.

use crate::{Seeds, golden};
use fuzz::signer;
use ledger::note::Checkpoint;
use ledger::record::{opening, row};
use ledger::tree::Frontier;
use ledger::{Fields, Kind, Leaf, LogKeys};
use seal::record::table_bytes;
use seal::{BucketKey, Kek, NewRecord, ObjectKey, ObjectPlace, ObjectRecord, Segment};
use std::io;
use tls::Algorithm;
use tls::authority::Authority;
use words::{BucketId, SiteId, TenantId, UnixMillis, VersionId};

pub fn write(seeds: &Seeds) -> io::Result<()> {
    names(seeds)?;
    requests(seeds)?;
    certificates(seeds)?;
    bodies(seeds)?;
    charters(seeds)?;
    papers(seeds)?;
    ledgers(seeds)?;
    sealed(seeds)?;
    let epoch = include_str!("../../crates/epoch/src/record/epoch_record.golden");
    let epoch = golden(epoch);
    seeds.put("epoch_record", "read", &[&[0], &epoch])?;
    seeds.put("epoch_record", "content", &[&[1], &epoch[..42]])?;
    seeds.put("epoch_record", "made", &[&[2], &[7; 24], &[1], &[9; 20]])
}

fn names(seeds: &Seeds) -> io::Result<()> {
    for (at, text) in [
        "tax-office.2026",
        "192.168.0.1",
        "xn--bucket",
        "reports/2026/ä b.csv",
        "AKIAIOSFODNN7EXAMPLE",
        "0123456789abcdef0123456789ABCDEF",
        "metrics",
    ]
    .iter()
    .enumerate()
    {
        seeds.put("words_names", &format!("{at}"), &[text.as_bytes()])?;
    }
    for (at, text) in [
        "20261123T120000Z\nFri, 24 May 2013 00:00:00 GMT\nAKIA0/20261123/lu-1/s3/aws4_request",
        "20000229T235960Z\nTue, 29 Feb 2000 23:59:60 GMT\nkey/20000229/eu/s3/aws4_request",
        "20261123\n20261123T120000Z\nkey/20261123/lu-1/s3/aws4_request",
    ]
    .iter()
    .enumerate()
    {
        seeds.put("authn_scope", &format!("{at}"), &[text.as_bytes()])?;
    }
    Ok(())
}

fn requests(seeds: &Seeds) -> io::Result<()> {
    let credential = format!("Credential={}/{}", signer::ACCESS, signer::scope());
    let whole = format!(
        "GET\n/bucket/a%20b\nlist-type=2&prefix=a%2Fb\nhost:127.0.0.1\nx-amz-date:{}\n\
         x-amz-content-sha256:UNSIGNED-PAYLOAD\nauthorization:AWS4-HMAC-SHA256 {credential}, \
         SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={}",
        signer::STAMP,
        "0f".repeat(32)
    );
    seeds.put("authn_head", "any", &[&[0], whole.as_bytes()])?;
    let dated = whole.replace(
        "x-amz-date:20261123T120000Z",
        "date:Mon, 23 Nov 2026 12:00:00 GMT",
    );
    seeds.put("authn_head", "dated", &[&[0], dated.as_bytes()])?;
    let old = b"GET\n/\nAWSAccessKeyId=a&Signature=b&Expires=1\nauthorization:AWS a:b";
    seeds.put("authn_head", "old", &[&[0], old])?;
    for act in 0..6 {
        let head =
            b"PUT\n/bucket//a+b%2Fc/./..\nb=2&a=1+2&a=&c\nx-amz-meta-a: 1  2\nrange:bytes=0-1\n\
                     x-amz-meta-a:3";
        let name = format!("signed-{act}");
        seeds.put("authn_head", &name, &[&[1, act & 1, act, act], head])?;
        let link =
            b"/bucket/key\nresponse-content-type=text%2Fplain&x-id=GetObject\n127.0.0.1:7480";
        let mode = 1 + act % 2;
        seeds.put(
            "authn_presigned",
            &name,
            &[&[mode, act], &[0, 0, 14, 15], link],
        )?;
    }
    let query = format!(
        "/k\nX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F{}&X-Amz-Date={}&X-Amz-Expires=60\
         &X-Amz-SignedHeaders=host&X-Amz-Signature={}\nh",
        signer::ACCESS,
        signer::scope().replace('/', "%2F"),
        signer::STAMP,
        "0f".repeat(32)
    );
    seeds.put(
        "authn_presigned",
        "any",
        &[&[0, 0], &[0; 4], query.as_bytes()],
    )
}

fn certificates(seeds: &Seeds) -> io::Result<()> {
    let head = b"POST\n/sessions\nroleArn=a\n\0\0host:h\nx-amz-date:20261123T120000Z\nx-amz-x509:MIIB\n\
        authorization:AWS4-X509-RSA-SHA256 Credential=200/20261123/lu-1/rolesanywhere/aws4_request, \
        SignedHeaders=host;x-amz-date;x-amz-x509, Signature=00";
    seeds.put("authn_certificate", "any", &[&[0], head])?;
    for act in 0..6 {
        let name = format!("carried-{act}");
        seeds.put("authn_certificate", &name, &[&[1, 1, act, 0, 9, 1, 1, 1, 0, 8], &[7; 40]])?;
        for part in 0..3 {
            let name = format!("files-{part}-{act}");
            seeds.put("authn_certificate", &name, &[&[2, part, act, 0, 9], &[7; 40]])?;
        }
    }
    let body = br#"{"durationSeconds":900,"roleArn":"a","profileArn":"b","trustAnchorArn":"c","roleSessionName":"d"}"#;
    seeds.put("authn_certificate", "asked", &[&[3], b"roleArn=a&profileArn=b%2Fc\n", body])
}

fn bodies(seeds: &Seeds) -> io::Result<()> {
    for (at, body) in [
        "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
        "0\r\nx-amz-checksum-crc32:AAAAAA==\n\r\n\r\n",
        "005\r\nhello\r\n0\r\nX-Amz-Checksum-CRC32: AA \r\n\r\n",
        "ffffffffffffffff\r\n",
    ]
    .iter()
    .enumerate()
    {
        let parts: [&[u8]; 5] = [&[0], &[0, 3, 1, 2, 30], &[0, 5], body.as_bytes(), b""];
        seeds.put("authn_chunked", &format!("plain-{at}"), &parts)?;
    }
    let signed = b"5;chunk-signature=0000000000000000000000000000000000000000000000000000000000000000\r\nhello";
    seeds.put("authn_chunked", "signed", &[&[1], &[0, 0], &[0, 5], signed])?;
    for framing in 0..3_u8 {
        let mode = 0x81 + framing;
        let chunks: [&[u8]; 6] = [&[mode], &[0, 2, 7, 90], &[0, 2], &[0, 5], b"hello", &[0, 3]];
        let rest: [&[u8]; 4] = [b"abc", &[0, 6], b"AAAA==", &[0, 0, 40, 3]];
        let parts = [&chunks[..], &rest[..]].concat();
        seeds.put("authn_chunked", &format!("framed-{framing}"), &parts)?;
    }
    Ok(())
}

fn charters(seeds: &Seeds) -> io::Result<()> {
    let charter = charter::Charter::default().to_toml();
    let template = agreement::Agreement::template();
    seeds.put("agreement_document", "text", &[template.as_bytes()])?;
    if let Ok(read) = agreement::Agreement::from_toml(template) {
        seeds.put("agreement_document", "form", &[&read.encode()])?;
    }
    seeds.put("charter_toml", "usual", &[charter.as_bytes()])?;
    seeds.put(
        "charter_toml",
        "newer",
        &[charter.replace("version = 1", "version = 2").as_bytes()],
    )?;
    seeds.put(
        "charter_toml",
        "mistyped",
        &[charter.replace("threshold", "treshold").as_bytes()],
    )?;
    let share = include_bytes!("../../crates/charter/tests/it/golden/share-format-1.clarence");
    seeds.put("charter_share", "read", &[&[0], share])?;
    seeds.put("charter_share", "checked", &[&[1], share])?;
    let head: [&[u8]; 6] = [
        &[2],
        &[0, 3],
        &[1; 16],
        &[2; 16],
        &[3; 32],
        &[0, 1, 2, 0, 1],
    ];
    seeds.put("charter_share", "made", &head)?;
    let named: [&[u8]; 5] = [&[0, 2], b"lu", &[0, 4], b"ctie", &[0, 4]];
    seeds.put(
        "charter_share",
        "named",
        &[&head[..], &named[..], &[b"CTIE"]].concat(),
    )?;
    let part = include_bytes!("../../crates/charter/tests/it/golden/officer-share-1.clarence");
    seeds.put("charter_officer", "read", &[&[0], part])?;
    seeds.put("charter_officer", "checked", &[&[1], part])?;
    let paper = include_bytes!("../../crates/charter/tests/it/golden/paper-1.txt");
    seeds.put("charter_paper", "read", &[&[1], paper])?;
    seeds.put("charter_paper", "changed", &[&[0, 2, 3], b"lusab"])?;
    let envelope = include_bytes!("../../crates/charter/tests/it/golden/envelope.age");
    seeds.put("charter_envelope", "read", &[&[0], envelope])?;
    seeds.put("charter_envelope", "header", &[&[1], &envelope[22..]])?;
    seeds.put("charter_envelope", "damaged", &[&[2, 0, 40, 1]])?;
    let identity = include_bytes!("../../crates/charter/tests/it/golden/envelope.identity");
    seeds.put("charter_envelope", "identity", &[&[3], identity])?;
    let recipient = include_bytes!("../../crates/charter/tests/it/golden/envelope.recipient");
    seeds.put("charter_envelope", "recipient", &[&[3], recipient])?;
    let custody = include_bytes!("../../crates/charter/tests/it/golden/custody-format-1.json");
    let transcript =
        include_bytes!("../../crates/charter/tests/it/golden/transcript-format-1.json");
    seeds.put("charter_records", "custody", &[&[0], custody])?;
    seeds.put("charter_records", "transcript", &[&[1], transcript])?;
    seeds.put("charter_records", "custody-damaged", &[&[2, 0, 0, 40, 2]])?;
    seeds.put(
        "charter_records",
        "transcript-damaged",
        &[&[3, 0, 0, 90, 2]],
    )
}

fn papers(seeds: &Seeds) -> io::Result<()> {
    let golden = |text: &'static str| text.as_bytes();
    for (kind, name, text) in [
        (
            0_u8,
            "secret-key",
            golden(include_str!(
                "../../crates/charter/tests/it/golden/secret-key-format-1.key"
            )),
        ),
        (
            1,
            "public-key",
            golden(include_str!(
                "../../crates/charter/tests/it/golden/public-key-format-1.pub"
            )),
        ),
        (
            2,
            "card",
            golden(include_str!(
                "../../crates/charter/tests/it/golden/card-format-1.card"
            )),
        ),
        (
            3,
            "request",
            golden(include_str!(
                "../../crates/charter/tests/it/golden/request-format-1.request"
            )),
        ),
        (
            4,
            "approval",
            golden(include_str!(
                "../../crates/charter/tests/it/golden/approval-format-1.approval"
            )),
        ),
        (
            4,
            "veto",
            golden(include_str!(
                "../../crates/charter/tests/it/golden/veto-format-1.veto"
            )),
        ),
        (
            5,
            "order",
            golden(include_str!(
                "../../crates/charter/tests/it/golden/order-format-1.order"
            )),
        ),
        (
            6,
            "deed",
            golden(include_str!(
                "../../crates/charter/tests/it/golden/charter-format-2.toml"
            )),
        ),
        (7, "formula-and", b"ctie AND (luxconnect OR proximus)"),
        (7, "formula-of", b"2 OF (ctie OR a, luxconnect, 2, b AND c)"),
    ] {
        seeds.put("charter_documents", name, &[&[kind], text])?;
    }
    let signed = include_bytes!("../../crates/charter/tests/it/golden/charter-format-2.toml");
    let founding = include_bytes!("../../crates/charter/tests/it/golden/charter-format-1.toml");
    seeds.put("charter_toml", "signed", &[signed])?;
    seeds.put("charter_toml", "golden", &[founding])?;

    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let host = host::Host::real();
    let authority = Authority::generate(Algorithm::EcdsaP256, &host).map_err(io::Error::other)?;
    let issued = authority.issue(&names, &host).map_err(io::Error::other)?;
    seeds.put("tls_facts", "certificate", &[&[0], issued.certificate()])?;
    let times = [0, 0, 0, 0, 0x6a, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    let named: [&[u8]; 5] = [
        &[1],
        &times,
        &[1, 3, 0, 0, 4],
        b"name",
        &[1, 10, 0, 0, 1, 3],
    ];
    seeds.put("tls_facts", "made", &named)
}

fn ledgers(seeds: &Seeds) -> io::Result<()> {
    let keys =
        LogKeys::from_seeds("clarence.example/ledger", &[3; 64]).map_err(io::Error::other)?;
    let checkpoint = Checkpoint {
        origin: "clarence.example/ledger".to_owned(),
        size: 1,
        root: [9; 32],
        time: Some(UnixMillis(5)),
    };
    let note = "text\n\n— a AAAAAAA=\n— b AAAAAAA=\n";
    seeds.put("ledger_note", "note", &[&[0], note.as_bytes()])?;
    let text = format!("{}other line\n", checkpoint.text());
    seeds.put("ledger_note", "checkpoint", &[&[1], text.as_bytes()])?;
    seeds.put(
        "ledger_note",
        "verifier",
        &[&[2], keys.verifier().to_text().as_bytes()],
    )?;
    seeds.put("ledger_note", "flipped", &[&[3, 1, 0, 0, 30, 4]])?;
    let beside: [&[u8]; 3] = [&[3, 0, 0, 1, 0, 20], note.as_bytes(), &[1, 1]];
    seeds.put("ledger_note", "beside", &beside)?;
    seeds.put("ledger_note", "keys", &[&[4, 5, 0, 0]])?;

    for (at, path) in [
        "tile/0/x001/x234/067.p/17",
        "tile/entries/007",
        "tile/63/x018/x446/x744/x073/x709/x551/615",
    ]
    .iter()
    .enumerate()
    {
        seeds.put(
            "ledger_tree",
            &format!("path-{at}"),
            &[&[0], path.as_bytes()],
        )?;
    }
    seeds.put(
        "ledger_tree",
        "bundle",
        &[&[1], &[0, 3], b"\0\x03one\0\0\0\x05three"],
    )?;
    seeds.put(
        "ledger_tree",
        "grown",
        &[&[2], &[2, 1], &[7], &[0; 6], &[1, 17]],
    )?;
    seeds.put(
        "ledger_tree",
        "proofs",
        &[&[3], &[0, 21], &[7], &[13, 9], &[0, 0, 1, 3, 5]],
    )?;
    let frontier = Frontier::of(&[[1; 32]; 5]).to_bytes();
    seeds.put("ledger_tree", "frontier", &[&[4], &frontier])?;

    let mut fields = Fields::new(Kind::Grant, UnixMillis(1_795_435_200_000));
    fields.tenant = Some(TenantId::from_bytes([4; 16]));
    fields.operation = Some("GetObject".to_owned());
    fields.ranges = Some(vec![(0, 9), (20, 1)]);
    fields.sites = Some(vec![SiteId::A, SiteId::B]);
    fields.request_digest = Some([5; 32]);
    let commitment = fields.commit(&[6; 32]);
    let leaf = Leaf::new(&commitment);
    let shown = fields.disclose(&[6; 32], &[1, 7]).to_bytes();
    seeds.put(
        "ledger_records",
        "opening",
        &[&[0], &fields.opening(&[6; 32])],
    )?;
    let unknown = opening::encode(
        &[6; 32],
        b"\0\x01\0\0\0\x02\0\x04\0\x02\0\0\0\x08\0\0\0\0\0\0\0\x01\0\x63\0\0\0\x01!",
    );
    seeds.put("ledger_records", "unknown", &[&[0], &unknown])?;
    seeds.put(
        "ledger_records",
        "row",
        &[&[1], &row::encode(&leaf, b"sealed")],
    )?;
    seeds.put("ledger_records", "disclosure", &[&[2], &shown])?;
    seeds.put("ledger_records", "leaf", &[&[3], leaf.as_bytes()])?;
    let made: [&[u8]; 5] = [&[4], &[0, 2, 1, 7], &[0; 12], &[1, 0, 4, 1], &[9; 60]];
    seeds.put("ledger_records", "made", &made)
}

fn sealed(seeds: &Seeds) -> io::Result<()> {
    let key = ObjectKey::fresh([0x42; 32]);
    let version = VersionId::from_bytes([3; 16]);
    let kek = Kek {
        id: BucketId::from_bytes([2; 16]).into(),
        version: 3,
    };
    let segment = Segment {
        salt: [1; 24],
        plain_bytes: 1,
        sealed_bytes: 73,
        blake3: [2; 32],
    };
    let bucket = BucketKey::from_bytes([4; 32]);
    let segments = [segment, segment];
    let record = ObjectRecord::new(&NewRecord {
        place: ObjectPlace {
            tenant: TenantId::from_bytes([1; 16]),
            bucket: BucketId::from_bytes([2; 16]),
            version,
            name: [5; 32],
        },
        kek,
        wrapped: seal::wrap(&bucket, &key, &kek.wrap_context(version), [1; 24]),
        guest_encrypted: true,
        shred_group: false,
        segments: &segments,
    });
    let record = record.map_err(io::Error::other)?;
    let bytes = record.to_bytes(&key);
    let other = record.to_bytes(&ObjectKey::fresh([0x43; 32]));
    seeds.put("seal_record", "other-mac", &[&[0], &other])?;
    seeds.put("seal_record", "under-mac", &[&[1], &bytes[..448]])?;
    seeds.put(
        "seal_record",
        "made",
        &[&[2], &[0, 3], &[0, 0, 9, 9, 0, 1, 2], &[5; 120]],
    )?;
    seeds.put("seal_record", "segment", &[&[3], &table_bytes(&[segment])])?;
    seeds.put("seal_wrap", "guessed", &[&[0], &[1; 40], &[2; 200]])?;
    seeds.put(
        "seal_wrap",
        "wrapped",
        &[&[1], &[1; 64], &[2; 40], &[3; 24], &[4; 40], &[0, 0, 70, 3]],
    )?;
    let value: [&[u8]; 5] = [&[2], &[1; 32], &[0, 3], b"rowrow", &[0, 5]];
    seeds.put(
        "seal_wrap",
        "value",
        &[&value[..], &[b"plain", &[9; 60]]].concat(),
    )?;
    for (at, choice) in [[0, 0, 40], [1, 80, 0], [2, 0, 8], [3, 0, 9]]
        .iter()
        .enumerate()
    {
        let head: [&[u8]; 4] = [&[1; 32], &[2; 24], &[0, 3], b"row"];
        let tail: [&[u8]; 3] = [choice, &[5, 6], &[0, 7, 0, 9, 1, 1, 0, 0, 1, 0, 2, 3]];
        let parts = [&head[..], &tail[..]].concat();
        seeds.put("seal_cobblestone", &format!("{at}"), &parts)?;
    }
    Ok(())
}
