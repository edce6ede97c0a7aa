//! `clarence guest found`: a cloud of the guest's own, at home, that keeps a twin at a host.

use crate::args::{Everywhere, Found};
use crate::config::{Places, Settings, template};
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::guest::args::GuestFound;
use crate::guest::away::runtime;
use crate::node;
use crate::talk::Talk;
use crate::verbs::found as founding;
use host::{Host, files};
use s3::{Bucket, S3Error};
use serde_json::{Value, json};
use std::path::Path;

/// The guest's copy of what the host handed out.
pub const HOST_FILE: &str = "embassy.json";
const HOST_CA: &str = "embassy-ca.pem";
const FILE_BYTES_MAX: u64 = 1024 * 1024;

pub fn found(everywhere: &Everywhere, asked: &GuestFound, talk: Talk) -> Outcome {
    let places = Places::find(everywhere);
    if let Some(file) = places.file.as_ref().filter(|_| places.file_named) {
        return Err(Failure::usage(format!(
            "{} was named, but founding a guest writes the configuration itself; leave --config out",
            file.display()
        )));
    }
    let own = places.own_file();
    if files::stat(&own).is_ok_and(|found| found.is_some()) {
        let why = format!(
            "{} is there already; found a guest in a new folder",
            own.display()
        );
        return Err(Failure::new(Exit::Conflict, why));
    }
    let place = node::embassy_place(&asked.host, &asked.bucket)?;
    let charter = founding::read_charter(asked.charter.as_deref())?;
    let bucket = Bucket::new(place.clone(), Host::real()).map_err(Failure::usage)?;
    runtime()?.block_on(async {
        must_be_empty(&bucket).await?;
        write_configuration(&places, asked)?;
        let settings = Settings::read(Places::find(everywhere), &[])?;
        settings.check()?;
        let report = node::found(&settings, &charter, &Found::default()).await?;
        let layout = node::layout(&settings);
        site::make_owner(&layout, &Host::real())
            .map_err(|e| Failure::new(Exit::General, format!("the founding is void: {e}")))?;
        talk.warn(
            "each share must go to its party, stay in the guest's country, and leave this machine; together they open everything",
        );
        let mut data = founding::data(&charter, &report);
        data["host"] = json!(place.to_string());
        let text = format!(
            "{}\nThe twin will lie in {place}. Serve with `clarence guest serve`.",
            founding::text(&charter, &report)
        );
        Ok(Answer { data, text })
    })
}

async fn must_be_empty(bucket: &Bucket) -> Result<(), Failure> {
    let found = match bucket.list("", None, 1).await {
        Err(S3Error::Refused { code, .. }) if code == "NoSuchBucket" => {
            bucket.create().await.map_err(failed)?;
            bucket.list("", None, 1).await
        }
        other => other,
    };
    match found.map_err(failed)?.first() {
        None => Ok(()),
        Some(object) => Err(Failure::new(
            Exit::Conflict,
            format!(
                "{} holds {} already; nothing was founded: give the guest an empty bucket",
                bucket.shown(),
                object.name
            ),
        )),
    }
}

/// What an error of the host means for the command.
pub fn failed(error: S3Error) -> Failure {
    let exit = match &error {
        S3Error::Away { .. } | S3Error::Silent { .. } => Exit::Network,
        S3Error::Refused { .. } => Exit::Auth,
        S3Error::Missing { .. } => Exit::NotFound,
        S3Error::Exists { .. } => Exit::Conflict,
        _ => Exit::General,
    };
    Failure::new(exit, error)
}

/// Copies what the host handed out into the data folder and writes DIR/clarence.toml.
fn write_configuration(places: &Places, asked: &GuestFound) -> Result<(), Failure> {
    let data = &places.data;
    let io = |path: &Path| {
        let path = path.display().to_string();
        move |e: std::io::Error| Failure::new(Exit::General, format!("{path}: {e}"))
    };
    files::make_folder(data, 0o700).map_err(io(data))?;
    copy_host_file(&asked.host, data)?;
    let bucket = format!("{:?}", asked.bucket);
    let host = format!("{HOST_FILE:?}");
    let mut set = vec![
        ("embassy.host", host.as_str()),
        ("embassy.bucket", bucket.as_str()),
        ("node.first_tenant", "\"first\""),
        ("s3.listen", "\"127.0.0.1:7481\""),
    ];
    if asked.acknowledge_at_home {
        set.push(("embassy.acknowledge", "\"at-home\""));
    }
    let head = "Written by `clarence guest found`. Every key is here; a flag or the environment\n(CLARENCE_S3__LISTEN for s3.listen) stands over what is written.";
    let file = places.own_file();
    files::write_durable(&file, template(head, &set).as_bytes(), 0o600).map_err(io(&file))
}

/// Copies a host's file and the certificates it names into a data folder.
pub fn copy_host_file(from: &Path, data: &Path) -> Result<(), Failure> {
    let read = |path: &Path| {
        let shown = path.display().to_string();
        files::read(path, FILE_BYTES_MAX)
            .map_err(|e| Failure::usage(format!("{shown}: {e}")))?
            .ok_or_else(|| Failure::new(Exit::NotFound, format!("there is no file at {shown}")))
    };
    let write = |name: &str, bytes: &[u8]| {
        let path = data.join(name);
        files::write_durable(&path, bytes, 0o600)
            .map_err(|e| Failure::new(Exit::General, format!("{}: {e}", path.display())))
    };
    let mut host: Value = serde_json::from_slice(&read(from)?)
        .map_err(|e| Failure::usage(format!("{}: {e}", from.display())))?;
    let bundle = host.get("ca_bundle").and_then(Value::as_str);
    if let Some(bundle) = bundle.map(ToOwned::to_owned) {
        let bundle = from.parent().unwrap_or(Path::new("")).join(bundle);
        write(HOST_CA, &read(&bundle)?)?;
        host["ca_bundle"] = json!(HOST_CA);
    }
    write(HOST_FILE, format!("{host:#}\n").as_bytes())
}
