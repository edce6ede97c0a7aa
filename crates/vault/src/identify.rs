//! Who asks. The signature is checked here, where the secrets are; what is refused is written down.

use crate::Vault;
use crate::error::VaultError;
use crate::secrets::{Known, Secrets};
use authn::{
    AuthnError, Caller, ChunkSignatures, PayloadHash, Presented, RequestHead, SigningKey, Verified,
};
use ledger::Kind;
use std::sync::Arc;

/// A request that is believed.
pub struct Identified {
    /// Who asks.
    pub caller: Caller,
    /// What the signature says about the body.
    pub payload: PayloadHash,
    /// What checks the chunks of a body in signed framing.
    pub chunks: Option<ChunkSignatures>,
}

/// A request that is not believed, as S3 tells its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// S3's code.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened and what to do.
    pub message: String,
    /// The region to sign for, if that was what was wrong.
    pub region: Option<String>,
}

impl Vault {
    /// Checks who signed the request. A refusal is on its way to the ledger when this returns.
    pub async fn identify(&self, head: &RequestHead<'_>) -> Result<Identified, Refusal> {
        let Ok(secrets) = self.secrets() else {
            return Err(unavailable(
                "the node is sealed; it opens when a quorum of the parties has given its shares",
            ));
        };
        let presented = match authn::present(head) {
            Ok(presented) => presented,
            Err(error) => return Err(self.refuse(&secrets, head, None, &error).await),
        };
        let name = presented.access_key().clone();
        let known = match self.known(&secrets, &name).await {
            Ok(Some(known)) => known,
            Ok(None) => {
                return Err(self
                    .refuse(
                        &secrets,
                        head,
                        Some(name.as_str()),
                        &AuthnError::UnknownAccessKey,
                    )
                    .await);
            }
            Err(error @ VaultError::Tampered(_)) => {
                tracing::error!(%error, "a credential is not used");
                return Err(self
                    .refuse_credential(
                        &secrets,
                        head,
                        name.as_str(),
                        "tampered credential",
                        &error.to_string(),
                    )
                    .await);
            }
            Err(error) => {
                tracing::error!(%error, "a credential could not be read");
                return Err(unavailable(
                    "the credential could not be read; nothing was done, try again",
                ));
            }
        };
        if known.credential.suspended {
            return Err(self
                .refuse_credential(
                    &secrets,
                    head,
                    name.as_str(),
                    "stopped credential",
                    "the credential was stopped; ask your tenant's operator for a new one",
                )
                .await);
        }
        match self.check(presented, &known) {
            Ok(verified) => Ok(Identified {
                caller: verified.caller,
                payload: verified.payload,
                chunks: verified.chunks,
            }),
            Err(error) => Err(self
                .refuse(&secrets, head, Some(name.as_str()), &error)
                .await),
        }
    }

    fn check(&self, presented: Presented, known: &Known) -> Result<Verified, AuthnError> {
        let now = self.host.now();
        presented.admit(now, &self.config.region)?;
        let date = presented.date();
        let cached = known.signing.read().ok().and_then(|key| key.clone());
        let key = match cached
            .filter(|key| key.date() == date && key.region() == self.config.region)
        {
            Some(key) => key,
            None => {
                let key = Arc::new(SigningKey::derive(&known.secret, date, &self.config.region));
                if let Ok(mut slot) = known.signing.write() {
                    *slot = Some(Arc::clone(&key));
                }
                key
            }
        };
        authn::verify_with(presented, &key, known.credential, now)
    }

    async fn refuse_credential(
        &self,
        secrets: &Secrets,
        head: &RequestHead<'_>,
        actor: &str,
        reason: &str,
        message: &str,
    ) -> Refusal {
        let mut fields = self.fields(Kind::Refuse);
        fields.actor = Some(actor.to_owned());
        fields.operation = Some(head.method.chars().take(16).collect());
        fields.resource = Some(head.raw_path.chars().take(1024).collect());
        fields.reason = Some(reason.to_owned());
        self.record_later(self.entry_of_cloud(secrets, &fields))
            .await;
        Refusal {
            code: "AccessDenied",
            status: 403,
            message: message.to_owned(),
            region: None,
        }
    }

    async fn refuse(
        &self,
        secrets: &Secrets,
        head: &RequestHead<'_>,
        actor: Option<&str>,
        error: &AuthnError,
    ) -> Refusal {
        let answer = error.answer(&self.config.region);
        let mut fields = self.fields(Kind::Refuse);
        fields.actor = actor.map(str::to_owned);
        fields.operation = Some(head.method.chars().take(16).collect());
        fields.resource = Some(head.raw_path.chars().take(1024).collect());
        fields.reason = Some(answer.code.to_string());
        self.record_later(self.entry_of_cloud(secrets, &fields))
            .await;
        Refusal {
            code: answer.code,
            status: answer.status,
            message: answer.message,
            region: answer.region,
        }
    }
}

fn unavailable(message: &str) -> Refusal {
    Refusal {
        code: "ServiceUnavailable",
        status: 503,
        message: message.to_owned(),
        region: None,
    }
}
