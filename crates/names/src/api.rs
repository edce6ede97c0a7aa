//! What callers hand in and get back. Names are personal data: none of these types shows one in `Debug`.

use std::fmt;
use words::limits::KEYS_PER_REQUEST_MAX;
use words::{ObjectKey, UnixMillis, VersionId};

/// What a listing says about an object, kept beside its name so that LIST needs no look-up per name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NameFacts {
    /// Plaintext bytes.
    pub size: u64,
    /// When the version was written.
    pub modified: UnixMillis,
    /// The 16 bytes before the dash of the ETag.
    pub etag: [u8; 16],
    /// Parts of a multipart upload; 0 for an object of a single PUT, whose ETag then has no dash.
    pub parts: u32,
    /// The version that the name stands for.
    pub version: VersionId,
}

/// What one page of a listing asks for.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ListQuery {
    /// Only names that begin with this; empty for all.
    pub prefix: String,
    /// Only names and common prefixes that come after this in byte order: S3's `marker`, `start-after`, or
    /// the `next` of the page before. A common prefix that this lies inside of is not named again.
    pub after: Option<String>,
    /// Names that share everything up to the first delimiter after the prefix are rolled into one common
    /// prefix. Any length; an empty one is none.
    pub delimiter: Option<String>,
    /// Most names and common prefixes together; more than [`KEYS_PER_REQUEST_MAX`] counts as that.
    pub max: usize,
}

impl ListQuery {
    /// Everything under `prefix`, a full page of it.
    #[must_use]
    pub fn under(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            max: KEYS_PER_REQUEST_MAX,
            ..Self::default()
        }
    }
}

impl fmt::Debug for ListQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ListQuery(prefix of {} bytes, max {})",
            self.prefix.len(),
            self.max
        )
    }
}

/// One line of a listing.
#[derive(Clone, PartialEq, Eq)]
pub enum ListItem {
    /// An object.
    Object {
        /// Its name.
        name: ObjectKey,
        /// What is known of it.
        facts: NameFacts,
    },
    /// A common prefix, the delimiter at its end included.
    Prefix(String),
}

impl fmt::Debug for ListItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object { name, .. } => write!(f, "Object({name:?})"),
            Self::Prefix(prefix) => write!(f, "Prefix({} bytes)", prefix.len()),
        }
    }
}

/// One page of a listing.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ListPage {
    /// Names and common prefixes in byte order.
    pub items: Vec<ListItem>,
    /// Whether more follow.
    pub truncated: bool,
    /// The last name or common prefix of this page, to be handed in as `after` of the next one; `None` when
    /// nothing follows.
    pub next: Option<String>,
}

impl fmt::Debug for ListPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ListPage({} items, truncated {})",
            self.items.len(),
            self.truncated
        )
    }
}

/// What a fold did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FoldReport {
    /// Deltas that now stand in a run.
    pub deltas: u64,
    /// Names and tombstones written by merges of runs.
    pub merged: u64,
    /// Pages and fences written.
    pub pages: u64,
    /// Rows removed because nothing refers to them any more.
    pub swept: u64,
    /// Whether rows wait to be swept, so that another fold is needed once their grace is over.
    pub more: bool,
}

/// How many deltas of a bucket wait to be folded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pending {
    /// At least this many; counting stops at the bound.
    pub deltas: u64,
    /// The bound is reached: writers must wait (503 `SlowDown`) until a fold has caught up.
    pub full: bool,
    /// A fold would find something worth its writes: enough deltas, or rows whose grace is over.
    pub due: bool,
    /// Rows that nothing refers to wait for the end of their grace: ask again later, even if no delta
    /// waits.
    pub unswept: bool,
}
