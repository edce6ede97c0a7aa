//! Share files on disk: each in its party's own folder, readable by its owner only.

use crate::record::{SHARE_FILE_BYTES_MAX, ShareError, ShareFile};
use host::files;
use std::io;
use std::path::{Path, PathBuf};
use words::PartyName;
use zeroize::Zeroizing;

/// The name of a share file in its party's folder.
pub const SHARE_FILE_NAME: &str = "share.clarence";

/// Why a share file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The disk refused.
    #[error("the share file {} could not be {verb}: {source}", path.display())]
    Io {
        /// What was being done.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// There is no such file.
    #[error("there is no share file at {}", .0.display())]
    Missing(PathBuf),
    /// The file is there and is not a valid share.
    #[error("{}: {source}", path.display())]
    Share {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ShareError,
    },
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
    let there = files::read(&path, SHARE_FILE_BYTES_MAX)
        .map_err(io("read", &path))?
        .map(Zeroizing::new);
    if let Some(there) = there {
        let replaceable = match ShareFile::parse(&there) {
            Ok(old) => {
                old.ceremony() == share.ceremony()
                    && (old.epoch() < share.epoch() || *old.to_text() == *text)
            }
            Err(_) => false,
        };
        if !replaceable {
            return Err(FileError::Occupied(path));
        }
    }
    let own = path.parent().unwrap_or(folder);
    files::make_folder(own, 0o700).map_err(io("written", &path))?;
    files::write_durable(&path, text.as_bytes(), 0o600).map_err(io("written", &path))?;
    Ok(path)
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
