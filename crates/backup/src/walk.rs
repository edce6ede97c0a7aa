//! Going through the rows of a backup once, in their order, and checking on the way what can be checked without a key:
//! that they follow each other, that none is of a later commit, that the ledger has no hole, and what its tree comes to.

use crate::error::BackupError;
use crate::folder::{self, Backup};
use crate::manifest::Block;
use catalog::{Point, Row};
use chunks::ChunkRef;
use ledger::record::row as ledger_row;
use ledger::tree::{Frontier, Hash};
use std::path::{Path, PathBuf};

const LEDGER_TAG: u8 = b'L';

/// A block of rows: keys in order, each with its row.
pub type RowBlock = Vec<(Vec<u8>, Row)>;

/// Where rows lie, and what they have to fit.
#[derive(Clone)]
pub(crate) struct Rows<'b> {
    pub folder: &'b Path,
    pub generation: u32,
    pub blocks: &'b [Block],
    pub point: Point,
    /// The size at which the tree's root is remembered.
    pub mark: Option<u64>,
}

/// What went by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walked {
    /// Rows.
    pub rows: u64,
    /// The root of the ledger's tree.
    pub root: Hash,
    /// The root at the size that was to be remembered, if the ledger has it.
    pub marked: Option<Hash>,
}

/// A way through all rows.
pub struct Walk<'b> {
    rows: Rows<'b>,
    block: usize,
    last: Vec<u8>,
    count: u64,
    tree: Frontier,
    marked: Option<Hash>,
}

impl<'b> Walk<'b> {
    /// Begins at the first row.
    #[must_use]
    pub fn new(backup: &'b Backup) -> Self {
        let manifest = backup.manifest();
        Self::of(Rows {
            folder: backup.folder(),
            generation: manifest.generation,
            blocks: &manifest.blocks,
            point: manifest.point,
            mark: manifest.checkpoint.map(|(size, _)| size),
        })
    }

    pub(crate) fn of(rows: Rows<'b>) -> Self {
        let marked = (rows.mark == Some(0)).then(ledger::tree::empty_root);
        Self {
            rows,
            block: 0,
            last: Vec::new(),
            count: 0,
            tree: Frontier::default(),
            marked,
        }
    }

    /// The file of the block that was given last.
    fn path(&self) -> PathBuf {
        let at = self.block.saturating_sub(1);
        folder::rows(self.rows.folder, self.rows.generation, at)
    }

    fn altered(&self, why: impl Into<String>) -> BackupError {
        BackupError::Altered {
            path: self.path(),
            why: why.into(),
        }
    }

    /// How many blocks went by, and of how many.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.block as u64, self.rows.blocks.len() as u64)
    }

    /// The rows of the next block; none at the end.
    #[allow(clippy::should_implement_trait)] // it can fail, and it reads files
    pub fn next(&mut self) -> Result<Option<RowBlock>, BackupError> {
        let Some(listed) = self.rows.blocks.get(self.block) else {
            return Ok(None);
        };
        self.block += 1;
        let rows = folder::block(&self.path(), listed)?;
        for (key, row) in &rows {
            self.look(key, row)?;
        }
        Ok(Some(rows))
    }

    fn look(&mut self, key: &[u8], row: &Row) -> Result<(), BackupError> {
        // No row of a room begins with 0, and none is empty.
        if key.first().is_none_or(|tag| *tag == 0) || key <= self.last.as_slice() {
            return Err(self.altered("its rows are not in order"));
        }
        if row.version == 0 || row.version > self.rows.point.version {
            return Err(self.altered("a row is of a commit that the backup does not have"));
        }
        if key.first() == Some(&LEDGER_TAG) {
            if key != ledger::row_key(self.tree.size()) {
                let missing = self.tree.size();
                return Err(self.altered(format!("ledger row {missing} is missing")));
            }
            let read = ledger_row::decode(&row.value).map(|(leaf, _)| leaf.hash());
            self.tree
                .push(read.map_err(|e| self.altered(e.to_string()))?);
            if self.rows.mark == Some(self.tree.size()) {
                self.marked = Some(self.tree.root());
            }
        }
        self.last.clear();
        self.last.extend_from_slice(key);
        self.count += 1;
        Ok(())
    }

    /// The chunks that a row of the last block names.
    pub fn chunks(&self, key: &[u8], row: &Row) -> Result<Vec<ChunkRef>, BackupError> {
        store::chunks_of(key, &row.value).map_err(|e| self.altered(e.to_string()))
    }

    /// What all rows came to; an error if the ledger does not end where the catalog's head says.
    pub fn end(self) -> Result<Walked, BackupError> {
        if self.tree.size() != self.rows.point.next_index {
            let (has, needs) = (self.tree.size(), self.rows.point.next_index);
            return Err(self.altered(format!("the ledger has {has} rows instead of {needs}")));
        }
        Ok(Walked {
            rows: self.count,
            root: self.tree.root(),
            marked: self.marked,
        })
    }
}
