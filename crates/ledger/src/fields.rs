//! What an entry says, and the commitment to it.
//!
//! Each field gets its own salt, so that a single one can be disclosed later without the others being
//! guessable. All salts come from the 32-byte entry key by one HKDF-Expand; destroying the key makes the
//! commitment mean nothing.

use crate::kind::Kind;
use crate::record::opening::{self, FIELD_BYTES_MAX, OpeningError};
use crate::tree::{Hash, sha256};
use aws_lc_rs::hmac;
use std::ops::Range;
use words::{BucketId, SiteId, TenantId, UnixMillis, VersionId};
use zeroize::Zeroizing;

/// Length of one field's salt: 128 bits keep a guess from being checked, and with them a field of up to 32
/// bytes fits into one block of SHA-256.
pub const SALT_BYTES: usize = 16;

/// Most fields of unknown tags: with the known ones this stays below what [`salts`] can salt (1,020).
const UNKNOWN_MAX: usize = 256;

const SALT_LABEL: &[u8] = b"clarence/v1/ledger/salts";
/// What the salts of fields are derived with.
pub(crate) const MAC: hmac::Algorithm = hmac::HMAC_SHA512;
const COMMITMENT_LABEL: &[u8] = b"clarence/v1/ledger/commitment";
const FIELD_LABEL: u8 = 0xf1;

/// A hiding commitment to the fields of one entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Commitment([u8; 32]);

impl Commitment {
    pub(crate) const fn from_stored(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    /// Its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// How a field's value is laid out.
trait Value: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn take(bytes: &[u8]) -> Option<Self>;
}

impl Value for Kind {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.code().to_be_bytes());
    }
    fn take(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_code(u16::from_be_bytes(bytes.try_into().ok()?)))
    }
}

impl Value for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
    fn take(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_be_bytes(bytes.try_into().ok()?))
    }
}

impl Value for UnixMillis {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn take(bytes: &[u8]) -> Option<Self> {
        u64::take(bytes).map(Self)
    }
}

impl Value for String {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
    fn take(bytes: &[u8]) -> Option<Self> {
        std::str::from_utf8(bytes).ok().map(str::to_owned)
    }
}

impl<const N: usize> Value for [u8; N] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
    fn take(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok()
    }
}

macro_rules! id_values {
    ($($id:ident),*) => {$(
        impl Value for $id {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(self.as_bytes());
            }
            fn take(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self::from_bytes)
            }
        }
    )*};
}
id_values!(TenantId, BucketId, VersionId);

impl Value for Vec<(u64, u64)> {
    fn put(&self, out: &mut Vec<u8>) {
        for (offset, length) in self {
            offset.put(out);
            length.put(out);
        }
    }
    fn take(bytes: &[u8]) -> Option<Self> {
        let (pairs, rest) = bytes.as_chunks::<16>();
        let pair = |p: &[u8; 16]| Some((u64::take(p.get(..8)?)?, u64::take(p.get(8..)?)?));
        rest.is_empty().then(|| pairs.iter().map(pair).collect())?
    }
}

impl Value for Vec<SiteId> {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.iter().map(|site| site.letter()));
    }
    fn take(bytes: &[u8]) -> Option<Self> {
        bytes
            .iter()
            .map(|letter| SiteId::from_letter(*letter))
            .collect()
    }
}

/// Encoded fields, and where each value lies in them.
struct Encoded {
    bytes: Vec<u8>,
    places: Vec<(u16, Range<usize>)>,
}

impl Encoded {
    fn put(&mut self, tag: u16, value: &impl Value) {
        self.bytes.extend_from_slice(&tag.to_be_bytes());
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        value.put(&mut self.bytes);
        // A value that is too long is cut rather than refused: the entry must be written in any case.
        self.bytes.truncate(at + 4 + FIELD_BYTES_MAX);
        let end = self.bytes.len();
        let length = u32::try_from(end - at - 4).unwrap_or(u32::MAX);
        if let Some(place) = self.bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        self.places.push((tag, at + 4..end));
    }

    fn fields(&self) -> impl Iterator<Item = (u16, &[u8])> {
        let value = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        self.places
            .iter()
            .map(move |(tag, range)| (*tag, value(range)))
    }
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident : $type:ty = $tag:literal;)*) => {
        /// What an entry says. Everything but the kind and the time is optional. The tags are fixed: they
        /// lie in every opening.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct Fields {
            /// What sort of act it was (tag 1).
            pub kind: Kind,
            /// When (tag 2).
            pub time: UnixMillis,
            $($(#[$doc])* pub $name: Option<$type>,)*
            /// Fields of tags that this build does not know, kept as they came.
            pub unknown: UnknownFields,
        }

        impl Fields {
            /// An act of this kind at this time, and nothing else yet.
            #[must_use]
            pub const fn new(kind: Kind, time: UnixMillis) -> Self {
                Self { kind, time, $($name: None,)* unknown: UnknownFields(Vec::new()) }
            }

            /// The name of a field's tag, for showing; `None` for one that this build does not know.
            #[must_use]
            pub const fn tag_name(tag: u16) -> Option<&'static str> {
                match tag {
                    1 => Some("kind"),
                    2 => Some("time"),
                    $($tag => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            /// A field's value as it is committed to; `None` if it is not there.
            #[must_use]
            pub fn value_of(&self, tag: u16) -> Option<Vec<u8>> {
                let encoded = self.encode();
                let mut fields = encoded.fields();
                let found = fields.find(|(found, _)| *found == tag);
                found.map(|(_, value)| value.to_vec())
            }

            fn encode(&self) -> Encoded {
                let mut out =
                    Encoded { bytes: Vec::with_capacity(512), places: Vec::with_capacity(24) };
                out.put(1, &self.kind);
                out.put(2, &self.time);
                $(if let Some(value) = &self.$name {
                    out.put($tag, value);
                })*
                for (tag, value) in &self.unknown.0 {
                    out.put(*tag, &Raw(value));
                }
                out
            }

            fn take(&mut self, tag: u16, value: &[u8]) -> Result<(), OpeningError> {
                match tag {
                    $($tag => {
                        let found = <$type as Value>::take(value);
                        self.$name = Some(found.ok_or(OpeningError::Value(stringify!($name)))?);
                    })*
                    _ if self.unknown.0.len() == UNKNOWN_MAX => return Err(OpeningError::TooMany),
                    other => self.unknown.0.push((other, value.to_vec())),
                }
                Ok(())
            }
        }
    };
}

/// Fields that a newer build wrote. Only [`Fields::from_opening`] makes any, so they always ascend and
/// always follow the known ones.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UnknownFields(Vec<(u16, Vec<u8>)>);

impl UnknownFields {
    /// Tag and value of each, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &[u8])> {
        self.0.iter().map(|(tag, value)| (*tag, value.as_slice()))
    }
}

struct Raw<'a>(&'a [u8]);

impl Value for Raw<'_> {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0);
    }
    fn take(_: &[u8]) -> Option<Self> {
        None
    }
}

fields! {
    /// The node that acted.
    node: String = 3;
    /// The tenant whose credential asked.
    tenant: TenantId = 4;
    /// Who asked: the access key, the party, the role.
    actor: String = 5;
    /// The session or request id.
    session: String = 6;
    /// What was asked for, such as `GetObject`.
    operation: String = 7;
    /// On what: the names in clear, since they lie only in the sealed opening.
    resource: String = 8;
    /// The bucket.
    bucket: BucketId = 9;
    /// The version of the object.
    version: VersionId = 10;
    /// The agreed purpose, a node of the purpose tree.
    purpose: String = 11;
    /// The law and article.
    legal_basis: String = 12;
    /// The agreement and its version.
    agreement: String = 13;
    /// The authority that gives.
    provider: String = 14;
    /// The authority that receives.
    consumer: String = 15;
    /// The reference of the case for which it was asked.
    case_reference: String = 16;
    /// What was decided, and by which policies.
    decision: String = 17;
    /// The digest of the policy set that decided.
    policy_digest: [u8; 32] = 18;
    /// The digest of the request as it came.
    request_digest: [u8; 32] = 19;
    /// How many bytes: at most (grant) or exactly (close, write).
    bytes: u64 = 20;
    /// Which bytes: offset and length.
    ranges: Vec<(u64, u64)> = 21;
    /// How many rows or names.
    rows: u64 = 22;
    /// Which columns, and how they were changed.
    columns: String = 23;
    /// The digest of what left.
    response_digest: [u8; 32] = 24;
    /// The commitment to the set of persons concerned.
    subject_set: [u8; 32] = 25;
    /// The index of the grant that this entry closes, or of the entry it belongs to.
    link: u64 = 26;
    /// The sites concerned.
    sites: Vec<SiteId> = 27;
    /// Why, in words.
    reason: String = 28;
}

/// The salts of `count` fields, one after the other: HKDF-Expand with SHA-512 (RFC 5869 section 2.3) under
/// the entry key. Written out because the library's own call can fail and a commitment must not.
fn salts(entry_key: &[u8; 32], count: usize) -> Zeroizing<Vec<u8>> {
    let key = hmac::Key::new(MAC, entry_key);
    let wanted = count * SALT_BYTES;
    let mut salts = Zeroizing::new(Vec::with_capacity(wanted.next_multiple_of(64)));
    let mut block: Option<hmac::Tag> = None;
    for counter in 1..=u8::MAX {
        if salts.len() >= wanted {
            break;
        }
        let mut context = hmac::Context::with_key(&key);
        if let Some(before) = &block {
            context.update(before.as_ref());
        }
        context.update(SALT_LABEL);
        context.update(&[counter]);
        let tag = context.sign();
        salts.extend_from_slice(tag.as_ref());
        block = Some(tag);
    }
    salts.truncate(wanted);
    salts
}

/// The hash of one field under its salt, which the commitment is made of and which one field can be
/// disclosed against.
pub(crate) fn field_hash(salt: &[u8], tag: u16, value: &[u8]) -> Hash {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(64 + value.len());
    message.push(FIELD_LABEL);
    message.extend_from_slice(salt);
    message.extend_from_slice(&tag.to_be_bytes());
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(value);
    sha256(&message)
}

pub(crate) fn commitment_of(hashes: &[u8]) -> Commitment {
    Commitment(sha256(&[COMMITMENT_LABEL, hashes].concat()))
}

/// Gives every field with its salt, in order.
pub(crate) fn salted(
    fields: &Fields,
    entry_key: &[u8; 32],
    mut each: impl FnMut(&[u8; SALT_BYTES], u16, &[u8]),
) {
    let encoded = fields.encode();
    let salts = salts(entry_key, encoded.places.len());
    for ((tag, value), salt) in encoded.fields().zip(salts.as_chunks::<SALT_BYTES>().0) {
        each(salt, tag, value);
    }
}

impl Fields {
    /// Commits to these fields under a fresh entry key.
    #[must_use]
    pub fn commit(&self, entry_key: &[u8; 32]) -> Commitment {
        let mut hashes = Vec::with_capacity(24 * 32);
        salted(self, entry_key, |salt, tag, value| {
            hashes.extend_from_slice(&field_hash(salt, tag, value));
        });
        commitment_of(&hashes)
    }

    /// The plaintext of the opening, to be sealed by the vault: the entry key and every field.
    #[must_use]
    pub fn opening(&self, entry_key: &[u8; 32]) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(opening::encode(entry_key, &self.encode().bytes))
    }

    /// Reads an opening: the fields and the entry key. The caller compares [`Fields::commit`] with the leaf.
    pub fn from_opening(bytes: &[u8]) -> Result<(Self, [u8; 32]), OpeningError> {
        let (key, encoded) = opening::decode(bytes)?;
        let fields = opening::fields(encoded)?;
        let missing = |what| OpeningError::Missing(what);
        let [(1, kind), (2, time), rest @ ..] = fields.as_slice() else {
            return Err(missing("kind and time"));
        };
        let kind = Kind::take(kind).ok_or(OpeningError::Value("kind"))?;
        let time = UnixMillis::take(time).ok_or(OpeningError::Value("time"))?;
        let mut found = Self::new(kind, time);
        for (tag, value) in rest {
            found.take(*tag, value)?;
        }
        Ok((found, key))
    }
}
