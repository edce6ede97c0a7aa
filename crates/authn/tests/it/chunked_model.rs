//! The incremental decoder against a simple model that has the whole body before it, for every framing,
//! with every split of the input, and with spoiled bodies.

use crate::sign::{self, NOON, Request, check, mac, plain, sha256, sign_header};
use authn::chunked::{ChunkedError, Decoder};
use authn::{ChunkSignatures, PayloadHash};
use bytes::Bytes;
use proptest::prelude::*;
use words::hex;
use words::limits::SIGNED_CHUNK_BYTES_MAX;

const STAMP: &str = "20261123T120000Z";
const SCOPE: &str = "20261123/lu-1/s3/aws4_request";
/// The body without its framing, and its trailers.
type Decoded = (Vec<u8>, Vec<(String, String)>);

const TRAILER: &str = "x-amz-checksum-crc32";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Framing {
    Signed,
    SignedTrailer,
    Unsigned,
}

const ALL: [Framing; 3] = [Framing::Signed, Framing::SignedTrailer, Framing::Unsigned];

impl Framing {
    fn word(self) -> &'static str {
        match self {
            Self::Signed => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            Self::SignedTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            Self::Unsigned => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        }
    }
    fn announced(self) -> &'static [&'static str] {
        if self == Self::Signed {
            &[]
        } else {
            &[TRAILER]
        }
    }
}

/// The request of a framed body, its seed signature, and what checks its chunks.
fn begin(framing: Framing) -> (String, PayloadHash, Option<ChunkSignatures>) {
    let mut request: Request = plain();
    request.method = "PUT".to_owned();
    request.set("x-amz-content-sha256", framing.word());
    sign_header(&mut request, sign::PLAIN_SIGNED, "lu-1");
    let seed = request
        .header("authorization")
        .rsplit('=')
        .next()
        .unwrap()
        .to_owned();
    let verified = check(&request, NOON).unwrap();
    (seed, verified.payload, verified.chunks)
}

/// Frames a body, one chunk for each piece, signed by the test's own signer.
fn frame(framing: Framing, pieces: &[Vec<u8>], trailer_end: &str) -> Vec<u8> {
    let (mut previous, _, _) = begin(framing);
    let key = sign::signing_key("20261123", "lu-1", "s3");
    let mut body = Vec::new();
    for piece in pieces.iter().filter(|p| !p.is_empty()).chain([&Vec::new()]) {
        body.extend(format!("{:x}", piece.len()).bytes());
        if framing != Framing::Unsigned {
            let text = format!(
                "AWS4-HMAC-SHA256-PAYLOAD\n{STAMP}\n{SCOPE}\n{previous}\n{}\n{}",
                sha256(b""),
                sha256(piece)
            );
            previous = hex::encode(&mac(&key, &text));
            body.extend(format!(";chunk-signature={previous}").bytes());
        }
        body.extend(b"\r\n");
        body.extend(piece);
        if !piece.is_empty() {
            body.extend(b"\r\n");
        }
    }
    if framing != Framing::Signed {
        body.extend(format!("{TRAILER}:AAAAAA=={trailer_end}").bytes());
    }
    if framing == Framing::SignedTrailer {
        let hash = sha256(format!("{TRAILER}:AAAAAA==\n").as_bytes());
        let text = format!("AWS4-HMAC-SHA256-TRAILER\n{STAMP}\n{SCOPE}\n{previous}\n{hash}");
        body.extend(
            format!(
                "x-amz-trailer-signature:{}\r\n",
                hex::encode(&mac(&key, &text))
            )
            .bytes(),
        );
    }
    body.extend(b"\r\n");
    body
}

/// Runs the decoder over the pieces of a body.
fn run(framing: Framing, length: u64, pieces: &[Bytes]) -> Result<Decoded, ChunkedError> {
    let (_, payload, chunks) = begin(framing);
    let mut decoder = Decoder::new(&payload, chunks, length, framing.announced())?;
    let mut plain = Vec::new();
    for piece in pieces {
        let mut input = piece.clone();
        while let Some(data) = decoder.decode(&mut input)? {
            assert!(!data.is_empty());
            plain.extend_from_slice(&data);
        }
    }
    let trailers = decoder.finish()?;
    Ok((
        plain,
        trailers
            .iter()
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect(),
    ))
}

/// The same by a model that sees all of an unsigned body at once; `None` is a refusal.
fn model(mut body: &[u8], length: usize) -> Option<Decoded> {
    fn line<'a>(body: &mut &'a [u8], max: usize) -> Option<&'a [u8]> {
        let at = body
            .iter()
            .position(|c| *c == b'\n')
            .filter(|at| *at < max)?;
        let (line, rest) = body.split_at(at + 1);
        *body = rest;
        Some(line)
    }
    let mut plain = Vec::new();
    loop {
        let head = std::str::from_utf8(line(&mut body, 128)?.strip_suffix(b"\r\n")?).ok()?;
        if head.is_empty() || head.len() > 16 || !head.bytes().all(|c| c.is_ascii_hexdigit()) {
            return None;
        }
        let size = usize::from_str_radix(head, 16).ok()?;
        if size == 0 {
            break;
        }
        let data = body.get(..size).filter(|_| plain.len() + size <= length)?;
        plain.extend_from_slice(data);
        body = body[size..].strip_prefix(b"\r\n")?;
    }
    let mut trailers: Vec<(String, String)> = Vec::new();
    loop {
        let whole = line(&mut body, 1024);
        match whole {
            Some(b"\r\n" | b"\n") => break,
            None if body.is_empty() => return None,
            _ => {}
        }
        let whole = whole?;
        let bare = !whole.ends_with(b"\r\n");
        let text = std::str::from_utf8(
            whole
                .strip_suffix(b"\r\n")
                .unwrap_or(&whole[..whole.len() - 1]),
        )
        .ok()?;
        let (name, value) = text
            .split_once(':')
            .filter(|_| text.bytes().all(|c| (b' '..=b'~').contains(&c)))?;
        let name = name.trim().to_ascii_lowercase();
        if name != TRAILER || !trailers.is_empty() {
            return None;
        }
        trailers.push((name, value.trim().to_owned()));
        if bare && body.starts_with(b"\r\n") {
            body = &body[2..];
            if body.is_empty() {
                break;
            }
        }
    }
    (plain.len() == length && trailers.len() == 1 && body.is_empty()).then_some((plain, trailers))
}

fn whole(body: &[u8]) -> Vec<Bytes> {
    vec![Bytes::copy_from_slice(body)]
}

#[test]
fn every_split_of_a_small_body_gives_the_same() {
    for framing in ALL {
        let pieces = [b"hello".to_vec(), b"\r\n0\r\n".to_vec(), b"x".to_vec()];
        let body = frame(framing, &pieces, "\r\n");
        let expected = run(framing, 11, &whole(&body)).unwrap();
        assert_eq!(expected.0, pieces.concat());
        for first in 0..=body.len() {
            let two = [
                Bytes::copy_from_slice(&body[..first]),
                Bytes::copy_from_slice(&body[first..]),
            ];
            assert_eq!(
                run(framing, 11, &two).as_ref(),
                Ok(&expected),
                "{framing:?} at {first}"
            );
        }
        let single: Vec<Bytes> = body
            .iter()
            .map(|byte| Bytes::copy_from_slice(&[*byte]))
            .collect();
        assert_eq!(run(framing, 11, &single).as_ref(), Ok(&expected));
    }
}

#[test]
fn every_cut_and_every_flipped_byte_is_seen() {
    for framing in ALL {
        let body = frame(framing, &[b"hello".to_vec(), b"you".to_vec()], "\r\n");
        for end in 0..body.len() {
            assert!(
                run(framing, 8, &whole(&body[..end])).is_err(),
                "{framing:?} cut at {end}"
            );
        }
        let good = run(framing, 8, &whole(&body)).unwrap();
        for at in 0..body.len() {
            let mut other = body.clone();
            other[at] ^= 1;
            match run(framing, 8, &whole(&other)) {
                Err(_) => {}
                // Without signatures only data and trailer values may differ unseen: checksums see those.
                Ok(changed) => assert!(
                    framing == Framing::Unsigned && changed != good,
                    "{framing:?} at {at}"
                ),
            }
        }
        let mut more = body.clone();
        more.push(b'x');
        assert_eq!(run(framing, 8, &whole(&more)), Err(ChunkedError::Trailing));
    }
}

#[test]
fn lengths_are_kept() {
    for framing in ALL {
        let body = frame(framing, &[b"hello".to_vec()], "\r\n");
        assert_eq!(run(framing, 4, &whole(&body)), Err(ChunkedError::TooLong));
        assert_eq!(
            run(framing, 6, &whole(&body)),
            Err(ChunkedError::TooShort { missing: 1 })
        );
        let empty = frame(framing, &[], "\r\n");
        assert_eq!(run(framing, 0, &whole(&empty)).unwrap().0, b"");
    }
}

#[test]
fn trailers_that_end_as_minio_ends_them() {
    for framing in [Framing::SignedTrailer, Framing::Unsigned] {
        let body = frame(framing, &[b"hello".to_vec()], "\n\r\n");
        assert!(run(framing, 5, &whole(&body)).is_ok(), "{framing:?}");
    }
    let short = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\n\r\n";
    assert!(run(Framing::Unsigned, 5, &whole(short)).is_ok());
}

#[test]
fn refusals_have_names() {
    use ChunkedError as E;
    let long_name = format!("0\r\n{}", "x".repeat(2000));
    let long_head = "0".repeat(200);
    for (body, length, error) in [
        ("zz\r\n", 5, E::Head),
        ("\r\n", 5, E::Head),
        ("-1\r\n", 5, E::Head),
        ("0x5\r\n", 5, E::Head),
        ("5\n", 5, E::Head),
        ("5;chunk-signature=00\r\n", 5, E::Head),
        ("00000000000000005\r\n", 5, E::Head),
        (long_head.as_str(), 5, E::HeadTooLong),
        ("5\r\nhelloXY", 5, E::ChunkEnd),
        ("5\r\nhello\n", 5, E::ChunkEnd),
        ("5\r\nhelloworld", 5, E::ChunkEnd),
        ("ffffffffffffffff\r\n", 5, E::TooLong),
        ("0\r\n\r\n", 0, E::TrailerMissing(TRAILER.to_owned())),
        ("0\r\nx-amz-checksum-sha1:x\r\n", 0, E::TrailerUnannounced),
        (
            "0\r\nx-amz-trailer-signature:x\r\n",
            0,
            E::TrailerUnannounced,
        ),
        ("0\r\nno colon\r\n", 0, E::Trailer),
        ("0\r\nx-amz-checksum-crc32:a\0b\r\n", 0, E::Trailer),
        (
            "0\r\nx-amz-checksum-crc32:a\r\nX-Amz-Checksum-CRC32:b\r\n",
            0,
            E::Trailer,
        ),
        (long_name.as_str(), 0, E::TrailerTooLong),
        ("5\r\nhello\r\n", 5, E::Incomplete),
        ("", 0, E::Incomplete),
    ] {
        assert_eq!(
            run(Framing::Unsigned, length, &whole(body.as_bytes())),
            Err(error),
            "{body:?}"
        );
    }
    let (_, payload, chunks) = begin(Framing::Signed);
    let announced: Vec<&str> = vec!["x"; 17];
    assert_eq!(
        Decoder::new(&payload, chunks, 0, &["x"]).map(|_| ()),
        Err(E::Framing)
    );
    assert_eq!(
        Decoder::new(&payload, None, 0, &[]).map(|_| ()),
        Err(E::Framing)
    );
    assert_eq!(
        Decoder::new(&PayloadHash::Unsigned, None, 0, &[]).map(|_| ()),
        Err(E::Framing)
    );
    assert_eq!(
        Decoder::new(&PayloadHash::UnsignedTrailer, None, 0, &announced).map(|_| ()),
        Err(E::TooManyTrailers)
    );
    let large = SIGNED_CHUNK_BYTES_MAX + 1;
    for (head, error) in [
        ("5\r\n".to_owned(), E::Unsigned),
        ("5;chunk-sig=0\r\n".to_owned(), E::Unsigned),
        (
            format!("{large:x};chunk-signature=0\r\n"),
            E::ChunkTooLarge {
                bytes: large as u64,
            },
        ),
    ] {
        assert_eq!(
            run(Framing::Signed, u64::MAX, &whole(head.as_bytes())),
            Err(error),
            "{head}"
        );
    }
}

#[test]
fn signed_trailers_must_be_signed() {
    let body = frame(Framing::SignedTrailer, &[b"hello".to_vec()], "\r\n");
    let text = String::from_utf8(body).unwrap();
    let at = text.find("x-amz-trailer-signature").unwrap();
    let without = format!("{}\r\n", &text[..at]);
    let outcome = run(Framing::SignedTrailer, 5, &whole(without.as_bytes()));
    assert_eq!(outcome, Err(ChunkedError::TrailerUnsigned));
    let swapped = text.replace("AAAAAA==", "AAAAAB==");
    let outcome = run(Framing::SignedTrailer, 5, &whole(swapped.as_bytes()));
    assert_eq!(
        outcome.map_err(|e| (e.code(), e.status())),
        Err(("SignatureDoesNotMatch", 403))
    );
}

/// Chunks out of their order have good signatures, each for another place.
#[test]
fn signed_chunks_keep_their_order() {
    let body = frame(
        Framing::Signed,
        &[b"first".to_vec(), b"later".to_vec()],
        "\r\n",
    );
    let chunk = body.len() - 86 - 2;
    let half = (body.len() - 86) / 2;
    assert!(chunk > half);
    let mut swapped = body[half..half * 2].to_vec();
    swapped.extend_from_slice(&body[..half]);
    swapped.extend_from_slice(&body[half * 2..]);
    assert!(matches!(
        run(Framing::Signed, 10, &whole(&swapped)),
        Err(ChunkedError::Signature(_))
    ));
}

fn split(body: &[u8], cuts: &[usize]) -> Vec<Bytes> {
    let mut at = 0;
    let mut pieces = Vec::new();
    for cut in cuts {
        let end = (at + cut).min(body.len());
        pieces.push(Bytes::copy_from_slice(&body[at..end]));
        at = end;
    }
    pieces.push(Bytes::copy_from_slice(&body[at..]));
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Whatever is framed comes back, however it is cut on the way.
    #[test]
    fn framed_bodies_come_back(
        kind in 0..3_usize,
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6),
        cuts in prop::collection::vec(0..120_usize, 0..30),
    ) {
        let framing = ALL[kind];
        let body = frame(framing, &pieces, "\r\n");
        let plain = pieces.concat();
        let (found, trailers) = run(framing, plain.len() as u64, &split(&body, &cuts)).unwrap();
        prop_assert_eq!(found, plain);
        prop_assert_eq!(trailers.len(), framing.announced().len());
    }

    /// A spoiled body is refused or taken exactly as the model says, however it is cut.
    #[test]
    fn spoiled_bodies_are_as_the_model_says(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..4),
        cuts in prop::collection::vec(0..40_usize, 0..20),
        spoils in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 0..3),
        minio in any::<bool>(),
        drift in 0..8_usize,
    ) {
        let mut body = frame(Framing::Unsigned, &pieces, if minio { "\n\r\n" } else { "\r\n" });
        for (place, what, byte) in spoils {
            let at = place.index(body.len());
            match what {
                0 => body[at] = byte,
                1 => drop(body.remove(at)),
                2 => body.insert(at, b"\r\n0:;a"[usize::from(byte) % 6]),
                _ => body.truncate(at),
            }
            if body.is_empty() {
                break;
            }
        }
        let length = pieces.concat().len() + usize::from(drift == 7);
        let expected = model(&body, length);
        let found = run(Framing::Unsigned, length as u64, &split(&body, &cuts));
        prop_assert_eq!(found.clone().ok(), expected, "{:?}", found);
    }
}
