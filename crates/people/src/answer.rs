//! The file that a person is given, and checking it offline: signatures, every counter there, every line as it was
//! signed, every entry in the log, and the readable part no more than what the entries say.

use crate::access::Access;
use crate::chain::label;
use crate::proof::{EntryProof, LineProof, State};
use crate::said::{Said, SaidError};
use crate::{ANSWER_BYTES_MAX, LINES_MAX, OPERATION};
use ledger::erasure::subject_commitment;
use ledger::keys::{CheckpointError, SignatureError};
use ledger::note::{Note, NoteError};
use ledger::tree::sha256;
use ledger::{Checkpoint, Kind, LogKeys, VerifierKeys};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use words::{UnixMillis, hex};

/// What the file's `format` says.
pub const FORMAT: &str = crate::said::FIRST;

/// The answer as a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// [`FORMAT`].
    pub format: String,
    /// The log's public keys, as a copy: those to trust come by another way.
    pub keys: String,
    /// The fingerprint of those keys, for reading aloud.
    pub fingerprint: String,
    /// With the person's identifier it gives the commitment in the statement.
    pub opening: String,
    /// The signed statement.
    pub statement: String,
    /// The log's signed checkpoint.
    pub checkpoint: String,
    /// The accesses.
    pub lines: Vec<Line>,
}

/// One access with its proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its name: chain and counter, or `whole` and a number.
    pub name: String,
    /// What it says.
    pub access: Access,
    /// What it rests on.
    pub proof: String,
}

/// Why an answer does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It is longer than any answer.
    #[error(
        "this is not an answer about a person's data: it has more than {ANSWER_BYTES_MAX} bytes"
    )]
    TooLong,
    /// It is not an answer's file.
    #[error("this is not an answer about a person's data: {0}")]
    Format(String),
    /// The statement is not a signed note.
    #[error("the signed statement cannot be read: {0}")]
    Note(#[from] NoteError),
    /// The statement was altered, or another log made it.
    #[error("the statement is not signed by the log: {0}")]
    Signature(#[from] SignatureError),
    /// The statement is not one.
    #[error(transparent)]
    Said(#[from] SaidError),
    /// The checkpoint does not hold.
    #[error("the checkpoint does not hold: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is not the one that the statement names.
    #[error("the checkpoint is not the one that the statement names")]
    OtherCheckpoint,
    /// It is about somebody else.
    #[error(
        "the answer is not about this person, or about them under another spelling of their number"
    )]
    OtherPerson,
    /// The statement leaves a counter out.
    #[error("the statement leaves out the line {0}: the answer is not complete")]
    Gap(String),
    /// A line was taken away.
    #[error("the line {0} was removed")]
    Removed(String),
    /// A line was added.
    #[error("the line {0} was added: the log knows of no such line")]
    Added(String),
    /// A line was altered.
    #[error("the line {0} was altered: {1}")]
    Altered(String, &'static str),
    /// The answer is not recorded in the log.
    #[error("the entry with which this answer should be recorded is not among its lines")]
    NotRecorded,
}

/// An answer that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What the log says.
    pub said: Said,
    /// When the checkpoint was signed, if it says so.
    pub signed: Option<UnixMillis>,
    /// Name and content of each line.
    pub accesses: Vec<(String, Access)>,
}

/// What an answer is put together from. The lines' digests and the statement come of it.
pub struct Draft {
    /// What is said, without its lines.
    pub said: Said,
    /// What the lines rest on, in the order in which they are named.
    pub lines: Vec<LineProof>,
    /// The log's signed checkpoint.
    pub checkpoint: String,
    /// The opening of the commitment to the person.
    pub opening: [u8; 32],
}

impl Answer {
    /// Puts an answer together and has the log sign it. What would not be accepted by whoever checks it is not
    /// signed.
    pub fn signed(draft: Draft, keys: &LogKeys) -> Result<Self, AnswerError> {
        let Draft {
            mut said,
            lines,
            checkpoint,
            opening,
        } = draft;
        let in_log = keys.verifier().open(checkpoint.as_bytes())?;
        said.log = (in_log.size, sha256(checkpoint.as_bytes()));
        said.lines.clear();
        let mut written = Vec::with_capacity(lines.len());
        for line in &lines {
            let proof = line.text();
            said.lines
                .push((line.name.clone(), sha256(proof.as_bytes())));
            let altered = |why| AnswerError::Altered(line.name.clone(), why);
            let (access, _) = line_holds(&said, &in_log, &line.name, line).map_err(altered)?;
            written.push(Line {
                name: line.name.clone(),
                access,
                proof,
            });
        }
        let statement = keys.sign_text(&said.text())?.to_text();
        let answer = Self {
            format: FORMAT.to_owned(),
            keys: keys.verifier().to_text(),
            fingerprint: keys.verifier().fingerprint(),
            opening: hex::encode(&opening),
            statement,
            checkpoint,
            lines: written,
        };
        verify(&answer, keys.verifier(), None)?;
        Ok(answer)
    }
    /// Reads the file. Nothing is checked yet.
    pub fn read(bytes: &[u8]) -> Result<Self, AnswerError> {
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(AnswerError::TooLong);
        }
        let answer: Self =
            serde_json::from_slice(bytes).map_err(|e| AnswerError::Format(e.to_string()))?;
        if answer.format != FORMAT {
            let format: String = answer.format.chars().take(80).collect();
            return Err(AnswerError::Format(format!(
                "its format is {format:?}; this build reads {FORMAT:?}"
            )));
        }
        if answer.lines.len() > LINES_MAX {
            return Err(AnswerError::TooLong);
        }
        Ok(answer)
    }
    /// The file.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Strings and numbers alone cannot fail to be written.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// Checks an answer with the log's keys. `subject` is the person it should be about.
pub fn verify(
    answer: &Answer,
    keys: &VerifierKeys,
    subject: Option<&str>,
) -> Result<Checked, AnswerError> {
    let note = Note::parse(answer.statement.as_bytes())?;
    keys.open_text(&note)?;
    let said = Said::parse(&note.text)?;
    let checkpoint = keys.open(answer.checkpoint.as_bytes())?;
    if (checkpoint.size, sha256(answer.checkpoint.as_bytes())) != said.log {
        return Err(AnswerError::OtherCheckpoint);
    }
    if let Some(subject) = subject {
        let opening = hex::decode_array(&answer.opening).ok_or(AnswerError::OtherPerson)?;
        if subject_commitment(&opening, subject) != said.subject {
            return Err(AnswerError::OtherPerson);
        }
    }
    complete(&said, answer)?;
    let mut accesses = Vec::with_capacity(answer.lines.len());
    let mut recorded = false;
    for (line, (name, digest)) in answer.lines.iter().zip(&said.lines) {
        let altered = |why| AnswerError::Altered(name.clone(), why);
        if sha256(line.proof.as_bytes()) != *digest {
            return Err(altered("its proof is not the one that was signed"));
        }
        let proof = LineProof::parse(&line.proof).ok_or(altered("its proof cannot be read"))?;
        let (access, asked) = line_holds(&said, &checkpoint, name, &proof).map_err(altered)?;
        if access != line.access {
            return Err(altered("what it says is not what its ledger entry says"));
        }
        recorded |= asked;
        accesses.push((name.clone(), access));
    }
    if !recorded {
        return Err(AnswerError::NotRecorded);
    }
    Ok(Checked {
        said,
        signed: checkpoint.time,
        accesses,
    })
}

/// Every counter of every chain is in the statement, and every line of the statement is there, in order.
fn complete(said: &Said, answer: &Answer) -> Result<(), AnswerError> {
    let mut stated = said.lines.iter();
    for expected in said.names() {
        match stated.next() {
            Some((name, _)) if *name == expected => {}
            _ => return Err(AnswerError::Gap(expected)),
        }
    }
    if let Some((name, _)) = stated.next() {
        return Err(AnswerError::Added(name.clone()));
    }
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for line in &answer.lines {
        *known.entry(&line.name).or_default() += 1;
    }
    for (name, _) in &said.lines {
        match known.remove(name.as_str()) {
            None => return Err(AnswerError::Removed(name.clone())),
            Some(1) => {}
            Some(_) => return Err(AnswerError::Added(name.clone())),
        }
    }
    if let Some(name) = known.keys().next() {
        return Err(AnswerError::Added((*name).to_owned()));
    }
    let in_order = answer.lines.iter().zip(&said.lines);
    match in_order
        .into_iter()
        .find(|(line, (name, _))| line.name != *name)
    {
        Some((line, _)) => Err(AnswerError::Altered(
            line.name.clone(),
            "it stands in another place",
        )),
        None => Ok(()),
    }
}

/// What a line says, if its proof holds, and whether it is the entry of this very answer.
fn line_holds(
    said: &Said,
    in_log: &Checkpoint,
    name: &str,
    proof: &LineProof,
) -> Result<(Access, bool), &'static str> {
    if proof.name != name {
        return Err("its proof is another line's");
    }
    let entry = |entry: &EntryProof| {
        if !entry.included(in_log) {
            return Err("its ledger entry is not in the log");
        }
        entry
            .fields()
            .ok_or("the shown fields are not those of its ledger entry")
    };
    let grant = entry(&proof.grant)?;
    let close = proof.close.as_ref().map(entry).transpose()?;
    if !matches!(grant.kind(), Some(Kind::Grant | Kind::Usage)) {
        return Err("its ledger entry is not one of an access");
    }
    if let Some(close) = &close
        && (close.kind() != Some(Kind::Close) || close.number(26) != Some(proof.grant.index))
    {
        return Err("the entry of its end belongs to another access");
    }
    let chain = name
        .split_once('/')
        .map(|(chain, counter)| (chain, counter.parse::<u64>()));
    let Some((chain, Ok(counter))) = chain else {
        return Err("its name is not a line's");
    };
    match (
        said.chains.iter().find(|said| said.name == chain),
        &proof.place,
    ) {
        (None, None) if proof.state != State::You => {}
        (Some(chain), Some(place)) if proof.state != State::Whole => {
            if place.label != label(&chain.label_key, counter) {
                return Err("its label is another counter's or another person's");
            }
            let set = close.as_ref().unwrap_or(&grant).array(25);
            let held = set.is_some_and(|set| place.at.holds(&place.committed, &set));
            if proof.state == State::You && !held {
                return Err("its ledger entry does not commit to this person");
            }
        }
        _ => return Err("its place in the record is not one that the format knows"),
    }
    let tenant = said.tenant.0.as_bytes();
    let access = Access::of(
        proof.state,
        &grant,
        close.as_ref(),
        &said.authorities,
        tenant,
    );
    let access = access.ok_or("its ledger entry lacks what every access has")?;
    let asked = proof.grant.index == said.asked
        && grant.kind() == Some(Kind::Usage)
        && grant.text(7).as_deref() == Some(OPERATION)
        && grant.text(8) == Some(hex::encode(&said.subject));
    Ok((access, asked))
}
