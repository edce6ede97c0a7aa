//! The token [`Mirrored`]: a chunk is durable, and where. A write that ended with one copy is another
//! variant, so that no code can be silent about it.

use crate::record::debt::{DebtRow, debt_key};
use catalog::Mutation;
use chunks::ChunkRef;
use words::{SiteId, UnixMillis};

/// A chunk is durable. Made by [`crate::MirrorWriter::finish`] and by nothing else.
#[derive(Debug)]
#[must_use = "the object's commit must record where its chunk is"]
pub enum Mirrored {
    /// At both sites.
    BothSites(BothProof),
    /// At one site; the other lacks it.
    OneSite {
        /// What the other site lacks. Its rows go into the object's own commit.
        debt: Debt,
    },
}

/// Proof that a chunk is durable at both sites.
#[derive(Debug)]
pub struct BothProof(());

impl BothProof {
    pub(crate) const fn mint() -> Self {
        Self(())
    }
}

/// A chunk that one site lacks.
#[derive(Debug)]
#[must_use = "the object's commit must record what a site lacks"]
pub struct Debt {
    site: SiteId,
    chunk: ChunkRef,
    since: UnixMillis,
}

impl Debt {
    pub(crate) const fn new(site: SiteId, chunk: ChunkRef, since: UnixMillis) -> Self {
        Self { site, chunk, since }
    }
    /// The site that lacks the chunk.
    #[must_use]
    pub const fn site(&self) -> SiteId {
        self.site
    }
    /// The chunk it lacks.
    #[must_use]
    pub const fn chunk(&self) -> &ChunkRef {
        &self.chunk
    }
    /// The rows that record the debt: part of the commit that first names the chunk.
    #[must_use]
    pub fn mutations(self) -> Vec<Mutation> {
        let row = DebtRow {
            bytes: self.chunk.bytes,
            blake3: self.chunk.blake3,
            since: self.since,
        };
        vec![Mutation::Put {
            key: debt_key(self.site, self.chunk.id),
            value: row.encode().into(),
        }]
    }
}
