//! People, workloads and roles of a tenant, and their credentials. The operator makes them from the control
//! socket; a tenant's own administrators make them for their tenant, and whatever they make carries their own
//! documents with it, so that it can never do what they may not.

use crate::Vault;
use crate::admin::NewAccessKey;
use crate::entries::Who;
use crate::error::VaultError;
use crate::record::access_key::{self, AccessKeyRow, Body};
use crate::record::identity::{self, DOCUMENTS_MAX, IdentityRow, NAME_BYTES_MAX, Sort};
use crate::secrets::{Known, Secrets, Tenant};
use crate::standing::hashed;
use catalog::{Commit, KeyRange, Mutation, Order, Outcome, Precondition};
use ledger::{Entry, Fields, Kind};
use policy::Compiled;
use policy::document::Kind as For;
use std::sync::Arc;
use words::limits::SCAN_ROWS_MAX;
use words::{AccessKeyId, OpId, TenantName, UnixMillis};

/// All documents of one identity or credential together, in bytes.
const DOCUMENTS_BYTES_MAX: usize = 40 * 1024;
/// Shortest and longest session that a role can allow, in seconds.
pub(crate) const SESSION_SECONDS: std::ops::RangeInclusive<u32> = 900..=43_200;

/// What is asked for a new credential.
#[derive(Debug, Clone, Default)]
pub struct KeyAsked {
    /// The person or workload it is for; the whole tenant, if absent.
    pub identity: Option<String>,
    /// A policy document that narrows it.
    pub policy: Option<String>,
    /// When it ends; never, if absent.
    pub expires: Option<UnixMillis>,
}

/// A new person, workload or role.
#[derive(Debug, Clone)]
pub struct NewIdentity {
    /// Its name: 1 to 64 of a-z, A-Z, 0-9, `-`, `_` and `.`.
    pub name: String,
    /// Whether it is a machine's.
    pub workload: bool,
    /// What it may do; nothing, if absent.
    pub policy: Option<String>,
    /// For a role: who may become it.
    pub trust: Option<String>,
    /// For a role: its longest session in seconds, 900 to 43,200.
    pub session_seconds_max: u32,
}

/// An identity as administrators see it.
#[derive(Debug, Clone)]
pub struct IdentityInfo {
    /// Its name.
    pub name: String,
    /// `person`, `workload` or `role`.
    pub sort: &'static str,
    /// When it was made.
    pub created: UnixMillis,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Who made it; empty for the operator.
    pub maker: String,
    /// Its documents, all of which have to allow.
    pub documents: Vec<String>,
    /// A role's trust policy.
    pub trust: String,
}

/// Who makes something, and what therefore binds it.
pub(crate) enum Maker<'a> {
    /// Whoever may open the control socket.
    Operator(&'a Secrets),
    /// An administrator of the tenant.
    Holder {
        /// Who it is.
        who: &'a Who,
        /// The documents that narrow the administrator.
        texts: &'a [String],
        /// When the administrator's credential ends.
        ends: Option<UnixMillis>,
    },
}

impl<'a> Maker<'a> {
    /// A caller with what binds it.
    pub fn of(who: &'a Who, known: &'a Known) -> Self {
        Self::Holder {
            who,
            texts: &known.holder.texts,
            ends: known.credential.not_after,
        }
    }
    fn name(&self) -> String {
        match self {
            Self::Operator(_) => String::new(),
            Self::Holder { who, .. } => who.access_key.clone(),
        }
    }
    /// What is made carries the maker's documents beside its own.
    fn bound(&self, own: Option<String>) -> Vec<String> {
        let mut all: Vec<String> = own.into_iter().collect();
        if let Self::Holder { texts, .. } = self {
            for text in *texts {
                if !all.contains(text) {
                    all.push(text.clone());
                }
            }
        }
        all
    }
}

impl Vault {
    pub(crate) async fn tenant_named(
        &self,
        secrets: &Secrets,
        name: &TenantName,
    ) -> Result<Arc<Tenant>, VaultError> {
        let all = self.tenant_list().await?;
        let info = all.into_iter().find(|tenant| tenant.name == *name);
        let info = info.ok_or_else(|| VaultError::NoSuchTenant(name.to_string()))?;
        self.tenant(secrets, info.id).await
    }

    /// Draws a credential of the tenant's own, and its row.
    pub(crate) fn new_credential(
        &self,
        tenant: &Tenant,
        expires: Option<UnixMillis>,
    ) -> Result<(NewAccessKey, AccessKeyRow), VaultError> {
        let (id, secret) = self.draw_key("CLR")?;
        let body = Body {
            secret: secret.clone(),
            identity: String::new(),
            maker: String::new(),
            documents: Vec::new(),
        };
        let row = AccessKeyRow::new(tenant.id, self.host.now(), expires, false);
        let row = self.seal_key(tenant, &id, row, &body);
        let made = NewAccessKey {
            id,
            secret,
            tenant: tenant.id,
        };
        Ok((made, row))
    }

    /// Makes a credential of a tenant, for the operator.
    pub async fn key_make(
        &self,
        tenant: &TenantName,
        asked: KeyAsked,
    ) -> Result<NewAccessKey, VaultError> {
        self.refuse_plain("key-add")?;
        let secrets = self.secrets()?;
        let tenant = self.tenant_named(&secrets, tenant).await?;
        self.make_key(&tenant, asked, &Maker::Operator(&secrets))
            .await
    }

    pub(crate) async fn make_key(
        &self,
        tenant: &Tenant,
        asked: KeyAsked,
        maker: &Maker<'_>,
    ) -> Result<NewAccessKey, VaultError> {
        if let Some(policy) = &asked.policy {
            Compiled::check(policy, For::Identity, tenant.id)?;
        }
        let identity = asked.identity.unwrap_or_default();
        if !identity.is_empty()
            && self
                .identity(tenant, Sort::User, &identity)
                .await?
                .is_none()
        {
            return Err(VaultError::NoSuchIdentity(format!("user {identity}")));
        }
        let expires = match maker {
            Maker::Holder {
                ends: Some(ends), ..
            } => Some(asked.expires.map_or(*ends, |asked| asked.min(*ends))),
            _ => asked.expires,
        };
        let (id, secret) = self.draw_key("CLR")?;
        let body = Body {
            secret: secret.clone(),
            identity,
            maker: maker.name(),
            documents: fitting(maker.bound(asked.policy))?,
        };
        let row = AccessKeyRow::new(tenant.id, self.host.now(), expires, false);
        let row = self.seal_key(tenant, &id, row, &body);
        let key = access_key::key(&id);
        let entry = self.made(tenant, maker, "KeyAdd", id.as_str());
        let put = Mutation::Put {
            key: key.clone(),
            value: row.encode().into(),
        };
        self.commit_act(vec![Precondition::Absent(key)], put, entry)
            .await?;
        Ok(NewAccessKey {
            id,
            secret,
            tenant: tenant.id,
        })
    }

    /// A credential's row with its sealed part bound to the rest.
    pub(crate) fn seal_key(
        &self,
        tenant: &Tenant,
        id: &AccessKeyId,
        row: AccessKeyRow,
        body: &Body,
    ) -> AccessKeyRow {
        let context = row.context(id);
        let sealed_secret = seal::seal_value(
            &tenant.meta_key,
            &context,
            self.host.random(),
            &body.encode(),
        );
        AccessKeyRow {
            sealed_secret,
            ..row
        }
    }

    /// Adds a person, a workload or a role, for the operator.
    pub async fn identity_add(
        &self,
        tenant: &TenantName,
        role: bool,
        new: NewIdentity,
    ) -> Result<(), VaultError> {
        let secrets = self.secrets()?;
        let tenant = self.tenant_named(&secrets, tenant).await?;
        self.make_identity(&tenant, role, new, &Maker::Operator(&secrets))
            .await
    }

    pub(crate) async fn make_identity(
        &self,
        tenant: &Tenant,
        role: bool,
        new: NewIdentity,
        maker: &Maker<'_>,
    ) -> Result<(), VaultError> {
        let sort = if role { Sort::Role } else { Sort::User };
        checked_name(&new.name)?;
        if let Some(policy) = &new.policy {
            Compiled::check(policy, For::Identity, tenant.id)?;
        }
        if role {
            let trust = new.trust.as_deref().unwrap_or_default();
            Compiled::check(trust, For::Trust, tenant.id)?;
            if !SESSION_SECONDS.contains(&new.session_seconds_max) {
                return Err(VaultError::Usage(format!(
                    "a role's longest session is {} to {} seconds",
                    SESSION_SECONDS.start(),
                    SESSION_SECONDS.end()
                )));
            }
        }
        let row = IdentityRow {
            name: new.name,
            created: self.host.now(),
            suspended: false,
            workload: new.workload,
            maker: maker.name(),
            // Without a policy of its own it may nothing, so there is nothing to bind yet.
            documents: match new.policy {
                Some(policy) => fitting(maker.bound(Some(policy)))?,
                None => Vec::new(),
            },
            trust: new.trust.filter(|_| role).unwrap_or_default(),
            session_seconds_max: new.session_seconds_max,
        };
        let key = identity::key(tenant.id, sort, &hashed(tenant, sort, &row.name));
        let operation = if role { "CreateRole" } else { "CreateUser" };
        let entry = self.made(tenant, maker, operation, &row.name);
        let put = self.sealed_put(tenant, key.clone(), &row.encode());
        match self
            .commit_act(vec![Precondition::Absent(key)], put, entry)
            .await
        {
            Err(VaultError::Conflict) => Err(VaultError::Exists(format!("{:?}", row.name))),
            done => done,
        }
    }

    /// Sets what an identity may do, for the operator.
    pub async fn identity_policy(
        &self,
        tenant: &TenantName,
        role: bool,
        name: &str,
        policy: String,
    ) -> Result<(), VaultError> {
        let secrets = self.secrets()?;
        let tenant = self.tenant_named(&secrets, tenant).await?;
        let maker = Maker::Operator(&secrets);
        self.set_policy(&secrets, &tenant, role, name, policy, &maker)
            .await
    }

    pub(crate) async fn set_policy(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
        role: bool,
        name: &str,
        policy: String,
        maker: &Maker<'_>,
    ) -> Result<(), VaultError> {
        Compiled::check(&policy, For::Identity, tenant.id)?;
        let documents = fitting(maker.bound(Some(policy)))?;
        let operation = if role {
            "PutRolePolicy"
        } else {
            "PutUserPolicy"
        };
        let change = |row: &mut IdentityRow| row.documents = documents;
        self.change_identity(secrets, tenant, role, name, operation, maker, change)
            .await
    }

    /// Stops an identity with all its credentials and sessions, for the operator.
    pub async fn identity_suspend(
        &self,
        tenant: &TenantName,
        role: bool,
        name: &str,
    ) -> Result<(), VaultError> {
        let secrets = self.secrets()?;
        let tenant = self.tenant_named(&secrets, tenant).await?;
        let maker = Maker::Operator(&secrets);
        let change = |row: &mut IdentityRow| row.suspended = true;
        self.change_identity(
            &secrets,
            &tenant,
            role,
            name,
            "IdentitySuspend",
            &maker,
            change,
        )
        .await
    }

    #[allow(clippy::too_many_arguments)] // whose, which, how and by whom
    async fn change_identity(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
        role: bool,
        name: &str,
        operation: &str,
        maker: &Maker<'_>,
        change: impl FnOnce(&mut IdentityRow),
    ) -> Result<(), VaultError> {
        let sort = if role { Sort::Role } else { Sort::User };
        let Some((old, mut row)) = self.identity(tenant, sort, name).await? else {
            let what = if role { "role" } else { "user" };
            return Err(VaultError::NoSuchIdentity(format!("{what} {name}")));
        };
        change(&mut row);
        let key = identity::key(tenant.id, sort, &hashed(tenant, sort, name));
        let entry = self.made(tenant, maker, operation, name);
        let put = self.sealed_put(tenant, key.clone(), &row.encode());
        let holds = vec![Precondition::Version(key, old.version)];
        let done = self.commit_act(holds, put, entry).await;
        Self::forget_holders(secrets, tenant, role, name);
        done
    }

    /// Drops every loaded credential and session of an identity, and what was granted to it but is not
    /// committed yet.
    fn forget_holders(secrets: &Secrets, tenant: &Tenant, role: bool, name: &str) {
        secrets.judged.changed(|| {
            let its = |known: &Known| {
                let standing = &known.holder.standing;
                standing.tenant() == tenant.id
                    && match standing.principal() {
                        policy::Principal::User(user) => !role && user == name,
                        policy::Principal::Role(of, _) => role && of == name,
                        policy::Principal::Root
                        | policy::Principal::Web
                        | policy::Principal::Certificate => false,
                    }
            };
            let held: Vec<_> = secrets
                .known
                .iter()
                .filter(|(_, known)| its(known))
                .map(|(id, known)| (id, *known.holder.standing.digest()))
                .collect();
            for (id, digest) in held {
                secrets.known.remove(&id);
                secrets.judged.revoke(digest);
            }
            secrets.forget_sessions(tenant.id);
        });
    }

    /// The people, workloads and roles of a tenant, by name.
    pub async fn identity_list(
        &self,
        tenant: &TenantName,
    ) -> Result<Vec<IdentityInfo>, VaultError> {
        let secrets = self.secrets()?;
        let tenant = self.tenant_named(&secrets, tenant).await?;
        self.identities(&tenant).await
    }

    pub(crate) async fn identities(
        &self,
        tenant: &Tenant,
    ) -> Result<Vec<IdentityInfo>, VaultError> {
        let mut found = Vec::new();
        for sort in [Sort::User, Sort::Role] {
            let mut range = KeyRange::prefix(&identity::prefix(tenant.id, sort));
            loop {
                let page = self
                    .engine
                    .scan(range.clone(), SCAN_ROWS_MAX, Order::Ascending)
                    .await?;
                let more = page.len() == SCAN_ROWS_MAX;
                for (key, _) in page {
                    if let Some((_, plain)) = self.sealed_row(tenant, &key).await? {
                        found.push(shown(IdentityRow::decode(&plain)?, sort));
                    }
                    range = range.after(&key);
                }
                if !more {
                    break;
                }
            }
        }
        found.sort_by(|a, b| (a.sort, &a.name).cmp(&(b.sort, &b.name)));
        Ok(found)
    }

    /// The entry of an administrative act.
    pub(crate) fn made(
        &self,
        tenant: &Tenant,
        maker: &Maker<'_>,
        operation: &str,
        what: &str,
    ) -> Entry {
        let of = |mut fields: Fields| {
            fields.operation = Some(operation.to_owned());
            fields.tenant = Some(tenant.id);
            fields.resource = Some(what.to_owned());
            fields
        };
        match maker {
            Maker::Operator(secrets) => self.entry_of_cloud(secrets, &of(self.fields(Kind::Admin))),
            Maker::Holder { who, .. } => {
                self.entry_for(tenant, &of(self.fields_of(Kind::Admin, who, operation)))
            }
        }
    }

    /// Commits one row with its entry.
    pub(crate) async fn commit_act(
        &self,
        preconditions: Vec<Precondition>,
        mutation: Mutation,
        entry: Entry,
    ) -> Result<(), VaultError> {
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions,
            mutations: vec![mutation],
            entries: vec![entry],
        };
        match self.engine.commit(commit).await {
            Outcome::Committed(_) => Ok(()),
            other => Err(VaultError::from_outcome(other)),
        }
    }
}

fn shown(row: IdentityRow, sort: Sort) -> IdentityInfo {
    IdentityInfo {
        name: row.name,
        sort: match (sort, row.workload) {
            (Sort::Role, _) => "role",
            (_, true) => "workload",
            (_, false) => "person",
        },
        created: row.created,
        suspended: row.suspended,
        maker: row.maker,
        documents: row.documents,
        trust: row.trust,
    }
}

pub(crate) fn checked_name(name: &str) -> Result<(), VaultError> {
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c));
    if fits {
        return Ok(());
    }
    Err(VaultError::Usage(format!(
        "{:?} is no name of an identity: use 1 to {NAME_BYTES_MAX} of a-z, A-Z, 0-9, '-', '_' and '.'",
        name.chars().take(80).collect::<String>()
    )))
}

/// Documents that fit into one row.
fn fitting(documents: Vec<String>) -> Result<Vec<String>, VaultError> {
    let bytes: usize = documents.iter().map(String::len).sum();
    if documents.len() <= usize::from(DOCUMENTS_MAX) && bytes <= DOCUMENTS_BYTES_MAX {
        return Ok(documents);
    }
    Err(VaultError::Limit(format!(
        "the policies of this identity and of those that made it are too long together: at most \
         {DOCUMENTS_MAX} documents and {DOCUMENTS_BYTES_MAX} bytes"
    )))
}
