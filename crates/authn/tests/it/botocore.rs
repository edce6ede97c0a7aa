//! Requests signed by an unmodified botocore: all are believed, their bodies decode, and none of thousands
//! of changes to them is believed. Needs `python3` with boto3 on the path.

use crate::sign::{ACCESS, Request, SECRET};
use authn::{AuthnError, Credential, PayloadHash, SecretKey, Verified, present, verify};
use base64::Engine;
use std::process::Command;
use words::{TenantId, UnixMillis};

struct Line {
    request: Request,
    body: Vec<u8>,
    expect: String,
}

fn corpus() -> Vec<Line> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/sign.py");
    let output = Command::new("python3")
        .arg(script)
        .output()
        .expect("python3 must be installed");
    assert!(
        output.status.success(),
        "the signer failed; is boto3 installed (pip install boto3)?\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(line)
        .collect()
}

fn line(text: &str) -> Line {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    let word = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
    let headers = value["headers"].as_array().unwrap();
    Line {
        request: Request {
            method: word(&value["method"]),
            path: word(&value["path"]),
            query: word(&value["query"]),
            headers: headers
                .iter()
                .map(|pair| (word(&pair[0]), word(&pair[1])))
                .collect(),
        },
        body: base64::engine::general_purpose::STANDARD
            .decode(word(&value["body"]))
            .unwrap(),
        expect: word(&value["expect"]),
    }
}

/// The moment at which the request was signed.
fn moment(request: &Request) -> UnixMillis {
    let stamp = match request.header("x-amz-date") {
        "" => request
            .query
            .split('&')
            .find_map(|p| p.strip_prefix("X-Amz-Date="))
            .unwrap_or("20261123T000000Z"),
        stamp => stamp,
    };
    let number = |from: usize, to: usize| stamp[from..to].parse::<i64>().unwrap();
    let (year, month, day) = (number(0, 4), number(4, 6), number(6, 8));
    // Days by the formula of Fliegel and Van Flandern, not by the room's own.
    let a = (month - 14) / 12;
    let days = (1461 * (year + 4800 + a)) / 4 + (367 * (month - 2 - 12 * a)) / 12
        - (3 * ((year + 4900 + a) / 100)) / 4
        + day
        - 32_075
        - 2_440_588;
    let seconds = days * 86_400 + number(9, 11) * 3600 + number(11, 13) * 60 + number(13, 15);
    UnixMillis(u64::try_from(seconds).unwrap() * 1000)
}

fn check(request: &Request, now: UnixMillis) -> Result<Verified, AuthnError> {
    let presented = present(&request.head())?;
    if presented.access_key().as_str() != ACCESS {
        return Err(AuthnError::UnknownAccessKey);
    }
    let credential = Credential::active(TenantId::from_bytes([1; 16]));
    verify(
        presented,
        &SecretKey::new(SECRET.to_owned()),
        credential,
        now,
        "lu-1",
    )
}

#[test]
fn all_of_botocore_is_believed() {
    let lines = corpus();
    assert!(lines.len() > 500, "{} requests", lines.len());
    let mut framed = 0;
    for line in &lines {
        let outcome = check(&line.request, moment(&line.request));
        let told = match &outcome {
            Ok(_) => "ok",
            Err(AuthnError::SignatureV2) => "SignatureV2",
            Err(AuthnError::Region { expected, .. }) if expected == "lu-1" => "Region",
            Err(AuthnError::SessionToken) => "SessionToken",
            Err(other) => panic!("{other:?} for {:?}", line.request),
        };
        assert_eq!(told, line.expect, "{:?}", line.request);
        let Ok(verified) = outcome else { continue };
        assert_eq!(verified.caller.method(), line.request.method);
        match verified.payload {
            PayloadHash::UnsignedTrailer => {
                unframe(line, verified);
                framed += 1;
            }
            PayloadHash::Hex(hash) => {
                assert_eq!(
                    words::hex::encode(&hash),
                    crate::sign::sha256(&line.body),
                    "{:?}",
                    line.request
                );
            }
            _ => {}
        }
    }
    assert!(framed > 100, "{framed} framed bodies");
}

fn unframe(line: &Line, verified: Verified) {
    let length: u64 = line
        .request
        .header("x-amz-decoded-content-length")
        .parse()
        .unwrap();
    let announced: Vec<&str> = line.request.header("x-amz-trailer").split(',').collect();
    let mut decoder =
        authn::chunked::Decoder::new(&verified.payload, verified.chunks, length, &announced)
            .unwrap();
    let mut input = bytes::Bytes::from(line.body.clone());
    let mut plain = 0;
    while let Some(piece) = decoder.decode(&mut input).unwrap() {
        plain += piece.len() as u64;
    }
    assert_eq!(plain, length);
    let trailers = decoder.finish().unwrap();
    assert!(announced.iter().all(|name| trailers.get(name).is_some()));
}

/// Method, path, query and signed headers.
type Meaning = (
    String,
    Vec<u8>,
    Vec<(Vec<u8>, Vec<u8>)>,
    Vec<(String, String)>,
);

/// What of a request the signature must cover, in a form of the test's own: two requests with the same
/// meaning are the same request.
fn meaning(request: &Request) -> Meaning {
    let mut query: Vec<_> = request
        .query
        .split('&')
        .filter(|p| !p.is_empty())
        .map(|p| p.split_once('=').unwrap_or((p, "")))
        .map(|(n, v)| (decoded(&n.replace('+', " ")), decoded(&v.replace('+', " "))))
        .collect();
    for (name, value) in &mut query {
        if name == b"X-Amz-Signature" {
            value.make_ascii_lowercase();
        }
    }
    query.sort();
    let signed = match request.header("authorization") {
        "" => request.query.clone(),
        value => value.to_owned(),
    };
    let mut headers: Vec<(String, String)> = request
        .headers
        .iter()
        .filter(|(n, _)| n.starts_with("x-amz-") || signed.contains(n.as_str()) || n == "host")
        .map(|(n, v)| {
            (
                n.clone(),
                v.split_ascii_whitespace().collect::<Vec<_>>().join(" "),
            )
        })
        .collect();
    let authorization = request.header("authorization").replace(' ', "");
    let (rest, signature) = authorization
        .split_once("Signature=")
        .unwrap_or((&authorization, ""));
    headers.push((
        "authorization".to_owned(),
        format!("{rest}Signature={}", signature.to_ascii_lowercase()),
    ));
    headers.sort();
    let path = if request.path.is_empty() {
        "/"
    } else {
        &request.path
    };
    (request.method.clone(), decoded(path), query, headers)
}

fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let escape = bytes
            .get(at + 1..at + 3)
            .and_then(|p| std::str::from_utf8(p).ok());
        match escape
            .and_then(|p| u8::from_str_radix(p, 16).ok())
            .filter(|_| bytes[at] == b'%')
        {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

/// Numbers that look random and are the same in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below.max(1) as u64).unwrap()
    }
}

/// One character replaced, left out, doubled or put in.
fn spoil(text: &str, dice: &mut Dice) -> String {
    const ALPHABET: &[u8] = b"abcXYZ0129%/+ -_.~&=;,?*";
    let mut chars: Vec<char> = text.chars().collect();
    let at = dice.roll(chars.len());
    let fresh = char::from(ALPHABET[dice.roll(ALPHABET.len())]);
    match dice.roll(4) {
        _ if chars.is_empty() => chars.push(fresh),
        0 => chars[at] = fresh,
        1 => drop(chars.remove(at)),
        2 => chars.insert(at, chars[at]),
        _ => chars.insert(at, fresh),
    }
    chars.into_iter().collect()
}

fn mutate(request: &Request, dice: &mut Dice) -> Request {
    let mut other = request.clone();
    let at = dice.roll(other.headers.len());
    match dice.roll(8) {
        0 => other.path = spoil(&other.path, dice),
        1 => other.query = spoil(&other.query, dice),
        2 => other.method = ["GET", "PUT", "DELETE", "HEAD", "POST"][dice.roll(5)].to_owned(),
        3 => other
            .headers
            .push(("x-amz-meta-more".to_owned(), "1".to_owned())),
        4 => drop(other.headers.remove(at)),
        5 => other.headers.push(other.headers[at].clone()),
        6 if !other.header("authorization").is_empty() => {
            let value = spoil(other.header("authorization"), dice);
            other.set("authorization", &value);
        }
        _ => other.headers[at].1 = spoil(&other.headers[at].1.clone(), dice),
    }
    other
}

#[test]
fn no_changed_request_is_believed() {
    let mut dice = Dice(0x5eed_c1a4_e1ce_0001);
    let (mut refused, mut same) = (0, 0);
    for line in corpus().iter().filter(|l| l.expect == "ok") {
        let now = moment(&line.request);
        let whole = meaning(&line.request);
        for _ in 0..20 {
            let other = mutate(&line.request, &mut dice);
            if meaning(&other) == whole {
                same += 1;
                continue;
            }
            let outcome = check(&other, now);
            assert!(
                outcome.is_err(),
                "believed\n{other:?}\nafter\n{:?}",
                line.request
            );
            refused += 1;
        }
    }
    assert!(
        refused > 5000,
        "{refused} refused, {same} of the same meaning"
    );
}
