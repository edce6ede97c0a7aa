//! A key that is lent to a host, in a sealed row of the sort `l` of the guest's own catalog: the key under which the
//! host's bucket lies, which never leaves, and to whom, where and for how long it opens that bucket.

use super::text;
use words::wire::{Reader, WireError, Writer};
use words::{BucketId, BucketName, UnixMillis};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const PLACE_BYTES_MAX: usize = 2 * 1024 * 1024;
const KEYS_BYTES_MAX: usize = 16 * 1024;

/// How far a loan has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoanState {
    /// A quorum of the guest's parties has not approved it yet.
    Waiting,
    /// The host has no bucket under it yet.
    Offered,
    /// The host's requests are answered.
    Lent,
    /// They are not.
    Recalled,
}

impl LoanState {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Offered => "offered",
            Self::Lent => "lent",
            Self::Recalled => "recalled",
        }
    }
    const fn byte(self) -> u8 {
        match self {
            Self::Waiting => 1,
            Self::Offered => 2,
            Self::Lent => 3,
            Self::Recalled => 4,
        }
    }
    const fn from_byte(byte: u8) -> Result<Self, WireError> {
        match byte {
            1 => Ok(Self::Waiting),
            2 => Ok(Self::Offered),
            3 => Ok(Self::Lent),
            4 => Ok(Self::Recalled),
            _ => Err(WireError::Field("state of a loan")),
        }
    }
}

/// The row of one loan.
#[derive(Clone, PartialEq, Eq)]
pub struct LoanRow {
    /// The bucket at the host.
    pub bucket: BucketName,
    /// Its id there; zeros before it is made.
    pub bucket_id: BucketId,
    /// When it was lent.
    pub created: UnixMillis,
    /// How far it has come.
    pub state: LoanState,
    /// The longest lease, in seconds.
    pub seconds: u32,
    /// The key under which the bucket's key lies at the host.
    pub key: Zeroizing<[u8; 32]>,
    /// The public keys of the host's log, which signs requests.
    pub host_keys: String,
    /// How the host is called, as its client reads it; with a secret.
    pub place: Zeroizing<String>,
}

impl LoanRow {
    /// The bytes that are sealed.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let bytes = Writer::versioned(VERSION)
            .bytes(self.bucket.as_str().as_bytes())
            .raw(self.bucket_id.as_bytes())
            .u64(self.created.0)
            .u8(self.state.byte())
            .u32(self.seconds)
            .raw(&*self.key)
            .bytes(self.host_keys.as_bytes())
            .bytes(self.place.as_bytes())
            .finish();
        Zeroizing::new(bytes)
    }

    /// Reads what was sealed.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let bucket = text(&mut reader, 64, "bucket")?;
        let row = Self {
            bucket: BucketName::parse(&bucket).map_err(|_| WireError::Field("bucket"))?,
            bucket_id: BucketId::from_bytes(reader.array()?),
            created: UnixMillis(reader.u64()?),
            state: LoanState::from_byte(reader.u8()?)?,
            seconds: reader.u32()?,
            key: Zeroizing::new(reader.array()?),
            host_keys: text(&mut reader, KEYS_BYTES_MAX, "keys")?,
            place: Zeroizing::new(text(&mut reader, PLACE_BYTES_MAX, "place")?),
        };
        reader.finish()?;
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: LoanState) -> LoanRow {
        LoanRow {
            bucket: BucketName::parse("land-register").unwrap(),
            bucket_id: BucketId::from_bytes([2; 16]),
            created: UnixMillis(3),
            state,
            seconds: 45,
            key: Zeroizing::new([4; 32]),
            host_keys: "host.lu/ledger+…\n".into(),
            place: Zeroizing::new("{}".into()),
        }
    }

    #[test]
    fn round_trip() {
        use LoanState::{Lent, Offered, Recalled, Waiting};
        for state in [Waiting, Offered, Lent, Recalled] {
            let bytes = row(state).encode();
            assert!(LoanRow::decode(&bytes).is_ok_and(|read| read == row(state)));
            for end in 0..bytes.len() {
                assert!(LoanRow::decode(&bytes[..end]).is_err());
            }
        }
    }

    #[test]
    fn the_format_stays_readable() {
        let golden = include_str!("loan-1.golden").trim();
        assert_eq!(words::hex::encode(&row(LoanState::Lent).encode()), golden);
    }
}
