//! The receipt of an erasure, put together from the catalog and the published log and signed by the log.

use super::{Dealing, Erasure};
use crate::Vault;
use crate::error::VaultError;
use crate::record::shred::erasure::Stage;
use crate::secrets::Secrets;
use ledger::erasure::{DealingSaid, OrderProof};
use ledger::folder::Folder;
use ledger::{ErasureReceipt, Kind};
use std::path::Path;
use words::limits::SCAN_ROWS_MAX;
use words::{CloudId, SiteId, hex};

impl Vault {
    /// The receipt of an erasure as it stands now, and its signed text. `log` is the folder of the published
    /// log, which must reach beyond the order.
    pub async fn receipt(
        &self,
        id: &[u8; 16],
        cloud: CloudId,
        log: &Path,
    ) -> Result<(ErasureReceipt, String), VaultError> {
        let secrets = self.secrets()?;
        let erasure = self.erasure(id).await?;
        let order = self.order_proof(&secrets, &erasure, log).await?;
        let row = &erasure.row;
        let concerns = |dealing: &Dealing| (row.born..=row.last).contains(&dealing.root);
        let said = |dealing: Dealing| DealingSaid {
            root: dealing.root,
            custody: dealing.text.into_bytes(),
            destroyed: dealing.destroyed,
        };
        let dealings = self.dealings().await?;
        let moved = row.stage == Stage::Moved;
        let receipt = ErasureReceipt {
            cloud,
            erasure: *id,
            tenant: row.tenant,
            subject: row.commitment,
            ordered: row.ordered,
            objects: row.objects,
            uploads: row.uploads,
            sites: if moved {
                SiteId::BOTH.to_vec()
            } else {
                Vec::new()
            },
            born: row.born,
            last: row.last,
            moved: moved.then_some((row.moved_to, row.moved)),
            dealings: dealings.into_iter().filter(concerns).map(said).collect(),
            order,
            issued: self.host.now(),
        };
        let text = receipt
            .signed(&secrets.log_keys)
            .map_err(|e| VaultError::Ledger(e.to_string()))?;
        Ok((receipt, text))
    }

    async fn order_proof(
        &self,
        secrets: &Secrets,
        erasure: &Erasure,
        log: &Path,
    ) -> Result<OrderProof, VaultError> {
        let failed = |e: &dyn ToString| VaultError::Ledger(e.to_string());
        let index = match erasure.row.entry {
            0 => self.find_order(erasure).await?,
            index => index,
        };
        let row = self.engine.get(&ledger::row_key(index)).await?;
        let row = row.ok_or_else(|| failed(&format!("entry {index} is missing")))?;
        let (leaf, opening) = ledger::record::row::decode(&row.value).map_err(|e| failed(&e))?;
        let (fields, entry_key) = self.open_entry(secrets, opening).await?;
        let folder = Folder::at(log);
        let note = folder.checkpoint().map_err(|e| failed(&e))?;
        let note = note.ok_or_else(|| failed(&"the log is not published yet"))?;
        let checkpoint = secrets.log_keys.verifier().open(&note);
        let checkpoint = checkpoint.map_err(|e| failed(&e))?;
        let path = folder
            .inclusion_proof(index, checkpoint.size)
            .map_err(|e| failed(&e))?;
        Ok(OrderProof {
            index,
            leaf,
            shown: fields.show_order(&entry_key),
            path,
            checkpoint: note,
        })
    }

    /// The order's entry, if a crash came before its index was noted.
    async fn find_order(&self, erasure: &Erasure) -> Result<u64, VaultError> {
        let subject = hex::encode(&erasure.row.commitment);
        let mut before = None;
        loop {
            let page = self.last_entries(before, SCAN_ROWS_MAX).await?;
            let found = page.iter().find(|entry| {
                let fields = entry.fields.as_ref();
                fields.is_some_and(|f| {
                    f.kind == Kind::Destroy && f.resource.as_deref() == Some(&subject)
                })
            });
            match (found, page.last()) {
                (Some(entry), _) => return Ok(entry.index),
                (None, Some(last)) => before = Some(last.index),
                (None, None) => {
                    return Err(VaultError::Ledger(
                        "the order of this erasure is not in the ledger".into(),
                    ));
                }
            }
        }
    }
}
