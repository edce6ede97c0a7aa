//! The one row that a PUT or DELETE adds to its commit.

use crate::api::NameFacts;
use crate::record::DeltaRecord;
use crate::rows;
use crate::sealing::{self, Place};
use catalog::Mutation;
use seal::IndexKey;
use words::{BucketId, ObjectKey};

/// The delta of a PUT: from its commit on, `name` stands in the bucket's listing with these facts. The salt
/// is 24 fresh random bytes.
#[must_use]
pub fn put_delta(
    key: &IndexKey,
    bucket: BucketId,
    name: &ObjectKey,
    facts: &NameFacts,
    salt: [u8; 24],
) -> Mutation {
    sealed(key, bucket, name, Some(*facts), salt)
}

/// The delta of a DELETE: from its commit on, `name` is not in the bucket's listing. Deleting what is not
/// there is allowed. The salt is 24 fresh random bytes.
#[must_use]
pub fn delete_delta(
    key: &IndexKey,
    bucket: BucketId,
    name: &ObjectKey,
    salt: [u8; 24],
) -> Mutation {
    sealed(key, bucket, name, None, salt)
}

fn sealed(
    key: &IndexKey,
    bucket: BucketId,
    name: &ObjectKey,
    facts: Option<NameFacts>,
    salt: [u8; 24],
) -> Mutation {
    let plain = DeltaRecord::encode(name.as_bytes(), facts.as_ref());
    Mutation::Append {
        prefix: rows::deltas(bucket),
        value: sealing::seal(key, bucket, Place::Delta, salt, &plain).into(),
    }
}
