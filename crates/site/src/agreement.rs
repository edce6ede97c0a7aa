//! Agreements at the node: proposed, signed, begun, ended. What runs under one that ends is ended with it.

use crate::control::{AgreementAsked, Failure, SideAsked};
use crate::node::Node;
use agreement::Side;
use charter::approval::{Bearer, PublicFile};
use serde_json::{Value, json};
use vault::{AgreementFacts, AgreementStep, SignerOf};
use words::{TenantName, hex};

/// Longest name of a role.
const ROLE_CHARS_MAX: usize = 32;

impl Node {
    pub(crate) async fn agreement_asked(&self, asked: AgreementAsked) -> Result<Value, Failure> {
        let vault = &self.rooms.vault;
        let facts = match asked {
            AgreementAsked::Signers { tenant, signers } => {
                return self.agreement_signers(&tenant, signers).await;
            }
            AgreementAsked::List => {
                let all = vault.agreement_list().await?;
                let all: Vec<Value> = all.iter().map(shown).collect();
                return Ok(json!({ "agreements": all }));
            }
            AgreementAsked::Propose { document } => {
                let bytes = hex::decode(&document)
                    .ok_or_else(|| Failure::new("usage", "the document is not hexadecimal"))?;
                vault.agreement_propose(&bytes).await?
            }
            AgreementAsked::Sign { id, paper } => {
                vault.agreement_sign(&id, paper.as_bytes()).await?
            }
            AgreementAsked::Activate { id } => {
                let facts = vault.agreement_step(&id, AgreementStep::Activate).await?;
                if let Some(previous) = &facts.agreement.previous {
                    self.statements.end_agreement(&agreement::id_of(previous));
                }
                facts
            }
            AgreementAsked::Suspend { id, by } => {
                self.agreement_ends(&id, AgreementStep::Suspend(side(by)))
                    .await?
            }
            AgreementAsked::Revoke { id, by } => {
                self.agreement_ends(&id, AgreementStep::Revoke(side(by)))
                    .await?
            }
            AgreementAsked::Show { id } => vault.agreement(&id).await?,
        };
        Ok(shown(&facts))
    }

    async fn agreement_ends(
        &self,
        id: &str,
        step: AgreementStep,
    ) -> Result<AgreementFacts, Failure> {
        let facts = self.rooms.vault.agreement_step(id, step).await;
        // Whatever came of writing it down: what runs is ended first, and asked again if it was for nothing.
        self.statements.end_agreement(id);
        Ok(facts?)
    }

    async fn agreement_signers(
        &self,
        tenant: &str,
        signers: Vec<(String, String)>,
    ) -> Result<Value, Failure> {
        let usage = |why: String| Failure::new("usage", why);
        let name = TenantName::parse(tenant).map_err(|e| Failure::new("usage", e))?;
        let mut all = Vec::with_capacity(signers.len());
        for (role, text) in signers {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if role.is_empty() || role.len() > ROLE_CHARS_MAX || !role.chars().all(plain) {
                return Err(usage(format!(
                    "{role:?} is no role: use at most {ROLE_CHARS_MAX} of a-z, 0-9 and '-'"
                )));
            }
            let file = PublicFile::parse(text.as_bytes()).map_err(|e| usage(e.to_string()))?;
            let Bearer::Person(bearer) = file.bearer() else {
                return Err(usage(format!("{} is no person", file.bearer())));
            };
            if bearer.party.as_str() != tenant {
                return Err(usage(format!(
                    "the key is one of {bearer}, not of {tenant}"
                )));
            }
            all.push(SignerOf {
                role,
                person: bearer.name.to_string(),
                key: file.key().clone(),
            });
        }
        let shown: Vec<Value> = all
            .iter()
            .map(|signer| json!({ "role": signer.role, "person": signer.person, "key": signer.key.id().to_string() }))
            .collect();
        self.rooms.vault.agreement_signers(&name, all).await?;
        Ok(json!({ "tenant": tenant, "signers": shown }))
    }
}

const fn side(by: SideAsked) -> Side {
    match by {
        SideAsked::Provider => Side::Provider,
        SideAsked::Consumer => Side::Consumer,
    }
}

fn shown(facts: &AgreementFacts) -> Value {
    let signed: Vec<Value> = facts
        .signed
        .iter()
        .map(|(side, role, person)| {
            let side = match side {
                Side::Provider => "provider",
                Side::Consumer => "consumer",
            };
            json!({ "side": side, "role": role, "person": person })
        })
        .collect();
    let agreement = &facts.agreement;
    json!({
        "id": facts.id,
        "database": format!("agr_{}", facts.id),
        "state": facts.state.to_string(),
        "changed_unix_ms": facts.changed.0,
        "provider": agreement.provider,
        "consumer": agreement.consumer,
        "table": agreement.table.to_string(),
        "purpose": agreement.purpose,
        "legal_basis": agreement.legal_basis,
        "not_before_unix_ms": agreement.not_before.0,
        "not_after_unix_ms": agreement.not_after.0,
        "digest": hex::encode(&agreement.digest()),
        "document": hex::encode(&agreement.encode()),
        "signed": signed,
        "missing": facts.missing,
        "suspensions": facts.suspensions,
        "previous": agreement.previous.as_ref().map(|digest| hex::encode(digest)),
    })
}
