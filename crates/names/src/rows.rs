//! Keys of the rows that belong to this room. Everything in them is in clear, so nothing in them is a name.

use crate::position::Position;
use crate::record::RunId;
use words::BucketId;
use words::wire::Writer;

const DELTAS: u8 = b'D';
const RUNS: u8 = b'N';
const MANIFEST: u8 = 0x00;
const PAGE: u8 = 0x01;
const FENCES: u8 = 0x02;

/// Which kind of node a row of a run is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum NodeKind {
    /// Names with their facts.
    Page,
    /// Fences: where the pages, or the fences below, begin.
    Fences,
}

impl NodeKind {
    pub(crate) const fn tag(self) -> u8 {
        match self {
            Self::Page => PAGE,
            Self::Fences => FENCES,
        }
    }
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Fences => "fence",
        }
    }
}

/// The prefix of a bucket's deltas, which is what the catalog appends a position to.
pub(crate) fn deltas(bucket: BucketId) -> Vec<u8> {
    Writer::bare().u8(DELTAS).raw(bucket.as_bytes()).finish()
}

/// One delta's row.
pub(crate) fn delta(bucket: BucketId, position: &Position) -> Vec<u8> {
    Writer::bare()
        .u8(DELTAS)
        .raw(bucket.as_bytes())
        .raw(position.as_bytes())
        .finish()
}

/// The position in a delta's key.
pub(crate) fn delta_position(key: &[u8]) -> Option<Position> {
    key.get(1 + 16..).and_then(Position::from_bytes)
}

/// The prefix of everything else of a bucket.
pub(crate) fn runs(bucket: BucketId) -> Vec<u8> {
    Writer::bare().u8(RUNS).raw(bucket.as_bytes()).finish()
}

/// The bucket's manifest.
pub(crate) fn manifest(bucket: BucketId) -> Vec<u8> {
    Writer::bare()
        .u8(RUNS)
        .raw(bucket.as_bytes())
        .u8(MANIFEST)
        .finish()
}

/// The prefix of a run's nodes of one kind.
pub(crate) fn nodes(bucket: BucketId, kind: NodeKind, run: RunId) -> Vec<u8> {
    Writer::bare()
        .u8(RUNS)
        .raw(bucket.as_bytes())
        .u8(kind.tag())
        .raw(run.as_bytes())
        .finish()
}

/// One node of a run.
pub(crate) fn node(bucket: BucketId, kind: NodeKind, run: RunId, number: u32) -> Vec<u8> {
    let mut key = nodes(bucket, kind, run);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// The least key that is greater than every key that begins with `prefix`.
pub(crate) fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

/// The least key that is greater than `key`.
pub(crate) fn just_after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}
