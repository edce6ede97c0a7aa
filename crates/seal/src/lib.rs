//! The object format and the key hierarchy. Plaintext becomes sealed bytes here and nowhere else, so this
//! room alone mints [`Sealed`], the token that everything which stores bytes demands.
//!
//! One construction serves objects, key wraps and small values: C2SP chunked-encryption in its
//! instantiation Cobblestone-256 (<https://c2sp.org/chunked-encryption>). The bytes are drawn in
//! `docs/format/seal.md`.
//!
//! Never here: I/O, a clock, randomness (salts and fresh keys are handed in), or a second cipher suite.
//!
//! Reading order: [`cobblestone`], [`key`], [`mod@wrap`], [`object_key`], [`writer`], [`record`].

mod cipher;
pub mod cobblestone;
pub mod inventory;
pub mod key;
pub mod object_key;
pub mod record;
pub mod row_mac;
pub mod sealed;
pub mod value;
pub mod wrap;
pub mod writer;

pub use cobblestone::{OpenError, SegmentOpener, SegmentSealer};
pub use key::{
    BucketKey, Derives, EraseKey, GroupKey, IndexKey, Key, LedgerKey, MetaKey, NameKey, RootKey,
    ShredKey, SiteKey, TenantKey, TwinKey, kcv, name_hash,
};
pub use object_key::ObjectKey;
pub use record::{
    ClaimedRecord, Kek, Manifest, NewRecord, ObjectPlace, ObjectRecord, RecordError, Segment,
    SegmentContext, SegmentError,
};
pub use row_mac::{row_is_genuine, row_mac};
pub use sealed::{Sealed, StaleCopy};
pub use value::{open_value, seal_value};
pub use wrap::{KeyId, UnwrapError, WrapContext, Wrapped, Wraps, unwrap, wrap};
pub use writer::{SealedWriter, TooLong};
