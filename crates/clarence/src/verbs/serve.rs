//! `clarence up` and `clarence serve`.

use crate::args::{Everywhere, Listen, Serve, Up};
use crate::config::{Flag, Places, Settings, Value, absolute, template};
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::talk::Talk;
use crate::verbs::{found, tls};
use crate::{envelope, logging, node, process, show};
use host::files;
use serde_json::{Value as Json, json};
use site::apart::Log;
use site::control::Request;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The tenant that `up` makes, unless the configuration names another one.
const FIRST_TENANT: &str = "first";
const IN_ONE: &str = "unsafe_vault_in_process";
const UNSAFE: &str = "unsafe_unseal_from_this_machine";
/// How often it is looked whether the node serves, and how long a complete answer is waited for.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS_FOR_ALL: u32 = 400;
const CONNECT_BYTES_MAX: u64 = 64 * 1024;

pub fn serve(everywhere: &Everywhere, asked: &Serve, talk: Talk) -> Outcome {
    let settings = Settings::read(Places::find(everywhere), &flags(&asked.listen))?;
    settings.check()?;
    if asked.standby {
        check_standby(&settings)?;
    }
    let kind = Kind {
        name: "serve",
        standby: asked.standby,
    };
    runtime()?.block_on(run(settings, kind, everywhere.json, talk))
}

/// The same for a guest; the caller has seen that it is one.
pub fn serve_guest(everywhere: &Everywhere, listen: &Listen, talk: Talk) -> Outcome {
    let settings = Settings::read(Places::find(everywhere), &flags(listen))?;
    settings.check()?;
    runtime()?.block_on(run(
        settings,
        Kind::of("guest.serve"),
        everywhere.json,
        talk,
    ))
}

pub fn up(everywhere: &Everywhere, asked: &Up, talk: Talk) -> Outcome {
    let mut flags = flags(&asked.listen);
    if asked.sealed {
        flags.push(flag(UNSAFE, "--sealed", Value::Flag(false)));
    }
    let settings = read_for_up(Places::find(everywhere), flags.clone())?;
    settings.check()?;
    runtime()?.block_on(async {
        refuse_second(&settings).await?;
        let settings = match node::is_new(&settings)? {
            true => {
                write_file(&settings, asked.sealed, talk)?;
                let settings = read_for_up(Places::find(everywhere), flags)?;
                let charter = found::read_charter(asked.found.charter.as_deref())?;
                let report = node::found(&settings, &charter, &asked.found).await?;
                talk.note(&format!(
                    "A cloud is founded.\n{}",
                    found::text(&charter, &report)
                ));
                settings
            }
            false => settings,
        };
        tls::make_if_missing(&settings, talk)?;
        run(settings, Kind::of("up"), everywhere.json, talk).await
    })
}

/// `up` makes a first tenant unless another one is configured.
fn read_for_up(places: Places, mut flags: Vec<Flag>) -> Result<Settings, Failure> {
    let settings = Settings::read(places.clone(), &flags)?;
    if settings.is_set("node.first_tenant") {
        return Ok(settings);
    }
    flags.push(flag(
        "node.first_tenant",
        "up",
        Value::Text(FIRST_TENANT.to_owned()),
    ));
    Ok(Settings::read(places, &flags)?)
}

/// Writes DIR/clarence.toml for a cloud that is founded now, unless a configuration is there already.
fn write_file(settings: &Settings, sealed: bool, talk: Talk) -> Result<(), Failure> {
    if let Some(file) = &settings.places.file {
        if !sealed && !settings.flag(UNSAFE) {
            let file = file.display();
            talk.note(&format!("{file} is used as it is; it does not switch {UNSAFE} on, so the node starts sealed."));
        }
        return Ok(());
    }
    let head = "Written by `clarence up`. Every key is here; a flag or the environment\n(CLARENCE_S3__LISTEN for s3.listen) stands over what is written.";
    let tenant = format!("{FIRST_TENANT:?}");
    let mut set = vec![("node.first_tenant", tenant.as_str())];
    if !sealed {
        set.push((UNSAFE, "true"));
    }
    let data = &settings.places.data;
    let file = settings.places.own_file();
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |e: std::io::Error| {
            Failure::new(Exit::General, format!("{path} could not be written: {e}"))
        }
    };
    files::make_folder(data, 0o700).map_err(failed(data))?;
    files::write_durable(&file, template(head, &set).as_bytes(), 0o600).map_err(failed(&file))
}

/// How a node is started.
#[derive(Clone, Copy)]
struct Kind {
    /// The verb, as in the envelope.
    name: &'static str,
    standby: bool,
}

impl Kind {
    const fn of(name: &'static str) -> Self {
        Self {
            name,
            standby: false,
        }
    }
}

/// What a node that stands by needs.
fn check_standby(settings: &Settings) -> Result<(), Failure> {
    if settings.list("catalog.servers").is_empty() {
        return Err(Failure::usage(
            "--standby is for a catalog on servers, and catalog.servers names none: a catalog in the sites' folders belongs to one node; nothing was started",
        ));
    }
    if settings.flag(IN_ONE) {
        return Err(Failure::usage(format!(
            "--standby and {IN_ONE} do not go together; nothing was started"
        )));
    }
    match settings.listen()?.port() {
        0 => Err(Failure::usage(
            "--standby needs a port of its own for S3, so that clients find the node when it takes over; nothing was started",
        )),
        _ => Ok(()),
    }
}

/// Serves until told to stop.
async fn run(settings: Settings, kind: Kind, json: bool, talk: Talk) -> Outcome {
    refuse_second(&settings).await?;
    logging::begin(&settings, &talk)?;
    let open_files = process::raise_open_files();
    if !process::forbid_core_files() {
        talk.warn("core files cannot be forbidden; an image of the node's memory on a disk would hold its keys");
    }
    tracing::debug!(?open_files, version = env!("CARGO_PKG_VERSION"), "starting");
    if settings.flag(UNSAFE) {
        talk.warn(&format!(
            "{UNSAFE} is on: the shares in {} open this node without anybody's leave.\n         Whoever has this machine has everything. For development and trials only.",
            settings.path("parents.folder").display()
        ));
    }
    let mut config = node::config(&settings)?;
    config.standby = kind.standby;
    let apart = (!settings.flag(IN_ONE)).then(|| Log {
        level: settings.text("log.level").to_owned(),
        format: settings.text("log.format").to_owned(),
        colour: talk.colour(),
    });
    if apart.is_none() {
        talk.warn(&format!(
            "{IN_ONE} is on: what speaks to the network shares its memory with the keys."
        ));
        if !config.sql.addresses().is_empty() {
            talk.warn("SQL is not served then: its query engine is a process of its own.");
        }
    }
    let announcing = tokio::spawn(announce(settings, kind.name, json, talk));
    let outcome = Box::pin(node::run(config, apart, process::told_to_stop())).await;
    announcing.abort();
    outcome?;
    Ok(Answer {
        data: json!({ "state": "ended" }),
        text: String::new(),
    })
}

/// A second node on the same folder would be refused by the catalog's lock; this says it more plainly.
async fn refuse_second(settings: &Settings) -> Result<(), Failure> {
    let quiet = Talk::silent();
    match node::ask(settings, &quiet, Request::Status).await {
        Err(failure) if failure.exit == Exit::Network => Ok(()),
        _ => {
            let why = format!("a node already runs on {}", settings.places.data.display());
            Err(Failure::new(Exit::Conflict, why)
                .suggest("`clarence status` shows it, `clarence stop` ends it"))
        }
    }
}

/// Says once that the node serves, and how to connect.
async fn announce(settings: Settings, kind: &'static str, json: bool, talk: Talk) {
    let quiet = Talk::silent();
    let file = node::layout(&settings).connect();
    let (mut looks, mut stands_by) = (0, false);
    loop {
        tokio::time::sleep(LOOK).await;
        let Ok(status) = node::ask(&settings, &quiet, Request::Status).await else {
            continue;
        };
        if status.get("state") == Some(&json!("standby")) {
            if !stands_by && !json {
                talk.note("Standing by: another node holds the catalog. Give shares with `clarence unseal`, so that this one can open itself when it takes over.");
            }
            stands_by = true;
            continue;
        }
        looks += 1;
        let sealed = status.get("sealed") != Some(&Json::Bool(false));
        let endpoint = show::text(&status, "endpoint");
        let connect = connect_file(&settings, &file, &endpoint, sealed);
        let complete = if sealed {
            !settings.flag(UNSAFE)
        } else {
            connect.is_some()
                || settings.optional("node.first_tenant").is_none()
                || is_joint(&status)
        };
        if !complete && looks < LOOKS_FOR_ALL {
            continue;
        }
        if json {
            let data = json!({
                "state": "serving",
                "cloud": status.get("cloud"),
                "endpoint": endpoint,
                "region": status.get("region"),
                "sealed": sealed,
                "connect_file": connect,
                "ca_bundle": tls::bundle(&settings),
            });
            envelope::print(&envelope::success(kind, &data));
            return;
        }
        say(&endpoint, sealed, connect.as_deref(), talk);
        return;
    }
}

/// Whether the charter leaves nothing to one alone: then no first tenant is made.
fn is_joint(status: &Json) -> bool {
    status.pointer("/charter/version") == Some(&json!(2))
}

fn say(endpoint: &str, sealed: bool, connect: Option<&Path>, talk: Talk) {
    if sealed {
        talk.note(&format!("Listening on {endpoint}, sealed: give shares with `clarence unseal --share FILE --share FILE`."));
        return;
    }
    talk.note(&format!("Serving on {endpoint}."));
    if let Some(file) = connect {
        talk.note(&format!(
            "Endpoint, region, access key and secret key of a first tenant are in {}.",
            file.display()
        ));
    }
}

/// The file for a first client, once it speaks of the endpoint of now.
fn connect_file(settings: &Settings, file: &Path, endpoint: &str, sealed: bool) -> Option<PathBuf> {
    settings.optional("node.first_tenant")?;
    if sealed {
        return None;
    }
    let bytes = files::read(file, CONNECT_BYTES_MAX).ok().flatten()?;
    let written: Json = serde_json::from_slice(&bytes).ok()?;
    (show::text(&written, "endpoint") == endpoint).then(|| file.to_path_buf())
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::General, format!("the program could not begin: {e}")))
}

fn flag(key: &'static str, typed: &'static str, value: Value) -> Flag {
    Flag { key, typed, value }
}

/// What the command line says about listening, as the uppermost layer.
fn flags(listen: &Listen) -> Vec<Flag> {
    let mut flags = Vec::new();
    if let Some(address) = listen.s3 {
        flags.push(flag("s3.listen", "--s3", Value::Text(address.to_string())));
    }
    for (address, key, typed) in [
        (listen.sql, "sql.listen", "--sql"),
        (listen.sql_http, "sql.http_listen", "--sql-http"),
        (listen.sql_flight, "sql.flight_listen", "--sql-flight"),
    ] {
        if let Some(address) = address {
            flags.push(flag(key, typed, Value::Text(address.to_string())));
        }
    }
    if listen.tls {
        flags.push(flag("s3.tls_local_authority", "--tls", Value::Flag(true)));
    }
    if let Some(word) = &listen.tls_classical {
        let value = Value::Text(word.clone());
        flags.push(flag("s3.tls_classical", "--tls-classical", value));
    }
    let path = |path: &PathBuf| Value::Text(absolute(path).display().to_string());
    if let Some(chain) = &listen.tls_cert {
        flags.push(flag("s3.tls_cert", "--tls-cert", path(chain)));
    }
    if let Some(key) = &listen.tls_key {
        flags.push(flag("s3.tls_key", "--tls-key", path(key)));
    }
    if listen.allow_plain_http_beyond_loopback {
        let key = "s3.allow_plain_http_beyond_loopback";
        flags.push(flag(
            key,
            "--allow-plain-http-beyond-loopback",
            Value::Flag(true),
        ));
    }
    if listen.unsafe_unseal_from_this_machine {
        flags.push(flag(
            UNSAFE,
            "--unsafe-unseal-from-this-machine",
            Value::Flag(true),
        ));
    }
    flags
}
