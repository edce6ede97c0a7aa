//! What can go wrong with a chunk, named so that an operator knows what to do and the mirror knows what it
//! means for the site.

use std::io;
use std::sync::Arc;
use words::ChunkId;

/// Why a store could not do what was asked. Nothing that was durable before is lost by any of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// There is no such chunk.
    #[error(
        "{place} has no chunk {id}; the other site's copy is used and this one is healed from it"
    )]
    Missing {
        /// Where it was looked for.
        place: Arc<str>,
        /// The chunk.
        id: ChunkId,
    },
    /// The chunk ends before the bytes that were asked for.
    #[error(
        "chunk {id} in {place} has {bytes} bytes where at least {wanted} are expected; it is cut short: the \
         other site's copy is used and this one is healed from it"
    )]
    Short {
        /// Where it lies.
        place: Arc<str>,
        /// The chunk.
        id: ChunkId,
        /// How long it would have to be.
        wanted: u64,
        /// How long it is.
        bytes: u64,
    },
    /// The name is taken.
    #[error(
        "{place} has a chunk {id} already; chunks are never overwritten, and nothing was changed"
    )]
    Exists {
        /// Where.
        place: Arc<str>,
        /// The chunk.
        id: ChunkId,
    },
    /// The folder is not there.
    #[error(
        "the folder {place} is not there; mount it or put it back, and the site heals; until then the other \
         site serves"
    )]
    FolderMissing {
        /// The folder.
        place: Arc<str>,
    },
    /// Another folder lies where the store's folder was.
    #[error(
        "the folder {place} was exchanged for another while in use; it serves again after it was healed and \
         scrubbed from the other site"
    )]
    FolderReplaced {
        /// The folder.
        place: Arc<str>,
    },
    /// No space is left.
    #[error(
        "no space is left in {place}; what is there can still be read and deleted; make space or enlarge it"
    )]
    Full {
        /// The folder.
        place: Arc<str>,
    },
    /// Nothing can be written.
    #[error(
        "{place} is mounted read-only; what is there can still be read; look in the kernel's log for the \
         reason, then mount it for writing"
    )]
    ReadOnly {
        /// The folder.
        place: Arc<str>,
    },
    /// The process may not.
    #[error(
        "permission to use {place} is denied; give the folder back to the user that runs the node"
    )]
    NotPermitted {
        /// The folder or file.
        place: Arc<str>,
    },
    /// The bucket is not there.
    #[error(
        "there is no {place}; nothing was written, and the other site serves; if it was only away the site heals \
         when it is back, and a new one is taken into use with `clarence heal --site SITE --new-folder`"
    )]
    BucketMissing {
        /// The bucket.
        place: Arc<str>,
    },
    /// The bucket does not say whose it is.
    #[error(
        "{place} has no mark that it is this site's: it is another bucket, or was emptied; nothing was written to \
         it, and the other site serves; if it shall be the site's new one: \
         `clarence heal --site SITE --new-folder`"
    )]
    BucketUnmarked {
        /// The bucket.
        place: Arc<str>,
    },
    /// The bucket says that it is somebody else's.
    #[error(
        "{place} belongs to {found}, and {expected} was expected; nothing in it was touched; correct the file \
         that sites.a_s3 or sites.b_s3 names"
    )]
    BucketForeign {
        /// The bucket.
        place: Arc<str>,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
    /// The bucket is closed to us.
    #[error(
        "{place} denies access ({why}); nothing was changed, and the other site serves; check the credential in \
         the file that sites.a_s3, sites.b_s3 or embassy.host names, and what it may do in the bucket"
    )]
    Denied {
        /// The bucket.
        place: Arc<str>,
        /// What it said.
        why: String,
    },
    /// A call was taken and not answered in time.
    #[error(
        "{doing} in {place} was not answered in time; what was acknowledged is safe, and the other site serves; \
         look whether it, or the network to it, hangs"
    )]
    Silent {
        /// The bucket.
        place: Arc<str>,
        /// What was being done.
        doing: &'static str,
    },
    /// This process has too many files open. That is no fault of the site.
    #[error(
        "too many files are open in this process or on this machine; the request was refused and nothing \
         was lost; raise the limit (LimitNOFILE) or serve fewer connections"
    )]
    TooManyFiles,
    /// The disk answers with an error.
    #[error("the disk under {place} reports an error: {source}; check the device")]
    Device {
        /// The folder.
        place: Arc<str>,
        /// What the kernel said.
        source: io::Error,
    },
    /// An earlier step of the same writer failed or was given up.
    #[error(
        "chunk {id} in {place} was given up half-written; it is removed, and nothing refers to it"
    )]
    GivenUp {
        /// Where.
        place: Arc<str>,
        /// The chunk.
        id: ChunkId,
    },
    /// Anything else.
    #[error("{doing} in {place} failed: {source}")]
    Other {
        /// The folder.
        place: Arc<str>,
        /// What was being done.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// What an error says about the site. The mirror decides by this, never by text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// This one chunk is missing, cut short or in the way; the site as such is well.
    Chunk,
    /// The site cannot take writes, but gives what it has.
    CannotWrite,
    /// The site's folder or bucket is gone, exchanged or closed to us: no chunk can be expected from it.
    FolderAway,
    /// The site answered with an error; once may be chance.
    Trouble,
    /// The site took longer than its deadline; the next request would wait as long.
    Slow,
    /// This process is at its own limit; nothing is known about the site.
    Ourselves,
}

impl ChunkError {
    /// What the error says about the site.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        match self {
            Self::Missing { .. }
            | Self::Short { .. }
            | Self::Exists { .. }
            | Self::GivenUp { .. } => Cause::Chunk,
            Self::Full { .. } | Self::ReadOnly { .. } => Cause::CannotWrite,
            Self::FolderMissing { .. }
            | Self::FolderReplaced { .. }
            | Self::NotPermitted { .. }
            | Self::BucketMissing { .. }
            | Self::BucketUnmarked { .. }
            | Self::BucketForeign { .. }
            | Self::Denied { .. } => Cause::FolderAway,
            Self::Silent { .. } => Cause::Slow,
            Self::Device { .. } | Self::Other { .. } => Cause::Trouble,
            Self::TooManyFiles => Cause::Ourselves,
        }
    }

    /// Names what the kernel said. `NotFound` is read as "the folder is gone": a caller that knows better
    /// asks first.
    #[must_use]
    pub fn from_io(place: &Arc<str>, doing: &'static str, source: io::Error) -> Self {
        let place = Arc::clone(place);
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { place },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { place },
            io::ErrorKind::PermissionDenied => Self::NotPermitted { place },
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::FolderMissing { place },
            _ => match source.raw_os_error() {
                Some(ENFILE | EMFILE) => Self::TooManyFiles,
                Some(EIO | ENXIO | ENODEV | EBADMSG | ENOTCONN | ESTALE | EUCLEAN | EREMOTEIO) => {
                    Self::Device { place, source }
                }
                _ => Self::Other {
                    place,
                    doing,
                    source,
                },
            },
        }
    }
}

// Linux error numbers that `io::ErrorKind` does not name in a stable way.
const EIO: i32 = 5;
const ENXIO: i32 = 6;
const ENODEV: i32 = 19;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const EBADMSG: i32 = 74;
const ENOTCONN: i32 = 107;
const ESTALE: i32 = 116;
const EUCLEAN: i32 = 117;
const EREMOTEIO: i32 = 121;

#[cfg(test)]
mod tests {
    use super::{Cause, ChunkError};
    use std::io;

    #[test]
    fn kernel_errors_get_their_names() {
        let table = [
            (28, Cause::CannotWrite),
            (122, Cause::CannotWrite),
            (30, Cause::CannotWrite),
            (5, Cause::Trouble),
            (116, Cause::Trouble),
            (13, Cause::FolderAway),
            (2, Cause::FolderAway),
            (20, Cause::FolderAway),
            (23, Cause::Ourselves),
            (24, Cause::Ourselves),
            (22, Cause::Trouble),
        ];
        for (number, cause) in table {
            let error = ChunkError::from_io(
                &"site-a/chunks".into(),
                "writing",
                io::Error::from_raw_os_error(number),
            );
            assert_eq!(error.cause(), cause, "{number}: {error}");
        }
    }
}
