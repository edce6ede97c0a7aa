//! Certificates that ask for a session: the request that carries them, what it asks for, and the files of authorities
//! and revocation lists. Nothing makes the readers stumble; nobody is believed, because no input can hold a signature of
//! the authority's; what is refused is refused in bounded words.
#![no_main]

use authn::x509::{
    Anchor, SessionAsked, certificates, list, present_certificate,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fuzz::signer::{self, Request};
use fuzz::{Input, bounded_by, damaged};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const ROOT: &[u8] = include_bytes!("../../crates/authn/tests/fixtures/root.pem");
const ANNA: &[u8] = include_bytes!("../../crates/authn/tests/fixtures/anna.pem");
const LIST: &[u8] = include_bytes!("../../crates/authn/tests/fixtures/list.pem");

/// The authority, a certificate of its, and its list, in DER.
static MADE: LazyLock<(Vec<u8>, Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
    let one = |file| certificates(file).unwrap().remove(0);
    (one(ROOT), one(ANNA), list(LIST).unwrap().der)
});

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.u8() % 4 {
        0 => request(&mut input),
        1 => carried(&mut input),
        2 => files(&mut input),
        _ => asked(&mut input),
    }
});

fn bounded(error: &impl std::fmt::Display, read: usize) {
    bounded_by(error, fuzz::MESSAGE_BYTES_MAX + 8 * read);
}

/// Any head and body at all.
fn request(input: &mut Input<'_>) {
    let mut request = Request {
        method: input.line(),
        path: input.line(),
        query: input.line(),
        headers: Vec::new(),
    };
    let body = input.bytes(256);
    while !input.is_empty() {
        let line = input.line();
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        request.push(&name.to_ascii_lowercase(), value);
    }
    believed_by_none(&request, body);
}

/// A request as it must be, around any bytes where certificate and signature stand.
fn carried(input: &mut Input<'_>) {
    let leaf = if input.flag() {
        damaged(&MADE.1, input)
    } else {
        input.bytes(1024).to_vec()
    };
    let sort = if input.flag() { "RSA" } else { "ECDSA" };
    let serial = if input.flag() { 200 } else { u64::from(input.u32()) };
    let signature = words::hex::encode(input.bytes(256));
    let mut request = Request {
        method: "POST".to_owned(),
        path: "/sessions".to_owned(),
        query: String::new(),
        headers: Vec::new(),
    };
    request.push("host", "sim.test");
    request.push("x-amz-date", signer::STAMP);
    request.push("x-amz-x509", &STANDARD.encode(leaf));
    request.push(
        "authorization",
        &format!(
            "AWS4-X509-{sort}-SHA256 Credential={serial}/20261123/lu-1/rolesanywhere/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-x509, Signature={signature}"
        ),
    );
    believed_by_none(&request, input.rest());
}

fn believed_by_none(request: &Request, body: &[u8]) {
    let head = request.head();
    let read: usize = head.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    match present_certificate(&head, body) {
        Ok(presented) => {
            let anchor = Anchor::read(std::slice::from_ref(&MADE.0), &[]).unwrap();
            let error = anchor.check(&presented, signer::NOW).expect_err("nobody can sign");
            bounded(&error, read);
        }
        Err(error) => bounded(&error, read),
    }
}

/// Files of authorities and lists, damaged or made up.
fn files(input: &mut Input<'_>) {
    let (root, revoked) = match input.u8() % 4 {
        0 => (damaged(&MADE.0, input), MADE.2.clone()),
        1 => (MADE.0.clone(), damaged(&MADE.2, input)),
        2 => (damaged(ROOT, input), damaged(LIST, input)),
        _ => (input.bytes(2048).to_vec(), input.rest().to_vec()),
    };
    for file in [&root, &revoked] {
        if let Err(error) = certificates(file) {
            bounded(&error, file.len());
        }
        match list(file) {
            Ok(read) => assert_eq!(list(&read.der).unwrap(), read),
            Err(error) => bounded(&error, file.len()),
        }
    }
    match Anchor::read(std::slice::from_ref(&root), std::slice::from_ref(&revoked)) {
        // Only what the authority signed counts: nothing in a list that was changed does.
        Ok(_) => assert_eq!(list(&revoked).unwrap().revoked, 1),
        Err(error) => bounded(&error, root.len() + revoked.len()),
    }
}

fn asked(input: &mut Input<'_>) {
    let query = input.line();
    let body = input.rest();
    if let Err(why) = SessionAsked::read(&query, body) {
        bounded(&why, query.len() + body.len());
    }
}
