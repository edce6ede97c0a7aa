//! What the log signs of an answer: whom it is for, how many lines each chain has, the digest of every line, and that
//! there is no further one. A line that is taken away, added or altered afterwards is found here, by name.

use crate::access::Authorities;
use crate::chain::{Label, label};
use crate::{COVERS, LINES_MAX};
use ledger::tree::Hash;
use std::fmt::Write as _;
use words::{CloudId, TenantId, TenantName, UnixMillis, hex};

/// The first line. It holds spaces, which no log's name does: so it never passes for a checkpoint.
pub const FIRST: &str = "clarence person accesses, format 1";
const LABEL_COLUMNS: usize = 11;
const CHAINS: [&str; 2] = ["tenant", "group"];
const AUTHORITIES_MAX: usize = 20_000;

/// Why a statement cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the signed statement is not what the format says ({expected})")]
pub struct SaidError {
    /// The line, from 1.
    pub line: usize,
    /// What was expected.
    pub expected: &'static str,
}

/// What is said of one chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainSaid {
    /// `tenant`, or `group` for what hangs under the key that an erasure destroys.
    pub name: String,
    /// Lines, with the counters from 0.
    pub count: u64,
    /// The key of its labels.
    pub label_key: [u8; 32],
}

impl ChainSaid {
    /// The label of the counter behind the last line. It was looked for, and nothing lies there.
    #[must_use]
    pub fn absent(&self) -> Label {
        label(&self.label_key, self.count)
    }
}

/// What the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The cloud.
    pub cloud: CloudId,
    /// The authority whose data it is about.
    pub tenant: (TenantId, TenantName),
    /// The commitment to the person.
    pub subject: Hash,
    /// The index of the entry with which this answer is recorded.
    pub asked: u64,
    /// When it was put together.
    pub issued: UnixMillis,
    /// Entries in the log of the checkpoint, and the SHA-256 of the checkpoint's note.
    pub log: (u64, Hash),
    /// Authorities by their ids.
    pub authorities: Authorities,
    /// The chains.
    pub chains: Vec<ChainSaid>,
    /// Lines about whole datasets.
    pub whole: u64,
    /// Name and digest of each line, in order.
    pub lines: Vec<(String, Hash)>,
}

impl Said {
    /// The names that the lines must have, in order.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let chains = self.chains.iter();
        let of_chains =
            chains.flat_map(|chain| (0..chain.count).map(|n| format!("{}/{n}", chain.name)));
        of_chains.chain((0..self.whole).map(|n| format!("whole/{n}")))
    }

    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{FIRST}\n");
        let mut line = |label: &str, value: String| {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{label:LABEL_COLUMNS$}{value}");
        };
        line("cloud", self.cloud.to_string());
        line("tenant", format!("{} {}", self.tenant.0, self.tenant.1));
        line("subject", hex::encode(&self.subject));
        line("asked", self.asked.to_string());
        line("issued", self.issued.0.to_string());
        line(
            "log",
            format!("{} {}", self.log.0, hex::encode(&self.log.1)),
        );
        for (id, name) in &self.authorities {
            line("authority", format!("{} {name}", hex::encode(id)));
        }
        for chain in &self.chains {
            let (key, absent) = (hex::encode(&chain.label_key), hex::encode(&chain.absent()));
            line(
                "chain",
                format!("{} {} {key} {absent}", chain.name, chain.count),
            );
        }
        line("whole", self.whole.to_string());
        for (name, digest) in &self.lines {
            line("line", format!("{name} {}", hex::encode(digest)));
        }
        line("covers", COVERS.to_owned());
        text
    }

    /// Reads such a text.
    pub fn parse(text: &str) -> Result<Self, SaidError> {
        let said = Lines::new(text).said()?;
        match said.text() == text {
            true => Ok(said),
            false => Err(SaidError {
                line: 1,
                expected: "the one spelling there is",
            }),
        }
    }
}

/// The lines of a statement, taken one after the other.
struct Lines<'a> {
    lines: Vec<&'a str>,
    at: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let most = LINES_MAX + AUTHORITIES_MAX + 16;
        Self {
            lines: text.lines().take(most).collect(),
            at: 0,
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
    ) -> Result<T, SaidError> {
        let value = self.value_of(label).and_then(read);
        let value = value.ok_or(SaidError {
            line: self.at + 1,
            expected: label,
        })?;
        self.at += 1;
        Ok(value)
    }
    fn several<T>(
        &mut self,
        label: &'static str,
        read: impl Fn(&'a str) -> Option<T>,
    ) -> Result<Vec<T>, SaidError> {
        let mut found = Vec::new();
        while self.value_of(label).is_some() {
            found.push(self.take(label, &read)?);
        }
        Ok(found)
    }

    fn said(mut self) -> Result<Said, SaidError> {
        if self.lines.first() != Some(&FIRST) {
            return Err(SaidError {
                line: 1,
                expected: FIRST,
            });
        }
        self.at = 1;
        let cloud = self.take("cloud", CloudId::parse)?;
        let tenant = self.take("tenant", |text| {
            let (id, name) = text.split_once(' ')?;
            let id = TenantId::from_bytes(hex::decode_array(id)?);
            Some((id, TenantName::parse(name).ok()?))
        })?;
        let subject = self.take("subject", hex::decode_array)?;
        let asked = self.take("asked", |text| text.parse().ok())?;
        let issued = self.take("issued", |text| text.parse().ok().map(UnixMillis))?;
        let log = self.take("log", |text| {
            let (size, digest) = text.split_once(' ')?;
            Some((size.parse().ok()?, hex::decode_array(digest)?))
        })?;
        let authorities = self.several("authority", |text| {
            let (id, name) = text.split_once(' ')?;
            Some((hex::decode_array(id)?, name.to_owned()))
        })?;
        let chains = self.several("chain", chain)?;
        let whole = self.take("whole", |text| text.parse().ok())?;
        let lines = self.several("line", |text| {
            let (name, digest) = text.split_once(' ')?;
            Some((name.to_owned(), hex::decode_array(digest)?))
        })?;
        self.take("covers", |text| (text == COVERS).then_some(()))?;
        Ok(Said {
            cloud,
            tenant,
            subject,
            asked,
            issued,
            log,
            authorities: authorities.into_iter().collect(),
            chains,
            whole,
            lines,
        })
    }
}

fn chain(text: &str) -> Option<ChainSaid> {
    let words: Vec<&str> = text.split(' ').collect();
    let [name, count, key, _] = words.as_slice() else {
        return None;
    };
    CHAINS.contains(name).then_some(())?;
    Some(ChainSaid {
        name: (*name).to_owned(),
        count: count.parse().ok()?,
        label_key: hex::decode_array(key)?,
    })
}
