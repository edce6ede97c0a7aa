//! `hsm.clr`, beside the header of a site folder: which keys of which tokens hold the outer secret of this
//! cloud. Each of them is enough. Drawn in `docs/format/custody.md`.

use crate::message::{KeyName, Wrap};
use aws_lc_rs::digest::{SHA256, digest};
use words::wire::{Reader, WireError, Writer};
use words::{CloudId, UnixMillis};

const MAGIC: &[u8; 8] = b"CLRNHSMK";
const VERSION: u8 = 1;
/// The file's name in the site folder.
pub const FILE: &str = "hsm.clr";
/// No record is longer.
pub const RECORD_BYTES_MAX: u64 = 4096;
/// Most tokens in one record.
pub const HOLDERS_MAX: usize = 8;
const TEXT_BYTES_MAX: usize = 64;

/// One token that can open the outer secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The token's serial number.
    pub serial: String,
    /// Its label when it was enrolled, for people.
    pub label: String,
    /// The key on it.
    pub key: KeyName,
    /// When it was enrolled.
    pub made: UnixMillis,
    /// The outer secret under that key.
    pub wrap: Wrap,
}

/// Everything that an HSM adds to a site folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HsmRecord {
    /// The cloud.
    pub cloud: CloudId,
    /// The tokens, 1 to 8.
    pub holders: Vec<Holder>,
}

/// Why a file is not such a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It begins otherwise.
    #[error("it is not a record of an HSM's keys")]
    Foreign,
    /// It ends early, has an unknown version or a value that is not allowed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Its checksum is wrong.
    #[error("it is damaged: its checksum does not fit")]
    Damaged,
}

impl HsmRecord {
    /// The context of a wrap: it opens for this cloud, this token and this key only.
    #[must_use]
    pub fn context(cloud: CloudId, serial: &str, key: KeyName) -> Vec<u8> {
        Writer::bare()
            .raw(b"clarence/v1/hsm\0")
            .raw(cloud.as_bytes())
            .bytes(serial.as_bytes())
            .raw(&key.0)
            .finish()
    }

    /// The entry of a token.
    #[must_use]
    pub fn holder(&self, serial: &str) -> Option<&Holder> {
        self.holders.iter().find(|holder| holder.serial == serial)
    }

    /// The file's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let count = u8::try_from(self.holders.len()).unwrap_or(u8::MAX);
        let writer = Writer::bare()
            .raw(MAGIC)
            .u8(VERSION)
            .raw(self.cloud.as_bytes())
            .u8(count);
        let mut bytes = self
            .holders
            .iter()
            .fold(writer, |writer, holder| {
                writer
                    .bytes(holder.serial.as_bytes())
                    .bytes(holder.label.as_bytes())
                    .raw(&holder.key.0)
                    .u64(holder.made.0)
                    .raw(&holder.wrap.nonce)
                    .raw(&holder.wrap.sealed)
            })
            .finish();
        let checksum = digest(&SHA256, &bytes);
        bytes.extend_from_slice(checksum.as_ref());
        bytes
    }

    /// Reads the file's bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let (body, checksum) = bytes.split_last_chunk::<32>().ok_or(RecordError::Foreign)?;
        let rest = body.strip_prefix(MAGIC).ok_or(RecordError::Foreign)?;
        let (_, mut reader) = Reader::versioned(rest, VERSION)?;
        if digest(&SHA256, body).as_ref() != checksum {
            return Err(RecordError::Damaged);
        }
        let cloud = CloudId::from_bytes(reader.array()?);
        let count = usize::from(reader.u8()?);
        if !(1..=HOLDERS_MAX).contains(&count) {
            return Err(WireError::Field("holders").into());
        }
        let mut holders = Vec::with_capacity(count);
        for _ in 0..count {
            holders.push(Holder {
                serial: text(&mut reader)?,
                label: text(&mut reader)?,
                key: KeyName(reader.array()?),
                made: UnixMillis(reader.u64()?),
                wrap: Wrap {
                    nonce: reader.array()?,
                    sealed: reader.array()?,
                },
            });
        }
        reader.finish()?;
        Ok(Self { cloud, holders })
    }
}

fn text(reader: &mut Reader<'_>) -> Result<String, WireError> {
    let bytes = reader.bytes(TEXT_BYTES_MAX)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| WireError::Field("text"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::hex;

    fn record() -> HsmRecord {
        let holder = |serial: &str, byte| Holder {
            serial: serial.into(),
            label: "site a".into(),
            key: KeyName([byte; 16]),
            made: UnixMillis(1_800_000_000_000),
            wrap: Wrap {
                nonce: [byte; 12],
                sealed: [byte; 48],
            },
        };
        HsmRecord {
            cloud: CloudId::from_bytes([1; 16]),
            holders: vec![holder("0123", 2), holder("4567", 3)],
        }
    }

    #[test]
    fn round_trip_and_every_flipped_byte_is_seen() {
        let bytes = record().encode();
        assert_eq!(HsmRecord::decode(&bytes), Ok(record()));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(HsmRecord::decode(&bad).is_err(), "byte {at}");
            assert!(HsmRecord::decode(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    /// Version 1, as it was first written. It must open for ever.
    #[test]
    fn golden_version_1() {
        let bytes = record().encode();
        assert_eq!(bytes.len(), 8 + 1 + 16 + 1 + 2 * (8 + 10 + 84) + 32);
        assert_eq!(
            hex::encode(&bytes[..44]),
            "434c524e48534d4b0101010101010101010101010101010101\
             02000000043031323300000006736974652061"
        );
    }
}
