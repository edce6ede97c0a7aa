//! What can go wrong with a mirrored chunk, one enum per verb.

use chunks::ChunkError;
use words::{ChunkId, SiteId};

/// Why a chunk could not be written, read or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MirrorError {
    /// The write needs a site that is away.
    #[error(
        "{site} did not take the write: {why}; nothing was acknowledged; try again when it is back"
    )]
    SiteAway {
        /// The site.
        site: SiteId,
        /// What happened there.
        why: String,
    },
    /// No site took the write.
    #[error(
        "no site took the write (site-a: {a}; site-b: {b}); nothing was acknowledged; try again"
    )]
    NoSite {
        /// What happened at the first site.
        a: String,
        /// What happened at the second site.
        b: String,
    },
    /// No site has space.
    #[error(
        "no site has space for the write (site-a: {a}; site-b: {b}); what is stored can be read and deleted; \
         make space"
    )]
    NoSpace {
        /// What happened at the first site.
        a: String,
        /// What happened at the second site.
        b: String,
    },
    /// The chunk is known, but every site that may have it is away.
    #[error(
        "chunk {chunk} cannot be read now: {why}; it is not lost; it is served again when the site is back"
    )]
    Away {
        /// The chunk.
        chunk: ChunkId,
        /// What happened at the sites.
        why: String,
    },
    /// Both sites answer, and neither has a whole copy.
    #[error(
        "chunk {chunk} is whole at neither site ({why}); run `clarence scrub`, and look for the site's folder \
         in a backup"
    )]
    Lost {
        /// The chunk.
        chunk: ChunkId,
        /// What each site said.
        why: String,
    },
    /// A record names more bytes than a chunk can have, or a read goes past its end.
    #[error(
        "chunk {chunk} has {bytes} bytes by its record; {wanted} were asked for; nothing was read"
    )]
    OutOfBounds {
        /// The chunk.
        chunk: ChunkId,
        /// Its length by the record.
        bytes: u64,
        /// The end of what was asked for.
        wanted: u64,
    },
    /// More sealed bytes were appended than one chunk may have.
    #[error("a chunk may have at most {max} sealed bytes; nothing was acknowledged")]
    TooLong {
        /// The limit.
        max: u64,
    },
    /// A site failed in another way.
    #[error("{site}: {source}")]
    Chunk {
        /// The site.
        site: SiteId,
        /// What it said.
        source: ChunkError,
    },
}

/// Why a copy could not be repaired. The damaged copy is left as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepairError {
    /// No whole copy is within reach.
    #[error(
        "chunk {chunk} cannot be repaired at {site}: no whole copy is within reach ({why}); nothing was changed"
    )]
    NoGoodCopy {
        /// The chunk.
        chunk: ChunkId,
        /// The site to be repaired.
        site: SiteId,
        /// What each site said.
        why: String,
    },
    /// The site does not take the copy.
    #[error("{site} does not take the copy: {why}; nothing was changed")]
    NotTaken {
        /// The site to be repaired.
        site: SiteId,
        /// What happened.
        why: String,
    },
}

/// Why healing stopped. What was healed before stays healed; it goes on where it stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HealError {
    /// The site is not fit to be healed.
    #[error("{site} cannot be healed yet: {why}; debts are kept")]
    NotReady {
        /// The site.
        site: SiteId,
        /// What its probe said.
        why: String,
    },
    /// Debts could not be read.
    #[error("debts could not be read: {0}; they are kept")]
    Catalog(#[from] catalog::ReadError),
    /// Settled debts could not be taken off the books.
    #[error(
        "{chunks} healed chunks could not be taken off the books: {why}; they are healed again"
    )]
    NotSettled {
        /// How many.
        chunks: usize,
        /// What the catalog said.
        why: String,
    },
    /// A row is not what it should be.
    #[error("the debt row {key} is damaged: {source}; it is kept")]
    Record {
        /// The key, in hexadecimal.
        key: String,
        /// What is wrong.
        source: words::wire::WireError,
    },
}

/// Why a sweep stopped. Nothing that is referenced was removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// The site does not answer.
    #[error("{site} cannot be swept: {source}; nothing more was removed")]
    Site {
        /// The site.
        site: SiteId,
        /// What it said.
        source: ChunkError,
    },
    /// It could not be told which chunks are referenced.
    #[error("it cannot be told which chunks are in use: {0}; nothing more was removed")]
    References(String),
}
