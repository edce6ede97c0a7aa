//! What a grant has to do with a group: which key wraps the object's, and what else its commit carries.

use super::Group;
use crate::Vault;
use crate::error::VaultError;
use crate::grant::{OpenObject, ReadGrant, WriteGrant};
use crate::record::shred::member::{self, MemberRow};
use crate::secrets::Secrets;
use catalog::{Mutation, Precondition};
use seal::{ClaimedRecord, Derives, KeyId, MetaKey};
use std::sync::Arc;
use words::{BucketId, Subject};

/// The group whose key opens an object together with the bucket's, if it belongs to one.
pub(crate) struct Opener(Option<Arc<Group>>);

impl Opener {
    /// The group.
    pub fn group(&self) -> Option<&Group> {
        self.0.as_deref()
    }
    /// The group, kept.
    pub fn into_group(self) -> Option<Arc<Group>> {
        self.0
    }
}

/// What a member's sealed name is bound to.
pub(super) fn member_context(at: &[u8]) -> Vec<u8> {
    [b"member name\0".as_slice(), at].concat()
}

impl Vault {
    /// What opens the object of this record; `None` if its group was erased.
    pub(crate) async fn opener(
        &self,
        secrets: &Secrets,
        claimed: &ClaimedRecord,
    ) -> Result<Option<Opener>, VaultError> {
        if !claimed.shred_group() {
            return Ok(Some(Opener(None)));
        }
        let group = self.group(secrets, claimed.kek().id).await?;
        Ok(group.map(|group| Opener(Some(group))))
    }

    /// Puts what will be written into the group of this subject: its key is wrapped so that it opens with
    /// the bucket's and the group's key together, and with neither alone.
    pub async fn for_subject(
        &self,
        grant: WriteGrant,
        subject: &Subject,
    ) -> Result<WriteGrant, VaultError> {
        let secrets = self.secrets()?;
        let group = self.group_of(&secrets, &grant.who.tenant, subject).await?;
        self.put_into(grant, group)
    }

    /// The same for a copy that names no subject itself: it stays in the group of what it was made from, so
    /// that a copy does not outlive an erasure.
    pub fn as_source(
        &self,
        grant: WriteGrant,
        source: &ReadGrant,
    ) -> Result<WriteGrant, VaultError> {
        match &source.object.group {
            // A group never reaches beyond its tenant, and neither does a copy.
            Some(group) => self.put_into(grant, Arc::clone(group)),
            None => Ok(grant),
        }
    }

    fn put_into(&self, mut grant: WriteGrant, group: Arc<Group>) -> Result<WriteGrant, VaultError> {
        let version = grant.place.version;
        let wrapped = self.wrapped(&grant.bucket, Some(&group), &grant.object_key, version)?;
        (grant.kek, grant.wrapped) = wrapped;
        grant.group = Some(group);
        Ok(grant)
    }

    /// The row that lists what is written among the group's members; `None` outside any group.
    #[must_use]
    pub fn member_row(&self, grant: &WriteGrant) -> Option<Mutation> {
        let group = grant.group.as_ref()?;
        let place = &grant.place;
        let key = member::key(group.id.as_bytes(), place.bucket, place.version);
        let meta: MetaKey = group.key.derive();
        let row = MemberRow {
            name_hash: place.name,
            sealed_name: seal::seal_value(
                &meta,
                &member_context(&key),
                self.host.random(),
                grant.name.as_bytes(),
            ),
        };
        Some(Mutation::Put {
            key,
            value: row.encode().into(),
        })
    }
}

/// Takes the object of this record off the list of its group's members; `None` outside any group.
#[must_use]
pub fn member_gone(claimed: &ClaimedRecord, bucket: BucketId) -> Option<Mutation> {
    claimed.shred_group().then(|| Mutation::Delete {
        key: member::key(claimed.kek().id.as_bytes(), bucket, claimed.version()),
    })
}

impl WriteGrant {
    /// The group that the new version belongs to.
    #[must_use]
    pub fn group_id(&self) -> Option<KeyId> {
        self.group.as_ref().map(|group| group.id)
    }
    /// The ETag of content with this MD5. Of a group's object it is veiled: the index of names keeps it, under
    /// a key that no erasure takes away, and an MD5 would let somebody confirm a guess at erased content.
    #[must_use]
    pub fn etag(&self, md5: [u8; 16]) -> [u8; 16] {
        match &self.group {
            Some(_) => self.object_key.veil(&md5),
            None => md5,
        }
    }
    /// Holds as long as no erasure of the group was ordered: every commit into a group carries this.
    #[must_use]
    pub fn group_stands(&self) -> Option<Precondition> {
        self.group.as_ref().map(|group| group.stands.clone())
    }
}

impl OpenObject {
    /// The group that the object belongs to.
    #[must_use]
    pub fn group_id(&self) -> Option<KeyId> {
        self.group.as_ref().map(|group| group.id)
    }
    /// The subject that the object is about.
    #[must_use]
    pub fn subject(&self) -> Option<&Subject> {
        self.group.as_ref().map(|group| &group.subject)
    }
}
