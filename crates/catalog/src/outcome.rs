//! How a commit ended. There are three ways, and callers must not mistake the third for the second.

use ledger::Receipt;
use words::SiteId;

/// Where a commit is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sites {
    /// At both sites.
    Both,
    /// At one site; the other is recorded as behind.
    Only(SiteId),
}

impl Sites {
    /// The sites, in order.
    #[must_use]
    pub fn list(self) -> Vec<SiteId> {
        match self {
            Self::Both => SiteId::BOTH.to_vec(),
            Self::Only(site) => vec![site],
        }
    }
}

/// Proof that a commit is durable. Made by engines only.
#[derive(Debug)]
pub struct Committed {
    version: u64,
    receipts: Vec<Receipt>,
    sites: Sites,
}

impl Committed {
    pub(crate) const fn new(version: u64, receipts: Vec<Receipt>, sites: Sites) -> Self {
        Self {
            version,
            receipts,
            sites,
        }
    }
    /// The commit's version: larger than that of every commit before.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }
    /// Where it is durable.
    #[must_use]
    pub const fn sites(&self) -> Sites {
        self.sites
    }
    /// One receipt for each entry, in order.
    #[must_use]
    pub fn into_receipts(self) -> Vec<Receipt> {
        self.receipts
    }
}

/// Why a commit was refused before anything was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is larger than a limit of `words::limits`.
    #[error("the commit is over a limit: {0}")]
    Limit(&'static str),
    /// No space is left at a site.
    #[error("no space is left at {0}; what was stored is safe, reads go on")]
    NoSpace(String),
    /// The engine takes no commits now.
    #[error("the catalog takes no commits: {0}")]
    NotWritable(String),
    /// What keeps the catalog does not answer now; the same commit may be taken in a moment.
    #[error("the catalog's servers do not answer: {0}; nothing was written, try again")]
    Away(String),
}

/// How a commit ended.
#[derive(Debug)]
#[must_use = "a commit that is not known to be durable must not be acknowledged"]
pub enum Outcome {
    /// It is durable.
    Committed(Committed),
    /// A precondition did not hold; nothing was written.
    Conflict {
        /// Which one, counted from 0.
        which: usize,
    },
    /// It was refused; nothing was written.
    Refused(Refused),
    /// It is not known whether it took effect; look the op up, never send it again blindly.
    Unknown(String),
}
