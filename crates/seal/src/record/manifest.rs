//! The segment table of one object version, checked against the record's digest. With it no part can be
//! dropped, put in another order, doubled, or swapped for an earlier upload of itself.

use super::object::{ObjectRecord, RecordError};
use super::segment::{SEGMENT_BYTES, Segment, SegmentContext};
use crate::cobblestone::{HEADER_BYTES, OpenError, SALT_BYTES, SegmentOpener};
use crate::object_key::ObjectKey;
use aws_lc_rs::digest;
use words::limits::PARTS_MAX;
use words::wire::WireError;

/// Why a segment could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// It is not the segment that the table names.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Its header does not fit key and place.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// The proven segment table.
#[derive(Clone, Debug)]
pub struct Manifest {
    segments: Vec<Segment>,
}

impl Manifest {
    /// Reads the stored table and checks it against the record.
    pub fn read(record: &ObjectRecord, table: &[u8]) -> Result<Self, RecordError> {
        if table.len() > SEGMENT_BYTES * PARTS_MAX as usize
            || !table.len().is_multiple_of(SEGMENT_BYTES)
        {
            return Err(WireError::Field("segment table length").into());
        }
        let segments = table
            .chunks(SEGMENT_BYTES)
            .map(Segment::parse)
            .collect::<Result<Vec<_>, _>>()?;
        Self::prove(record, segments)
    }

    /// Checks rows that were read elsewhere against the record.
    pub fn prove(record: &ObjectRecord, segments: Vec<Segment>) -> Result<Self, RecordError> {
        let whole = segments.len() == record.segment_count() as usize
            && total_plain_bytes(&segments)? == record.plain_bytes()
            && ct_root(&segments) == *record.ct_root()
            && manifest_digest(&segments) == *record.manifest_digest();
        if whole {
            Ok(Self { segments })
        } else {
            Err(RecordError::Manifest)
        }
    }

    /// The segments in order.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The segment that holds byte `offset` of the object, and the byte's offset in it. `None` at and
    /// beyond the end.
    #[must_use]
    pub fn locate(&self, offset: u64) -> Option<(usize, u64)> {
        let mut left = offset;
        for (index, segment) in self.segments.iter().enumerate() {
            match left.checked_sub(segment.plain_bytes) {
                None => return Some((index, left)),
                Some(beyond) => left = beyond,
            }
        }
        None
    }

    /// The opener of segment `index`, if `header` is the header of exactly the upload that the object was
    /// completed with.
    pub fn opener(
        &self,
        index: usize,
        key: &ObjectKey,
        context: &SegmentContext,
        header: &[u8; HEADER_BYTES],
    ) -> Result<SegmentOpener, SegmentError> {
        let named = self.segments.get(index).map(|segment| &segment.salt);
        if named != header.first_chunk::<SALT_BYTES>() {
            return Err(RecordError::Segment { index }.into());
        }
        Ok(SegmentOpener::new(key.as_ref(), &context.bytes(), header)?)
    }
}

/// The table as it is stored.
#[must_use]
pub fn table_bytes(segments: &[Segment]) -> Vec<u8> {
    segments.iter().flat_map(Segment::to_bytes).collect()
}

/// SHA-512/256 of the table.
pub(crate) fn manifest_digest(segments: &[Segment]) -> [u8; 32] {
    let hash = digest::digest(&digest::SHA512_256, &table_bytes(segments));
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(hash.as_ref()) {
        *to = *from;
    }
    out
}

/// A single segment's hash, otherwise the BLAKE3 of the segments' hashes in order. Whether there are several
/// is under the MAC, so that one kind cannot pass for the other.
pub(crate) fn ct_root(segments: &[Segment]) -> [u8; 32] {
    if let [only] = segments {
        return only.blake3;
    }
    let mut hasher = blake3::Hasher::new();
    for segment in segments {
        hasher.update(&segment.blake3);
    }
    hasher.finalize().into()
}

/// Checks every row and the number of rows, and adds up their lengths.
pub(crate) fn total_plain_bytes(segments: &[Segment]) -> Result<u64, RecordError> {
    if segments.is_empty() || segments.len() > PARTS_MAX as usize {
        return Err(RecordError::Manifest);
    }
    let mut total = 0_u64;
    for segment in segments {
        segment.check()?;
        total = total.saturating_add(segment.plain_bytes);
    }
    Ok(total)
}
