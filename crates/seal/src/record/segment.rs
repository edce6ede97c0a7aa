//! One row of the segment table, and the context that binds a segment to its place.

use crate::cobblestone::{SALT_BYTES, sealed_len};
use words::limits::PART_BYTES_MAX;
use words::wire::{Reader, WireError, Writer};
use words::{BucketId, TenantId, VersionId};

/// Length of one row of the segment table.
pub const SEGMENT_BYTES: usize = 72;

const CONTEXT_LABEL: &[u8] = b"clarence/v1/seg\0";

/// Where a segment belongs. The sealer and the opener put it into the key derivation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentContext {
    /// The tenant who owns the bucket.
    pub tenant: TenantId,
    /// The bucket.
    pub bucket: BucketId,
    /// The object's version, drawn before its first byte.
    pub version: VersionId,
    /// 0 for a single upload, otherwise the number that the part was uploaded under.
    pub segment_no: u32,
}

impl SegmentContext {
    /// The context bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        Writer::bare()
            .raw(CONTEXT_LABEL)
            .raw(self.tenant.as_bytes())
            .raw(self.bucket.as_bytes())
            .raw(self.version.as_bytes())
            .u32(self.segment_no)
            .finish()
    }
}

/// What the manifest says about one segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// The salt of its header. A part that was uploaded again has another one.
    pub salt: [u8; SALT_BYTES],
    /// Length of its plaintext.
    pub plain_bytes: u64,
    /// Length of its sealed bytes, header included.
    pub sealed_bytes: u64,
    /// BLAKE3 of its sealed bytes, header included.
    pub blake3: [u8; 32],
}

impl Segment {
    /// The row as it is stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::bare()
            .raw(&self.salt)
            .u64(self.plain_bytes)
            .u64(self.sealed_bytes)
            .raw(&self.blake3)
            .finish()
    }

    /// Reads a row. The two lengths must fit each other and the limit of a part.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::bare(bytes);
        let segment = Self {
            salt: reader.array()?,
            plain_bytes: reader.u64()?,
            sealed_bytes: reader.u64()?,
            blake3: reader.array()?,
        };
        reader.finish()?;
        segment.check()?;
        Ok(segment)
    }

    pub(crate) const fn check(&self) -> Result<(), WireError> {
        if self.plain_bytes > PART_BYTES_MAX {
            return Err(WireError::Field("plain_bytes"));
        }
        if self.sealed_bytes != sealed_len(self.plain_bytes) {
            return Err(WireError::Field("sealed_bytes"));
        }
        Ok(())
    }
}
