//! Cuts a rising sequence of names into the rows of a run. Pure: it hands out plaintext rows, numbered, and
//! the caller seals and commits them.

use crate::api::NameFacts;
use crate::record::{FencesBuilder, PageBuilder, RunId, RunRecord, shared_bytes};
use crate::rows::NodeKind;

/// A row that is ready to be sealed.
pub(crate) struct PlainNode {
    pub kind: NodeKind,
    pub number: u32,
    pub plain: Vec<u8>,
}

/// A run in the making.
pub(crate) struct RunWriter {
    id: RunId,
    page_bytes: usize,
    page: PageBuilder,
    /// What parts the page in the making from the one before it.
    fence: Vec<u8>,
    /// Level 1 first. A level exists once the one below has filled a row, so the top one was never full.
    levels: Vec<FencesBuilder>,
    pages: u32,
    fences: u32,
    entries: u64,
    tombstones: u64,
    ready: Vec<PlainNode>,
    ready_bytes: usize,
}

impl RunWriter {
    pub(crate) fn new(id: RunId, page_bytes: usize) -> Self {
        Self {
            id,
            page_bytes,
            page: PageBuilder::new(page_bytes),
            fence: Vec::new(),
            levels: Vec::new(),
            pages: 0,
            fences: 0,
            entries: 0,
            tombstones: 0,
            ready: Vec::new(),
            ready_bytes: 0,
        }
    }

    /// The run's name.
    pub(crate) const fn id(&self) -> RunId {
        self.id
    }

    /// Adds a name that is greater than the one before.
    pub(crate) fn push(&mut self, name: &[u8], facts: Option<&NameFacts>) {
        self.entries += 1;
        self.tombstones += u64::from(facts.is_none());
        if self.page.push(name, facts) {
            return;
        }
        let parting = shared_bytes(self.page.last(), name) + 1;
        let fence = name.get(..parting).unwrap_or(name).to_vec();
        self.end_page();
        self.fence = fence;
        // An empty page takes any name.
        let _taken = self.page.push(name, facts);
    }

    /// Bytes of the rows that wait to be taken.
    pub(crate) const fn ready_bytes(&self) -> usize {
        self.ready_bytes
    }

    /// Takes the rows that are ready.
    pub(crate) fn take_ready(&mut self) -> Vec<PlainNode> {
        self.ready_bytes = 0;
        std::mem::take(&mut self.ready)
    }

    /// Ends the run; its last rows are ready then. `None` if it holds nothing.
    pub(crate) fn finish(&mut self, level: u8) -> Option<RunRecord> {
        if !self.page.is_empty() {
            self.end_page();
        }
        let height = match self.pages {
            0 => return None,
            1 => 0,
            _ => self.end_fences(),
        };
        Some(RunRecord {
            id: self.id,
            level,
            height,
            pages: self.pages,
            fences: self.fences,
            entries: self.entries,
            tombstones: self.tombstones,
        })
    }

    fn end_page(&mut self) {
        let number = self.pages;
        self.pages += 1;
        let plain = self.page.take();
        self.give(NodeKind::Page, number, plain);
        let fence = std::mem::take(&mut self.fence);
        self.add_child(0, fence, number);
    }

    fn add_child(&mut self, mut at: usize, mut fence: Vec<u8>, mut child: u32) {
        loop {
            if self.levels.len() <= at {
                let level = u8::try_from(at + 1).unwrap_or(u8::MAX);
                self.levels.push(FencesBuilder::new(level, self.page_bytes));
            }
            let Some(builder) = self.levels.get_mut(at) else {
                return;
            };
            if builder.push(&fence, child) {
                return;
            }
            let first = builder.first().to_vec();
            let plain = builder.take();
            // An empty row takes any fence.
            let _taken = builder.push(&fence, child);
            (fence, child) = (first, self.give_fences(plain));
            at += 1;
        }
    }

    /// Ends every level from below; the top one becomes the root. Gives the height.
    fn end_fences(&mut self) -> u8 {
        let mut at = 0;
        while let Some(builder) = self.levels.get_mut(at) {
            let first = builder.first().to_vec();
            let plain = builder.take();
            let number = self.give_fences(plain);
            at += 1;
            if at == self.levels.len() {
                break;
            }
            self.add_child(at, first, number);
        }
        u8::try_from(at).unwrap_or(u8::MAX)
    }

    fn give_fences(&mut self, plain: Vec<u8>) -> u32 {
        let number = self.fences;
        self.fences += 1;
        self.give(NodeKind::Fences, number, plain);
        number
    }

    fn give(&mut self, kind: NodeKind, number: u32, plain: Vec<u8>) {
        self.ready_bytes += plain.len();
        self.ready.push(PlainNode {
            kind,
            number,
            plain,
        });
    }
}
