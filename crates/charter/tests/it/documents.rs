//! Every document as bytes: read back, refused when any byte is another one, never a panic, and files of
//! today's formats are read for ever.

use super::joint::{House, approval, at, card, key, memory, person, veto};
use charter::approval::files::{self as disk, FileError};
use charter::approval::{
    Bearer, Card, Decision, DocumentError, KeyFile, Order, PublicFile, SignedRequest,
};
use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};

type Read = fn(&[u8]) -> Result<String, DocumentError>;

/// Name, text, and the reader that gives the text back.
fn documents() -> Vec<(&'static str, String, Read)> {
    let house = House::new(None);
    let anna = house.key("anna", "ctie");
    let request = house.anna_asks("tenant-add");
    let mut deliberation = house.open(&request).unwrap();
    let ben = approval(&request, house.key("ben", "ctie"));
    deliberation.approve(ben.clone()).unwrap();
    let order = Order::from(deliberation.resolve(at(0), &memory()).unwrap());
    vec![
        ("secret key", anna.to_text().to_string(), read_key),
        ("public key", anna.public().unwrap().to_text(), read_public),
        (
            "approver's card",
            card(&house.parties[0], anna, 1).to_text(),
            read_card,
        ),
        ("request", request.to_text(), read_request),
        ("approval", ben.to_text(), read_decision),
        (
            "veto",
            veto(&request, house.key("david", "proximus")).to_text(),
            read_decision,
        ),
        ("execution order", order.to_text(), read_order),
    ]
}

fn read_key(bytes: &[u8]) -> Result<String, DocumentError> {
    KeyFile::parse(bytes).map(|read| read.to_text().to_string())
}
fn read_public(bytes: &[u8]) -> Result<String, DocumentError> {
    PublicFile::parse(bytes).map(|read| read.to_text())
}
fn read_card(bytes: &[u8]) -> Result<String, DocumentError> {
    Card::parse(bytes).map(|read| read.to_text())
}
fn read_request(bytes: &[u8]) -> Result<String, DocumentError> {
    SignedRequest::parse(bytes).map(|read| read.to_text())
}
fn read_decision(bytes: &[u8]) -> Result<String, DocumentError> {
    Decision::parse(bytes).map(|read| read.to_text())
}
fn read_order(bytes: &[u8]) -> Result<String, DocumentError> {
    Order::parse(bytes).map(|read| read.to_text())
}

const READERS: [Read; 6] = [
    read_key,
    read_public,
    read_card,
    read_request,
    read_decision,
    read_order,
];

#[test]
fn what_is_written_is_read_back() {
    for (name, text, read) in documents() {
        assert_eq!(read(text.as_bytes()).unwrap(), text, "{name}");
        assert!(
            text.starts_with(&format!("clarence {name}, format 1\n")),
            "{name}"
        );
    }
}

#[test]
fn a_change_of_any_byte_is_refused() {
    for (name, text, read) in documents() {
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 1;
            assert!(read(&bytes).is_err(), "{name}: byte {at}");
        }
    }
}

#[test]
fn a_trailing_byte_a_cut_and_a_newer_format_are_named() {
    for (name, text, read) in documents() {
        let said = |text: &str| read(text.as_bytes()).unwrap_err().to_string();
        let trailing = said(&format!("{text}\n"));
        assert!(
            trailing.contains("1 bytes follow the last line"),
            "{name}: {trailing}"
        );
        let cut = said(&text[..text.len() - 1]);
        assert!(cut.contains("cut short"), "{name}: {cut}");
        let newer = said(&text.replacen("format 1", "format 2", 1));
        assert!(
            newer.contains("has format 2; this build reads up to 1"),
            "{name}: {newer}"
        );
        let long = said(&format!("{text}{}", "x".repeat(2 << 20)));
        assert!(long.contains("are allowed"), "{name}: {long}");
    }
}

#[test]
fn no_document_is_taken_for_another() {
    let all = documents();
    for (name, text, own) in &all {
        let taken = READERS
            .iter()
            .filter(|read| read(text.as_bytes()).is_ok())
            .count();
        assert_eq!(taken, 1, "{name}");
        assert!(own(text.as_bytes()).is_ok());
    }
}

#[test]
fn a_verb_of_another_build_is_named() {
    let text = House::new(None).anna_asks("seal").to_text();
    let other = super::approvals::with_right_checksum(&text.replacen(
        "verb          seal",
        "verb          teleport",
        1,
    ));
    let said = SignedRequest::parse(other.as_bytes()).unwrap_err();
    assert_eq!(said, DocumentError::UnknownVerb("teleport".to_owned()));
}

#[test]
fn a_public_key_shows_that_its_secret_half_is_there() {
    let (anna, eve) = (
        key(Bearer::Person(person("anna", "ctie")), 50)
            .public()
            .unwrap()
            .to_text(),
        key(Bearer::Person(person("anna", "ctie")), 51)
            .public()
            .unwrap()
            .to_text(),
    );
    let from = |text: &str| text.find("\nEd25519 ").unwrap();
    let mixed = format!("{}{}", &anna[..from(&anna)], &eve[from(&eve)..]);
    let mixed = super::approvals::with_right_checksum(&mixed);
    assert!(matches!(
        PublicFile::parse(mixed.as_bytes()),
        Err(DocumentError::Signature { .. })
    ));
}

#[test]
fn documents_of_format_1_are_read_for_ever() {
    for (text, read) in [
        (include_str!("golden/secret-key-format-1.key"), READERS[0]),
        (include_str!("golden/public-key-format-1.pub"), READERS[1]),
        (include_str!("golden/card-format-1.card"), READERS[2]),
        (include_str!("golden/request-format-1.request"), READERS[3]),
        (
            include_str!("golden/approval-format-1.approval"),
            READERS[4],
        ),
        (include_str!("golden/veto-format-1.veto"), READERS[4]),
        (include_str!("golden/order-format-1.order"), READERS[5]),
    ] {
        assert_eq!(read(text.as_bytes()).unwrap(), text);
    }
    // They hold together: the order is good under the charter and the cards of the same day.
    let house = House::new(None);
    let order = Order::parse(include_bytes!("golden/order-format-1.order")).unwrap();
    let again = order.reopen(house.chamber()).unwrap();
    assert!(again.resolve(at(0), &memory()).is_ok());
    assert_eq!(
        order.digest().to_string(),
        "835c00f242d81b645ed6e43d0ffe199f79722e2df823a0f4b316a54375b73e48e0f6335c8c620153cf50fa5d5c75ba825f70da1495116bc7a8943407d99343a3"
    );
    let secret = KeyFile::parse(include_bytes!("golden/secret-key-format-1.key")).unwrap();
    let public = PublicFile::parse(include_bytes!("golden/public-key-format-1.pub")).unwrap();
    assert_eq!(secret.key().public(), public.key());
}

#[test]
fn a_secret_key_is_for_its_owner_only_and_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let anna = key(Bearer::Person(person("anna", "ctie")), 52);
    let inside = folder.path().join("usb");
    let (secret, public) = disk::write_keys(&inside, "anna", &anna).unwrap();
    assert_eq!(host::files::mode(&secret).unwrap(), 0o600);
    assert_eq!(host::files::mode(&inside).unwrap(), 0o700);
    assert_eq!(
        disk::load_key(&secret).unwrap().key().seeds(),
        anna.key().seeds()
    );
    assert_eq!(
        disk::load_public(&public).unwrap().key(),
        anna.key().public()
    );
    assert!(
        !host::files::read(&public, 20_000)
            .unwrap()
            .unwrap()
            .windows(5)
            .any(|w| w == b"seeds")
    );

    let other = key(Bearer::Person(person("anna", "ctie")), 53);
    assert!(matches!(
        disk::write_keys(&inside, "anna", &other),
        Err(FileError::Occupied(_))
    ));
    host::files::remove(&public).unwrap();
    assert!(matches!(
        disk::write_keys(&inside, "anna", &other),
        Err(FileError::Occupied(_))
    ));
    assert_eq!(
        disk::load_key(&secret).unwrap().key().seeds(),
        anna.key().seeds()
    );

    host::files::set_mode(&secret, 0o640).unwrap();
    assert!(matches!(
        disk::load_key(&secret),
        Err(FileError::Open { mode: 0o640, .. })
    ));
    assert!(matches!(
        disk::load_key(&inside.join("ben.key")),
        Err(FileError::Missing(_))
    ));
    let wrong = disk::load_request(&inside.join("anna.key"));
    assert!(
        matches!(wrong, Err(FileError::Document { .. })),
        "{wrong:?}"
    );
    let shown = format!("{:?}", disk::load_key(&secret).unwrap_err());
    assert!(!shown.contains(&words::hex::encode(anna.key().seeds())[..16]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        for read in READERS {
            prop_assert!(read(&bytes).is_err());
        }
    }

    #[test]
    fn any_lines_with_a_right_checksum_are_answered(
        kind in 0_usize..7, drop in 0_usize..40, twice in 0_usize..40, with in "[ -~]{0,60}", at in 0_usize..40
    ) {
        // A forger who gets every checksum right: lines left out, doubled, replaced.
        let goldens = [
            include_str!("golden/secret-key-format-1.key"), include_str!("golden/public-key-format-1.pub"),
            include_str!("golden/card-format-1.card"), include_str!("golden/request-format-1.request"),
            include_str!("golden/approval-format-1.approval"), include_str!("golden/veto-format-1.veto"),
            include_str!("golden/order-format-1.order"),
        ];
        let text = goldens[kind];
        let end = text.rfind("\nchecksum ").unwrap() + 1;
        let mut lines: Vec<&str> = text[..end].split_inclusive('\n').collect();
        let with = format!("{with}\n");
        if let Some(line) = lines.get_mut(at) { *line = &with; }
        if twice < lines.len() { lines.insert(twice, lines[twice]); }
        if drop < lines.len() { lines.remove(drop); }
        let forged = super::approvals::with_right_checksum(&format!("{}{}", lines.concat(), &text[end..]));
        for read in READERS {
            if let Ok(again) = read(forged.as_bytes()) {
                prop_assert!(again == forged);
            }
        }
    }
}
