//! Who asks. The signature is checked here, where the secrets are; what is refused is written down.

use crate::Vault;
use crate::attempts::Failed;
use crate::entries::Who;
use crate::error::VaultError;
use crate::query::Asks;
use crate::secrets::{Known, Secrets};
use authn::{
    AuthnError, Caller, ChunkSignatures, PayloadHash, Presented, RequestHead, SigningKey, Verified,
};
use ledger::Kind;
use std::sync::Arc;
use words::AccessKeyId;

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
            return Err(sealed());
        };
        let presented = match authn::present(head) {
            Ok(presented) => presented,
            Err(error) => return Err(self.refuse(&secrets, head, None, &error).await),
        };
        let (verified, _) = self.believe(&secrets, head, presented).await?;
        Ok(Identified {
            caller: verified.caller,
            payload: verified.payload,
            chunks: verified.chunks,
        })
    }

    /// Checks who signed a form for a service.
    pub(crate) async fn identify_form(
        &self,
        secrets: &Secrets,
        head: &RequestHead<'_>,
        body: &[u8],
        service: &str,
    ) -> Result<Asks, Refusal> {
        let presented = match authn::present_form(head, body) {
            Ok(Some(presented)) if presented.service().word() == service => presented,
            Ok(Some(_)) => {
                let error = AuthnError::Mismatch;
                return Err(self.refuse(secrets, head, None, &error).await);
            }
            Ok(None) => {
                let error = AuthnError::Anonymous;
                return Err(self.refuse(secrets, head, None, &error).await);
            }
            Err(error) => return Err(self.refuse(secrets, head, None, &error).await),
        };
        let (verified, known) = self.believe(secrets, head, presented).await?;
        let tenant = self.tenant(secrets, verified.caller.tenant()).await?;
        let digest = self.policies.in_force(known.holder.standing.digest(), None);
        let who = Who::of(Arc::clone(&tenant), &verified.caller, digest);
        Ok(Asks {
            caller: verified.caller,
            known,
            tenant,
            who,
        })
    }

    async fn believe(
        &self,
        secrets: &Secrets,
        head: &RequestHead<'_>,
        presented: Presented,
    ) -> Result<(Verified, Arc<Known>), Refusal> {
        let name = presented.access_key().clone();
        let (source, now) = (head.via.source, self.host.now());
        if self.attempts.is_locked(&name, source, now) {
            return Err(too_many());
        }
        let found = match presented.session_token() {
            Some(token) => self.known_session(secrets, &name, token).await,
            // A session's access key without its token is as unknown as any other word.
            None => self
                .known(secrets, &name)
                .await
                .map(|known| known.filter(|known| known.token.is_none())),
        };
        let known = match found {
            Ok(Some(known)) => known,
            Ok(None) => {
                let error = match presented.session_token() {
                    Some(_) => AuthnError::SessionToken,
                    None => AuthnError::UnknownAccessKey,
                };
                return Err(self
                    .refuse(secrets, head, Some(name.as_str()), &error)
                    .await);
            }
            Err(error @ VaultError::Tampered(_)) => {
                tracing::error!(%error, "a credential is not used");
                let message = error.to_string();
                let reason = "tampered credential";
                return Err(self
                    .refuse_credential(secrets, head, name.as_str(), reason, &message)
                    .await);
            }
            Err(crate::VaultError::Abroad(why)) => {
                return Err(self.refuse_abroad(secrets, head, name.as_str(), why).await);
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
                    secrets,
                    head,
                    name.as_str(),
                    "stopped credential",
                    "the credential was stopped; ask your tenant's operator for a new one",
                )
                .await);
        }
        match self.check(presented, &known) {
            Ok(verified) => {
                self.meter.request(verified.caller.tenant(), now);
                Ok((verified, known))
            }
            Err(error) => Err(self
                .refuse(secrets, head, Some(name.as_str()), &error)
                .await),
        }
    }

    fn check(&self, presented: Presented, known: &Known) -> Result<Verified, AuthnError> {
        let now = self.host.now();
        presented.admit(now, &self.config.region)?;
        let (date, service) = (presented.date(), presented.service());
        let cached = known.signing.read().ok().and_then(|key| key.clone());
        let key = match cached.filter(|key| {
            key.date() == date && key.region() == self.config.region && key.service() == service
        }) {
            Some(key) => key,
            None => {
                let region = &self.config.region;
                let key = SigningKey::derive_for(&known.secret, date, region, service);
                let key = Arc::new(key);
                if let Ok(mut slot) = known.signing.write() {
                    *slot = Some(Arc::clone(&key));
                }
                key
            }
        };
        match presented.session_token().map(str::to_owned) {
            Some(token) => authn::verify_session(presented, &token, &key, known.credential, now),
            None => authn::verify_with(presented, &key, known.credential, now),
        }
    }

    async fn refuse_abroad(
        &self,
        secrets: &Secrets,
        head: &RequestHead<'_>,
        actor: &str,
        why: String,
    ) -> Refusal {
        let mut fields = self.fields(Kind::Refuse);
        fields.actor = Some(actor.to_owned());
        fields.operation = Some(head.method.chars().take(16).collect());
        fields.resource = Some(head.raw_path.chars().take(1024).collect());
        fields.reason = Some(why.clone());
        self.record_later(self.entry_of_cloud(secrets, &fields))
            .await;
        Refusal {
            code: "AccessDenied",
            status: 403,
            message: why,
            region: None,
        }
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
        let key = actor.and_then(|actor| AccessKeyId::parse(actor).ok());
        let guessed = matches!(
            error,
            AuthnError::UnknownAccessKey | AuthnError::Mismatch | AuthnError::SessionToken
        );
        let failed = if guessed {
            let now = self.host.now();
            self.attempts.failed(key.as_ref(), head.via.source, now)
        } else {
            Failed::Few
        };
        if failed == Failed::Locked {
            return too_many();
        }
        let answer = error.answer(&self.config.region);
        let mut fields = self.fields(Kind::Refuse);
        fields.actor = actor.map(str::to_owned);
        fields.operation = Some(head.method.chars().take(16).collect());
        fields.resource = Some(head.raw_path.chars().take(1024).collect());
        // The client is not told whether the key exists; the operator is.
        fields.reason = Some(match error {
            AuthnError::UnknownAccessKey => "UnknownAccessKey".to_owned(),
            _ => answer.code.to_string(),
        });
        if failed == Failed::Locks {
            fields.reason = Some("too many failures; shut for a minute".to_owned());
        }
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

pub(crate) fn too_many() -> Refusal {
    Refusal {
        code: "SlowDown",
        status: 503,
        message: "too many requests with a wrong signature; nothing was done, wait a minute"
            .to_owned(),
        region: None,
    }
}

/// What a sealed node answers.
pub(crate) fn sealed() -> Refusal {
    unavailable("the node is sealed; it opens when a quorum of the parties has given its shares")
}

fn unavailable(message: &str) -> Refusal {
    Refusal {
        code: "ServiceUnavailable",
        status: 503,
        message: message.to_owned(),
        region: None,
    }
}
