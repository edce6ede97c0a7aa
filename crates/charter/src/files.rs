//! Share files on disk: each in its party's own folder, readable by its owner only.

use crate::record::{Custody, CustodyError, SHARE_FILE_BYTES_MAX, ShareError, ShareFile};
use host::files;
use std::io;
use std::path::{Path, PathBuf};
use words::PartyName;
use zeroize::Zeroizing;

/// The name of a share file in its party's folder.
pub const SHARE_FILE_NAME: &str = "share.clarence";
/// The name of the record of custody in a site's folder.
pub const CUSTODY_FILE_NAME: &str = "custody.json";
/// No record of custody is longer than this.
const CUSTODY_BYTES_MAX: u64 = 64 * 1024;

/// Why a file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The disk refused.
    #[error("the file {} could not be {verb}: {source}", path.display())]
    Io {
        /// What was being done.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// There is no such file.
    #[error("there is no file at {}", .0.display())]
    Missing(PathBuf),
    /// The file is there and is not a valid share.
    #[error("{}: {source}", path.display())]
    Share {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ShareError,
    },
    /// The record of custody is there and is not valid.
    #[error("{}: {source}", path.display())]
    Custody {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: CustodyError,
    },
    /// The record of custody that lies there is of another root, or newer.
    #[error("{} already holds a record of custody of another root or of a newer epoch; nothing was written", .0.display())]
    Newer(PathBuf),
    /// Another share lies there, which would be lost.
    #[error("{} already holds another share; nothing was written; move it to a safe place first", .0.display())]
    Occupied(PathBuf),
}

/// Where a party's share lies under the folder of all parties: `<folder>/<party>/share.clarence`.
#[must_use]
pub fn share_path(folder: &Path, party: &PartyName) -> PathBuf {
    folder.join(party.as_str()).join(SHARE_FILE_NAME)
}

/// Writes a share to `<folder>/<party>/share.clarence`, durably, with mode 0600 in a folder of mode 0700.
/// It may replace an older share of the same root or the same share, never any other file: that could be
/// the last copy of somebody's share.
pub fn write_share(folder: &Path, share: &ShareFile) -> Result<PathBuf, FileError> {
    let path = share_path(folder, share.party());
    let text = share.to_text();
    let io = |verb, path: &Path| {
        let path = path.to_owned();
        move |source| FileError::Io { verb, path, source }
    };
    if files::stat(&path).map_err(io("read", &path))?.is_some() && !may_replace(&path, share)? {
        return Err(FileError::Occupied(path));
    }
    let own = path.parent().unwrap_or(folder);
    files::make_folder(own, 0o700).map_err(io("written", &path))?;
    files::write_durable(&path, text.as_bytes(), 0o600).map_err(io("written", &path))?;
    Ok(path)
}

/// Whether what lies at `path` is the same share, or an older one of the same root and party.
fn may_replace(path: &Path, share: &ShareFile) -> Result<bool, FileError> {
    match load_share(path) {
        Ok(there) if there.ceremony() != share.ceremony() || there.party() != share.party() => {
            Ok(false)
        }
        Ok(there) => Ok(there.epoch() < share.epoch() || *there.to_text() == *share.to_text()),
        Err(FileError::Io { verb, path, source }) => Err(FileError::Io { verb, path, source }),
        Err(_) => Ok(false),
    }
}

/// Reads a share from a file, or from the party's folder that holds it.
pub fn load_share(path: &Path) -> Result<ShareFile, FileError> {
    let path = if files::is_folder(path) {
        path.join(SHARE_FILE_NAME)
    } else {
        path.to_owned()
    };
    let bytes = match files::read(&path, SHARE_FILE_BYTES_MAX) {
        Ok(Some(bytes)) => Zeroizing::new(bytes),
        Ok(None) => return Err(FileError::Missing(path)),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => {
            return Err(FileError::Share {
                path,
                source: ShareError::NotAShareFile,
            });
        }
        Err(source) => {
            return Err(FileError::Io {
                verb: "read",
                path,
                source,
            });
        }
    };
    ShareFile::parse(&bytes).map_err(|source| FileError::Share { path, source })
}

/// Writes the record of custody to `<folder>/custody.json`, durably. It never goes back to an older epoch,
/// because the shares that a new dealing made worthless would then be taken again.
pub fn write_custody(folder: &Path, custody: &Custody) -> Result<PathBuf, FileError> {
    let path = folder.join(CUSTODY_FILE_NAME);
    match load_custody(folder) {
        Err(FileError::Missing(_)) => {}
        // A damaged record is public and can be had elsewhere: writing it again is how it heals.
        Err(FileError::Custody {
            source: CustodyError::Text(_) | CustodyError::Field(_),
            ..
        }) => {}
        Err(error) => return Err(error),
        Ok(there) if there == *custody => return Ok(path),
        Ok(there) if there.ceremony() == custody.ceremony() && there.epoch() < custody.epoch() => {}
        Ok(_) => return Err(FileError::Newer(path)),
    }
    let text = custody.to_json().map_err(|source| FileError::Custody {
        path: path.clone(),
        source,
    })?;
    let io = |source| FileError::Io {
        verb: "written",
        path: path.clone(),
        source,
    };
    files::make_folder(folder, 0o700).map_err(io)?;
    files::write_durable(&path, text.as_bytes(), 0o600).map_err(io)?;
    Ok(path)
}

/// Reads the record of custody from a site's folder.
pub fn load_custody(folder: &Path) -> Result<Custody, FileError> {
    let path = folder.join(CUSTODY_FILE_NAME);
    let bad = |why: &str| CustodyError::Text(why.to_owned());
    let parsed = match files::read(&path, CUSTODY_BYTES_MAX) {
        Ok(None) => return Err(FileError::Missing(path)),
        Ok(Some(bytes)) => match std::str::from_utf8(&bytes) {
            Ok(text) => Custody::from_json(text),
            Err(_) => Err(bad("it is not text")),
        },
        Err(e) if e.kind() == io::ErrorKind::InvalidData => Err(bad("it is too long")),
        Err(source) => {
            return Err(FileError::Io {
                verb: "read",
                path,
                source,
            });
        }
    };
    parsed.map_err(|source| FileError::Custody { path, source })
}
