//! The receipt of an erasure: one text, signed by the log with both of its keys, that proves offline what was
//! erased, where the order stands in the ledger, which roots led to the key, and who has destroyed what.
//!
//! Records of custody and parties' statements are carried as they are; what they mean is for whoever knows
//! the charter. Pure.

use crate::disclose::Disclosure;
use crate::entry::Leaf;
use crate::fields::Fields;
use crate::keys::{CheckpointError, LogKeys, SignatureError, VerifierKeys};
use crate::kind::Kind;
use crate::note::{Note, NoteError};
use crate::tree::{Hash, sha256, verify_inclusion};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;
use words::limits::RECEIPT_BYTES_MAX;
use words::{CloudId, PartyName, SiteId, TenantId, UnixMillis, hex};

/// The operation of the entry with which an erasure is ordered.
pub const OPERATION: &str = "SubjectErase";
const FIRST: &str = "clarence erasure receipt, format 1";
const LABEL_COLUMNS: usize = 11;
/// Most dealings of shares, and most statements about one.
const DEALINGS_MAX: usize = 1000;
const STATEMENTS_MAX: usize = 64;
const PATH_MAX: usize = 64;
/// Tags of the fields of the order that a receipt shows.
const SHOWN: [u16; 4] = [1, 2, 7, 8];

/// The hiding commitment of a receipt to its subject.
#[must_use]
pub fn subject_commitment(opening: &[u8; 32], subject: &str) -> Hash {
    sha256(
        &[
            b"clarence/v1/subject\0".as_slice(),
            opening,
            subject.as_bytes(),
        ]
        .concat(),
    )
}

/// Why a receipt does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// It is not a receipt, or was changed.
    #[error(
        "this is not a receipt of an erasure: line {line} is not what the format says ({expected})"
    )]
    Line {
        /// The line, from 1.
        line: usize,
        /// What was expected.
        expected: &'static str,
    },
    /// It is longer than any receipt.
    #[error("this is not a receipt of an erasure: it has more than {RECEIPT_BYTES_MAX} bytes")]
    TooLong,
    /// It is not a signed note.
    #[error("the receipt cannot be read: {0}")]
    Note(#[from] NoteError),
    /// The log has not signed it with both keys.
    #[error("the receipt is not signed by the log: {0}")]
    Signature(#[from] SignatureError),
    /// The checkpoint in it is not one of the log.
    #[error("the checkpoint in the receipt does not hold: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The order is not in the log.
    #[error("the entry that the receipt names is not in the log of its checkpoint")]
    NotIncluded,
    /// The entry is not the order of this erasure.
    #[error("the entry that the receipt names is not the order of this erasure ({0})")]
    OtherEntry(&'static str),
}

/// One dealing of shares of a root that led to the erased key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DealingSaid {
    /// Version of the root.
    pub root: u32,
    /// The record of custody, as it was dealt.
    pub custody: Vec<u8>,
    /// Parties that have destroyed their share, with their statements.
    pub destroyed: Vec<(PartyName, Vec<u8>)>,
}

/// Where the order stands in the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrderProof {
    /// Index of the entry.
    pub index: u64,
    /// Its leaf.
    pub leaf: Leaf,
    /// Kind, time, operation and resource of the entry; the other fields stay hidden.
    pub shown: Disclosure,
    /// The path from the leaf to the root of the checkpoint's tree.
    pub path: Vec<Hash>,
    /// The log's signed checkpoint.
    pub checkpoint: Vec<u8>,
}

/// The receipt of one erasure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErasureReceipt {
    /// The cloud.
    pub cloud: CloudId,
    /// The erasure.
    pub erasure: [u8; 16],
    /// The tenant whose data it was.
    pub tenant: TenantId,
    /// The commitment to the subject.
    pub subject: Hash,
    /// When it was ordered.
    pub ordered: UnixMillis,
    /// Objects that were made unreadable.
    pub objects: u64,
    /// Uploads that were broken off.
    pub uploads: u64,
    /// The sites at which the old wraps were overwritten.
    pub sites: Vec<SiteId>,
    /// The first root that led to the group's key.
    pub born: u32,
    /// The last one.
    pub last: u32,
    /// The root in force since then, and since when; `None` while the root has not moved.
    pub moved: Option<(u32, UnixMillis)>,
    /// Every dealing of shares of those roots.
    pub dealings: Vec<DealingSaid>,
    /// Where the order stands in the ledger.
    pub order: OrderProof,
    /// When the receipt was made.
    pub issued: UnixMillis,
}

impl Fields {
    /// What a receipt shows of the entry with which an erasure was ordered.
    #[must_use]
    pub fn show_order(&self, entry_key: &[u8; 32]) -> Disclosure {
        self.disclose(entry_key, &SHOWN)
    }
}

impl ErasureReceipt {
    /// The text that the log signs.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{FIRST}\n");
        let mut line = |label: &str, value: String| {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{label:LABEL_COLUMNS$}{value}");
        };
        line("cloud", self.cloud.to_string());
        line("erasure", hex::encode(&self.erasure));
        line("tenant", self.tenant.to_string());
        line("subject", hex::encode(&self.subject));
        line("ordered", self.ordered.0.to_string());
        line("objects", self.objects.to_string());
        line("uploads", self.uploads.to_string());
        let sites: Vec<String> = self
            .sites
            .iter()
            .map(|s| char::from(s.letter()).to_string())
            .collect();
        line("sites", sites.join(" "));
        line("roots", format!("{} {}", self.born, self.last));
        let (root, since) = self.moved.unwrap_or((0, UnixMillis(0)));
        line("moved", format!("{root} {}", since.0));
        for dealing in &self.dealings {
            let custody = STANDARD.encode(&dealing.custody);
            line("dealing", format!("{} {custody}", dealing.root));
            for (party, statement) in &dealing.destroyed {
                line(
                    "destroyed",
                    format!("{party} {}", STANDARD.encode(statement)),
                );
            }
        }
        line("entry", self.order.index.to_string());
        line("leaf", STANDARD.encode(self.order.leaf.as_bytes()));
        line("shown", STANDARD.encode(self.order.shown.to_bytes()));
        for hash in &self.order.path {
            line("path", STANDARD.encode(hash));
        }
        line("checkpoint", STANDARD.encode(&self.order.checkpoint));
        line("issued", self.issued.0.to_string());
        text
    }

    /// The receipt as it is handed out.
    pub fn signed(&self, keys: &LogKeys) -> Result<String, SignatureError> {
        Ok(keys.sign_text(&self.text())?.to_text())
    }

    /// Reads a receipt and checks everything that the log stands for: both signatures, the checkpoint, that
    /// the order is in the log and is that of this erasure. Whether enough shares are destroyed is counted
    /// with the records of custody.
    pub fn open(bytes: &[u8], keys: &VerifierKeys) -> Result<Self, ReceiptError> {
        if bytes.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLong);
        }
        let note = Note::parse(bytes)?;
        keys.open_text(&note)?;
        let receipt = Lines::new(&note.text).receipt()?;
        if receipt.text() != note.text {
            return Err(ReceiptError::Line {
                line: 1,
                expected: "the one spelling there is",
            });
        }
        receipt.check_order(keys)?;
        Ok(receipt)
    }

    fn check_order(&self, keys: &VerifierKeys) -> Result<(), ReceiptError> {
        let order = &self.order;
        let checkpoint = keys.open(&order.checkpoint)?;
        let (size, root) = (checkpoint.size, &checkpoint.root);
        if !verify_inclusion(&order.leaf.hash(), order.index, size, &order.path, root) {
            return Err(ReceiptError::NotIncluded);
        }
        let shown = order
            .shown
            .check(&order.leaf.commitment())
            .ok_or(ReceiptError::OtherEntry(
                "its fields are not those of its leaf",
            ))?;
        let mut expected = Fields::new(Kind::Destroy, self.ordered);
        expected.operation = Some(OPERATION.into());
        expected.resource = Some(hex::encode(&self.subject));
        for (tag, name) in SHOWN
            .into_iter()
            .zip(["kind", "time", "operation", "subject"])
        {
            let of = |fields: &[(u16, &[u8])]| {
                let found = fields.iter().find(|(found, _)| *found == tag);
                found.map(|(_, value)| value.to_vec())
            };
            let wanted = expected.value_of(tag);
            // The entry is made a moment before its row, so of its time only that it is there is asked.
            let found = of(&shown).ok_or(ReceiptError::OtherEntry(name))?;
            if name != "time" && Some(found) != wanted {
                return Err(ReceiptError::OtherEntry(name));
            }
        }
        Ok(())
    }
}

/// The lines of a receipt, taken one after the other.
struct Lines<'a> {
    lines: Vec<&'a str>,
    at: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            lines: text.lines().collect(),
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
    ) -> Result<T, ReceiptError> {
        let value = self.value_of(label).and_then(read);
        let value = value.ok_or(ReceiptError::Line {
            line: self.at + 1,
            expected: label,
        })?;
        self.at += 1;
        Ok(value)
    }
    fn several<T>(
        &mut self,
        label: &'static str,
        max: usize,
        mut take: impl FnMut(&mut Self) -> Result<T, ReceiptError>,
    ) -> Result<Vec<T>, ReceiptError> {
        let mut found = Vec::new();
        while self.value_of(label).is_some() {
            if found.len() == max {
                return Err(ReceiptError::Line {
                    line: self.at + 1,
                    expected: label,
                });
            }
            found.push(take(self)?);
        }
        Ok(found)
    }

    fn receipt(mut self) -> Result<ErasureReceipt, ReceiptError> {
        if self.lines.first() != Some(&FIRST) {
            return Err(ReceiptError::Line {
                line: 1,
                expected: FIRST,
            });
        }
        self.at = 1;
        let number = |text: &str| text.parse::<u64>().ok();
        let millis = |text: &str| text.parse().ok().map(UnixMillis);
        let cloud = self.take("cloud", CloudId::parse)?;
        let erasure = self.take("erasure", hex::decode_array)?;
        let tenant = self.take("tenant", |t| hex::decode_array(t).map(TenantId::from_bytes))?;
        let subject = self.take("subject", hex::decode_array)?;
        let ordered = self.take("ordered", millis)?;
        let objects = self.take("objects", number)?;
        let uploads = self.take("uploads", number)?;
        let sites = self.take("sites", |text| {
            let site = |word: &str| match word.as_bytes() {
                [letter] => SiteId::from_letter(*letter),
                _ => None,
            };
            text.split(' ')
                .filter(|w| !w.is_empty())
                .map(site)
                .collect()
        })?;
        let (born, last) = self.take("roots", |text| {
            let (born, last) = text.split_once(' ')?;
            Some((born.parse().ok()?, last.parse().ok()?))
        })?;
        let moved = self.take("moved", |text| {
            let (root, since) = text.split_once(' ')?;
            Some((root.parse::<u32>().ok()?, UnixMillis(since.parse().ok()?)))
        })?;
        let dealings = self.several("dealing", DEALINGS_MAX, Self::dealing)?;
        let order = self.order()?;
        let issued = self.take("issued", millis)?;
        Ok(ErasureReceipt {
            cloud,
            erasure,
            tenant,
            subject,
            ordered,
            objects,
            uploads,
            sites,
            born,
            last,
            moved: Some(moved).filter(|(root, _)| *root > 0),
            dealings,
            order,
            issued,
        })
    }

    fn dealing(&mut self) -> Result<DealingSaid, ReceiptError> {
        let (root, custody) = self.take("dealing", |text| {
            let (root, custody) = text.split_once(' ')?;
            Some((root.parse().ok()?, STANDARD.decode(custody).ok()?))
        })?;
        let destroyed = self.several("destroyed", STATEMENTS_MAX, |lines| {
            lines.take("destroyed", |text| {
                let (party, statement) = text.split_once(' ')?;
                let party = PartyName::parse(party).ok()?;
                Some((party, STANDARD.decode(statement).ok()?))
            })
        })?;
        Ok(DealingSaid {
            root,
            custody,
            destroyed,
        })
    }

    fn order(&mut self) -> Result<OrderProof, ReceiptError> {
        let decoded = |text: &str| STANDARD.decode(text).ok();
        Ok(OrderProof {
            index: self.take("entry", |text| text.parse().ok())?,
            leaf: self.take("leaf", |text| Leaf::parse(&decoded(text)?).ok())?,
            shown: self.take("shown", |text| Disclosure::parse(&decoded(text)?).ok())?,
            path: self.several("path", PATH_MAX, |lines| {
                lines.take("path", |text| decoded(text)?.try_into().ok())
            })?,
            checkpoint: self.take("checkpoint", decoded)?,
        })
    }
}
