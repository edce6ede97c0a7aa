//! The tokens that the vault hands out. Their fields are private to this room; none can be copied or made
//! elsewhere. A grant carries the resource, so that nobody reads a name from a second argument.

use crate::SitePolicy;
use crate::entries::Who;
use crate::secrets::Bucket;
use crate::shred::Group;
use catalog::{Precondition, Row};
use policy::Permit;
use seal::{IndexKey, Kek, ObjectKey, ObjectPlace, Wrapped};
use std::sync::Arc;
use words::{BucketId, VersionId};

/// What a read finds.
#[allow(clippy::large_enum_variant)] // lives for one match; a box would be an allocation for every read
pub enum ReadOutcome {
    /// The object, with its key.
    Found(ReadGrant),
    /// There is no such object; that it was asked for is on the ledger.
    Absent,
}

/// One object that is open: its row as it was when a grant was recorded, and the one key that opens it.
pub struct OpenObject {
    pub(crate) object_key: ObjectKey,
    pub(crate) place: ObjectPlace,
    pub(crate) row: Row,
    pub(crate) group: Option<Arc<Group>>,
    pub(crate) lease: Option<Arc<crate::Lease>>,
}

impl OpenObject {
    /// Whether its key may be used now: always, unless that of its bucket is leased.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lease.as_ref().is_none_or(|lease| lease.is_open())
    }
    /// The object's key.
    #[must_use]
    pub const fn object_key(&self) -> &ObjectKey {
        &self.object_key
    }
    /// Where the object belongs.
    #[must_use]
    pub const fn place(&self) -> &ObjectPlace {
        &self.place
    }
    /// The object's row as it was when the grant was recorded.
    #[must_use]
    pub const fn row(&self) -> &Row {
        &self.row
    }
}

/// One object may be read.
pub struct ReadGrant {
    pub(crate) who: Who,
    pub(crate) receipt: ledger::Receipt,
    pub(crate) object: Arc<OpenObject>,
}

impl ReadGrant {
    /// The object.
    #[must_use]
    pub const fn object(&self) -> &Arc<OpenObject> {
        &self.object
    }
    /// The index of the grant's entry in the ledger.
    #[must_use]
    pub const fn ledger_index(&self) -> u64 {
        self.receipt.index()
    }
}

/// Names in one bucket may be listed.
pub struct ListGrant {
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) receipt: ledger::Receipt,
}

impl ListGrant {
    /// The index of the grant's entry in the ledger.
    #[must_use]
    pub const fn ledger_index(&self) -> u64 {
        self.receipt.index()
    }
    /// The bucket.
    #[must_use]
    pub fn bucket(&self) -> BucketId {
        self.bucket.id
    }
    /// The key of its index of names.
    #[must_use]
    pub fn index_key(&self) -> &IndexKey {
        &self.bucket.index_key
    }
}

/// One new version of one object may be written, under a fresh key.
pub struct WriteGrant {
    pub(crate) who: Who,
    pub(crate) permit: Permit,
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) name: words::ObjectKey,
    pub(crate) object_key: ObjectKey,
    pub(crate) wrapped: Wrapped,
    pub(crate) kek: Kek,
    pub(crate) place: ObjectPlace,
    pub(crate) group: Option<Arc<Group>>,
}

impl WriteGrant {
    /// The key of the new version.
    #[must_use]
    pub const fn object_key(&self) -> &ObjectKey {
        &self.object_key
    }
    /// Its key, wrapped under the bucket's, or the group's in the bucket.
    #[must_use]
    pub const fn wrapped(&self) -> Wrapped {
        self.wrapped
    }
    /// The key it is wrapped under.
    #[must_use]
    pub const fn kek(&self) -> Kek {
        self.kek
    }
    /// Where the new version belongs.
    #[must_use]
    pub const fn place(&self) -> &ObjectPlace {
        &self.place
    }
    /// The object's name.
    #[must_use]
    pub const fn name(&self) -> &words::ObjectKey {
        &self.name
    }
    /// What happens to writes while a site is away.
    #[must_use]
    pub fn site_policy(&self) -> SitePolicy {
        self.bucket.policy
    }
    /// Holds while the bucket is there: every commit into it carries this.
    #[must_use]
    pub fn bucket_stands(&self) -> Precondition {
        stands(&self.bucket)
    }
    /// The index key, under which names of uploads are sealed.
    #[must_use]
    pub fn index_key(&self) -> &IndexKey {
        &self.bucket.index_key
    }
}

/// A multipart upload may go on: its row and its key.
pub struct PartGrant {
    pub(crate) write: WriteGrant,
    pub(crate) row: Row,
    pub(crate) row_key: Vec<u8>,
    pub(crate) upload: VersionId,
}

impl PartGrant {
    /// The grant for the object to be; its key is the upload's.
    #[must_use]
    pub const fn write(&self) -> &WriteGrant {
        &self.write
    }
    /// The upload's row.
    #[must_use]
    pub const fn row(&self) -> &Row {
        &self.row
    }
    /// The upload's row key.
    #[must_use]
    pub fn row_key(&self) -> &[u8] {
        &self.row_key
    }
    /// The upload.
    #[must_use]
    pub const fn upload(&self) -> VersionId {
        self.upload
    }
}

/// One object may be deleted.
pub struct DeleteGrant {
    pub(crate) who: Who,
    pub(crate) permit: Arc<Permit>,
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) name: words::ObjectKey,
    pub(crate) name_hash: [u8; 32],
}

impl DeleteGrant {
    /// The bucket.
    #[must_use]
    pub fn bucket(&self) -> BucketId {
        self.bucket.id
    }
    /// The keyed hash of the object's name, under which its row lies.
    #[must_use]
    pub const fn name_hash(&self) -> &[u8; 32] {
        &self.name_hash
    }
    /// Holds while the bucket is there.
    #[must_use]
    pub fn bucket_stands(&self) -> Precondition {
        stands(&self.bucket)
    }
}

pub fn stands(bucket: &Bucket) -> Precondition {
    Precondition::Version(bucket.row_key.clone(), bucket.row_version)
}
