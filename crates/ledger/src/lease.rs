//! Leases of a bucket's key: what a host asks of the guest that alone can open the key, and what the guest
//! answers. Each is one text, signed by the log of whoever wrote it with both of its keys. The answer names
//! the entry that the guest made in its own ledger before it gave anything. Pure.
//!
//! Wrapped keys, the recipient and the envelope are carried as they are; this room opens none of them.

use crate::keys::{LogKeys, SignatureError, VerifierKeys};
use crate::note::{Note, NoteError};
use crate::tree::{Hash, sha256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;
use words::limits::LEASE_BYTES_MAX;
use words::{BucketId, BucketName, TenantId, UnixMillis, hex};

const ASK: &str = "clarence key lease request, format 1";
const LEASE: &str = "clarence key lease, format 1";
const LABEL_COLUMNS: usize = 11;
/// Most versions of one bucket's key.
const KEYS_MAX: usize = 8;
/// Longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 400;
/// Shortest and longest lease, in seconds.
pub const LEASE_SECONDS: std::ops::RangeInclusive<u32> = 5..=900;

/// Why a text is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// It is something else, or was changed.
    #[error("this is no {what}: line {line} is not what the format says ({expected})")]
    Line {
        /// What it should be.
        what: &'static str,
        /// The line, from 1.
        line: usize,
        /// What was expected.
        expected: &'static str,
    },
    /// It is longer than any.
    #[error("this is no lease of a key: it has more than {LEASE_BYTES_MAX} bytes")]
    TooLong,
    /// It is not a signed note.
    #[error("the lease cannot be read: {0}")]
    Note(#[from] NoteError),
    /// It is not signed with both keys of the log it should come from.
    #[error("the lease is not signed by {signer}: {error}")]
    Signature {
        /// Whose signature was expected.
        signer: String,
        /// What is wrong.
        error: SignatureError,
    },
}

/// One version of a bucket's key, wrapped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeasedKey {
    /// The version.
    pub version: u32,
    /// The key under another one.
    pub wrapped: Vec<u8>,
}

/// What a host asks: open these keys for me, for this reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeaseAsk {
    /// The tenant whose bucket it is.
    pub tenant: TenantId,
    /// The bucket.
    pub bucket: BucketId,
    /// The bucket's name.
    pub name: BucketName,
    /// The loan under which its key lies at the guest.
    pub loan: [u8; 16],
    /// Drawn for this request alone.
    pub nonce: [u8; 16],
    /// When it was asked, by the host's clock.
    pub asked: UnixMillis,
    /// Why: one line.
    pub reason: String,
    /// To whom the answer is sealed: a recipient of the age format, drawn for this request alone.
    pub recipient: String,
    /// The keys that are to be opened, newest first; none where the bucket is to be made.
    pub keys: Vec<LeasedKey>,
}

/// What a guest answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    /// The digest of the request that is answered.
    pub ask: Hash,
    /// The bucket.
    pub bucket: BucketId,
    /// The loan.
    pub loan: [u8; 16],
    /// Where the guest's own ledger says so.
    pub entry: u64,
    /// When, by the guest's clock.
    pub granted: UnixMillis,
    /// For how long after the request.
    pub seconds: u32,
    /// The key that opens `keys`, sealed to the request's recipient.
    pub envelope: Vec<u8>,
    /// The bucket's keys, newest first, under the key in the envelope.
    pub keys: Vec<LeasedKey>,
    /// Of a bucket that is made: its key as the host shall keep it, under the guest's.
    pub stored: Option<LeasedKey>,
}

fn digits(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

fn key_line(key: &LeasedKey) -> String {
    format!("{} {}", key.version, STANDARD.encode(&key.wrapped))
}

/// A text, line by line.
struct Text(String);

impl Text {
    fn line(&mut self, label: &str, value: impl std::fmt::Display) {
        // Writing into a String cannot fail.
        let _ = writeln!(self.0, "{label:LABEL_COLUMNS$}{value}");
    }
}

/// Whether a text fits on one line of a request.
#[must_use]
pub fn reason_fits(text: &str) -> bool {
    !text.is_empty() && text.len() <= REASON_BYTES_MAX && !text.chars().any(char::is_control)
}

fn checked(bytes: &[u8], keys: &VerifierKeys) -> Result<Note, LeaseError> {
    if bytes.len() > LEASE_BYTES_MAX {
        return Err(LeaseError::TooLong);
    }
    let note = Note::parse(bytes)?;
    keys.open_text(&note)
        .map_err(|error| LeaseError::Signature {
            signer: keys.name().to_owned(),
            error,
        })?;
    Ok(note)
}

impl LeaseAsk {
    /// The text that the host's log signs.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = Text(format!("{ASK}\n"));
        text.line("tenant", self.tenant);
        text.line("bucket", self.bucket);
        text.line("name", self.name.as_str());
        text.line("loan", digits(&self.loan));
        text.line("request", digits(&self.nonce));
        text.line("asked", self.asked.0);
        text.line("reason", &self.reason);
        text.line("recipient", &self.recipient);
        for key in &self.keys {
            text.line("key", key_line(key));
        }
        text.0
    }

    /// The loan that a request names, before it is believed.
    #[must_use]
    pub fn loan_in(text: &str) -> Option<[u8; 16]> {
        let lines = text.lines().take(8);
        let mut found = lines.filter_map(|line| line.strip_prefix("loan       "));
        found.next().and_then(hex::decode_array)
    }

    /// What an answer names.
    #[must_use]
    pub fn digest(&self) -> Hash {
        sha256(self.text().as_bytes())
    }

    /// The request as it is handed out.
    pub fn signed(&self, keys: &LogKeys) -> Result<String, SignatureError> {
        Ok(keys.sign_text(&self.text())?.to_text())
    }

    /// Reads a request and checks that the host's log signed it with both keys.
    pub fn open(bytes: &[u8], keys: &VerifierKeys) -> Result<Self, LeaseError> {
        let note = checked(bytes, keys)?;
        let mut lines = Lines::new("request for a key's lease", ASK, &note.text)?;
        let ask = Self {
            tenant: lines.take("tenant", id(TenantId::from_bytes))?,
            bucket: lines.take("bucket", id(BucketId::from_bytes))?,
            name: lines.take("name", |text| BucketName::parse(text).ok())?,
            loan: lines.take("loan", hex::decode_array)?,
            nonce: lines.take("request", hex::decode_array)?,
            asked: lines.take("asked", millis)?,
            reason: lines.take("reason", |text| reason_fits(text).then(|| text.to_owned()))?,
            recipient: lines.take("recipient", |text| Some(text.to_owned()))?,
            keys: lines.keys("key")?,
        };
        lines.end(ask.text() == note.text)?;
        Ok(ask)
    }
}

impl Lease {
    /// The text that the guest's log signs.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = Text(format!("{LEASE}\n"));
        text.line("request", digits(&self.ask));
        text.line("bucket", self.bucket);
        text.line("loan", digits(&self.loan));
        text.line("entry", self.entry);
        text.line("granted", self.granted.0);
        text.line("seconds", self.seconds);
        text.line("envelope", STANDARD.encode(&self.envelope));
        for key in &self.keys {
            text.line("key", key_line(key));
        }
        if let Some(key) = &self.stored {
            text.line("stored", key_line(key));
        }
        text.0
    }

    /// The answer as it is handed out.
    pub fn signed(&self, keys: &LogKeys) -> Result<String, SignatureError> {
        Ok(keys.sign_text(&self.text())?.to_text())
    }

    /// Reads an answer and checks that the guest's log signed it with both keys.
    pub fn open(bytes: &[u8], keys: &VerifierKeys) -> Result<Self, LeaseError> {
        let note = checked(bytes, keys)?;
        let mut lines = Lines::new("lease of a key", LEASE, &note.text)?;
        let lease = Self {
            ask: lines.take("request", hex::decode_array)?,
            bucket: lines.take("bucket", id(BucketId::from_bytes))?,
            loan: lines.take("loan", hex::decode_array)?,
            entry: lines.take("entry", |text| text.parse().ok())?,
            granted: lines.take("granted", millis)?,
            seconds: lines.take("seconds", |text| {
                let seconds = text.parse().ok();
                seconds.filter(|seconds| LEASE_SECONDS.contains(seconds))
            })?,
            envelope: lines.take("envelope", |text| STANDARD.decode(text).ok())?,
            keys: lines.keys("key")?,
            stored: lines.keys("stored")?.into_iter().next(),
        };
        lines.end(lease.text() == note.text)?;
        Ok(lease)
    }
}

fn id<T>(of: impl Fn([u8; 16]) -> T) -> impl Fn(&str) -> Option<T> {
    move |text| hex::decode_array(text).map(&of)
}

fn millis(text: &str) -> Option<UnixMillis> {
    text.parse().ok().map(UnixMillis)
}

/// The lines of a text, taken one after the other.
struct Lines<'a> {
    what: &'static str,
    lines: Vec<&'a str>,
    at: usize,
}

impl<'a> Lines<'a> {
    fn new(what: &'static str, first: &'static str, text: &'a str) -> Result<Self, LeaseError> {
        let lines = Self {
            what,
            lines: text.lines().collect(),
            at: 1,
        };
        match lines.lines.first() == Some(&first) {
            true => Ok(lines),
            false => Err(LeaseError::Line {
                what,
                line: 1,
                expected: first,
            }),
        }
    }
    fn wrong(&self, expected: &'static str) -> LeaseError {
        LeaseError::Line {
            what: self.what,
            line: self.at + 1,
            expected,
        }
    }
    fn value_of(&self, label: &str) -> Option<&'a str> {
        let (head, value) = self.lines.get(self.at)?.split_at_checked(LABEL_COLUMNS)?;
        (head.trim_end_matches(' ') == label).then_some(value)
    }
    fn take<T>(
        &mut self,
        label: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, LeaseError> {
        let value = self.value_of(label).and_then(read);
        let value = value.ok_or_else(|| self.wrong(label))?;
        self.at += 1;
        Ok(value)
    }
    fn keys(&mut self, label: &'static str) -> Result<Vec<LeasedKey>, LeaseError> {
        let mut found = Vec::new();
        while self.value_of(label).is_some() {
            if found.len() == KEYS_MAX {
                return Err(self.wrong(label));
            }
            found.push(self.take(label, |text| {
                let (version, wrapped) = text.split_once(' ')?;
                Some(LeasedKey {
                    version: version.parse().ok().filter(|version| *version > 0)?,
                    wrapped: STANDARD.decode(wrapped).ok()?,
                })
            })?);
        }
        Ok(found)
    }
    /// Nothing follows, and written again it is the same.
    fn end(&self, same: bool) -> Result<(), LeaseError> {
        match same && self.at == self.lines.len() {
            true => Ok(()),
            false => Err(self.wrong("the one spelling there is")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(name: &str, seed: u8) -> LogKeys {
        LogKeys::from_seeds(name, &[seed; 64]).unwrap()
    }

    fn ask() -> LeaseAsk {
        LeaseAsk {
            tenant: TenantId::from_bytes([1; 16]),
            bucket: BucketId::from_bytes([2; 16]),
            name: BucketName::parse("land-register").unwrap(),
            loan: [3; 16],
            nonce: [4; 16],
            asked: UnixMillis(1_764_000_000_000),
            reason: "GetObject by CLRABCDEFGHIJKLMNOPQ".into(),
            recipient: "age1pq1xyz".into(),
            keys: vec![LeasedKey {
                version: 1,
                wrapped: vec![5; 104],
            }],
        }
    }

    fn lease() -> Lease {
        Lease {
            ask: ask().digest(),
            bucket: BucketId::from_bytes([2; 16]),
            loan: [3; 16],
            entry: 17,
            granted: UnixMillis(1_764_000_000_100),
            seconds: 45,
            envelope: vec![6; 200],
            keys: vec![LeasedKey {
                version: 1,
                wrapped: vec![7; 104],
            }],
            stored: None,
        }
    }

    #[test]
    fn the_texts_stay_as_they_are() {
        let made = LeaseAsk {
            keys: Vec::new(),
            ..ask()
        };
        let stored = Lease {
            stored: Some(LeasedKey {
                version: 1,
                wrapped: vec![8; 104],
            }),
            ..lease()
        };
        let all = [ask().text(), made.text(), lease().text(), stored.text()].join("\n");
        assert_eq!(all, include_str!("lease-1.golden"));
    }

    #[test]
    fn whoever_signed_is_believed_and_nobody_else() {
        let (host, guest) = (keys("host.lu/ledger", 1), keys("guest.ee/ledger", 2));
        let text = ask().signed(&host).unwrap();
        assert_eq!(LeaseAsk::open(text.as_bytes(), host.verifier()), Ok(ask()));
        assert!(LeaseAsk::open(text.as_bytes(), guest.verifier()).is_err());
        let text = lease().signed(&guest).unwrap();
        assert_eq!(Lease::open(text.as_bytes(), guest.verifier()), Ok(lease()));
        // A request is no answer, and an answer no request.
        assert!(LeaseAsk::open(text.as_bytes(), guest.verifier()).is_err());
        let host_said = ask().signed(&guest).unwrap();
        assert!(Lease::open(host_said.as_bytes(), guest.verifier()).is_err());
    }

    #[test]
    fn one_of_the_two_signatures_is_not_enough() {
        let guest = keys("guest.ee/ledger", 2);
        let text = lease().signed(&guest).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for gone in [lines.len() - 1, lines.len() - 2] {
            let mut fewer = lines.clone();
            fewer.remove(gone);
            let error = Lease::open(fewer.concat().as_bytes(), guest.verifier()).unwrap_err();
            assert!(error.to_string().contains("missing"), "{error}");
        }
    }

    #[test]
    fn what_breaks_the_rules_is_refused_though_it_is_signed() {
        let guest = keys("guest.ee/ledger", 2);
        for (from, to) in [
            ("seconds    45", "seconds    4"),
            ("seconds    45", "seconds    901"),
            ("seconds    45", "seconds    045"),
            ("entry      17\n", ""),
            ("key        1 ", "key        0 "),
        ] {
            let text = lease().text().replacen(from, to, 1);
            assert_ne!(text, lease().text(), "{from}");
            let note = guest.sign_text(&text).unwrap().to_text();
            let opened = Lease::open(note.as_bytes(), guest.verifier());
            assert!(matches!(opened, Err(LeaseError::Line { .. })), "{to}");
        }
        for bad in ["", "two\tcolumns", &"x".repeat(REASON_BYTES_MAX + 1)] {
            assert!(!reason_fits(bad), "{bad:?}");
        }
        let long = vec![b'x'; LEASE_BYTES_MAX + 1];
        let opened = Lease::open(&long, guest.verifier());
        assert_eq!(opened, Err(LeaseError::TooLong));
    }
}
