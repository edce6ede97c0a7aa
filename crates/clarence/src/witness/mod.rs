//! `clarence witness`: a log's witness on a machine of its own. No node is asked.

pub mod args;
mod serve;

use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::joint::read;
use crate::show;
use crate::talk::Talk;
use args::Witness as Asked;
use charter::approval::files::write_new;
use host::{Host, files};
use ledger::VerifierKeys;
use ledger::keys::VERIFIER_FILE_BYTES_MAX;
use ledger::note::SignatureLine;
use serde_json::{Value, json};
use std::path::Path;
use witness::decide::No;
use witness::folder::{FolderError, Known, Refused};
use witness::limits::REQUEST_BYTES_MAX;
use witness::{Request, Witness};
use words::hex;

/// Does what was asked.
pub fn perform(asked: &Asked, json: bool, talk: Talk) -> Outcome {
    match asked {
        Asked::Init { dir, name } => init(dir, name),
        Asked::AddLog { dir, keys } => add_log(dir, keys),
        Asked::Serve(asked) => serve::serve(asked, json, talk),
        Asked::Sign { dir, request, out } => sign(dir, request, out),
        Asked::Log { dir } => log(dir),
        Asked::VerifyEvidence { folder, keys } => verify_evidence(folder, keys),
    }
}

fn init(dir: &Path, name: &str) -> Outcome {
    let key = Witness::init(dir, name, &Host::real())?;
    Ok(Answer {
        data: json!({ "folder": dir, "name": key.name(), "vkey": key.to_text() }),
        text: key.to_text(),
    })
}

fn add_log(dir: &Path, keys: &Path) -> Outcome {
    let keys = log_keys(keys)?;
    let (log, fingerprint) = (keys.name().to_owned(), keys.fingerprint());
    let added = Witness::open(dir, Host::real())?.add_log(keys)?;
    let text = match added {
        true => format!("{log} is cosigned from now on.\n  keys {fingerprint}"),
        false => format!("{log} was known already.\n  keys {fingerprint}"),
    };
    let data =
        json!({ "folder": dir, "log": log, "keys_fingerprint": fingerprint, "added": added });
    Ok(Answer { data, text })
}

fn sign(dir: &Path, request: &Path, out: &Path) -> Outcome {
    let body = read_file(request, REQUEST_BYTES_MAX)?;
    // Looked at first: after it is on record a cosignature has to be asked for again.
    if files::stat(out).is_ok_and(|found| found.is_some()) {
        let why = format!("{} exists already; nothing was cosigned", out.display());
        return Err(Failure::new(Exit::Conflict, why));
    }
    let lines = Witness::open(dir, Host::real())?.cosign(&body)?;
    let said = Request::parse(&body).map_err(Refused::from)?.checkpoint;
    let answer: String = lines.iter().map(SignatureLine::to_text).collect();
    write_new(out, &answer, 0o644)?;
    let text = format!(
        "{} entries of {} are cosigned; carry {} back.",
        said.size,
        said.origin,
        out.display()
    );
    let data = json!({
        "log": said.origin,
        "entries": said.size,
        "root": hex::encode(&said.root),
        "file": out,
    });
    Ok(Answer { data, text })
}

fn log(dir: &Path) -> Outcome {
    let (key, known) = witness::folder::look(dir)?;
    let rows: Vec<Vec<String>> = known.iter().map(row).collect();
    let head = ["LOG", "ENTRIES", "COSIGNED", "TIMES", "ROOT", "FORK"];
    let text = format!("{}\n\n{}", key.to_text(), show::table(&head, &rows));
    let logs: Vec<Value> = known
        .iter()
        .map(|log| {
            json!({
                "log": log.origin,
                "keys_fingerprint": log.fingerprint,
                "cosignatures": log.cosignatures,
                "entries": log.last.map_or(0, |(size, _)| size),
                "root": log.last.map(|(_, root)| hex::encode(&root)),
                "cosigned_unix_s": log.seconds,
                "evidence": log.evidence,
            })
        })
        .collect();
    let data = json!({ "name": key.name(), "vkey": key.to_text(), "logs": logs });
    Ok(Answer { data, text })
}

fn row(log: &Known) -> Vec<String> {
    let (size, root) = match &log.last {
        Some((size, root)) => (size.to_string(), hex::encode(root)),
        None => ("-".to_owned(), "-".to_owned()),
    };
    let time = match log.seconds {
        0 => "-".to_owned(),
        seconds => show::time(seconds.saturating_mul(1000)),
    };
    let evidence = log.evidence.as_ref();
    let evidence = evidence.map_or_else(|| "no".to_owned(), |path| path.display().to_string());
    let times = log.cosignatures.to_string();
    vec![log.origin.clone(), size, time, times, root, evidence]
}

fn verify_evidence(folder: &Path, keys: &Path) -> Outcome {
    let keys = log_keys(keys)?;
    let proven = witness::verify_evidence(folder, &keys).map_err(|error| {
        let why = format!("{}: {error}", folder.display());
        Failure::new(Exit::General, why).named("evidence-bad")
    })?;
    let (first, second) = (&proven.first, &proven.second);
    let text = format!(
        "{} signed two histories:\n  {} entries, root {}\n  {} entries, root {}",
        keys.name(),
        first.size,
        hex::encode(&first.root),
        second.size,
        hex::encode(&second.root)
    );
    let said = |head: &ledger::Checkpoint| {
        json!({
            "entries": head.size,
            "root": hex::encode(&head.root),
            "signed_unix_ms": head.time.map(|time| time.0),
        })
    };
    let data = json!({ "log": keys.name(), "first": said(first), "second": said(second) });
    Ok(Answer { data, text })
}

fn log_keys(path: &Path) -> Result<VerifierKeys, Failure> {
    let max = usize::try_from(VERIFIER_FILE_BYTES_MAX).unwrap_or(usize::MAX);
    VerifierKeys::parse(&read::text(path, max)?)
        .map_err(|e| Failure::usage(format!("{}: {e}", path.display())).named("keys"))
}

/// The bytes of a file.
pub fn read_file(path: &Path, max: u64) -> Result<Vec<u8>, Failure> {
    let shown = path.display();
    files::read(path, max)
        .map_err(|e| Failure::usage(format!("{shown} could not be read: {e}")))?
        .ok_or_else(|| Failure::new(Exit::NotFound, format!("there is no file at {shown}")))
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        let exit = match &error {
            FolderError::Missing(_) => Exit::NotFound,
            FolderError::Occupied(_)
            | FolderError::Busy(_)
            | FolderError::OtherKeys(_)
            | FolderError::Many => Exit::Conflict,
            FolderError::Open { .. } | FolderError::Key { .. } => Exit::Usage,
            FolderError::Keys { .. } | FolderError::Latest { .. } | FolderError::Io { .. } => {
                Exit::General
            }
        };
        Self::new(exit, error)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let (exit, kind) = match refused {
            Refused::Disk(error) => return error.into(),
            Refused::Request(_) | Refused::No(No::OldAbove { .. }) => (Exit::Usage, "usage"),
            Refused::UnknownLog(_) => (Exit::NotFound, "not-found"),
            Refused::No(No::Signature(_)) => (Exit::Usage, "checkpoint"),
            Refused::No(No::Recorded { .. }) => (Exit::Conflict, "conflict"),
            Refused::Forked(_) | Refused::No(No::EmptyRoot | No::OtherRoot(_) | No::Proof(_)) => {
                (Exit::General, "ledger-bad")
            }
            Refused::Clock(_) => (Exit::General, "clock"),
        };
        let failure = Self::new(exit, &refused).named(kind);
        match refused {
            Refused::No(No::Recorded { recorded, .. }) => {
                failure.suggest(format!("clarence ledger ask --since {recorded}"))
            }
            Refused::UnknownLog(_) => failure.suggest("clarence witness add-log"),
            Refused::Forked(_) | Refused::No(No::OtherRoot(_) | No::Proof(_)) => failure.suggest(
                "look into evidence and suspects in the witness's folder, keep them, and tell the other parents",
            ),
            _ => failure,
        }
    }
}
