//! Files and folders with the two habits that durability needs: a file is replaced by a synced new one
//! and a rename, and a folder is synced after its entries changed.
#![allow(clippy::disallowed_methods)] // this is the one place

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use words::UnixMillis;

pub use std::fs::File as OpenFile;

/// Reads a whole file of at most `max` bytes; `None` if there is none.
pub fn read(path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
        Ok(meta) if meta.len() > max => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "{} has {} bytes; at most {max} are expected",
                    path.display(),
                    meta.len()
                ),
            ));
        }
        Ok(_) => {}
    }
    match fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// Replaces a file so that after a crash either the old or the new content is there, whole. `mode` is the
/// permission bits, such as `0o600`.
pub fn write_durable(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = parent(path)?;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, path)?;
    sync_folder(folder)
}

/// A file that one process holds; let go of when this is dropped, or when the process ends in any way.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code)] File);

/// Takes a file for this process, making it if need be; `None` while another process holds it.
pub fn lock(path: &Path) -> io::Result<Option<Lock>> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock(file))),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Makes a folder (and those above it) with permission bits `mode`, durably.
pub fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        make_folder(above, mode)?;
    }
    match fs::create_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    path.parent()
        .filter(|p| !p.as_os_str().is_empty())
        .map_or(Ok(()), sync_folder)
}

/// Makes `path` and the folders between it and `root`, durably. `root` itself must be there: a folder that
/// was taken away must not come back as an empty one.
pub fn make_folder_within(root: &Path, path: &Path, mode: u32) -> io::Result<()> {
    if !root.is_dir() {
        return Err(io::ErrorKind::NotFound.into());
    }
    if path == root || !path.starts_with(root) || path.is_dir() {
        return Ok(());
    }
    let above = parent(path)?;
    make_folder_within(root, above, mode)?;
    match fs::create_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    sync_folder(above)
}

/// Syncs a folder, so that the names in it are durable.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Creates a file that must not exist yet, for writing and reading.
pub fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

/// Opens a file for appending, made if missing.
pub fn open_append(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(mode)
        .open(path)
}

/// Opens a file that is there for reading and writing in place.
pub fn open_rw(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Opens a file for reading.
pub fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Reads `length` bytes at `offset`; an error if the file ends earlier.
pub fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    file.read_exact_at(buffer, offset)
}

/// Overwrites bytes in place and syncs. For repair and for tests; nothing else writes in place.
pub fn overwrite_at(path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.write_all_at(bytes, offset)?;
    file.sync_all()
}

/// Removes a file; one that is not there is no error. Not durable until the folder is synced.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes a folder and everything in it; one that is not there is no error.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Renames a file or folder and syncs the folder it lands in.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder(parent(to)?)
}

/// The names in a folder, sorted; none if the folder does not exist.
pub fn list(path: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Length and time of last change; `None` if there is no such file.
pub fn stat(path: &Path) -> io::Result<Option<(u64, UnixMillis)>> {
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
        Ok(meta) => {
            let millis = meta
                .mtime()
                .saturating_mul(1000)
                .saturating_add(meta.mtime_nsec() / 1_000_000);
            Ok(Some((
                meta.len(),
                UnixMillis(u64::try_from(millis).unwrap_or(0)),
            )))
        }
    }
}

/// Device and inode of a path: tells whether a folder is still the one that was opened.
pub fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let meta = fs::metadata(path)?;
    Ok((meta.dev(), meta.ino()))
}

/// Whether the path is a folder.
#[must_use]
pub fn is_folder(path: &Path) -> bool {
    path.is_dir()
}

/// Permission bits of a file.
pub fn mode(path: &Path) -> io::Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o7777)
}

/// Sets the permission bits of a file, a folder or a socket.
pub fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Bytes free for this process on the file system that holds `path`.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let stats = rustix::fs::statvfs(path)?;
    Ok(stats.f_bavail.saturating_mul(stats.f_frsize))
}

fn parent(path: &Path) -> io::Result<&Path> {
    match path.parent() {
        Some(p) if p.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(p) => Ok(p),
        None => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path has no folder",
        )),
    }
}
