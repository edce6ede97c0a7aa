//! The objects of a twin: the header, which tells in clear what is needed to find the key, and the messages,
//! which are sealed and bound to cloud, generation and number.

use aws_lc_rs::digest;
use catalog::embedded::follow::{Followed, FollowedRow, Reached};
use seal::TwinKey;
use words::limits::{ROW_KEY_BYTES_MAX, ROW_VALUE_BYTES_MAX};
use words::wire::{Reader, WireError, Writer};
use words::{CloudId, hex};

/// What the names of a twin's objects begin with.
pub const PREFIX: &str = "t/";
/// No object of a twin is longer.
pub const OBJECT_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Plaintexts are filled up to a multiple of this, so that lengths tell less.
const PADDING_BYTES: usize = 4096;
const MAGIC: &[u8; 8] = b"CLRNTWIN";
const VERSION: u8 = 1;
const WRAPPED_BYTES: usize = 104;
const PAPERS_MAX: usize = 16;
const PAPER_BYTES_MAX: usize = 1024 * 1024;
/// A row as it is stored has 16 bytes before its value; those of the journal may be longer than others.
const STORED_BYTES_MAX: usize = 16 * 1024 * 1024 + ROW_VALUE_BYTES_MAX;

/// Why an object is not one of a twin, or not the one of its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Its beginning is another one.
    #[error("it is no header of a twin")]
    Foreign,
    /// The layout is not as drawn.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The checksum of a header does not fit.
    #[error("it is damaged: its checksum does not fit")]
    Damaged,
    /// It does not open.
    #[error("it does not open: it was altered or moved, or belongs to another key ({0})")]
    Sealed(seal::OpenError),
}

/// One writing of the twin, from a copy of everything on. The first eight bytes are the time of its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub [u8; 16]);

impl Generation {
    /// The name of one of its objects.
    #[must_use]
    pub fn name(&self, number: u64) -> String {
        format!("{PREFIX}{}/{number:016x}", hex::encode(&self.0))
    }
    /// Generation and number of an object's name; `None` if it is none of a twin's.
    #[must_use]
    pub fn parse(name: &str) -> Option<(Self, u64)> {
        let (generation, number) = name.strip_prefix(PREFIX)?.split_once('/')?;
        let parsed = (
            Self(hex::decode_array(generation)?),
            u64::from_be_bytes(hex::decode_array(number)?),
        );
        (parsed.0.name(parsed.1) == name).then_some(parsed)
    }
}

/// The object with number 0. In clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The guest's cloud.
    pub cloud: CloudId,
    /// Which writing it heads.
    pub generation: Generation,
    /// Which gateway writes it.
    pub owner: [u8; 16],
    /// Version of site a's key.
    pub key_version: u32,
    /// Site a's key, wrapped under the guest's root.
    pub site_key: [u8; WRAPPED_BYTES],
}

impl Header {
    /// The object's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Writer::bare()
            .raw(MAGIC)
            .u8(VERSION)
            .raw(self.cloud.as_bytes())
            .raw(&self.generation.0)
            .raw(&self.owner)
            .u32(self.key_version)
            .raw(&self.site_key)
            .finish();
        let check = digest::digest(&digest::SHA256, &bytes);
        bytes.extend_from_slice(check.as_ref());
        bytes
    }
    /// Reads the object's bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let (body, check) = bytes.split_last_chunk::<32>().ok_or(RecordError::Foreign)?;
        let rest = body.strip_prefix(MAGIC).ok_or(RecordError::Foreign)?;
        let (_, mut reader) = Reader::versioned(rest, VERSION)?;
        if digest::digest(&digest::SHA256, body).as_ref() != check {
            return Err(RecordError::Damaged);
        }
        let header = Self {
            cloud: CloudId::from_bytes(reader.array()?),
            generation: Generation(reader.array()?),
            owner: reader.array()?,
            key_version: reader.u32()?,
            site_key: reader.array()?,
        };
        reader.finish()?;
        Ok(header)
    }
}

/// The small files without which a catalog is not a cloud: name and content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Papers(pub Vec<(String, Vec<u8>)>);

impl Papers {
    /// The content of one of them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let paper = self.0.iter().find(|(known, _)| known == name);
        paper.map(|(_, content)| content.as_slice())
    }
}

/// What a sealed object says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The papers of the cloud. Number 1.
    Papers(Papers),
    /// Rows of the moment in which the generation began.
    Rows(Vec<FollowedRow>),
    /// All rows of that moment are there.
    Complete(Reached),
    /// What changed since the message before.
    Segment(Followed),
    /// Another gateway has taken over; nothing follows.
    Closed,
}

impl Message {
    /// How far the catalog has come with it, and whether the rows are exactly those.
    #[must_use]
    pub const fn reached(&self) -> Option<(&Reached, bool)> {
        match self {
            Self::Complete(reached) => Some((reached, true)),
            Self::Segment(followed) => Some((&followed.reached, followed.settled)),
            _ => None,
        }
    }

    /// The plaintext, padded with zeros.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let writer = Writer::versioned(VERSION);
        let writer = match self {
            Self::Papers(papers) => {
                let count = u16::try_from(papers.0.len()).unwrap_or(u16::MAX);
                let all = papers.0.iter();
                all.fold(writer.u8(1).u16(count), |w, (name, content)| {
                    w.bytes(name.as_bytes()).bytes(content)
                })
            }
            Self::Rows(rows) => put_rows(writer.u8(2), rows),
            Self::Complete(reached) => put_reached(writer.u8(3), reached),
            Self::Segment(followed) => {
                let writer = writer
                    .u8(4)
                    .u64(followed.after)
                    .raw(&followed.before)
                    .u8(u8::from(followed.settled));
                put_rows(put_reached(writer, &followed.reached), &followed.rows)
            }
            Self::Closed => writer.u8(5),
        };
        let mut bytes = writer.finish();
        bytes.resize(bytes.len().next_multiple_of(PADDING_BYTES), 0);
        bytes
    }

    /// Reads the plaintext.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        if !bytes.len().is_multiple_of(PADDING_BYTES) {
            return Err(WireError::Field("padding").into());
        }
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let message = match reader.u8()? {
            1 => {
                let mut papers = Vec::new();
                for _ in 0..reader.u16()?.min(PAPERS_MAX as u16) {
                    let name = std::str::from_utf8(reader.bytes(64)?)
                        .map_err(|_| WireError::Field("name"))?;
                    papers.push((name.to_owned(), reader.bytes(PAPER_BYTES_MAX)?.to_vec()));
                }
                Self::Papers(Papers(papers))
            }
            2 => Self::Rows(get_rows(&mut reader)?),
            3 => Self::Complete(get_reached(&mut reader)?),
            4 => {
                let (after, before) = (reader.u64()?, reader.array()?);
                let settled = match reader.u8()? {
                    0 => false,
                    1 => true,
                    _ => return Err(WireError::Field("settled").into()),
                };
                Self::Segment(Followed {
                    after,
                    before,
                    settled,
                    reached: get_reached(&mut reader)?,
                    rows: get_rows(&mut reader)?,
                })
            }
            5 => Self::Closed,
            _ => return Err(WireError::Field("kind").into()),
        };
        let padding = reader.rest();
        if padding.len() >= PADDING_BYTES || padding.iter().any(|byte| *byte != 0) {
            return Err(WireError::Field("padding").into());
        }
        Ok(message)
    }

    /// Seals the message for its place.
    #[must_use]
    pub fn seal(
        &self,
        key: &TwinKey,
        cloud: &CloudId,
        generation: &Generation,
        number: u64,
        salt: [u8; 24],
    ) -> Vec<u8> {
        seal::seal_value(
            key,
            &context(cloud, generation, number),
            salt,
            &self.encode(),
        )
    }

    /// Opens the message of a place.
    pub fn open(
        key: &TwinKey,
        cloud: &CloudId,
        generation: &Generation,
        number: u64,
        sealed: &[u8],
    ) -> Result<Self, RecordError> {
        let plain = seal::open_value(key, &context(cloud, generation, number), sealed)
            .map_err(RecordError::Sealed)?;
        Self::decode(&plain)
    }
}

fn context(cloud: &CloudId, generation: &Generation, number: u64) -> Vec<u8> {
    Writer::bare()
        .raw(b"twin\0")
        .raw(cloud.as_bytes())
        .raw(&generation.0)
        .u64(number)
        .finish()
}

fn put_rows(writer: Writer, rows: &[FollowedRow]) -> Writer {
    let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    rows.iter()
        .fold(writer.u32(count), |w, (key, stored)| match stored {
            Some(stored) => w.bytes(key).u8(1).bytes(stored),
            None => w.bytes(key).u8(0),
        })
}

fn get_rows(reader: &mut Reader<'_>) -> Result<Vec<FollowedRow>, WireError> {
    let mut rows = Vec::new();
    for _ in 0..reader.u32()? {
        let key = reader.bytes(ROW_KEY_BYTES_MAX)?.to_vec();
        let stored = match reader.u8()? {
            0 => None,
            1 => Some(reader.bytes(STORED_BYTES_MAX)?.to_vec()),
            _ => return Err(WireError::Field("row")),
        };
        rows.push((key, stored));
    }
    Ok(rows)
}

fn put_reached(writer: Writer, reached: &Reached) -> Writer {
    writer
        .u64(reached.seq)
        .raw(&reached.chain)
        .bytes(&reached.journal)
}

fn get_reached(reader: &mut Reader<'_>) -> Result<Reached, WireError> {
    Ok(Reached {
        seq: reader.u64()?,
        chain: reader.array()?,
        journal: reader.bytes(STORED_BYTES_MAX)?.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::{
        Followed, Generation, Header, Message, PADDING_BYTES, Papers, Reached, RecordError,
    };
    use seal::TwinKey;
    use words::CloudId;

    const CLOUD: CloudId = CloudId::from_bytes([7; 16]);

    fn reached() -> Reached {
        Reached {
            seq: 9,
            chain: [3; 32],
            journal: vec![5; 40],
        }
    }

    fn messages() -> Vec<Message> {
        vec![
            Message::Papers(Papers(vec![(
                "charter.toml".into(),
                b"version = 1".to_vec(),
            )])),
            Message::Rows(vec![(b"Oab".to_vec(), Some(vec![1; 20]))]),
            Message::Complete(reached()),
            Message::Segment(Followed {
                after: 4,
                before: [2; 32],
                reached: reached(),
                settled: true,
                rows: vec![(b"Oab".to_vec(), None), (b"Lx".to_vec(), Some(vec![2]))],
            }),
            Message::Closed,
        ]
    }

    fn header() -> Header {
        Header {
            cloud: CLOUD,
            generation: Generation([1; 16]),
            owner: [4; 16],
            key_version: 1,
            site_key: [2; 104],
        }
    }

    #[test]
    fn messages_come_back_and_lengths_tell_little() {
        let large = Message::Rows(vec![(b"Oab".to_vec(), Some(vec![1; 5000]))]);
        for message in messages().into_iter().chain([large]) {
            let plain = message.encode();
            assert_eq!(plain.len() % PADDING_BYTES, 0);
            assert_eq!(Message::decode(&plain), Ok(message));
            for length in 0..plain.len().min(60) {
                assert!(Message::decode(&plain[..length]).is_err());
            }
            let mut longer = plain.clone();
            longer.extend_from_slice(&[0; PADDING_BYTES]);
            assert!(Message::decode(&longer).is_err());
            *longer.last_mut().unwrap() = 1;
            assert!(Message::decode(&longer).is_err());
        }
    }

    #[test]
    fn a_message_opens_in_its_place_only() {
        let key = TwinKey::from_bytes([8; 32]);
        let generation = Generation([1; 16]);
        let sealed = Message::Closed.seal(&key, &CLOUD, &generation, 3, [0; 24]);
        let open = |key: &TwinKey, cloud, generation, number, sealed: &[u8]| {
            Message::open(key, cloud, generation, number, sealed)
        };
        assert_eq!(
            open(&key, &CLOUD, &generation, 3, &sealed),
            Ok(Message::Closed)
        );
        let other = CloudId::from_bytes([6; 16]);
        assert!(open(&key, &other, &generation, 3, &sealed).is_err());
        assert!(open(&key, &CLOUD, &Generation([2; 16]), 3, &sealed).is_err());
        assert!(open(&key, &CLOUD, &generation, 4, &sealed).is_err());
        assert!(
            open(
                &TwinKey::from_bytes([9; 32]),
                &CLOUD,
                &generation,
                3,
                &sealed
            )
            .is_err()
        );
        assert!(open(&key, &CLOUD, &generation, 3, &sealed[..sealed.len() - 1]).is_err());
    }

    #[test]
    fn a_header_comes_back_and_every_flipped_byte_is_seen() {
        let bytes = header().encode();
        assert_eq!(Header::decode(&bytes), Ok(header()));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(Header::decode(&bad).is_err(), "byte {at}");
        }
        assert_eq!(Header::decode(b"x"), Err(RecordError::Foreign));
    }

    #[test]
    fn format_1_stays_readable() {
        let golden = include_str!("golden.txt");
        let mut written = format!("{}\n", words::hex::encode(&header().encode()));
        for message in messages() {
            let plain = message.encode();
            let end = plain
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |at| at + 1);
            written.push_str(&format!("{}\n", words::hex::encode(&plain[..end])));
        }
        assert_eq!(written, golden);
    }

    #[test]
    fn names_are_read_strictly() {
        let generation = Generation([0xab; 16]);
        let name = generation.name(258);
        assert_eq!(name, format!("t/{}/0000000000000102", "ab".repeat(16)));
        assert_eq!(Generation::parse(&name), Some((generation, 258)));
        for bad in [
            "t/ab/0",
            "c/00",
            "probe",
            &name.to_uppercase(),
            &format!("{name}0"),
        ] {
            assert_eq!(Generation::parse(bad), None, "{bad}");
        }
    }
}
