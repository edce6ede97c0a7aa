//! The row that says "this site lacks this chunk". Written in the commit that first names the chunk, taken
//! away by the heal worker once the site has it.

use chunks::ChunkRef;
use words::wire::{Reader, WireError, Writer};
use words::{ChunkId, SiteId, UnixMillis};

/// First byte of the keys.
pub const TAG: u8 = b'H';
const VERSION: u8 = 1;

/// What the row holds; site and chunk stand in its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DebtRow {
    /// Length of the chunk in sealed bytes.
    pub bytes: u32,
    /// BLAKE3 of its sealed bytes: the copy is checked against it without any key.
    pub blake3: [u8; 32],
    /// Since when the site lacks it.
    pub since: UnixMillis,
}

impl DebtRow {
    /// version ‖ bytes ‖ BLAKE3 ‖ since
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::versioned(VERSION)
            .u32(self.bytes)
            .raw(&self.blake3)
            .u64(self.since.0)
            .finish()
    }
    /// Reads a row's value.
    pub fn decode(value: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(value, VERSION)?;
        let row = Self {
            bytes: reader.u32()?,
            blake3: reader.array()?,
            since: UnixMillis(reader.u64()?),
        };
        reader.finish()?;
        Ok(row)
    }
    /// The chunk, with the name from the row's key.
    #[must_use]
    pub const fn chunk(&self, id: ChunkId) -> ChunkRef {
        ChunkRef {
            id,
            bytes: self.bytes,
            blake3: self.blake3,
        }
    }
}

/// `H` ‖ site letter ‖ chunk id. Whoever removes a chunk for good removes these rows of both sites too.
#[must_use]
pub fn debt_key(site: SiteId, chunk: ChunkId) -> Vec<u8> {
    let mut key = debt_prefix(site).to_vec();
    key.extend_from_slice(chunk.as_bytes());
    key
}

/// What all debts of a site begin with.
#[must_use]
pub const fn debt_prefix(site: SiteId) -> [u8; 2] {
    [TAG, site.letter()]
}

/// Takes a key apart.
pub fn parse_key(key: &[u8]) -> Result<(SiteId, ChunkId), WireError> {
    let mut reader = Reader::bare(key);
    if reader.u8()? != TAG {
        return Err(WireError::Field("tag"));
    }
    let site = SiteId::from_letter(reader.u8()?).ok_or(WireError::Field("site"))?;
    let chunk = ChunkId::from_bytes(reader.array()?);
    reader.finish()?;
    Ok((site, chunk))
}

#[cfg(test)]
mod tests {
    use super::{DebtRow, debt_key, parse_key};
    use words::{ChunkId, SiteId, UnixMillis};

    #[test]
    fn comes_back_as_it_was() {
        let row = DebtRow {
            bytes: 8_396_856,
            blake3: [7; 32],
            since: UnixMillis(1_234_567),
        };
        assert_eq!(DebtRow::decode(&row.encode()), Ok(row));
        assert_eq!(row.encode().len(), 45);
        for site in SiteId::BOTH {
            let id = ChunkId::from_bytes([9; 16]);
            assert_eq!(parse_key(&debt_key(site, id)), Ok((site, id)));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
            if let Ok(row) = DebtRow::decode(&bytes) {
                assert_eq!(row.encode(), bytes);
            }
            if let Ok((site, id)) = parse_key(&bytes) {
                assert_eq!(debt_key(site, id), bytes);
            }
        }
    }

    #[test]
    fn refuses_what_is_not_a_debt() {
        assert!(DebtRow::decode(&[2; 45]).is_err());
        assert!(DebtRow::decode(&[1; 44]).is_err());
        assert!(DebtRow::decode(&[1; 46]).is_err());
        assert!(parse_key(b"Hc0123456789abcdef").is_err());
        assert!(parse_key(b"Ga0123456789abcdef").is_err());
    }
}
