//! Large files written once from front to back and read at any place: what chunk files need beside
//! [`crate::files`]. None of these makes anything durable but [`sync`].

use rustix::fs::Advice;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::Path;

/// Largest offset the kernel knows. It reads "-1" as "where the file stands", so larger ones stay here.
const OFFSET_MAX: u64 = i64::MAX as u64;

/// Writes all of `bytes` at `offset`.
pub fn write_at(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

/// Asks the kernel to begin writing a range that was just written, so that a later sync has less to wait
/// for. A hint: nothing is promised.
pub fn begin_writing_out(file: &File, offset: u64, bytes: u64) {
    let _ = rustix::fs::fadvise(
        file,
        offset,
        std::num::NonZeroU64::new(bytes),
        Advice::DontNeed,
    );
}

/// Makes a file's bytes and length durable.
pub fn sync(file: &File) -> io::Result<()> {
    file.sync_all()
}

/// Reads up to `length` bytes at `offset`; fewer if the file ends earlier.
pub fn read_up_to(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let at = offset.saturating_add(bytes.len() as u64);
        if at > OFFSET_MAX {
            break;
        }
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut bytes), at) {
            Ok(0) => break,
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Reads exactly `length` bytes at `offset` if all of them are in memory already; `None` if the disk would
/// have to be asked, or if the file ends earlier. Never waits for a disk.
#[must_use]
pub fn read_without_waiting(file: &File, offset: u64, length: usize) -> Option<Vec<u8>> {
    if offset > OFFSET_MAX {
        return None;
    }
    let mut bytes = vec![0; length];
    let read = rustix::io::preadv2(
        file,
        &mut [IoSliceMut::new(&mut bytes)],
        offset,
        rustix::io::ReadWriteFlags::NOWAIT,
    );
    (read == Ok(length)).then_some(bytes)
}

/// Makes folders of these names in `parent`, with permission bits `mode`, and syncs `parent` once. Those
/// that are there already are no error.
pub fn make_folders(
    parent: &Path,
    names: impl Iterator<Item = String>,
    mode: u32,
) -> io::Result<()> {
    for name in names {
        let mut builder = std::fs::DirBuilder::new();
        match builder.mode(mode).create(parent.join(name)) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
    }
    crate::files::sync_folder(parent)
}
