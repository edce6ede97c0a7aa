//! The header of a site folder, `site.clr`: which cloud and which site it is, and the site's key wrapped
//! under the root. With it, one folder and a quorum of shares bring everything back.

use super::WRAPPED_BYTES;
use words::wire::{Reader, WireError, Writer};
use words::{CloudId, SiteId, UnixMillis};

const MAGIC: &[u8; 8] = b"CLRNSITE";
/// Without an erasure key; written by builds before there was one.
const FIRST: u8 = 1;
const VERSION: u8 = 2;
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
    /// Which root the keys lie under, and the erasure key; absent in version 1, whose root is the first.
    pub root: Option<UnderRoot>,
}

/// What came with erasure: the root has a version, and one key more lies under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderRoot {
    /// Version of the root, from 1 at the founding; the erasure key has the same.
    pub version: u32,
    /// The ceremony in which the root was made: its shares and its record of custody name it.
    pub ceremony: [u8; 16],
    /// The erasure key under the root.
    pub erase_key: [u8; WRAPPED_BYTES],
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
    /// Version of the root that the keys lie under.
    #[must_use]
    pub fn root_version(&self) -> u32 {
        self.root.as_ref().map_or(1, |root| root.version)
    }
    /// Of two headers of one cloud the newer has the higher rank: after an interruption, or when a folder
    /// comes back, the sites may differ.
    #[must_use]
    pub fn rank(&self) -> (u32, bool, u32) {
        (self.root_version(), self.root.is_some(), self.key_version)
    }
    /// The file's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::bare()
            .raw(MAGIC)
            .u8(if self.root.is_some() { VERSION } else { FIRST })
            .raw(self.cloud.as_bytes())
            .u8(self.site.letter())
            .u64(self.founded.0)
            .u32(self.key_version)
            .raw(&self.key)
            .raw(&self.other_key)
            .raw(&self.charter);
        if let Some(root) = &self.root {
            writer = writer
                .u32(root.version)
                .raw(&root.ceremony)
                .raw(&root.erase_key);
        }
        let mut bytes = writer.finish();
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
        let (version, mut reader) = Reader::versioned(rest, VERSION)?;
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
            root: match version {
                FIRST => None,
                _ => Some(UnderRoot {
                    version: reader.u32()?,
                    ceremony: reader.array()?,
                    erase_key: reader.array()?,
                }),
            },
        };
        if header.root.as_ref().is_some_and(|root| root.version == 0) {
            return Err(WireError::Field("version of the root").into());
        }
        reader.finish()?;
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_every_flipped_byte_is_seen() {
        let first = SiteHeader {
            cloud: CloudId::from_bytes([1; 16]),
            site: SiteId::B,
            founded: UnixMillis(8),
            key_version: 1,
            key: [2; WRAPPED_BYTES],
            other_key: [4; WRAPPED_BYTES],
            charter: [3; 32],
            root: None,
        };
        let second = SiteHeader {
            root: Some(UnderRoot {
                version: 7,
                ceremony: [5; 16],
                erase_key: [6; WRAPPED_BYTES],
            }),
            ..first.clone()
        };
        assert!(second.rank() > first.rank() && first.root_version() == 1);
        for (header, length) in [(first, 310), (second, 434)] {
            let bytes = header.encode();
            assert_eq!(bytes.len(), length);
            assert_eq!(SiteHeader::decode(&bytes), Ok(header));
            for at in 0..bytes.len() {
                let mut bad = bytes.clone();
                bad[at] ^= 1;
                assert!(SiteHeader::decode(&bad).is_err(), "byte {at}");
            }
        }
    }

    /// A header as the builds before erasure wrote it, byte for byte.
    #[test]
    fn a_header_of_version_1_still_opens() {
        let mut bytes = b"CLRNSITE\x01".to_vec();
        bytes.extend([1; 16]);
        bytes.push(b'a');
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 1]);
        bytes.extend([2; 208]);
        bytes.extend([3; 32]);
        bytes.extend(ledger::tree::leaf_hash(&bytes));
        let header = SiteHeader::decode(&bytes).unwrap();
        assert_eq!((header.root.as_ref(), header.root_version()), (None, 1));
        assert_eq!(header.encode(), bytes);
    }
}
