//! JSON web tokens of identity providers (RFC 7519), checked against keys that were put here by hand (RFC
//! 7517). Only RS256, ES256 and Ed25519, which is also called EdDSA (RFC 9864); the algorithm is the key's, what a token's header says must agree with
//! it. No `none`, no HMAC, no key or address taken from a token, no token without an end.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use words::UnixMillis;

/// Longest token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Longest set of keys, in bytes.
pub const KEYS_BYTES_MAX: usize = 32 * 1024;
/// Most keys of one provider.
const KEYS_MAX: usize = 32;
/// How far a provider's clock may be from ours, in seconds.
const LEEWAY_SECONDS: u64 = 60;
/// Most groups that a token may name, and their length.
const GROUPS_MAX: usize = 64;
const GROUP_BYTES_MAX: usize = 128;

/// Why a token or a set of keys is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// It is no token, or not one as it must be.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// Its algorithm is not taken.
    #[error("the token's algorithm is not taken; RS256, ES256 and EdDSA (Ed25519) are")]
    Algorithm,
    /// No key of the provider made it.
    #[error("no key of the provider signed the token")]
    Signature,
    /// It is over.
    #[error("the token has expired")]
    Expired,
    /// It is not valid yet.
    #[error("the token is not valid yet")]
    NotYet,
    /// It was made for somebody else.
    #[error("the token was made for another audience")]
    Audience,
    /// It is another provider's.
    #[error("the token is another provider's")]
    Issuer,
    /// The set of keys cannot be used.
    #[error("the provider's keys cannot be used: {0}")]
    Keys(String),
}

/// A provider's public keys.
pub struct Keys(Vec<(Option<String>, Key)>);

enum Key {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// What a token says, once it is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Of whom it speaks.
    pub subject: String,
    /// For whom it was made: the one that was asked for.
    pub audience: String,
    /// When it ends.
    pub expires: UnixMillis,
    /// Groups that the subject is in.
    pub groups: Vec<String>,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

fn bytes_of(value: &Value, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD
        .decode(value.get(name)?.as_str()?.as_bytes())
        .ok()
}

impl Keys {
    /// Reads a JWKS. Keys that are not for signatures, or of a sort that is not taken, refuse the whole set:
    /// a key that is silently left out is one that somebody believes to be there.
    pub fn parse(text: &str) -> Result<Self, JwtError> {
        let fault = |why: String| JwtError::Keys(why);
        if text.len() > KEYS_BYTES_MAX {
            return Err(fault(format!("more than {KEYS_BYTES_MAX} bytes")));
        }
        let set: Set = serde_json::from_str(text).map_err(|e| fault(e.to_string()))?;
        if set.keys.is_empty() || set.keys.len() > KEYS_MAX {
            return Err(fault(format!("there must be 1 to {KEYS_MAX} keys")));
        }
        let mut keys = Vec::new();
        for (index, value) in set.keys.iter().enumerate() {
            let text = |name: &str| value.get(name).and_then(Value::as_str);
            let wrong = |why: &str| Err(fault(format!("keys[{index}]: {why}")));
            if text("use").is_some_and(|word| word != "sig") {
                return wrong("it is not for signatures");
            }
            let (algorithm, key) = match (text("kty"), text("crv")) {
                (Some("RSA"), _) => match (bytes_of(value, "n"), bytes_of(value, "e")) {
                    (Some(n), Some(e)) if (256..=1024).contains(&n.len()) && e.len() <= 8 => {
                        ("RS256", Key::Rsa { n, e })
                    }
                    _ => return wrong("n and e must be those of an RSA key of 2048 to 8192 bits"),
                },
                (Some("EC"), Some("P-256")) => match (bytes_of(value, "x"), bytes_of(value, "y")) {
                    (Some(x), Some(y)) if x.len() == 32 && y.len() == 32 => {
                        ("ES256", Key::P256([&[4], x.as_slice(), &y].concat()))
                    }
                    _ => return wrong("x and y must be 32 bytes each"),
                },
                (Some("OKP"), Some("Ed25519")) => match bytes_of(value, "x") {
                    Some(x) if x.len() == 32 => ("EdDSA", Key::Ed25519(x)),
                    _ => return wrong("x must be 32 bytes"),
                },
                _ => return wrong("only RSA, EC with P-256 and OKP with Ed25519 are taken"),
            };
            if text("alg").is_some_and(|word| named(word) != algorithm) {
                return wrong("its alg does not fit its kty");
            }
            if value.get("d").is_some() {
                return wrong("it holds a private key");
            }
            keys.push((text("kid").map(str::to_owned), key));
        }
        Ok(Self(keys))
    }

    /// Checks a token of `issuer` that was made for one of `audiences`.
    pub fn check(
        &self,
        token: &str,
        issuer: &str,
        audiences: &[String],
        now: UnixMillis,
    ) -> Result<Told, JwtError> {
        let claims = self.signed(token)?;
        if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
            return Err(JwtError::Issuer);
        }
        let seconds = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => value
                .as_u64()
                .or_else(|| whole(value))
                .map(Some)
                .ok_or(JwtError::Malformed("a time is not a number of seconds")),
        };
        let now = now.seconds();
        let expires = seconds("exp")?.ok_or(JwtError::Malformed("it has no exp"))?;
        if expires.saturating_add(LEEWAY_SECONDS) <= now {
            return Err(JwtError::Expired);
        }
        for name in ["nbf", "iat"] {
            if seconds(name)?.is_some_and(|at| at > now.saturating_add(LEEWAY_SECONDS)) {
                return Err(JwtError::NotYet);
            }
        }
        let audience = audience(&claims, audiences)?;
        let subject = claims
            .get("sub")
            .and_then(Value::as_str)
            .filter(|sub| !sub.is_empty() && sub.len() <= 255)
            .ok_or(JwtError::Malformed("it has no sub"))?;
        Ok(Told {
            subject: subject.to_owned(),
            audience,
            expires: UnixMillis(expires.saturating_mul(1000)),
            groups: groups(&claims)?,
        })
    }

    /// The claims of a token that one of the keys signed.
    fn signed(&self, token: &str) -> Result<Value, JwtError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(JwtError::Malformed("it is too long"));
        }
        let pieces: Vec<&str> = token.split('.').collect();
        let [head, claims, signature] = pieces.as_slice() else {
            return Err(JwtError::Malformed("it has not three parts"));
        };
        let decode = |text: &str| {
            URL_SAFE_NO_PAD
                .decode(text.as_bytes())
                .map_err(|_| JwtError::Malformed("a part is not base64url"))
        };
        let read = |bytes: &[u8]| {
            serde_json::from_slice::<Value>(bytes)
                .ok()
                .filter(Value::is_object)
                .ok_or(JwtError::Malformed("a part is not a JSON object"))
        };
        let header = read(&decode(head)?)?;
        let algorithm = header.get("alg").and_then(Value::as_str);
        let algorithm = named(algorithm.unwrap_or_default());
        if !["RS256", "ES256", "EdDSA"].contains(&algorithm) {
            return Err(JwtError::Algorithm);
        }
        if header.get("crit").is_some() {
            return Err(JwtError::Malformed(
                "it has a crit header, which nothing here understands",
            ));
        }
        let kid = header.get("kid").and_then(Value::as_str);
        let signature = decode(signature)?;
        let text = token
            .rsplit_once('.')
            .map_or(&b""[..], |(text, _)| text.as_bytes());
        let good = self
            .0
            .iter()
            .filter(|(name, _)| kid.is_none() || name.is_none() || kid == name.as_deref())
            .any(|(_, key)| key.signed(algorithm, text, &signature));
        if !good {
            return Err(JwtError::Signature);
        }
        read(&decode(claims)?)
    }
}

impl Key {
    fn signed(&self, algorithm: &str, text: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (Self::Rsa { n, e }, "RS256") => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, text, signature)
                .is_ok(),
            (Self::P256(point), "ES256") => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(text, signature)
                .is_ok(),
            (Self::Ed25519(point), "EdDSA") => UnparsedPublicKey::new(&ED25519, point)
                .verify(text, signature)
                .is_ok(),
            _ => false,
        }
    }
}

/// The algorithm under the name that is used here.
fn named(algorithm: &str) -> &str {
    match algorithm {
        "Ed25519" => "EdDSA",
        other => other,
    }
}

/// A whole number that was written with a point.
fn whole(value: &Value) -> Option<u64> {
    let float = value.as_f64()?;
    let text = format!("{float:.0}");
    (float >= 0.0).then(|| text.parse().ok()).flatten()
}

fn audience(claims: &Value, wanted: &[String]) -> Result<String, JwtError> {
    let given: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => return Err(JwtError::Audience),
    };
    // With several audiences, or where it is said, the one it was made for is `azp`.
    let party = claims.get("azp").and_then(Value::as_str);
    let found = wanted.iter().find(|wanted| {
        given.contains(&wanted.as_str()) && party.is_none_or(|party| party == wanted.as_str())
    });
    found.cloned().ok_or(JwtError::Audience)
}

fn groups(claims: &Value) -> Result<Vec<String>, JwtError> {
    let list = match claims.get("groups") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(JwtError::Malformed("groups is not a list")),
    };
    if list.len() > GROUPS_MAX {
        return Err(JwtError::Malformed("it names too many groups"));
    }
    list.iter()
        .map(|value| {
            value
                .as_str()
                .filter(|name| !name.is_empty() && name.len() <= GROUP_BYTES_MAX)
                .map(str::to_owned)
                .ok_or(JwtError::Malformed("a group is not a short text"))
        })
        .collect()
}

/// Whose token it says it is, before anything of it is believed: to find the provider's keys.
pub fn claimed_issuer(token: &str) -> Result<String, JwtError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(JwtError::Malformed("it is too long"));
    }
    let claims = token
        .split('.')
        .nth(1)
        .and_then(|part| URL_SAFE_NO_PAD.decode(part.as_bytes()).ok())
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        .ok_or(JwtError::Malformed("its claims cannot be read"))?;
    claims
        .get("iss")
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or(JwtError::Malformed("it has no iss"))
}
