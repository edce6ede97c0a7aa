//! The epoch record, format 1: who is current, since when, and how far the catalog had come.

use words::wire::{Reader, WireError, Writer};
use words::{CloudId, SiteId, UnixMillis};

/// Length of a stored record.
pub const EPOCH_RECORD_BYTES: usize = 74;

const VERSION: u8 = 1;
const CHECKSUM_CONTEXT: &str = "clarence v1 epoch record checksum";

/// Which sites hold everything that was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Both.
    BothCurrent,
    /// This one; the other is behind and must not serve.
    Only(SiteId),
}

impl Standing {
    /// Whether the site may serve under this standing.
    #[must_use]
    pub fn includes(self, site: SiteId) -> bool {
        self == Self::BothCurrent || self == Self::Only(site)
    }
    /// The site that is behind, if one is.
    #[must_use]
    pub const fn behind(self) -> Option<SiteId> {
        match self {
            Self::BothCurrent => None,
            Self::Only(site) => Some(site.other()),
        }
    }
}

/// One decision about who is current. A higher epoch overrules a lower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochRecord {
    /// The cloud it speaks of.
    pub cloud: CloudId,
    /// Grows by at least one with every decision.
    pub epoch: u64,
    /// The decision.
    pub standing: Standing,
    /// When it was taken.
    pub since: UnixMillis,
    /// The number of the catalog's last batch when it was taken.
    pub head: u64,
}

/// Why bytes are not an epoch record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The checksum does not fit.
    #[error("the epoch record is damaged: its checksum does not fit its content")]
    Checksum,
    /// The layout is wrong.
    #[error("the epoch record cannot be read: {0}")]
    Layout(#[from] WireError),
}

impl EpochRecord {
    /// Stands for the head in a record with which the parties accepted a loss: how far the site had come is
    /// not known then, and is no bound.
    pub const HEAD_UNKNOWN: u64 = 0;

    /// Whether the epoch began with an accepted loss. The first epoch begins with nothing.
    #[must_use]
    pub const fn is_accepted_loss(&self) -> bool {
        self.epoch > 1 && self.head == Self::HEAD_UNKNOWN
    }

    /// The record as it is stored: version ‖ cloud ‖ epoch ‖ standing ‖ since ‖ head ‖ checksum.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let standing = match self.standing {
            Standing::BothCurrent => 0,
            Standing::Only(site) => site.letter(),
        };
        let mut bytes = Writer::versioned(VERSION)
            .raw(self.cloud.as_bytes())
            .u64(self.epoch)
            .u8(standing)
            .u64(self.since.0)
            .u64(self.head)
            .finish();
        let checksum = blake3::derive_key(CHECKSUM_CONTEXT, &bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    /// Reads a stored record. The version is looked at first, so that a newer format is named as such.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let cloud = CloudId::from_bytes(reader.array()?);
        let epoch = reader.u64()?;
        let standing = reader.u8()?;
        let since = UnixMillis(reader.u64()?);
        let head = reader.u64()?;
        let checksum: [u8; 32] = reader.array()?;
        reader.finish()?;
        let (content, _) = bytes
            .split_at_checked(EPOCH_RECORD_BYTES - 32)
            .ok_or(WireError::Short)?;
        if blake3::derive_key(CHECKSUM_CONTEXT, content) != checksum {
            return Err(RecordError::Checksum);
        }
        let standing = match (standing, SiteId::from_letter(standing)) {
            (0, _) => Standing::BothCurrent,
            (_, Some(site)) => Standing::Only(site),
            _ => return Err(WireError::Field("standing").into()),
        };
        Ok(Self {
            cloud,
            epoch,
            standing,
            since,
            head,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(cloud: [u8; 16], epoch: u64, standing in 0..3u8, since: u64, head: u64) {
            let standing = match standing {
                0 => Standing::BothCurrent,
                1 => Standing::Only(SiteId::A),
                _ => Standing::Only(SiteId::B),
            };
            let record = EpochRecord { cloud: CloudId::from_bytes(cloud), epoch, standing, since: UnixMillis(since), head };
            let bytes = record.encode();
            prop_assert_eq!(bytes.len(), EPOCH_RECORD_BYTES);
            prop_assert_eq!(EpochRecord::decode(&bytes), Ok(record));
        }

        #[test]
        fn any_flipped_bit_is_noticed(byte in 0..EPOCH_RECORD_BYTES, bit in 0..8u8) {
            let mut bytes = sample().encode();
            bytes[byte] ^= 1 << bit;
            prop_assert!(EpochRecord::decode(&bytes).is_err());
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = EpochRecord::decode(&bytes);
        }
    }

    fn sample() -> EpochRecord {
        EpochRecord {
            cloud: CloudId::from_bytes([7; 16]),
            epoch: 3,
            standing: Standing::Only(SiteId::B),
            since: UnixMillis(1_700_000_000_000),
            head: 99,
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let mut bytes = sample().encode();
        bytes[0] = 2;
        assert_eq!(
            EpochRecord::decode(&bytes),
            Err(RecordError::Layout(WireError::Version {
                found: 2,
                known: 1
            }))
        );
    }

    #[test]
    fn format_1_stays_readable() {
        let stored = sample().encode();
        assert_eq!(words::hex::encode(&stored), GOLDEN.trim());
        assert_eq!(EpochRecord::decode(&stored), Ok(sample()));
    }

    const GOLDEN: &str = include_str!("epoch_record.golden");
}
