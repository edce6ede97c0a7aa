//! Signing in to a database. The secret is here; the engine only passes messages on. A user that is not there and a
//! wrong proof look the same.

use super::EXCHANGE_MS_MAX;
use crate::Vault;
use crate::attempts::Failed;
use crate::error::VaultError;
use crate::record::tenant::{self, TenantRow};
use crate::secrets::{Known, Secrets};
use authn::scram::{Challenge, Proven};
use authn::{Caller, SecretKey, Via};
use ledger::Kind;
use statement::limits::SESSION_MS_MAX;
use statement::{Database, Session, SessionId, Sign, Signed};
use std::net::IpAddr;
use std::sync::Arc;
use words::{AccessKeyId, TenantId, UnixMillis};
use zeroize::Zeroizing;

/// Somebody who is signed in.
pub struct Seat {
    pub(crate) id: SessionId,
    pub(crate) proven: Proven,
    pub(crate) tenant: TenantId,
    pub(crate) database: Database,
    pub(crate) expires: UnixMillis,
    token: Option<Zeroizing<String>>,
}

impl Seat {
    /// The database they signed in to.
    #[must_use]
    pub const fn database(&self) -> &Database {
        &self.database
    }
}

/// An exchange of SCRAM that waits for its last message.
pub(super) struct Exchange {
    pub at: UnixMillis,
    user: String,
    challenge: Challenge,
    from: Option<IpAddr>,
}

impl Vault {
    /// Signs somebody in, or answers their first message.
    pub async fn sql_sign_in(
        &self,
        sign: Sign,
        database: &str,
        from: Option<IpAddr>,
    ) -> Result<Signed, VaultError> {
        let secrets = self.secrets()?;
        let via = Via {
            source: from,
            secure: true,
        };
        match sign {
            Sign::ScramFirst { user, message } => self.challenge(user, &message, from),
            Sign::ScramFinal { exchange, message } => {
                let found = self.desk.exchanges().remove(&exchange);
                let now = self.host.now();
                let found = found
                    .filter(|found| found.at.plus(EXCHANGE_MS_MAX) > now && found.from == from)
                    .ok_or(VaultError::Unauthenticated)?;
                self.answered(&secrets, found, &message, via, database)
                    .await
            }
            Sign::Password {
                user,
                password,
                token,
            } => {
                let password = Zeroizing::new(password);
                self.not_locked(&user, from)?;
                let known = self.known_user(&secrets, &user, token.as_deref()).await?;
                let proven = match (&known, AccessKeyId::parse(&user)) {
                    (Some(known), Ok(key)) => {
                        Proven::by_secret(key, &known.secret, &password, via).ok()
                    }
                    _ => None,
                };
                let (Some(proven), Some(known)) = (proven, known) else {
                    return Err(self.sign_refused(&secrets, &user, from).await);
                };
                let session = self
                    .seated(&secrets, proven, &known, token, database)
                    .await?;
                let message = String::new();
                Ok(Signed::In { session, message })
            }
        }
    }

    /// The server's first message, whether or not the user is there.
    fn challenge(
        &self,
        user: String,
        message: &str,
        from: Option<IpAddr>,
    ) -> Result<Signed, VaultError> {
        self.not_locked(&user, from)?;
        let salt = self.salt(&user);
        let challenge = Challenge::to(message, &self.host.random(), salt)
            .map_err(|error| VaultError::Usage(error.to_string()))?;
        let exchange: [u8; 16] = self.host.random();
        let message = challenge.message().to_owned();
        let now = self.host.now();
        let waiting = Exchange {
            at: now,
            user,
            challenge,
            from,
        };
        self.desk.wait(exchange, waiting, now)?;
        Ok(Signed::Challenge { exchange, message })
    }

    /// The server's last message, if the client's proves the secret.
    async fn answered(
        &self,
        secrets: &Secrets,
        found: Exchange,
        message: &str,
        via: Via,
        database: &str,
    ) -> Result<Signed, VaultError> {
        self.not_locked(&found.user, found.from)?;
        let known = self.known_user(secrets, &found.user, None).await?;
        let nobody = SecretKey::new(words::hex::encode(&self.host.random::<16>()));
        let secret = known.as_ref().map_or(&nobody, |known| &known.secret);
        let answered = match AccessKeyId::parse(&found.user) {
            Ok(key) => found.challenge.answered(message, key, secret, via).ok(),
            Err(_) => None,
        };
        let (Some((message, proven)), Some(known)) = (answered, known) else {
            return Err(self.sign_refused(secrets, &found.user, found.from).await);
        };
        let session = self.seated(secrets, proven, &known, None, database).await?;
        Ok(Signed::In { session, message })
    }

    fn salt(&self, user: &str) -> [u8; 16] {
        let key = &self.desk.salt_key;
        let name = seal::name_hash(key, &[b"scram\0".as_slice(), user.as_bytes()].concat());
        let mut salt = [0; 16];
        salt.copy_from_slice(&name[..16]);
        salt
    }

    fn not_locked(&self, user: &str, from: Option<IpAddr>) -> Result<(), VaultError> {
        let now = self.host.now();
        match AccessKeyId::parse(user) {
            Ok(key) if self.attempts.is_locked(&key, from, now) => Err(VaultError::Locked),
            _ => Ok(()),
        }
    }

    async fn known_user(
        &self,
        secrets: &Secrets,
        user: &str,
        token: Option<&str>,
    ) -> Result<Option<Arc<Known>>, VaultError> {
        let Ok(key) = AccessKeyId::parse(user) else {
            return Ok(None);
        };
        match token {
            Some(token) => self.known_session(secrets, &key, token).await,
            // A session's access key without its token is as unknown as any other word.
            None => {
                let known = self.known(secrets, &key).await?;
                Ok(known.filter(|known| known.token.is_none()))
            }
        }
    }

    async fn sign_refused(
        &self,
        secrets: &Secrets,
        user: &str,
        from: Option<IpAddr>,
    ) -> VaultError {
        let key = AccessKeyId::parse(user).ok();
        let failed = self.attempts.failed(key.as_ref(), from, self.host.now());
        if failed == Failed::Locked {
            return VaultError::Locked;
        }
        let mut fields = self.fields(Kind::Refuse);
        fields.actor = Some(user.chars().take(64).collect());
        fields.operation = Some("SignIn".to_owned());
        fields.reason = Some(
            match failed {
                Failed::Locks => "too many failures; shut for a minute",
                _ => "no such user, or a wrong proof",
            }
            .to_owned(),
        );
        self.record_later(self.entry_of_cloud(secrets, &fields))
            .await;
        VaultError::Unauthenticated
    }

    async fn seated(
        &self,
        secrets: &Secrets,
        proven: Proven,
        known: &Known,
        token: Option<String>,
        database: &str,
    ) -> Result<Session, VaultError> {
        let now = self.host.now();
        let credential = &known.credential;
        if credential.suspended || credential.not_after.is_some_and(|end| end <= now) {
            return Err(VaultError::Basis(
                "the credential was stopped or has ended; ask your tenant's operator for a new one"
                    .to_owned(),
            ));
        }
        let tenant = self.tenant(secrets, credential.tenant).await?;
        let name = self.tenant_name(tenant.id).await?;
        let user = proven.access_key().as_str();
        let database = self
            .database(secrets, tenant.id, &name, user, database)
            .await?;
        self.meter.request(tenant.id, now);
        let last = now.plus(SESSION_MS_MAX);
        let seat = Seat {
            id: SessionId(self.host.random()),
            tenant: tenant.id,
            database,
            expires: credential.not_after.map_or(last, |end| end.min(last)),
            token: token.map(Zeroizing::new),
            proven,
        };
        let session = Session {
            id: seat.id,
            user: seat.proven.access_key().to_string(),
            tenant: name,
            database: seat.database.clone(),
            expires: seat.expires,
        };
        self.desk.sit(Arc::new(seat), now)?;
        Ok(session)
    }

    /// The name of a tenant.
    pub(crate) async fn tenant_name(&self, id: TenantId) -> Result<String, VaultError> {
        let row = self.engine.get(&tenant::key(id)).await?;
        let row = row.ok_or_else(|| VaultError::NoSuchTenant(id.to_string()))?;
        Ok(TenantRow::decode(&row.value)?.name.to_string())
    }

    /// The caller of one statement, with what is on record about the credential now.
    pub(crate) async fn sql_caller(
        &self,
        secrets: &Secrets,
        seat: &Seat,
        digest: [u8; 32],
    ) -> Result<Caller, VaultError> {
        let token = seat.token.as_ref().map(|token| token.as_str());
        let user = seat.proven.access_key().as_str();
        let known = self.known_user(secrets, user, token).await?;
        let known = known.ok_or(VaultError::SessionEnded)?;
        Ok(seat.proven.asks(known.credential, digest))
    }
}
