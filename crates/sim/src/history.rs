//! What the clients of a simulation asked and saw, and when. One line for each act; the same seed gives the
//! same bytes.

use std::fmt::Write as _;
use store::api::Expected;
use store::checksum::{BodyHashes, etag_text, multipart_etag};

/// Stands in every body and may stand on no disk.
pub const MARK: &[u8; 16] = b"MARK-IN-THE-BODY";
/// A mark stands at the beginning of every so many bytes.
const MARK_EVERY_BYTES: usize = 4096;

/// A body: which one, and how long. Different bodies have different numbers, so that a read tells which
/// write it saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Body {
    /// Its number, from 1.
    pub number: u64,
    /// Its length.
    pub length: usize,
    /// Whether it came by multipart upload, which shows in its ETag.
    pub multipart: bool,
}

impl Body {
    /// Its bytes: every eight of them depend on the number and on their place, but for [`MARK`], which is
    /// strewn in to be searched for on the disks.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let word = |n: u64| {
            (n ^ (self.number << 24))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(17)
                ^ self.number
        };
        let mut bytes: Vec<u8> = (0u64..)
            .flat_map(|n| word(n).to_le_bytes())
            .take(self.length)
            .collect();
        for piece in bytes.chunks_mut(MARK_EVERY_BYTES) {
            if let Some(place) = piece.get_mut(..MARK.len()) {
                place.copy_from_slice(MARK);
            }
        }
        bytes
    }
    /// Its ETag as S3 defines it.
    #[must_use]
    pub fn etag(&self) -> String {
        let mut hashes = BodyHashes::new(&Expected::default(), None);
        hashes.update(&self.bytes());
        let md5 = hashes.finish().md5;
        if !self.multipart {
            return etag_text(&md5, None);
        }
        let (whole, parts) = multipart_etag(&[md5]);
        etag_text(&whole, Some(parts))
    }
}

/// What a key held: a body by its number, or nothing.
pub type Value = Option<u64>;

/// What a client asked of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// What is there?
    Read,
    /// Put this there.
    Put(u64),
    /// Put this there if nothing is there.
    Create(u64),
    /// Put the second there if the first is there.
    Swap(u64, u64),
    /// Put the body of another key there, whatever it is.
    Copy,
    /// Take away what is there.
    Delete,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A read saw this; for a copy that was done, what it put there.
    Saw(Value),
    /// A write was acknowledged.
    Done,
    /// A condition did not hold.
    ConditionFailed,
    /// It was refused; nothing happened.
    Refused,
    /// Nobody knows: the outcome was unknown, or the node crashed.
    Unknown,
}

/// One act on one key, from its sending to its answer.
#[derive(Clone, Debug)]
pub struct Act {
    /// Who.
    pub client: usize,
    /// Which key.
    pub key: usize,
    /// What was asked.
    pub asked: Asked,
    /// How it ended.
    pub ended: Ended,
    /// Order of the sending among all sendings and answers.
    pub sent: u64,
    /// Order of the answer; the end of time for those that were never answered.
    pub answered: u64,
    /// When, in microseconds since the beginning, for people.
    pub at_micros: u128,
}

/// Everything that happened.
#[derive(Default)]
pub struct History {
    /// The acts, in the order of their ends.
    pub acts: Vec<Act>,
    /// What else happened, in words: faults, crashes, sites given up and taken back.
    pub events: Vec<String>,
    ticks: u64,
}

impl History {
    /// The next place in the order of sendings and answers.
    pub fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    /// The history as bytes, to be compared.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for act in &self.acts {
            let _ = writeln!(
                text,
                "{:>9} us  client {} key {} {:?} -> {:?}  [{}..{}]",
                act.at_micros, act.client, act.key, act.asked, act.ended, act.sent, act.answered
            );
        }
        for event in &self.events {
            text.push_str(event);
            text.push('\n');
        }
        text
    }
}
