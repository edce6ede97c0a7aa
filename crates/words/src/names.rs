//! Names that people choose. Each is parsed once, where it enters, and is valid from then on.

use crate::limits::{BUCKET_NAME_LEN, OBJECT_KEY_BYTES_MAX};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The bucket name breaks a rule of S3.
    #[error("bucket name {name:?} is not valid: {why}")]
    Bucket {
        /// The name as it came.
        name: String,
        /// The rule it breaks.
        why: &'static str,
    },
    /// The object key is longer than S3 allows.
    #[error("object key has {length} bytes; at most {OBJECT_KEY_BYTES_MAX} are allowed")]
    KeyTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The object key is empty.
    #[error("object key is empty")]
    KeyEmpty,
    /// A tenant, party or access key name has a character or a length that is not allowed.
    #[error("{what} {name:?} is not valid: use 1 to 64 of a-z, A-Z, 0-9, '-', '_' and '.'")]
    Plain {
        /// What kind of name it is.
        what: &'static str,
        /// The name as it came.
        name: String,
    },
}

/// A bucket's name by the rules of S3 (general purpose buckets).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BucketName(String);

impl BucketName {
    /// Names that the node itself answers on the S3 address.
    pub const RESERVED: [&'static str; 4] = ["healthz", "readyz", "livez", "metrics"];

    /// Checks every rule and keeps the name.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        match Self::fault(name) {
            None => Ok(Self(name.to_owned())),
            Some(why) => Err(NameError::Bucket {
                name: name.chars().take(80).collect(),
                why,
            }),
        }
    }

    fn fault(name: &str) -> Option<&'static str> {
        let edge =
            |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !BUCKET_NAME_LEN.contains(&name.len()) {
            return Some("it must have 3 to 63 characters");
        }
        if !name
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'.')
        {
            return Some("only a-z, 0-9, '-' and '.' are allowed");
        }
        if !edge(name.chars().next()) || !edge(name.chars().last()) {
            return Some("it must begin and end with a letter or a digit");
        }
        if name.contains("..") {
            return Some("two dots may not stand together");
        }
        if name.split('.').count() == 4 && name.split('.').all(|part| part.parse::<u8>().is_ok()) {
            return Some("it may not look like an IP address");
        }
        if name.starts_with("xn--") || name.ends_with("-s3alias") {
            return Some("this prefix or suffix is reserved");
        }
        if Self::RESERVED.contains(&name) {
            return Some("the node answers this name itself");
        }
        None
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BucketName(…)")
    }
}

/// An object's key: opaque bytes of UTF-8, never a path. Not shown by `Debug`: it can be personal data.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey(String);

impl ObjectKey {
    /// Checks the length and keeps the key.
    pub fn parse(key: &str) -> Result<Self, NameError> {
        match key.len() {
            0 => Err(NameError::KeyEmpty),
            length if length > OBJECT_KEY_BYTES_MAX => Err(NameError::KeyTooLong { length }),
            _ => Ok(Self(key.to_owned())),
        }
    }
    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The key's bytes, in whose order listings come.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectKey({} bytes)", self.0.len())
    }
}

macro_rules! text_name {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(name: String) -> Result<Self, NameError> {
                Self::parse(&name)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

text_name!(BucketName);
text_name!(ObjectKey);

macro_rules! plain_name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        text_name!($name);

        impl $name {
            /// Checks characters and length and keeps the name.
            pub fn parse(name: &str) -> Result<Self, NameError> {
                let fits = (1..=64).contains(&name.len())
                    && name != "." && name != ".."
                    && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c));
                if fits {
                    Ok(Self(name.to_owned()))
                } else {
                    Err(NameError::Plain { what: $what, name: name.chars().take(80).collect() })
                }
            }
            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

plain_name!(
    /// The public half of an S3 credential.
    AccessKeyId,
    "access key"
);
plain_name!(
    /// A tenant's name as operators write it.
    TenantName,
    "tenant name"
);
plain_name!(
    /// A party of the charter; also the name of its folder.
    PartyName,
    "party name"
);
