//! Keys as types. A key is wiped when it is dropped, shows nothing in `Debug`, is not `Clone`, and its
//! bytes cannot be read back outside this room: what can be done with it is what this room offers.
//!
//! Keys at the leaves of the hierarchy lend themselves as a [`Key`] to the sealing functions. Keys that
//! wrap other keys do not, so that a wrap can be opened by [`crate::unwrap()`] and
//! [`crate::ObjectKey::open`] only.

use crate::cipher;
use std::fmt;
use wall::Secret32;
use zeroize::{Zeroize, Zeroizing};

/// A 256-bit key without a place in the hierarchy. It lies in pages that are in no swap and no image of the
/// process, where the machine offers such.
pub struct Key(Secret32);

impl Key {
    /// Takes 32 random bytes and wipes the argument. The caller wipes what else it holds of them.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret32::new(bytes))
    }
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        self.0.bytes()
    }
}

impl AsRef<Self> for Key {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Keeps the inside of the key types inside this room. The functions of [`held::Held`] are reachable by
/// other rooms through a bound such as `Wraps<SiteKey>`; the [`held::Pass`] that they demand is not.
pub(crate) mod held {
    use super::Key;

    /// Only this room can name and make it.
    pub struct Pass;

    /// A key type over a [`Key`].
    pub trait Held {
        /// The key.
        fn key(&self, pass: Pass) -> &Key;
        /// The typed key.
        fn hold(key: Key, pass: Pass) -> Self;
    }

    /// Key types that [`crate::unwrap()`] may give back, which is all but the object's key.
    pub trait Openable: Held {}
}

macro_rules! key_types {
    ($($(#[$doc:meta])* $name:ident)*) => {
    /// The names of the types, for the inventory's test.
    #[cfg(test)]
    pub(crate) const KEY_TYPES: &[&str] = &[$(stringify!($name)),*];
    $(
        $(#[$doc])*
        pub struct $name(Key);

        impl $name {
            /// Takes 32 random bytes and wipes the argument. The caller wipes what else it holds of them.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(Key::from_bytes(bytes))
            }
            /// See [`kcv`].
            #[must_use]
            pub fn kcv(&self) -> [u8; 16] {
                kcv(&self.0)
            }
        }
        impl held::Held for $name {
            fn key(&self, _: held::Pass) -> &Key {
                &self.0
            }
            fn hold(key: Key, _: held::Pass) -> Self {
                Self(key)
            }
        }
        impl held::Openable for $name {}
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}

key_types! {
    /// The cloud's root: rebuilt from the parties' shares, used to unwrap a site's key, and dropped.
    RootKey
    /// One site's key. It wraps the tenants' keys.
    SiteKey
    /// One tenant's key. It wraps the keys of the tenant's buckets.
    TenantKey
    /// One bucket's key. It wraps objects' keys.
    BucketKey
    /// Wraps the keys of shred groups. It lies under the root alone, so that moving the root away from it
    /// leaves every older copy of what it wraps closed.
    EraseKey
    /// The key of one shred group (a person, a case, a mandate): destroying its wrap erases the group.
    GroupKey
    /// The key of one shred group within one bucket: whoever has only one of the two keys does not have it.
    ShredKey
    /// Binds object names into records without telling them.
    NameKey
    /// Seals a bucket's index of names.
    IndexKey
    /// Seals the openings of ledger entries.
    LedgerKey
    /// Seals small records about tenants, buckets and objects.
    MetaKey
    /// Seals the twin of the catalog that a guest keeps at its host.
    TwinKey
}

macro_rules! lends {
    ($($name:ident)*) => {$(
        impl AsRef<Key> for $name {
            fn as_ref(&self) -> &Key {
                &self.0
            }
        }
    )*};
}

lends! { IndexKey LedgerKey MetaKey TwinKey }

/// A key from which a key for one purpose is derived: HKDF-Expand-SHA-512 of the parent with the purpose's
/// label. Such a key changes with its parent; where it must outlive its parent's rotation, draw it at
/// random and wrap it instead.
pub trait Derives<Child: held::Openable>: held::Held {
    /// The label of the purpose.
    const PURPOSE: &'static str;

    /// Derives the key.
    #[must_use]
    fn derive(&self) -> Child {
        let label = [b"clarence/v1/", Self::PURPOSE.as_bytes()].concat();
        let bytes = cipher::expand::<32>(self.key(held::Pass), &[&label]);
        Child::hold(Key::from_bytes(*bytes), held::Pass)
    }
}

macro_rules! derivations {
    ($($parent:ident => $child:ident, $purpose:literal;)*) => {$(
        impl Derives<$child> for $parent {
            const PURPOSE: &'static str = $purpose;
        }
    )*};
}

derivations! {
    SiteKey => MetaKey, "meta";
    SiteKey => LedgerKey, "ledger";
    SiteKey => NameKey, "name";
    SiteKey => TwinKey, "twin";
    TenantKey => MetaKey, "meta";
    TenantKey => LedgerKey, "ledger";
    TenantKey => NameKey, "name";
    BucketKey => MetaKey, "meta";
    BucketKey => IndexKey, "index";
    BucketKey => NameKey, "name";
    GroupKey => MetaKey, "meta";
    GroupKey => NameKey, "name";
}

impl GroupKey {
    /// The key that wraps the group's objects in one bucket: HMAC-SHA-512 under the group's key over label
    /// and bucket key, first 32 bytes. HMAC is taken to be a PRF in both inputs, as in HKDF-Extract.
    #[must_use]
    pub fn within(&self, bucket: &BucketKey) -> ShredKey {
        let message = Zeroizing::new([SHRED_LABEL, bucket.0.bytes()].concat());
        let full = Zeroizing::new(cipher::hmac_sha512(self.0.bytes(), &message));
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(full.iter()) {
            *to = *from;
        }
        let key = ShredKey::from_bytes(bytes);
        bytes.zeroize();
        key
    }
}

const SHRED_LABEL: &[u8] = b"clarence/v1/shred\0";

/// Key check value: 16 bytes that tell whether two places hold the same key and tell nothing else about
/// it. HKDF-Expand-SHA-512 with its own label, so it is independent of everything the key seals.
#[must_use]
pub fn kcv(key: &Key) -> [u8; 16] {
    *cipher::expand::<16>(key, &[b"clarence/v1/kcv"])
}

/// The binding of a name: HMAC-SHA-512 under the bucket's name key, first 32 bytes. Equal names give equal
/// hashes in one bucket; without the key a hash tells nothing.
#[must_use]
pub fn name_hash(key: &NameKey, name: &[u8]) -> [u8; 32] {
    let full = cipher::hmac_sha512(key.0.bytes(), name);
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(full) {
        *to = from;
    }
    hash
}
