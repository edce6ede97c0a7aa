//! A real token.

use crate::softhsm::{MODULE, Tokens};
use host::Host;
use hsm::{Fault, Hsm, HsmRecord, KeyName};
use words::CloudId;

const CLOUD: CloudId = CloudId::from_bytes([9; 16]);
const KEY: KeyName = KeyName([7; 16]);
const SECRET: [u8; 32] = [0x5a; 32];

#[test]
fn a_key_made_in_the_token_wraps_and_unwraps() {
    let Some(tokens) = Tokens::new(&["site a"]) else {
        return;
    };
    let mut hsm = tokens.hsm("site a");
    let facts = hsm.token().unwrap();
    assert_eq!(facts.label, "site a");
    assert!(facts.able && !facts.locked);
    hsm.make(KEY, "clarence test").unwrap();
    let context = HsmRecord::context(CLOUD, &facts.serial, KEY);
    let wrap = hsm.wrap(KEY, &context, &SECRET).unwrap();
    assert_ne!(wrap.sealed[..32], SECRET);
    let other = hsm.wrap(KEY, &context, &SECRET).unwrap();
    assert_ne!(wrap.nonce, other.nonce, "a nonce is never used twice");
    // Another process, the token named by its serial number.
    let mut again = tokens.hsm(&facts.serial);
    assert_eq!(*again.unwrap(KEY, &context, wrap).unwrap(), SECRET);
}

#[test]
fn whatever_was_changed_is_not_opened_and_nothing_else_is_told() {
    let Some(tokens) = Tokens::new(&["site a"]) else {
        return;
    };
    let mut hsm = tokens.hsm("site a");
    let serial = hsm.token().unwrap().serial;
    hsm.make(KEY, "clarence test").unwrap();
    let other_key = KeyName([8; 16]);
    hsm.make(other_key, "clarence other").unwrap();
    let context = HsmRecord::context(CLOUD, &serial, KEY);
    let wrap = hsm.wrap(KEY, &context, &SECRET).unwrap();
    for at in 0..60 {
        let mut bad = wrap;
        match at {
            0..12 => bad.nonce[at] ^= 1,
            _ => bad.sealed[at - 12] ^= 1,
        }
        assert_eq!(
            hsm.unwrap(KEY, &context, bad),
            Err(Fault::NotOpened),
            "byte {at}"
        );
    }
    let elsewhere = HsmRecord::context(CloudId::from_bytes([1; 16]), &serial, KEY);
    assert_eq!(hsm.unwrap(KEY, &elsewhere, wrap), Err(Fault::NotOpened));
    assert_eq!(hsm.unwrap(other_key, &context, wrap), Err(Fault::NotOpened));
    // The same process still works after all of that.
    assert_eq!(*hsm.unwrap(KEY, &context, wrap).unwrap(), SECRET);
    let none = KeyName([3; 16]);
    assert!(matches!(
        hsm.unwrap(none, &context, wrap),
        Err(Fault::NoKey { .. })
    ));
}

#[test]
fn a_wrong_pin_is_given_once_only() {
    let Some(tokens) = Tokens::new(&["site a"]) else {
        return;
    };
    tokens.write_pin("4321");
    let mut hsm = tokens.hsm("site a");
    for _ in 0..10 {
        assert_eq!(hsm.token(), Err(Fault::PinWrong));
    }
    let left = Hsm::probe(Host::real(), tokens.program(), MODULE).unwrap();
    assert!(left.iter().all(|token| !token.locked), "{left:?}");
    tokens.write_pin("1234\n");
    assert!(tokens.hsm("site a").token().is_ok());
}

#[test]
fn tokens_that_are_missing_or_ambiguous_are_named() {
    let Some(tokens) = Tokens::new(&["twin", "twin"]) else {
        return;
    };
    assert_eq!(
        tokens.hsm("nobody").token(),
        Err(Fault::NoToken("nobody".into()))
    );
    assert_eq!(
        tokens.hsm("twin").token(),
        Err(Fault::Ambiguous("twin".into()))
    );
    let found = Hsm::probe(Host::real(), tokens.program(), MODULE).unwrap();
    let twins = found.iter().filter(|token| token.label == "twin").count();
    assert_eq!(twins, 2, "{found:?}");
}

#[test]
fn a_key_that_can_leave_the_token_is_refused() {
    if !crate::softhsm::there(&["/usr/bin/pkcs11-tool"]) {
        return;
    }
    let Some(tokens) = Tokens::new(&["site a"]) else {
        return;
    };
    let made = std::process::Command::new("/usr/bin/pkcs11-tool")
        .args([
            "--module",
            MODULE,
            "--token-label",
            "site a",
            "--login",
            "--pin",
            "1234",
        ])
        .args(["--keygen", "--key-type", "AES:32", "--id", &"07".repeat(16)])
        .args(["--label", "loose", "--extractable"])
        .env("SOFTHSM2_CONF", tokens.folder.path().join("softhsm2.conf"))
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let fault = tokens
        .hsm("site a")
        .wrap(KEY, b"context", &SECRET)
        .unwrap_err();
    assert!(matches!(fault, Fault::WeakKey(_)), "{fault:?}");
}
