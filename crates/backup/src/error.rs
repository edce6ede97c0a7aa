//! What can go wrong with a backup, said so that an operator knows what is safe and what to do.

use crate::take::OriginError;
use std::path::{Path, PathBuf};
use words::CloudId;

/// Why a backup was not made or not read. The cloud itself is never changed by it.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file could not be read or written.
    #[error("{}: {error}; what was copied before is kept: mend that and give the same command again", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        error: std::io::Error,
    },
    /// The folder holds something else.
    #[error(
        "{} is not empty and holds no backup; a backup never writes over anything: choose another folder", .0.display()
    )]
    Occupied(PathBuf),
    /// The folder holds no backup, or none that is complete.
    #[error("{} holds no complete backup: {why}", folder.display())]
    NoBackup {
        /// The folder.
        folder: PathBuf,
        /// What is missing or wrong.
        why: String,
    },
    /// The folder is of another cloud.
    #[error("{} holds a backup of cloud {found}, not of {expected}; nothing was changed: choose another folder", folder.display())]
    OtherCloud {
        /// The folder.
        folder: PathBuf,
        /// Whose backup it is.
        found: CloudId,
        /// Whose it should be.
        expected: CloudId,
    },
    /// Another process is at work in the folder.
    #[error("another process works on the backup in {}; nothing was changed: let it end first", .0.display())]
    Busy(PathBuf),
    /// A file is not what the manifest lists, or contradicts another.
    #[error(
        "{}: {why}; the backup was truncated or altered there: the cloud is not touched by it, and another copy of the file, or a new backup into another folder, mends it", path.display()
    )]
    Altered {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// What gives rows and chunks did not go on.
    #[error("{0}")]
    Origin(#[from] OriginError),
    /// A worker thread stopped.
    #[error("the work was broken off; what was copied before is kept: give the same command again")]
    Stopped,
}

pub(crate) fn io(path: &Path) -> impl Fn(std::io::Error) -> BackupError + '_ {
    |error| BackupError::File {
        path: path.to_path_buf(),
        error,
    }
}
