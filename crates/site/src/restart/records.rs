//! The two records of a lease: `restart.clr` in the node's folder, and the half that the other site holds. Drawn in
//! `docs/format/custody.md`.

use tpm::{Blob, Policy};
use vault::RestartKeys;
use vault::record::WRAPPED_BYTES;
use words::limits::{APPROVERS_MAX, CARD_BYTES_MAX, ORDER_BYTES_MAX};
use words::wire::{Reader, WireError, Writer};
use words::{CloudId, SiteId, UnixMillis};
use zeroize::Zeroizing;

const OWN_MAGIC: &[u8; 8] = b"CLRNREST";
const HELD_MAGIC: &[u8; 8] = b"CLRNHALF";
const VERSION: u8 = 1;
/// The node's own record.
pub const OWN_FILE: &str = "restart.clr";
/// The folder of held halves in a site folder.
pub const HELD_FOLDER: &str = "restart";
/// No own record is longer.
pub const OWN_BYTES_MAX: u64 = 8 * 1024;
/// No held record is longer.
pub const HELD_BYTES_MAX: u64 = 4 * 1024 * 1024;
const NODE_BYTES_MAX: usize = 256;
const BLOB_BYTES_MAX: usize = 1024;

/// What the node itself keeps. Worthless without its TPM, and without the other half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    pub cloud: CloudId,
    pub node: String,
    /// Which site holds the other half.
    pub held_by: SiteId,
    /// 16 random bytes that name the lease's halves.
    pub id: [u8; 16],
    /// The approved request's digest.
    pub lease: [u8; 64],
    pub granted: UnixMillis,
    pub ends: UnixMillis,
    /// The latest time that was ever seen.
    pub latest: UnixMillis,
    pub policy: Policy,
    pub blob: Blob,
    pub keys: RestartKeys,
}

/// What the other site keeps. **Secret**: with the own half it gives the restart key.
#[derive(Clone)]
pub struct Held {
    pub cloud: CloudId,
    pub node: String,
    pub id: [u8; 16],
    pub lease: [u8; 64],
    pub granted: UnixMillis,
    pub ends: UnixMillis,
    /// The latest time that was ever seen.
    pub latest: UnixMillis,
    /// How often it was given out.
    pub released: u32,
    pub exchange: Zeroizing<[u8; 32]>,
    pub half: Zeroizing<[u8; 32]>,
    /// The order and the approvers' cards, to be checked again each time.
    pub order: String,
    pub cards: Vec<String>,
}

fn framed(magic: &[u8; 8], body: &[u8]) -> Vec<u8> {
    let mut bytes = Writer::bare().raw(magic).u8(VERSION).raw(body).finish();
    let checksum = ledger::tree::leaf_hash(&bytes);
    bytes.extend_from_slice(&checksum);
    bytes
}

/// The body of a record, once its beginning and its checksum are right.
fn unframed<'a>(magic: &[u8; 8], bytes: &'a [u8]) -> Result<Reader<'a>, WireError> {
    let (body, checksum) = bytes.split_last_chunk::<32>().ok_or(WireError::Short)?;
    let rest = body
        .strip_prefix(magic)
        .ok_or(WireError::Field("beginning"))?;
    let (_, reader) = Reader::versioned(rest, VERSION)?;
    match ledger::tree::leaf_hash(body) == *checksum {
        true => Ok(reader),
        false => Err(WireError::Field("checksum")),
    }
}

fn text(bytes: &[u8]) -> Result<String, WireError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| WireError::Field("text"))
}

impl Own {
    pub fn encode(&self) -> Vec<u8> {
        let body = Writer::bare()
            .raw(self.cloud.as_bytes())
            .bytes(self.node.as_bytes())
            .u8(self.held_by.letter())
            .raw(&self.id)
            .raw(&self.lease)
            .u64(self.granted.0)
            .u64(self.ends.0)
            .u64(self.latest.0)
            .u32(self.policy.bits())
            .u64(self.policy.clock_before_ms)
            .bytes(&self.blob.public)
            .bytes(&self.blob.private)
            .u32(self.keys.key_version)
            .raw(&self.keys.wraps[0])
            .raw(&self.keys.wraps[1])
            .finish();
        framed(OWN_MAGIC, &body)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = unframed(OWN_MAGIC, bytes)?;
        let own = Self {
            cloud: CloudId::from_bytes(reader.array()?),
            node: text(reader.bytes(NODE_BYTES_MAX)?)?,
            held_by: SiteId::from_letter(reader.u8()?).ok_or(WireError::Field("site"))?,
            id: reader.array()?,
            lease: reader.array()?,
            granted: UnixMillis(reader.u64()?),
            ends: UnixMillis(reader.u64()?),
            latest: UnixMillis(reader.u64()?),
            policy: {
                let (bits, clock) = (reader.u32()?, reader.u64()?);
                Policy::from_bits(bits, clock).ok_or(WireError::Field("PCRs"))?
            },
            blob: Blob {
                public: reader.bytes(BLOB_BYTES_MAX)?.to_vec(),
                private: reader.bytes(BLOB_BYTES_MAX)?.to_vec(),
            },
            keys: RestartKeys {
                key_version: reader.u32()?,
                wraps: [
                    reader.array::<WRAPPED_BYTES>()?,
                    reader.array::<WRAPPED_BYTES>()?,
                ],
            },
        };
        reader.finish()?;
        Ok(own)
    }
}

impl Held {
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let cards = u16::try_from(self.cards.len()).unwrap_or(u16::MAX);
        let writer = Writer::bare()
            .raw(self.cloud.as_bytes())
            .bytes(self.node.as_bytes())
            .raw(&self.id)
            .raw(&self.lease)
            .u64(self.granted.0)
            .u64(self.ends.0)
            .u64(self.latest.0)
            .u32(self.released)
            .raw(&self.exchange[..])
            .raw(&self.half[..])
            .bytes(self.order.as_bytes())
            .u16(cards);
        let body = self
            .cards
            .iter()
            .fold(writer, |writer, card| writer.bytes(card.as_bytes()));
        Zeroizing::new(framed(HELD_MAGIC, &Zeroizing::new(body.finish())))
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = unframed(HELD_MAGIC, bytes)?;
        let mut held = Self {
            cloud: CloudId::from_bytes(reader.array()?),
            node: text(reader.bytes(NODE_BYTES_MAX)?)?,
            id: reader.array()?,
            lease: reader.array()?,
            granted: UnixMillis(reader.u64()?),
            ends: UnixMillis(reader.u64()?),
            latest: UnixMillis(reader.u64()?),
            released: reader.u32()?,
            exchange: Zeroizing::new(reader.array()?),
            half: Zeroizing::new(reader.array()?),
            order: text(reader.bytes(ORDER_BYTES_MAX)?)?,
            cards: Vec::new(),
        };
        let count = usize::from(reader.u16()?);
        if count > APPROVERS_MAX {
            return Err(WireError::Field("cards"));
        }
        for _ in 0..count {
            held.cards.push(text(reader.bytes(CARD_BYTES_MAX)?)?);
        }
        reader.finish()?;
        Ok(held)
    }
}
