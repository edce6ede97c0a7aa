//! Identities and policies, as the control socket asks for them.

use crate::control::{Failure, Identity};
use crate::node::Node;
use serde_json::{Value, json};
use vault::NewIdentity;
use words::TenantName;

/// A role's longest session, if nothing is said.
const SESSION_SECONDS: u32 = 3600;

fn named(tenant: &str) -> Result<TenantName, Failure> {
    TenantName::parse(tenant).map_err(|e| Failure::new("usage", e))
}

fn shown(one: vault::IdentityInfo) -> Value {
    json!({
        "name": one.name,
        "sort": one.sort,
        "created_unix_ms": one.created.0,
        "suspended": one.suspended,
        "maker": one.maker,
        "policies": one.documents,
        "trust": one.trust,
    })
}

/// What an identity of this sort is: whether a role.
fn is_role(sort: &str) -> Result<bool, Failure> {
    match sort {
        "person" | "workload" => Ok(false),
        "role" => Ok(true),
        other => Err(Failure::new(
            "usage",
            format!("{other:?} is neither person, workload nor role"),
        )),
    }
}

impl Node {
    /// Does what is asked.
    pub(crate) async fn identity(&self, asked: Identity) -> Result<Value, Failure> {
        let vault = &self.rooms.vault;
        match asked {
            Identity::Add {
                tenant,
                sort,
                name,
                policy,
                trust,
                session_seconds_max,
            } => {
                let role = is_role(&sort)?;
                let new = NewIdentity {
                    name: name.clone(),
                    workload: sort == "workload",
                    policy,
                    trust,
                    session_seconds_max: session_seconds_max.unwrap_or(SESSION_SECONDS),
                };
                vault.identity_add(&named(&tenant)?, role, new).await?;
                Ok(json!({ "tenant": tenant, "sort": sort, "name": name }))
            }
            Identity::Policy {
                tenant,
                role,
                name,
                policy,
            } => {
                vault
                    .identity_policy(&named(&tenant)?, role, &name, policy)
                    .await?;
                Ok(json!({ "tenant": tenant, "name": name }))
            }
            Identity::Suspend { tenant, role, name } => {
                vault
                    .identity_suspend(&named(&tenant)?, role, &name)
                    .await?;
                Ok(json!({ "tenant": tenant, "name": name, "suspended": true }))
            }
            Identity::List { tenant } => {
                let all = vault.identity_list(&named(&tenant)?).await?;
                let shown: Vec<Value> = all.into_iter().map(shown).collect();
                Ok(json!({ "tenant": tenant, "identities": shown }))
            }
            Identity::Provider {
                tenant,
                issuer,
                audiences,
                keys,
            } => {
                vault
                    .provider_set(&named(&tenant)?, issuer.clone(), audiences, keys)
                    .await?;
                Ok(json!({ "tenant": tenant, "name": issuer }))
            }
            Identity::Table { tenant } => {
                let only = tenant.as_deref().map(named).transpose()?;
                let text = vault.policy_table(only.as_ref()).await?;
                Ok(json!({ "table": text }))
            }
        }
    }
}
