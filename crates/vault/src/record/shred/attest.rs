//! One party's statement that it destroyed its share: key `E a ‖ ceremony ‖ epoch ‖ party`.

use super::TAG;
use words::limits::STATEMENT_BYTES_MAX;
use words::wire::{Reader, WireError, Writer};
use words::{PartyName, UnixMillis};

const VERSION: u8 = 1;

/// The row of one statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestRow {
    /// When the node took it.
    pub taken: UnixMillis,
    /// The statement's text, as the party made it.
    pub statement: Vec<u8>,
}

/// The row's key.
#[must_use]
pub fn key(ceremony: &[u8; 16], epoch: u32, party: &PartyName) -> Vec<u8> {
    Writer::bare()
        .u8(TAG)
        .u8(b'a')
        .raw(ceremony)
        .u32(epoch)
        .raw(party.as_str().as_bytes())
        .finish()
}

/// What the keys of all statements about one dealing begin with.
#[must_use]
pub fn prefix(ceremony: &[u8; 16], epoch: u32) -> Vec<u8> {
    Writer::bare()
        .u8(TAG)
        .u8(b'a')
        .raw(ceremony)
        .u32(epoch)
        .finish()
}

impl AttestRow {
    /// The row's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::versioned(VERSION)
            .u64(self.taken.0)
            .bytes(&self.statement)
            .finish()
    }
    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let row = Self {
            taken: UnixMillis(reader.u64()?),
            statement: reader.bytes(STATEMENT_BYTES_MAX)?.to_vec(),
        };
        reader.finish()?;
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let row = AttestRow {
            taken: UnixMillis(5),
            statement: b"clarence".to_vec(),
        };
        assert_eq!(AttestRow::decode(&row.encode()), Ok(row));
        let party = PartyName::parse("ctie").unwrap();
        assert!(key(&[1; 16], 2, &party).starts_with(&prefix(&[1; 16], 2)));
    }
}
