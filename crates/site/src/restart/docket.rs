//! The memory of leases that were asked for, in the folder of the site that holds the halves: when each was first
//! seen, whether it was carried out, and the latest time ever seen there.

use super::fault::RestartError;
use super::records::HELD_FOLDER;
use charter::approval::{Docket, DocketFault, RequestDigest};
use host::files;
use sign::Stamp;
use std::path::{Path, PathBuf};
use words::UnixMillis;
use words::wire::{Reader, WireError, Writer};

const MAGIC: &[u8; 8] = b"CLRNDOCK";
const VERSION: u8 = 1;
const FILE: &str = "docket.clr";
const BYTES_MAX: u64 = 128 * 1024;
/// The oldest are forgotten beyond these; their requests have long expired.
const ENTRIES_MAX: usize = 1000;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    request: [u8; 64],
    lodged: UnixMillis,
    executed: bool,
}

/// See the head of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDocket {
    path: PathBuf,
    latest: UnixMillis,
    entries: Vec<Entry>,
}

impl FileDocket {
    /// Reads it; an empty one if there is none.
    pub fn open(site_folder: &Path) -> Result<Self, RestartError> {
        let path = site_folder.join(HELD_FOLDER).join(FILE);
        let bytes = files::read(&path, BYTES_MAX).map_err(|error| RestartError::File {
            path: path.clone(),
            error,
        })?;
        let (latest, entries) = match bytes {
            None => (UnixMillis(0), Vec::new()),
            Some(bytes) => decode(&bytes).map_err(|error| RestartError::Record {
                path: path.clone(),
                error,
            })?,
        };
        Ok(Self {
            path,
            latest,
            entries,
        })
    }

    /// Notes that a request was seen, if it was not before, and what time it is.
    pub fn lodge(&mut self, request: &RequestDigest, now: UnixMillis) -> Result<(), RestartError> {
        self.latest = UnixMillis(self.latest.0.max(now.0));
        if self.find(request).is_none() {
            if self.entries.len() >= ENTRIES_MAX {
                self.entries.remove(0);
            }
            self.entries.push(Entry {
                request: *request.as_bytes(),
                lodged: now,
                executed: false,
            });
        }
        self.save()
    }

    /// Notes that a request was carried out. Durable when this returns.
    pub fn close(&mut self, request: &RequestDigest) -> Result<(), RestartError> {
        for entry in &mut self.entries {
            entry.executed |= entry.request == *request.as_bytes();
        }
        self.save()
    }

    /// The latest time ever seen, with this one.
    pub fn see(&mut self, now: UnixMillis) -> Result<UnixMillis, RestartError> {
        if now.0 > self.latest.0 {
            self.latest = now;
            self.save()?;
        }
        Ok(self.latest)
    }

    fn find(&self, request: &RequestDigest) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.request == *request.as_bytes())
    }

    fn save(&self) -> Result<(), RestartError> {
        let count = u16::try_from(self.entries.len()).unwrap_or(u16::MAX);
        let writer = Writer::bare()
            .raw(MAGIC)
            .u8(VERSION)
            .u64(self.latest.0)
            .u16(count);
        let mut bytes = self
            .entries
            .iter()
            .fold(writer, |writer, entry| {
                writer
                    .raw(&entry.request)
                    .u64(entry.lodged.0)
                    .u8(u8::from(entry.executed))
            })
            .finish();
        let checksum = ledger::tree::leaf_hash(&bytes);
        bytes.extend_from_slice(&checksum);
        let write = || {
            if let Some(folder) = self.path.parent() {
                files::make_folder(folder, 0o700)?;
            }
            files::write_durable(&self.path, &bytes, 0o600)
        };
        write().map_err(|error| RestartError::File {
            path: self.path.clone(),
            error,
        })
    }
}

fn decode(bytes: &[u8]) -> Result<(UnixMillis, Vec<Entry>), WireError> {
    let (body, checksum) = bytes.split_last_chunk::<32>().ok_or(WireError::Short)?;
    let rest = body
        .strip_prefix(MAGIC)
        .ok_or(WireError::Field("beginning"))?;
    let (_, mut reader) = Reader::versioned(rest, VERSION)?;
    if ledger::tree::leaf_hash(body) != *checksum {
        return Err(WireError::Field("checksum"));
    }
    let latest = UnixMillis(reader.u64()?);
    let count = usize::from(reader.u16()?);
    if count > ENTRIES_MAX {
        return Err(WireError::Field("entries"));
    }
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        entries.push(Entry {
            request: reader.array()?,
            lodged: UnixMillis(reader.u64()?),
            executed: match reader.u8()? {
                0 => false,
                1 => true,
                _ => return Err(WireError::Field("executed")),
            },
        });
    }
    reader.finish()?;
    Ok((latest, entries))
}

impl Docket for FileDocket {
    fn executed(&self, request: &RequestDigest) -> Result<bool, DocketFault> {
        Ok(self.find(request).is_some_and(|entry| entry.executed))
    }
    fn lodged(&self, request: &RequestDigest) -> Result<Option<Stamp>, DocketFault> {
        Ok(self
            .find(request)
            .map(|entry| Stamp::from_millis(entry.lodged)))
    }
    fn latest(&self) -> Result<Stamp, DocketFault> {
        Ok(Stamp::from_millis(self.latest))
    }
}
