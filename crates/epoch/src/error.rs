//! What can go wrong, said so that an operator knows what is safe and what to do.

use crate::record::RecordError;
use crate::start::Refusal;
use std::path::PathBuf;
use words::{CloudId, SiteId};

/// Why a witness gave or took no record.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// The folder is not there.
    #[error("{name}: the folder {} is not there; is its disk mounted?", path.display())]
    Missing {
        /// Which witness.
        name: String,
        /// Its folder.
        path: PathBuf,
    },
    /// The file could not be read or written.
    #[error("{name}: {} could not be read or written: {source}", path.display())]
    Io {
        /// Which witness.
        name: String,
        /// Its file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The record is damaged or of another format.
    #[error("{name}: {}: {source}", path.display())]
    Record {
        /// Which witness.
        name: String,
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        source: RecordError,
    },
    /// No answer within the deadline.
    #[error("{name} did not answer")]
    Silent {
        /// Which witness.
        name: String,
    },
}

/// Why a change of standing was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TenureError {
    /// Too few witnesses took the record.
    #[error(
        "only {taken} of the {needed} witnesses that are needed took the record of epoch {epoch} ({failures}); nothing \
         that was acknowledged is lost; bring a witness folder back, then it is tried again"
    )]
    NoQuorum {
        /// The epoch that was to be recorded.
        epoch: u64,
        /// How many took it.
        taken: usize,
        /// How many have to.
        needed: usize,
        /// What the others said.
        failures: String,
    },
    /// The site that remains could not record it in its own folder.
    #[error("{site} could not record epoch {epoch} in its own folder: {why}")]
    OwnFolder {
        /// The site.
        site: SiteId,
        /// The epoch.
        epoch: u64,
        /// What the system said.
        why: String,
    },
    /// The other site is away already.
    #[error("{site} is the only site that is current and cannot be given up")]
    LastSite {
        /// The site.
        site: SiteId,
    },
    /// A witness holds a newer record than this node's.
    #[error(
        "{witness} holds epoch {theirs}, this node epoch {ours}: another process serves this cloud; stop this one"
    )]
    Superseded {
        /// Who holds it.
        witness: String,
        /// Its epoch.
        theirs: u64,
        /// Ours.
        ours: u64,
    },
    /// The parties were shown another state than the witnesses hold now.
    #[error(
        "the consent speaks of another loss than the one the witnesses tell of now; show it to the parties again"
    )]
    ConsentVoid,
    /// The site's folder cannot be used.
    #[error("{site} cannot be used: {why}")]
    NoFolder {
        /// The site.
        site: SiteId,
        /// Why not.
        why: String,
    },
}

/// Why the node does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A folder or witness belongs to another cloud.
    #[error(
        "{place} belongs to the cloud {found}, not to {expected}; nothing was changed; check the paths in the configuration"
    )]
    OtherCloud {
        /// Which place.
        place: String,
        /// The cloud it belongs to.
        found: CloudId,
        /// The cloud that was asked for.
        expected: CloudId,
    },
    /// A record is there that this build cannot read because it is of a newer format.
    #[error("{0}")]
    NewerFormat(String),
    /// There is a cloud here already.
    #[error("{place} holds a cloud already; nothing was changed; choose empty folders")]
    NotEmpty {
        /// Which place.
        place: String,
    },
    /// The rule says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What has to be recorded before serving could not be.
    #[error(transparent)]
    Tenure(#[from] TenureError),
}
