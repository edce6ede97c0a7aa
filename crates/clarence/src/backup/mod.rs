//! Backup and restore of a whole cloud on the command line.

pub mod args;

use crate::args::Everywhere;
use crate::config::{Places, Settings, absolute};
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::guest::{runtime, shares, steps, table, telling, total};
use crate::talk::Talk;
use crate::{node, show};
use ::backup::{BackupError, OriginError, Taken, Verified};
use args::{Backup, Drill, Restore, With};
use host::{Host, files};
use ledger::VerifierKeys;
use serde_json::{Value, json};
use site::backup::{
    BackupDrill, BackupDrillError, BackupRestoreError, BackupRestored, FromNode, RestoreFrom,
};
use site::control::CallError;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Objects that did not fit and are named.
const NAMED_MAX: usize = 20;
const KEYS_BYTES_MAX: u64 = 64 * 1024;

/// Takes a backup, checks one, or rehearses its restore.
pub fn backup(everywhere: &Everywhere, asked: &Backup, talk: Talk) -> Outcome {
    match &asked.verb {
        Some(With::Verify { folder, keys }) => verify(&absolute(folder), keys.as_deref(), talk),
        Some(With::Drill(asked)) => drill(everywhere, asked, talk),
        None => {
            let to = asked.to.as_deref().ok_or_else(|| {
                Failure::usage(
                    "where to is not said: give --to with a folder, or `verify` or `drill`",
                )
            })?;
            let settings = read(everywhere)?;
            let to = absolute(to);
            runtime()?.block_on(take(&settings, &to, asked.rate, talk))
        }
    }
}

fn read(everywhere: &Everywhere) -> Result<Settings, Failure> {
    Ok(Settings::read(Places::find(everywhere), &[])?)
}

async fn take(settings: &Settings, to: &Path, rate: Option<u64>, talk: Talk) -> Outcome {
    let host = Host::real();
    let began = host.elapsed();
    let socket = node::layout(settings).socket();
    let mut origin = FromNode::connect(&socket).await?;
    let told = telling(talk);
    let taken = ::backup::take(&mut origin, to, rate, &host, &told).await;
    let taken = taken.map_err(failed)?;
    let took = host.elapsed().saturating_sub(began);
    let lacking = taken.manifest.lacking.len();
    if lacking > 0 {
        talk.warn(&format!("{lacking} chunks are whole at no site, and the backup lacks them as well; `clarence scrub` names them"));
    }
    Ok(shown(&taken, to, took))
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

fn shown(taken: &Taken, to: &Path, took: Duration) -> Answer {
    let manifest = &taken.manifest;
    let (chunks, bytes, _) = manifest.chunks;
    let signed = manifest.checkpoint.map(|(size, _)| size);
    let data = json!({
        "folder": to,
        "cloud": manifest.cloud.to_string(),
        "generation": manifest.generation,
        "engine": manifest.engine,
        "version": manifest.point.version,
        "entries": manifest.point.next_index,
        "signed_entries": signed,
        "rows": manifest.rows,
        "chunks": chunks,
        "chunk_bytes": bytes,
        "copied_chunks": taken.copied,
        "copied_bytes": taken.copied_bytes,
        "kept_chunks": taken.kept,
        "lacking_chunks": manifest.lacking.len(),
        "removed_files": taken.removed,
        "milliseconds": millis(took),
    });
    let text = format!(
        "The cloud {} as of commit {} is in {}, sealed: {} rows, {chunks} chunks of {}, {} ledger entries.\n{} chunks of {} were copied in {:.1} s, {} were there already.\nCheck it with `clarence backup verify {}`.",
        manifest.cloud,
        manifest.point.version,
        to.display(),
        manifest.rows,
        show::bytes(bytes),
        manifest.point.next_index,
        taken.copied,
        show::bytes(taken.copied_bytes),
        took.as_secs_f64(),
        taken.kept,
        to.display(),
    );
    Answer { data, text }
}

fn verify(folder: &Path, keys: Option<&Path>, talk: Talk) -> Outcome {
    let backup = ::backup::Backup::open(folder).map_err(failed)?;
    let keys = keys.map(trusted).transpose()?;
    let verified = ::backup::verify(&backup, keys.as_ref(), &telling(talk)).map_err(failed)?;
    let manifest = backup.manifest();
    let wrong: Vec<&String> = verified.wrong.iter().take(NAMED_MAX).collect();
    let data = json!({
        "folder": folder,
        "cloud": manifest.cloud.to_string(),
        "generation": manifest.generation,
        "taken_unix_ms": manifest.taken.0,
        "version": manifest.point.version,
        "papers": verified.papers,
        "rows": verified.rows,
        "chunks": verified.chunks,
        "bytes": verified.bytes,
        "entries": verified.entries,
        "signed_entries": verified.signed,
        "log": verified.log,
        "keys_trusted": verified.keys_trusted,
        "lacking_chunks": verified.lacking,
        "wrong_chunks": verified.wrong_count,
        "wrong": wrong,
    });
    let text = verified_text(folder, manifest, &verified);
    if verified.wrong_count == 0 {
        return Ok(Answer { data, text });
    }
    let named = verified.wrong.first().cloned().unwrap_or_default();
    let why = format!(
        "{} chunks are not as they were taken: {named}. Remove their files and take the backup again: it copies what is missing",
        verified.wrong_count
    );
    Err(Failure::new(Exit::General, why)
        .named("altered")
        .finding(data, text))
}

fn trusted(path: &Path) -> Result<VerifierKeys, Failure> {
    let shown = path.display();
    let bytes = files::read(path, KEYS_BYTES_MAX)
        .map_err(|e| Failure::usage(format!("{shown} could not be read: {e}")))?
        .ok_or_else(|| Failure::new(Exit::NotFound, format!("there are no keys at {shown}")))?;
    VerifierKeys::parse(&String::from_utf8_lossy(&bytes))
        .map_err(|e| Failure::usage(format!("{shown}: {e}")))
}

fn verified_text(folder: &Path, manifest: &::backup::Manifest, verified: &Verified) -> String {
    let signed = match (&verified.signed, verified.keys_trusted) {
        (None, _) => "no checkpoint was signed yet".to_owned(),
        (Some(signed), true) => format!("the first {signed} have the root that was signed"),
        (Some(signed), false) => format!(
            "the first {signed} have the root that was signed, by the keys in the backup (--keys holds them against yours)"
        ),
    };
    let wrong: String = verified
        .wrong
        .iter()
        .take(NAMED_MAX)
        .map(|why| format!("\n  {why}"))
        .collect();
    format!(
        "The backup in {} of cloud {}, taken {}: {} papers, {} rows, {} chunks of {} compared with their hashes, {} lacking, {} wrong; {} ledger entries, {signed}.{wrong}",
        folder.display(),
        manifest.cloud,
        show::time(manifest.taken.0),
        verified.papers,
        verified.rows,
        verified.chunks,
        show::bytes(verified.bytes),
        verified.lacking,
        verified.wrong_count,
        verified.entries,
    )
}

/// Makes a cloud from a backup in the places of the configuration.
pub fn restore(everywhere: &Everywhere, asked: &Restore, talk: Talk) -> Outcome {
    let settings = read(everywhere)?;
    settings.check()?;
    let mut config = node::config(&settings)?;
    let (owner, password) = (&asked.catalog_owner, &asked.catalog_owner_password);
    node::own(&mut config.catalog, owner.as_ref(), password.as_ref())?;
    let request = RestoreFrom {
        backup: ::backup::Backup::open(&absolute(&asked.from)).map_err(failed)?,
        shares: shares(&asked.shares)?,
        config,
        new_witnesses: asked.new_witnesses,
    };
    let host = Host::real();
    let work = Box::pin(site::backup::restore(request, &host, telling(talk)));
    let restored = runtime()?.block_on(work).map_err(restore_failed)?;
    talk.warn("what was written after the backup is lost, and a node of the old cloud must not run any more: where it reaches the same witnesses it ends by itself");
    let text = format!(
        "The cloud {} is back as of {}, on the engine {}: {} rows, {} chunks, {} ledger entries, in epoch {}.\n{}Serve with `clarence serve`.",
        restored.cloud,
        show::time(restored.taken.0),
        restored.engine,
        restored.rows,
        restored.chunks,
        restored.entries,
        restored.record.epoch,
        table(&restored.steps),
    );
    Ok(Answer {
        data: restored_data(&restored),
        text,
    })
}

fn restored_data(restored: &BackupRestored) -> Value {
    let parties: Vec<String> = restored.parties.iter().map(ToString::to_string).collect();
    json!({
        "cloud": restored.cloud.to_string(),
        "engine": restored.engine,
        "taken_unix_ms": restored.taken.0,
        "version": restored.version,
        "entries": restored.entries,
        "root": words::hex::encode(&restored.root),
        "signed_entries": restored.signed,
        "rows": restored.rows,
        "chunks": restored.chunks,
        "chunk_bytes": restored.bytes,
        "lacking_chunks": restored.lacking,
        "epoch": restored.record.epoch,
        "parties": parties,
        "steps": steps(&restored.steps),
    })
}

fn drill(everywhere: &Everywhere, asked: &Drill, talk: Talk) -> Outcome {
    let host = Host::real();
    let settings = read(everywhere)?;
    let shares = shares(&asked.shares)?;
    let backup = ::backup::Backup::open(&absolute(&asked.from)).map_err(failed)?;
    let own = node::config(&settings)?;
    let work = work_folder(asked.work.as_deref(), &host)?;
    let config = site::backup::drill::config(&work, own.hsm, own.jurisdiction);
    let sample = (!asked.all).then_some(asked.sample);
    let drilled = runtime()?.block_on(Box::pin(site::backup::drill(
        (backup, shares),
        config,
        sample,
        &host,
        telling(talk),
    )));
    if let Err(error) = files::remove_tree(&work) {
        talk.warn(&format!("{} could not be removed: {error}", work.display()));
    }
    judged(&drilled.map_err(|error| match error {
        BackupDrillError::Restore(error) => restore_failed(error),
        BackupDrillError::Backup(error) => failed(error),
        other => Failure::new(Exit::General, other),
    })?)
}

/// The folder of a rehearsal, which is removed afterwards: so it has to be empty.
fn work_folder(asked: Option<&Path>, host: &Host) -> Result<PathBuf, Failure> {
    let Some(path) = asked.map(absolute) else {
        let random = words::hex::encode(&host.random::<4>());
        return Ok(std::env::temp_dir().join(format!("drill-{random}")));
    };
    let shown = path.display();
    match files::list(&path) {
        Ok(names) if names.is_empty() => Ok(path),
        Ok(_) => Err(Failure::new(
            Exit::Conflict,
            format!(
                "{shown} is not empty, and it would be removed afterwards; nothing was changed: choose another folder"
            ),
        )),
        Err(error) => Err(Failure::usage(format!(
            "{shown} could not be read: {error}"
        ))),
    }
}

fn judged(drill: &BackupDrill) -> Outcome {
    let read = &drill.read;
    let wrong: Vec<&String> = read.wrong.iter().take(NAMED_MAX).collect();
    let mut data = restored_data(&drill.restored);
    data["steps"] = steps(&drill.steps);
    data["milliseconds"] = json!(total(&drill.steps));
    data["tenants"] = json!(read.tenants);
    data["unread_tenants"] = json!(read.unread);
    data["buckets"] = json!(read.buckets);
    data["names"] = json!(read.names);
    data["objects_read"] = json!(read.objects);
    data["bytes_read"] = json!(read.bytes);
    data["compared_by_hash"] = json!(read.by_hash);
    data["ledger_entries"] = json!(drill.entries);
    data["wrong"] = json!(wrong);
    let unread = match read.unread {
        0 => String::new(),
        unread => format!(
            " The objects of {unread} tenants were not read: this charter lets nobody make a credential alone."
        ),
    };
    let text = format!(
        "{}In all {:.1} s from nothing but the backup and the shares. {} of {} objects were read back ({}), {} of them compared by MD5, {} wrong.{unread}\n",
        table(&drill.steps),
        total(&drill.steps) as f64 / 1000.0,
        read.objects,
        read.names,
        show::bytes(read.bytes),
        read.by_hash,
        read.wrong.len(),
    );
    if read.wrong.is_empty() {
        return Ok(Answer { data, text });
    }
    let why = format!(
        "{} objects did not come back as they were written",
        read.wrong.len()
    );
    Err(Failure::new(Exit::General, why).finding(data, text))
}

fn failed(error: BackupError) -> Failure {
    let exit = match &error {
        BackupError::Origin(OriginError { kind, message }) if kind == "broken" => {
            return Failure::new(Exit::Network, message).named("broken");
        }
        BackupError::Origin(OriginError { kind, message }) => {
            let (kind, message) = (kind.clone(), message.clone());
            return CallError::Failed { kind, message }.into();
        }
        BackupError::Occupied(_) | BackupError::OtherCloud { .. } | BackupError::Busy(_) => {
            Exit::Conflict
        }
        BackupError::NoBackup { .. } => Exit::NotFound,
        BackupError::Altered { .. } => {
            return Failure::new(Exit::General, error).named("altered");
        }
        _ => Exit::General,
    };
    Failure::new(exit, error)
}

fn restore_failed(error: BackupRestoreError) -> Failure {
    use BackupRestoreError as E;
    let exit = match &error {
        E::Backup(_) => match error {
            E::Backup(error) => return failed(error),
            _ => Exit::General,
        },
        E::Occupied(_) | E::Held(_) | E::Guest | E::NoWitnesses { .. } => Exit::Conflict,
        E::Share { .. } | E::TooFew { .. } | E::Outer(_) => Exit::Auth,
        _ => Exit::General,
    };
    Failure::new(exit, error)
}
