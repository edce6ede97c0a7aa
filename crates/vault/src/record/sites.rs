//! What lies under one version of the sites' keys, and under nothing else: key `C s ‖ version`, from version 2 on. For
//! version 1, which is that of the founding, the same stands in rows of their own (`C l` and `C k`).

use super::{MAC_BYTES, SIGNED_ROW, WRAPPED_BYTES, key_version};
use words::UnixMillis;
use words::wire::{Reader, WireError, Writer};

const VERSION: u8 = 1;
/// What the keys of these rows begin with.
pub const PREFIX: &[u8] = b"Cs";
const LOG_KEYS_BYTES_MAX: usize = 4 * 1024;

/// The keys that are being replaced, each under the newer key of the same site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Older {
    /// Their version.
    pub version: u32,
    /// Site a's and site b's.
    pub keys: [[u8; WRAPPED_BYTES]; 2],
}

/// The row of one version of the sites' keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SitesRow {
    /// When these keys were drawn.
    pub made: UnixMillis,
    /// The key of the cloud's own ledger entries under site a's and under site b's key.
    pub ledger_keys: [[u8; WRAPPED_BYTES]; 2],
    /// The log's signing keys, sealed under the meta key of each site.
    pub log_keys: [Vec<u8>; 2],
    /// The keys before these, while something still lies under them.
    pub older: Option<Older>,
    /// The MACs over all this, under the meta key of each site.
    pub macs: [[u8; MAC_BYTES]; 2],
}

/// The row's key.
#[must_use]
pub fn key(version: u32) -> Vec<u8> {
    Writer::bare().raw(PREFIX).u32(version).finish()
}

impl SitesRow {
    /// What the MACs are over: the row's value up to them.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::versioned(VERSION).u64(self.made.0);
        for site in [0, 1] {
            writer = writer
                .raw(&self.ledger_keys[site])
                .bytes(&self.log_keys[site]);
        }
        match &self.older {
            None => writer.u32(0),
            Some(older) => writer
                .u32(older.version)
                .raw(&older.keys[0])
                .raw(&older.keys[1]),
        }
        .finish()
    }

    /// The row's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [self.signed_bytes().as_slice(), &self.macs[0], &self.macs[1]].concat()
    }

    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let made = UnixMillis(reader.u64()?);
        let mut of_site = || {
            let ledger_key = reader.array()?;
            Ok::<_, WireError>((ledger_key, reader.bytes(LOG_KEYS_BYTES_MAX)?.to_vec()))
        };
        let (a, b) = (of_site()?, of_site()?);
        let older = match reader.u32()? {
            0 => None,
            version if version < SIGNED_ROW => Some(Older {
                version,
                keys: [reader.array()?, reader.array()?],
            }),
            _ => return Err(WireError::Field("key version")),
        };
        let row = Self {
            made,
            ledger_keys: [a.0, b.0],
            log_keys: [a.1, b.1],
            older,
            macs: [reader.array()?, reader.array()?],
        };
        reader.finish()?;
        Ok(row)
    }
}

/// The version that a row's key names.
pub fn version_in(key: &[u8]) -> Result<u32, WireError> {
    let rest = key.strip_prefix(PREFIX).ok_or(WireError::Field("tag"))?;
    let mut reader = Reader::bare(rest);
    let version = key_version(&mut reader)?;
    reader.finish()?;
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(older: bool) -> SitesRow {
        SitesRow {
            made: UnixMillis(4),
            ledger_keys: [[1; WRAPPED_BYTES], [2; WRAPPED_BYTES]],
            log_keys: [vec![3; 5], vec![4; 6]],
            older: older.then_some(Older {
                version: 7,
                keys: [[5; WRAPPED_BYTES], [6; WRAPPED_BYTES]],
            }),
            macs: [[8; MAC_BYTES], [9; MAC_BYTES]],
        }
    }

    #[test]
    fn round_trip() {
        for older in [false, true] {
            let bytes = row(older).encode();
            assert_eq!(SitesRow::decode(&bytes), Ok(row(older)));
            assert!(SitesRow::decode(&bytes[..bytes.len() - 1]).is_err());
            assert!(SitesRow::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
        }
        assert_eq!(version_in(&key(9)), Ok(9));
        assert!(version_in(&key(0)).is_err() && version_in(b"Cl\0\0\0\x01").is_err());
    }

    #[test]
    fn format_1_stays_readable() {
        let both = [false, true].map(|older| words::hex::encode(&row(older).encode()));
        let golden: Vec<&str> = include_str!("sites.golden").lines().collect();
        assert_eq!(both.as_slice(), golden);
    }
}
