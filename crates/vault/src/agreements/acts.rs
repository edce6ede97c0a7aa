//! What is done with agreements: each step is checked, and is an entry to both sides before it counts.

use super::kept::{Kept, agreement_key, foreign_key, signers_key};
use crate::Vault;
use crate::error::VaultError;
use crate::record::agreement::{
    AgreementRow, DOCUMENT_BYTES_MAX, ForeignRow, SIGNERS_MAX, Signer, SignersRow,
};
use crate::secrets::{Secrets, Tenant};
use agreement::{Agreement, Side, State, Step, Word, id_of, next, satisfied};
use catalog::{Commit, Mutation, Outcome, Precondition};
use ledger::{Entry, Fields, Kind};
use sign::{Algorithm, PublicKey};
use std::sync::Arc;
use words::{OpId, TenantName, UnixMillis};

/// Somebody who may sign for a tenant.
#[derive(Clone, Debug)]
pub struct SignerOf {
    /// As what.
    pub role: String,
    /// Who.
    pub person: String,
    /// Their keys.
    pub key: PublicKey,
}

/// What is said of an agreement.
#[derive(Clone, Debug)]
pub struct AgreementFacts {
    /// Its id.
    pub id: String,
    /// The document.
    pub agreement: Agreement,
    /// How far it is.
    pub state: State,
    /// When that changed.
    pub changed: UnixMillis,
    /// Who signed: side, role, person.
    pub signed: Vec<(Side, String, String)>,
    /// What is still missing, in words: for it to begin, or to go on.
    pub missing: Vec<String>,
    /// How often it was suspended: a word that it goes on names the number.
    pub suspensions: u32,
}

impl Vault {
    /// Sets who may sign for a tenant.
    pub async fn agreement_signers(
        &self,
        tenant: &TenantName,
        signers: Vec<SignerOf>,
    ) -> Result<(), VaultError> {
        if signers.len() > SIGNERS_MAX {
            return Err(VaultError::Limit(format!(
                "at most {SIGNERS_MAX} persons sign for a tenant"
            )));
        }
        let secrets = self.secrets()?;
        let tenant = self.tenant_named(&secrets, tenant).await?;
        let row = SignersRow(
            signers
                .iter()
                .map(|signer| Signer {
                    role: signer.role.clone(),
                    person: signer.person.clone(),
                    ed25519: signer.key.bytes(Algorithm::Ed25519).to_vec(),
                    ml_dsa: signer.key.bytes(Algorithm::MlDsa65).to_vec(),
                })
                .collect(),
        );
        let mut fields = self.fields(Kind::Admin);
        fields.tenant = Some(tenant.id);
        fields.operation = Some("SetSigners".into());
        let names: Vec<String> = signers
            .iter()
            .map(|signer| format!("{} as {}", signer.person, signer.role))
            .collect();
        fields.resource = Some(names.join(", "));
        let mutation = self.sealed_put(&tenant, signers_key(&tenant), &row.encode());
        let entry = self.entry_for(&tenant, &fields);
        self.commit_act(Vec::new(), mutation, entry).await
    }

    /// Takes a document as a proposal to be signed.
    pub async fn agreement_propose(&self, document: &[u8]) -> Result<AgreementFacts, VaultError> {
        let agreement = readable(document)?;
        let secrets = self.secrets()?;
        let (provider, consumer) = self.sides_of(&secrets, &agreement).await?;
        let found = self.table(&provider, &agreement.table).await?;
        let (_, table) =
            found.ok_or_else(|| VaultError::NoSuchTable(agreement.table.to_string()))?;
        // Whether the columns, the rows and the rules fit the table is known now, and asked again for each statement.
        let any = || statement::terms::MaskKey([0; 32]);
        let usage = |error: agreement::AgreementError| VaultError::Usage(error.to_string());
        agreement
            .terms(&table.def, |_| any(), any())
            .map_err(usage)?;
        agreement.proposable_over(&table.def).map_err(usage)?;
        let first = self.first_of(&secrets, &provider, &agreement).await?;
        let id = agreement.id();
        let state = next(State::Draft, Step::Propose).map_err(no_step)?;
        let row = AgreementRow {
            document: document.to_vec(),
            provider: provider.id,
            consumer: consumer.id,
            state,
            changed: self.host.now(),
            signatures: Vec::new(),
            first,
            suspensions: 0,
            resumed: Vec::new(),
        };
        let foreign = ForeignRow {
            id: id.clone(),
            provider: provider.id,
        };
        let key = agreement_key(&provider, &id);
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: vec![Precondition::Absent(key.clone())],
            mutations: vec![
                self.sealed_put(&provider, key, &row.encode()),
                self.sealed_put(&consumer, foreign_key(&consumer, &id), &foreign.encode()),
            ],
            entries: self.of_both(
                &provider,
                &consumer,
                &agreement,
                &id,
                "ProposeAgreement",
                None,
            ),
        };
        match self.engine.commit(commit).await {
            Outcome::Committed(_) => {}
            Outcome::Conflict { .. } => {
                return Err(VaultError::Exists(format!("an agreement {id}")));
            }
            other => return Err(VaultError::from_outcome(other)),
        }
        self.agreement(&id).await
    }

    /// The two tenants that a document names.
    async fn sides_of(
        &self,
        secrets: &Secrets,
        agreement: &Agreement,
    ) -> Result<(Arc<Tenant>, Arc<Tenant>), VaultError> {
        let named = |name: &str| {
            TenantName::parse(name).map_err(|error| VaultError::Usage(error.to_string()))
        };
        let provider = named(&agreement.provider)?;
        let provider = self.tenant_named(secrets, &provider).await?;
        let consumer = named(&agreement.consumer)?;
        let consumer = self.tenant_named(secrets, &consumer).await?;
        if provider.id == consumer.id {
            return Err(VaultError::Usage(
                "an agreement is between two tenants".into(),
            ));
        }
        Ok((provider, consumer))
    }

    /// What is on record of an agreement.
    pub async fn agreement(&self, id: &str) -> Result<AgreementFacts, VaultError> {
        let secrets = self.secrets()?;
        let kept = self.found(&secrets, id).await?;
        self.facts(kept).await
    }

    /// All agreements, by provider.
    pub async fn agreement_list(&self) -> Result<Vec<AgreementFacts>, VaultError> {
        let secrets = self.secrets()?;
        let mut all = Vec::new();
        for info in self.tenant_list().await? {
            let consumer = self.tenant(&secrets, info.id).await?;
            for foreign in self.agreements_of(&consumer).await? {
                let provider = self.tenant(&secrets, foreign.provider).await?;
                if let Some(kept) = self.kept(&secrets, &provider, &foreign.id).await? {
                    all.push(self.facts(kept).await?);
                }
            }
        }
        Ok(all)
    }

    /// The digest of the first version of what is proposed.
    async fn first_of(
        &self,
        secrets: &Secrets,
        provider: &Arc<Tenant>,
        agreement: &Agreement,
    ) -> Result<[u8; 32], VaultError> {
        let Some(previous) = agreement.previous else {
            return Ok(agreement.digest());
        };
        let before = self.previous(secrets, provider, previous).await?;
        let same = before.agreement.consumer == agreement.consumer
            && before.agreement.table == agreement.table;
        match same {
            true => Ok(before.row.first),
            false => Err(VaultError::Usage(
                "a new version is between the same two and about the same table as the one before; propose it without previous".into(),
            )),
        }
    }

    /// The version whose digest another names as the one before it.
    pub(super) async fn previous(
        &self,
        secrets: &Secrets,
        provider: &Arc<Tenant>,
        digest: [u8; 32],
    ) -> Result<Kept, VaultError> {
        let kept = self.kept(secrets, provider, &id_of(&digest)).await?;
        kept.filter(|kept| kept.agreement.digest() == digest)
            .ok_or_else(|| {
                VaultError::Usage(format!(
                    "previous: this provider has no agreement with the digest {}",
                    words::hex::encode(&digest)
                ))
            })
    }

    async fn facts(&self, kept: Kept) -> Result<AgreementFacts, VaultError> {
        let signatures = self.signatures(&kept, &kept.row.signatures).await?;
        let (word, all) = match kept.row.state {
            State::Suspended => (
                Word::Resume(kept.row.suspensions),
                self.signatures(&kept, &kept.row.resumed).await?,
            ),
            _ => (Word::Agree, signatures.clone()),
        };
        let mut missing = Vec::new();
        for (side, tenant) in [
            (Side::Provider, &kept.provider),
            (Side::Consumer, &kept.consumer),
        ] {
            let roll = self.roll(tenant).await?;
            if let Err(what) = satisfied(&kept.agreement, word, side, &roll, &all) {
                missing.push(what.to_string());
            }
        }
        let over = kept.row.state == State::Active && kept.agreement.not_after <= self.host.now();
        Ok(AgreementFacts {
            id: kept.id,
            state: if over { State::Expired } else { kept.row.state },
            changed: kept.row.changed,
            suspensions: kept.row.suspensions,
            signed: signatures
                .into_iter()
                .map(|signed| (signed.side, signed.role, signed.person))
                .collect(),
            missing,
            agreement: kept.agreement,
        })
    }

    /// Writes how an agreement is now, with an entry to each side.
    pub(super) async fn agreement_changed(
        &self,
        kept: &Kept,
        row: AgreementRow,
        more: Vec<Mutation>,
        operation: &str,
        said: Option<String>,
    ) -> Result<(), VaultError> {
        let mut commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: Vec::new(),
            mutations: more,
            entries: Vec::new(),
        };
        self.changes(&mut commit, kept, row, operation, said);
        self.commit_agreement(commit).await
    }

    /// Adds to a commit how an agreement is now, with an entry to each side.
    pub(super) fn changes(
        &self,
        commit: &mut Commit,
        kept: &Kept,
        mut row: AgreementRow,
        operation: &str,
        said: Option<String>,
    ) {
        row.changed = self.host.now();
        let key = agreement_key(&kept.provider, &kept.id);
        let put = self.sealed_put(&kept.provider, key.clone(), &row.encode());
        commit.mutations.push(put);
        commit
            .preconditions
            .push(Precondition::Version(key, kept.at.version));
        commit.entries.extend(self.of_both(
            &kept.provider,
            &kept.consumer,
            &kept.agreement,
            &kept.id,
            operation,
            said,
        ));
    }

    pub(super) async fn commit_agreement(&self, commit: Commit) -> Result<(), VaultError> {
        match self.engine.commit(commit).await {
            Outcome::Committed(_) => Ok(()),
            other => Err(VaultError::from_outcome(other)),
        }
    }

    /// An entry to each side.
    fn of_both(
        &self,
        provider: &Arc<Tenant>,
        consumer: &Arc<Tenant>,
        agreement: &Agreement,
        id: &str,
        operation: &str,
        said: Option<String>,
    ) -> Vec<Entry> {
        let mut fields: Fields = self.fields(Kind::Admin);
        fields.operation = Some(operation.to_owned());
        fields.resource = Some(agreement.table.to_string());
        fields.agreement = Some(id.to_owned());
        fields.provider = Some(agreement.provider.clone());
        fields.consumer = Some(agreement.consumer.clone());
        fields.purpose = Some(agreement.purpose.clone());
        fields.legal_basis = Some(agreement.legal_basis.join(" "));
        fields.response_digest = Some(agreement.digest());
        fields.reason = said;
        fields.decision = Some("permit".into());
        let mut entry = |tenant: &Arc<Tenant>| {
            fields.tenant = Some(tenant.id);
            self.entry_for(tenant, &fields)
        };
        vec![entry(provider), entry(consumer)]
    }
}

/// A document that may be proposed.
fn readable(document: &[u8]) -> Result<Agreement, VaultError> {
    if document.len() > DOCUMENT_BYTES_MAX {
        return Err(VaultError::Limit(format!(
            "an agreement has at most {DOCUMENT_BYTES_MAX} bytes"
        )));
    }
    let agreement =
        Agreement::decode(document).map_err(|error| VaultError::Usage(error.to_string()))?;
    agreement
        .proposable()
        .map_err(|error| VaultError::Usage(error.to_string()))?;
    Ok(agreement)
}

pub(super) fn no_step(error: agreement::NoSuchStep) -> VaultError {
    VaultError::Basis(error.to_string())
}
