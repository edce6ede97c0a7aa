//! One page of a run: names in byte order, each with its facts. `b"N" ‖ bucket ‖ 0x01 ‖ run ‖ number`.
//!
//! A name is stored as the bytes in which it differs from the name before it, except that every sixteenth
//! is stored whole; where those stand is said at the end. So an opened page is kept as it is, a name is
//! found in it by halving, and nothing is taken apart that nobody asks for.

use super::{facts, only_padding, pad, shared_bytes};
use crate::api::NameFacts;
use words::limits::OBJECT_KEY_BYTES_MAX;
use words::wire::{Reader, WireError};

const VERSION: u8 = 1;
/// Version, count of names, count of whole names, end of the entries.
const HEAD_BYTES: usize = 1 + 2 + 2 + 2;
/// Kind, shared and own length of an entry.
const ENTRY_BYTES: usize = 1 + 2 + 2;
/// A page's length is a multiple of this.
const STEP_BYTES: usize = 256;
/// Every so many names one is stored whole.
const WHOLE_EVERY: u16 = 16;

/// Builds a page.
pub struct PageBuilder {
    bytes: Vec<u8>,
    last: Vec<u8>,
    wholes: Vec<u16>,
    count: u16,
    page_bytes: usize,
}

impl PageBuilder {
    /// An empty page of at most `page_bytes`, which must be less than 64 KiB.
    #[must_use]
    pub fn new(page_bytes: usize) -> Self {
        let mut bytes = Vec::with_capacity(page_bytes);
        bytes.resize(HEAD_BYTES, 0);
        let page_bytes = page_bytes / STEP_BYTES * STEP_BYTES;
        Self {
            bytes,
            last: Vec::new(),
            wholes: Vec::new(),
            count: 0,
            page_bytes,
        }
    }
    /// Whether the page holds nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
    /// The last name put in.
    #[must_use]
    pub fn last(&self) -> &[u8] {
        &self.last
    }
    /// Adds a name that is greater than the last one; `false` if the page is full and the name must go to
    /// the next one. An empty page takes any name.
    #[must_use]
    pub fn push(&mut self, name: &[u8], known: Option<&NameFacts>) -> bool {
        let whole = self.count.is_multiple_of(WHOLE_EVERY);
        let shared = if whole {
            0
        } else {
            shared_bytes(&self.last, name)
        };
        let own = name.get(shared..).unwrap_or_default();
        let room = ENTRY_BYTES + own.len() + facts::FACTS_BYTES + 2 * (self.wholes.len() + 1);
        if self.bytes.len() + room > self.page_bytes && !self.is_empty() {
            return false;
        }
        if whole {
            self.wholes
                .push(u16::try_from(self.bytes.len()).unwrap_or(u16::MAX));
        }
        self.bytes.push(if known.is_some() {
            facts::KIND_OBJECT
        } else {
            facts::KIND_GONE
        });
        self.bytes.extend_from_slice(&length(shared));
        self.bytes.extend_from_slice(&length(own.len()));
        self.bytes.extend_from_slice(own);
        if let Some(known) = known {
            facts::write(known, &mut self.bytes);
        }
        self.last.truncate(shared);
        self.last.extend_from_slice(own);
        self.count += 1;
        true
    }
    /// The page's plaintext; begins the next page.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        let next = Self::new(self.page_bytes);
        let mut done = std::mem::replace(self, next);
        let end = length(done.bytes.len());
        let head = [
            &[VERSION][..],
            &done.count.to_be_bytes(),
            &length(done.wholes.len()),
            &end,
        ]
        .concat();
        if let Some(place) = done.bytes.get_mut(..HEAD_BYTES) {
            place.copy_from_slice(&head);
        }
        done.bytes
            .extend(done.wholes.iter().flat_map(|whole| whole.to_be_bytes()));
        pad(&mut done.bytes, STEP_BYTES);
        done.bytes
    }
}

/// Names have at most 1,024 bytes and pages less than 64 KiB, so a length always fits.
pub(super) fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes()
}

/// An opened page.
pub struct Page {
    plain: Box<[u8]>,
    count: u16,
    /// Where the entries end and the list of whole names begins.
    end: usize,
    wholes: usize,
}

/// A place in a page. It begins before the first name.
#[derive(Default)]
pub struct PageCursor {
    /// Where the entry after this one begins; 0 before the first name.
    next: usize,
    name: Vec<u8>,
    facts: Option<NameFacts>,
}

impl PageCursor {
    /// The name it stands on.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }
    /// The facts of that name; `None`: gone.
    #[must_use]
    pub const fn facts(&self) -> Option<&NameFacts> {
        self.facts.as_ref()
    }
}

impl Page {
    /// Takes a page's plaintext and checks its frame. Entries are checked as they are read.
    pub fn decode(plain: Vec<u8>) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(&plain, VERSION)?;
        let (count, wholes, end) = (reader.u16()?, reader.u16()?, usize::from(reader.u16()?));
        let entries = end
            .checked_sub(HEAD_BYTES)
            .ok_or(WireError::Field("end of entries"))?;
        let _entries = reader.raw(entries)?;
        if count == 0 || wholes != count.div_ceil(WHOLE_EVERY) {
            return Err(WireError::Field("count of names"));
        }
        let wholes = usize::from(wholes);
        let mut before = 0;
        for _ in 0..wholes {
            let whole = reader.u16()?;
            if whole <= before || usize::from(whole) >= end {
                return Err(WireError::Field("place of a whole name"));
            }
            before = whole;
        }
        only_padding(reader.rest(), plain.len(), STEP_BYTES)?;
        Ok(Self {
            plain: plain.into(),
            count,
            end,
            wholes,
        })
    }

    /// How many names the page holds.
    #[must_use]
    pub const fn count(&self) -> u16 {
        self.count
    }

    /// Goes to the next name; `false` at the end of the page.
    pub fn step(&self, cursor: &mut PageCursor) -> Result<bool, WireError> {
        let at = cursor.next.max(HEAD_BYTES);
        let entries = self.plain.get(at..self.end).ok_or(WireError::Short)?;
        if entries.is_empty() {
            return Ok(false);
        }
        let mut reader = Reader::bare(entries);
        let kind = reader.u8()?;
        let (shared, own) = (usize::from(reader.u16()?), usize::from(reader.u16()?));
        let known = cursor
            .name
            .get(shared..)
            .ok_or(WireError::Field("name length"))?;
        if shared + own > OBJECT_KEY_BYTES_MAX {
            return Err(WireError::Field("name length"));
        }
        let own = reader.raw(own)?;
        // What they share is equal, so the rest decides the order.
        if own <= known {
            return Err(WireError::Field("name order"));
        }
        cursor.name.truncate(shared);
        cursor.name.extend_from_slice(own);
        cursor.facts = facts::read_kind(kind, &mut reader)?;
        cursor.next = self.end - reader.remaining();
        Ok(true)
    }

    /// Goes to the first name that is not less than `target`; `false` if there is none on this page.
    pub fn seek(&self, cursor: &mut PageCursor, target: &[u8]) -> Result<bool, WireError> {
        let (mut low, mut high) = (0, self.wholes);
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.whole_name(middle)? <= target {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        cursor.name.clear();
        cursor.facts = None;
        cursor.next = self.whole(low.saturating_sub(1))?;
        while self.step(cursor)? {
            if cursor.name.as_slice() >= target {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where a whole name's entry begins.
    fn whole(&self, number: usize) -> Result<usize, WireError> {
        let at = self.end + 2 * number;
        let place = self.plain.get(at..at + 2).ok_or(WireError::Short)?;
        Ok(usize::from(Reader::bare(place).u16()?))
    }

    fn whole_name(&self, number: usize) -> Result<&[u8], WireError> {
        let entries = self
            .plain
            .get(self.whole(number)?..self.end)
            .ok_or(WireError::Short)?;
        let mut reader = Reader::bare(entries);
        let (_kind, shared, own) = (reader.u8()?, reader.u16()?, reader.u16()?);
        if shared != 0 {
            return Err(WireError::Field("whole name"));
        }
        reader.raw(usize::from(own))
    }

    /// Memory it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.plain.len() + size_of::<Self>()
    }
}
