//! The canonical request: the one text that signer and verifier both write down and hash.

use crate::encoding::{decode, encode_into};
use crate::error::AuthnError;
use crate::request::RequestHead;
use aws_lc_rs::digest;
use words::hex;

/// A query taken apart: names and values decoded, in the order they came.
pub(crate) struct Query(Vec<(Vec<u8>, Vec<u8>)>);

impl Query {
    /// Splits at `&` and the first `=`. A name without `=` has the empty value, and empty pieces count for
    /// nothing, both as query parsers read them.
    pub fn parse(raw: &str) -> Result<Self, AuthnError> {
        raw.split('&')
            .filter(|piece| !piece.is_empty())
            .map(|piece| {
                let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
                Ok((decode(name, true)?, decode(value, true)?))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// All values of a name.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |(n, _)| n == name.as_bytes())
            .map(|(_, v)| v.as_slice())
    }

    /// Whether the name stands in it.
    pub fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// Encoded, sorted by encoded name and then by encoded value, without `X-Amz-Signature`.
    fn canonical(&self, leave_out_signature: bool) -> String {
        let mut pairs: Vec<(String, String)> = self
            .0
            .iter()
            .filter(|(name, _)| !(leave_out_signature && name == b"X-Amz-Signature"))
            .map(|(name, value)| {
                let mut pair = (String::new(), String::new());
                encode_into(&mut pair.0, name, false);
                encode_into(&mut pair.1, value, false);
                pair
            })
            .collect();
        pairs.sort_unstable();
        let mut out = String::new();
        for (name, value) in pairs {
            if !out.is_empty() {
                out.push('&');
            }
            out.push_str(&name);
            out.push('=');
            out.push_str(&value);
        }
        out
    }
}

/// What goes into one canonical request.
pub(crate) struct Canonical<'a> {
    pub request: &'a RequestHead<'a>,
    pub query: &'a Query,
    /// Names in ascending order.
    pub signed_headers: &'a [&'a str],
    /// The payload word as it was signed.
    pub payload: &'a str,
    /// Whether the signature stands in the query and is left out of it.
    pub presigned: bool,
}

impl Canonical<'_> {
    /// SHA-256 of the canonical request. S3 encodes the path once and does not normalise it. The usual
    /// client signs exactly what it sends, the documentation says to encode afresh what was decoded: if
    /// the two differ, both digests are given. Both decode to the same bytes, which are what is routed.
    pub fn digests(&self) -> Result<[Option<[u8; 32]>; 2], AuthnError> {
        let mut fresh = String::with_capacity(self.request.raw_path.len());
        encode_into(&mut fresh, &decode(self.request.raw_path, false)?, true);
        let rest = self.rest()?;
        let sent = if fresh == self.request.raw_path {
            None
        } else {
            Some(self.digest(self.request.raw_path, &rest))
        };
        Ok([Some(self.digest(&fresh, &rest)), sent])
    }

    fn digest(&self, path: &str, rest: &str) -> [u8; 32] {
        let mut hash = digest::Context::new(&digest::SHA256);
        for piece in [
            self.request.method,
            "\n",
            if path.is_empty() { "/" } else { path },
            "\n",
            rest,
        ] {
            hash.update(piece.as_bytes());
        }
        let mut out = [0; 32];
        out.copy_from_slice(hash.finish().as_ref());
        out
    }

    /// Everything after the path.
    fn rest(&self) -> Result<String, AuthnError> {
        let mut text = self.query.canonical(self.presigned);
        text.push('\n');
        for name in self.signed_headers {
            let mut values = self.request.values(name).peekable();
            if values.peek().is_none() {
                return Err(AuthnError::HeaderMissing(crate::error::quotable(name)));
            }
            text.push_str(name);
            text.push(':');
            for (index, value) in values.enumerate() {
                if index > 0 {
                    text.push(',');
                }
                push_trimmed(&mut text, value);
            }
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.signed_headers.join(";"));
        text.push('\n');
        text.push_str(self.payload);
        Ok(text)
    }
}

/// Without white space at the ends, and with one space for each run of white space within.
fn push_trimmed(out: &mut String, value: &str) {
    for (index, word) in value.split_ascii_whitespace().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        out.push_str(word);
    }
}

/// The names of `SignedHeaders`: lower case, ascending, each once, `host` among them, and every `x-amz-`
/// header of the request among them.
pub(crate) fn signed_headers<'a>(
    list: &'a str,
    request: &RequestHead<'_>,
    place: crate::error::Place,
) -> Result<Vec<&'a str>, AuthnError> {
    let names: Vec<&str> = list.split(';').filter(|name| !name.is_empty()).collect();
    let ascending = names.windows(2).all(|pair| pair[0] < pair[1]);
    let plain = |name: &&str| {
        name.bytes()
            .all(|c| c.is_ascii_graphic() && !c.is_ascii_uppercase() && c != b':')
    };
    if !ascending || !names.iter().all(plain) || names.join(";") != list {
        return Err(AuthnError::malformed(
            place,
            "SignedHeaders must be lower-case names in ascending order, separated by ';'",
        ));
    }
    if !names.contains(&"host") {
        return Err(AuthnError::HostUnsigned);
    }
    for (name, _) in request.headers {
        if name.starts_with("x-amz-") && !names.contains(&name.as_str()) {
            return Err(AuthnError::HeaderUnsigned(crate::error::quotable(name)));
        }
    }
    Ok(names)
}

/// What is signed: algorithm, time, scope and the digest of the canonical request.
pub(crate) fn string_to_sign(
    algorithm: &str,
    stamp: &str,
    scope: &str,
    digest: &[u8; 32],
) -> String {
    format!("{algorithm}\n{stamp}\n{scope}\n{}", hex::encode(digest))
}
