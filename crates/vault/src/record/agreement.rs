//! Agreements between tenants: sealed rows of the sorts `g`, `f`, `n` and `w`.

use super::text;
use agreement::{Side, State, digest_of};
use words::wire::{Reader, WireError, Writer};
use words::{TenantId, UnixMillis};

const VERSION: u8 = 1;
/// The row of an agreement says since version 2 what it goes on from.
const AGREEMENT_VERSION: u8 = 2;
/// Bytes of an agreement's document.
pub const DOCUMENT_BYTES_MAX: usize = 32 * 1024;
/// Bytes of a signature's sheet.
pub const SIGNATURE_BYTES_MAX: usize = 16 * 1024;
/// Signatures under one agreement.
pub const SIGNATURES_MAX: usize = 16;
/// Persons who may sign for one tenant.
pub const SIGNERS_MAX: usize = 24;
const NAME_BYTES_MAX: usize = 128;
const ED25519_BYTES_MAX: usize = 64;
const ML_DSA_BYTES_MAX: usize = 4096;

/// One signature: its side, and the row that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureAt {
    /// Whose side.
    pub side: Side,
    /// The 32 bytes of its row's key.
    pub at: [u8; 32],
}

/// An agreement, kept with its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgreementRow {
    /// The document, canonical.
    pub document: Vec<u8>,
    /// Whose data it is about.
    pub provider: TenantId,
    /// Who uses it.
    pub consumer: TenantId,
    /// How far it is.
    pub state: State,
    /// When that last changed.
    pub changed: UnixMillis,
    /// What was signed.
    pub signatures: Vec<SignatureAt>,
    /// The digest of the first version of it: pseudonyms stay the same from version to version.
    pub first: [u8; 32],
    /// How often it was suspended.
    pub suspensions: u32,
    /// Who said that it goes on after the last time.
    pub resumed: Vec<SignatureAt>,
}

const STATES: [(State, u8); 9] = [
    (State::Draft, 1),
    (State::Proposed, 2),
    (State::ProviderSigned, 3),
    (State::ConsumerSigned, 4),
    (State::Active, 5),
    (State::Suspended, 6),
    (State::Revoked, 7),
    (State::Expired, 8),
    (State::Replaced, 9),
];

impl AgreementRow {
    /// The bytes that are sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let code = STATES.iter().find(|(state, _)| *state == self.state);
        let writer = Writer::versioned(AGREEMENT_VERSION)
            .bytes(&self.document)
            .raw(self.provider.as_bytes())
            .raw(self.consumer.as_bytes())
            .u8(code.map_or(0, |(_, code)| *code))
            .u64(self.changed.0);
        let writer = signatures_out(writer, &self.signatures)
            .raw(&self.first)
            .u32(self.suspensions);
        signatures_out(writer, &self.resumed).finish()
    }

    /// Reads what was sealed.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (version, mut reader) = Reader::versioned(bytes, AGREEMENT_VERSION)?;
        let document = reader.bytes(DOCUMENT_BYTES_MAX)?.to_vec();
        let provider = TenantId::from_bytes(reader.array()?);
        let consumer = TenantId::from_bytes(reader.array()?);
        let code = reader.u8()?;
        let state = STATES.iter().find(|(_, known)| *known == code);
        let (state, _) = state.ok_or(WireError::Field("state"))?;
        let changed = UnixMillis(reader.u64()?);
        let signatures = signatures_in(&mut reader)?;
        let (first, suspensions, resumed) = match version {
            1 => (digest_of(&document), 0, Vec::new()),
            _ => (reader.array()?, reader.u32()?, signatures_in(&mut reader)?),
        };
        reader.finish()?;
        Ok(Self {
            document,
            provider,
            consumer,
            state: *state,
            changed,
            signatures,
            first,
            suspensions,
            resumed,
        })
    }
}

fn signatures_out(writer: Writer, all: &[SignatureAt]) -> Writer {
    let mut writer = writer.u16(u16::try_from(all.len()).unwrap_or(u16::MAX));
    for signature in all {
        let side = match signature.side {
            Side::Provider => 1,
            Side::Consumer => 2,
        };
        writer = writer.u8(side).raw(&signature.at);
    }
    writer
}

fn signatures_in(reader: &mut Reader<'_>) -> Result<Vec<SignatureAt>, WireError> {
    let count = usize::from(reader.u16()?);
    if count > SIGNATURES_MAX {
        return Err(WireError::Field("number of signatures"));
    }
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let side = match reader.u8()? {
            1 => Side::Provider,
            2 => Side::Consumer,
            _ => return Err(WireError::Field("side")),
        };
        let at = reader.array()?;
        all.push(SignatureAt { side, at });
    }
    Ok(all)
}

/// Where a consumer finds an agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignRow {
    /// Its id.
    pub id: String,
    /// With whom it is kept.
    pub provider: TenantId,
}

impl ForeignRow {
    /// The bytes that are sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::versioned(VERSION)
            .bytes(self.id.as_bytes())
            .raw(self.provider.as_bytes())
            .finish()
    }

    /// Reads what was sealed.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let id = text(&mut reader, NAME_BYTES_MAX, "agreement")?;
        let provider = TenantId::from_bytes(reader.array()?);
        reader.finish()?;
        Ok(Self { id, provider })
    }
}

/// Somebody who may sign for a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// As what.
    pub role: String,
    /// Who.
    pub person: String,
    /// Their Ed25519 key.
    pub ed25519: Vec<u8>,
    /// Their ML-DSA-65 key.
    pub ml_dsa: Vec<u8>,
}

/// Who may sign for a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignersRow(pub Vec<Signer>);

impl SignersRow {
    /// The bytes that are sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let count = u16::try_from(self.0.len()).unwrap_or(u16::MAX);
        let mut writer = Writer::versioned(VERSION).u16(count);
        for signer in &self.0 {
            writer = writer
                .bytes(signer.role.as_bytes())
                .bytes(signer.person.as_bytes())
                .bytes(&signer.ed25519)
                .bytes(&signer.ml_dsa);
        }
        writer.finish()
    }

    /// Reads what was sealed.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let count = usize::from(reader.u16()?);
        if count > SIGNERS_MAX {
            return Err(WireError::Field("number of signers"));
        }
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(Signer {
                role: text(&mut reader, NAME_BYTES_MAX, "role")?,
                person: text(&mut reader, NAME_BYTES_MAX, "person")?,
                ed25519: reader.bytes(ED25519_BYTES_MAX)?.to_vec(),
                ml_dsa: reader.bytes(ML_DSA_BYTES_MAX)?.to_vec(),
            });
        }
        reader.finish()?;
        Ok(Self(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the word "document", by another program (sha256sum).
    const DOCUMENT_SHA256: &str =
        "43cc23fa52b87b4cc1d02b5b114154151d6adddb17c9fddc06b027fa99e24008";

    #[test]
    fn rows_come_back_and_are_golden() {
        let row = AgreementRow {
            document: b"document".to_vec(),
            provider: TenantId::from_bytes([1; 16]),
            consumer: TenantId::from_bytes([2; 16]),
            state: State::Active,
            changed: UnixMillis(7),
            signatures: vec![SignatureAt {
                side: Side::Consumer,
                at: [3; 32],
            }],
            first: [4; 32],
            suspensions: 5,
            resumed: vec![SignatureAt {
                side: Side::Provider,
                at: [6; 32],
            }],
        };
        let bytes = row.encode();
        assert_eq!(AgreementRow::decode(&bytes).unwrap(), row);
        for (state, _) in STATES {
            let row = AgreementRow {
                state,
                ..row.clone()
            };
            assert_eq!(AgreementRow::decode(&row.encode()).unwrap(), row);
        }
        let before = format!(
            "00000008646f63756d656e74{}{}050000000000000007000102{}",
            "01".repeat(16),
            "02".repeat(16),
            "03".repeat(32)
        );
        let since = format!("{}00000005000101{}", "04".repeat(32), "06".repeat(32));
        assert_eq!(words::hex::encode(&bytes), format!("02{before}{since}"));
        // As an earlier build wrote it.
        let old = words::hex::decode(&format!("01{before}")).unwrap();
        let read = AgreementRow::decode(&old).unwrap();
        assert_eq!(words::hex::encode(&read.first), DOCUMENT_SHA256);
        assert_eq!((read.suspensions, read.resumed.len()), (0, 0));
        assert_eq!((read.state, &read.signatures), (row.state, &row.signatures));
        let foreign = ForeignRow {
            id: "0123456789abcdef".into(),
            provider: TenantId::from_bytes([1; 16]),
        };
        assert_eq!(ForeignRow::decode(&foreign.encode()).unwrap(), foreign);
        let signers = SignersRow(vec![Signer {
            role: "dpo".into(),
            person: "anna".into(),
            ed25519: vec![1; 32],
            ml_dsa: vec![2; 1952],
        }]);
        assert_eq!(SignersRow::decode(&signers.encode()).unwrap(), signers);
        for cut in 0..bytes.len() {
            assert!(AgreementRow::decode(&bytes[..cut]).is_err(), "{cut}");
        }
    }
}
