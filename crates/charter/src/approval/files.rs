//! Keys and documents as files. A secret key is for its owner only and is never written over.

use super::{Card, Decision, DocumentError, KeyFile, Order, PublicFile, SignedRequest};
use host::files;
use std::io;
use std::path::{Path, PathBuf};
use words::limits::{CARD_BYTES_MAX, ORDER_BYTES_MAX, REQUEST_BYTES_MAX};
use zeroize::Zeroizing;

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
    /// Something lies there already.
    #[error("{} exists already; nothing was written; move it away or give another name", .0.display())]
    Occupied(PathBuf),
    /// Others on the machine can read a secret key.
    #[error("the secret key {} can be read by others (mode {mode:03o}); make it 600, and make a new key if others had access", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is there and is not such a document.
    #[error("{}: {source}", path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: DocumentError,
    },
}

/// Writes a new file, durably; one that is there is never replaced.
pub fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), FileError> {
    let io = |verb| {
        move |source| FileError::Io {
            verb,
            path: path.to_owned(),
            source,
        }
    };
    if files::stat(path).map_err(io("looked at"))?.is_some() {
        return Err(FileError::Occupied(path.to_owned()));
    }
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        files::make_folder(folder, 0o700).map_err(io("written"))?;
    }
    files::write_durable(path, text.as_bytes(), mode).map_err(io("written"))
}

/// Writes a secret key to `<folder>/<stem>.key` (mode 0600) and its public half to `<folder>/<stem>.pub`.
/// Neither may exist.
pub fn write_keys(
    folder: &Path,
    stem: &str,
    key: &KeyFile,
) -> Result<(PathBuf, PathBuf), FileError> {
    let (secret, public) = (
        folder.join(format!("{stem}.key")),
        folder.join(format!("{stem}.pub")),
    );
    let file = key.public().map_err(|source| FileError::Document {
        path: public.clone(),
        source,
    })?;
    let there = |path: &Path| {
        files::stat(path).map_err(|source| FileError::Io {
            verb: "looked at",
            path: path.to_owned(),
            source,
        })
    };
    if there(&public)?.is_some() {
        return Err(FileError::Occupied(public));
    }
    write_new(&secret, &key.to_text(), 0o600)?;
    write_new(&public, &file.to_text(), 0o644)?;
    Ok((secret, public))
}

fn read<T>(
    path: &Path,
    max: usize,
    parse: impl FnOnce(&[u8]) -> Result<T, DocumentError>,
) -> Result<T, FileError> {
    let io = |source| FileError::Io {
        verb: "read",
        path: path.to_owned(),
        source,
    };
    let bytes = files::read(path, max as u64).map_err(io)?;
    let bytes = Zeroizing::new(bytes.ok_or_else(|| FileError::Missing(path.to_owned()))?);
    parse(&bytes).map_err(|source| FileError::Document {
        path: path.to_owned(),
        source,
    })
}

/// Reads a secret key; one that others can read is refused.
pub fn load_key(path: &Path) -> Result<KeyFile, FileError> {
    let key = read(path, CARD_BYTES_MAX, KeyFile::parse)?;
    let mode = files::mode(path).map_err(|source| FileError::Io {
        verb: "looked at",
        path: path.to_owned(),
        source,
    })?;
    match mode & 0o077 {
        0 => Ok(key),
        _ => Err(FileError::Open {
            path: path.to_owned(),
            mode,
        }),
    }
}

/// Reads a public key.
pub fn load_public(path: &Path) -> Result<PublicFile, FileError> {
    read(path, CARD_BYTES_MAX, PublicFile::parse)
}

/// Reads an approver's card.
pub fn load_card(path: &Path) -> Result<Card, FileError> {
    read(path, CARD_BYTES_MAX, Card::parse)
}

/// Reads a request.
pub fn load_request(path: &Path) -> Result<SignedRequest, FileError> {
    read(path, REQUEST_BYTES_MAX, SignedRequest::parse)
}

/// Reads an approval or a veto.
pub fn load_decision(path: &Path) -> Result<Decision, FileError> {
    read(path, REQUEST_BYTES_MAX, Decision::parse)
}

/// Reads an execution order.
pub fn load_order(path: &Path) -> Result<Order, FileError> {
    read(path, ORDER_BYTES_MAX, Order::parse)
}
