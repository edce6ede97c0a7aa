//! `clarence share destroy`: the party's own act, on its own machine, without a node.

use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::show;
use charter::approval::Bearer;
use charter::approval::files::{load_key, write_new};
use charter::files::{FileError, load_share};
use charter::{Destruction, ShareFile};
use host::{Host, files};
use serde_json::json;
use sign::Stamp;
use std::path::{Path, PathBuf};

pub fn destroy(share: &Path, newer: &Path, key: Option<&Path>, out: &Path) -> Outcome {
    let waiting = waiting_name(out);
    if let Ok(None) = files::stat(share)
        && let Ok(Some(_)) = files::stat(&waiting)
    {
        // An earlier run was interrupted after the share was gone.
        return finish(&waiting, out, share);
    }
    let old = load(share)?;
    check_newer(&old, &load(newer)?)?;
    let key = match key {
        Some(path) => {
            let key = load_key(path)?;
            match key.bearer() {
                Bearer::Party(party) if party == old.party() => Some(key),
                other => {
                    let message = format!(
                        "{} is the key of {other}, not of {}",
                        path.display(),
                        old.party()
                    );
                    return Err(Failure::usage(message).named("document"));
                }
            }
        }
        None => None,
    };
    let now = Stamp::from_millis(Host::real().now());
    let statement = Destruction::of(&old, now, key.as_ref().map(|key| key.key()))
        .map_err(|e| Failure::new(Exit::General, e))?;
    if files::stat(out).is_ok_and(|found| found.is_some()) {
        let message = format!("{} exists already; nothing was destroyed", out.display());
        return Err(Failure::new(Exit::Conflict, message));
    }
    // The statement waits under another name, so that it does not exist before it is true, and is not lost
    // if the machine stops when it has become true.
    let _ = files::remove(&waiting);
    write_new(&waiting, &statement.to_text(), 0o644)?;
    wipe(share)?;
    finish(&waiting, out, share)
}

fn waiting_name(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".not-yet");
    PathBuf::from(name)
}

fn load(path: &Path) -> Result<ShareFile, Failure> {
    load_share(path).map_err(|error| match error {
        FileError::Missing(_) => Failure::new(Exit::NotFound, error),
        FileError::Io { .. } => Failure::new(Exit::General, error),
        _ => Failure::usage(error).named("share"),
    })
}

/// The share that is kept must be another one, of the same party and cloud, and not an older dealing.
fn check_newer(old: &ShareFile, newer: &ShareFile) -> Result<(), Failure> {
    let refused = |why: &str| {
        Err(Failure::new(Exit::Conflict, format!("{why}; nothing was destroyed")).named("share"))
    };
    if (old.cloud(), old.party()) != (newer.cloud(), newer.party()) {
        refused("the share given as the newer one is of another cloud or party")
    } else if old.ceremony() == newer.ceremony() && old.epoch() >= newer.epoch() {
        refused("the share given as the newer one is not newer")
    } else {
        Ok(())
    }
}

/// Writes over the file, makes that durable, and removes it.
fn wipe(path: &Path) -> Result<(), Failure> {
    let failed = |e: std::io::Error| {
        let message = format!(
            "{} could not be destroyed: {e}; the share is still there",
            path.display()
        );
        Failure::new(Exit::General, message)
    };
    let path = match files::is_folder(path) {
        true => path.join(charter::files::SHARE_FILE_NAME),
        false => path.to_owned(),
    };
    let length = files::stat(&path)
        .map_err(failed)?
        .map_or(0, |(length, _)| length);
    let zeros = vec![0; usize::try_from(length).unwrap_or(0)];
    files::overwrite_at(&path, 0, &zeros).map_err(failed)?;
    files::open(&path)
        .and_then(|file| file.sync_all())
        .map_err(failed)?;
    files::remove(&path).map_err(failed)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    files::sync_folder(folder.unwrap_or(Path::new("."))).map_err(failed)
}

fn finish(waiting: &Path, out: &Path, share: &Path) -> Outcome {
    files::rename(waiting, out).map_err(|e| {
        let message = format!(
            "the share is destroyed, but {} could not be written: {e}; give the same command again",
            out.display()
        );
        Failure::new(Exit::General, message)
    })?;
    let text = crate::joint::read::text(out, words::limits::STATEMENT_BYTES_MAX)?;
    let statement = Destruction::parse(text.as_bytes()).map_err(Failure::usage)?;
    let text = show::fields(&[
        ("destroyed", share.display().to_string()),
        ("party", statement.party().to_string()),
        ("statement", out.display().to_string()),
        ("signed", statement.is_signed().to_string()),
    ]);
    let data = json!({
        "destroyed": share,
        "party": statement.party().to_string(),
        "ceremony": statement.ceremony().to_string(),
        "epoch": statement.epoch(),
        "signed": statement.is_signed(),
        "statement": out,
    });
    Ok(Answer { data, text })
}
