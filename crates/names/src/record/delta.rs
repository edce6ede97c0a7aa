//! One change of one name: `b"D" ‖ bucket ‖ position`.

use super::{facts, only_padding, pad};
use crate::api::NameFacts;
use words::limits::OBJECT_KEY_BYTES_MAX;
use words::wire::{Reader, WireError, Writer};

const VERSION: u8 = 1;
/// A delta's length is a multiple of this, so that it tells a name's length only roughly.
const STEP_BYTES: usize = 64;

/// An opened delta.
#[derive(Clone, PartialEq, Eq)]
pub struct DeltaRecord {
    /// The name's bytes.
    pub name: Box<[u8]>,
    /// Its facts; `None` if it is gone.
    pub facts: Option<NameFacts>,
}

impl DeltaRecord {
    /// The plaintext of a delta's row.
    #[must_use]
    pub fn encode(name: &[u8], known: Option<&NameFacts>) -> Vec<u8> {
        let kind = if known.is_some() {
            facts::KIND_OBJECT
        } else {
            facts::KIND_GONE
        };
        let mut bytes = Writer::versioned(VERSION).u8(kind).bytes(name).finish();
        // A put and a delete of the same name have the same length.
        match known {
            Some(known) => facts::write(known, &mut bytes),
            None => bytes.resize(bytes.len() + facts::FACTS_BYTES, 0),
        }
        pad(&mut bytes, STEP_BYTES);
        bytes
    }

    /// Reads the plaintext of a delta's row.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let kind = reader.u8()?;
        let name = reader.bytes(OBJECT_KEY_BYTES_MAX)?.into();
        let facts = facts::read_kind(kind, &mut reader)?;
        if facts.is_none() && reader.array()? != [0; facts::FACTS_BYTES] {
            return Err(WireError::Field("facts of a name that is gone"));
        }
        only_padding(reader.rest(), bytes.len(), STEP_BYTES)?;
        Ok(Self { name, facts })
    }
}
