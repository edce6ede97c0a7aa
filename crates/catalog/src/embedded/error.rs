//! What can go wrong with a site or with the engine, said so that an operator knows what to do.

use crate::record::format::FormatError;
use epoch::{TenureError, Trouble, TroubleKind};
use std::path::PathBuf;
use words::{CloudId, SiteId};

/// Trouble with one site's database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct SiteError {
    /// Its kind.
    pub kind: TroubleKind,
    /// What happened.
    pub what: String,
}

impl SiteError {
    pub(crate) fn new(kind: TroubleKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
        }
    }
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::new(TroubleKind::Damaged, what)
    }
    pub(crate) fn io(doing: &str, error: &std::io::Error) -> Self {
        Self::new(kind_of(error), format!("{doing}: {error}"))
    }
    pub(crate) fn trouble(&self) -> Trouble {
        Trouble {
            kind: self.kind,
            what: format!("catalog: {}", self.what),
        }
    }
}

fn kind_of(error: &std::io::Error) -> TroubleKind {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => TroubleKind::Full,
        std::io::ErrorKind::NotFound => TroubleKind::Gone,
        std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::InvalidData => TroubleKind::Damaged,
        _ => TroubleKind::Failed,
    }
}

impl From<fjall::Error> for SiteError {
    fn from(error: fjall::Error) -> Self {
        use fjall::{Error, LsmError};
        let kind = match &error {
            Error::Io(e) | Error::Storage(LsmError::Io(e)) => kind_of(e),
            Error::Locked | Error::KeyspaceDeleted => TroubleKind::Failed,
            _ => TroubleKind::Damaged,
        };
        let what = match &error {
            Error::Poisoned => {
                "its database stopped after an error in the background and has to be rebuilt"
                    .to_owned()
            }
            Error::Locked => "another process has this folder open".to_owned(),
            other => format!("the database said: {other:?}"),
        };
        Self { kind, what }
    }
}

/// Why the engine could not be opened or made.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{}: another process has this folder open; nothing was changed; stop that process first", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The folder is of another format.
    #[error("{}: {source}; nothing was changed; use the build that wrote it, or a newer one", path.display())]
    Format {
        /// The folder.
        path: PathBuf,
        /// Which.
        source: FormatError,
    },
    /// The folder belongs to another cloud.
    #[error("{} belongs to the cloud {found}, not to {expected}; nothing was changed; check the paths", path.display())]
    OtherCloud {
        /// The folder.
        path: PathBuf,
        /// Its cloud.
        found: CloudId,
        /// Ours.
        expected: CloudId,
    },
    /// There is a catalog here already.
    #[error("{} holds a catalog already; nothing was changed; choose an empty folder", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// No site that is current can be opened.
    #[error(
        "no site that is current has a catalog that can be opened ({why}); nothing was changed; bring the other site back, or let the parties accept the loss"
    )]
    NoSite {
        /// What was wrong with each.
        why: String,
    },
    /// The standing could not be recorded.
    #[error(transparent)]
    Tenure(#[from] TenureError),
    /// The machine gave no thread.
    #[error("no thread could be started: {0}")]
    Thread(std::io::Error),
    /// A site's database failed while the catalog was made.
    #[error("{site}: {source}")]
    Site {
        /// The site.
        site: SiteId,
        /// What happened.
        source: SiteError,
    },
}

/// Why a site was not healed, compared or given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HealError {
    /// There is nothing to heal from.
    #[error("{0} is the only site that is current; there is nothing to heal it from")]
    NoSource(SiteId),
    /// No folder was configured for the site.
    #[error("{0} has no folder; set one and try again")]
    NoFolder(SiteId),
    /// Another heal or scrub is running.
    #[error("another heal or scrub is running; wait for it to end")]
    Busy,
    /// The site's folder must not be written.
    #[error("{site} was not touched: {why}")]
    Foreign {
        /// The site.
        site: SiteId,
        /// Why.
        why: String,
    },
    /// A site failed meanwhile.
    #[error("{site} failed while it was being healed or compared, and stays as it was: {source}")]
    Site {
        /// Which site.
        site: SiteId,
        /// What happened.
        source: SiteError,
    },
    /// The standing could not be recorded.
    #[error(transparent)]
    Tenure(#[from] TenureError),
    /// The engine has stopped.
    #[error("the catalog has stopped")]
    Stopped,
}
