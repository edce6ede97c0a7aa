//! Sessions: credentials for a while. A session is in no row: everything about it is in its token, sealed
//! under a key of the tenant's that seals nothing else and has an id, so that it can be replaced. Who gave
//! the session and what its role may is looked up at each use; a role that is stopped, or a credential that is
//! stopped, ends the sessions that came of it.

use crate::Vault;
use crate::error::VaultError;
use crate::record::identity::{self, Sort};
use crate::secrets::{Known, Secrets, Tenant};
use crate::standing::padded;
use authn::{Credential, SecretKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use catalog::{KeyRange, Order, Precondition};
use ledger::Kind;
use policy::{Claims, Principal};
use seal::Key;
use std::sync::{Arc, RwLock};
use words::limits::SCAN_ROWS_MAX;
use words::wire::{Reader, WireError, Writer};
use words::{AccessKeyId, TenantId, UnixMillis};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
/// What is in a token. Those of version 1 know no certificates; they end within half a day of an upgrade.
const SESSION_VERSION: u8 = 2;
/// Most tags of a session.
const TAGS_MAX: u16 = 64;
/// Longest token, in characters.
const TOKEN_CHARS_MAX: usize = 16 * 1024;
/// How long a key seals new tokens.
const KEY_AGE_MS_MAX: u64 = 30 * 24 * 3_600_000;

/// What a token holds.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub access_key: AccessKeyId,
    pub secret: Zeroizing<String>,
    pub role: String,
    pub name: String,
    pub issued: UnixMillis,
    pub expires: UnixMillis,
    /// The access key that asked for it; empty for a web identity.
    pub parent: String,
    pub claims: Claims,
    /// The session's own policy; empty for none.
    pub policy: String,
    /// The certificate that it was given for.
    pub bearer: Option<Bearing>,
}

/// Which certificate a session was given for, so that it ends with the certificate's anchor or at its revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bearing {
    /// The trust anchor.
    pub anchor: String,
    /// When that was made: another one under its name is another one.
    pub made: UnixMillis,
    /// SHA-256 of the issuer's name.
    pub issuer: [u8; 32],
    pub serial: Vec<u8>,
}

/// A session as its holder gets it.
pub(crate) struct Issued {
    pub session: Session,
    pub token: String,
}

impl Session {
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let claim = |claim: &Option<String>| claim.clone().unwrap_or_default();
        let mut writer = Writer::versioned(SESSION_VERSION)
            .bytes(self.access_key.as_str().as_bytes())
            .bytes(self.secret.as_bytes())
            .bytes(self.role.as_bytes())
            .bytes(self.name.as_bytes())
            .u64(self.issued.0)
            .u64(self.expires.0)
            .bytes(self.parent.as_bytes())
            .bytes(claim(&self.claims.issuer).as_bytes())
            .bytes(claim(&self.claims.subject).as_bytes())
            .bytes(claim(&self.claims.audience).as_bytes())
            .bytes(self.policy.as_bytes())
            .u16(u16::try_from(self.claims.groups.len()).unwrap_or(u16::MAX));
        for group in &self.claims.groups {
            writer = writer.bytes(group.as_bytes());
        }
        writer = writer.u16(u16::try_from(self.claims.tags.len()).unwrap_or(u16::MAX));
        for (name, value) in &self.claims.tags {
            writer = writer.bytes(name.as_bytes()).bytes(value.as_bytes());
        }
        writer = match &self.bearer {
            None => writer.u8(0),
            Some(of) => writer
                .u8(1)
                .bytes(of.anchor.as_bytes())
                .u64(of.made.0)
                .raw(&of.issuer)
                .bytes(&of.serial),
        };
        Zeroizing::new(writer.finish())
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (version, mut reader) = Reader::versioned(bytes, SESSION_VERSION)?;
        let text = |reader: &mut Reader<'_>| {
            let bytes = reader.bytes(8192)?;
            String::from_utf8(bytes.to_vec()).map_err(|_| WireError::Field("text"))
        };
        let claim = |text: String| Some(text).filter(|text| !text.is_empty());
        let access_key =
            AccessKeyId::parse(&text(&mut reader)?).map_err(|_| WireError::Field("access key"))?;
        let secret = Zeroizing::new(text(&mut reader)?);
        let (role, name) = (text(&mut reader)?, text(&mut reader)?);
        let (issued, expires) = (UnixMillis(reader.u64()?), UnixMillis(reader.u64()?));
        let parent = text(&mut reader)?;
        let mut claims = Claims {
            issuer: claim(text(&mut reader)?),
            subject: claim(text(&mut reader)?),
            audience: claim(text(&mut reader)?),
            ..Claims::default()
        };
        let policy = text(&mut reader)?;
        for _ in 0..reader.u16()? {
            claims.groups.push(text(&mut reader)?);
        }
        let mut bearer = None;
        if version >= SESSION_VERSION {
            let count = reader.u16()?;
            if count > TAGS_MAX {
                return Err(WireError::Field("tags"));
            }
            for _ in 0..count {
                claims.tags.push((text(&mut reader)?, text(&mut reader)?));
            }
            if reader.u8()? == 1 {
                bearer = Some(Bearing {
                    anchor: text(&mut reader)?,
                    made: UnixMillis(reader.u64()?),
                    issuer: reader.array()?,
                    serial: reader.bytes(64)?.to_vec(),
                });
            }
        }
        reader.finish()?;
        Ok(Self {
            access_key,
            secret,
            role,
            name,
            issued,
            expires,
            parent,
            claims,
            policy,
            bearer,
        })
    }
}

/// The keys that seal tokens, by tenant and id; the newest seals.
#[derive(Default)]
pub struct SessionKeys(RwLock<Vec<SessionKey>>);

#[derive(Clone)]
struct SessionKey {
    tenant: TenantId,
    id: [u8; 16],
    created: UnixMillis,
    key: Arc<Key>,
}

impl SessionKeys {
    fn find(&self, fits: impl Fn(&SessionKey) -> bool) -> Option<SessionKey> {
        let keys = self.0.read().ok()?;
        keys.iter()
            .filter(|key| fits(key))
            .max_by_key(|key| key.created)
            .cloned()
    }
    fn keep(&self, key: SessionKey) {
        if let Ok(mut keys) = self.0.write()
            && !keys.iter().any(|known| known.id == key.id)
        {
            keys.push(key);
        }
    }
}

fn context(tenant: TenantId, id: &[u8; 16]) -> Vec<u8> {
    [b"session token\0".as_slice(), tenant.as_bytes(), id].concat()
}

fn token_digest(token: &str) -> [u8; 32] {
    ledger::tree::leaf_hash(token.as_bytes())
}

impl Vault {
    /// Seals a session into its token.
    pub(crate) async fn issue(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
        session: Session,
    ) -> Result<Issued, VaultError> {
        let key = self.sealing_key(secrets, tenant).await?;
        let sealed = seal::seal_value(
            &*key.key,
            &context(tenant.id, &key.id),
            self.host.random(),
            &session.encode(),
        );
        let bytes = Writer::versioned(VERSION)
            .raw(tenant.id.as_bytes())
            .raw(&key.id)
            .raw(&sealed)
            .finish();
        Ok(Issued {
            session,
            token: URL_SAFE_NO_PAD.encode(bytes),
        })
    }

    /// The holder of a token; `None` if it is none of ours, or not this access key's.
    pub(crate) async fn known_session(
        &self,
        secrets: &Secrets,
        name: &AccessKeyId,
        token: &str,
    ) -> Result<Option<Arc<Known>>, VaultError> {
        if token.len() > TOKEN_CHARS_MAX {
            return Ok(None);
        }
        let digest = token_digest(token);
        if let Some(known) = secrets.known.get(name)
            && known.token == Some(digest)
        {
            return Ok(Some(known));
        }
        let changes = secrets.judged.changes();
        let Some((tenant, session)) = self.open_token(secrets, token).await? else {
            return Ok(None);
        };
        if session.access_key != *name {
            return Ok(None);
        }
        let role = self.identity(&tenant, Sort::Role, &session.role).await?;
        let (mut texts, mut suspended) = match role {
            Some((_, row)) => (row.documents, row.suspended),
            None => (Vec::new(), true),
        };
        if !texts.is_empty() && !session.policy.is_empty() {
            texts.push(session.policy.clone());
        }
        let parent = AccessKeyId::parse(&session.parent).ok();
        if let Some(parent) = &parent {
            // Sessions of sessions are held by their own end and role; a stored credential is looked at.
            let row = self.known(secrets, parent).await?;
            suspended |= row.is_some_and(|known| known.credential.suspended);
        }
        if let Some(of) = &session.bearer {
            suspended |= !self.still_bears(&tenant, of).await?;
        }
        let who = Principal::Role(session.role, session.name);
        let holder = self.holder(secrets, &tenant, who, session.claims, texts, suspended)?;
        let known = Arc::new(Known {
            credential: Credential {
                tenant: tenant.id,
                suspended: suspended || tenant.suspended,
                not_after: Some(session.expires),
                standing: *holder.standing.digest(),
            },
            secret: SecretKey::new(session.secret.to_string()),
            signing: RwLock::new(None),
            holder,
            token: Some(digest),
            parent,
        });
        secrets.judged.keep_unless_changed(changes, || {
            secrets.known.insert(name.clone(), Arc::clone(&known));
        });
        Ok(Some(known))
    }

    async fn open_token(
        &self,
        secrets: &Secrets,
        token: &str,
    ) -> Result<Option<(Arc<Tenant>, Session)>, VaultError> {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(token.as_bytes()) else {
            return Ok(None);
        };
        let Ok((_, mut reader)) = Reader::versioned(&bytes, VERSION) else {
            return Ok(None);
        };
        let (Ok(tenant), Ok(id)) = (reader.array(), reader.array::<16>()) else {
            return Ok(None);
        };
        let tenant = match self.tenant(secrets, TenantId::from_bytes(tenant)).await {
            Ok(tenant) => tenant,
            Err(VaultError::NoSuchTenant(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let own = |key: &SessionKey| key.tenant == tenant.id && key.id == id;
        let key = match secrets.sessions.find(own) {
            Some(key) => key,
            None => {
                let row = identity::key(tenant.id, Sort::SessionKey, &padded(&id));
                let Some((_, plain)) = self.sealed_row(&tenant, &row).await? else {
                    return Ok(None);
                };
                let key = session_key(tenant.id, id, &plain)?;
                secrets.sessions.keep(key.clone());
                key
            }
        };
        let sealed = reader.rest();
        let Ok(plain) = seal::open_value(&*key.key, &context(tenant.id, &id), sealed) else {
            return Ok(None);
        };
        Ok(Session::decode(&plain)
            .ok()
            .map(|session| (tenant, session)))
    }

    /// The key that seals new tokens; made when there is none, or when it is too old.
    async fn sealing_key(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
    ) -> Result<SessionKey, VaultError> {
        let now = self.host.now();
        let fresh =
            |key: &SessionKey| key.tenant == tenant.id && key.created.plus(KEY_AGE_MS_MAX) > now;
        if let Some(key) = secrets.sessions.find(fresh) {
            return Ok(key);
        }
        let prefix = identity::prefix(tenant.id, Sort::SessionKey);
        let range = KeyRange::prefix(&prefix);
        for (row_key, _) in self
            .engine
            .scan(range, SCAN_ROWS_MAX, Order::Ascending)
            .await?
        {
            let Some((_, plain)) = self.sealed_row(tenant, &row_key).await? else {
                continue;
            };
            let id = row_key
                .get(prefix.len()..prefix.len() + 16)
                .and_then(|id| id.try_into().ok())
                .ok_or(WireError::Short)?;
            secrets.sessions.keep(session_key(tenant.id, id, &plain)?);
        }
        if let Some(key) = secrets.sessions.find(fresh) {
            return Ok(key);
        }
        let (id, bytes) = (
            self.host.random::<16>(),
            Zeroizing::new(self.host.random::<32>()),
        );
        let plain = Zeroizing::new(Writer::versioned(VERSION).u64(now.0).raw(&*bytes).finish());
        let row = identity::key(tenant.id, Sort::SessionKey, &padded(&id));
        let mut fields = self.fields(Kind::Admin);
        fields.operation = Some("SessionKeyAdd".into());
        fields.tenant = Some(tenant.id);
        fields.resource = Some(words::hex::encode(&id));
        let entry = self.entry_for(tenant, &fields);
        let put = self.sealed_put(tenant, row.clone(), &plain);
        self.commit_act(vec![Precondition::Absent(row)], put, entry)
            .await?;
        let key = session_key(tenant.id, id, &plain)?;
        secrets.sessions.keep(key.clone());
        Ok(key)
    }
}

fn session_key(tenant: TenantId, id: [u8; 16], plain: &[u8]) -> Result<SessionKey, WireError> {
    let (_, mut reader) = Reader::versioned(plain, VERSION)?;
    let created = UnixMillis(reader.u64()?);
    let key = Arc::new(Key::from_bytes(reader.array()?));
    reader.finish()?;
    Ok(SessionKey {
        tenant,
        id,
        created,
        key,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_round_trip() {
        let session = Session {
            access_key: AccessKeyId::parse("CLSX").unwrap(),
            secret: Zeroizing::new("secret".into()),
            role: "reader".into(),
            name: "anna".into(),
            issued: UnixMillis(1),
            expires: UnixMillis(2),
            parent: "CLRX".into(),
            claims: Claims {
                issuer: Some("https://idp".into()),
                subject: Some("anna".into()),
                audience: None,
                groups: vec!["red".into()],
                tags: vec![("x509Subject/CN".into(), "Anna".into())],
                anchor: None,
            },
            policy: "{}".into(),
            bearer: Some(Bearing {
                anchor: "cards".into(),
                made: UnixMillis(3),
                issuer: [7; 32],
                serial: vec![0, 200],
            }),
        };
        let bytes = session.encode();
        assert!(Session::decode(&bytes).unwrap() == session);
        for end in 0..bytes.len() {
            assert!(Session::decode(&bytes[..end]).is_err());
        }
    }
}
