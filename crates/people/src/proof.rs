//! What one line of an answer rests on, in one line of text: label, place in the set that the ledger's entry commits to,
//! the entry's opened fields and its path to the checkpoint. The log signs the SHA-256 of this text.

use crate::access::Shown;
use crate::chain::Label;
use crate::set::Membership;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::tree::{Hash, verify_inclusion};
use ledger::{Checkpoint, Disclosure, Leaf};
use words::hex;

/// Longest text of a line's proof.
pub const PROOF_BYTES_MAX: usize = 256 * 1024;
const PATH_MAX: usize = 64;

/// What a line says about the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was about them.
    You,
    /// It is not known whose rows were read.
    Perhaps,
    /// It was about a whole dataset.
    Whole,
}

impl State {
    const ALL: [Self; 3] = [Self::You, Self::Perhaps, Self::Whole];
    /// The word that stands for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::You => "you",
            Self::Perhaps => "perhaps-you",
            Self::Whole => "whole-dataset",
        }
    }
    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// One entry of the ledger, opened as far as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryProof {
    /// Its index.
    pub index: u64,
    /// Its leaf.
    pub leaf: Leaf,
    /// What is shown of it.
    pub shown: Disclosure,
    /// The path from the leaf to the checkpoint's root.
    pub path: Vec<Hash>,
}

impl EntryProof {
    /// Whether it stands in the log.
    #[must_use]
    pub fn included(&self, in_log: &Checkpoint) -> bool {
        verify_inclusion(
            &self.leaf.hash(),
            self.index,
            in_log.size,
            &self.path,
            &in_log.root,
        )
    }
    /// What it shows, if that is what the leaf commits to.
    #[must_use]
    pub fn fields(&self) -> Option<Shown> {
        self.shown.check(&self.leaf.commitment()).map(Shown::of)
    }
    fn write(&self, into: &mut Vec<String>) {
        into.push(self.index.to_string());
        into.push(STANDARD.encode(self.leaf.as_bytes()));
        into.push(STANDARD.encode(self.shown.to_bytes()));
        into.push(path_out(&self.path));
    }
    fn read(words: &[&str]) -> Option<Self> {
        let [index, leaf, shown, path] = words else {
            return None;
        };
        Some(Self {
            index: index.parse().ok()?,
            leaf: Leaf::parse(&STANDARD.decode(leaf).ok()?).ok()?,
            shown: Disclosure::parse(&STANDARD.decode(shown).ok()?).ok()?,
            path: path_in(path)?,
        })
    }
}

/// What puts a line into a person's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The label of the line's counter.
    pub label: Label,
    /// The label that the entry commits to: the same, unless the line was deferred.
    pub committed: Label,
    /// Where that one stands in the entry's set.
    pub at: Membership,
}

/// What one line rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineProof {
    /// The line's name: its chain and counter, or `whole` and a number.
    pub name: String,
    /// What it says about the person.
    pub state: State,
    /// Its place in the person's chain; none for a whole dataset.
    pub place: Option<Place>,
    /// The entry made before anything was read.
    pub grant: EntryProof,
    /// The entry made at the end.
    pub close: Option<EntryProof>,
}

impl LineProof {
    /// The text that the log vouches for.
    #[must_use]
    pub fn text(&self) -> String {
        let mut words = vec![self.name.clone(), self.state.word().to_owned()];
        match &self.place {
            None => words.extend(["-"; 4].map(str::to_owned)),
            Some(place) => {
                words.push(hex::encode(&place.label));
                words.push(hex::encode(&place.committed));
                words.push(format!("{}/{}", place.at.place, place.at.size));
                words.push(path_out(&place.at.path));
            }
        }
        self.grant.write(&mut words);
        if let Some(close) = &self.close {
            close.write(&mut words);
        }
        words.join(" ")
    }
    /// Reads such a text; `None` if it is not one, or not in its one spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > PROOF_BYTES_MAX {
            return None;
        }
        let words: Vec<&str> = text.split(' ').collect();
        let (head, entries) = words.split_at_checked(6)?;
        let [name, state, label, committed, at, path] = head else {
            return None;
        };
        let (grant, close) = entries.split_at_checked(4)?;
        let place = match *label {
            "-" => None,
            label => {
                let (place, size) = at.split_once('/')?;
                Some(Place {
                    label: hex::decode_array(label)?,
                    committed: hex::decode_array(committed)?,
                    at: Membership {
                        place: place.parse().ok()?,
                        size: size.parse().ok()?,
                        path: path_in(path)?,
                    },
                })
            }
        };
        let proof = Self {
            name: (*name).to_owned(),
            state: State::parse(state)?,
            place,
            grant: EntryProof::read(grant)?,
            close: match close {
                [] => None,
                close => Some(EntryProof::read(close)?),
            },
        };
        (proof.text() == text).then_some(proof)
    }
}

fn path_out(path: &[Hash]) -> String {
    match path {
        [] => "-".to_owned(),
        path => path
            .iter()
            .map(|hash| STANDARD.encode(hash))
            .collect::<Vec<_>>()
            .join(","),
    }
}

fn path_in(text: &str) -> Option<Vec<Hash>> {
    if text == "-" {
        return Some(Vec::new());
    }
    let hashes: Option<Vec<Hash>> = text
        .split(',')
        .map(|hash| STANDARD.decode(hash).ok()?.try_into().ok())
        .collect();
    hashes.filter(|path| path.len() <= PATH_MAX)
}
