//! A witness that is a folder with one small file in it.

use crate::error::WitnessError;
use crate::record::EpochRecord;
use crate::witness::Witness;
use host::files;
use std::path::{Path, PathBuf};

const FILE_BYTES_MAX: u64 = 4096;

/// A folder that remembers: `witness.clr` at a parent, `epoch.clr` in a site folder.
#[derive(Debug)]
pub struct FolderWitness {
    name: String,
    folder: PathBuf,
    file: PathBuf,
}

impl FolderWitness {
    /// A parent's folder.
    #[must_use]
    pub fn parent(name: &str, folder: &Path) -> Self {
        Self::of(name, folder, "witness.clr")
    }

    /// A site's own folder.
    #[must_use]
    pub fn site(name: &str, folder: &Path) -> Self {
        Self::of(name, folder, "epoch.clr")
    }

    fn of(name: &str, folder: &Path, file: &str) -> Self {
        Self {
            name: name.to_owned(),
            folder: folder.to_owned(),
            file: folder.join(file),
        }
    }

    /// The folder must be there already: a missing mount must not be mistaken for an empty witness.
    fn check_folder(&self) -> Result<(), WitnessError> {
        if files::is_folder(&self.folder) {
            return Ok(());
        }
        Err(WitnessError::Missing {
            name: self.name.clone(),
            path: self.folder.clone(),
        })
    }

    fn failed(&self, source: std::io::Error) -> WitnessError {
        WitnessError::Io {
            name: self.name.clone(),
            path: self.file.clone(),
            source,
        }
    }
}

impl Witness for FolderWitness {
    fn name(&self) -> &str {
        &self.name
    }

    fn read(&self) -> Result<Option<EpochRecord>, WitnessError> {
        self.check_folder()?;
        let Some(bytes) = files::read(&self.file, FILE_BYTES_MAX).map_err(|e| self.failed(e))?
        else {
            return Ok(None);
        };
        EpochRecord::decode(&bytes)
            .map(Some)
            .map_err(|source| WitnessError::Record {
                name: self.name.clone(),
                path: self.file.clone(),
                source,
            })
    }

    fn write(&self, record: &EpochRecord) -> Result<(), WitnessError> {
        self.check_folder()?;
        files::write_durable(&self.file, &record.encode(), 0o644).map_err(|e| self.failed(e))
    }
}
