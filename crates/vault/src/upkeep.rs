//! What the vault does when nobody waits: it folds the sealed indexes of names, whose keys it alone holds.

use crate::Vault;
use crate::error::VaultError;
use crate::record::bucket::{self, BucketRow};
use crate::secrets::{Bucket, Secrets};
use catalog::{KeyRange, Order, Row};
use names::Index;
use std::sync::Arc;
use words::limits::SCAN_ROWS_MAX;

impl Vault {
    pub(crate) fn changed(secrets: &Secrets, bucket: &Arc<Bucket>) {
        if let Ok(mut changed) = secrets.changed.lock() {
            changed
                .entry(bucket.id)
                .or_insert_with(|| Arc::clone(bucket));
        }
    }

    /// Folds the indexes of buckets that changed since the last call and are due. Gives the number folded.
    pub async fn fold_names(&self, index: &Index) -> Result<u64, VaultError> {
        self.end_leases().await;
        let secrets = self.secrets()?;
        let changed = secrets
            .changed
            .lock()
            .map(|mut changed| std::mem::take(&mut *changed))
            .unwrap_or_default();
        let mut folded = 0;
        for bucket in changed.into_values().filter(|bucket| bucket.is_open()) {
            let ledger = |e: names::NamesError| VaultError::Index(e.to_string());
            let pending = index
                .pending(&bucket.index_key, bucket.id)
                .await
                .map_err(ledger)?;
            if pending.due || pending.full {
                let report = index
                    .fold(&bucket.index_key, bucket.id)
                    .await
                    .map_err(ledger)?;
                folded += 1;
                if !report.more {
                    continue;
                }
            }
            if pending.deltas > 0 {
                Self::changed(&secrets, &bucket);
            }
        }
        Ok(folded)
    }

    /// Marks every bucket as changed: after a start it is not known which have deltas.
    pub async fn all_changed(&self) -> Result<(), VaultError> {
        let secrets = self.secrets()?;
        let mut range = KeyRange::prefix(b"B");
        loop {
            let page = self
                .engine
                .scan(range.clone(), SCAN_ROWS_MAX, Order::Ascending)
                .await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, row) in page {
                range = range.after(&key);
                match self.mark_changed(&secrets, key, &row).await {
                    // Another node, where the tenant's keys may be used, looks after its names; what was
                    // altered is on the ledger. The other buckets must not wait for either.
                    Ok(()) | Err(VaultError::RowAltered(_) | VaultError::Abroad(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    async fn mark_changed(
        &self,
        secrets: &Secrets,
        key: Vec<u8>,
        row: &Row,
    ) -> Result<(), VaultError> {
        let tenant = self.tenant(secrets, bucket::tenant_in(&key)?).await?;
        let (version, row) = (row.version, BucketRow::decode(&row.value)?);
        if row.lessor.is_some() {
            // Its names are looked after when its key is leased for something else.
            return Ok(());
        }
        let opened = self
            .open_bucket_row(secrets, &tenant, key, version, &row)
            .await?;
        Self::changed(secrets, &opened);
        Ok(())
    }
}
