//! Looking at the ledger from inside: its leaves for the published log, its openings for those who may.

use crate::Vault;
use crate::error::VaultError;
use catalog::{KeyRange, Order};
use ledger::publish::Publisher;
use ledger::{Fields, Leaf};
use std::path::Path;
use std::sync::Arc;
use words::limits::SCAN_ROWS_MAX;

/// One entry, opened.
#[derive(Clone, Debug)]
pub struct EntryShown {
    /// Its index.
    pub index: u64,
    /// What it says; absent if its key was destroyed or is not at hand.
    pub fields: Option<Fields>,
}

/// Name and value of what an entry says, for showing.
#[must_use]
pub fn shown_fields(fields: &Fields) -> Vec<(&'static str, String)> {
    let mut shown = vec![
        ("kind", fields.kind.to_string()),
        ("time", fields.time.0.to_string()),
    ];
    let texts = [
        ("node", &fields.node),
        ("actor", &fields.actor),
        ("operation", &fields.operation),
        ("resource", &fields.resource),
        ("columns", &fields.columns),
        ("agreement", &fields.agreement),
        ("provider", &fields.provider),
        ("consumer", &fields.consumer),
        ("purpose", &fields.purpose),
        ("legal_basis", &fields.legal_basis),
        ("case", &fields.case_reference),
        ("decision", &fields.decision),
        ("reason", &fields.reason),
    ];
    shown.extend(
        texts
            .into_iter()
            .filter_map(|(name, text)| text.clone().map(|text| (name, text))),
    );
    shown.extend(fields.tenant.map(|id| ("tenant", id.to_string())));
    shown.extend(fields.bucket.map(|id| ("bucket", id.to_string())));
    shown.extend(fields.version.map(|id| ("version", id.to_string())));
    let numbers = [
        ("bytes", fields.bytes),
        ("rows", fields.rows),
        ("link", fields.link),
    ];
    shown.extend(
        numbers
            .into_iter()
            .filter_map(|(name, n)| n.map(|n| (name, n.to_string()))),
    );
    if let Some(ranges) = &fields.ranges {
        let text: Vec<String> = ranges
            .iter()
            .map(|(offset, length)| format!("{offset}+{length}"))
            .collect();
        shown.push(("ranges", text.join(" ")));
    }
    if let Some(sites) = &fields.sites {
        let text: Vec<String> = sites.iter().map(ToString::to_string).collect();
        shown.push(("sites", text.join(" ")));
    }
    let digests = [
        ("policy_digest", fields.policy_digest),
        ("request_digest", fields.request_digest),
        ("response_digest", fields.response_digest),
    ];
    shown.extend(
        digests
            .into_iter()
            .filter_map(|(name, d)| d.map(|d| (name, words::hex::encode(&d)))),
    );
    shown
}

fn from_index(index: u64) -> KeyRange {
    let mut range = KeyRange::prefix(b"L");
    range.start = ledger::row_key(index).to_vec();
    range
}

impl Vault {
    /// The writer of the published log in a site's folder.
    pub fn publisher(&self, folder: &Path) -> Result<Publisher, VaultError> {
        let secrets = self.secrets()?;
        let keys = ledger::LogKeys::from_bytes(&secrets.log_keys.to_bytes())
            .map_err(|e| VaultError::Ledger(e.to_string()))?;
        Publisher::open(folder, Arc::new(keys)).map_err(|e| VaultError::Ledger(e.to_string()))
    }

    /// The ledger's public keys.
    pub fn verifier_keys(&self) -> Result<String, VaultError> {
        Ok(self.secrets()?.log_keys.verifier().to_text())
    }

    /// Leaves from `first` on, at most a page. Needs no key.
    pub async fn leaves(&self, first: u64) -> Result<Vec<Leaf>, VaultError> {
        let rows = self
            .engine
            .scan(from_index(first), SCAN_ROWS_MAX, Order::Ascending)
            .await?;
        let mut leaves = Vec::with_capacity(rows.len());
        for (expected, (key, row)) in (first..).zip(rows) {
            if key != ledger::row_key(expected) {
                return Err(VaultError::Ledger(format!(
                    "entry {expected} is missing from the catalog"
                )));
            }
            let (leaf, _) = ledger::record::row::decode(&row.value)
                .map_err(|e| VaultError::Ledger(e.to_string()))?;
            leaves.push(leaf);
        }
        Ok(leaves)
    }

    /// The last entries, newest first, opened. `before` is the index to go on from.
    pub async fn last_entries(
        &self,
        before: Option<u64>,
        count: usize,
    ) -> Result<Vec<EntryShown>, VaultError> {
        let secrets = self.secrets()?;
        let mut range = KeyRange::prefix(b"L");
        if let Some(before) = before {
            range = range.before(&ledger::row_key(before));
        }
        let mut shown = Vec::new();
        for (key, row) in self.engine.scan(range, count, Order::Descending).await? {
            let index = key
                .get(1..9)
                .and_then(|b| b.try_into().ok())
                .map(u64::from_be_bytes);
            let index = index.ok_or(words::wire::WireError::Short)?;
            let (_, opening) = ledger::record::row::decode(&row.value)
                .map_err(|e| VaultError::Ledger(e.to_string()))?;
            let fields = self.open_opening(&secrets, opening).await.ok();
            shown.push(EntryShown { index, fields });
        }
        Ok(shown)
    }
}
