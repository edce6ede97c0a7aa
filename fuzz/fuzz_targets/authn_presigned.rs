//! Presigned URLs: any query is read or refused; what an independent signer put into the query is believed,
//! and believed no more once anything that is signed has changed, or its time is over.
#![no_main]

use fuzz::signer::{self, Request};
use fuzz::{Input, bounded};
use libfuzzer_sys::fuzz_target;
use words::limits::PRESIGN_SECONDS_MAX;

/// Parameters that the signer adds itself, or that make another kind of request.
const OWN: [&[u8]; 9] = [
    b"X-Amz-Signature",
    b"X-Amz-Credential",
    b"X-Amz-Algorithm",
    b"X-Amz-Date",
    b"X-Amz-Expires",
    b"X-Amz-SignedHeaders",
    b"X-Amz-Security-Token",
    b"X-Amz-Content-Sha256",
    b"AWSAccessKeyId",
];

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let mode = input.u8() % 3;
    let act = input.u8();
    let expires = 1 + input.u32() % 700_000;
    let mut request = Request {
        method: "GET".to_owned(),
        path: input.line(),
        query: input.line(),
        headers: vec![("host".to_owned(), input.line())],
    };
    match mode {
        0 => any(&request),
        mode => signed(&mut request, expires, mode == 2, act),
    }
});

/// Whatever the query says.
fn any(request: &Request) {
    match authn::present(&request.head()) {
        Ok(presented) => {
            let end = presented.expires().expect("a URL without an end");
            let admitted = presented.admit(signer::NOW, signer::REGION);
            assert!(admitted.is_err() || end > signer::NOW);
            assert!(!presented.payload().is_chunked());
        }
        Err(error) => bounded(&error.answer(signer::REGION).message),
    }
}

fn signed(request: &mut Request, expires: u32, as_sent: bool, act: u8) {
    let Some(pairs) = signer::pairs(&request.query) else {
        return;
    };
    let named = |wanted: &[u8]| pairs.iter().any(|(name, _)| name == wanted);
    if OWN.iter().any(|own| named(own)) || (named(b"Signature") && named(b"Expires")) {
        return;
    }
    if signer::sign_query(request, expires, as_sent).is_none() {
        assert!(signer::check(request).is_err(), "{request:?}");
        return;
    }
    let found = signer::check(request);
    if u64::from(expires) > PRESIGN_SECONDS_MAX {
        assert!(found.is_err(), "a life of {expires} s: {request:?}");
        return;
    }
    let verified = found.unwrap_or_else(|error| panic!("{error}: {request:?}"));
    assert_eq!(verified.payload, authn::PayloadHash::Unsigned);
    assert_eq!(verified.caller.raw_path(), request.path);

    let presented = authn::present(&request.head()).expect("it was read before");
    let end = signer::NOW.plus(u64::from(expires) * 1000);
    assert_eq!(presented.expires(), Some(end));
    assert!(presented.admit(end, signer::REGION).is_err());
    let before = words::UnixMillis(end.0 - 1);
    assert!(presented.admit(before, signer::REGION).is_ok());

    match act % 5 {
        0 => request.method.push('X'),
        1 => request.path.push('x'),
        2 => request.query.insert_str(0, "tampered=1&"),
        3 => request.headers[0].1.push('x'),
        _ => {
            let digit = request.query.pop();
            request
                .query
                .push(if digit == Some('0') { '1' } else { '0' });
        }
    }
    assert!(signer::check(request).is_err(), "believed: {request:?}");
}
