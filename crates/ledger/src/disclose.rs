//! Showing single fields of an entry to someone who has only its leaf: tag, value and salt of those fields,
//! and the hashes of all others. What is not shown cannot be guessed, because every field has its own salt.

use crate::fields::{Commitment, Fields, SALT_BYTES, commitment_of, field_hash, salted};
use crate::record::opening::{FIELD_BYTES_MAX, FIELDS_MAX};
use crate::tree::Hash;
use words::wire::{Reader, WireError, Writer};

/// One place of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Place {
    Hidden(Hash),
    Shown {
        tag: u16,
        salt: [u8; SALT_BYTES],
        value: Vec<u8>,
    },
}

/// Some fields of one entry, provable against its commitment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disclosure(Vec<Place>);

impl Fields {
    /// Shows the fields of these tags and hides the others.
    #[must_use]
    pub fn disclose(&self, entry_key: &[u8; 32], tags: &[u16]) -> Disclosure {
        let mut places = Vec::new();
        salted(self, entry_key, |salt, tag, value| {
            places.push(if tags.contains(&tag) {
                Place::Shown {
                    tag,
                    salt: *salt,
                    value: value.to_vec(),
                }
            } else {
                Place::Hidden(field_hash(salt, tag, value))
            });
        });
        Disclosure(places)
    }
}

impl Disclosure {
    const VERSION: u8 = 1;

    /// Tag and value of every field shown, if they are those that were committed to.
    #[must_use]
    pub fn check(&self, commitment: &Commitment) -> Option<Vec<(u16, &[u8])>> {
        let mut hashes = Vec::with_capacity(self.0.len() * 32);
        let mut shown = Vec::new();
        for place in &self.0 {
            match place {
                Place::Hidden(hash) => hashes.extend_from_slice(hash),
                Place::Shown { tag, salt, value } => {
                    hashes.extend_from_slice(&field_hash(salt, *tag, value));
                    shown.push((*tag, value.as_slice()));
                }
            }
        }
        (commitment_of(&hashes) == *commitment).then_some(shown)
    }
    /// The disclosure as it is handed over: version 1 ‖ for each field either 0 ‖ hash (32 bytes), or
    /// 1 ‖ tag (u16) ‖ salt (16 bytes) ‖ length (u32) ‖ value.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let place = |writer: Writer, place: &Place| match place {
            Place::Hidden(hash) => writer.u8(0).raw(hash),
            Place::Shown { tag, salt, value } => writer.u8(1).u16(*tag).raw(salt).bytes(value),
        };
        self.0
            .iter()
            .fold(Writer::versioned(Self::VERSION), place)
            .finish()
    }
    /// Reads a disclosure.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, Self::VERSION)?;
        let mut places = Vec::new();
        while reader.remaining() > 0 {
            if places.len() == FIELDS_MAX {
                return Err(WireError::Field("count"));
            }
            places.push(match reader.u8()? {
                0 => Place::Hidden(reader.array()?),
                1 => Place::Shown {
                    tag: reader.u16()?,
                    salt: reader.array()?,
                    value: reader.bytes(FIELD_BYTES_MAX)?.to_vec(),
                },
                _ => return Err(WireError::Field("place")),
            });
        }
        Ok(Self(places))
    }
}
