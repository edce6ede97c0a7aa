//! Identifiers. All are random and carry no meaning, so that they may stand in clear beside sealed
//! bytes. They reach the disk as the 16 bytes they are.

use crate::hex;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id16 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Takes 16 bytes, which the caller drew at random or read back from a record.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }
            /// The 16 bytes as they are stored.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
            /// Reads 32 hexadecimal digits.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                hex::decode_array(text).map(Self)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(&self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

id16!(
    /// One cloud: everything founded by one ceremony.
    CloudId
);
id16!(
    /// One tenant: an administration, a company, a guest state.
    TenantId
);
id16!(
    /// One bucket.
    BucketId
);
id16!(
    /// One version of one object, and the upload that makes it.
    VersionId
);
id16!(
    /// One immutable file of sealed bytes, the same name at both sites.
    ChunkId
);
id16!(
    /// One commit, named by its caller before it is sent, so that an unknown outcome can be looked up.
    OpId
);

/// One of the two sites. The letter reaches the disk (as `b'a'` and `b'b'`) and must not change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SiteId {
    /// The first site.
    A,
    /// The second site.
    B,
}

impl SiteId {
    /// Both sites, in order.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// The other site.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
    /// 0 for A and 1 for B.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }
    /// The byte that stands for the site in records.
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self {
            Self::A => b'a',
            Self::B => b'b',
        }
    }
    /// Reads the byte that stands for the site in records.
    #[must_use]
    pub const fn from_letter(letter: u8) -> Option<Self> {
        match letter {
            b'a' => Some(Self::A),
            b'b' => Some(Self::B),
            _ => None,
        }
    }
}

impl fmt::Display for SiteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "site-a",
            Self::B => "site-b",
        })
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// Whole seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }
    /// This time and `millis` more, never past the end of the type.
    #[must_use]
    pub const fn plus(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}
