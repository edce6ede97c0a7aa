//! One S3 credential: key `K ‖ access key`. What stands in clear before the sealed part is bound into it
//! since version 2, so a changed date, suspension or tenant opens nothing. In version 1 only the secret is
//! sealed and the rest is under no MAC; such rows are written as version 2 at their next change.

use super::flag;
use words::wire::{Reader, WireError, Writer};
use words::{AccessKeyId, TenantId, UnixMillis};
use zeroize::Zeroizing;

const VERSION: u8 = 2;

/// Longest sealed part.
const SEALED_BYTES_MAX: usize = 60 * 1024;
/// Most documents of one credential.
const DOCUMENTS_MAX: u16 = 16;

/// The row of one credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKeyRow {
    /// 1 or 2.
    pub version: u8,
    /// The tenant it acts for.
    pub tenant: TenantId,
    /// When it was made.
    pub created: UnixMillis,
    /// When it ends; never, if absent.
    pub expires: Option<UnixMillis>,
    /// Suspended credentials are refused.
    pub suspended: bool,
    /// Version 1: the secret. Version 2: a [`Body`], sealed to everything before it.
    pub sealed_secret: Vec<u8>,
}

/// What keys of all credentials begin with.
pub const PREFIX: &[u8] = b"K";

/// The row's key.
#[must_use]
pub fn key(access_key: &AccessKeyId) -> Vec<u8> {
    Writer::bare()
        .u8(b'K')
        .raw(access_key.as_str().as_bytes())
        .finish()
}

impl AccessKeyRow {
    /// A row of the newest version whose sealed part is still to come.
    #[must_use]
    pub const fn new(
        tenant: TenantId,
        created: UnixMillis,
        expires: Option<UnixMillis>,
        suspended: bool,
    ) -> Self {
        Self {
            version: VERSION,
            tenant,
            created,
            expires,
            suspended,
            sealed_secret: Vec::new(),
        }
    }
    fn head(&self) -> Writer {
        Writer::versioned(self.version)
            .raw(self.tenant.as_bytes())
            .u64(self.created.0)
            .u64(self.expires.map_or(0, |t| t.0))
            .u8(u8::from(self.suspended))
    }
    /// What the sealed part is bound to.
    #[must_use]
    pub fn context(&self, id: &AccessKeyId) -> Vec<u8> {
        let bare = [b"access key\0".as_slice(), id.as_str().as_bytes()].concat();
        if self.version == 1 {
            return bare;
        }
        [bare, b"\0".to_vec(), self.head().finish()].concat()
    }
    /// The row's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.head().bytes(&self.sealed_secret).finish()
    }
    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (version, mut reader) = Reader::versioned(bytes, VERSION)?;
        let longest = if version == 1 { 1024 } else { SEALED_BYTES_MAX };
        let row = Self {
            version,
            tenant: TenantId::from_bytes(reader.array()?),
            created: UnixMillis(reader.u64()?),
            expires: Some(reader.u64()?).filter(|t| *t != 0).map(UnixMillis),
            suspended: flag(reader.u8()?, "suspended")?,
            sealed_secret: reader.bytes(longest)?.to_vec(),
        };
        reader.finish()?;
        Ok(row)
    }
}

/// The sealed part of a row of version 2. Wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    /// The secret half; empty for a credential that was stopped because its row was damaged.
    pub secret: Zeroizing<String>,
    /// The person or workload whose credential it is, by name; empty if it is the tenant's own.
    pub identity: String,
    /// Whoever made it: an access key, or empty for the operator.
    pub maker: String,
    /// Policy documents; each has to allow what the credential is used for.
    pub documents: Vec<String>,
}

impl Body {
    /// The bytes that are sealed.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = Writer::bare()
            .bytes(self.secret.as_bytes())
            .bytes(self.identity.as_bytes())
            .bytes(self.maker.as_bytes())
            .u16(u16::try_from(self.documents.len()).unwrap_or(u16::MAX));
        for document in &self.documents {
            writer = writer.bytes(document.as_bytes());
        }
        Zeroizing::new(writer.finish())
    }
    /// Reads what was sealed.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::bare(bytes);
        let secret = Zeroizing::new(super::text(&mut reader, 256, "secret")?);
        let identity = super::text(&mut reader, 64, "identity")?;
        let maker = super::text(&mut reader, 64, "maker")?;
        let documents = super::documents(&mut reader, DOCUMENTS_MAX)?;
        reader.finish()?;
        Ok(Self {
            secret,
            identity,
            maker,
            documents,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(version: u8) -> AccessKeyRow {
        AccessKeyRow {
            version,
            tenant: TenantId::from_bytes([1; 16]),
            created: UnixMillis(4),
            expires: Some(UnixMillis(9)),
            suspended: true,
            sealed_secret: vec![5; 96],
        }
    }

    #[test]
    fn round_trip() {
        for version in [1, 2] {
            let row = row(version);
            let mut bytes = row.encode();
            assert_eq!(AccessKeyRow::decode(&bytes), Ok(row));
            bytes[33] = 2;
            let neither = Err(WireError::Field("suspended"));
            assert_eq!(AccessKeyRow::decode(&bytes), neither);
        }
    }

    /// The layout of version 1 is that of the first releases, and its context too.
    #[test]
    fn version_1_is_as_it_was() {
        let bytes = row(1).encode();
        let mut expected = vec![1];
        expected.extend([1; 16]);
        expected.extend([
            0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 9, 1, 0, 0, 0, 96,
        ]);
        expected.extend([5; 96]);
        assert_eq!(bytes, expected);
        let id = AccessKeyId::parse("CLRX").unwrap();
        assert_eq!(row(1).context(&id), b"access key\0CLRX");
    }

    #[test]
    fn every_clear_field_of_version_2_is_bound() {
        let id = AccessKeyId::parse("CLRX").unwrap();
        let whole = row(2).context(&id);
        let changed = [
            AccessKeyRow {
                suspended: false,
                ..row(2)
            },
            AccessKeyRow {
                expires: None,
                ..row(2)
            },
            AccessKeyRow {
                created: UnixMillis(5),
                ..row(2)
            },
            AccessKeyRow {
                tenant: TenantId::from_bytes([2; 16]),
                ..row(2)
            },
            row(1),
        ];
        for other in changed {
            assert_ne!(other.context(&id), whole);
        }
        assert_ne!(row(2).context(&AccessKeyId::parse("CLRY").unwrap()), whole);
    }

    #[test]
    fn bodies_round_trip() {
        let body = Body {
            secret: Zeroizing::new("secret".into()),
            identity: "anna".into(),
            maker: String::new(),
            documents: vec!["{}".into(), "é".into()],
        };
        let bytes = body.encode();
        assert!(Body::decode(&bytes).unwrap() == body);
        for end in 0..bytes.len() {
            assert!(Body::decode(&bytes[..end]).is_err());
        }
    }
}
