//! Wraps: a key sealed under the key above it, in 104 bytes. A wrap is bound to its level and to the ids
//! and versions of both keys; moved to another object, tenant or version it fails at the commitment,
//! before AES runs.
//!
//! Which key may wrap which is said by [`Wraps`] and checked by the compiler.

use crate::cobblestone::{self, HEADER_BYTES, OpenError, TAG_BYTES};
use crate::key::{
    BucketKey, EraseKey, GroupKey, IndexKey, Key, LedgerKey, MetaKey, NameKey, RootKey, ShredKey,
    SiteKey, TenantKey, held,
};
use crate::object_key::ObjectKey;
use std::fmt;
use words::wire::Writer;
use words::{BucketId, CloudId, SiteId, TenantId, VersionId};
use zeroize::Zeroize;

/// Length of a wrap.
pub const WRAPPED_BYTES: usize = HEADER_BYTES + 32 + TAG_BYTES;

const LABEL: &[u8] = b"clarence/v1/wrap\0";

/// A key sealed under another: salt 24, commitment 32, sealed key 32, tag 16.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Wrapped([u8; WRAPPED_BYTES]);

impl Wrapped {
    /// Takes the bytes as they were stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; WRAPPED_BYTES]) -> Self {
        Self(bytes)
    }
    /// The bytes as they are stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; WRAPPED_BYTES] {
        &self.0
    }
}

impl fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wrapped(…)")
    }
}

/// What a key belongs to, in 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 16]);

impl KeyId {
    /// Takes 16 bytes: those of a shred group, or read back from a record.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
    /// The id of a site's key: eleven zero bytes, `site` and the site's letter.
    #[must_use]
    pub const fn site(site: SiteId) -> Self {
        Self([
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            b's',
            b'i',
            b't',
            b'e',
            site.letter(),
        ])
    }
    /// The 16 bytes as they are stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

macro_rules! key_id_from {
    ($($id:ident)*) => {$(
        impl From<$id> for KeyId {
            fn from(id: $id) -> Self {
                Self(*id.as_bytes())
            }
        }
    )*};
}

key_id_from! { CloudId TenantId BucketId VersionId }

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({})", words::hex::encode(&self.0))
    }
}

/// Which arrow of the hierarchy a wrap is. The number reaches the wrap's context and must not change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Level {
    /// Root to site.
    RootSite = 1,
    /// Site to tenant.
    SiteTenant = 2,
    /// Tenant to bucket.
    TenantBucket = 3,
    /// Bucket to object version. (4 was once meant for shred groups and stays free.)
    BucketObject = 5,
    /// Shred group within a bucket to object version.
    GroupObject = 6,
    /// Root to erasure key.
    RootErase = 7,
    /// Erasure key to shred group.
    EraseGroup = 8,
    /// A site's key to the one that it replaces, while that is still needed.
    SiteOlder = 9,
    /// To a name key.
    Name = 16,
    /// To an index key.
    Index = 17,
    /// To a ledger key.
    Ledger = 18,
    /// To a key for small records.
    Meta = 19,
}

/// The parent's type may wrap the child's. Implemented here for the arrows of the hierarchy and nowhere
/// else.
pub trait Wraps<Child: held::Held>: held::Held {
    /// The arrow.
    const LEVEL: Level;
}

macro_rules! arrows {
    ($($parent:ident => $child:ident, $level:ident;)*) => {$(
        impl Wraps<$child> for $parent {
            const LEVEL: Level = Level::$level;
        }
    )*};
}

arrows! {
    RootKey => SiteKey, RootSite;
    SiteKey => TenantKey, SiteTenant;
    TenantKey => BucketKey, TenantBucket;
    BucketKey => ObjectKey, BucketObject;
    RootKey => EraseKey, RootErase;
    EraseKey => GroupKey, EraseGroup;
    SiteKey => SiteKey, SiteOlder;
    ShredKey => ObjectKey, GroupObject;
    SiteKey => NameKey, Name;
    TenantKey => NameKey, Name;
    BucketKey => NameKey, Name;
    BucketKey => IndexKey, Index;
    SiteKey => LedgerKey, Ledger;
    TenantKey => LedgerKey, Ledger;
    SiteKey => MetaKey, Meta;
    TenantKey => MetaKey, Meta;
    BucketKey => MetaKey, Meta;
}

/// What a wrap is bound to, besides its level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrapContext {
    /// What the wrapping key belongs to.
    pub parent: KeyId,
    /// Version of the wrapping key.
    pub parent_version: u32,
    /// What the wrapped key belongs to.
    pub child: KeyId,
    /// Version of the wrapped key.
    pub child_version: u32,
}

impl WrapContext {
    /// The context bytes: the label, then each field with its length before it.
    fn bytes(&self, level: Level) -> Vec<u8> {
        Writer::bare()
            .raw(LABEL)
            .bytes(&[level as u8])
            .bytes(self.parent.as_bytes())
            .bytes(&self.parent_version.to_be_bytes())
            .bytes(self.child.as_bytes())
            .bytes(&self.child_version.to_be_bytes())
            .finish()
    }
}

/// Why a wrap did not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnwrapError {
    /// The wrap was made under another key, or for another place or version.
    #[error(
        "the wrapped key does not belong to this parent key, place and version; nothing was opened; compare \
         the record's key id and version with the key in use, and read the record from the other site"
    )]
    Elsewhere,
    /// The wrap's bytes were changed.
    #[error(
        "the wrapped key was altered in storage; nothing was opened; read the record from the other site"
    )]
    Altered,
}

/// Seals `child` under `parent`. The salt is 24 fresh random bytes.
#[must_use]
pub fn wrap<P: Wraps<C>, C: held::Held>(
    parent: &P,
    child: &C,
    context: &WrapContext,
    salt: [u8; 24],
) -> Wrapped {
    let plain = child.key(held::Pass).bytes();
    let sealed = cobblestone::seal(
        parent.key(held::Pass),
        &context.bytes(<P as Wraps<C>>::LEVEL),
        salt,
        plain,
    );
    let mut bytes = [0; WRAPPED_BYTES];
    for (to, from) in bytes.iter_mut().zip(sealed) {
        *to = from;
    }
    Wrapped(bytes)
}

/// Opens a wrap. An object's key comes from [`ObjectKey::open`] instead, which demands a receipt.
pub fn unwrap<P: Wraps<C>, C: held::Openable>(
    parent: &P,
    wrapped: &Wrapped,
    context: &WrapContext,
) -> Result<C, UnwrapError> {
    open(
        parent.key(held::Pass),
        <P as Wraps<C>>::LEVEL,
        wrapped,
        context,
    )
    .map(|key| C::hold(key, held::Pass))
}

pub(crate) fn open(
    parent: &Key,
    level: Level,
    wrapped: &Wrapped,
    context: &WrapContext,
) -> Result<Key, UnwrapError> {
    let plain =
        cobblestone::open(parent, &context.bytes(level), &wrapped.0).map_err(|e| match e {
            OpenError::Commitment => UnwrapError::Elsewhere,
            OpenError::Frame { .. } | OpenError::Length { .. } => UnwrapError::Altered,
        })?;
    let mut bytes: [u8; 32] = plain
        .as_slice()
        .try_into()
        .map_err(|_| UnwrapError::Altered)?;
    let key = Key::from_bytes(bytes);
    bytes.zeroize();
    Ok(key)
}
