//! The acts: for each verb that a node carries out, the rows that change and what its entry says. Everything is
//! looked at here before anything is written; what cannot be done is refused, and the request stays as it is.

use super::glass::Opened;
use super::ordered::{ORDERED, Ordered};
use super::papers::Bench;
use super::{JointError, Law};
use crate::Vault;
use crate::admin::{NewAccessKey, TENANTS_MAX, TenantInfo};
use crate::error::VaultError;
use crate::record::access_key::{self, AccessKeyRow, Body};
use crate::record::joint as record;
use crate::record::tenant::{self, TenantRow};
use crate::secrets::{Secrets, Tenant};
use catalog::{Mutation, Precondition};
use charter::approval::{Request, Resolution, Stamp};
use charter::law::Jurisdiction;
use ledger::Kind;
use std::sync::Arc;
use words::{AccessKeyId, SiteId, TenantId, TenantName, UnixMillis};
use zeroize::Zeroizing;

/// The verbs that a node carries out.
pub const CARRIED_OUT: [&str; 16] = [
    "seal",
    "key-suspend",
    "tenant-suspend",
    "lease-revoke",
    "tenant-add",
    "key-add",
    "key-resume",
    "tenant-resume",
    "lease-grant",
    "amend-charter",
    "break-glass-read",
    "subject-erase",
    "re-key-root",
    "re-key-site",
    "re-key-bucket",
    "re-key-tenant",
];

/// One act, ready to be committed.
pub(super) struct Act {
    pub kind: Kind,
    pub operation: &'static str,
    pub resource: String,
    pub tenant: Option<TenantId>,
    /// A tenant that gets an entry of its own.
    pub told: Option<Arc<Tenant>>,
    pub digest: Option<[u8; 32]>,
    pub purpose: Option<&'static str>,
    pub preconditions: Vec<Precondition>,
    pub mutations: Vec<Mutation>,
    pub then: Then,
}

/// What follows when it is durable.
pub(super) enum Then {
    Nothing,
    Seal,
    KeyChanged(AccessKeyId, TenantId),
    TenantChanged(TenantId),
    Made {
        key: NewAccessKey,
        expires: Option<UnixMillis>,
    },
    Glass(Opened),
    Amended {
        law: Law,
        paper: String,
    },
    Ordered(Ordered),
}

impl Act {
    pub fn new(operation: &'static str, resource: impl Into<String>) -> Self {
        Self {
            kind: Kind::Admin,
            operation,
            resource: resource.into(),
            tenant: None,
            told: None,
            digest: None,
            purpose: None,
            preconditions: Vec::new(),
            mutations: Vec::new(),
            then: Then::Nothing,
        }
    }
}

/// A parameter that the verb must have.
pub(super) fn needed<'r>(request: &'r Request, name: &str) -> Result<&'r str, JointError> {
    request
        .parameter(name)
        .ok_or_else(|| JointError::act("usage", format!("the request lacks {name}")))
}

impl Vault {
    /// What the resolution orders.
    pub(super) async fn act_of(
        &self,
        secrets: &Secrets,
        bench: &Bench,
        resolution: &Resolution,
        paper: Option<&str>,
    ) -> Result<Act, JointError> {
        let request = resolution.request();
        match request.verb().name {
            "seal" => self.seal_act(request),
            "key-suspend" => self.key_act(secrets, request, true).await,
            "key-resume" => self.key_act(secrets, request, false).await,
            "tenant-suspend" => self.tenant_act(secrets, request, true).await,
            "tenant-resume" => self.tenant_act(secrets, request, false).await,
            "tenant-add" => self.tenant_add_act(secrets, bench, request).await,
            "key-add" => self.key_add_act(secrets, request).await,
            "lease-grant" | "lease-revoke" => self.lease_act(secrets, request).await,
            "amend-charter" => self.amend_act(bench, request, paper),
            "break-glass-read" => self.glass_act(secrets, bench, request).await,
            name if ORDERED.contains(&name) => self.ordered_act(request),
            other => Err(JointError::act(
                "not-carried-out",
                format!(
                    "this version of the node does not carry out {other}; nothing was done, and the request stays as it is. It carries out: {}",
                    CARRIED_OUT.join(", ")
                ),
            )),
        }
    }

    fn seal_act(&self, request: &Request) -> Result<Act, JointError> {
        let here = &self.config.node;
        if let Some(node) = request.parameter("node").filter(|node| node != here) {
            return Err(JointError::act(
                "other-node",
                format!("the request is about the node {node}, this is {here}; hand it in there"),
            ));
        }
        Ok(Act {
            kind: Kind::Seal,
            then: Then::Seal,
            ..Act::new("Seal", here.as_str())
        })
    }

    async fn key_act(
        &self,
        secrets: &Secrets,
        request: &Request,
        suspended: bool,
    ) -> Result<Act, JointError> {
        let name = needed(request, "access-key")?;
        let none = || VaultError::NoSuchAccessKey(name.to_owned());
        let id = AccessKeyId::parse(name).map_err(|_| none())?;
        let key = access_key::key(&id);
        let row = self.engine.get(&key).await?.ok_or_else(none)?;
        let old = AccessKeyRow::decode(&row.value)?;
        let tenant = self.tenant(secrets, old.tenant).await?;
        let body = match Self::open_key(&tenant, &id, &old) {
            Ok(body) => body,
            // Closing must not fail because the row was damaged; opening must.
            Err(error) if !suspended => return Err(error.into()),
            Err(_) => Body {
                secret: Zeroizing::default(),
                identity: String::new(),
                maker: String::new(),
                documents: Vec::new(),
            },
        };
        let changed = AccessKeyRow::new(old.tenant, old.created, old.expires, suspended);
        let stopped = self.seal_key(&tenant, &id, changed, &body);
        let operation = if suspended { "KeySuspend" } else { "KeyResume" };
        Ok(Act {
            tenant: Some(stopped.tenant),
            preconditions: vec![Precondition::Version(key.clone(), row.version)],
            mutations: vec![Mutation::Put {
                key,
                value: stopped.encode().into(),
            }],
            then: Then::KeyChanged(id, old.tenant),
            ..Act::new(operation, name)
        })
    }

    /// A loan begins or ends: what the host asks is answered from then on, or no more.
    async fn lease_act(&self, secrets: &Secrets, request: &Request) -> Result<Act, JointError> {
        let loan = needed(request, "loan")?;
        let (operation, seconds) = match request.verb().name {
            "lease-grant" => {
                let minutes = needed(request, "minutes")?.parse().ok();
                let minutes: u32 = minutes.filter(|n| (1..=15).contains(n)).ok_or_else(|| {
                    JointError::act("usage", "minutes must be 1 to 15; nothing was done")
                })?;
                ("LendGrant", Some(minutes * 60))
            }
            _ => ("LendRecall", None),
        };
        let (tenant, stands, put, bucket) = self.loan_act(secrets, loan, seconds).await?;
        Ok(Act {
            tenant: Some(tenant.id),
            told: Some(tenant),
            preconditions: vec![stands],
            mutations: vec![put],
            ..Act::new(operation, format!("loan {loan}, bucket {bucket}"))
        })
    }

    pub(super) async fn tenant_called(&self, name: &str) -> Result<TenantInfo, JointError> {
        let found =
            (self.tenant_list().await?.into_iter()).find(|tenant| tenant.name.to_string() == name);
        found.ok_or_else(|| VaultError::NoSuchTenant(name.to_owned()).into())
    }

    async fn tenant_act(
        &self,
        secrets: &Secrets,
        request: &Request,
        suspended: bool,
    ) -> Result<Act, JointError> {
        let name = needed(request, "tenant")?;
        let info = self.tenant_called(name).await?;
        let key = tenant::key(info.id);
        let row = self.engine.get(&key).await?;
        let row = row.ok_or_else(|| VaultError::NoSuchTenant(name.to_owned()))?;
        let old = TenantRow::decode(&row.value)?;
        let sites = secrets.site_keys.now();
        let opened = sites.open_tenant(info.id, row.version, &old);
        let mut tenant = self.unless_altered(secrets, &key, opened).await?;
        tenant.suspended = suspended;
        let changed = sites.tenant_row(&self.host, &tenant, old.name, old.created)?;
        let operation = if suspended {
            "TenantSuspend"
        } else {
            "TenantResume"
        };
        Ok(Act {
            tenant: Some(info.id),
            preconditions: vec![
                Precondition::Version(key.clone(), row.version),
                sites.stand(),
            ],
            mutations: vec![Mutation::Put {
                key,
                value: changed.encode().into(),
            }],
            then: Then::TenantChanged(info.id),
            ..Act::new(operation, name)
        })
    }

    /// What is kept of a tenant and of its credentials is read again.
    pub(super) async fn tenant_changed(
        &self,
        secrets: &Secrets,
        tenant: TenantId,
    ) -> Result<(), VaultError> {
        if let Ok(mut all) = secrets.tenants.write() {
            all.remove(&tenant);
        }
        let known: Vec<AccessKeyId> = (secrets.known.iter())
            .filter(|(_, known)| known.credential.tenant == tenant)
            .map(|(id, _)| id)
            .collect();
        for id in known {
            Self::forget_key(secrets, &id, tenant);
            // Loaded again, so that writes under way find it when they settle.
            self.known(secrets, &id).await?;
        }
        Ok(())
    }

    async fn tenant_add_act(
        &self,
        secrets: &Secrets,
        bench: &Bench,
        request: &Request,
    ) -> Result<Act, JointError> {
        let name = TenantName::parse(needed(request, "tenant")?)
            .map_err(|e| JointError::act("usage", e.to_string()))?;
        let all = self.tenant_list().await?;
        if all.iter().any(|tenant| tenant.name == name) {
            return Err(VaultError::Exists(format!("a tenant named {name}")).into());
        }
        if all.len() >= TENANTS_MAX {
            let why = format!("the cloud has {TENANTS_MAX} tenants, the most there may be");
            return Err(VaultError::Limit(why).into());
        }
        let id = TenantId::from_bytes(self.host.random());
        let sites = secrets.site_keys.now();
        let row = self.new_tenant(&sites, id, name)?;
        let mut mutations = vec![Mutation::Put {
            key: tenant::key(id),
            value: row.encode().into(),
        }];
        if let Some(labels) = request.parameter("jurisdictions") {
            let labels = places(&bench.law, labels)?;
            mutations.push(Mutation::Put {
                key: record::places_key(id),
                value: record::encode_places(&labels).into(),
            });
        }
        Ok(Act {
            tenant: Some(id),
            preconditions: vec![Precondition::Absent(tenant::key(id)), sites.stand()],
            mutations,
            ..Act::new("TenantAdd", row.name.to_string())
        })
    }

    async fn key_add_act(&self, secrets: &Secrets, request: &Request) -> Result<Act, JointError> {
        let info = self.tenant_called(needed(request, "tenant")?).await?;
        let expires = match request.parameter("expires") {
            None => None,
            Some(text) => {
                let at = Stamp::parse(text).map(|at| UnixMillis(at.seconds() * 1000));
                let at = at.filter(|at| *at > self.host.now()).ok_or_else(|| {
                    JointError::act(
                        "usage",
                        format!("expires={text} is no time to come, such as 2027-01-31T12:00:00Z"),
                    )
                })?;
                Some(at)
            }
        };
        let tenant = self.tenant(secrets, info.id).await?;
        let (made, row) = self.new_credential(&tenant, expires)?;
        let key = access_key::key(&made.id);
        Ok(Act {
            tenant: Some(info.id),
            preconditions: vec![Precondition::Absent(key.clone())],
            mutations: vec![Mutation::Put {
                key,
                value: row.encode().into(),
            }],
            then: Then::Made { key: made, expires },
            ..Act::new("KeyAdd", row_name(&info, expires))
        })
    }
}

fn row_name(info: &TenantInfo, expires: Option<UnixMillis>) -> String {
    match expires {
        None => info.name.to_string(),
        Some(at) => format!("{} until {}", info.name, Stamp::from_millis(at)),
    }
}

/// The labels of a tenant's list. They must be the charter's, and the tenant's data must be allowed to lie at
/// both sites, since it always does.
fn places(law: &Law, text: &str) -> Result<Vec<String>, JointError> {
    let Some(terms) = law.charter().terms() else {
        return Ok(Vec::new());
    };
    let known = terms.jurisdictions();
    let mut labels = Vec::new();
    for word in text.split(',').map(str::trim) {
        let label = Jurisdiction::parse(word).filter(|label| known.allows(label));
        let label = label.ok_or_else(|| {
            let allowed: Vec<&str> = known.allowed.iter().map(Jurisdiction::as_str).collect();
            JointError::act(
                "abroad",
                format!(
                    "{word:?} is not a jurisdiction of this charter; it allows {}; nothing was done",
                    allowed.join(", ")
                ),
            )
        })?;
        if !labels.iter().any(|known| known == label.as_str()) {
            labels.push(label.as_str().to_owned());
        }
    }
    for site in SiteId::BOTH {
        let lies = known.site(site);
        if !labels.iter().any(|label| label == lies.as_str()) {
            return Err(JointError::act(
                "abroad",
                format!(
                    "the tenant's data would lie at {site} too, which is in {lies}, outside of {}; nothing was done",
                    labels.join(", ")
                ),
            ));
        }
    }
    Ok(labels)
}
