//! `clarence ledger ask` and `cosign`: what the log's side does with its witnesses, from the published folder
//! alone; and what `ledger verify` says of them. No node is asked.

use super::{verify, waiting};
use crate::args::Everywhere;
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::joint::read;
use crate::ledger_args::{Ask, Cosign};
use crate::show;
use crate::talk::Talk;
use crate::witness::read_file;
use charter::approval::files::write_new;
use ledger::folder::Folder;
use ledger::note::{NOTE_BYTES_MAX, Note, SignatureLine};
use ledger::quorum::{Cosigned, WITNESSES_FILE_BYTES_MAX};
use ledger::witnessed::{self, WitnessedError, gather, is_continued, put};
use ledger::{Checkpoint, Quorum, Verified, VerifierKeys, Witnessed};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use witness::Request;
use witness::client::{self, AskError, Place};
use witness::limits::REQUEST_BYTES_MAX;
use words::hex;

const CA_BYTES_MAX: u64 = 1024 * 1024;

/// Reads a file of witnesses' keys.
pub fn quorum(path: &Path, threshold: u8) -> Result<Quorum, Failure> {
    let max = usize::try_from(WITNESSES_FILE_BYTES_MAX).unwrap_or(usize::MAX);
    Quorum::parse(&read::text(path, max)?, usize::from(threshold))
        .map_err(|e| Failure::usage(format!("{}: {e}", path.display())).named("keys"))
}

pub fn ask(everywhere: &Everywhere, asked: &Ask, talk: Talk) -> Outcome {
    let site: Vec<PathBuf> = asked.site.iter().cloned().collect();
    let (folders, _) = verify::folders(everywhere, &site, talk)?;
    let folder = first(&folders)?;
    let request = Request::from_folder(folder, asked.since)
        .map_err(|e| Failure::usage(format!("{}: {e}", folder.display())))?;
    write_new(&asked.out, &request.to_text(), 0o644)?;
    let said = &request.checkpoint;
    let text = format!(
        "{} asks for cosignatures on {} entries of {}, from {} on.",
        asked.out.display(),
        said.size,
        said.origin,
        asked.since
    );
    let data = json!({
        "file": asked.out,
        "log": said.origin,
        "entries": said.size,
        "since": asked.since,
        "root": hex::encode(&said.root),
    });
    Ok(Answer { data, text })
}

pub fn cosign(everywhere: &Everywhere, asked: &Cosign, talk: Talk) -> Outcome {
    let quorum = quorum(&asked.witnesses, asked.threshold)?;
    let (folders, usual_keys) = verify::folders(everywhere, &asked.sites, talk)?;
    let folder = first(&folders)?;
    let keys = match asked.keys.as_deref().or(usual_keys.as_deref()) {
        Some(path) => verify::read_keys(path)?,
        None => own_keys(folder)?,
    };
    let note = match &asked.request {
        Some(path) => {
            let request = Request::parse(&read_file(path, REQUEST_BYTES_MAX)?);
            request.map_err(|e| wrong(path, e))?.note
        }
        None => {
            let path = folder.join(ledger::folder::CHECKPOINT_FILE);
            Note::parse(&read_file(&path, NOTE_BYTES_MAX)?).map_err(|e| wrong(&path, e))?
        }
    };
    let head = keys
        .open(note.to_text().as_bytes())
        .map_err(|e| Failure::usage(e).named("checkpoint"))?;
    let mut collected = Collected::default();
    for path in &asked.takes {
        let lines = SignatureLine::read_all(&read_file(path, NOTE_BYTES_MAX)?);
        collected.add(path.display(), lines, &note, &quorum);
    }
    let folder = Folder::at(folder);
    let guess =
        witnessed::read(folder.path(), &keys, &quorum).map_or(0, |seen| seen.checkpoint.size);
    let authorities = authorities(asked)?;
    let answers = waiting(async {
        let mut answers = Vec::new();
        for place in &asked.from {
            let tls = authorities.clone().filter(|_| place.is_tls());
            let proof = |old, new| folder.consistency_proof(old, new);
            answers.push((place, client::ask(place, tls, &note, guess, proof).await));
        }
        Ok(answers)
    })?;
    for (place, answer) in answers {
        collected.answered(place, answer, &note, &quorum);
    }
    for problem in &collected.problems {
        talk.warn(problem);
    }
    let gathered = gather(&note, &collected.lines, &keys, &quorum);
    keep(
        &folders,
        &gathered,
        &head,
        (&keys, &quorum),
        collected.problems,
    )
}

/// Puts the checkpoint into every folder.
fn keep(
    folders: &[PathBuf],
    note: &Note,
    head: &Checkpoint,
    (keys, quorum): (&VerifierKeys, &Quorum),
    problems: Vec<String>,
) -> Outcome {
    let mut files = Vec::new();
    let mut by = Vec::new();
    for folder in folders {
        let found = || json!({ "files": files, "problems": problems });
        let kept = put(folder, note, keys, quorum);
        let kept = kept.map_err(|e| {
            let mut failure = failure(&e).finding(found(), String::new());
            failure.message = format!("{}: {}", folder.display(), failure.message);
            failure
        })?;
        by = kept.by;
        files.push(folder.join(ledger::folder::WITNESSED_FILE));
    }
    let text = format!(
        "{} entries of {} are witnessed by {} of {} ({} are needed):\n{}",
        head.size,
        head.origin,
        by.len(),
        quorum.witnesses().len(),
        quorum.threshold(),
        by.iter().map(line).collect::<String>()
    );
    let data = json!({
        "log": head.origin,
        "entries": head.size,
        "root": hex::encode(&head.root),
        "threshold": quorum.threshold(),
        "witnesses": quorum.witnesses().len(),
        "cosigned_by": by.iter().map(said).collect::<Vec<_>>(),
        "files": files,
        "problems": problems,
    });
    Ok(Answer { data, text })
}

/// What came back from witnesses.
#[derive(Default)]
struct Collected {
    lines: Vec<SignatureLine>,
    problems: Vec<String>,
}

impl Collected {
    fn answered(
        &mut self,
        place: &Place,
        answer: Result<Vec<SignatureLine>, AskError>,
        note: &Note,
        quorum: &Quorum,
    ) {
        match answer {
            Ok(lines) => self.add(place, Ok::<_, AskError>(lines), note, quorum),
            Err(error) => self.problems.push(error.to_string()),
        }
    }
    /// Keeps the good lines of known witnesses, and remembers who gave none.
    fn add(
        &mut self,
        from: impl std::fmt::Display,
        lines: Result<Vec<SignatureLine>, impl std::fmt::Display>,
        note: &Note,
        quorum: &Quorum,
    ) {
        let good = match lines {
            Ok(lines) => quorum.good_lines(&note.text, &lines),
            Err(error) => return self.problems.push(format!("{from}: {error}")),
        };
        if good.is_empty() {
            self.problems.push(format!(
                "{from}: no good cosignature of a known witness on this checkpoint"
            ));
        }
        self.lines.extend(good);
    }
}

/// What witnesses saw of a log that was found whole.
pub enum Seen {
    /// Enough of them cosigned, and the log continues what they saw.
    Good {
        /// What they cosigned.
        witnessed: Witnessed,
        /// Entries that came afterwards.
        since: u64,
    },
    /// Something is wrong.
    Bad(WitnessedError),
}

impl Seen {
    /// Looks at the witnessed checkpoint of a log that was verified.
    pub fn look(folder: &Path, verified: &Verified, quorum: &Quorum) -> Self {
        let head = &verified.checkpoint;
        let found = witnessed::read(folder, &verified.keys, quorum).and_then(|witnessed| {
            is_continued(folder, &witnessed.checkpoint, head)?;
            Ok(witnessed)
        });
        match found {
            Ok(witnessed) => Self::Good {
                since: head.size.saturating_sub(witnessed.checkpoint.size),
                witnessed,
            },
            Err(error) => Self::Bad(error),
        }
    }
    /// For scripts, beside what is said of the log.
    pub fn add_to(&self, log: &mut Value) {
        match self {
            Self::Good { witnessed, since } => {
                log["witnessed"] = json!({
                    "entries": witnessed.checkpoint.size,
                    "root": hex::encode(&witnessed.checkpoint.root),
                    "entries_since": since,
                    "cosigned_by": witnessed.by.iter().map(said).collect::<Vec<_>>(),
                });
            }
            Self::Bad(error) => log["witness_problem"] = json!(error.to_string()),
        }
    }
    /// For a person.
    pub fn text(&self) -> String {
        match self {
            Self::Good { witnessed, since } => format!(
                "  witnessed up to {} entries, {since} since then\n{}",
                witnessed.checkpoint.size,
                witnessed.by.iter().map(line).collect::<String>()
            ),
            Self::Bad(error) => format!("  NOT WITNESSED: {error}\n"),
        }
    }
    /// What the verb fails with.
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Good { .. } => None,
            Self::Bad(error) => Some(failure(error)),
        }
    }
}

fn failure(error: &WitnessedError) -> Failure {
    let (exit, kind) = match error {
        WitnessedError::Missing(_) | WitnessedError::Unwitnessed { .. } => {
            (Exit::General, "unwitnessed")
        }
        WitnessedError::CutBack { .. }
        | WitnessedError::Fork { .. }
        | WitnessedError::Checkpoint { .. } => (Exit::General, "ledger-bad"),
        WitnessedError::Older { .. } | WitnessedError::Busy(_) => (Exit::Conflict, "conflict"),
        WitnessedError::Folder(_) | WitnessedError::Write(..) => (Exit::General, "internal"),
    };
    let failure = Failure::new(exit, error).named(kind);
    match error {
        WitnessedError::Missing(_) | WitnessedError::Unwitnessed { .. } => failure.suggest(
            "ask the witnesses: clarence ledger cosign, or ledger ask for one without a network",
        ),
        _ => failure,
    }
}

fn said(one: &Cosigned) -> Value {
    json!({ "witness": one.name, "unix_s": one.seconds })
}

fn line(one: &Cosigned) -> String {
    let time = show::time(one.seconds.saturating_mul(1000));
    format!("  {} at {time}\n", one.name)
}

fn first(folders: &[PathBuf]) -> Result<&PathBuf, Failure> {
    folders
        .first()
        .ok_or_else(|| Failure::new(Exit::NotFound, "there is no log"))
}

/// The keys beside a log, where none are given.
fn own_keys(folder: &Path) -> Result<VerifierKeys, Failure> {
    verify::read_keys(&folder.join(ledger::folder::VERIFIER_FILE))
}

fn authorities(
    asked: &Cosign,
) -> Result<Option<std::sync::Arc<tokio_rustls::rustls::ClientConfig>>, Failure> {
    let Some(path) = &asked.ca else {
        return Ok(None);
    };
    let config = tls::client::config(&read_file(path, CA_BYTES_MAX)?);
    Ok(Some(config.map_err(|e| wrong(path, e))?))
}

fn wrong(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::usage(format!("{}: {why}", path.display()))
}
