//! `clarence embassy`: taking everything away from a host, and running from elsewhere.

use crate::args::Everywhere;
use crate::config::{Places, Settings, absolute, template};
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::guest::args::{AtHost, Drill, Restore, Twin};
use crate::guest::found::{HOST_FILE, copy_host_file, failed};
use crate::talk::Talk;
use crate::verbs::read_share;
use crate::{node, show};
use charter::ShareFile;
use embassy::{Evacuated, Export, ExportError, Source, evacuate as take_away};
use host::{Host, files};
use s3::Bucket;
use serde_json::{Value, json};
use site::restore::Told;
use site::{
    DrillError, DrillReport, Layout, NodeConfig, RestoreAsked, RestoreError, RestoreReport,
    RestoreStep,
};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Objects that did not fit and are named.
const NAMED_MAX: usize = 20;

pub fn evacuate(everywhere: &Everywhere, to: &Path, at: &AtHost, talk: Talk) -> Outcome {
    let bucket = bucket(everywhere, at)?;
    let to = absolute(to);
    let told = telling(talk);
    let taken = runtime()?.block_on(take_away(&bucket, &to, &|done, total| {
        told("objects", done, Some(total));
    }));
    let report = taken.map_err(export_failed)?;
    Ok(exported(&report, &to, "is in"))
}

pub fn check(from: &Path, talk: Talk) -> Outcome {
    let export = Export::open(from).map_err(export_failed)?;
    let told = telling(talk);
    let report = export.check(&|done, total| told("files", done, Some(total)));
    Ok(exported(
        &report.map_err(export_failed)?,
        from,
        "is whole in",
    ))
}

fn exported(report: &Evacuated, folder: &Path, how: &str) -> Answer {
    let data = json!({
        "folder": folder,
        "objects": report.objects,
        "bytes": report.bytes,
        "fetched_earlier": report.kept,
    });
    let text = format!(
        "Everything, {} objects and {}, {how} {}, sealed, each file with its hash in {}.",
        report.objects,
        show::bytes(report.bytes),
        folder.display(),
        embassy::export::MANIFEST
    );
    Answer { data, text }
}

pub fn restore(everywhere: &Everywhere, asked: &Restore, talk: Talk) -> Outcome {
    let places = Places::find(everywhere);
    let host = Host::real();
    let (source, bucket) = source(everywhere, &asked.twin)?;
    let shares = shares(&asked.twin.shares)?;
    let data = places.data.clone();
    let layout = Layout::in_folder(&data);
    let take_over = if asked.take_over { bucket } else { None };
    let request = RestoreAsked {
        source,
        take_over,
        shares,
        config: NodeConfig::new(layout),
    };
    let report = runtime()?
        .block_on(Box::pin(site::restore(request, &host, telling(talk))))
        .map_err(restore_failed)?;
    write_configuration(&places, asked, everywhere)?;
    if !asked.take_over {
        talk.warn("this is a copy: the home was not stopped, and what is written at one is not at the other; their ledgers part here");
    }
    let text = format!(
        "The cloud {} is back in {}: batch {}, {} rows, {} chunks.\n{}Serve with `clarence {}`.",
        report.cloud,
        data.display(),
        report.batch,
        report.rows,
        report.chunks,
        table(&report.steps),
        if asked.take_over {
            "guest serve"
        } else {
            "serve"
        },
    );
    Ok(Answer {
        data: restored(&report),
        text,
    })
}

/// DIR/clarence.toml of a restored cloud: a guest again if it took over, and otherwise a cloud of its own.
fn write_configuration(
    places: &Places,
    asked: &Restore,
    everywhere: &Everywhere,
) -> Result<(), Failure> {
    let (host, bucket);
    let mut set = Vec::new();
    if asked.take_over {
        let settings = Settings::read(Places::find(everywhere), &[])?;
        let file = match &asked.twin.at.host {
            Some(file) => file.clone(),
            None => settings.path("embassy.host"),
        };
        copy_host_file(&file, &places.data)?;
        let name = asked.twin.at.bucket.clone();
        let name = name.unwrap_or_else(|| settings.text("embassy.bucket").to_owned());
        (host, bucket) = (format!("{HOST_FILE:?}"), format!("{name:?}"));
        set.push(("embassy.host", host.as_str()));
        set.push(("embassy.bucket", bucket.as_str()));
    }
    let file = places.own_file();
    if files::stat(&file).is_ok_and(|found| found.is_some()) {
        return Ok(());
    }
    let head = "Written by `clarence embassy restore`. Every key is here; a flag or the environment\n(CLARENCE_S3__LISTEN for s3.listen) stands over what is written.";
    files::write_durable(&file, template(head, &set).as_bytes(), 0o600)
        .map_err(|e| Failure::new(Exit::General, format!("{}: {e}", file.display())))
}

pub fn drill(everywhere: &Everywhere, asked: &Drill, talk: Talk) -> Outcome {
    let host = Host::real();
    let (source, _) = source(everywhere, &asked.twin)?;
    let shares = shares(&asked.twin.shares)?;
    let work = asked.work.as_deref().map(absolute);
    let work = work.unwrap_or_else(|| {
        let random = words::hex::encode(&host.random::<4>());
        std::env::temp_dir().join(format!("drill-{random}"))
    });
    let mut config = NodeConfig::new(Layout::in_folder(&work));
    config.s3_listen = ([127, 0, 0, 1], 0).into();
    config.region = "drill".into();
    config.node = "drill".into();
    let request = RestoreAsked {
        source,
        take_over: None,
        shares,
        config,
    };
    let drilled = runtime()?.block_on(Box::pin(site::drill(
        request,
        asked.sample,
        &host,
        telling(talk),
    )));
    let occupied = matches!(
        &drilled,
        Err(DrillError::Restore(RestoreError::Occupied(_)))
    );
    if !occupied && let Err(error) = files::remove_tree(&work) {
        talk.warn(&format!("{} could not be removed: {error}", work.display()));
    }
    let report = drilled.map_err(|error| match error {
        DrillError::Restore(error) => restore_failed(error),
        other => Failure::new(Exit::General, other),
    })?;
    judged(&report)
}

fn judged(report: &DrillReport) -> Outcome {
    let wrong: Vec<&String> = report.wrong.iter().take(NAMED_MAX).collect();
    let mut data = restored(&report.restored);
    data["steps"] = steps(&report.steps);
    data["milliseconds"] = json!(total(&report.steps));
    data["tenants"] = json!(report.tenants);
    data["buckets"] = json!(report.buckets);
    data["names"] = json!(report.names);
    data["objects_read"] = json!(report.objects);
    data["bytes_read"] = json!(report.bytes);
    data["compared_by_hash"] = json!(report.by_hash);
    data["wrong"] = json!(wrong);
    let text = format!(
        "{}In all {:.1} s from nothing but the twin and the shares. {} of {} objects were read back ({}), {} of them compared by MD5, {} wrong.\n",
        table(&report.steps),
        total(&report.steps) as f64 / 1000.0,
        report.objects,
        report.names,
        show::bytes(report.bytes),
        report.by_hash,
        report.wrong.len()
    );
    if report.wrong.is_empty() {
        return Ok(Answer { data, text });
    }
    let why = format!(
        "{} objects did not come back as they were written",
        report.wrong.len()
    );
    Err(Failure::new(Exit::General, why).finding(data, text))
}

fn restored(report: &RestoreReport) -> Value {
    let parties: Vec<String> = report.parties.iter().map(ToString::to_string).collect();
    json!({
        "cloud": report.cloud.to_string(),
        "batch": report.batch,
        "rows": report.rows,
        "chunks": report.chunks,
        "chunk_bytes": report.bytes,
        "parties": parties,
        "steps": steps(&report.steps),
    })
}

pub fn steps(steps: &[RestoreStep]) -> Value {
    let all = steps.iter().map(|step| {
        let took = u64::try_from(step.took.as_millis()).unwrap_or(u64::MAX);
        json!({ "step": step.name, "milliseconds": took, "what": step.what })
    });
    all.collect()
}

pub fn total(steps: &[RestoreStep]) -> u64 {
    let all: u128 = steps.iter().map(|step| step.took.as_millis()).sum();
    u64::try_from(all).unwrap_or(u64::MAX)
}

pub fn table(steps: &[RestoreStep]) -> String {
    let rows: Vec<Vec<String>> = steps
        .iter()
        .map(|step| {
            vec![
                step.name.to_owned(),
                format!("{} ms", step.took.as_millis()),
                step.what.clone(),
            ]
        })
        .collect();
    show::table(&["STEP", "TIME", "WHAT"], &rows)
}

/// Where the twin is: an export, a bucket that was named, or the one of the configuration.
fn source(
    everywhere: &Everywhere,
    twin: &Twin,
) -> Result<(Arc<dyn Source>, Option<Bucket>), Failure> {
    if let Some(from) = &twin.from {
        let export = Export::open(from).map_err(export_failed)?;
        return Ok((Arc::new(export), None));
    }
    let bucket = bucket(everywhere, &twin.at)?;
    Ok((Arc::new(bucket.clone()), Some(bucket)))
}

fn bucket(everywhere: &Everywhere, at: &AtHost) -> Result<Bucket, Failure> {
    let place = match (&at.host, &at.bucket) {
        (Some(file), Some(bucket)) => node::embassy_place(file, bucket)?,
        _ => {
            let settings = Settings::read(Places::find(everywhere), &[])?;
            let file = settings.optional("embassy.host").ok_or_else(|| {
                Failure::usage(
                    "no host is named: give --host and --bucket, --from with an export, or --data of a guest",
                )
            })?;
            node::embassy_place(Path::new(file), settings.text("embassy.bucket"))?
        }
    };
    Bucket::new(place, Host::real()).map_err(Failure::usage)
}

pub fn shares(paths: &[PathBuf]) -> Result<Vec<ShareFile>, Failure> {
    let mut shares = Vec::new();
    for path in paths {
        let text = read_share(path)?;
        shares.push(ShareFile::parse(text.as_bytes()).map_err(Failure::usage)?);
    }
    Ok(shares)
}

pub fn telling(talk: Talk) -> Told {
    let progress = Mutex::new(talk.progress());
    Arc::new(move |what: &str, done, total| {
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.tell(what, done, total);
    })
}

pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::General, format!("the program could not begin: {e}")))
}

fn export_failed(error: ExportError) -> Failure {
    let exit = match &error {
        ExportError::Host(_) => Exit::Network,
        ExportError::Manifest { .. } | ExportError::Missing { .. } => Exit::Conflict,
        _ => Exit::General,
    };
    Failure::new(exit, error)
}

fn restore_failed(error: RestoreError) -> Failure {
    let exit = match &error {
        RestoreError::Occupied(_) | RestoreError::OtherCloud { .. } => Exit::Conflict,
        RestoreError::Share(_)
        | RestoreError::TooFew { .. }
        | RestoreError::NoShare
        | RestoreError::Key { .. } => Exit::Auth,
        RestoreError::TakeOver(error) => return failed(error.clone()),
        _ => Exit::General,
    };
    Failure::new(exit, error)
}
