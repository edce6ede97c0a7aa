//! Who asks over a connection that stays: SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL speaks it, and a secret
//! that is shown over TLS. Both come to [`Proven`], from which each statement gets a [`Caller`].
//!
//! The server side of an exchange is two calls: [`Challenge::to`] answers the client's first message, and
//! [`Challenge::answered`] checks its last one. Channel binding is not offered, so a client that asks for it is refused.

use crate::key::SecretKey;
use crate::request::Via;
use crate::verify::{Caller, Credential, caller_of_statement};
use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::num::NonZeroU32;
use words::AccessKeyId;
use zeroize::Zeroizing;

/// Rounds of PBKDF2. Secrets are drawn, not chosen, so that more would only cost time.
pub const ITERATIONS: u32 = 4096;
const ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(ITERATIONS - 1);
/// Longest message that is read.
pub const MESSAGE_BYTES_MAX: usize = 1024;
/// Longest nonce of a client.
const NONCE_BYTES_MAX: usize = 256;

/// Why an exchange failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// A message is not as RFC 5802 has it.
    #[error("a SCRAM message cannot be read")]
    Malformed,
    /// The client insists on channel binding.
    #[error("channel binding is not offered here; use SCRAM-SHA-256")]
    ChannelBinding,
    /// The proof is of another secret, or of another exchange.
    #[error("the proof does not match")]
    Mismatch,
}

/// An exchange under way: what was said so far.
pub struct Challenge {
    gs2: String,
    client_bare: String,
    server_first: String,
    nonce: String,
    salt: [u8; 16],
}

impl Challenge {
    /// Answers a client's first message with a nonce and a salt that the caller draws.
    pub fn to(first: &str, nonce: &[u8; 18], salt: [u8; 16]) -> Result<Self, ScramError> {
        if first.len() > MESSAGE_BYTES_MAX {
            return Err(ScramError::Malformed);
        }
        let mut parts = first.splitn(3, ',');
        let mut part = || parts.next().ok_or(ScramError::Malformed);
        let (flag, authzid, bare) = (part()?, part()?, part()?);
        match flag {
            "n" | "y" => {}
            flag if flag.starts_with("p=") => return Err(ScramError::ChannelBinding),
            _ => return Err(ScramError::Malformed),
        }
        // Acting for somebody else is not offered; the user is the one that the protocol named before.
        if !authzid.is_empty() {
            return Err(ScramError::Malformed);
        }
        let mut attributes = bare.split(',');
        let name = attributes.next().filter(|name| name.starts_with("n="));
        let theirs = attributes.next().and_then(|nonce| nonce.strip_prefix("r="));
        let (Some(_), Some(theirs)) = (name, theirs) else {
            return Err(ScramError::Malformed);
        };
        let printable = |c: u8| (0x21..=0x7e).contains(&c) && c != b',';
        let fits = !theirs.is_empty() && theirs.len() <= NONCE_BYTES_MAX;
        if !fits || !theirs.bytes().all(printable) {
            return Err(ScramError::Malformed);
        }
        let nonce = format!("{theirs}{}", STANDARD.encode(nonce));
        let server_first = format!("r={nonce},s={},i={ITERATIONS}", STANDARD.encode(salt));
        Ok(Self {
            gs2: format!("{flag},{authzid},"),
            client_bare: bare.to_owned(),
            server_first,
            nonce,
            salt,
        })
    }

    /// The server's first message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.server_first
    }

    /// Checks the client's last message, and gives the server's and who proved themselves.
    pub fn answered(
        &self,
        last: &str,
        access_key: AccessKeyId,
        secret: &SecretKey,
        via: Via,
    ) -> Result<(String, Proven), ScramError> {
        if last.len() > MESSAGE_BYTES_MAX {
            return Err(ScramError::Malformed);
        }
        let (without_proof, proof) = last.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next().and_then(|text| text.strip_prefix("c="));
        let nonce = attributes.next().and_then(|text| text.strip_prefix("r="));
        let (Some(binding), Some(nonce)) = (binding, nonce) else {
            return Err(ScramError::Malformed);
        };
        let proof = STANDARD.decode(proof).map_err(|_| ScramError::Malformed)?;
        let proof: [u8; 32] = proof.try_into().map_err(|_| ScramError::Malformed)?;
        if binding != STANDARD.encode(&self.gs2) || nonce != self.nonce {
            return Err(ScramError::Mismatch);
        }
        let message = format!("{},{},{without_proof}", self.client_bare, self.server_first);
        let keys = Keys::of(secret, &self.salt);
        let signature = mac(&keys.stored, message.as_bytes());
        let mut client_key = Zeroizing::new(proof);
        for (byte, mask) in client_key.iter_mut().zip(signature.as_ref()) {
            *byte ^= mask;
        }
        let stored = digest::digest(&digest::SHA256, client_key.as_ref());
        constant_time::verify_slices_are_equal(stored.as_ref(), keys.stored.as_ref())
            .map_err(|_| ScramError::Mismatch)?;
        let server = mac(&keys.server, message.as_bytes());
        let proven = Proven { access_key, via };
        Ok((format!("v={}", STANDARD.encode(server)), proven))
    }
}

struct Keys {
    stored: Zeroizing<[u8; 32]>,
    server: Zeroizing<[u8; 32]>,
}

impl Keys {
    fn of(secret: &SecretKey, salt: &[u8; 16]) -> Self {
        let mut salted = Zeroizing::new([0; 32]);
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::derive(
            algorithm,
            ROUNDS,
            salt,
            secret.expose().as_bytes(),
            &mut *salted,
        );
        let client = mac(&salted, b"Client Key");
        let mut stored = Zeroizing::new([0; 32]);
        stored.copy_from_slice(digest::digest(&digest::SHA256, client.as_ref()).as_ref());
        let mut server = Zeroizing::new([0; 32]);
        server.copy_from_slice(mac(&salted, b"Server Key").as_ref());
        Self { stored, server }
    }
}

fn mac(key: &Zeroizing<[u8; 32]>, message: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), message)
}

/// Somebody who proved on this connection that they hold a key's secret. Made only here.
#[derive(Debug)]
pub struct Proven {
    access_key: AccessKeyId,
    via: Via,
}

impl Proven {
    /// By showing the secret.
    pub fn by_secret(
        access_key: AccessKeyId,
        secret: &SecretKey,
        shown: &str,
        via: Via,
    ) -> Result<Self, ScramError> {
        constant_time::verify_slices_are_equal(secret.expose().as_bytes(), shown.as_bytes())
            .map_err(|_| ScramError::Mismatch)?;
        Ok(Self { access_key, via })
    }
    /// Whose key it is.
    #[must_use]
    pub const fn access_key(&self) -> &AccessKeyId {
        &self.access_key
    }
    /// The caller of one statement: `credential` is what is on record now, `digest` that of the statement.
    #[must_use]
    pub fn asks(&self, credential: Credential, digest: [u8; 32]) -> Caller {
        caller_of_statement(self.access_key.clone(), credential, digest, self.via)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";
    const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const LAST: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    fn key() -> AccessKeyId {
        AccessKeyId::parse("CLRX").unwrap()
    }

    /// The exchange of RFC 7677 section 3. Its server nonce is no base64 of 18 bytes, so it is put in by hand.
    #[test]
    fn the_exchange_of_the_rfc() {
        let salt: [u8; 16] = STANDARD.decode(SALT).unwrap().try_into().unwrap();
        let mut challenge = Challenge::to(FIRST, &[0; 18], salt).unwrap();
        challenge.nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".into();
        challenge.server_first = format!("r={},s={SALT},i=4096", challenge.nonce);
        let secret = SecretKey::new("pencil".into());
        let (last, proven) = challenge
            .answered(LAST, key(), &secret, Via::default())
            .unwrap();
        assert_eq!(last, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert_eq!(proven.access_key(), &key());
        let other = SecretKey::new("pencils".into());
        let wrong = challenge.answered(LAST, key(), &other, Via::default());
        assert_eq!(wrong.err(), Some(ScramError::Mismatch));
        let replayed = Challenge::to(FIRST, &[1; 18], salt).unwrap();
        let replayed = replayed.answered(LAST, key(), &secret, Via::default());
        assert_eq!(replayed.err(), Some(ScramError::Mismatch));
    }

    #[test]
    fn what_is_not_scram_is_refused() {
        for bad in [
            "",
            "n",
            "n,,",
            "n,,r=abc",
            "n,,n=user",
            "n,,n=user,r=",
            "n,a=admin,n=user,r=abc",
            "x,,n=user,r=abc",
            "n,,n=user,r=a\u{7f}c",
        ] {
            assert_eq!(
                Challenge::to(bad, &[0; 18], [0; 16]).err(),
                Some(ScramError::Malformed),
                "{bad:?}"
            );
        }
        let bound = Challenge::to("p=tls-server-end-point,,n=user,r=abc", &[0; 18], [0; 16]);
        assert_eq!(bound.err(), Some(ScramError::ChannelBinding));
        let challenge = Challenge::to("n,,n=user,r=abc", &[0; 18], [0; 16]).unwrap();
        let secret = SecretKey::new("secret".into());
        for bad in [
            "",
            "c=biws",
            "c=biws,r=abc,p=%",
            "c=biws,r=abc,p=AAAA",
            ",p=",
        ] {
            let answer = challenge.answered(bad, key(), &secret, Via::default());
            assert_eq!(answer.err(), Some(ScramError::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn a_secret_that_is_shown() {
        let secret = SecretKey::new("secret".into());
        assert!(Proven::by_secret(key(), &secret, "secret", Via::default()).is_ok());
        for wrong in ["", "secre", "secret ", "Secret"] {
            assert!(Proven::by_secret(key(), &secret, wrong, Via::default()).is_err());
        }
    }
}
