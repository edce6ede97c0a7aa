//! Why a verb of the store was not done. The doors map each to their protocol's code in one file.

use crate::api::BodyError;
use words::NameError;

/// Why a verb was not done. Nothing was changed, unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The policy says no, and the caller may know that the resource exists.
    #[error("access denied")]
    Denied,
    /// The basis that is missing, in words: for what is asked under an agreement.
    #[error("{0}")]
    Basis(String),
    /// There is no such bucket, or the caller may not know that there is.
    #[error("there is no such bucket")]
    NoSuchBucket,
    /// There is no such object.
    #[error("there is no such object")]
    NoSuchKey,
    /// There is no such multipart upload, or it was completed or aborted.
    #[error("there is no such upload; it may have been completed or aborted")]
    NoSuchUpload,
    /// The tenant has a bucket of that name already.
    #[error("you own a bucket of that name already")]
    BucketAlreadyOwned,
    /// The bucket still holds objects.
    #[error("the bucket is not empty")]
    BucketNotEmpty,
    /// The tenant has as many buckets as it may have.
    #[error("the tenant has reached its number of buckets")]
    TooManyBuckets,
    /// A condition of the request does not hold (412).
    #[error("a condition of the request does not hold: {0}")]
    PreconditionFailed(&'static str),
    /// The object is unchanged (304).
    #[error("the object is not modified")]
    NotModified,
    /// Another request changed the object at the same moment (409); trying again is safe.
    #[error("another request changed this object at the same moment; try again")]
    ConditionalConflict,
    /// The range lies outside the object (416).
    #[error("the range lies outside the object of {size} bytes")]
    RangeNotSatisfiable {
        /// The object's length.
        size: u64,
    },
    /// The part number is not one of the object's parts (416).
    #[error("the object has no such part")]
    NoSuchPart,
    /// A checksum or MD5 that the client sent differs from that of the bytes.
    #[error("the {0} that was sent differs from that of the bytes received; nothing was kept")]
    BadDigest(&'static str),
    /// The body could not be read to its end.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The body or a part is larger than allowed.
    #[error("the body is larger than the {max} bytes allowed")]
    TooLarge {
        /// The limit in bytes.
        max: u64,
    },
    /// A part that is not the last is smaller than 5 MiB.
    #[error("part {number} is smaller than the 5 MiB that all parts but the last must have")]
    PartTooSmall {
        /// The part's number.
        number: u32,
    },
    /// A part named in CompleteMultipartUpload was not uploaded or has another ETag.
    #[error("part {number} was not uploaded or its ETag differs")]
    InvalidPart {
        /// The part's number.
        number: u32,
    },
    /// The parts are not in ascending order.
    #[error("the parts are not in ascending order")]
    InvalidPartOrder,
    /// User metadata is too long.
    #[error("user metadata is longer than 2 KiB")]
    MetadataTooLarge,
    /// A name is not valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A policy document cannot be taken (400).
    #[error("{0}")]
    MalformedPolicy(String),
    /// The bucket has no policy (404).
    #[error("The bucket policy does not exist")]
    NoSuchBucketPolicy,
    /// The tenant has used up what it may use.
    #[error("{0}")]
    QuotaExceeded(String),
    /// The request asks for something that does not fit together.
    #[error("{0}")]
    Invalid(String),
    /// A site is away and this bucket takes no writes with one copy, or the only copy is away (503).
    #[error("a site is away: {0}; what was stored is safe, try again later")]
    SiteAway(String),
    /// The bucket's key is its owner's, who has not leased it now (503).
    #[error("{0}")]
    NotLeased(String),
    /// Too much is going on (503).
    #[error("too many requests at once; try again")]
    Busy,
    /// The node is sealed (503).
    #[error("the node is sealed; it opens when a quorum of the parents has given its shares")]
    Sealed,
    /// No space is left for writing; reads and deletes go on.
    #[error("no space is left for writing; what was stored is safe, reads and deletes go on")]
    NoSpace,
    /// It is not known whether the change took effect (500); the client should look and try again.
    #[error(
        "it is not known whether the change took effect: {0}; read it back before you try again"
    )]
    Unknown(String),
    /// Stored bytes failed verification at every site.
    #[error("stored bytes failed verification at both sites; nothing wrong was served: {0}")]
    Corrupt(String),
    /// A fault of the node.
    #[error("the node could not do it: {0}")]
    Internal(String),
}

impl From<vault::VaultError> for StoreError {
    fn from(error: vault::VaultError) -> Self {
        use vault::VaultError as V;
        match error {
            V::Sealed => Self::Sealed,
            V::Denied => Self::Denied,
            V::Basis(why) | V::Revoked(why) => Self::Basis(why),
            V::NoSuchBucket => Self::NoSuchBucket,
            V::NoSuchUpload => Self::NoSuchUpload,
            V::Erased => Self::NoSuchKey,
            // What is about a subject stays closed until the root has been at hand once.
            V::NoEraseKey => Self::Sealed,
            V::NotEmpty => Self::BucketNotEmpty,
            V::Conflict => Self::ConditionalConflict,
            V::NoSpace => Self::NoSpace,
            V::Unknown(why) => Self::Unknown(why),
            V::Away(why) => Self::SiteAway(why),
            V::NotLeased(_) => Self::NotLeased(error.to_string()),
            V::Read(error) => error.into(),
            V::Document(_) => Self::MalformedPolicy(error.to_string()),
            V::NoBucketPolicy => Self::NoSuchBucketPolicy,
            V::Quota(why) => Self::QuotaExceeded(why),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<StoreError> for statement::Refused {
    fn from(error: StoreError) -> Self {
        use statement::Why;
        let why = match &error {
            StoreError::Denied | StoreError::Basis(_) | StoreError::QuotaExceeded(_) => Why::Denied,
            StoreError::NoSuchBucket | StoreError::NoSuchKey | StoreError::NoSuchUpload => {
                Why::NotFound
            }
            StoreError::ConditionalConflict | StoreError::PreconditionFailed(_) => Why::Conflict,
            StoreError::Invalid(_)
            | StoreError::Name(_)
            | StoreError::RangeNotSatisfiable { .. }
            | StoreError::Body(_) => Why::Invalid,
            StoreError::TooLarge { .. } => Why::TooLarge,
            StoreError::SiteAway(_)
            | StoreError::NotLeased(_)
            | StoreError::Busy
            | StoreError::Sealed
            | StoreError::NoSpace
            | StoreError::Unknown(_) => Why::Unavailable,
            _ => Why::Internal,
        };
        Self::new(why, error.to_string())
    }
}

impl From<catalog::ReadError> for StoreError {
    fn from(error: catalog::ReadError) -> Self {
        match error {
            catalog::ReadError::Away(why) => Self::SiteAway(why),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<names::NamesError> for StoreError {
    fn from(error: names::NamesError) -> Self {
        match error {
            names::NamesError::Read(error) => error.into(),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<words::wire::WireError> for StoreError {
    fn from(error: words::wire::WireError) -> Self {
        Self::Corrupt(error.to_string())
    }
}

impl From<mirror::MirrorError> for StoreError {
    fn from(error: mirror::MirrorError) -> Self {
        use mirror::MirrorError as M;
        match error {
            M::SiteAway { .. } | M::Away { .. } => Self::SiteAway(error.to_string()),
            M::NoSpace { .. } => Self::NoSpace,
            other => Self::Internal(other.to_string()),
        }
    }
}
