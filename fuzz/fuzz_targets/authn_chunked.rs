//! The `aws-chunked` framing of bodies, signed and not: a body cut anywhere says the same as in one piece, no
//! more bytes come out than were announced, what was framed comes back, and a signed body that was damaged
//! gives nothing but whole chunks from its beginning.
#![no_main]

use authn::chunked::{ChunkedError, Decoder};
use authn::{ChunkSignatures, PayloadHash};
use bytes::Bytes;
use fuzz::signer::{self, Request};
use fuzz::{Input, bounded, damaged};
use libfuzzer_sys::fuzz_target;

const TRAILER: &str = "x-amz-checksum-crc32";

#[derive(Clone, Copy, PartialEq, Debug)]
enum Framing {
    Signed,
    SignedTrailer,
    Unsigned,
}

/// What came out before the end or the error, and the trailers or the error.
type Outcome = (Vec<u8>, Result<Vec<(String, String)>, ChunkedError>);

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let mode = input.u8();
    let framing = match mode % 3 {
        0 => Framing::Unsigned,
        1 => Framing::Signed,
        _ => Framing::SignedTrailer,
    };
    let cuts: Vec<usize> = input
        .bytes(24)
        .iter()
        .map(|cut| usize::from(*cut))
        .collect();
    if mode & 0x80 == 0 {
        let length = u64::from(input.u16());
        let body = input.rest();
        let _ = one_meaning(framing, length, body, &cuts);
    } else {
        framed(framing, &mut input, &cuts);
    }
});

/// The same outcome in one piece, cut, and byte by byte.
fn one_meaning(framing: Framing, length: u64, body: &[u8], cuts: &[usize]) -> Outcome {
    let whole = run(framing, length, [Bytes::copy_from_slice(body)]);
    let mut pieces = Vec::new();
    let mut rest = body;
    for cut in cuts {
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        pieces.push(Bytes::copy_from_slice(piece));
        rest = after;
    }
    pieces.push(Bytes::copy_from_slice(rest));
    assert_eq!(run(framing, length, pieces), whole);
    if body.len() <= 256 {
        let single = body.iter().map(|byte| Bytes::copy_from_slice(&[*byte]));
        assert_eq!(run(framing, length, single), whole);
    }
    assert!(whole.0.len() as u64 <= length);
    match &whole.1 {
        Ok(_) => assert_eq!(whole.0.len() as u64, length),
        Err(error) => {
            bounded(error);
            assert!(matches!(error.status(), 400 | 403));
        }
    }
    whole
}

fn run(framing: Framing, length: u64, pieces: impl IntoIterator<Item = Bytes>) -> Outcome {
    let (payload, chunks, _) = begin(framing);
    let mut plain = Vec::new();
    let mut decoder = match Decoder::new(&payload, chunks, length, framing.announced()) {
        Ok(decoder) => decoder,
        Err(error) => return (plain, Err(error)),
    };
    for mut piece in pieces {
        loop {
            match decoder.decode(&mut piece) {
                Ok(Some(data)) => {
                    assert!(!data.is_empty());
                    plain.extend_from_slice(&data);
                }
                Ok(None) => break,
                Err(error) => return (plain, Err(error)),
            }
        }
    }
    let trailers = decoder.finish().map(|found| {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        found.iter().map(owned).collect()
    });
    (plain, trailers)
}

/// A body framed here comes back; once damaged, it is refused or says the same.
fn framed(framing: Framing, input: &mut Input<'_>, cuts: &[usize]) {
    let count = input.below(5);
    let chunks: Vec<Vec<u8>> = (0..count)
        .map(|_| input.bytes(200).to_vec())
        .filter(|chunk| !chunk.is_empty())
        .collect();
    let value: String = input
        .text(40)
        .chars()
        .filter(|c| c.is_ascii_graphic())
        .collect();
    let body = frame(framing, &chunks, &value);
    let plain = chunks.concat();
    let length = plain.len() as u64;
    let (found, trailers) = one_meaning(framing, length, &body, cuts);
    let expected: Vec<(String, String)> = framing
        .announced()
        .iter()
        .map(|name| ((*name).to_owned(), value.clone()))
        .collect();
    assert_eq!((found, trailers), (plain.clone(), Ok(expected)));

    let bad = damaged(&body, input);
    let (found, trailers) = one_meaning(framing, length, &bad, cuts);
    if framing == Framing::Unsigned {
        return;
    }
    let mut starts = vec![0];
    for chunk in &chunks {
        starts.push(starts[starts.len() - 1] + chunk.len());
    }
    assert!(starts.contains(&found.len()) && plain.starts_with(&found));
    assert!(trailers.is_err() || found == plain);
}

fn frame(framing: Framing, chunks: &[Vec<u8>], value: &str) -> Vec<u8> {
    let (_, _, mut previous) = begin(framing);
    let mut body = Vec::new();
    let (stamp, scope, empty) = (signer::STAMP, signer::scope(), signer::sha256(b""));
    for chunk in chunks.iter().chain([&Vec::new()]) {
        body.extend(format!("{:x}", chunk.len()).into_bytes());
        if framing != Framing::Unsigned {
            let hash = signer::sha256(chunk);
            previous = signer::signature(&format!(
                "AWS4-HMAC-SHA256-PAYLOAD\n{stamp}\n{scope}\n{previous}\n{empty}\n{hash}"
            ));
            body.extend(format!(";chunk-signature={previous}").into_bytes());
        }
        body.extend(b"\r\n");
        if !chunk.is_empty() {
            body.extend(chunk);
            body.extend(b"\r\n");
        }
    }
    if framing != Framing::Signed {
        body.extend(format!("{TRAILER}:{value}\r\n").into_bytes());
    }
    if framing == Framing::SignedTrailer {
        let hash = signer::sha256(format!("{TRAILER}:{value}\n").as_bytes());
        let signature = signer::signature(&format!(
            "AWS4-HMAC-SHA256-TRAILER\n{stamp}\n{scope}\n{previous}\n{hash}"
        ));
        body.extend(format!("x-amz-trailer-signature:{signature}\r\n").into_bytes());
    }
    body.extend(b"\r\n");
    body
}

impl Framing {
    fn word(self) -> &'static str {
        match self {
            Self::Signed => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            Self::SignedTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            Self::Unsigned => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        }
    }
    fn announced(self) -> &'static [&'static str] {
        match self {
            Self::Signed => &[],
            _ => &[TRAILER],
        }
    }
}

/// A request with a framed body, as far as the body needs it: what its signature says, what checks the
/// chunks, and the signature that the first chunk's covers.
fn begin(framing: Framing) -> (PayloadHash, Option<ChunkSignatures>, String) {
    let mut request = Request {
        method: "PUT".to_owned(),
        path: "/bucket/key".to_owned(),
        ..Request::default()
    };
    request.push("host", "127.0.0.1:7480");
    request.push("x-amz-date", signer::STAMP);
    request.push("x-amz-content-sha256", framing.word());
    signer::sign_header(&mut request, framing.word(), false).expect("no escape is broken");
    let (_, value) = request.headers.last().expect("it was signed");
    let seed = value.rsplit('=').next().expect("a signature").to_owned();
    let verified = signer::check(&request).expect("it was signed");
    (verified.payload, verified.chunks, seed)
}
