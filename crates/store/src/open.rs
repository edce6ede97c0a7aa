//! From a read grant to what the object says about itself: the record proven, the metadata opened.

use crate::api::{ObjectInfo, RangeAsked, ReadAsked};
use crate::checksum::etag_text;
use crate::conditions;
use crate::error::StoreError;
use crate::record::meta::Meta;
use crate::record::object::ObjectRow;
use seal::{ClaimedRecord, ObjectKey, ObjectPlace, ObjectRecord};
use vault::OpenObject;
use words::VersionId;

/// What an object's sealed metadata is bound to.
pub fn meta_context(version: VersionId) -> Vec<u8> {
    [b"object meta\0".as_slice(), version.as_bytes()].concat()
}

/// What a part's sealed metadata is bound to.
pub fn part_context(version: VersionId, number: u32) -> Vec<u8> {
    [
        b"part meta\0".as_slice(),
        version.as_bytes(),
        &number.to_be_bytes(),
    ]
    .concat()
}

/// An object whose record and metadata verified.
pub struct Opened {
    pub row: ObjectRow,
    pub record: ObjectRecord,
    pub info: ObjectInfo,
}

/// Opens metadata that was sealed under an object's key.
pub fn open_meta(key: &ObjectKey, context: &[u8], sealed: &[u8]) -> Result<Meta, StoreError> {
    let plain =
        seal::open_value(key, context, sealed).map_err(|e| StoreError::Corrupt(e.to_string()))?;
    Ok(Meta::decode(&plain)?)
}

/// The ETag of a row, with its key at hand.
pub fn etag_of(key: &ObjectKey, row: &ObjectRow) -> Result<String, StoreError> {
    let claimed =
        ClaimedRecord::read(&row.record).map_err(|e| StoreError::Corrupt(e.to_string()))?;
    let meta = open_meta(key, &meta_context(claimed.version()), &row.sealed_meta)?;
    Ok(etag_text(&meta.md5, meta.parts))
}

/// Proves and opens what a grant is for.
pub fn open(object: &OpenObject) -> Result<Opened, StoreError> {
    open_row(
        ObjectRow::decode(&object.row().value)?,
        object.object_key(),
        object.place(),
    )
}

fn open_row(row: ObjectRow, key: &ObjectKey, place: &ObjectPlace) -> Result<Opened, StoreError> {
    let claimed =
        ClaimedRecord::read(&row.record).map_err(|e| StoreError::Corrupt(e.to_string()))?;
    let record = claimed
        .prove(key, place)
        .map_err(|e| StoreError::Corrupt(e.to_string()))?;
    let meta = open_meta(key, &meta_context(place.version), &row.sealed_meta)?;
    let info = ObjectInfo {
        size: record.plain_bytes(),
        etag: etag_text(&meta.md5, meta.parts),
        modified: row.modified,
        metadata: meta.metadata,
        checksums: meta.checksums,
        parts: meta.parts,
        version: place.version,
    };
    Ok(Opened { row, record, info })
}

impl Opened {
    /// Checks the conditions of a read.
    pub fn check(&self, asked: &ReadAsked) -> Result<(), StoreError> {
        conditions::of_read(&asked.conditions, &self.info.etag, self.info.modified)
    }
}

/// First and last byte (included) of a range; nothing for an empty object that is read whole.
pub fn resolve(range: RangeAsked, size: u64) -> Result<(u64, u64), StoreError> {
    let outside = StoreError::RangeNotSatisfiable { size };
    match range {
        RangeAsked::From { first, last }
            if first < size && last.is_none_or(|last| last >= first) =>
        {
            Ok((first, last.unwrap_or(u64::MAX).min(size - 1)))
        }
        RangeAsked::Last(count) if count > 0 && size > 0 => {
            Ok((size.saturating_sub(count), size - 1))
        }
        _ => Err(outside),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let from = |first, last| RangeAsked::From { first, last };
        assert_eq!(resolve(from(0, Some(0)), 10).unwrap(), (0, 0));
        assert_eq!(resolve(from(4, None), 10).unwrap(), (4, 9));
        assert_eq!(resolve(from(4, Some(99)), 10).unwrap(), (4, 9));
        assert_eq!(resolve(RangeAsked::Last(3), 10).unwrap(), (7, 9));
        assert_eq!(resolve(RangeAsked::Last(30), 10).unwrap(), (0, 9));
        for bad in [from(10, None), from(5, Some(4)), RangeAsked::Last(0)] {
            assert!(matches!(
                resolve(bad, 10),
                Err(StoreError::RangeNotSatisfiable { size: 10 })
            ));
        }
        assert!(resolve(RangeAsked::Last(5), 0).is_err());
    }
}
