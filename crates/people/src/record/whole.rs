//! An access to a whole dataset: key `A w ‖ tenant ‖ hash of the entry's leaf`, sealed under the tenant's meta key. While
//! a statement runs it stands for everybody; at its end it goes, or stays as what it was. Beside it, `A x` with the same
//! rest: the statement's end was committed together with this row.

use super::TAG;
use words::wire::{Reader, WireError, Writer};
use words::{TenantId, UnixMillis};

const VERSION: u8 = 1;

/// How far an access to a dataset is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// It runs, or was broken off: whose rows it read is not known.
    Open,
    /// It read so many persons' rows that they are not named one by one, or an object that is about no one person.
    Whole,
}

/// One access to a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeRow {
    /// How far it is known.
    pub extent: Extent,
    /// The index of the entry; `None`: the one that was committed together with this row.
    pub index: Option<u64>,
    /// Not shown before; 0 for at once.
    pub visible: UnixMillis,
}

fn row_key(sort: u8, tenant: TenantId, leaf: &[u8; 32]) -> Vec<u8> {
    let start = Writer::bare().u8(TAG).u8(sort);
    start.raw(tenant.as_bytes()).raw(leaf).finish()
}

/// The row's key.
#[must_use]
pub fn key(tenant: TenantId, leaf: &[u8; 32]) -> Vec<u8> {
    row_key(b'w', tenant, leaf)
}

/// What all rows of a tenant begin with.
#[must_use]
pub fn prefix(tenant: TenantId) -> Vec<u8> {
    Writer::bare()
        .u8(TAG)
        .u8(b'w')
        .raw(tenant.as_bytes())
        .finish()
}

/// The hash of the entry's leaf in a row's key.
pub fn leaf_in(key: &[u8]) -> Result<[u8; 32], WireError> {
    let mut reader = Reader::bare(key);
    reader.raw(18)?;
    let leaf = reader.array()?;
    reader.finish()?;
    Ok(leaf)
}

/// The key of the row that is committed together with the statement's end.
#[must_use]
pub fn closed_key(tenant: TenantId, leaf: &[u8; 32]) -> Vec<u8> {
    row_key(b'x', tenant, leaf)
}

/// The value of that row.
#[must_use]
pub fn closed() -> Vec<u8> {
    Writer::versioned(VERSION).finish()
}

/// What the sealed value of a row is bound to.
#[must_use]
pub fn context(key: &[u8]) -> Vec<u8> {
    [b"whole dataset\0".as_slice(), key].concat()
}

impl WholeRow {
    /// The bytes that are sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let extent = match self.extent {
            Extent::Open => 1,
            Extent::Whole => 2,
        };
        Writer::versioned(VERSION)
            .u8(extent)
            .u64(self.index.unwrap_or(u64::MAX))
            .u64(self.visible.0)
            .finish()
    }
    /// Reads what was sealed.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let extent = match reader.u8()? {
            1 => Extent::Open,
            2 => Extent::Whole,
            _ => return Err(WireError::Field("extent")),
        };
        let index = Some(reader.u64()?).filter(|index| *index != u64::MAX);
        let visible = UnixMillis(reader.u64()?);
        reader.finish()?;
        Ok(Self {
            extent,
            index,
            visible,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_first_format_open() {
        let row = WholeRow {
            extent: Extent::Open,
            index: Some(41),
            visible: UnixMillis(9),
        };
        let bytes = row.encode();
        assert_eq!(
            words::hex::encode(&bytes),
            "0101000000000000002900000000000000\
             09"
        );
        for row in [
            row,
            WholeRow {
                extent: Extent::Whole,
                index: None,
                visible: UnixMillis(0),
            },
        ] {
            assert_eq!(WholeRow::decode(&row.encode()), Ok(row));
        }
        for cut in 0..bytes.len() {
            assert!(WholeRow::decode(&bytes[..cut]).is_err());
        }
        let (tenant, leaf) = (TenantId::from_bytes([1; 16]), [2; 32]);
        assert_eq!(leaf_in(&key(tenant, &leaf)), Ok(leaf));
        assert!(key(tenant, &leaf).starts_with(&prefix(tenant)));
        assert_ne!(key(tenant, &leaf), closed_key(tenant, &leaf));
        assert_eq!(closed(), [1]);
    }
}
