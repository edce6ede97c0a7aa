//! One page of a run: names in byte order, each with its facts. `b"N" ‖ bucket ‖ 0x01 ‖ run ‖ number`.
//!
//! A name is stored as the bytes in which it differs from the name before it.

use super::{facts, only_zeros, pad, shared_bytes};
use crate::api::NameFacts;
use words::limits::OBJECT_KEY_BYTES_MAX;
use words::wire::{Reader, WireError};

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 1 + 2;
/// Kind, shared and own length of an entry.
const ENTRY_BYTES: usize = 1 + 2 + 2;
/// A page's length is a multiple of this.
const STEP_BYTES: usize = 256;
/// Names of one page written out in full: bounds the memory of an opened page whatever the names are like.
const NAME_BYTES_MAX: usize = 64 * 1024;

/// Builds a page.
pub struct PageBuilder {
    bytes: Vec<u8>,
    last: Vec<u8>,
    name_bytes: usize,
    count: u16,
    page_bytes: usize,
}

impl PageBuilder {
    /// An empty page of at most `page_bytes`.
    #[must_use]
    pub fn new(page_bytes: usize) -> Self {
        let mut bytes = Vec::with_capacity(page_bytes);
        bytes.extend_from_slice(&[VERSION, 0, 0]);
        Self {
            bytes,
            last: Vec::new(),
            name_bytes: 0,
            count: 0,
            page_bytes: page_bytes / STEP_BYTES * STEP_BYTES,
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
        let shared = shared_bytes(&self.last, name);
        let own = name.get(shared..).unwrap_or_default();
        let room = ENTRY_BYTES + own.len() + facts::FACTS_BYTES;
        let fits = self.bytes.len() + room <= self.page_bytes
            && self.name_bytes + name.len() <= NAME_BYTES_MAX
            && self.count < u16::MAX;
        if !fits && !self.is_empty() {
            return false;
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
        self.name_bytes += name.len();
        self.count += 1;
        true
    }
    /// The page's plaintext; begins the next page.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        let next = Self::new(self.page_bytes);
        let mut done = std::mem::replace(self, next);
        if let Some(count) = done.bytes.get_mut(1..HEAD_BYTES) {
            count.copy_from_slice(&done.count.to_be_bytes());
        }
        pad(&mut done.bytes, STEP_BYTES);
        done.bytes
    }
}

/// Names have at most 1,024 bytes, so a length always fits.
pub(super) fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes()
}

/// An opened page.
pub struct Page {
    /// All names, one after another.
    names: Box<[u8]>,
    /// Where each name ends, and its facts.
    entries: Box<[(u32, Option<NameFacts>)]>,
}

impl Page {
    /// Reads a page's plaintext and checks the order of its names.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let count = usize::from(reader.u16()?);
        let mut names = Vec::with_capacity(count * 48);
        let mut entries = Vec::with_capacity(count);
        let mut before = 0..0;
        for _ in 0..count {
            let kind = reader.u8()?;
            let start = names.len();
            read_name(&mut reader, &mut names, before.clone())?;
            let end = u32::try_from(names.len()).map_err(|_| WireError::Field("name"))?;
            entries.push((end, facts::read_kind(kind, &mut reader)?));
            before = start..names.len();
        }
        only_zeros(reader.rest())?;
        Ok(Self {
            names: names.into(),
            entries: entries.into(),
        })
    }
    /// How many names the page holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }
    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    /// A name and its facts (`None`: gone).
    #[must_use]
    pub fn get(&self, at: usize) -> Option<(&[u8], Option<&NameFacts>)> {
        let (_, known) = self.entries.get(at)?;
        Some((self.name(at)?, known.as_ref()))
    }
    fn name(&self, at: usize) -> Option<&[u8]> {
        let end = self.entries.get(at)?.0 as usize;
        let start = match at.checked_sub(1) {
            Some(before) => self.entries.get(before)?.0 as usize,
            None => 0,
        };
        self.names.get(start..end)
    }
    /// Where the first name that is not less than `target` stands; [`Self::len`] if there is none.
    #[must_use]
    pub fn find(&self, target: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.name(middle).is_some_and(|name| name < target) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
    /// Memory it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.names.len() + size_of_val(&*self.entries) + size_of::<Self>()
    }
}

/// Reads one name, which shares bytes with the one that lies at `before` in `names`, and appends it.
pub(super) fn read_name(
    reader: &mut Reader<'_>,
    names: &mut Vec<u8>,
    before: std::ops::Range<usize>,
) -> Result<(), WireError> {
    let shared = usize::from(reader.u16()?);
    let own = usize::from(reader.u16()?);
    if shared > before.len() || shared + own > OBJECT_KEY_BYTES_MAX {
        return Err(WireError::Field("name length"));
    }
    let own = reader.raw(own)?;
    let start = names.len();
    names.extend_from_within(before.start..before.start + shared);
    names.extend_from_slice(own);
    let rises = match (names.get(before.clone()), names.get(start..)) {
        (Some(last), Some(name)) => before.is_empty() || last < name,
        _ => false,
    };
    if rises {
        Ok(())
    } else {
        Err(WireError::Field("name order"))
    }
}
