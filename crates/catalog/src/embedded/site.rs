//! One site's database: opened, read from snapshots, written by whole batches. Knows fjall; nothing else
//! does.
//!
//! Two keyspaces: `facts` holds every row but the ledger's, and the journal rows; a batch's facts and its
//! journal row lie in one memtable, so that after a crash both are there or neither. `ledger` holds the
//! ledger rows, whose indices tell by themselves whether one is missing.

use super::error::SiteError;
use super::folder::CatalogFolder;
use super::options::Options;
use super::tail;
use crate::engine::{KeyRange, Order, Row};
use crate::plan::{LEDGER_TAG, RESERVED_TAG};
use crate::record::row;
use bytes::Bytes;
use fjall::config::CompressionPolicy;
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions};
use fjall::{PersistMode, Readable, Slice, Snapshot};
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use words::SiteId;

/// fjall's own log may hold this much; the smallest it allows.
const LOG_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// With more than one, the first worker hands each compaction back to the queue for the others, and while
/// they are busy it does nothing else: a whole processor is spent on that.
const WORKER_THREADS: usize = 1;

/// One row to write or to take away, ready for the database.
#[derive(Clone)]
pub struct Change {
    /// Whether it is a ledger row.
    pub ledger: bool,
    /// Its key.
    pub key: Slice,
    /// The stored row; `None` takes it away.
    pub stored: Option<Slice>,
}

impl Change {
    /// A change of the row under `key`.
    pub fn new(key: &[u8], stored: Option<Vec<u8>>) -> Self {
        Self {
            ledger: key.first() == Some(&LEDGER_TAG),
            key: Slice::from(key),
            stored: stored.map(Slice::from),
        }
    }
    /// How many bytes it is.
    pub fn bytes(&self) -> usize {
        self.key.len() + self.stored.as_ref().map_or(0, |s| s.len())
    }
}

/// Removes a retired database's folder once nothing uses it any more.
struct Retire {
    path: PathBuf,
    armed: AtomicBool,
}

impl Drop for Retire {
    fn drop(&mut self) {
        if self.armed.load(Ordering::Relaxed)
            && let Err(error) = host::files::remove_tree(&self.path)
        {
            tracing::warn!("{} could not be removed: {error}", self.path.display());
        }
    }
}

/// One site's database. The fields are dropped in this order: the database before its folder.
pub struct SiteDb {
    site: SiteId,
    folder: CatalogFolder,
    generation: u64,
    identity: (u64, u64),
    facts: Keyspace,
    ledger: Keyspace,
    db: Database,
    retire: Retire,
}

impl SiteDb {
    /// Opens the database of a generation, or makes it.
    pub fn open(
        site: SiteId,
        folder: CatalogFolder,
        generation: u64,
        options: &Options,
    ) -> Result<Self, fjall::Error> {
        let path = folder.database(generation);
        let cut = tail::cut_torn_batch(&path)?;
        if cut > 0 {
            tracing::warn!(%site, bytes = cut, "a batch that a power cut left half-written was cut off the catalog's log");
        }
        let db = Database::builder(&path)
            .cache_size(options.cache_bytes)
            .journal_compression(CompressionType::None)
            .max_journaling_size(LOG_BYTES_MAX)
            .worker_threads(WORKER_THREADS)
            .open()?;
        let plain = || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(options.memtable_bytes)
                .data_block_compression_policy(CompressionPolicy::all(CompressionType::None))
                .index_block_compression_policy(CompressionPolicy::all(CompressionType::None))
        };
        let apart = KvSeparationOptions::default()
            .compression(CompressionType::None)
            .separation_threshold(options.separate_bytes);
        let facts = db.keyspace("facts", || plain().with_kv_separation(Some(apart)))?;
        let ledger = db.keyspace("ledger", plain)?;
        db.persist(PersistMode::SyncAll)?;
        let identity = host::files::identity(folder.path())?;
        let retire = Retire {
            path,
            armed: AtomicBool::new(false),
        };
        Ok(Self {
            site,
            folder,
            generation,
            identity,
            facts,
            ledger,
            db,
            retire,
        })
    }

    /// Which site.
    pub fn site(&self) -> SiteId {
        self.site
    }
    /// Its folder.
    pub fn folder(&self) -> &CatalogFolder {
        &self.folder
    }
    /// Which of the folder's databases this is.
    pub fn generation(&self) -> u64 {
        self.generation
    }
    /// The folder is removed once nothing uses this database any more.
    pub fn retire(&self) {
        self.retire.armed.store(true, Ordering::Relaxed);
    }
    /// Whether the folder is still the one that was opened.
    pub fn same_folder(&self) -> Result<(), SiteError> {
        if self.folder.identity()? == self.identity
            && self.folder.database(self.generation).is_dir()
        {
            return Ok(());
        }
        Err(SiteError::new(
            epoch::TroubleKind::Gone,
            "its folder is another one than the one that was opened",
        ))
    }
    /// Bytes on disk.
    pub fn disk_bytes(&self) -> u64 {
        self.db.disk_space().unwrap_or(0)
    }
    /// About how many rows there are.
    pub fn rows_about(&self) -> u64 {
        (self.facts.approximate_len() + self.ledger.approximate_len()) as u64
    }

    /// Writes a batch, all of it or nothing. With `sync` it is durable when this returns, and not visible
    /// before.
    pub fn write(&self, changes: &[Change], sync: bool) -> Result<(), SiteError> {
        let mut batch = fjall::OwnedWriteBatch::with_capacity(self.db.clone(), changes.len());
        for change in changes {
            let keyspace = if change.ledger {
                &self.ledger
            } else {
                &self.facts
            };
            match &change.stored {
                Some(stored) => batch.insert(keyspace, change.key.clone(), stored.clone()),
                None => batch.remove(keyspace, change.key.clone()),
            }
        }
        let mode = if sync {
            PersistMode::SyncData
        } else {
            PersistMode::Buffer
        };
        Ok(batch.durability(Some(mode)).commit()?)
    }

    /// Makes everything written so far durable.
    pub fn sync(&self) -> Result<(), SiteError> {
        Ok(self.db.persist(PersistMode::SyncAll)?)
    }
}

/// A site's rows at one moment.
#[derive(Clone)]
pub struct View {
    db: Arc<SiteDb>,
    snapshot: Snapshot,
}

/// A stored row as it lies in the database.
pub type Stored = (Slice, Slice);

impl View {
    /// The rows as they are now.
    pub fn now(db: &Arc<SiteDb>) -> Self {
        Self {
            db: Arc::clone(db),
            snapshot: db.db.snapshot(),
        }
    }
    /// The database.
    pub fn db(&self) -> &Arc<SiteDb> {
        &self.db
    }

    /// One row.
    pub fn get(&self, key: &[u8]) -> Result<Option<Row>, SiteError> {
        match self.stored(key)? {
            Some(stored) => checked(key, stored).map(Some),
            None => Ok(None),
        }
    }

    /// One row as it is stored, unchecked.
    pub fn stored(&self, key: &[u8]) -> Result<Option<Slice>, SiteError> {
        let keyspace = if key.first() == Some(&LEDGER_TAG) {
            &self.db.ledger
        } else {
            &self.db.facts
        };
        Ok(self.snapshot.get(keyspace, key)?)
    }

    /// The rows of a range, the engine's own left out.
    pub fn rows(
        &self,
        range: &KeyRange,
        order: Order,
    ) -> impl Iterator<Item = Result<(Vec<u8>, Row), SiteError>> + use<> {
        self.guards(range, order).map(|guard| {
            let (key, stored) = guard.into_inner()?;
            let row = checked(&key, stored)?;
            Ok((key.to_vec(), row))
        })
    }

    /// The keys of a range, smallest first.
    pub fn keys(
        &self,
        range: &KeyRange,
    ) -> impl Iterator<Item = Result<Vec<u8>, SiteError>> + use<> {
        self.guards(range, Order::Ascending)
            .map(|guard| Ok(guard.key()?.to_vec()))
    }

    /// Everything in a keyspace from a key on, the engine's own rows included, as it is stored.
    pub fn everything(
        &self,
        ledger: bool,
        from: Bound<Vec<u8>>,
    ) -> impl Iterator<Item = Result<Stored, SiteError>> + use<> {
        let keyspace = if ledger {
            &self.db.ledger
        } else {
            &self.db.facts
        };
        let range = self
            .snapshot
            .range(keyspace, (from, Bound::<Vec<u8>>::Unbounded));
        range.map(|guard| guard.into_inner().map_err(SiteError::from))
    }

    /// The engine's own rows of a range of keys, checked.
    pub fn own_rows(
        &self,
        from: Vec<u8>,
        to: Vec<u8>,
        order: Order,
    ) -> impl Iterator<Item = Result<(Vec<u8>, Row), SiteError>> + use<> {
        let range = (from <= to).then(|| self.snapshot.range(&self.db.facts, from..=to));
        let mut range = range.into_iter().flatten().fuse();
        std::iter::from_fn(move || match order {
            Order::Ascending => range.next(),
            Order::Descending => range.next_back(),
        })
        .map(|guard| {
            let (key, stored) = guard.into_inner()?;
            let row = checked(&key, stored)?;
            Ok((key.to_vec(), row))
        })
    }

    fn guards(&self, range: &KeyRange, order: Order) -> impl Iterator<Item = fjall::Guard> + use<> {
        let mut segments = segments(range);
        if order == Order::Descending {
            segments.reverse();
        }
        let view = self.clone();
        segments.into_iter().flat_map(move |(ledger, start, end)| {
            let keyspace = if ledger {
                &view.db.ledger
            } else {
                &view.db.facts
            };
            let end = end.map_or(Bound::Unbounded, Bound::Excluded);
            let mut inner = view.snapshot.range(keyspace, (Bound::Included(start), end));
            std::iter::from_fn(move || match order {
                Order::Ascending => inner.next(),
                Order::Descending => inner.next_back(),
            })
        })
    }
}

type Segment = (bool, Vec<u8>, Option<Vec<u8>>);

/// Cuts a range where the keyspaces meet, and leaves out the engine's own rows.
fn segments(range: &KeyRange) -> Vec<Segment> {
    let cuts = [
        (false, vec![RESERVED_TAG + 1], Some(vec![LEDGER_TAG])),
        (true, vec![LEDGER_TAG], Some(vec![LEDGER_TAG + 1])),
        (false, vec![LEDGER_TAG + 1], None),
    ];
    let mut segments = Vec::new();
    for (ledger, from, to) in cuts {
        let start = from.max(range.start.clone());
        let end = match (to, range.end.clone()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if end.as_ref().is_none_or(|end| start < *end) {
            segments.push((ledger, start, end));
        }
    }
    segments
}

/// The row, if its check fits.
pub fn checked(key: &[u8], stored: Slice) -> Result<Row, SiteError> {
    let stored = Bytes::from_owner(stored);
    row::decode(key, &stored)
        .ok_or_else(|| SiteError::damaged("a row's check does not fit its content"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_at_the_ledger() {
        let all = segments(&KeyRange {
            start: vec![],
            end: None,
        });
        assert_eq!(all.len(), 3);
        assert_eq!(
            segments(&KeyRange::prefix(b"O")),
            vec![(false, b"O".to_vec(), Some(b"P".to_vec()))]
        );
        assert_eq!(
            segments(&KeyRange::prefix(b"L")),
            vec![(true, b"L".to_vec(), Some(b"M".to_vec()))]
        );
        assert!(segments(&KeyRange::prefix(&[0])).is_empty());
        assert!(
            segments(&KeyRange {
                start: b"c".to_vec(),
                end: Some(b"a".to_vec())
            })
            .is_empty()
        );
    }
}
