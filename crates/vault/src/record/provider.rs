//! An identity provider of a tenant, in a sealed row of the sort `p`: who it is, for whom its tokens are made,
//! and the keys with which it signs. The keys come from a file that somebody carried here; nothing is fetched.

use super::text;
use words::UnixMillis;
use words::wire::{Reader, WireError, Writer};

const VERSION: u8 = 1;
const AUDIENCES_MAX: u16 = 16;

/// An identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderRow {
    /// What its tokens say in `iss`.
    pub issuer: String,
    /// When it was added.
    pub created: UnixMillis,
    /// The audiences of which a token must have one.
    pub audiences: Vec<String>,
    /// Its public keys, as a JWKS.
    pub keys: String,
}

impl ProviderRow {
    /// The bytes that are sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::versioned(VERSION)
            .bytes(self.issuer.as_bytes())
            .u64(self.created.0)
            .bytes(self.keys.as_bytes())
            .u16(u16::try_from(self.audiences.len()).unwrap_or(u16::MAX));
        for audience in &self.audiences {
            writer = writer.bytes(audience.as_bytes());
        }
        writer.finish()
    }
    /// Reads what was sealed.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let issuer = text(&mut reader, 1024, "issuer")?;
        let created = UnixMillis(reader.u64()?);
        let keys = text(&mut reader, 40 * 1024, "keys")?;
        let count = reader.u16()?;
        if count > AUDIENCES_MAX {
            return Err(WireError::Field("audiences"));
        }
        let audiences = (0..count)
            .map(|_| text(&mut reader, 1024, "audience"))
            .collect::<Result<_, _>>()?;
        reader.finish()?;
        Ok(Self {
            issuer,
            created,
            audiences,
            keys,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let row = ProviderRow {
            issuer: "https://idp.example.lu".into(),
            created: UnixMillis(3),
            audiences: vec!["clarence".into(), "other".into()],
            keys: "{}".into(),
        };
        let bytes = row.encode();
        assert_eq!(ProviderRow::decode(&bytes), Ok(row));
        for end in 0..bytes.len() {
            assert!(ProviderRow::decode(&bytes[..end]).is_err());
        }
    }
}
