//! The description of a catalog folder (`format.clr`): which cloud it belongs to and how its rows are
//! laid out. Read before the database is touched, so that a newer or foreign folder is refused unharmed.

use words::CloudId;
use words::wire::{Reader, WireError, Writer};

/// The format this build writes, and the newest it reads.
pub const FORMAT: u8 = 1;
const MAGIC: &[u8; 8] = b"CLR-CTLG";
const CHECK_CONTEXT: &str = "clarence v1 catalog format checksum";

/// Why a folder's description could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It is of a format this build does not know.
    #[error("the catalog has format {found}; this build reads format {known}")]
    Version {
        /// Its format.
        found: u8,
        /// Ours.
        known: u8,
    },
    /// It is damaged.
    #[error("the catalog's format.clr is damaged")]
    Damaged,
}

/// The description as it is stored: format ‖ magic ‖ cloud ‖ checksum.
pub fn encode(cloud: &CloudId) -> Vec<u8> {
    let mut stored = Writer::versioned(FORMAT)
        .raw(MAGIC)
        .raw(cloud.as_bytes())
        .finish();
    let check = blake3::derive_key(CHECK_CONTEXT, &stored);
    stored.extend_from_slice(&check);
    stored
}

/// The cloud the folder belongs to.
pub fn decode(stored: &[u8]) -> Result<CloudId, FormatError> {
    let (_, mut reader) = Reader::versioned(stored, FORMAT).map_err(|error| match error {
        WireError::Version { found, known } => FormatError::Version { found, known },
        _ => FormatError::Damaged,
    })?;
    let mut rest = || -> Result<CloudId, WireError> {
        let magic: [u8; 8] = reader.array()?;
        let cloud = CloudId::from_bytes(reader.array()?);
        let check: [u8; 32] = reader.array()?;
        let content = stored.get(..25).ok_or(WireError::Short)?;
        if stored.len() != 57
            || magic != *MAGIC
            || check != blake3::derive_key(CHECK_CONTEXT, content)
        {
            return Err(WireError::Field("checksum"));
        }
        Ok(cloud)
    };
    rest().map_err(|_| FormatError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_damage() {
        let cloud = CloudId::from_bytes([4; 16]);
        let stored = encode(&cloud);
        assert_eq!(decode(&stored), Ok(cloud));
        for at in 0..stored.len() {
            let mut bad = stored.clone();
            bad[at] ^= 1;
            assert!(decode(&bad).is_err());
        }
        let mut newer = stored;
        newer[0] = 2;
        assert_eq!(
            decode(&newer),
            Err(FormatError::Version { found: 2, known: 1 })
        );
        assert_eq!(decode(&[]), Err(FormatError::Damaged));
    }

    #[test]
    fn format_1_stays_readable() {
        let stored = encode(&CloudId::from_bytes([4; 16]));
        assert_eq!(
            words::hex::encode(&stored),
            include_str!("format.golden").trim()
        );
        assert_eq!(decode(&stored), Ok(CloudId::from_bytes([4; 16])));
    }
}
