//! Agreements as they lie in the catalog.

use crate::Vault;
use crate::error::VaultError;
use crate::record::agreement::{
    AgreementRow, ForeignRow, SIGNATURE_BYTES_MAX, SignatureAt, SignersRow,
};
use crate::record::identity::{self, Sort};
use crate::secrets::{Secrets, Tenant};
use crate::standing::hashed;
use agreement::{Agreement, Roll, RollEntry, Side, Signed, Word};
use catalog::{KeyRange, Order, Row};
use sign::PublicKey;
use std::sync::Arc;
use words::limits::SCAN_ROWS_MAX;

/// An agreement with all that is on record of it.
pub struct Kept {
    pub id: String,
    pub provider: Arc<Tenant>,
    pub consumer: Arc<Tenant>,
    pub agreement: Agreement,
    pub row: AgreementRow,
    pub at: Row,
}

pub fn agreement_key(provider: &Tenant, id: &str) -> Vec<u8> {
    identity::key(
        provider.id,
        Sort::Agreement,
        &hashed(provider, Sort::Agreement, id),
    )
}

pub fn foreign_key(consumer: &Tenant, id: &str) -> Vec<u8> {
    let hash = hashed(consumer, Sort::ForeignAgreement, id);
    identity::key(consumer.id, Sort::ForeignAgreement, &hash)
}

pub fn signers_key(tenant: &Tenant) -> Vec<u8> {
    identity::key(tenant.id, Sort::Signers, &[0; 32])
}

/// The 32 bytes of a signature's row.
pub fn signature_at(provider: &Tenant, id: &str, signed: &Signed) -> [u8; 32] {
    let side = match signed.side {
        Side::Provider => "provider",
        Side::Consumer => "consumer",
    };
    let what = match signed.word {
        Word::Agree => format!("{id}\0{side}\0{}", signed.person),
        Word::Resume(turn) => format!("{id}\0{side}\0{}\0resume\0{turn}", signed.person),
    };
    hashed(provider, Sort::Signature, &what)
}

impl Vault {
    /// An agreement of a provider.
    pub(super) async fn kept(
        &self,
        secrets: &Secrets,
        provider: &Arc<Tenant>,
        id: &str,
    ) -> Result<Option<Kept>, VaultError> {
        let key = agreement_key(provider, id);
        let Some((at, plain)) = self.sealed_row(provider, &key).await? else {
            return Ok(None);
        };
        let row = AgreementRow::decode(&plain)?;
        let agreement = Agreement::decode(&row.document)
            .map_err(|error| VaultError::ObjectRecord(format!("the agreement {id}: {error}")))?;
        Ok(Some(Kept {
            id: id.to_owned(),
            provider: Arc::clone(provider),
            consumer: self.tenant(secrets, row.consumer).await?,
            agreement,
            row,
            at,
        }))
    }

    /// An agreement, wherever it lies.
    pub(super) async fn found(&self, secrets: &Secrets, id: &str) -> Result<Kept, VaultError> {
        for info in self.tenant_list().await? {
            let provider = self.tenant(secrets, info.id).await?;
            if let Some(kept) = self.kept(secrets, &provider, id).await? {
                return Ok(kept);
            }
        }
        Err(VaultError::NoSuchAgreement(id.chars().take(32).collect()))
    }

    /// The agreements that a tenant is the consumer of, by id.
    pub(super) async fn agreements_of(
        &self,
        consumer: &Tenant,
    ) -> Result<Vec<ForeignRow>, VaultError> {
        let mut found = Vec::new();
        let mut range = KeyRange::prefix(&identity::prefix(consumer.id, Sort::ForeignAgreement));
        loop {
            let page = self
                .engine
                .scan(range.clone(), SCAN_ROWS_MAX, Order::Ascending)
                .await?;
            let more = page.len() == SCAN_ROWS_MAX;
            for (key, _) in page {
                if let Some((_, plain)) = self.sealed_row(consumer, &key).await? {
                    found.push(ForeignRow::decode(&plain)?);
                }
                range = range.after(&key);
            }
            if !more {
                break;
            }
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }

    /// Where a consumer's agreement lies.
    pub(super) async fn foreign(
        &self,
        consumer: &Tenant,
        id: &str,
    ) -> Result<Option<ForeignRow>, VaultError> {
        let row = self
            .sealed_row(consumer, &foreign_key(consumer, id))
            .await?;
        row.map(|(_, plain)| Ok(ForeignRow::decode(&plain)?))
            .transpose()
    }

    /// Who may sign for a tenant.
    pub(super) async fn roll(&self, tenant: &Tenant) -> Result<Roll, VaultError> {
        let row = self.sealed_row(tenant, &signers_key(tenant)).await?;
        let row = match row {
            Some((_, plain)) => SignersRow::decode(&plain)?,
            None => SignersRow::default(),
        };
        let mut entries = Vec::with_capacity(row.0.len());
        for signer in row.0 {
            let key = PublicKey::from_bytes(&signer.ed25519, &signer.ml_dsa)
                .map_err(|error| VaultError::ObjectRecord(error.to_string()))?;
            entries.push(RollEntry {
                role: signer.role,
                person: signer.person,
                key: key.id(),
            });
        }
        Ok(Roll::new(entries))
    }

    /// All signatures under an agreement, or all words that it goes on.
    pub(super) async fn signatures(
        &self,
        kept: &Kept,
        which: &[SignatureAt],
    ) -> Result<Vec<Signed>, VaultError> {
        let mut all = Vec::with_capacity(which.len());
        for signature in which {
            let key = identity::key(kept.provider.id, Sort::Signature, &signature.at);
            let row = self.sealed_row(&kept.provider, &key).await?;
            let (_, plain) = row.ok_or_else(|| {
                VaultError::ObjectRecord(format!("a signature under {} is gone", kept.id))
            })?;
            let text = plain
                .get(..plain.len().min(SIGNATURE_BYTES_MAX))
                .unwrap_or_default();
            let signed =
                Signed::parse(text).map_err(|error| VaultError::ObjectRecord(error.to_string()))?;
            all.push(signed);
        }
        Ok(all)
    }
}
