//! What is known of an object's content, sealed under the object's own key: ETag, checksums, headers,
//! user metadata and the name itself.

use crate::api::{Checksum, ChecksumKind, ContentHeaders, Metadata};
use words::wire::{Reader, WireError, Writer};

const VERSION: u8 = 1;
const TEXT_MAX: usize = 8 * 1024;

/// The sealed part of an object's, a part's or an upload's record.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Meta {
    /// MD5 of the plaintext, or of the parts' MD5s.
    pub md5: [u8; 16],
    /// Number of parts of a multipart object.
    pub parts: Option<u32>,
    /// The object key, so that records can be put back in order without the index.
    pub key: String,
    /// Headers and user metadata.
    pub metadata: Metadata,
    /// Checksums.
    pub checksums: Vec<Checksum>,
}

const fn kind_number(kind: ChecksumKind) -> u8 {
    match kind {
        ChecksumKind::Crc32 => 1,
        ChecksumKind::Crc32c => 2,
        ChecksumKind::Crc64Nvme => 3,
        ChecksumKind::Sha1 => 4,
        ChecksumKind::Sha256 => 5,
    }
}

/// Reads the stored number of a checksum family.
pub fn kind_from(number: u8) -> Result<ChecksumKind, WireError> {
    ChecksumKind::ALL
        .into_iter()
        .find(|kind| kind_number(*kind) == number)
        .ok_or(WireError::Field("checksum family"))
}

/// The stored number of a checksum family, 0 for none.
#[must_use]
pub const fn kind_to(kind: Option<ChecksumKind>) -> u8 {
    match kind {
        None => 0,
        Some(kind) => kind_number(kind),
    }
}

fn text(reader: &mut Reader<'_>) -> Result<String, WireError> {
    String::from_utf8(reader.bytes(TEXT_MAX)?.to_vec()).map_err(|_| WireError::Field("text"))
}

fn optional(writer: Writer, value: Option<&String>) -> Writer {
    match value {
        None => writer.u8(0),
        Some(value) => writer.u8(1).bytes(value.as_bytes()),
    }
}

fn optional_from(reader: &mut Reader<'_>) -> Result<Option<String>, WireError> {
    match reader.u8()? {
        0 => Ok(None),
        1 => text(reader).map(Some),
        _ => Err(WireError::Field("presence")),
    }
}

impl Meta {
    /// The plaintext that is sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let headers = &self.metadata.headers;
        let mut writer = Writer::versioned(VERSION)
            .raw(&self.md5)
            .u32(self.parts.unwrap_or(0))
            .bytes(self.key.as_bytes());
        for header in [
            &headers.content_type,
            &headers.content_encoding,
            &headers.content_disposition,
            &headers.content_language,
            &headers.cache_control,
            &headers.expires,
        ] {
            writer = optional(writer, header.as_ref());
        }
        writer = writer.u16(u16::try_from(self.metadata.user.len()).unwrap_or(u16::MAX));
        for (name, value) in &self.metadata.user {
            writer = writer.bytes(name.as_bytes()).bytes(value.as_bytes());
        }
        writer = writer.u8(u8::try_from(self.checksums.len()).unwrap_or(u8::MAX));
        for checksum in &self.checksums {
            writer = writer
                .u8(kind_number(checksum.kind))
                .u32(checksum.parts.unwrap_or(0))
                .bytes(&checksum.value);
        }
        writer.finish()
    }

    /// Reads the plaintext back.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let md5 = reader.array()?;
        let parts = Some(reader.u32()?).filter(|parts| *parts > 0);
        let key = text(&mut reader)?;
        let headers = ContentHeaders {
            content_type: optional_from(&mut reader)?,
            content_encoding: optional_from(&mut reader)?,
            content_disposition: optional_from(&mut reader)?,
            content_language: optional_from(&mut reader)?,
            cache_control: optional_from(&mut reader)?,
            expires: optional_from(&mut reader)?,
        };
        let mut user = Vec::new();
        for _ in 0..reader.u16()? {
            user.push((text(&mut reader)?, text(&mut reader)?));
        }
        let mut checksums = Vec::new();
        for _ in 0..reader.u8()? {
            let kind = kind_from(reader.u8()?)?;
            let parts = Some(reader.u32()?).filter(|parts| *parts > 0);
            checksums.push(Checksum {
                kind,
                parts,
                value: reader.bytes(64)?.to_vec(),
            });
        }
        reader.finish()?;
        Ok(Self {
            md5,
            parts,
            key,
            metadata: Metadata { headers, user },
            checksums,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let meta = Meta {
            md5: [7; 16],
            parts: Some(3),
            key: "reports/2026/ä.csv".into(),
            metadata: Metadata {
                headers: ContentHeaders {
                    content_type: Some("text/csv".into()),
                    ..ContentHeaders::default()
                },
                user: vec![("mtime".into(), "1".into()), ("origin".into(), "é".into())],
            },
            checksums: vec![Checksum {
                kind: ChecksumKind::Crc64Nvme,
                value: vec![1; 8],
                parts: None,
            }],
        };
        let bytes = meta.encode();
        assert_eq!(Meta::decode(&bytes), Ok(meta));
        for cut in 0..bytes.len() {
            assert!(Meta::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }
}
