//! The check: the signature a request presents against the one its key makes.

use crate::canonical::string_to_sign;
use crate::chunks::ChunkSignatures;
use crate::error::AuthnError;
use crate::header::ALGORITHM;
use crate::key::{SecretKey, SigningKey};
use crate::request::{PayloadHash, Presented, Via};
use words::{AccessKeyId, TenantId, UnixMillis};

/// What is on record about an access key, beside its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Credential {
    /// Whose key it is.
    pub tenant: TenantId,
    /// Whether an operator has stopped it. A stopped key still proves who asks; the decision then says no.
    pub suspended: bool,
    /// When it ends, if it ends.
    pub not_after: Option<UnixMillis>,
    /// Digest of what its holder is and of the documents that narrow what it may; all zero for a key that
    /// speaks for its whole tenant.
    pub standing: [u8; 32],
}

impl Credential {
    /// A key that is in force and has no end.
    #[must_use]
    pub const fn active(tenant: TenantId) -> Self {
        Self {
            tenant,
            suspended: false,
            not_after: None,
            standing: [0; 32],
        }
    }
}

/// Proof that a request comes of a key on record. Made only by [`verify`], [`verify_with`] and
/// [`Proven::asks`](crate::scram::Proven::asks); not `Clone`, so that one request is decided once.
pub struct Caller {
    access_key: AccessKeyId,
    credential: Credential,
    request_digest: [u8; 32],
    method: String,
    raw_path: String,
    via: Via,
}

/// Of a statement on a connection whose holder has proven themselves.
pub(crate) fn caller_of_statement(
    access_key: AccessKeyId,
    credential: Credential,
    digest: [u8; 32],
    via: Via,
) -> Caller {
    Caller {
        access_key,
        credential,
        request_digest: digest,
        method: "SQL".to_owned(),
        raw_path: String::new(),
        via,
    }
}

impl Caller {
    /// The tenant on whose behalf the request comes.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.credential.tenant
    }
    /// The key that signed.
    #[must_use]
    pub const fn access_key(&self) -> &AccessKeyId {
        &self.access_key
    }
    /// What is on record about the key.
    #[must_use]
    pub const fn credential(&self) -> &Credential {
        &self.credential
    }
    /// SHA-256 of the canonical request: method, path, query, signed headers and payload word.
    #[must_use]
    pub const fn request_digest(&self) -> &[u8; 32] {
        &self.request_digest
    }
    /// The method that was signed.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }
    /// How the request came here.
    #[must_use]
    pub const fn via(&self) -> Via {
        self.via
    }
    /// The path that was signed, as it was sent. It can hold personal data: not for logs.
    #[must_use]
    pub fn raw_path(&self) -> &str {
        &self.raw_path
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Caller({} of {})",
            self.access_key, self.credential.tenant
        )
    }
}

/// A request that is believed.
#[derive(Debug)]
pub struct Verified {
    /// Who asks.
    pub caller: Caller,
    /// What the signature says about the body. A hash is still to be compared with the body.
    pub payload: PayloadHash,
    /// What checks the chunks of a body in signed framing.
    pub chunks: Option<ChunkSignatures>,
}

/// Checks region, time and signature with the secret of the key that the request names.
pub fn verify(
    presented: Presented,
    secret: &SecretKey,
    credential: Credential,
    now: UnixMillis,
    region: &str,
) -> Result<Verified, AuthnError> {
    presented.admit(now, region)?;
    let key = SigningKey::derive_for(secret, presented.date(), region, presented.service());
    verify_with(presented, &key, credential, now)
}

/// Like [`verify`], with a signing key that was derived before. Region and service are the key's. A request
/// that carries a session's token is refused: whoever has opened that token calls [`verify_session`].
pub fn verify_with(
    presented: Presented,
    key: &SigningKey,
    credential: Credential,
    now: UnixMillis,
) -> Result<Verified, AuthnError> {
    if presented.token.is_some() {
        return Err(AuthnError::SessionToken);
    }
    checked(presented, key, credential, now)
}

/// Like [`verify_with`] for a request of a session: `opened` is the token that the key and the credential were
/// taken from.
pub fn verify_session(
    presented: Presented,
    opened: &str,
    key: &SigningKey,
    credential: Credential,
    now: UnixMillis,
) -> Result<Verified, AuthnError> {
    if presented.token.as_deref() != Some(opened) {
        return Err(AuthnError::SessionToken);
    }
    if credential.not_after.is_some_and(|end| end <= now) {
        return Err(AuthnError::TokenExpired);
    }
    checked(presented, key, credential, now)
}

fn checked(
    presented: Presented,
    key: &SigningKey,
    credential: Credential,
    now: UnixMillis,
) -> Result<Verified, AuthnError> {
    presented.admit(now, key.region())?;
    if key.date() != presented.date() || key.service() != presented.scope.service {
        return Err(AuthnError::WrongSigningKey);
    }
    let scope = presented.scope.text();
    let request_digest = presented
        .digests
        .iter()
        .flatten()
        .find(|digest| {
            let text = string_to_sign(ALGORITHM, &presented.time.stamp, &scope, digest);
            key.signed(text.as_bytes(), &presented.signature)
        })
        .copied()
        .ok_or(AuthnError::Mismatch)?;
    let signed_chunks = matches!(
        presented.payload,
        PayloadHash::SignedChunks | PayloadHash::SignedChunksTrailer
    );
    let chunks = signed_chunks.then(|| {
        ChunkSignatures::new(
            key.clone(),
            presented.time.stamp,
            scope,
            &presented.signature,
        )
    });
    let caller = Caller {
        access_key: presented.scope.access_key,
        credential,
        request_digest,
        method: presented.method,
        raw_path: presented.raw_path,
        via: presented.via,
    };
    Ok(Verified {
        caller,
        payload: presented.payload,
        chunks,
    })
}
