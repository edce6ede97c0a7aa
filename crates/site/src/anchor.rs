//! Trust anchors, as the control socket asks for them.

use crate::control::{Failure, TrustAnchor};
use crate::node::Node;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use vault::AnchorInfo;
use words::TenantName;

fn named(tenant: &str) -> Result<TenantName, Failure> {
    TenantName::parse(tenant).map_err(|e| Failure::new("usage", e))
}

fn file(text: &str) -> Result<Vec<u8>, Failure> {
    STANDARD
        .decode(text)
        .map_err(|_| Failure::new("usage", "a file did not come in base64"))
}

fn shown(tenant: &str, one: AnchorInfo) -> Value {
    let authority = |one: authn::x509::Authority| {
        json!({
            "subject": one.subject,
            "sha256": one.fingerprint,
            "not_before_unix_ms": one.not_before.0,
            "not_after_unix_ms": one.not_after.0,
        })
    };
    let list = |one: authn::x509::List| {
        json!({
            "issuer": one.issuer,
            "number": words::hex::encode(&one.number),
            "next_update_unix_ms": one.next_update.0,
            "revoked": one.revoked,
        })
    };
    json!({
        "tenant": tenant,
        "name": one.name,
        "arn": one.arn,
        "created_unix_ms": one.created.0,
        "authorities": one.authorities.into_iter().map(authority).collect::<Vec<_>>(),
        "revocation_lists": one.lists.into_iter().map(list).collect::<Vec<_>>(),
    })
}

impl Node {
    /// Does what is asked.
    pub(crate) async fn trust_anchor(&self, asked: TrustAnchor) -> Result<Value, Failure> {
        let vault = &self.rooms.vault;
        match asked {
            TrustAnchor::Add {
                tenant,
                name,
                certificates,
                lists,
            } => {
                let lists = lists
                    .iter()
                    .map(|text| file(text))
                    .collect::<Result<Vec<_>, _>>()?;
                let done = vault
                    .anchor_add(&named(&tenant)?, name, &file(&certificates)?, &lists)
                    .await?;
                Ok(shown(&tenant, done))
            }
            TrustAnchor::Revoked { tenant, name, list } => {
                let done = vault
                    .anchor_list(&named(&tenant)?, &name, &file(&list)?)
                    .await?;
                Ok(shown(&tenant, done))
            }
            TrustAnchor::List { tenant } => {
                let all = vault.anchors(&named(&tenant)?).await?;
                let all: Vec<Value> = all.into_iter().map(|one| shown(&tenant, one)).collect();
                Ok(json!({ "tenant": tenant, "trust_anchors": all }))
            }
            TrustAnchor::Remove { tenant, name } => {
                vault.anchor_remove(&named(&tenant)?, &name).await?;
                Ok(json!({ "tenant": tenant, "name": name, "removed": true }))
            }
        }
    }
}
