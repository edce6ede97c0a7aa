//! What may be asked, and of what.

use words::{BucketId, TenantId};

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident $kind:ident,)*) => {
        /// What a caller wants to do. The names are those of the policies' schema.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name in policies and in the ledger.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// Whether it is asked of a bucket, not of a tenant's account.
            #[must_use]
            pub const fn of_bucket(self) -> bool {
                match self {
                    $(Self::$name => actions!(@ $kind),)*
                }
            }
        }
    };
    (@ Account) => { false };
    (@ Bucket) => { true };
}

actions! {
    /// List the tenant's buckets.
    ListBuckets Account,
    /// Make a bucket.
    CreateBucket Account,
    /// Ask whether a bucket is there, or where it is.
    HeadBucket Bucket,
    /// List a bucket's objects.
    ListObjects Bucket,
    /// List the multipart uploads under way.
    ListUploads Bucket,
    /// List the parts of an upload.
    ListParts Bucket,
    /// Read an object's headers.
    HeadObject Bucket,
    /// Read an object, also as the source of a copy.
    GetObject Bucket,
    /// Read a setting of a bucket (versioning, location, policy, …).
    ReadBucketSettings Bucket,
    /// Write an object, also as the target of a copy.
    PutObject Bucket,
    /// Begin a multipart upload.
    CreateUpload Bucket,
    /// Write a part, also as the target of a copy.
    UploadPart Bucket,
    /// Complete a multipart upload.
    CompleteUpload Bucket,
    /// Give up a multipart upload.
    AbortUpload Bucket,
    /// Delete an object.
    DeleteObject Bucket,
    /// Delete a bucket.
    DeleteBucket Bucket,
    /// Change a setting of a bucket.
    ChangeBucketSettings Bucket,
    /// Read a named version of an object.
    GetObjectVersion Bucket,
    /// Delete a named version of an object.
    DeleteObjectVersion Bucket,
    /// Read a bucket's policy.
    GetBucketPolicy Bucket,
    /// Set a bucket's policy.
    PutBucketPolicy Bucket,
    /// Take a bucket's policy away.
    DeleteBucketPolicy Bucket,
    /// Act as a role for a while.
    AssumeRole Account,
    /// Act as a role on the word of an identity provider.
    AssumeRoleWithWebIdentity Account,
    /// Give a session what its certificate says: asked of trust policies only.
    TagSession Account,
    /// Give a session the name in its certificate: asked of trust policies only.
    SetSourceIdentity Account,
    /// Make a person's or a workload's identity.
    CreateUser Account,
    /// Make a role.
    CreateRole Account,
    /// Set what a person or a workload may do.
    PutUserPolicy Account,
    /// Set what a role may do.
    PutRolePolicy Account,
    /// Make an access key of an identity.
    CreateAccessKey Account,
    /// Stop an access key.
    UpdateAccessKey Account,
    /// List the identities.
    ListUsers Account,
    /// Lease the keys of buckets, which a guest keeps at home.
    LeaseKeys Account,
}

/// What an action is asked of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Resource {
    /// Whose it is.
    pub owner: TenantId,
    /// The bucket; `None` for the tenant's account itself.
    pub bucket: Option<BucketId>,
}

impl Resource {
    /// A tenant's account.
    #[must_use]
    pub const fn account(owner: TenantId) -> Self {
        Self {
            owner,
            bucket: None,
        }
    }
    /// A bucket.
    #[must_use]
    pub const fn bucket(owner: TenantId, bucket: BucketId) -> Self {
        Self {
            owner,
            bucket: Some(bucket),
        }
    }
    /// A bucket that does not exist. It is nobody's, so that asking for it goes the same way, and is
    /// answered the same, as asking for another tenant's.
    #[must_use]
    pub const fn nowhere() -> Self {
        Self::bucket(TenantId::from_bytes([0; 16]), BucketId::from_bytes([0; 16]))
    }
}
