//! `clarence ledger verify`: the published log checked offline, from files alone. No node is asked.

use super::witnessed::{self, Seen};
use crate::args::Everywhere;
use crate::config::{Places, Settings};
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::ledger_args::Verify;
use crate::talk::{Progress, Talk};
use crate::{node, show};
use host::files;
use ledger::verify::VerifyError;
use ledger::{Checkpoint, Quorum, Relation, Trust, Verified, VerifierKeys, compare_folders};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use words::hex;

const KEYS_BYTES_MAX: u64 = 64 * 1024;
const CHECKPOINT_BYTES_MAX: u64 = 64 * 1024;
const CHECKPOINT_FILE: &str = "checkpoint";

pub fn verify(everywhere: &Everywhere, asked: &Verify, talk: Talk) -> Outcome {
    let (folders, usual_keys) = folders(everywhere, &asked.sites, talk)?;
    let quorum = match &asked.witnesses {
        Some(path) => Some(witnessed::quorum(path, asked.threshold)?),
        None => None,
    };
    let keys = match asked.keys.as_deref().or(usual_keys.as_deref()) {
        Some(path) => Some(read_keys(path)?),
        None => {
            talk.warn("the keys beside the log are used: that proves the log whole, not whose it is (--keys FILE)");
            None
        }
    };
    let earlier = match &asked.earlier {
        Some(path) => Some(read_checkpoint(path, keys.as_ref(), &folders)?),
        None => None,
    };
    let progress = RefCell::new(talk.progress());
    let tell = |done: u64| progress.borrow_mut().tell("entries", done, None);
    let trust = Trust {
        keys: keys.as_ref(),
        earlier: earlier.as_ref(),
        progress: Some(&tell),
    };
    let logs: Vec<Log> = folders
        .into_iter()
        .map(|folder| Log::check(folder, &trust, quorum.as_ref()))
        .collect();
    let relation = relation(&logs, &trust);
    Progress::end(&progress.borrow());
    report(&logs, relation)
}

/// Where the logs lie, and the keys that belong to the data folder.
pub(super) fn folders(
    everywhere: &Everywhere,
    sites: &[PathBuf],
    talk: Talk,
) -> Result<(Vec<PathBuf>, Option<PathBuf>), Failure> {
    if sites.len() > 2 {
        return Err(Failure::usage(
            "there are two sites; give one or two folders",
        ));
    }
    if !sites.is_empty() {
        return Ok((sites.iter().map(|folder| log_in(folder)).collect(), None));
    }
    let settings = Settings::read(Places::find(everywhere), &[])?;
    let layout = node::layout(&settings);
    let mut folders = Vec::new();
    for site in words::SiteId::BOTH {
        if files::is_folder(layout.site(site)) {
            folders.push(layout.ledger(site));
        } else {
            talk.warn(&format!(
                "{} is not there; only the other site's log is checked",
                layout.site(site).display()
            ));
        }
    }
    if folders.is_empty() {
        let why = format!("there is no log under {}", settings.places.data.display());
        return Err(Failure::new(Exit::NotFound, why)
            .suggest("give the folders with --site, or the node's folder with --data"));
    }
    let keys = layout.verifier_keys();
    let there = files::stat(&keys).is_ok_and(|found| found.is_some());
    Ok((folders, there.then_some(keys)))
}

/// A site folder holds its log in `ledger`; a log's own folder is taken as it is.
fn log_in(folder: &Path) -> PathBuf {
    let own = files::stat(&folder.join(CHECKPOINT_FILE)).is_ok_and(|found| found.is_some());
    let inner = folder.join("ledger");
    if !own && files::is_folder(&inner) {
        inner
    } else {
        folder.to_path_buf()
    }
}

fn read(path: &Path, max: u64) -> Result<Vec<u8>, Failure> {
    files::read(path, max)
        .map_err(|e| Failure::usage(format!("{} could not be read: {e}", path.display())))?
        .ok_or_else(|| {
            Failure::new(
                Exit::NotFound,
                format!("there is no file at {}", path.display()),
            )
        })
}

pub(super) fn read_keys(path: &Path) -> Result<VerifierKeys, Failure> {
    let text = String::from_utf8(read(path, KEYS_BYTES_MAX)?).unwrap_or_default();
    VerifierKeys::parse(&text)
        .map_err(|e| Failure::usage(format!("{}: {e}", path.display())).named("keys"))
}

/// An earlier checkpoint is only worth something if its signatures are right.
fn read_checkpoint(
    path: &Path,
    keys: Option<&VerifierKeys>,
    folders: &[PathBuf],
) -> Result<Checkpoint, Failure> {
    let note = read(path, CHECKPOINT_BYTES_MAX)?;
    let beside = match (keys, folders.first()) {
        (None, Some(folder)) => {
            let text = ledger::folder::Folder::at(folder)
                .verifier_keys()
                .map_err(Failure::usage)?;
            let text = String::from_utf8(text.unwrap_or_default()).unwrap_or_default();
            Some(
                VerifierKeys::parse(&text)
                    .map_err(|e| Failure::usage(format!("{}: {e}", folder.display())))?,
            )
        }
        _ => None,
    };
    let keys = keys
        .or(beside.as_ref())
        .ok_or_else(|| Failure::usage("there are no keys to check the earlier checkpoint with"))?;
    keys.open(&note)
        .map_err(|e| Failure::usage(format!("{}: {e}", path.display())).named("checkpoint"))
}

/// One log and what was found in it.
struct Log {
    folder: PathBuf,
    found: Result<Verified, VerifyError>,
    seen: Option<Seen>,
}

impl Log {
    fn check(folder: PathBuf, trust: &Trust<'_>, quorum: Option<&Quorum>) -> Self {
        let found = ledger::verify(&folder, trust);
        let seen = match (&found, quorum) {
            (Ok(verified), Some(quorum)) => Some(Seen::look(&folder, verified, quorum)),
            _ => None,
        };
        Self {
            folder,
            found,
            seen,
        }
    }

    fn data(&self) -> Value {
        let mut data = self.log_data();
        if let Some(seen) = &self.seen {
            seen.add_to(&mut data);
        }
        data
    }

    fn log_data(&self) -> Value {
        match &self.found {
            Ok(verified) => json!({
                "folder": self.folder,
                "whole": true,
                "log": verified.checkpoint.origin,
                "entries": verified.checkpoint.size,
                "root": hex::encode(&verified.checkpoint.root),
                "signed_unix_ms": verified.checkpoint.time.map(|time| time.0),
                "keys_fingerprint": verified.keys.fingerprint(),
                "keys_trusted": verified.keys_trusted,
            }),
            Err(error) => json!({
                "folder": self.folder,
                "whole": false,
                "first_bad_entry": error.first_bad(),
                "problem": error.to_string(),
            }),
        }
    }

    fn text(&self) -> String {
        let folder = self.folder.display();
        match &self.found {
            Ok(verified) => {
                let signed = verified.checkpoint.time.map_or_else(String::new, |time| {
                    format!(", signed {}", show::time(time.0))
                });
                format!(
                    "{folder}: whole, {} entries{signed}\n  root {}\n  keys {}\n{}",
                    verified.checkpoint.size,
                    hex::encode(&verified.checkpoint.root),
                    verified.keys.fingerprint(),
                    self.seen.as_ref().map(Seen::text).unwrap_or_default()
                )
            }
            Err(error) => format!("{folder}: NOT WHOLE: {error}\n"),
        }
    }
}

/// How two whole logs stand to each other; `None` where there are not two.
fn relation(
    logs: &[Log],
    trust: &Trust<'_>,
) -> Option<Result<Relation, ledger::verify::CompareError>> {
    match logs {
        [a, b] if a.found.is_ok() && b.found.is_ok() => {
            Some(compare_folders(&a.folder, &b.folder, trust))
        }
        _ => None,
    }
}

fn report(
    logs: &[Log],
    relation: Option<Result<Relation, ledger::verify::CompareError>>,
) -> Outcome {
    let (stand, forked) = match &relation {
        None => (String::new(), None),
        Some(Ok(Relation::Same)) => ("both sites hold the same log".to_owned(), None),
        Some(Ok(Relation::FirstBehind(by))) => (
            format!("the first is the beginning of the second, which has {by} entries more"),
            None,
        ),
        Some(Ok(Relation::SecondBehind(by))) => (
            format!("the second is the beginning of the first, which has {by} entries more"),
            None,
        ),
        Some(Err(error)) => (error.to_string(), Some(error.to_string())),
    };
    let mut data = json!({ "logs": logs.iter().map(Log::data).collect::<Vec<_>>() });
    if !stand.is_empty() {
        data["relation"] = json!(stand);
    }
    let mut text: String = logs.iter().map(Log::text).collect();
    if !stand.is_empty() {
        text.push_str(&format!("{stand}\n"));
    }
    let bad = logs.iter().find_map(|log| {
        log.found
            .as_ref()
            .err()
            .map(|e| format!("{}: {e}", log.folder.display()))
    });
    let unseen = logs.iter().find_map(|log| log.seen.as_ref()?.failure());
    match bad.or(forked) {
        None => match unseen {
            Some(failure) => Err(failure.finding(data, text)),
            None => Ok(Answer { data, text }),
        },
        Some(message) => Err(Failure::new(Exit::General, message)
            .named("ledger-bad")
            .suggest("keep both folders as they are, as evidence; the catalog of a whole site can publish the log anew")
            .finding(data, text)),
    }
}
