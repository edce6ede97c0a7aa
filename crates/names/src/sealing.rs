//! The only place where rows of this room are sealed and opened. Each value is bound to the bucket and to
//! the row it belongs to, so that no row can stand in for another.
//!
//! A delta's position is given by the catalog at commit and is therefore not known when it is sealed: a
//! delta is bound to its bucket only. What follows from that is said in `docs/format/names.md`.

use crate::record::RunId;
use crate::rows::NodeKind;
use seal::IndexKey;
use words::BucketId;
use words::wire::Writer;

const LABEL: &[u8] = b"clarence/v1/names\0";

/// Which row a sealed value belongs to.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// Any delta of the bucket.
    Delta,
    /// The bucket's manifest.
    Manifest,
    /// A node of a run.
    Node(NodeKind, RunId, u32),
}

impl Place {
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::Delta => "delta",
            Self::Manifest => "manifest",
            Self::Node(kind, ..) => kind.what(),
        }
    }
    fn context(self, bucket: BucketId) -> Vec<u8> {
        let context = Writer::bare().raw(LABEL);
        match self {
            Self::Delta => context.u8(b'd').raw(bucket.as_bytes()),
            Self::Manifest => context.u8(b'm').raw(bucket.as_bytes()),
            Self::Node(NodeKind::Page, run, number) => context
                .u8(b'p')
                .raw(bucket.as_bytes())
                .raw(run.as_bytes())
                .u32(number),
            Self::Node(NodeKind::Fences, run, number) => context
                .u8(b'f')
                .raw(bucket.as_bytes())
                .raw(run.as_bytes())
                .u32(number),
        }
        .finish()
    }
}

/// Seals a row's value.
pub(crate) fn seal(
    key: &IndexKey,
    bucket: BucketId,
    place: Place,
    salt: [u8; 24],
    plain: &[u8],
) -> Vec<u8> {
    seal::seal_value(key, &place.context(bucket), salt, plain)
}

/// Opens a row's value; `Err` says what is wrong in words.
pub(crate) fn open(
    key: &IndexKey,
    bucket: BucketId,
    place: Place,
    sealed: &[u8],
) -> Result<Vec<u8>, String> {
    // Taken out of its wiping shell: an opened row is kept in memory for listings.
    seal::open_value(key, &place.context(bucket), sealed)
        .map(|mut plain| std::mem::take(&mut *plain))
        .map_err(|error| error.to_string())
}
