//! Where a delta stands among the deltas of its bucket: the bytes that the catalog put after the prefix of
//! an appended row. They rise in commit order, and that is all that is known of them here.

/// A delta's place. Compares as its bytes do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Position {
    bytes: [u8; POSITION_BYTES_MAX],
    length: u8,
}

/// Longest place that fits.
pub const POSITION_BYTES_MAX: usize = 16;

impl Position {
    /// Takes the bytes after the row's prefix; `None` if there are none or too many.
    #[must_use]
    pub fn from_bytes(found: &[u8]) -> Option<Self> {
        let mut bytes = [0; POSITION_BYTES_MAX];
        let length = u8::try_from(found.len())
            .ok()
            .filter(|length| *length > 0)?;
        bytes.get_mut(..found.len())?.copy_from_slice(found);
        Some(Self { bytes, length })
    }
    /// The bytes as they stand in the row's key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

impl Ord for Position {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Debug for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Position({})", words::hex::encode(self.as_bytes()))
    }
}
