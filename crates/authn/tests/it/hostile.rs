//! Bytes without sense for every parser of this room: none may panic, none may be believed.

use crate::botocore::Dice;
use crate::sign::{Request, plain};
use authn::chunked::Decoder;
use authn::{PayloadHash, present};
use bytes::Bytes;

const ROUNDS: usize = 40_000;

/// Words that lead deep into the parsers, and letters between them.
fn babble(dice: &mut Dice) -> String {
    const WORDS: [&str; 36] = [
        "AWS4-HMAC-SHA256 ",
        "AWS ",
        "Credential=",
        "SignedHeaders=",
        "Signature=",
        ",",
        ", ",
        "/",
        "20261123",
        "lu-1",
        "s3",
        "aws4_request",
        "host",
        "x-amz-date",
        ";",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "&",
        "=",
        "X-Amz-Credential=",
        "X-Amz-Date=",
        "X-Amz-Expires=",
        "X-Amz-SignedHeaders=",
        "X-Amz-Signature=",
        "%2F",
        "%",
        "+",
        "20261123T120000Z",
        "20130229T000000Z",
        "ü",
        "\u{0}",
        "\u{10ffff}",
        " ",
        "\t",
        "\r\n",
        "Fri, 24 May 2013 00:00:00 GMT",
        "00000000000000000000000000000000000000000000000000000000000000aa",
    ];
    (0..dice.roll(12))
        .map(|_| WORDS[dice.roll(WORDS.len())])
        .collect()
}

#[test]
fn requests() {
    const NAMES: [&str; 8] = [
        "authorization",
        "host",
        "x-amz-date",
        "date",
        "x-amz-content-sha256",
        "x-amz-security-token",
        "x-amz-a",
        "",
    ];
    let mut dice = Dice(0x5eed_c1a4_e1ce_0002);
    for _ in 0..ROUNDS {
        let mut request = if dice.roll(2) == 0 {
            plain()
        } else {
            Request {
                method: babble(&mut dice),
                path: babble(&mut dice),
                query: babble(&mut dice),
                headers: vec![],
            }
        };
        for _ in 0..dice.roll(5) {
            let name = NAMES[dice.roll(NAMES.len())];
            let value = babble(&mut dice);
            if dice.roll(2) == 0 {
                request.set(name, &value);
            } else {
                request.headers.push((name.to_owned(), value));
            }
        }
        if let Ok(presented) = present(&request.head()) {
            let _ = presented.admit(words::UnixMillis(dice.0), "lu-1");
            let _ = presented.expires();
        }
    }
}

#[test]
fn bodies() {
    const WORDS: [&[u8]; 16] = [
        b"0\r\n",
        b"\r\n",
        b"\n",
        b"5\r\nhello\r\n",
        b"ffffffffffffffff",
        b"10000000000000000",
        b";chunk-signature=",
        b"x-amz-checksum-crc32:",
        b"x-amz-trailer-signature:",
        b"\0",
        b"\xff",
        b"a",
        b":",
        b"5;x\r\n",
        b"AAAA==",
        b"-1",
    ];
    let mut dice = Dice(0x5eed_c1a4_e1ce_0003);
    for _ in 0..ROUNDS {
        let payload = PayloadHash::UnsignedTrailer;
        let length = dice.roll(20) as u64;
        let mut decoder = Decoder::new(
            &payload,
            None,
            length,
            &["x-amz-checksum-crc32"][..dice.roll(2)],
        )
        .unwrap();
        let mut plain = 0;
        let mut fine = true;
        for _ in 0..dice.roll(14) {
            let mut input = Bytes::from_static(WORDS[dice.roll(WORDS.len())]);
            loop {
                match decoder.decode(&mut input) {
                    Ok(Some(piece)) => plain += piece.len() as u64,
                    Ok(None) => break,
                    Err(error) => {
                        assert!(
                            matches!(error.status(), 400 | 403)
                                && !error.answer().message.is_empty()
                        );
                        fine = false;
                        break;
                    }
                }
            }
            if !fine {
                break;
            }
        }
        assert!(plain <= length);
        if fine && decoder.finish().is_ok() {
            assert_eq!(plain, length);
        }
    }
}
