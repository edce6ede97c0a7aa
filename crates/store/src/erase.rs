//! Taking away what an erasure has made unreadable: the rows go, the names leave the listings, the bytes
//! become garbage. Nothing is opened for it.

use crate::Store;
use crate::commit::{Sent, unchanged};
use crate::error::StoreError;
use crate::record::garbage::{self, Garbage};
use crate::record::object::{self, ObjectRow};
use crate::record::upload;
use catalog::{Mutation, Precondition};
use seal::ClaimedRecord;
use vault::shred::{Erasure, Member};
use words::limits::CHUNK_GRACE_MS;

/// What one member comes to in the commit that takes it away.
#[derive(Default)]
struct Going {
    preconditions: Vec<Precondition>,
    mutations: Vec<Mutation>,
    objects: u64,
    uploads: u64,
}

impl Store {
    /// Takes away every object and upload of a group whose erasure was ordered. Can be repeated: what is
    /// gone is not counted twice. `told` hears how many are gone.
    pub async fn sweep_erased(
        &self,
        id: &[u8; 16],
        told: impl Fn(u64) + Send + Sync,
    ) -> Result<(), StoreError> {
        loop {
            let erasure = self.vault.erasure(id).await?;
            let members = self.vault.members(&erasure).await?;
            if members.is_empty() {
                self.vault.close_sweep(id).await?;
                return Ok(());
            }
            let going = self.going(&erasure, &members).await?;
            let counted = erasure.counted(going.objects, going.uploads);
            let mut mutations = going.mutations;
            mutations.push(counted);
            let mut preconditions = vec![erasure.unchanged()];
            preconditions.extend(going.preconditions);
            // One that lost a race is looked at again.
            if let Sent::Done = self.send(preconditions, mutations, Vec::new()).await? {
                told(erasure.row.objects + going.objects);
            }
        }
    }

    async fn going(&self, erasure: &Erasure, members: &[Member]) -> Result<Going, StoreError> {
        let mut going = Going::default();
        for member in members {
            going.mutations.push(member.gone());
            let object_at = object::key(member.bucket_id, &member.name_hash);
            if let Some(row) = self.engine.get(&object_at).await? {
                let record = ObjectRow::decode(&row.value)?.record;
                let claimed =
                    ClaimedRecord::read(&record).map_err(|e| StoreError::Corrupt(e.to_string()))?;
                if claimed.version() == member.version
                    && claimed.shred_group()
                    && *claimed.kek().id.as_bytes() == erasure.row.group
                {
                    going.preconditions.push(unchanged(&object_at, Some(&row)));
                    let left = self.leavings(member.bucket_id, Some(&row))?;
                    // The member's own row is taken away once, above.
                    let garbage = |one: &Mutation| matches!(one, Mutation::Put { .. });
                    going.mutations.extend(left.into_iter().filter(garbage));
                    going.mutations.push(Mutation::Delete { key: object_at });
                    going.mutations.extend(self.vault.unlist(member));
                    going.objects += 1;
                    continue;
                }
            }
            let upload_at = upload::key(member.bucket_id, member.version);
            if self.engine.get(&upload_at).await?.is_some() {
                let due = self.host.now().plus(CHUNK_GRACE_MS);
                going.mutations.push(Mutation::Delete { key: upload_at });
                going.mutations.push(Mutation::Put {
                    key: garbage::key(due, member.version),
                    value: Garbage::Parts(member.version).encode().into(),
                });
                going.uploads += 1;
            }
        }
        Ok(going)
    }
}
