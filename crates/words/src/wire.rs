//! How stored records are laid out: big-endian integers, byte strings with a length before them, and a
//! reader that refuses what is too short or too long. Every record begins with a version byte.

/// Why a record could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end before the record does.
    #[error("the record ends early")]
    Short,
    /// Bytes follow the end of the record.
    #[error("{0} bytes follow the end of the record")]
    Trailing(usize),
    /// The version byte is of a format this build does not know.
    #[error("format version {found} is not known here (this build reads up to {known})")]
    Version {
        /// The byte found.
        found: u8,
        /// The newest this build reads.
        known: u8,
    },
    /// A field has a value that the format does not allow.
    #[error("field {0} has a value that the format does not allow")]
    Field(&'static str),
}

/// Builds one record.
#[derive(Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Begins a record with its version byte.
    #[must_use]
    pub fn versioned(version: u8) -> Self {
        Self(vec![version])
    }
    /// Begins a bare sequence of fields, such as a key.
    #[must_use]
    pub const fn bare() -> Self {
        Self(Vec::new())
    }
    /// One byte.
    #[must_use]
    pub fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }
    /// Two bytes, big-endian.
    #[must_use]
    pub fn u16(mut self, value: u16) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    /// Four bytes, big-endian.
    #[must_use]
    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    /// Eight bytes, big-endian.
    #[must_use]
    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    /// Bytes of a length that the format fixes.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
    /// Four bytes of length, then the bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }
    /// The record.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Takes one record apart.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Begins a record and checks that its version is one of `1..=known`.
    pub fn versioned(bytes: &'a [u8], known: u8) -> Result<(u8, Self), WireError> {
        let mut reader = Self(bytes);
        match reader.u8()? {
            found if (1..=known).contains(&found) => Ok((found, reader)),
            found => Err(WireError::Version { found, known }),
        }
    }
    /// Begins a bare sequence of fields.
    #[must_use]
    pub const fn bare(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
    /// Bytes of a length that the format fixes.
    pub fn raw(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (head, tail) = self.0.split_at_checked(length).ok_or(WireError::Short)?;
        self.0 = tail;
        Ok(head)
    }
    /// An array of a length that the format fixes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        self.raw(N)?.try_into().map_err(|_| WireError::Short)
    }
    /// One byte.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.array::<1>()?[0])
    }
    /// Two bytes, big-endian.
    pub fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_be_bytes(self.array()?))
    }
    /// Four bytes, big-endian.
    pub fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_be_bytes(self.array()?))
    }
    /// Eight bytes, big-endian.
    pub fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_be_bytes(self.array()?))
    }
    /// A byte string with its length before it, at most `max` long.
    pub fn bytes(&mut self, max: usize) -> Result<&'a [u8], WireError> {
        let length = self.u32()? as usize;
        if length > max {
            return Err(WireError::Field("length"));
        }
        self.raw(length)
    }
    /// What is left.
    #[must_use]
    pub const fn rest(self) -> &'a [u8] {
        self.0
    }
    /// How many bytes are left.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.0.len()
    }
    /// Ends the record: nothing may be left.
    pub fn finish(self) -> Result<(), WireError> {
        match self.0.len() {
            0 => Ok(()),
            left => Err(WireError::Trailing(left)),
        }
    }
}
