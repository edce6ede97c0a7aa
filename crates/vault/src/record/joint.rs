//! What joint control keeps in the catalog, all under the tag `J`: requests and the words on them, approvers'
//! cards, amendments of the charter, break-glass, where a tenant's keys may be used, and the latest time seen.
//! The layouts are drawn in `docs/format/joint.md`.

use charter::approval::{KeyId, Person, RequestDigest, Says, Stamp};
use words::limits::{CARD_BYTES_MAX, JURISDICTIONS_MAX, REQUEST_BYTES_MAX};
use words::wire::{Reader, WireError, Writer};
use words::{AccessKeyId, PartyName, TenantId, UnixMillis};

const VERSION: u8 = 1;
/// Bytes of an amendment in one row: a charter may be longer than a row.
pub const AMENDMENT_PART_BYTES: usize = 32 * 1024;
/// Longest name kept in a row of break-glass.
const NAME_BYTES_MAX: usize = 1024;
/// Longest label of a jurisdiction.
const LABEL_BYTES_MAX: usize = 32;

/// What the keys of all requests begin with.
pub const REQUESTS: &[u8] = b"Jr";
/// What the keys of all cards begin with.
pub const CARDS: &[u8] = b"Jc";
/// What the keys of all amendments begin with.
pub const AMENDMENTS: &[u8] = b"Ja";
/// What the keys of all orders that are not done begin with.
pub const ORDERED: &[u8] = b"Jo";
/// What the keys of all break-glass rows begin with.
pub const GLASSES: &[u8] = b"Jg";
/// The row of the latest time that was ever recorded.
pub const LATEST: &[u8] = b"Jt";

/// The row of a request.
#[must_use]
pub fn request_key(digest: &RequestDigest) -> Vec<u8> {
    Writer::bare().raw(REQUESTS).raw(digest.as_bytes()).finish()
}

/// The row of an order that is not done: the request's row once more, for as long as its steps take.
#[must_use]
pub fn ordered_key(digest: &RequestDigest) -> Vec<u8> {
    Writer::bare().raw(ORDERED).raw(digest.as_bytes()).finish()
}

/// What the keys of all words on a request begin with.
#[must_use]
pub fn words_prefix(digest: &RequestDigest) -> Vec<u8> {
    Writer::bare().raw(b"Jw").raw(digest.as_bytes()).finish()
}

/// The row of one word: each key says each thing once.
#[must_use]
pub fn word_key(digest: &RequestDigest, says: Says, by: KeyId) -> Vec<u8> {
    let letter = match says {
        Says::Approve => b'a',
        Says::Veto => b'v',
    };
    Writer::bare()
        .raw(&words_prefix(digest))
        .raw(by.as_bytes())
        .u8(letter)
        .finish()
}

/// The row of a person's card.
#[must_use]
pub fn card_key(person: &Person) -> Vec<u8> {
    let party = person.party.as_str().as_bytes();
    let name = person.name.as_str().to_ascii_lowercase();
    Writer::bare()
        .raw(CARDS)
        .u8(u8::try_from(party.len()).unwrap_or(u8::MAX))
        .raw(party)
        .raw(name.as_bytes())
        .finish()
}

/// The row of one part of an amendment.
#[must_use]
pub fn amendment_key(number: u32, part: u16) -> Vec<u8> {
    Writer::bare()
        .raw(AMENDMENTS)
        .u32(number)
        .u16(part)
        .finish()
}

/// Number and part in an amendment's key.
pub fn amendment_in(key: &[u8]) -> Result<(u32, u16), WireError> {
    let rest = key.strip_prefix(AMENDMENTS);
    let mut reader = Reader::bare(rest.ok_or(WireError::Field("tag"))?);
    let found = (reader.u32()?, reader.u16()?);
    reader.finish()?;
    Ok(found)
}

/// The row of a credential that break-glass made.
#[must_use]
pub fn glass_key(access_key: &AccessKeyId) -> Vec<u8> {
    Writer::bare()
        .raw(GLASSES)
        .raw(access_key.as_str().as_bytes())
        .finish()
}

/// The credential in a break-glass row's key.
pub fn access_key_in(key: &[u8]) -> Result<AccessKeyId, WireError> {
    key.strip_prefix(GLASSES)
        .and_then(|name| std::str::from_utf8(name).ok())
        .and_then(|name| AccessKeyId::parse(name).ok())
        .ok_or(WireError::Field("access key"))
}

/// The row that says where a tenant's keys may be used.
#[must_use]
pub fn places_key(tenant: TenantId) -> Vec<u8> {
    Writer::bare().raw(b"Jj").raw(tenant.as_bytes()).finish()
}

/// One request with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// When this cloud first saw it.
    pub lodged: Stamp,
    /// When it was carried out, if it was.
    pub carried_out: Option<Stamp>,
    /// Until when it may be, as in the request.
    pub expires: Stamp,
    /// The party of its proposer, as in the request.
    pub party: PartyName,
    /// The request as it was signed.
    pub text: Vec<u8>,
}

impl RequestRow {
    /// The row's value, before it is sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::versioned(VERSION)
            .u64(self.lodged.seconds())
            .u64(self.carried_out.map_or(0, Stamp::seconds))
            .u64(self.expires.seconds())
            .bytes(self.party.as_str().as_bytes())
            .bytes(&self.text)
            .finish()
    }
    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let row = Self {
            lodged: Stamp::from_seconds(reader.u64()?),
            carried_out: Some(reader.u64()?)
                .filter(|t| *t != 0)
                .map(Stamp::from_seconds),
            expires: Stamp::from_seconds(reader.u64()?),
            party: PartyName::parse(&text(&mut reader, NAME_BYTES_MAX, "party")?)
                .map_err(|_| WireError::Field("party"))?,
            text: reader.bytes(REQUEST_BYTES_MAX)?.to_vec(),
        };
        reader.finish()?;
        Ok(row)
    }
}

/// A document as it was handed in: one word on a request, or a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaperRow {
    /// When it was handed in.
    pub received: Stamp,
    /// The document.
    pub text: Vec<u8>,
}

impl PaperRow {
    /// The row's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::versioned(VERSION)
            .u64(self.received.seconds())
            .bytes(&self.text)
            .finish()
    }
    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let row = Self {
            received: Stamp::from_seconds(reader.u64()?),
            text: reader
                .bytes(CARD_BYTES_MAX.max(REQUEST_BYTES_MAX))?
                .to_vec(),
        };
        reader.finish()?;
        Ok(row)
    }
}

/// The latest time.
#[must_use]
pub fn encode_latest(at: Stamp) -> Vec<u8> {
    Writer::versioned(VERSION).u64(at.seconds()).finish()
}

/// Reads the latest time.
pub fn decode_latest(bytes: &[u8]) -> Result<Stamp, WireError> {
    let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
    let at = Stamp::from_seconds(reader.u64()?);
    reader.finish()?;
    Ok(at)
}

/// One part of an amendment: how many there are, and the bytes.
#[must_use]
pub fn encode_part(parts: u16, bytes: &[u8]) -> Vec<u8> {
    Writer::versioned(VERSION).u16(parts).bytes(bytes).finish()
}

/// Reads one part of an amendment.
pub fn decode_part(bytes: &[u8]) -> Result<(u16, Vec<u8>), WireError> {
    let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
    let part = (reader.u16()?, reader.bytes(AMENDMENT_PART_BYTES)?.to_vec());
    reader.finish()?;
    Ok(part)
}

/// Where a tenant's keys may be used: labels of jurisdictions.
#[must_use]
pub fn encode_places(labels: &[String]) -> Vec<u8> {
    let count = u16::try_from(labels.len()).unwrap_or(u16::MAX);
    labels
        .iter()
        .fold(Writer::versioned(VERSION).u16(count), |writer, label| {
            writer.bytes(label.as_bytes())
        })
        .finish()
}

/// Reads where a tenant's keys may be used.
pub fn decode_places(bytes: &[u8]) -> Result<Vec<String>, WireError> {
    let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
    let count = usize::from(reader.u16()?);
    if count > JURISDICTIONS_MAX {
        return Err(WireError::Field("count"));
    }
    let mut labels = Vec::with_capacity(count);
    for _ in 0..count {
        labels.push(text(&mut reader, LABEL_BYTES_MAX, "label")?);
    }
    reader.finish()?;
    Ok(labels)
}

fn text(reader: &mut Reader<'_>, max: usize, field: &'static str) -> Result<String, WireError> {
    let text = std::str::from_utf8(reader.bytes(max)?);
    text.map(str::to_owned).map_err(|_| WireError::Field(field))
}

/// How far a break-glass is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlassState {
    /// It is open.
    Open,
    /// It has ended; the report is due.
    Ended,
    /// It has ended and was reported on.
    Reported,
}

/// One break-glass: which officer may read what, until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlassRow {
    /// Whose bucket it is.
    pub tenant: TenantId,
    /// The bucket's name.
    pub bucket: String,
    /// Only names that begin with this; all, if empty.
    pub prefix: String,
    /// Who reads.
    pub officer: String,
    /// The request it rests on.
    pub request: [u8; 64],
    /// When it began.
    pub begun: UnixMillis,
    /// When it ends by itself.
    pub ends: UnixMillis,
    /// How far it is.
    pub state: GlassState,
}

impl GlassRow {
    /// The row's value, before it is sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::versioned(VERSION)
            .raw(self.tenant.as_bytes())
            .raw(&self.request)
            .u64(self.begun.0)
            .u64(self.ends.0)
            .u8(match self.state {
                GlassState::Open => 1,
                GlassState::Ended => 2,
                GlassState::Reported => 3,
            })
            .bytes(self.bucket.as_bytes())
            .bytes(self.prefix.as_bytes())
            .bytes(self.officer.as_bytes())
            .finish()
    }
    /// Reads the row's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let tenant = TenantId::from_bytes(reader.array()?);
        let request = reader.array()?;
        let begun = UnixMillis(reader.u64()?);
        let ends = UnixMillis(reader.u64()?);
        let state = match reader.u8()? {
            1 => GlassState::Open,
            2 => GlassState::Ended,
            3 => GlassState::Reported,
            _ => return Err(WireError::Field("state")),
        };
        let row = Self {
            tenant,
            bucket: text(&mut reader, NAME_BYTES_MAX, "bucket")?,
            prefix: text(&mut reader, NAME_BYTES_MAX, "prefix")?,
            officer: text(&mut reader, NAME_BYTES_MAX, "officer")?,
            request,
            begun,
            ends,
            state,
        };
        reader.finish()?;
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glass() -> GlassRow {
        GlassRow {
            tenant: TenantId::from_bytes([1; 16]),
            bucket: "records".into(),
            prefix: "2026/".into(),
            officer: "anna of ctie".into(),
            request: [2; 64],
            begun: UnixMillis(3000),
            ends: UnixMillis(4000),
            state: GlassState::Ended,
        }
    }

    #[test]
    fn round_trips_and_wrong_values() {
        for carried_out in [None, Some(Stamp::from_seconds(9))] {
            let row = RequestRow {
                lodged: Stamp::from_seconds(8),
                carried_out,
                expires: Stamp::from_seconds(10),
                party: PartyName::parse("ctie").unwrap(),
                text: b"clarence request".to_vec(),
            };
            assert_eq!(RequestRow::decode(&row.encode()), Ok(row));
        }
        let row = PaperRow {
            received: Stamp::from_seconds(8),
            text: b"clarence card".to_vec(),
        };
        assert_eq!(PaperRow::decode(&row.encode()), Ok(row));
        for state in [GlassState::Open, GlassState::Ended, GlassState::Reported] {
            let row = GlassRow { state, ..glass() };
            assert_eq!(GlassRow::decode(&row.encode()), Ok(row));
        }
        let mut bad = glass().encode();
        bad[97] = 4;
        assert_eq!(GlassRow::decode(&bad), Err(WireError::Field("state")));
        let labels = vec!["lu".to_owned(), "be".to_owned()];
        assert_eq!(decode_places(&encode_places(&labels)), Ok(labels));
        assert_eq!(decode_part(&encode_part(2, b"xy")), Ok((2, b"xy".to_vec())));
        let at = Stamp::from_seconds(77);
        assert_eq!(decode_latest(&encode_latest(at)), Ok(at));
    }

    #[test]
    fn keys_lead_back_and_names_in_other_cases_are_one_person() {
        assert_eq!(amendment_in(&amendment_key(7, 3)), Ok((7, 3)));
        let id = AccessKeyId::parse("CLRABC").unwrap();
        assert_eq!(access_key_in(&glass_key(&id)), Ok(id));
        let key = |text| card_key(&Person::parse(text).unwrap());
        assert_eq!(key("Anna of ctie"), key("anna of ctie"));
        assert_ne!(key("anna of ctie"), key("anna of proximus"));
    }

    #[test]
    fn format_1_stays_readable() {
        let request = RequestRow {
            lodged: Stamp::from_seconds(258),
            carried_out: Some(Stamp::from_seconds(772)),
            expires: Stamp::from_seconds(1030),
            party: PartyName::parse("ctie").unwrap(),
            text: b"text".to_vec(),
        };
        let lines = [
            words::hex::encode(&request.encode()),
            words::hex::encode(&glass().encode()),
            words::hex::encode(&encode_places(&["lu".to_owned()])),
            words::hex::encode(&encode_part(1, b"p")),
            words::hex::encode(&encode_latest(Stamp::from_seconds(5))),
        ]
        .join("\n");
        assert_eq!(lines, include_str!("joint.golden").trim());
    }
}
