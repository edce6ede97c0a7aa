//! Why the vault hands nothing out.

use catalog::{Outcome, ReadError, Refused};
use seal::{OpenError, UnwrapError};
use words::wire::WireError;

/// Why the vault hands nothing out. Whatever was refused is on the ledger already.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The node is sealed.
    #[error("the node is sealed; it opens when a quorum of the parties has given its shares")]
    Sealed,
    /// The policy says no.
    #[error("access denied")]
    Denied,
    /// There is no such bucket, or the caller may not know that there is.
    #[error("there is no such bucket")]
    NoSuchBucket,
    /// There is no such upload.
    #[error("there is no such upload")]
    NoSuchUpload,
    /// What was asked for belonged to a person or case that was erased.
    #[error("it was erased")]
    Erased,
    /// Nothing is kept about this subject.
    #[error("the tenant keeps nothing under this subject; it may have been erased already")]
    NoSuchSubject,
    /// There is no such erasure.
    #[error("there is no erasure {0}; `clarence subject list` shows those there are")]
    NoSuchErasure(String),
    /// The node opened itself under a lease, or the cloud was founded before there was erasure: its root has not been at
    /// hand since.
    #[error(
        "the erasure key is not at hand, so nothing was done; seal the node and unseal it once with a quorum of shares"
    )]
    NoEraseKey,
    /// A statement about a share was refused.
    #[error("{0}")]
    Statement(String),
    /// The name is taken.
    #[error("{0} exists already")]
    Exists(String),
    /// There is no such tenant.
    #[error("there is no tenant {0}; `clarence tenant list` shows those there are")]
    NoSuchTenant(String),
    /// There is no such credential.
    #[error("there is no access key {0}")]
    NoSuchAccessKey(String),
    /// A limit is reached.
    #[error("{0}")]
    Limit(String),
    /// The bucket still holds objects.
    #[error("the bucket is not empty")]
    NotEmpty,
    /// Something changed at the same moment; trying again is safe.
    #[error("something changed at the same moment; try again")]
    Conflict,
    /// The entry could not be made durable, so nothing was done.
    #[error("the ledger entry could not be made durable, so nothing was done: {0}")]
    NotRecorded(String),
    /// It is not known whether the act took effect.
    #[error("it is not known whether the act took effect: {0}")]
    Unknown(String),
    /// What keeps the catalog does not answer now; nothing was done.
    #[error("the catalog does not answer, so nothing was done: {0}")]
    Away(String),
    /// No space is left.
    #[error("no space is left for ledger entries; nothing was done")]
    NoSpace,
    /// The catalog could not be read.
    #[error("the catalog could not be read: {0}")]
    Read(#[from] ReadError),
    /// A stored record is damaged or of another format.
    #[error("a stored record could not be read: {0}")]
    Record(#[from] WireError),
    /// A row is not as it was signed.
    #[error(
        "the row of {0} was altered in the catalog: its MAC does not match; nothing of it is used; compare the          sites with `clarence scrub`, or bring the row back from a copy of the catalog"
    )]
    RowAltered(String),
    /// A key is wrapped under a version that is not at hand.
    #[error(
        "{what} is wrapped under version {version} of the key above it, which is not at hand; nothing was opened;          an older copy of the row that holds that key may be missing"
    )]
    KeyVersion {
        /// What is wrapped.
        what: &'static str,
        /// The version it names.
        version: u32,
    },
    /// A key cannot be renewed now.
    #[error("{0}")]
    Rotation(String),
    /// A wrapped key did not open.
    #[error(transparent)]
    Unwrap(#[from] UnwrapError),
    /// A sealed value did not open.
    #[error("a sealed record did not open: {0}")]
    Open(#[from] OpenError),
    /// An object's record did not verify.
    #[error("an object's record did not verify: {0}")]
    ObjectRecord(String),
    /// The ledger's own records or keys are damaged.
    #[error("the ledger could not be read or signed: {0}")]
    Ledger(String),
    /// An index of names could not be read or folded.
    #[error("an index of names could not be looked after: {0}")]
    Index(String),
    /// The act is not for one alone.
    #[error("{0}")]
    NeedsQuorum(String),
    /// The tenant's keys may not be used where this node is.
    #[error("{0}")]
    Abroad(String),
    /// A policy document cannot be translated.
    #[error("the policy document was not taken, nothing was changed: {0}")]
    Document(#[from] policy::DocumentError),
    /// The bucket has no policy.
    #[error("the bucket has no policy")]
    NoBucketPolicy,
    /// There is no such identity.
    #[error("there is no {0}")]
    NoSuchIdentity(String),
    /// There is no such loan.
    #[error("there is no loan {0}; `clarence embassy loans` shows those there are")]
    NoSuchLoan(String),
    /// Something that was asked for cannot be done so.
    #[error("{0}")]
    Usage(String),
    /// A credential's row was changed outside of the vault.
    #[error(
        "the record of the access key {0} was changed outside of the vault; nothing opens with it: make another key and look for who could write the catalog"
    )]
    Tampered(String),
    /// A quota is used up.
    #[error("{0}")]
    Quota(String),
    /// There is no such table, or it is not there for whoever asks.
    #[error("there is no table {0}; the tables that you see are listed by \\d, or by SHOW TABLES")]
    NoSuchTable(String),
    /// There is no such database, or it is not there for whoever asks.
    #[error("there is no database {0}; use your tenant's name, or agr_ and the id of an agreement")]
    NoSuchDatabase(String),
    /// It may not be done: the basis that is missing.
    #[error("{0}")]
    Basis(String),
    /// There is no such agreement.
    #[error("there is no agreement {0}")]
    NoSuchAgreement(String),
    /// Who asks is not believed.
    #[error(
        "the user or the password is wrong; the user is an access key's id, the password its secret"
    )]
    Unauthenticated,
    /// Too many wrong attempts.
    #[error("too many attempts failed; nothing was done, wait a minute")]
    Locked,
    /// The session has ended.
    #[error("the session has ended; sign in again")]
    SessionEnded,
    /// The bucket's key is its owner's, who has not leased it now.
    #[error("{0}; nothing was read or changed, try again")]
    NotLeased(String),
    /// The grant has ended, or what it stood on was taken back.
    #[error("{0}")]
    Revoked(String),
    /// The policy set could not be loaded.
    #[error("the policy set could not be loaded: {0}")]
    Policy(String),
}

impl VaultError {
    /// What an outcome that is not a success means for an act that only writes an entry.
    pub(crate) fn from_outcome(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Committed(_) | Outcome::Conflict { .. } => Self::Conflict,
            Outcome::Refused(Refused::Away(why)) => Self::Away(why),
            Outcome::Refused(refused) => Self::NotRecorded(refused.to_string()),
            Outcome::Unknown(why) => Self::Unknown(why),
        }
    }
}

impl From<VaultError> for statement::Refused {
    fn from(error: VaultError) -> Self {
        use statement::Why;
        let why = match &error {
            VaultError::Unauthenticated => Why::Unauthenticated,
            VaultError::Locked => Why::Locked,
            VaultError::SessionEnded => Why::SessionEnded,
            VaultError::NoSuchTable(_)
            | VaultError::NoSuchDatabase(_)
            | VaultError::NoSuchBucket
            | VaultError::Erased
            | VaultError::NoSuchAgreement(_) => Why::NotFound,
            VaultError::Denied
            | VaultError::Basis(_)
            | VaultError::Abroad(_)
            | VaultError::NeedsQuorum(_)
            | VaultError::Quota(_) => Why::Denied,
            VaultError::Revoked(_) => Why::Revoked,
            VaultError::Usage(_) => Why::Invalid,
            VaultError::Exists(_) | VaultError::Conflict => Why::Conflict,
            VaultError::Limit(_) => Why::TooLarge,
            VaultError::Sealed
            | VaultError::NotRecorded(_)
            | VaultError::Unknown(_)
            | VaultError::NotLeased(_)
            | VaultError::Away(_) => Why::Unavailable,
            _ => Why::Internal,
        };
        Self::new(why, error.to_string())
    }
}
