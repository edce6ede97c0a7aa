//! The head of a request at the door: path, host, query and headers. Read or refused in bounded words, never
//! stumbled over; and what is passed on has one meaning: what is decoded, written and read again is the same.
#![no_main]

use authn::PayloadHash;
use fuzz::{Input, MESSAGE_BYTES_MAX, bounded_by, signer};
use gate::fuzzing::{self, Refused};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use libfuzzer_sys::fuzz_target;
use store::api::{ChecksumKind, RangeAsked};
use words::limits::HEADER_BYTES_MAX;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let choice = input.u8();
    let (path, host, query) = (input.line(), input.line(), input.line());
    let mut headers = HeaderMap::new();
    while !input.is_empty() {
        let line = input.line();
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        if let (Ok(name), Ok(value)) = (
            HeaderName::try_from(name),
            HeaderValue::from_bytes(value.as_bytes()),
        ) {
            headers.append(name, value);
        }
    }
    about(&path, &host);
    parameters(&query);
    head(choice, &path, &query, &headers);
    kept(&headers);
    checksums(choice, &query);
    tokens(&path, &query);
});

fn refused(no: &Refused) {
    assert!(matches!(no.status, 400 | 403 | 501), "{no:?}");
    // A header's name is quoted whole; all headers together have a limit.
    bounded_by(&no.message, MESSAGE_BYTES_MAX + HEADER_BYTES_MAX);
    // Whatever is quoted, the document stays one that a reader of XML takes.
    let inside = no.document.split_once("<Message>").expect("a message").1;
    let inside = inside.split_once("</Message>").expect("its end").0;
    assert!(!inside.contains('<') && !inside.chars().any(|c| c < ' ' && !"\t\n".contains(c)));
}

fn about(path: &str, host: &str) {
    let domains = [
        "s3.lu-1.clarence.internal".to_owned(),
        "localhost".to_owned(),
    ];
    match fuzzing::target(path, Some(host), &domains) {
        Ok(about) => {
            let uri: Uri = about.path.parse().expect("a path");
            assert!(uri.path() == about.path && uri.query().is_none());
            let again = fuzzing::target(&about.path, None, &domains).expect("its own path");
            assert_eq!(again, about);
        }
        Err(no) => refused(&no),
    }
}

fn parameters(raw: &str) {
    let expected = signer::pairs(raw);
    match fuzzing::query(raw) {
        Ok((pairs, text)) => {
            // What authenticates is left out before its value is decoded.
            if let Some(expected) = expected {
                for (name, value) in &pairs {
                    let pair = (name.as_bytes().to_vec(), value.as_bytes().to_vec());
                    assert!(expected.contains(&pair), "{name}={value} in {raw}");
                }
            }
            let uri: Uri = format!("/?{text}").parse().expect("a query");
            assert_eq!(uri.query(), Some(text.as_str()));
            let (again, _) = fuzzing::query(&text).expect("its own text");
            let passed: Vec<(String, String)> = pairs
                .into_iter()
                .filter(|(name, _)| !name.starts_with("response-"))
                .collect();
            assert_eq!(again, passed);
        }
        Err(no) => refused(&no),
    }
}

fn head(choice: u8, path: &str, query: &str, headers: &HeaderMap) {
    const METHODS: [Method; 5] = [
        Method::GET,
        Method::HEAD,
        Method::PUT,
        Method::POST,
        Method::DELETE,
    ];
    const PAYLOADS: [PayloadHash; 5] = [
        PayloadHash::Unsigned,
        PayloadHash::Hex([7; 32]),
        PayloadHash::UnsignedTrailer,
        PayloadHash::SignedChunks,
        PayloadHash::SignedChunksTrailer,
    ];
    let method = &METHODS[usize::from(choice % 5)];
    let payload = PAYLOADS[usize::from(choice / 5 % 5)];
    match fuzzing::head(method, path, query, headers, payload) {
        Ok(head) => {
            if let Some(RangeAsked::From {
                first,
                last: Some(last),
            }) = head.range
            {
                assert!(first <= last);
            }
            let (expected, trailers) = &head.expected;
            assert!(trailers.len() + expected.checksums.len() <= 1);
        }
        Err(no) => refused(&no),
    }
}

/// Metadata that was read and is given back to a client reads the same.
fn kept(headers: &HeaderMap) {
    match fuzzing::metadata(headers) {
        Ok(metadata) => {
            let mut expected = metadata.clone();
            let kind = &mut expected.headers.content_type;
            kind.get_or_insert("binary/octet-stream".to_owned());
            let again = fuzzing::metadata(&fuzzing::answered(&metadata));
            assert_eq!(again.expect("its own headers"), expected);
        }
        Err(no) => refused(&no),
    }
}

fn checksums(choice: u8, text: &str) {
    let kind = ChecksumKind::ALL[usize::from(choice) % ChecksumKind::ALL.len()];
    for composite in [false, true] {
        match fuzzing::checksum(kind, text, composite) {
            Ok(checksum) => {
                let own = fuzzing::checksum_text(&checksum);
                assert_eq!(own, text.trim(), "another spelling");
                assert!(composite || checksum.parts.is_none());
            }
            Err(no) => refused(&no),
        }
    }
}

fn tokens(name: &str, text: &str) {
    let token = fuzzing::token(name);
    assert_eq!(fuzzing::untoken(&token).expect("its own token"), name);
    match fuzzing::untoken(text) {
        Ok(name) => assert_eq!(fuzzing::token(&name), text),
        Err(no) => refused(&no),
    }
}
