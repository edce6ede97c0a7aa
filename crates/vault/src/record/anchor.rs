//! A trust anchor of a tenant: the authorities whose certificates may ask for sessions, and what they revoked. Longer
//! than a row may be, so it lies in parts, sealed rows of the sort `a`; each names the digest of the whole, so that
//! parts of two times never make one anchor.

use super::text;
use authn::x509::{AUTHORITIES_MAX, CERTIFICATES_BYTES_MAX, LIST_BYTES_MAX};
use words::UnixMillis;
use words::wire::{Reader, WireError, Writer};

const VERSION: u8 = 1;
/// Bytes of one part.
pub const PART_BYTES_MAX: usize = 48 * 1024;
/// All authorities and lists of one anchor together, in bytes.
pub const ANCHOR_BYTES_MAX: usize = 640 * 1024;
/// Most parts.
pub const PARTS_MAX: usize = ANCHOR_BYTES_MAX.div_ceil(PART_BYTES_MAX);

/// A trust anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorRow {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: UnixMillis,
    /// Certificates of authorities, in DER.
    pub certificates: Vec<Vec<u8>>,
    /// Revocation lists, in DER.
    pub lists: Vec<Vec<u8>>,
}

impl AnchorRow {
    /// The bytes that are cut into parts.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::versioned(VERSION)
            .bytes(self.name.as_bytes())
            .u64(self.created.0);
        for all in [&self.certificates, &self.lists] {
            writer = writer.u16(u16::try_from(all.len()).unwrap_or(u16::MAX));
            for one in all {
                writer = writer.bytes(one);
            }
        }
        writer.finish()
    }
    /// Reads them.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let name = text(&mut reader, super::identity::NAME_BYTES_MAX, "name")?;
        let created = UnixMillis(reader.u64()?);
        let certificates = several(&mut reader, CERTIFICATES_BYTES_MAX)?;
        let lists = several(&mut reader, LIST_BYTES_MAX)?;
        reader.finish()?;
        Ok(Self {
            name,
            created,
            certificates,
            lists,
        })
    }
}

fn several(reader: &mut Reader<'_>, most: usize) -> Result<Vec<Vec<u8>>, WireError> {
    let count = usize::from(reader.u16()?);
    if count > AUTHORITIES_MAX {
        return Err(WireError::Field("count"));
    }
    (0..count)
        .map(|_| reader.bytes(most).map(<[u8]>::to_vec))
        .collect()
}

/// One part of an anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorPart {
    /// Digest of the whole, as of a leaf of the ledger: SHA-256 of a zero byte and it.
    pub whole: [u8; 32],
    /// How many parts the whole has.
    pub count: u16,
    /// Its own bytes.
    pub bytes: Vec<u8>,
}

impl AnchorPart {
    /// The bytes that are sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::versioned(VERSION)
            .raw(&self.whole)
            .u16(self.count)
            .raw(&self.bytes)
            .finish()
    }
    /// Reads what was sealed.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let (whole, count) = (reader.array()?, reader.u16()?);
        let bytes = reader.rest().to_vec();
        if count == 0 || usize::from(count) > PARTS_MAX || bytes.len() > PART_BYTES_MAX {
            return Err(WireError::Field("part"));
        }
        Ok(Self {
            whole,
            count,
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let row = AnchorRow {
            name: "cards".into(),
            created: UnixMillis(9),
            certificates: vec![vec![1, 2], vec![3]],
            lists: vec![vec![4; 70_000]],
        };
        let bytes = row.encode();
        assert_eq!(AnchorRow::decode(&bytes), Ok(row));
        for end in (0..bytes.len()).step_by(97) {
            assert!(AnchorRow::decode(&bytes[..end]).is_err());
        }
        let part = AnchorPart {
            whole: [5; 32],
            count: 2,
            bytes: vec![6; 10],
        };
        assert_eq!(AnchorPart::decode(&part.encode()), Ok(part.clone()));
        let none = AnchorPart { count: 0, ..part };
        assert!(AnchorPart::decode(&none.encode()).is_err());
    }
}
