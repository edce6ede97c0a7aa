//! How a site's catalog lies in its folder: `catalog/format.clr`, `catalog/current` with the name of the
//! database folder in use, `catalog/db-<n>/`. A database that is rebuilt is made beside the one in use and
//! taken over by replacing `current`, so that a crash leaves the one or the other.

use super::error::SiteError;
use crate::record::{format, reached};
use epoch::TroubleKind;
use host::files;
use std::path::{Path, PathBuf};
use words::CloudId;

const FILE_BYTES_MAX: u64 = 4096;

/// One site's catalog folder.
#[derive(Clone, Debug)]
pub struct CatalogFolder {
    path: PathBuf,
}

/// Why a folder is not one to open.
#[derive(Debug)]
pub enum Unfit {
    /// No catalog is there.
    Absent,
    /// It is of another format.
    Format(format::FormatError),
    /// It belongs to another cloud.
    OtherCloud(CloudId),
    /// It cannot be read.
    Unreadable(SiteError),
}

impl CatalogFolder {
    /// The catalog in a site's folder.
    pub fn of(site_folder: &Path) -> Self {
        Self {
            path: site_folder.join("catalog"),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the database of this generation lies.
    pub fn database(&self, generation: u64) -> PathBuf {
        self.path.join(format!("db-{generation}"))
    }

    /// Checks the description and tells the generation in use.
    pub fn check(&self, cloud: &CloudId) -> Result<u64, Unfit> {
        let unreadable = |e: std::io::Error| {
            Unfit::Unreadable(SiteError::io("its folder could not be read", &e))
        };
        let stored =
            files::read(&self.path.join("format.clr"), FILE_BYTES_MAX).map_err(unreadable)?;
        let found = format::decode(&stored.ok_or(Unfit::Absent)?).map_err(Unfit::Format)?;
        if found != *cloud {
            return Err(Unfit::OtherCloud(found));
        }
        let current =
            files::read(&self.path.join("current"), FILE_BYTES_MAX).map_err(unreadable)?;
        let text = current
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default();
        let generation = text.trim().strip_prefix("db-").and_then(|n| n.parse().ok());
        generation
            .ok_or_else(|| Unfit::Unreadable(SiteError::damaged("its file `current` is damaged")))
    }

    /// Makes the folder with its description. The database of generation 1 is made by the caller.
    pub fn create(&self, cloud: &CloudId) -> Result<(), SiteError> {
        let failed = |e: std::io::Error| SiteError::io("its folder could not be made", &e);
        files::make_folder(&self.path, 0o700).map_err(failed)?;
        files::write_durable(&self.path.join("format.clr"), &format::encode(cloud), 0o600)
            .map_err(failed)
    }

    /// Takes a generation into use.
    pub fn set_current(&self, generation: u64) -> Result<(), SiteError> {
        let text = format!("db-{generation}\n");
        files::write_durable(&self.path.join("current"), text.as_bytes(), 0o600)
            .map_err(|e| SiteError::io("its file `current` could not be written", &e))
    }

    /// A generation that no folder has yet.
    pub fn next_generation(&self) -> Result<u64, SiteError> {
        let names = self.names()?;
        Ok(names
            .iter()
            .filter_map(|n| n.strip_prefix("db-")?.parse::<u64>().ok())
            .max()
            .unwrap_or(0)
            + 1)
    }

    /// Removes what earlier rebuilds left.
    pub fn remove_others(&self, generation: u64) -> Result<(), SiteError> {
        let keep = format!("db-{generation}");
        for name in self
            .names()?
            .iter()
            .filter(|n| n.starts_with("db-") && **n != keep)
        {
            let failed = |e: std::io::Error| {
                SiteError::io("what an earlier rebuild left could not be removed", &e)
            };
            files::remove_tree(&self.path.join(name)).map_err(failed)?;
        }
        Ok(())
    }

    /// Marks the database as being caught up: until the mark is gone its rows are of different times.
    pub fn set_half_healed(&self, half: bool) -> Result<(), SiteError> {
        let path = self.path.join("half-healed");
        let done = if half {
            files::write_durable(
                &path,
                b"rows of different times; heal again before use\n",
                0o600,
            )
        } else {
            files::remove(&path).and_then(|()| files::sync_folder(&self.path))
        };
        done.map_err(|e| SiteError::io("its mark could not be written", &e))
    }

    /// Whether the mark is there.
    pub fn half_healed(&self) -> Result<bool, SiteError> {
        Ok(self.names()?.iter().any(|n| n == "half-healed"))
    }

    /// How far the catalog had come at least; `None` if nothing tells.
    pub fn reached(&self) -> Result<Option<u64>, SiteError> {
        let stored = files::read(&self.path.join("reached.clr"), FILE_BYTES_MAX)
            .map_err(|e| SiteError::io("its file reached.clr could not be read", &e))?;
        Ok(stored.and_then(|bytes| reached::decode(&bytes)))
    }

    /// Begins to keep the record of how far the catalog has come.
    pub fn keep_reached(&self, seq: u64) -> Result<files::OpenFile, SiteError> {
        let path = self.path.join("reached.clr");
        files::write_durable(&path, &reached::encode(seq), 0o600)
            .and_then(|()| files::open_rw(&path))
            .map_err(|e| SiteError::io("its file reached.clr could not be written", &e))
    }

    /// Device and inode of the folder, to tell whether it is still the one that was opened.
    pub fn identity(&self) -> Result<(u64, u64), SiteError> {
        files::identity(&self.path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                SiteError::new(TroubleKind::Gone, "its folder is not there any more")
            }
            _ => SiteError::io("its folder could not be looked at", &e),
        })
    }

    /// Bytes free on its disk.
    pub fn free_bytes(&self) -> Result<u64, SiteError> {
        files::free_bytes(&self.path)
            .map_err(|e| SiteError::io("its disk could not be asked for free space", &e))
    }

    fn names(&self) -> Result<Vec<String>, SiteError> {
        files::list(&self.path).map_err(|e| SiteError::io("its folder could not be listed", &e))
    }
}
