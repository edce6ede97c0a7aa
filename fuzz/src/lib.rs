//! What the fuzz targets share: taking an input apart, damaging bytes, the check of canonical form, a
//! signer of requests and a calendar that have no code in common with the rooms they are held against.
//!
//! Never here: anything that a target checks. Each file in `fuzz_targets/` says what it holds to be true.

pub mod calendar;
pub mod signer;

use std::fmt::{Debug, Display};

/// No message is longer that reaches a log or a client, whatever was read.
pub const MESSAGE_BYTES_MAX: usize = 2048;

/// Takes values off the front of an input. What is missing is zero, so that every input says something.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// Begins at the front.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
    /// So many bytes.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.take(N);
        array[..taken.len()].copy_from_slice(taken);
        array
    }
    /// One byte.
    pub fn u8(&mut self) -> u8 {
        u8::from_be_bytes(self.array())
    }
    /// Two bytes.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }
    /// Four bytes.
    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }
    /// Eight bytes.
    pub fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }
    /// A yes or a no.
    pub fn flag(&mut self) -> bool {
        self.u8() & 1 == 1
    }
    /// A place below `count`, which is not 0.
    pub fn below(&mut self, count: usize) -> usize {
        usize::from(self.u16()) % count
    }
    /// At most `most` bytes.
    pub fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }
    /// Bytes with their number before them, at most `most`.
    pub fn bytes(&mut self, most: usize) -> &'a [u8] {
        let length = self.below(most + 1);
        self.take(length)
    }
    /// Text with its length before it, at most `most` bytes; what is no UTF-8 is made so.
    pub fn text(&mut self, most: usize) -> String {
        String::from_utf8_lossy(self.bytes(most)).into_owned()
    }
    /// The text before the next line end, or all that is left.
    pub fn line(&mut self) -> String {
        let end = self.0.iter().position(|byte| *byte == b'\n');
        let line = self.take(end.unwrap_or(self.0.len()));
        self.take(1);
        String::from_utf8_lossy(line).into_owned()
    }
    /// Whether everything was taken.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// What is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// Holds a reader against its writer: what is read is written again as the very bytes that were read, so one
/// record has one spelling; what is refused is refused in bounded words.
pub fn canonical<T: Debug, E: Display>(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Result<T, E>,
    write: impl Fn(&T) -> Vec<u8>,
) -> Option<T> {
    match read(bytes) {
        Ok(value) => {
            let written = write(&value);
            assert!(
                written == bytes,
                "read as {value:?}\n from {}\nwritten as {}",
                words::hex::encode(bytes),
                words::hex::encode(&written)
            );
            Some(value)
        }
        Err(error) => {
            bounded_by(&error, MESSAGE_BYTES_MAX + 8 * bytes.len());
            None
        }
    }
}

/// Holds that a message says something and stays short, however long that is what it complains about.
pub fn bounded(error: &impl Display) {
    bounded_by(error, MESSAGE_BYTES_MAX);
}

/// The same where a message may quote what was read, such as a line of a file.
pub fn bounded_by(error: &impl Display, most: usize) {
    let length = error.to_string().len();
    assert!(
        (1..=most).contains(&length),
        "a message of {length} bytes: {error:.200}"
    );
}

/// The bytes after one act of damage: a flipped bit, a cut, bytes added or doubled, or two pieces exchanged.
/// It may happen that they are the same as before.
pub fn damaged(bytes: &[u8], input: &mut Input<'_>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let act = input.u8() % 6;
    let at = input.below(bytes.len() + 1);
    match act {
        0 if at < bytes.len() => bytes[at] ^= 1 << (input.u8() % 8),
        1 => bytes.truncate(at),
        2 => bytes.extend_from_slice(input.bytes(64)),
        3 => {
            let more = input.bytes(64).to_vec();
            bytes.splice(at..at, more);
        }
        4 => drop(bytes.drain(..at)),
        _ => bytes.rotate_left(at),
    }
    bytes
}
