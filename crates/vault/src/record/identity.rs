//! What a tenant has beside buckets, one sealed row each: key `I ‖ tenant ‖ sort ‖ 32 bytes`. The whole value
//! is sealed under the tenant's meta key and bound to the row's key, so that names of people and policies
//! stand nowhere in clear and no row can be changed or moved.

use super::{documents, flag, text};
use words::wire::{Reader, WireError, Writer};
use words::{TenantId, UnixMillis};

const VERSION: u8 = 1;
/// Most documents of one identity.
pub const DOCUMENTS_MAX: u16 = 12;
/// Longest name of an identity.
pub const NAME_BYTES_MAX: usize = 64;

/// What a row is about. The letters reach the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Sort {
    /// A person or a workload.
    User = b'u',
    /// A role.
    Role = b'r',
    /// A bucket's policy; the 32 bytes are the bucket's id and zeros.
    BucketPolicy = b'b',
    /// An identity provider.
    Provider = b'p',
    /// A trust anchor, in parts; the 32 bytes are 30 of a hash of its name and the part's number.
    Anchor = b'a',
    /// A signature that gave a session; the 32 bytes are when it was made and 24 of its digest.
    Spent = b'x',
    /// A key that seals session tokens; the 32 bytes are its id and zeros.
    SessionKey = b's',
    /// What a tenant used in one hour; the 32 bytes are the hour since 1970 and zeros.
    Meter = b'm',
    /// What a tenant may use.
    Quota = b'q',
    /// A table as its owner declared it.
    Table = b't',
    /// One version of a managed table.
    TableVersion = b'v',
    /// What was shown of groups of persons: 16 bytes of a hash of the table and the consumer, zeros, the row's number.
    Cohorts = b'c',
    /// An agreement, with its provider.
    Agreement = b'g',
    /// Where a consumer finds an agreement.
    ForeignAgreement = b'f',
    /// One person's signature under an agreement, with its provider.
    Signature = b'n',
    /// Who may sign agreements for a tenant; the 32 bytes are zeros.
    Signers = b'w',
    /// A key that is lent to a host; the 32 bytes are the loan's id and zeros.
    Loan = b'l',
}

/// The row's key.
#[must_use]
pub fn key(tenant: TenantId, sort: Sort, what: &[u8; 32]) -> Vec<u8> {
    Writer::bare().raw(&prefix(tenant, sort)).raw(what).finish()
}

/// What the keys of all rows of a sort begin with.
#[must_use]
pub fn prefix(tenant: TenantId, sort: Sort) -> Vec<u8> {
    Writer::bare()
        .u8(b'I')
        .raw(tenant.as_bytes())
        .u8(sort as u8)
        .finish()
}

/// A person, a workload or a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityRow {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: UnixMillis,
    /// A suspended identity does nothing.
    pub suspended: bool,
    /// Whether it is a machine's, not a person's.
    pub workload: bool,
    /// Whoever made it: an access key, or empty for the operator.
    pub maker: String,
    /// Policy documents; each has to allow. None at all allows nothing.
    pub documents: Vec<String>,
    /// A role's trust policy: who may become it. Empty for others.
    pub trust: String,
    /// Longest session of a role, in seconds.
    pub session_seconds_max: u32,
}

impl IdentityRow {
    /// The bytes that are sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::versioned(VERSION)
            .bytes(self.name.as_bytes())
            .u64(self.created.0)
            .u8(u8::from(self.suspended))
            .u8(u8::from(self.workload))
            .bytes(self.maker.as_bytes())
            .bytes(self.trust.as_bytes())
            .u32(self.session_seconds_max)
            .u16(u16::try_from(self.documents.len()).unwrap_or(u16::MAX));
        for document in &self.documents {
            writer = writer.bytes(document.as_bytes());
        }
        writer.finish()
    }
    /// Reads what was sealed.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let row = Self {
            name: text(&mut reader, NAME_BYTES_MAX, "name")?,
            created: UnixMillis(reader.u64()?),
            suspended: flag(reader.u8()?, "suspended")?,
            workload: flag(reader.u8()?, "workload")?,
            maker: text(&mut reader, 64, "maker")?,
            trust: text(&mut reader, policy::document::DOCUMENT_BYTES_MAX, "trust")?,
            session_seconds_max: reader.u32()?,
            documents: documents(&mut reader, DOCUMENTS_MAX)?,
        };
        reader.finish()?;
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let row = IdentityRow {
            name: "reader".into(),
            created: UnixMillis(7),
            suspended: false,
            workload: true,
            maker: "CLRX".into(),
            documents: vec!["{}".into()],
            trust: "{\"Statement\":[]}".into(),
            session_seconds_max: 3600,
        };
        let bytes = row.encode();
        assert_eq!(IdentityRow::decode(&bytes), Ok(row));
        for end in 0..bytes.len() {
            assert!(IdentityRow::decode(&bytes[..end]).is_err());
        }
        let tenant = TenantId::from_bytes([3; 16]);
        let key = key(tenant, Sort::Role, &[9; 32]);
        assert_eq!((key.len(), key[0], key[17]), (50, b'I', b'r'));
    }
}
