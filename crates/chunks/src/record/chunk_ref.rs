//! How a record refers to a chunk: 52 bytes, of fixed length because they stand in rows by the dozen. The
//! record around them carries the version byte.

use words::ChunkId;
use words::wire::{Reader, WireError, Writer};

/// A chunk as records name it: enough to read it, and to know without any key whether a copy is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkRef {
    /// Its name.
    pub id: ChunkId,
    /// Its length in sealed bytes.
    pub bytes: u32,
    /// BLAKE3 of its sealed bytes.
    pub blake3: [u8; 32],
}

impl ChunkRef {
    /// Length on the wire.
    pub const WIRE_BYTES: usize = 16 + 4 + 32;

    /// Adds the reference to a record.
    #[must_use]
    pub fn write(&self, writer: Writer) -> Writer {
        writer
            .raw(self.id.as_bytes())
            .u32(self.bytes)
            .raw(&self.blake3)
    }
    /// Takes a reference from a record.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            id: ChunkId::from_bytes(reader.array()?),
            bytes: reader.u32()?,
            blake3: reader.array()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ChunkRef;
    use proptest::prelude::{any, proptest};
    use words::ChunkId;
    use words::wire::{Reader, Writer};

    proptest! {
        #[test]
        fn comes_back_as_it_was(id in any::<[u8; 16]>(), bytes in any::<u32>(), blake3 in any::<[u8; 32]>()) {
            let chunk = ChunkRef { id: ChunkId::from_bytes(id), bytes, blake3 };
            let wire = chunk.write(Writer::bare()).finish();
            assert_eq!(wire.len(), ChunkRef::WIRE_BYTES);
            let mut reader = Reader::bare(&wire);
            assert_eq!(ChunkRef::read(&mut reader), Ok(chunk));
            assert_eq!(reader.finish(), Ok(()));
        }
    }
}
