//! The last look before a fact is committed: does the permit still hold, and what exactly happened. The
//! entry made here goes into the same commit as the fact.

use crate::Vault;
use crate::entries::Who;
use crate::error::VaultError;
use crate::grant::{DeleteGrant, PartGrant, ReadGrant, WriteGrant};
use crate::secrets::{Bucket, Secrets};
use catalog::Mutation;
use ledger::{Entry, Kind};
use names::NameFacts;
use policy::Permit;
use words::SiteId;

/// What belongs into the commit of a fact.
pub struct Settled {
    /// The entry.
    pub entry: Entry,
    /// The change of the sealed index of names.
    pub index: Option<Mutation>,
}

/// What a write did.
pub struct WriteFacts {
    /// What the index of names shall say.
    pub name: NameFacts,
    /// The sites that hold the bytes.
    pub sites: Vec<SiteId>,
    /// SHA-512/256 or MD5 of what was written, as far as it is known.
    pub digest: Option<[u8; 32]>,
}

/// How a read ended.
pub struct Close {
    /// Offset and length of what left.
    pub ranges: Vec<(u64, u64)>,
    /// Why it ended early, if it did.
    pub broken: Option<String>,
}

/// How long a permit holds: a slow upload of the largest part fits, a forgotten connection does not.
const PERMIT_MS_MAX: u64 = 24 * 3_600_000;

impl Vault {
    /// A policy that changed or a permit that ended while the bytes came in wins over the write.
    fn still_holds(
        &self,
        secrets: &Secrets,
        who: &Who,
        permit: &Permit,
        bucket: &Bucket,
    ) -> Result<(), VaultError> {
        bucket.check_lease()?;
        let now = self.host.now();
        let credential = words::AccessKeyId::parse(&who.access_key)
            .ok()
            .and_then(|id| secrets.known.get(&id));
        let stopped = credential.is_some_and(|known| {
            known.credential.suspended || known.credential.not_after.is_some_and(|end| end <= now)
        });
        let standing = &permit.caller().credential().standing;
        let changed = secrets
            .judged
            .policy_digest(bucket.id)
            .is_some_and(|policy| {
                self.policies.in_force(standing, policy.as_ref()) != *permit.policy_digest()
            });
        if stopped
            || changed
            || secrets.judged.is_revoked(standing)
            || permit.at().plus(PERMIT_MS_MAX) < now
        {
            Err(VaultError::Denied)
        } else {
            Ok(())
        }
    }

    fn resource(bucket: &Bucket, name: &words::ObjectKey) -> String {
        format!("{}/{}", bucket.name.as_str(), name.as_str())
    }

    /// The entry and the index delta of an object that is about to be committed. Borrowed, so that a commit
    /// that lost a race can be settled again.
    pub fn settle_write(
        &self,
        grant: &WriteGrant,
        operation: &str,
        facts: &WriteFacts,
    ) -> Result<Settled, VaultError> {
        let secrets = self.secrets()?;
        self.still_holds(&secrets, &grant.who, &grant.permit, &grant.bucket)?;
        let mut fields = self.fields_of(Kind::Write, &grant.who, operation);
        fields.resource = Some(Self::resource(&grant.bucket, &grant.name));
        fields.bucket = Some(grant.bucket.id);
        fields.version = Some(grant.place.version);
        fields.bytes = Some(facts.name.size);
        fields.sites = Some(facts.sites.clone());
        fields.response_digest = facts.digest;
        fields.decision = Some("permit".into());
        let entry = self.entry_for(&grant.who.tenant, &fields);
        // The parts of an upload were counted when they came.
        if operation != "CompleteMultipartUpload" {
            self.meter.taken_in(grant.who.tenant.id, facts.name.size);
        }
        Self::changed(&secrets, &grant.bucket);
        let index = names::put_delta(
            &grant.bucket.index_key,
            grant.bucket.id,
            &grant.name,
            &facts.name,
            self.host.random(),
        );
        Ok(Settled {
            entry,
            index: Some(index),
        })
    }

    /// The entry of a step that does not change the index: an upload begun, a part arrived, an upload aborted.
    pub fn settle_step(
        &self,
        grant: &WriteGrant,
        operation: &str,
        bytes: u64,
        sites: &[SiteId],
    ) -> Result<Settled, VaultError> {
        let secrets = self.secrets()?;
        self.still_holds(&secrets, &grant.who, &grant.permit, &grant.bucket)?;
        let mut fields = self.fields_of(Kind::Write, &grant.who, operation);
        fields.resource = Some(Self::resource(&grant.bucket, &grant.name));
        fields.bucket = Some(grant.bucket.id);
        fields.version = Some(grant.place.version);
        fields.bytes = Some(bytes);
        fields.sites = Some(sites.to_vec());
        fields.decision = Some("permit".into());
        self.meter.taken_in(grant.who.tenant.id, bytes);
        Ok(Settled {
            entry: self.entry_for(&grant.who.tenant, &fields),
            index: None,
        })
    }

    /// The entry and the index delta of a deletion. `existed` is false for a name that was not there.
    pub fn settle_delete(&self, grant: &DeleteGrant, existed: bool) -> Result<Settled, VaultError> {
        let secrets = self.secrets()?;
        self.still_holds(&secrets, &grant.who, &grant.permit, &grant.bucket)?;
        let mut fields = self.fields_of(Kind::Delete, &grant.who, "DeleteObject");
        fields.resource = Some(Self::resource(&grant.bucket, &grant.name));
        fields.bucket = Some(grant.bucket.id);
        fields.decision = Some(
            if existed {
                "permit"
            } else {
                "permit; there is no such object"
            }
            .into(),
        );
        let entry = self.entry_for(&grant.who.tenant, &fields);
        Self::changed(&secrets, &grant.bucket);
        let index = existed.then(|| {
            names::delete_delta(
                &grant.bucket.index_key,
                grant.bucket.id,
                &grant.name,
                self.host.random(),
            )
        });
        Ok(Settled { entry, index })
    }

    /// Writes down that a write was not done after all, because a condition did not hold.
    pub async fn write_refused(&self, grant: &WriteGrant, operation: &str, why: &str) {
        self.refused(&grant.who, &grant.bucket, &grant.name, operation, why)
            .await;
    }

    /// The same for a deletion.
    pub async fn delete_refused(&self, grant: &DeleteGrant, why: &str) {
        self.refused(&grant.who, &grant.bucket, &grant.name, "DeleteObject", why)
            .await;
    }

    async fn refused(
        &self,
        who: &Who,
        bucket: &Bucket,
        name: &words::ObjectKey,
        operation: &str,
        why: &str,
    ) {
        let mut fields = self.fields_of(Kind::Deny, who, operation);
        fields.resource = Some(Self::resource(bucket, name));
        fields.bucket = Some(bucket.id);
        fields.decision = Some(why.to_owned());
        self.record_later(self.entry_for(&who.tenant, &fields))
            .await;
    }

    /// Closes a grant with exactly what left. Nobody waits for it: until it is written the ledger says that
    /// the whole object may have been read.
    pub async fn close(&self, grant: &ReadGrant, close: Close) {
        let mut fields = self.fields(Kind::Close);
        fields.tenant = Some(grant.who.tenant.id);
        fields.link = Some(grant.receipt.index());
        let left = close.ranges.iter().map(|(_, length)| length).sum();
        self.meter.left(grant.who.tenant.id, left);
        fields.bytes = Some(left);
        fields.ranges = Some(close.ranges);
        fields.reason = close.broken;
        self.record_later(self.entry_for(&grant.who.owner, &fields))
            .await;
    }

    /// Gives up a part grant's upload key and keeps its write half.
    #[must_use]
    pub fn into_write(grant: PartGrant) -> WriteGrant {
        grant.write
    }
}
