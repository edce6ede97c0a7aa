//! The last step of every write: the fact, its entry, its change of the index, what it makes garbage of and
//! what a site still lacks, all in one commit. A commit that lost a race is tried again against what is
//! there now.

use crate::Store;
use crate::api::Conditions;
use crate::conditions;
use crate::error::StoreError;
use crate::open::etag_of;
use crate::record::garbage::{self, Garbage};
use crate::record::object::{self, Body, ObjectRow};
use bytes::Bytes;
use catalog::{Commit, Mutation, Outcome, Precondition, Refused, Row};
use ledger::Entry;
use seal::ClaimedRecord;
use std::time::Duration;
use vault::{Settled, WriteFacts, WriteGrant};
use words::limits::CHUNK_GRACE_MS;
use words::{BucketId, OpId};

/// How often a write that is not conditional is tried against changing rows.
pub const RACES_MAX: usize = 64;
/// How often an unknown outcome is looked up, and how long is waited between.
const LOOKUPS_MAX: u32 = 5;
const LOOKUP_PAUSE: Duration = Duration::from_millis(200);

/// How a commit ended that was sent once.
pub enum Sent {
    Done,
    Conflict(usize),
}

impl Store {
    /// Sends one commit and resolves an outcome that is not known by its op id.
    pub(crate) async fn send(
        &self,
        preconditions: Vec<Precondition>,
        mutations: Vec<Mutation>,
        entries: Vec<Entry>,
    ) -> Result<Sent, StoreError> {
        let op = OpId::from_bytes(self.host.random());
        match self
            .engine
            .commit(Commit {
                op,
                preconditions,
                mutations,
                entries,
            })
            .await
        {
            Outcome::Committed(_) => Ok(Sent::Done),
            Outcome::Conflict { which } => Ok(Sent::Conflict(which)),
            Outcome::Refused(Refused::NoSpace(_)) => Err(StoreError::NoSpace),
            Outcome::Refused(Refused::Away(why)) => Err(StoreError::SiteAway(why)),
            Outcome::Refused(refused) => Err(StoreError::Internal(refused.to_string())),
            Outcome::Unknown(why) => self.resolve(op, why).await,
        }
    }

    async fn resolve(&self, op: OpId, why: String) -> Result<Sent, StoreError> {
        for _ in 0..LOOKUPS_MAX {
            match self.engine.lookup(op).await {
                Ok(Some(_)) => return Ok(Sent::Done),
                Ok(None) | Err(_) => tokio::time::sleep(LOOKUP_PAUSE).await,
            }
        }
        Err(StoreError::Unknown(why))
    }

    /// Checks a write's conditions against what is there now.
    pub(crate) async fn check_write(
        &self,
        grant: &WriteGrant,
        operation: &str,
        wanted: &Conditions,
        row: Option<&Row>,
    ) -> Result<(), StoreError> {
        if wanted.if_match.is_none() && wanted.if_none_match.is_none() {
            return Ok(());
        }
        let etag = match row {
            None => None,
            Some(_) if !conditions::needs_etag(wanted) => Some(String::new()),
            Some(row) => {
                let key = self.vault.reveal_for_condition(grant, row).await?;
                Some(etag_of(&key, &ObjectRow::decode(&row.value)?)?)
            }
        };
        let checked = conditions::of_write(wanted, etag.as_deref());
        if let Err(error) = &checked {
            self.vault
                .write_refused(grant, operation, &error.to_string())
                .await;
        }
        checked
    }

    /// Puts an object in the place of what is there. `extra` goes into the same commit.
    pub(crate) async fn commit_object(
        &self,
        grant: &WriteGrant,
        operation: &str,
        row: &ObjectRow,
        facts: &WriteFacts,
        wanted: &Conditions,
        extra: (Vec<Precondition>, Vec<Mutation>),
    ) -> Result<(), StoreError> {
        let place = grant.place();
        let key = object::key(place.bucket, &place.name);
        let mut value = Bytes::from(row.encode());
        let mut stands = grant.bucket_stands();
        for _ in 0..RACES_MAX {
            let old = self.engine.get(&key).await?;
            self.check_write(grant, operation, wanted, old.as_ref())
                .await?;
            let Settled { entry, index } = self.vault.settle_write(grant, operation, facts)?;
            let mut preconditions = vec![stands.clone(), unchanged(&key, old.as_ref())];
            preconditions.extend(extra.0.iter().cloned());
            preconditions.extend(grant.group_stands());
            let mut mutations = vec![Mutation::Put {
                key: key.clone(),
                value: value.clone(),
            }];
            mutations.extend(index);
            mutations.extend(self.vault.member_row(grant));
            mutations.extend(extra.1.iter().cloned());
            mutations.extend(self.leavings(place.bucket, old.as_ref())?);
            match self.send(preconditions, mutations, vec![entry]).await? {
                Sent::Done => return Ok(()),
                // The bucket is gone, or its key was renewed while the bytes came in.
                Sent::Conflict(0) => {
                    let again = self.vault.stand_again(grant, &row.record).await?;
                    stands = again.bucket;
                    value = row.encode_with(&again.record).into();
                }
                Sent::Conflict(1) => {}
                // The upload changed meanwhile: a part arrived, or somebody else completed or aborted it; or the
                // subject is being erased.
                Sent::Conflict(_) => return Err(StoreError::ConditionalConflict),
            }
        }
        Err(StoreError::ConditionalConflict)
    }

    /// What an object that is replaced or deleted leaves behind: garbage, and its place in its group.
    pub(crate) fn leavings(
        &self,
        bucket: BucketId,
        old: Option<&Row>,
    ) -> Result<Vec<Mutation>, StoreError> {
        let Some(old) = old else {
            return Ok(Vec::new());
        };
        let row = ObjectRow::decode(&old.value)?;
        let claimed =
            ClaimedRecord::read(&row.record).map_err(|e| StoreError::Corrupt(e.to_string()))?;
        let mut left: Vec<Mutation> = vault::member_gone(&claimed, bucket).into_iter().collect();
        let garbage = match row.body {
            Body::Inline(_) => return Ok(left),
            Body::Single(place) => {
                Garbage::Chunks(place.chunks.iter().map(|chunk| chunk.id).collect())
            }
            Body::Parts { .. } => Garbage::Parts(claimed.version()),
        };
        let due = self.host.now().plus(CHUNK_GRACE_MS);
        left.push(Mutation::Put {
            key: garbage::key(due, claimed.version()),
            value: garbage.encode().into(),
        });
        Ok(left)
    }
}

/// Holds while the row is what was read.
pub fn unchanged(key: &[u8], row: Option<&Row>) -> Precondition {
    match row {
        None => Precondition::Absent(key.to_vec()),
        Some(row) => Precondition::Version(key.to_vec(), row.version),
    }
}
