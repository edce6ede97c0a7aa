//! Looking at an ETag for a condition: a read of its own, with an entry that is durable first.

use crate::Vault;
use crate::admit::{RECORD_IN_OBJECT_ROW, claimed};
use crate::entries::Who;
use crate::error::VaultError;
use crate::grant::{DeleteGrant, WriteGrant};
use crate::secrets::Bucket;
use ledger::Kind;
use seal::ObjectKey;

impl Vault {
    /// Opens the key of the version that a conditional write is compared with: looking at its ETag is a read,
    /// so an entry is durable first.
    pub async fn reveal_for_condition(
        &self,
        grant: &WriteGrant,
        row: &catalog::Row,
    ) -> Result<ObjectKey, VaultError> {
        self.reveal(&grant.who, &grant.bucket, &grant.name, row)
            .await
    }

    /// The same for a conditional delete.
    pub async fn reveal_for_delete(
        &self,
        grant: &DeleteGrant,
        row: &catalog::Row,
    ) -> Result<ObjectKey, VaultError> {
        self.reveal(&grant.who, &grant.bucket, &grant.name, row)
            .await
    }

    async fn reveal(
        &self,
        who: &Who,
        bucket: &Bucket,
        name: &words::ObjectKey,
        row: &catalog::Row,
    ) -> Result<ObjectKey, VaultError> {
        let claimed = claimed(&row.value, RECORD_IN_OBJECT_ROW)?;
        let mut fields = self.fields_of(Kind::Grant, who, "CompareETag");
        fields.resource = Some(format!("{}/{}", bucket.name.as_str(), name.as_str()));
        fields.bucket = Some(bucket.id);
        fields.version = Some(claimed.version());
        fields.bytes = Some(0);
        let opener = self.opener(&*self.secrets()?, &claimed).await?;
        let opener = opener.ok_or(VaultError::Erased)?;
        let receipt = self.record(self.entry_for(&who.tenant, &fields)).await?;
        self.object_key(bucket, &claimed, opener.group(), &receipt)
            .await
    }
}
