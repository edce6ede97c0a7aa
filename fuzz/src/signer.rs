//! A signer of Signature Version 4 for S3, written from the published description of the signing process. It
//! shares no code with `authn`, so that the two can be held against each other.

use aws_lc_rs::{digest, hmac};
use words::hex;

/// The public half of the credential.
pub const ACCESS: &str = "CLRFUZZ0000000000001";
const SECRET: &str = "not/a/secret+0123456789";
/// The region that everything is signed for.
pub const REGION: &str = "lu-1";
/// The moment of every signature.
pub const STAMP: &str = "20261123T120000Z";
/// The same in milliseconds since 1970.
pub const NOW: words::UnixMillis = words::UnixMillis(1_795_435_200_000);
const DAY: &str = "20261123";

/// A request on its way to be signed.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET`, …
    pub method: String,
    /// The path as it is sent.
    pub path: String,
    /// The query as it is sent.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// The request as the room takes it.
    pub fn head(&self) -> authn::RequestHead<'_> {
        authn::RequestHead {
            method: &self.method,
            raw_path: &self.path,
            raw_query: &self.query,
            headers: &self.headers,
            via: authn::Via::default(),
        }
    }
    /// Adds a header.
    pub fn push(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }
    /// Every header's name, sorted, each once.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.headers.iter().map(|(name, _)| name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// The room's own check of a request.
pub fn check(request: &Request) -> Result<authn::Verified, authn::AuthnError> {
    let presented = authn::present(&request.head())?;
    assert_eq!(presented.access_key().as_str(), ACCESS);
    let credential = authn::Credential::active(words::TenantId::from_bytes([7; 16]));
    let secret = authn::SecretKey::new(SECRET.to_owned());
    authn::verify(presented, &secret, credential, NOW, REGION)
}

/// SHA-256 in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

/// The scope without the access key.
pub fn scope() -> String {
    format!("{DAY}/{REGION}/s3/aws4_request")
}

/// Signs a string to sign.
pub fn signature(text: &str) -> String {
    let mut key = format!("AWS4{SECRET}").into_bytes();
    for word in [DAY, REGION, "s3", "aws4_request"] {
        key = mac(&key, word);
    }
    hex::encode(&mac(&key, text))
}

/// Signs a request in its header, with every header signed. `as_sent` signs the path as it stands there
/// instead of encoding it afresh. `None` if a percent escape is broken: nobody can sign that.
pub fn sign_header(request: &mut Request, payload: &str, as_sent: bool) -> Option<()> {
    let signed = request.names().join(";");
    let text = canonical(request, &request.names(), payload, as_sent)?;
    let signature = signature(&to_sign(&text));
    let scope = scope();
    let value = format!(
        "AWS4-HMAC-SHA256 Credential={ACCESS}/{scope}, SignedHeaders={signed}, Signature={signature}"
    );
    request.push("authorization", &value);
    Some(())
}

/// Signs a request in its query.
pub fn sign_query(request: &mut Request, expires: u32, as_sent: bool) -> Option<()> {
    let names = request.names();
    let scope = scope().replace('/', "%2F");
    let own = format!(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={ACCESS}%2F{scope}&X-Amz-Date={STAMP}\
         &X-Amz-Expires={expires}&X-Amz-SignedHeaders={}",
        names.join("%3B")
    );
    request.query = match request.query.is_empty() {
        true => own,
        false => format!("{}&{own}", request.query),
    };
    let text = canonical(request, &names, "UNSIGNED-PAYLOAD", as_sent)?;
    request.query += &format!("&X-Amz-Signature={}", signature(&to_sign(&text)));
    Some(())
}

fn to_sign(canonical: &str) -> String {
    let digest = sha256(canonical.as_bytes());
    format!("AWS4-HMAC-SHA256\n{STAMP}\n{}\n{digest}", scope())
}

fn canonical(request: &Request, signed: &[String], payload: &str, as_sent: bool) -> Option<String> {
    let decoded = decode(&request.path, false)?;
    let mut path = match as_sent {
        true => request.path.clone(),
        false => encode(&decoded, true),
    };
    if path.is_empty() {
        path.push('/');
    }
    let mut query: Vec<(String, String)> = pairs(&request.query)?
        .iter()
        .map(|(name, value)| (encode(name, false), encode(value, false)))
        .collect();
    query.sort();
    let query: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut text = format!("{}\n{path}\n{}\n", request.method, query.join("&"));
    for name in signed {
        let all: Vec<String> = request
            .headers
            .iter()
            .filter(|(other, _)| other == name)
            .map(|(_, value)| squeezed(value))
            .collect();
        text += &format!("{name}:{}\n", all.join(","));
    }
    Some(format!("{text}\n{}\n{payload}", signed.join(";")))
}

/// The pairs of a query, decoded.
pub fn pairs(query: &str) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut pairs = Vec::new();
    for piece in query.split('&').filter(|piece| !piece.is_empty()) {
        let (name, value) = match piece.find('=') {
            Some(at) => (&piece[..at], &piece[at + 1..]),
            None => (piece, ""),
        };
        pairs.push((decode(name, true)?, decode(value, true)?));
    }
    Some(pairs)
}

/// Without blanks at the ends, and with one space for each run of blanks.
fn squeezed(value: &str) -> String {
    let mut out = String::new();
    let mut gap = false;
    for c in value.chars() {
        if matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c') {
            gap = !out.is_empty();
        } else {
            if gap {
                out.push(' ');
            }
            gap = false;
            out.push(c);
        }
    }
    out
}

/// Undoes percent encoding; `None` if an escape is not two hexadecimal digits.
pub fn decode(text: &str, plus_is_space: bool) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let byte = match bytes[at] {
            b'%' => {
                let digits = bytes.get(at + 1..at + 3)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                at += 2;
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            b'+' if plus_is_space => b' ',
            other => other,
        };
        out.push(byte);
        at += 1;
    }
    Some(out)
}

/// Percent-encodes all but the unreserved characters of RFC 3986, and `/` where it may stand.
pub fn encode(bytes: &[u8], keep_slash: bool) -> String {
    let mut out = String::new();
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(*byte));
            }
            b'/' if keep_slash => out.push('/'),
            _ => out += &format!("%{byte:02X}"),
        }
    }
    out
}
