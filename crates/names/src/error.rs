//! What can go wrong, in an operator's words. No message carries a name.

use words::BucketId;

/// Why the index of names could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// The catalog did not answer a read.
    #[error(
        "the catalog could not be read for the names of a bucket; nothing was changed, try again: {0}"
    )]
    Read(#[from] catalog::ReadError),
    /// A sealed row does not open under the bucket's index key, or is not a row that this build reads.
    #[error(
        "the name index of bucket {bucket} has a damaged {what} row: {why}; the objects themselves are \
         not touched and are still found by their names; run `clarence doctor`"
    )]
    Damaged {
        /// The bucket.
        bucket: BucketId,
        /// Which kind of row.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A row that the manifest refers to is missing.
    #[error(
        "the name index of bucket {bucket} lacks a {what} row that its manifest refers to; the objects \
         themselves are not touched; run `clarence doctor`"
    )]
    Missing {
        /// The bucket.
        bucket: BucketId,
        /// Which kind of row.
        what: &'static str,
    },
    /// Another worker folds the same bucket and has taken over.
    #[error(
        "another worker folds the names of bucket {bucket}; this one has stopped and left nothing half done"
    )]
    TakenOver {
        /// The bucket.
        bucket: BucketId,
    },
    /// The catalog refused a commit, or its outcome is not known.
    #[error(
        "the names of bucket {bucket} could not be folded: {why}; the listing is complete as it stands and \
         the fold may simply be run again"
    )]
    Commit {
        /// The bucket.
        bucket: BucketId,
        /// What the catalog said.
        why: String,
    },
}
