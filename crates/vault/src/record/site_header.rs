//! The header of a site folder, `site.clr`: which cloud and which site it is, and the site's key wrapped
//! under the root. With it, one folder and a quorum of shares bring everything back.

use super::WRAPPED_BYTES;
use words::wire::{Reader, WireError, Writer};
use words::{CloudId, SiteId, UnixMillis};

const MAGIC: &[u8; 8] = b"CLRNSITE";
const VERSION: u8 = 1;
/// The file's name in the site folder.
pub const FILE: &str = "site.clr";
/// No header is longer.
pub const BYTES_MAX: u64 = 4096;

/// The header of one site folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteHeader {
    /// The cloud the folder belongs to.
    pub cloud: CloudId,
    /// Which site it is.
    pub site: SiteId,
    /// When it was founded.
    pub founded: UnixMillis,
    /// Version of the site's key.
    pub key_version: u32,
    /// The site's key under the root.
    pub key: [u8; WRAPPED_BYTES],
    /// The same for the other site, so that a folder that was lost can be made again.
    pub other_key: [u8; WRAPPED_BYTES],
    /// SHA-512/256 of the charter.
    pub charter: [u8; 32],
}

/// Why a file is not the header of a site folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SiteHeaderError {
    /// The file does not begin as a header does.
    #[error("it is not the header of a site folder")]
    Foreign,
    /// It ends early, has an unknown version or a wrong checksum.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Its checksum is wrong.
    #[error("it is damaged: its checksum does not fit")]
    Damaged,
}

impl SiteHeader {
    /// The file's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Writer::bare()
            .raw(MAGIC)
            .u8(VERSION)
            .raw(self.cloud.as_bytes())
            .u8(self.site.letter())
            .u64(self.founded.0)
            .u32(self.key_version)
            .raw(&self.key)
            .raw(&self.other_key)
            .raw(&self.charter)
            .finish();
        let checksum = ledger::tree::leaf_hash(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }
    /// Reads the file's bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, SiteHeaderError> {
        let Some((body, checksum)) = bytes.split_last_chunk::<32>() else {
            return Err(SiteHeaderError::Foreign);
        };
        let rest = body.strip_prefix(MAGIC).ok_or(SiteHeaderError::Foreign)?;
        let (_, mut reader) = Reader::versioned(rest, VERSION)?;
        if ledger::tree::leaf_hash(body) != *checksum {
            return Err(SiteHeaderError::Damaged);
        }
        let header = Self {
            cloud: CloudId::from_bytes(reader.array()?),
            site: SiteId::from_letter(reader.u8()?).ok_or(WireError::Field("site"))?,
            founded: UnixMillis(reader.u64()?),
            key_version: reader.u32()?,
            key: reader.array()?,
            other_key: reader.array()?,
            charter: reader.array()?,
        };
        reader.finish()?;
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_every_flipped_byte_is_seen() {
        let header = SiteHeader {
            cloud: CloudId::from_bytes([1; 16]),
            site: SiteId::B,
            founded: UnixMillis(8),
            key_version: 1,
            key: [2; WRAPPED_BYTES],
            other_key: [4; WRAPPED_BYTES],
            charter: [3; 32],
        };
        let bytes = header.encode();
        assert_eq!(SiteHeader::decode(&bytes), Ok(header));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(SiteHeader::decode(&bad).is_err(), "byte {at}");
        }
    }
}
