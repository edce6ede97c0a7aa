//! What a tenant used in one hour, and what it may use: sealed rows of the sorts `m` and `q`.

use words::wire::{Reader, WireError, Writer};

const VERSION: u8 = 1;

/// What was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were believed.
    pub requests: u64,
    /// Of these, refused by a policy or a quota.
    pub refused: u64,
    /// Bytes of objects and parts that were taken in.
    pub bytes_in: u64,
    /// Bytes of objects that left.
    pub bytes_out: u64,
}

impl Counts {
    /// Adds what was used besides.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            refused: self.refused.saturating_add(other.refused),
            bytes_in: self.bytes_in.saturating_add(other.bytes_in),
            bytes_out: self.bytes_out.saturating_add(other.bytes_out),
        }
    }
    /// The bytes that are sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::versioned(VERSION)
            .u64(self.requests)
            .u64(self.refused)
            .u64(self.bytes_in)
            .u64(self.bytes_out)
            .finish()
    }
    /// Reads what was sealed.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let counts = Self {
            requests: reader.u64()?,
            refused: reader.u64()?,
            bytes_in: reader.u64()?,
            bytes_out: reader.u64()?,
        };
        reader.finish()?;
        Ok(counts)
    }
}

/// What a tenant may use. Zero means that there is no such limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of objects that are kept.
    pub stored_bytes: u64,
    /// Requests within an hour, after which writes are refused.
    pub requests_per_hour: u64,
}

impl Quota {
    /// The bytes that are sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::versioned(VERSION)
            .u64(self.stored_bytes)
            .u64(self.requests_per_hour)
            .finish()
    }
    /// Reads what was sealed.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let quota = Self {
            stored_bytes: reader.u64()?,
            requests_per_hour: reader.u64()?,
        };
        reader.finish()?;
        Ok(quota)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        let counts = Counts {
            requests: 1,
            refused: 2,
            bytes_in: 3,
            bytes_out: u64::MAX,
        };
        assert_eq!(Counts::decode(&counts.encode()), Ok(counts));
        assert_eq!(counts.plus(counts).bytes_out, u64::MAX);
        let quota = Quota {
            stored_bytes: 7,
            requests_per_hour: 0,
        };
        assert_eq!(Quota::decode(&quota.encode()), Ok(quota));
        assert!(Quota::decode(&counts.encode()).is_err());
    }
}
