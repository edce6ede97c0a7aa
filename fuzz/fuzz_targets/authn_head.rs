//! The head of a request signed in its header, or of any other request. Nothing makes the reader stumble; what
//! an independent signer signed is believed, whatever path, query and headers it has; and it is believed no
//! more once anything that is signed has changed.
#![no_main]

use fuzz::signer::{self, Request};
use fuzz::{Input, bounded};
use libfuzzer_sys::fuzz_target;

/// Headers that the signer adds itself, or that make another kind of request.
const OWN: [&str; 5] = [
    "authorization",
    "host",
    "x-amz-date",
    "x-amz-content-sha256",
    "x-amz-security-token",
];
/// Parameters that would make it a request signed in the query, or with Version 2.
const QUERY_SIGNED: [&[u8]; 5] = [
    b"X-Amz-Signature",
    b"X-Amz-Credential",
    b"X-Amz-Algorithm",
    b"AWSAccessKeyId",
    b"Signature",
];

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.u8() % 2 {
        0 => any(&mut input),
        _ => signed(&mut input),
    }
});

/// Any head at all.
fn any(input: &mut Input<'_>) {
    let mut request = Request {
        method: input.line(),
        path: input.line(),
        query: input.line(),
        headers: Vec::new(),
    };
    while !input.is_empty() {
        let line = input.line();
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        request.push(&name.to_ascii_lowercase(), value);
    }
    match authn::present(&request.head()) {
        Ok(presented) => {
            if let Err(error) = presented.admit(signer::NOW, signer::REGION) {
                refused(&error);
            }
            assert_eq!(presented.expires().is_some(), presented.is_presigned());
            assert!(format!("{presented:?}").len() < 200);
        }
        Err(error) => refused(&error),
    }
}

fn refused(error: &authn::AuthnError) {
    let answer = error.answer(signer::REGION);
    assert!(matches!(answer.status, 400 | 403 | 501), "{answer:?}");
    bounded(&answer.message);
    assert!(answer.region.is_none_or(|region| region == signer::REGION));
}

/// A head that the signer signed, and the same once it was tampered with.
fn signed(input: &mut Input<'_>) {
    let as_sent = input.flag();
    let act = input.u8();
    let payload = match input.u8() % 3 {
        0 => "UNSIGNED-PAYLOAD".to_owned(),
        1 => "STREAMING-UNSIGNED-PAYLOAD-TRAILER".to_owned(),
        _ => signer::sha256(&[act]),
    };
    let mut request = Request {
        method: input.line(),
        path: input.line(),
        query: input.line(),
        headers: Vec::new(),
    };
    request.push("host", "127.0.0.1:7480");
    request.push("x-amz-date", signer::STAMP);
    request.push("x-amz-content-sha256", &payload);
    while !input.is_empty() {
        let line = input.line();
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let name: String = name
            .to_ascii_lowercase()
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect();
        if !name.is_empty() && !OWN.contains(&name.as_str()) {
            request.push(&name, value);
        }
    }
    let Some(pairs) = signer::pairs(&request.query) else {
        return;
    };
    if pairs
        .iter()
        .any(|(name, _)| QUERY_SIGNED.contains(&name.as_slice()))
    {
        return;
    }
    if signer::sign_header(&mut request, &payload, as_sent).is_none() {
        let found = signer::check(&request);
        assert!(found.is_err(), "a broken escape was read: {request:?}");
        return;
    }
    let verified = signer::check(&request).unwrap_or_else(|error| panic!("{error}: {request:?}"));
    assert_eq!(verified.caller.method(), request.method);
    assert_eq!(verified.caller.raw_path(), request.path);
    assert!(verified.chunks.is_none());
    tamper(&mut request, act);
    assert!(signer::check(&request).is_err(), "believed: {request:?}");
}

/// Changes something that is signed, into something that is signed otherwise.
fn tamper(request: &mut Request, act: u8) {
    match act % 6 {
        0 => request.method.push('X'),
        1 => request.path.push('x'),
        2 => request.query += "&tampered=1",
        3 => request.push("x-amz-added", "1"),
        4 => request.headers[0].1 = "127.0.0.1:7481".to_owned(),
        _ => {
            let last = request.headers.len() - 1;
            let value = &mut request.headers[last].1;
            let digit = value.pop();
            value.push(if digit == Some('0') { '1' } else { '0' });
        }
    }
}
