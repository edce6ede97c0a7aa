//! What a ceremony leaves behind, one file per record: the public [`Custody`], each party's [`ShareFile`]
//! and the [`Transcript`].

mod custody;
mod officer_share;
mod share_file;
mod transcript;

pub use custody::{CeremonyId, Custody, CustodyError, Holder, ShareDigest};
pub use officer_share::{OFFICERS_MAX, Officer, OfficerShare, Split, SplitId};
pub use share_file::{ShareError, ShareFile};
pub use transcript::{Kind, Opening, Proof, Transcript, TranscriptError};

pub(crate) use share_file::SHARE_FILE_BYTES_MAX;
