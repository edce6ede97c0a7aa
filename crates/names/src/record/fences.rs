//! Fences of a run: for each page, or each row of fences below, the shortest bytes that part it from what
//! comes before it. `b"N" ‖ bucket ‖ 0x02 ‖ run ‖ number`. The last row of a run is its root.

use super::page::length;
use super::{only_padding, pad, shared_bytes};
use words::limits::OBJECT_KEY_BYTES_MAX;
use words::wire::{Reader, WireError};

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 1 + 1 + 2;
const ENTRY_BYTES: usize = 2 + 2 + 4;
const STEP_BYTES: usize = 256;
const FENCE_BYTES_MAX: usize = 64 * 1024;

/// Builds a row of fences.
pub struct FencesBuilder {
    bytes: Vec<u8>,
    first: Vec<u8>,
    last: Vec<u8>,
    fence_bytes: usize,
    count: u16,
    level: u8,
    page_bytes: usize,
}

impl FencesBuilder {
    /// An empty row of at most `page_bytes`. Level 1 parts pages, level 2 parts rows of level 1, and so on.
    #[must_use]
    pub fn new(level: u8, page_bytes: usize) -> Self {
        let page_bytes = page_bytes / STEP_BYTES * STEP_BYTES;
        let bytes = vec![VERSION, level, 0, 0];
        Self {
            bytes,
            first: Vec::new(),
            last: Vec::new(),
            fence_bytes: 0,
            count: 0,
            level,
            page_bytes,
        }
    }
    /// How many children it parts.
    #[must_use]
    pub const fn count(&self) -> u16 {
        self.count
    }
    /// Its first fence.
    #[must_use]
    pub fn first(&self) -> &[u8] {
        &self.first
    }
    /// Adds a child that begins at `fence`; `false` if the row is full.
    #[must_use]
    pub fn push(&mut self, fence: &[u8], child: u32) -> bool {
        let shared = shared_bytes(&self.last, fence);
        let own = fence.get(shared..).unwrap_or_default();
        let fits = self.bytes.len() + ENTRY_BYTES + own.len() <= self.page_bytes
            && self.fence_bytes + fence.len() <= FENCE_BYTES_MAX
            && self.count < u16::MAX;
        // Two children at the least, or the tree would never end in one root.
        if !fits && self.count >= 2 {
            return false;
        }
        self.bytes.extend_from_slice(&length(shared));
        self.bytes.extend_from_slice(&length(own.len()));
        self.bytes.extend_from_slice(own);
        self.bytes.extend_from_slice(&child.to_be_bytes());
        if self.count == 0 {
            self.first = fence.to_vec();
        }
        self.last.truncate(shared);
        self.last.extend_from_slice(own);
        self.fence_bytes += fence.len();
        self.count += 1;
        true
    }
    /// The row's plaintext; begins the next row of the same level.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        let next = Self::new(self.level, self.page_bytes);
        let mut done = std::mem::replace(self, next);
        if let Some(count) = done.bytes.get_mut(2..HEAD_BYTES) {
            count.copy_from_slice(&done.count.to_be_bytes());
        }
        pad(&mut done.bytes, STEP_BYTES);
        done.bytes
    }
}

/// An opened row of fences.
pub struct Fences {
    level: u8,
    names: Box<[u8]>,
    /// Where each fence ends, and the child that begins there.
    entries: Box<[(u32, u32)]>,
}

impl Fences {
    /// Reads a row's plaintext.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let level = reader.u8()?;
        let count = usize::from(reader.u16()?);
        if level == 0 || count == 0 {
            return Err(WireError::Field("fences"));
        }
        let mut names = Vec::with_capacity(count * 32);
        let mut entries = Vec::with_capacity(count);
        let mut before = 0..0;
        for _ in 0..count {
            let start = names.len();
            read_name(&mut reader, &mut names, before.clone())?;
            // What is short on the disk could be long in memory.
            if names.len() > FENCE_BYTES_MAX {
                return Err(WireError::Field("fences"));
            }
            let end = u32::try_from(names.len()).map_err(|_| WireError::Field("fence"))?;
            entries.push((end, reader.u32()?));
            before = start..names.len();
        }
        only_padding(reader.rest(), bytes.len(), STEP_BYTES)?;
        Ok(Self {
            level,
            names: names.into(),
            entries: entries.into(),
        })
    }
    /// How far above the pages it stands.
    #[must_use]
    pub const fn level(&self) -> u8 {
        self.level
    }
    /// The child in which `target` lies or would lie.
    #[must_use]
    pub fn child(&self, target: &[u8]) -> Option<u32> {
        let (mut low, mut high) = (0, self.entries.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.fence(middle).is_some_and(|fence| fence <= target) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.entries
            .get(low.saturating_sub(1))
            .map(|(_, child)| *child)
    }
    fn fence(&self, at: usize) -> Option<&[u8]> {
        let end = self.entries.get(at)?.0 as usize;
        let start = match at.checked_sub(1) {
            Some(before) => self.entries.get(before)?.0 as usize,
            None => 0,
        };
        self.names.get(start..end)
    }
    /// Memory it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.names.len() + size_of_val(&*self.entries) + size_of::<Self>()
    }
}

/// Reads one fence, which shares bytes with the one that lies at `before` in `names`, and appends it.
fn read_name(
    reader: &mut Reader<'_>,
    names: &mut Vec<u8>,
    before: std::ops::Range<usize>,
) -> Result<(), WireError> {
    let shared = usize::from(reader.u16()?);
    let own = usize::from(reader.u16()?);
    if shared > before.len() || shared + own > OBJECT_KEY_BYTES_MAX {
        return Err(WireError::Field("fence length"));
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
        Err(WireError::Field("fence order"))
    }
}
