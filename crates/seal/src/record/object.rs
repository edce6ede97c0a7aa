//! The object record CLR1: 512 bytes that say what one object version is, under a MAC of its own key.
//!
//! Bytes that were read are a [`ClaimedRecord`]: enough to find the wrapped key, and to be trusted for
//! nothing else. With the key they become an [`ObjectRecord`], whose lengths and digests may be used.

use super::segment::Segment;
use crate::cipher::{expand, hmac_sha512};
use crate::object_key::ObjectKey;
use crate::record::manifest::{ct_root, manifest_digest, total_plain_bytes};
use crate::wrap::{KeyId, WrapContext, Wrapped};
use subtle::ConstantTimeEq;
use words::wire::{Reader, WireError, Writer};
use words::{BucketId, TenantId, VersionId};

/// Length of the record.
pub const RECORD_BYTES: usize = 512;

const MAGIC: &[u8; 8] = b"CLRNOBJ1";
const SUITE_COBBLESTONE_256: u8 = 2;
const FLAG_MULTI_SEGMENT: u8 = 1;
const FLAG_GUEST_ENCRYPTED: u8 = 1 << 1;
const FLAG_SHRED_GROUP: u8 = 1 << 2;
const MAC_BYTES: usize = 64;
const RESERVED_BYTES: usize = 152;
const MAC_LABEL: &[u8] = b"clarence/v1/record";

/// Why a record was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The bytes are not such a record.
    #[error(
        "the object record cannot be read: {0}; nothing was opened; read the record from the other site"
    )]
    Layout(#[from] WireError),
    /// Sealed with a suite that this build does not have.
    #[error(
        "the object record names cipher suite {found}; only suite 2 (Cobblestone-256) is accepted; nothing was \
         opened"
    )]
    Suite {
        /// The byte found.
        found: u8,
    },
    /// The MAC does not match.
    #[error(
        "the object record was altered; nothing was opened; read the record from the other site"
    )]
    Mac,
    /// A good record, of another object.
    #[error(
        "the object record belongs to another object; nothing was opened; read the record from the other site"
    )]
    Elsewhere,
    /// The segment table is not the one that the record commits to.
    #[error(
        "the segment table does not belong to the object record; nothing was opened; read the table from the \
         other site"
    )]
    Manifest,
    /// A segment's bytes are not the ones that the table names: a part was swapped.
    #[error(
        "segment {index} is not the one that the object was completed with; nothing of it was opened"
    )]
    Segment {
        /// Its place in the table, from 0.
        index: usize,
    },
}

/// Where an object version belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ObjectPlace {
    /// The tenant who owns the bucket.
    pub tenant: TenantId,
    /// The bucket.
    pub bucket: BucketId,
    /// The version.
    pub version: VersionId,
    /// The binding of the object's name, see [`crate::name_hash`].
    pub name: [u8; 32],
}

/// The key that wraps an object's key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kek {
    /// What it belongs to: a bucket or a shred group.
    pub id: KeyId,
    /// Its version.
    pub version: u32,
}

impl Kek {
    /// What the wrapped key of `version` is bound to. An object version has one key, of version 1.
    #[must_use]
    pub fn wrap_context(&self, version: VersionId) -> WrapContext {
        WrapContext {
            parent: self.id,
            parent_version: self.version,
            child: version.into(),
            child_version: 1,
        }
    }
}

/// What a new record is made from.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    /// Where the object belongs.
    pub place: ObjectPlace,
    /// The key that wraps its key.
    pub kek: Kek,
    /// Its key, wrapped.
    pub wrapped: Wrapped,
    /// The guest sealed the content before it came here.
    pub guest_encrypted: bool,
    /// The wrapping key is a shred group's, not the bucket's.
    pub shred_group: bool,
    /// The segments in order, at least one.
    pub segments: &'a [Segment],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Body {
    guest_encrypted: bool,
    shred_group: bool,
    place: ObjectPlace,
    kek: Kek,
    plain_bytes: u64,
    segment_count: u32,
    wrapped: Wrapped,
    ct_root: [u8; 32],
    manifest_digest: [u8; 32],
}

impl Body {
    fn flags(&self) -> u8 {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        flag(self.segment_count > 1, FLAG_MULTI_SEGMENT)
            | flag(self.guest_encrypted, FLAG_GUEST_ENCRYPTED)
            | flag(self.shred_group, FLAG_SHRED_GROUP)
    }

    /// The record up to its MAC.
    fn write(&self) -> Vec<u8> {
        Writer::bare()
            .raw(MAGIC)
            .u16(RECORD_BYTES as u16)
            .u8(SUITE_COBBLESTONE_256)
            .u8(self.flags())
            .raw(self.place.tenant.as_bytes())
            .raw(self.place.bucket.as_bytes())
            .raw(self.place.version.as_bytes())
            .raw(self.kek.id.as_bytes())
            .u32(self.kek.version)
            .u64(self.plain_bytes)
            .u32(self.segment_count)
            .u32(0)
            .raw(self.wrapped.as_bytes())
            .raw(&self.ct_root)
            .raw(&self.place.name)
            .raw(&self.manifest_digest)
            .raw(&[0; RESERVED_BYTES])
            .finish()
    }

    fn read(signed: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::bare(signed);
        expect(&reader.array::<8>()? == MAGIC, "magic")?;
        expect(usize::from(reader.u16()?) == RECORD_BYTES, "record length")?;
        match reader.u8()? {
            SUITE_COBBLESTONE_256 => {}
            found => return Err(RecordError::Suite { found }),
        }
        let flags = reader.u8()?;
        let (tenant, bucket) = (reader.array()?, reader.array()?);
        let version = reader.array()?;
        let kek = Kek {
            id: KeyId::from_bytes(reader.array()?),
            version: reader.u32()?,
        };
        let (plain_bytes, segment_count) = (reader.u64()?, reader.u32()?);
        expect(reader.u32()? == 0, "reserved")?;
        let wrapped = Wrapped::from_bytes(reader.array()?);
        let (ct_root, name, manifest_digest) = (reader.array()?, reader.array()?, reader.array()?);
        expect(
            reader.raw(RESERVED_BYTES)?.iter().all(|byte| *byte == 0),
            "reserved",
        )?;
        reader.finish()?;
        let body = Self {
            guest_encrypted: flags & FLAG_GUEST_ENCRYPTED != 0,
            shred_group: flags & FLAG_SHRED_GROUP != 0,
            place: ObjectPlace {
                tenant: TenantId::from_bytes(tenant),
                bucket: BucketId::from_bytes(bucket),
                version: VersionId::from_bytes(version),
                name,
            },
            kek,
            plain_bytes,
            segment_count,
            wrapped,
            ct_root,
            manifest_digest,
        };
        expect(segment_count > 0, "segment count")?;
        // The flags that follow from the body are recomputed, so that one record has one spelling.
        expect(flags == body.flags(), "flags")?;
        Ok(body)
    }
}

fn expect(holds: bool, field: &'static str) -> Result<(), WireError> {
    if holds {
        Ok(())
    } else {
        Err(WireError::Field(field))
    }
}

fn mac(key: &ObjectKey, signed: &[u8]) -> [u8; MAC_BYTES] {
    hmac_sha512(&*expand::<64>(key.as_ref(), &[MAC_LABEL]), signed)
}

fn signed_bytes(body: &Body, key: &ObjectKey) -> [u8; RECORD_BYTES] {
    let signed = body.write();
    let tag = mac(key, &signed);
    let mut bytes = [0; RECORD_BYTES];
    for (to, from) in bytes.iter_mut().zip(signed.iter().chain(&tag)) {
        *to = *from;
    }
    bytes
}

/// A record as it was read, before its MAC was checked.
#[derive(Clone, Debug)]
pub struct ClaimedRecord {
    body: Body,
    bytes: [u8; RECORD_BYTES],
}

impl ClaimedRecord {
    /// Reads the layout: every field, flag and reserved byte has to be as the format says.
    pub fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        let bytes: [u8; RECORD_BYTES] = bytes
            .try_into()
            .map_err(|_| WireError::Field("record length"))?;
        let (signed, _) = bytes
            .split_last_chunk::<MAC_BYTES>()
            .ok_or(WireError::Short)?;
        Ok(Self {
            body: Body::read(signed)?,
            bytes,
        })
    }
    /// The key that is said to wrap the object's key.
    #[must_use]
    pub const fn kek(&self) -> Kek {
        self.body.kek
    }
    /// Whether that key is said to be a shred group's.
    #[must_use]
    pub const fn shred_group(&self) -> bool {
        self.body.shred_group
    }
    /// The wrapped key.
    #[must_use]
    pub const fn wrapped(&self) -> &Wrapped {
        &self.body.wrapped
    }
    /// What the wrapped key has to be bound to.
    #[must_use]
    pub fn wrap_context(&self) -> WrapContext {
        self.body.kek.wrap_context(self.body.place.version)
    }
    /// The version that the record is said to be of. To be used for nothing but the entry in the ledger and
    /// the place that [`Self::prove`] then checks.
    #[must_use]
    pub const fn version(&self) -> VersionId {
        self.body.place.version
    }
    /// The length that the object is said to have: the upper bound that a grant writes down.
    #[must_use]
    pub const fn plain_bytes(&self) -> u64 {
        self.body.plain_bytes
    }
    /// Checks the MAC in constant time, and that the record is the one of the object that was asked for.
    pub fn prove(&self, key: &ObjectKey, place: &ObjectPlace) -> Result<ObjectRecord, RecordError> {
        let (signed, found) = self
            .bytes
            .split_last_chunk::<MAC_BYTES>()
            .ok_or(WireError::Short)?;
        if !bool::from(mac(key, signed).ct_eq(found)) {
            return Err(RecordError::Mac);
        }
        if self.body.place != *place {
            return Err(RecordError::Elsewhere);
        }
        Ok(ObjectRecord { body: self.body })
    }
}

/// A record whose MAC was checked, or that was just made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectRecord {
    body: Body,
}

impl ObjectRecord {
    /// Makes the record of a new object version.
    pub fn new(new: &NewRecord<'_>) -> Result<Self, RecordError> {
        let segment_count = u32::try_from(new.segments.len()).map_err(|_| RecordError::Manifest)?;
        let body = Body {
            guest_encrypted: new.guest_encrypted,
            shred_group: new.shred_group,
            place: new.place,
            kek: new.kek,
            plain_bytes: total_plain_bytes(new.segments)?,
            segment_count,
            wrapped: new.wrapped,
            ct_root: ct_root(new.segments),
            manifest_digest: manifest_digest(new.segments),
        };
        Ok(Self { body })
    }
    /// The 512 bytes as they are stored, MAC included.
    #[must_use]
    pub fn to_bytes(&self, key: &ObjectKey) -> [u8; RECORD_BYTES] {
        signed_bytes(&self.body, key)
    }
    /// The same object with its key wrapped anew, after the key above it changed.
    #[must_use]
    pub const fn rewrapped(&self, kek: Kek, wrapped: Wrapped) -> Self {
        Self {
            body: Body {
                kek,
                wrapped,
                ..self.body
            },
        }
    }
    /// Where the object belongs.
    #[must_use]
    pub const fn place(&self) -> &ObjectPlace {
        &self.body.place
    }
    /// The key that wraps its key.
    #[must_use]
    pub const fn kek(&self) -> Kek {
        self.body.kek
    }
    /// Its key, wrapped.
    #[must_use]
    pub const fn wrapped(&self) -> &Wrapped {
        &self.body.wrapped
    }
    /// Length of the object.
    #[must_use]
    pub const fn plain_bytes(&self) -> u64 {
        self.body.plain_bytes
    }
    /// How many segments it has.
    #[must_use]
    pub const fn segment_count(&self) -> u32 {
        self.body.segment_count
    }
    /// The guest sealed the content before it came here.
    #[must_use]
    pub const fn guest_encrypted(&self) -> bool {
        self.body.guest_encrypted
    }
    /// The wrapping key is a shred group's.
    #[must_use]
    pub const fn shred_group(&self) -> bool {
        self.body.shred_group
    }
    /// BLAKE3 over all sealed bytes: a single segment's hash, otherwise the hash of the segments' hashes.
    #[must_use]
    pub const fn ct_root(&self) -> &[u8; 32] {
        &self.body.ct_root
    }
    /// SHA-512/256 of the segment table.
    #[must_use]
    pub const fn manifest_digest(&self) -> &[u8; 32] {
        &self.body.manifest_digest
    }
}
