//! The papers of a cloud whose catalog is on servers: header, charter, record of custody, label, HSM record of each site,
//! and who is current. A node on another machine has to find them as the last one left them, so they lie beside the
//! catalog's rows as well; the files in a node's own site folders are then copies. What a row says counts.
//!
//! Format: `docs/format/catalog-postgresql.md`, "The papers".

use crate::layout::Layout;
use catalog::{Commit, Engine, KeyRange, Mutation, Order, Outcome};
use epoch::{EpochRecord, Places, Standing, StartError, Tenure, Witness, WitnessError};
use host::{Host, files};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use vault::record::site_header;
use words::limits::SCAN_ROWS_MAX;
use words::{OpId, SiteId};

/// What every row of this room begins with.
pub const TAG: &[u8] = b"W";
/// Rows with parts of files.
const FILES: &[u8] = b"Wp";
/// The row with the epoch record.
const EPOCH: &[u8] = b"We";
const VERSION: u8 = 1;
/// How long a party's folder is waited for.
const FOLDERS: Duration = Duration::from_secs(1);
/// Bytes of a file in one row.
const PART_BYTES: usize = 60_000;
/// No paper is longer: a charter may have so many.
const PAPER_BYTES_MAX: usize = 256 * 1024;

/// Every paper. The header is the last to be written: a folder that has one is a folder of a founded cloud.
const NAMES: [&str; 6] = [
    "charter.toml",
    crate::law::LABEL,
    hsm::FILE,
    charter::files::CUSTODY_FILE_NAME,
    crate::root::files::NEXT_CUSTODY,
    site_header::FILE,
];

/// Why papers were not brought over.
#[derive(Debug, thiserror::Error)]
pub enum PaperError {
    /// A file could not be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        error: io::Error,
    },
    /// The catalog did not give or take them.
    #[error("{0}")]
    Catalog(String),
    /// A row is not one that this build reads.
    #[error(
        "the papers beside the catalog cannot be read: {0}; nothing was changed; use the release that wrote them"
    )]
    Row(&'static str),
}

/// Which file of which site, and its bytes.
pub type Found = BTreeMap<(SiteId, &'static str), Vec<u8>>;

/// The papers beside the catalog of one cloud.
pub struct Papers {
    engine: Arc<dyn Engine>,
    layout: Layout,
    host: Host,
    alone: Mutex<()>,
}

impl Papers {
    /// Of a node that holds the catalog.
    pub fn new(engine: Arc<dyn Engine>, layout: &Layout, host: &Host) -> Self {
        Self {
            engine,
            layout: layout.clone(),
            host: host.clone(),
            alone: Mutex::default(),
        }
    }

    /// Makes the rows say what the files of this node say. Durable when this returns.
    pub async fn share(&self) -> Result<(), PaperError> {
        let _alone = self.alone.lock().await;
        let files = read(&self.layout)?;
        let mut wanted = rows(&files);
        let mut mutations = Vec::new();
        for (key, value) in self.rows().await? {
            match wanted.remove(&key) {
                Some(same) if same[..] == value[..] => {}
                Some(other) => mutations.push(put(key, other)),
                // A folder that is away says nothing about its papers.
                None if !is_there(&self.layout, &key) => {}
                None => mutations.push(Mutation::Delete { key }),
            }
        }
        mutations.extend(wanted.into_iter().map(|(key, value)| put(key, value)));
        match mutations.is_empty() {
            true => Ok(()),
            false => commit(&*self.engine, &self.host, mutations).await,
        }
    }

    /// Makes the files of this node say what the rows say. False if there are no rows: a cloud of an earlier build.
    pub async fn fetch(&self) -> Result<bool, PaperError> {
        let _alone = self.alone.lock().await;
        let found = found(self.rows().await?)?;
        match found.is_empty() {
            true => Ok(false),
            false => write(&self.layout, &found).map(|_| true),
        }
    }

    async fn rows(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>, PaperError> {
        let range = KeyRange::prefix(FILES);
        let rows = self.engine.scan(range, SCAN_ROWS_MAX, Order::Ascending);
        let rows = rows.await.map_err(|e| PaperError::Catalog(e.to_string()))?;
        Ok(rows
            .into_iter()
            .map(|(key, row)| (key, row.value.to_vec()))
            .collect())
    }

    /// Who is current, as the row beside the catalog says: it is what the witnesses are elsewhere. A cloud of an earlier
    /// build has none; its witnesses' folders are asked once more then.
    pub async fn tenure(&self, folders: Places) -> Result<Tenure, StartError> {
        let row = self.engine.get(EPOCH).await;
        let row = row.map_err(|e| StartError::NewerFormat(e.to_string()))?;
        let record = row.map(|row| EpochRecord::decode(&row.value)).transpose();
        let record = record.map_err(|e| StartError::NewerFormat(e.to_string()))?;
        let (places, layout) = (self.places(&folders), self.layout.clone());
        let begun = tokio::task::spawn_blocking(move || begin(record, places, folders, &layout));
        begun
            .await
            .unwrap_or_else(|e| Err(StartError::NewerFormat(e.to_string())))
    }

    /// The places that remember who is current: this node's folders, and the row for all witnesses.
    pub fn places(&self, folders: &Places) -> Places {
        let mut places = folders.clone();
        places.witnesses = vec![Arc::new(RowWitness {
            engine: Arc::clone(&self.engine),
            host: self.host.clone(),
            handle: Handle::current(),
            folders: folders.witnesses.clone(),
        })];
        places.quorum = 1;
        places
    }
}

/// `known` is what the row says by itself: where the parties' folders know better, the start has to see that this node's
/// folders are older.
fn begin(
    known: Option<EpochRecord>,
    places: Places,
    folders: Places,
    layout: &Layout,
) -> Result<Tenure, StartError> {
    let row = Arc::clone(&places.witnesses[0]);
    let silent = |error: WitnessError| StartError::NewerFormat(error.to_string());
    match known {
        Some(record) if record.cloud == places.cloud => {
            for site in SiteId::BOTH {
                catch_up(&places, layout, site, &record);
            }
        }
        // Said by the survey, with both names.
        Some(_) => {}
        None => {
            let record = Tenure::start(folders)?.record();
            row.write(&record).map_err(silent)?;
        }
    }
    Tenure::start(places)
}

/// A site that was current elsewhere is current here: this node's folder has its papers, not what the record is about.
fn catch_up(places: &Places, layout: &Layout, site: SiteId, record: &EpochRecord) {
    let current = match record.standing {
        Standing::BothCurrent => true,
        Standing::Only(only) => only == site,
    };
    if !current || !files::is_folder(layout.site(site)) {
        return;
    }
    let folder = &places.sites[site.index()];
    let behind = match folder.read() {
        Ok(Some(own)) => own.cloud == record.cloud && own.epoch < record.epoch,
        Ok(None) => true,
        Err(_) => false,
    };
    if behind && let Err(error) = folder.write(record) {
        tracing::warn!(%error, "the epoch was not written into a site's folder");
    }
}

/// The epoch record beside the catalog's rows: one place, which its servers keep at both sites. The parties' folders
/// that this node reaches are told as well, and where most of them know a later epoch the cloud was restored elsewhere.
struct RowWitness {
    engine: Arc<dyn Engine>,
    host: Host,
    handle: Handle,
    folders: Vec<Arc<dyn Witness>>,
}

impl RowWitness {
    /// What the folders say that answer in time.
    fn folders(&self) -> Vec<EpochRecord> {
        let (sender, told) = mpsc::channel();
        for folder in &self.folders {
            let (folder, sender) = (Arc::clone(folder), sender.clone());
            let read = move || drop(folder.read().map(|record| sender.send(record)));
            drop(
                std::thread::Builder::new()
                    .name("folder".to_owned())
                    .spawn(read),
            );
        }
        drop(sender);
        let mut found = Vec::new();
        while let Ok(record) = told.recv_timeout(FOLDERS) {
            found.extend(record);
        }
        found
    }

    fn failed(why: &dyn ToString) -> WitnessError {
        WitnessError::Io {
            name: "the catalog's servers".to_owned(),
            path: PathBuf::from("the epoch record"),
            source: io::Error::other(why.to_string()),
        }
    }
}

impl Witness for RowWitness {
    fn name(&self) -> &str {
        "the catalog's servers"
    }

    fn read(&self) -> Result<Option<EpochRecord>, WitnessError> {
        let row = self.handle.block_on(self.engine.get(EPOCH));
        let Some(row) = row.map_err(|e| Self::failed(&e))? else {
            return Ok(None);
        };
        let record = EpochRecord::decode(&row.value);
        let record = record.map_err(|source| WitnessError::Record {
            name: self.name().to_owned(),
            path: PathBuf::from("the epoch record"),
            source,
        })?;
        let mut later = self.folders();
        later.retain(|found| found.cloud == record.cloud && found.epoch > record.epoch);
        let most = later.len() > self.folders.len() / 2;
        let latest = later.into_iter().max_by_key(|found| found.epoch);
        Ok(latest.filter(|_| most).or(Some(record)))
    }

    fn write(&self, record: &EpochRecord) -> Result<(), WitnessError> {
        let mutations = vec![put(EPOCH.to_vec(), record.encode().to_vec())];
        let written = self
            .handle
            .block_on(commit(&*self.engine, &self.host, mutations));
        written.map_err(|e| Self::failed(&e))?;
        for folder in &self.folders {
            let (folder, record) = (Arc::clone(folder), *record);
            // Whether it succeeds is of no account here, and it must not be waited for.
            let write = move || drop(folder.write(&record));
            drop(
                std::thread::Builder::new()
                    .name("folder".to_owned())
                    .spawn(write),
            );
        }
        Ok(())
    }
}

async fn commit(
    engine: &dyn Engine,
    host: &Host,
    mutations: Vec<Mutation>,
) -> Result<(), PaperError> {
    let op = OpId::from_bytes(host.random());
    let outcome = engine.commit(Commit {
        op,
        preconditions: Vec::new(),
        mutations,
        entries: Vec::new(),
    });
    match outcome.await {
        Outcome::Committed(_) => Ok(()),
        Outcome::Unknown(why) => match engine.lookup(op).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(PaperError::Catalog(why)),
            Err(error) => Err(PaperError::Catalog(error.to_string())),
        },
        Outcome::Refused(refused) => Err(PaperError::Catalog(refused.to_string())),
        Outcome::Conflict { .. } => Err(PaperError::Catalog("it was in conflict".to_owned())),
    }
}

fn put(key: Vec<u8>, value: Vec<u8>) -> Mutation {
    Mutation::Put {
        key,
        value: value.into(),
    }
}

/// The papers in a node's folders.
pub fn read(layout: &Layout) -> Result<Found, PaperError> {
    let mut found = Found::new();
    for site in SiteId::BOTH {
        for name in NAMES {
            let path = layout.site(site).join(name);
            let bytes = files::read(&path, PAPER_BYTES_MAX as u64);
            let bytes = bytes.map_err(|error| PaperError::File { path, error })?;
            found.extend(bytes.map(|bytes| ((site, name), bytes)));
        }
    }
    Ok(found)
}

/// Writes papers into the folders that are there, and takes away what a site does not have any more. True if anything
/// changed.
pub fn write(layout: &Layout, found: &Found) -> Result<bool, PaperError> {
    let mut changed = false;
    for site in SiteId::BOTH {
        let folder = layout.site(site);
        let known = found.keys().any(|(of, _)| *of == site);
        if !known || !files::is_folder(folder) {
            continue;
        }
        for name in NAMES {
            let path = folder.join(name);
            let failed = |error| PaperError::File {
                path: path.clone(),
                error,
            };
            let there = files::read(&path, PAPER_BYTES_MAX as u64).map_err(failed)?;
            let wanted = found.get(&(site, name));
            if there.as_ref() == wanted {
                continue;
            }
            changed = true;
            match wanted {
                Some(bytes) => files::write_durable(&path, bytes, mode(name)).map_err(failed)?,
                None => drop(files::remove(&path).map_err(failed)?),
            }
        }
    }
    Ok(changed)
}

fn mode(name: &str) -> u32 {
    match name {
        "charter.toml" | crate::law::LABEL => 0o644,
        _ => 0o600,
    }
}

/// `Wp` ‖ site ‖ name ‖ `00` ‖ part.
fn rows(found: &Found) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut rows = BTreeMap::new();
    for ((site, name), bytes) in found {
        // An empty file is a row as well.
        let parts = bytes
            .chunks(PART_BYTES)
            .chain(bytes.is_empty().then_some(&[][..]));
        for (part, bytes) in (0u8..).zip(parts) {
            let mut key = FILES.to_vec();
            key.push(site.letter());
            key.extend_from_slice(name.as_bytes());
            key.extend_from_slice(&[0, part]);
            rows.insert(key, [&[VERSION], bytes].concat());
        }
    }
    rows
}

fn parsed(key: &[u8]) -> Result<(SiteId, &'static str, u8), PaperError> {
    let odd = PaperError::Row("a row has a key that is not known");
    let Some(([site, name @ ..], [0, part])) = key
        .strip_prefix(FILES)
        .and_then(|rest| rest.split_last_chunk::<2>())
    else {
        return Err(odd);
    };
    let name = NAMES.into_iter().find(|known| known.as_bytes() == name);
    match (SiteId::from_letter(*site), name) {
        (Some(site), Some(name)) => Ok((site, name, *part)),
        _ => Err(odd),
    }
}

fn is_there(layout: &Layout, key: &[u8]) -> bool {
    parsed(key).is_ok_and(|(site, _, _)| files::is_folder(layout.site(site)))
}

/// Papers from their rows, which come in order.
pub fn found(rows: Vec<(Vec<u8>, Vec<u8>)>) -> Result<Found, PaperError> {
    let mut found = Found::new();
    for (key, value) in rows {
        let (site, name, part) = parsed(&key)?;
        let Some((&VERSION, bytes)) = value.split_first() else {
            return Err(PaperError::Row("a row has another version"));
        };
        let paper = found.entry((site, name)).or_default();
        if paper.len() != usize::from(part) * PART_BYTES {
            return Err(PaperError::Row("a part of a paper is missing"));
        }
        if paper.len() + bytes.len() > PAPER_BYTES_MAX {
            return Err(PaperError::Row("a paper is too long"));
        }
        paper.extend_from_slice(bytes);
    }
    Ok(found)
}

/// The rows of the papers, for who looks at the catalog from outside.
pub fn range() -> KeyRange {
    KeyRange::prefix(FILES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalog::Memory;
    use epoch::FolderWitness;
    use std::path::Path;

    fn node(data: &Path, engine: &Arc<Memory>) -> (Layout, Papers) {
        let layout = Layout::in_folder(data);
        for site in SiteId::BOTH {
            files::make_folder(layout.site(site), 0o700).unwrap();
        }
        let papers = Papers::new(Arc::clone(engine) as _, &layout, &Host::real());
        (layout, papers)
    }

    #[tokio::test]
    async fn papers_go_from_one_node_to_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Arc::new(Memory::new());
        let (one, sharing) = node(&folder.path().join("one"), &engine);
        let (two, fetching) = node(&folder.path().join("two"), &engine);
        assert!(!fetching.fetch().await.unwrap());
        let long = vec![b'x'; 3 * PART_BYTES + 1];
        let exact = vec![b'y'; PART_BYTES];
        let put = |layout: &Layout, site: SiteId, name: &str, bytes: &[u8]| {
            files::write_durable(&layout.site(site).join(name), bytes, 0o600).unwrap();
        };
        put(&one, SiteId::A, "charter.toml", &long);
        put(&one, SiteId::B, site_header::FILE, &exact);
        put(&one, SiteId::B, crate::root::files::NEXT_CUSTODY, b"");
        sharing.share().await.unwrap();
        sharing.share().await.unwrap();
        assert!(fetching.fetch().await.unwrap());
        assert_eq!(read(&two).unwrap(), read(&one).unwrap());
        assert_eq!(read(&two).unwrap().len(), 3);
        // What the other node had and the rows do not have goes, and shorter papers leave no rest behind.
        put(&two, SiteId::A, hsm::FILE, b"old");
        put(&one, SiteId::A, "charter.toml", b"short");
        files::remove(&one.site(SiteId::B).join(crate::root::files::NEXT_CUSTODY)).unwrap();
        sharing.share().await.unwrap();
        assert!(fetching.fetch().await.unwrap());
        assert_eq!(read(&two).unwrap(), read(&one).unwrap());
        assert_eq!(read(&two).unwrap()[&(SiteId::A, "charter.toml")], b"short");
        // A site whose folder is away keeps its papers beside the catalog.
        std::fs::remove_dir_all(one.site(SiteId::B)).unwrap();
        sharing.share().await.unwrap();
        assert!(fetching.fetch().await.unwrap());
        assert_eq!(read(&two).unwrap()[&(SiteId::B, site_header::FILE)], exact);
    }

    #[test]
    fn rows_that_are_not_papers_are_refused() {
        let good = (b"Wpacharter.toml\0\0".to_vec(), b"\x01text".to_vec());
        let read = found(vec![good.clone()]).unwrap();
        assert_eq!(read[&(SiteId::A, "charter.toml")], b"text");
        assert_eq!(rows(&read), BTreeMap::from([good]));
        for (key, value) in [
            (&b"Wpccharter.toml\0\0"[..], &b"\x01text"[..]),
            (b"Wpaother\0\0", b"\x01text"),
            (b"Wpacharter.toml\0\x01", b"\x01text"),
            (b"Wpacharter.toml\0\0", b"\x02text"),
            (b"Wpacharter.toml\0\0", b""),
            (b"Wp", b"\x01"),
        ] {
            assert!(found(vec![(key.to_vec(), value.to_vec())]).is_err());
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_is_current_goes_from_one_node_to_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Arc::new(Memory::new());
        let cloud = words::CloudId::from_bytes([7; 16]);
        let host = Host::real();
        let (one, first) = node(&folder.path().join("one"), &engine);
        let (two, second) = node(&folder.path().join("two"), &engine);
        let places = |layout: &Layout, parents: &[(String, PathBuf)]| {
            let sites = [layout.site(SiteId::A), layout.site(SiteId::B)];
            Places::folders(cloud, sites, parents, host.clone())
        };
        let parent = folder.path().join("parent");
        files::make_folder(&parent, 0o700).unwrap();
        let parents = [("parent".to_owned(), parent)];
        places(&one, &parents).found().unwrap();
        // The first start takes over what the witnesses' folders say; from then on the row counts.
        let tenure = first.tenure(places(&one, &parents)).await.unwrap();
        assert_eq!(tenure.record().epoch, 1);
        let away = tokio::task::spawn_blocking(move || tenure.drop_site(SiteId::B, 0, "test"));
        assert_eq!(away.await.unwrap().unwrap().epoch, 2);
        let tenure = second.tenure(places(&two, &[])).await.unwrap();
        assert_eq!(tenure.standing(), Standing::Only(SiteId::A));
        assert_eq!(tenure.record().epoch, 2);
        let back = tokio::task::spawn_blocking(move || tenure.readmit(SiteId::B, 0));
        assert_eq!(back.await.unwrap().unwrap().epoch, 3);
        let tenure = first.tenure(places(&one, &[])).await.unwrap();
        assert_eq!(tenure.standing(), Standing::BothCurrent);
        // Restored elsewhere, in front of the same parties: what lies here is older, and does not start.
        let later = EpochRecord {
            epoch: tenure.record().epoch + 1,
            ..tenure.record()
        };
        let [(name, parent)] = &parents;
        FolderWitness::parent(name, parent).write(&later).unwrap();
        let refused = first.tenure(places(&one, &parents)).await;
        assert!(refused.is_err(), "{:?}", refused.map(|t| t.record()));
    }
}
