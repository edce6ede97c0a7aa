//! One line of a person's record: key `A l ‖ label`, sealed under the chain's key. It says which ledger entry is about
//! the person, and where their label stands in the set that the entry commits to.

use super::TAG;
use crate::chain::{Chain, Label};
use crate::set::Membership;
use seal::OpenError;
use words::UnixMillis;
use words::wire::{Reader, WireError, Writer};

const VERSION: u8 = 1;
/// Longest path in a set; more than any set has.
const PATH_MAX: usize = 32;

/// Why a line could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It does not open with the chain's key, or lies under another label.
    #[error("a line of a person's record was altered or moved: {0}")]
    Sealed(#[from] OpenError),
    /// It is cut or of another format.
    #[error("a line of a person's record: {0}")]
    Wire(#[from] WireError),
}

/// What an entry has to do with the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A statement read rows about them.
    Statement,
    /// An object about them was read.
    Object,
    /// They, or somebody for them, were told who used their data.
    Answer,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// What it is.
    pub about: About,
    /// A deferred line that was shown since, under a label of the chain that is not deferred.
    pub shown: bool,
    /// The index of the entry; `None`: the one that was committed together with this row.
    pub index: Option<u64>,
    /// The hash of the entry's leaf in the tree.
    pub leaf: [u8; 32],
    /// When it was.
    pub time: UnixMillis,
    /// Not shown before; 0 for at once.
    pub visible: UnixMillis,
    /// The label that the entry commits to; the row's own unless it was deferred.
    pub committed: Label,
    /// Where it stands in the entry's set.
    pub at: Membership,
}

/// The row's key.
#[must_use]
pub fn key(label: &Label) -> Vec<u8> {
    Writer::bare().u8(TAG).u8(b'l').raw(label).finish()
}

fn context(label: &Label) -> Vec<u8> {
    [b"person line\0".as_slice(), label].concat()
}

impl LineRow {
    /// The row's value. The salt is fresh.
    #[must_use]
    pub fn seal(&self, chain: &Chain, label: &Label, salt: [u8; 24]) -> Vec<u8> {
        seal::seal_value(chain.lines(), &context(label), salt, &self.encode())
    }
    /// Opens a row's value.
    pub fn open(chain: &Chain, label: &Label, sealed: &[u8]) -> Result<Self, LineError> {
        let plain = seal::open_value(chain.lines(), &context(label), sealed)?;
        Ok(Self::decode(&plain)?)
    }

    /// The bytes that are sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let about = match self.about {
            About::Statement => 1,
            About::Object => 2,
            About::Answer => 3,
        };
        let writer = Writer::versioned(VERSION)
            .u8(about)
            .u8(u8::from(self.shown))
            .u64(self.index.unwrap_or(u64::MAX))
            .raw(&self.leaf)
            .u64(self.time.0)
            .u64(self.visible.0)
            .raw(&self.committed)
            .u32(self.at.place)
            .u32(self.at.size)
            .u8(u8::try_from(self.at.path.len()).unwrap_or(u8::MAX));
        let path = self.at.path.iter();
        path.fold(writer, |writer, hash| writer.raw(hash)).finish()
    }
    /// Reads what was sealed.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let about = match reader.u8()? {
            1 => About::Statement,
            2 => About::Object,
            3 => About::Answer,
            _ => return Err(WireError::Field("about")),
        };
        let shown = match reader.u8()? {
            0 => false,
            1 => true,
            _ => return Err(WireError::Field("shown")),
        };
        let index = Some(reader.u64()?).filter(|index| *index != u64::MAX);
        let leaf = reader.array()?;
        let (time, visible) = (UnixMillis(reader.u64()?), UnixMillis(reader.u64()?));
        let committed = reader.array()?;
        let (place, size) = (reader.u32()?, reader.u32()?);
        let count = usize::from(reader.u8()?);
        if count > PATH_MAX {
            return Err(WireError::Field("path"));
        }
        let path = (0..count)
            .map(|_| reader.array())
            .collect::<Result<_, _>>()?;
        reader.finish()?;
        Ok(Self {
            about,
            shown,
            index,
            leaf,
            time,
            visible,
            committed,
            at: Membership { place, size, path },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn golden() -> LineRow {
        LineRow {
            about: About::Statement,
            shown: false,
            index: Some(41),
            leaf: [1; 32],
            time: UnixMillis(7),
            visible: UnixMillis(0),
            committed: [2; 32],
            at: Membership {
                place: 1,
                size: 2,
                path: vec![[3; 32]],
            },
        }
    }

    #[test]
    fn a_row_of_the_first_format_opens() {
        let bytes = golden().encode();
        assert_eq!(
            words::hex::encode(&bytes),
            include_str!("line.golden").trim()
        );
        for cut in 0..bytes.len() {
            assert!(LineRow::decode(&bytes[..cut]).is_err(), "{cut}");
        }
        assert_eq!(key(&[5; 32]).len(), 34);
    }

    proptest! {
        #[test]
        fn round_trip(index: Option<u32>, leaf: [u8; 32], time: u64, visible: u64, shown: bool, size: u32,
                      path in prop::collection::vec(any::<[u8; 32]>(), 0..13), about in 0..3) {
            let about = [About::Statement, About::Object, About::Answer][about as usize];
            let at = Membership { place: size / 2, size, path };
            let row = LineRow { about, shown, index: index.map(u64::from), leaf, time: UnixMillis(time),
                visible: UnixMillis(visible), committed: leaf, at };
            prop_assert_eq!(LineRow::decode(&row.encode()), Ok(row.clone()));
            let (chain, label) = (Chain::of(&leaf), [9; 32]);
            let sealed = row.seal(&chain, &label, [4; 24]);
            prop_assert_eq!(LineRow::open(&chain, &label, &sealed), Ok(row));
            prop_assert!(LineRow::open(&chain, &[8; 32], &sealed).is_err());
            prop_assert!(LineRow::open(&Chain::of(&[0x5a; 32]), &label, &sealed).is_err());
        }
    }
}
