//! One dealing of shares: key `E d ‖ version of the root ‖ epoch`. Kept for ever, because a receipt counts
//! the shares of every root that once led to an erased key.

use super::TAG;
use words::UnixMillis;
use words::limits::ROW_VALUE_BYTES_MAX;
use words::wire::{Reader, WireError, Writer};

const VERSION: u8 = 1;

/// The row of one dealing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DealingRow {
    /// When it was written down.
    pub since: UnixMillis,
    /// The record of custody, as `charter.md` draws it.
    pub custody: String,
}

/// The row's key.
#[must_use]
pub fn key(root_version: u32, epoch: u32) -> Vec<u8> {
    Writer::bare()
        .u8(TAG)
        .u8(b'd')
        .u32(root_version)
        .u32(epoch)
        .finish()
}

/// What the keys of all dealings begin with.
pub const PREFIX: &[u8] = &[TAG, b'd'];

/// Version of the root and epoch in a row's key.
pub fn numbers_in(key: &[u8]) -> Result<(u32, u32), WireError> {
    let mut reader = Reader::bare(key);
    reader.raw(2)?;
    let numbers = (reader.u32()?, reader.u32()?);
    reader.finish()?;
    Ok(numbers)
}

impl DealingRow {
    /// The row's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::versioned(VERSION)
            .u64(self.since.0)
            .bytes(self.custody.as_bytes())
            .finish()
    }
    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let since = UnixMillis(reader.u64()?);
        let custody = std::str::from_utf8(reader.bytes(ROW_VALUE_BYTES_MAX)?)
            .map_err(|_| WireError::Field("custody"))?
            .to_owned();
        reader.finish()?;
        Ok(Self { since, custody })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let row = DealingRow {
            since: UnixMillis(5),
            custody: "{}\n".into(),
        };
        assert_eq!(DealingRow::decode(&row.encode()), Ok(row));
        assert_eq!(numbers_in(&key(2, 3)), Ok((2, 3)));
    }
}
