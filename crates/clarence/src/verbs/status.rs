//! `clarence status`.

use crate::config::Settings;
use crate::exit::{Answer, Outcome};
use crate::talk::Talk;
use crate::{node, show};
use serde_json::Value;
use site::control::Request;

/// How many of the last troubles a person is shown.
const TROUBLES_SHOWN: usize = 5;

pub async fn status(settings: &Settings, talk: Talk) -> Outcome {
    let data = node::ask(settings, &talk, Request::Status).await?;
    let text = match show::text(&data, "state").as_str() {
        "standby" => standby(&data),
        _ => text(&data),
    };
    Ok(Answer { data, text })
}

fn vault(data: &Value, sealed: bool) -> String {
    if !sealed {
        return "open".to_owned();
    }
    format!(
        "sealed, {} of {} shares given",
        show::number(data, "shares_given"),
        show::number(data, "shares_needed")
    )
}

/// A node that stands by.
fn standby(data: &Value) -> String {
    let sealed = data.get("sealed") != Some(&Value::Bool(false));
    let vault = match sealed {
        true => format!("{}; it would take over sealed", vault(data, true)),
        false => "ready: it opens itself when it takes over".to_owned(),
    };
    show::fields(&[
        ("cloud", show::text(data, "cloud")),
        ("node", show::text(data, "node")),
        (
            "state",
            "standing by; another node holds the catalog".to_owned(),
        ),
        ("vault", vault),
        ("catalog", catalog(data)),
    ])
}

/// What keeps the catalog; empty where it lies in the sites' folders.
fn catalog(data: &Value) -> String {
    let Some(catalog) = data.get("catalog") else {
        return String::new();
    };
    if show::text(catalog, "engine") != "postgres" {
        return String::new();
    }
    let why = show::text(catalog, "why");
    if !why.is_empty() {
        return format!("PostgreSQL, no answer: {why}");
    }
    let primary = show::text(catalog, "primary");
    let primary = match primary.is_empty() {
        true => String::new(),
        false => format!(", primary {primary}"),
    };
    let timeline = show::number(catalog, "timeline");
    format!("PostgreSQL{primary}, timeline {timeline}")
}

/// Where SQL is served; empty if it is not.
fn sql(data: &Value) -> String {
    let sql = data.get("sql").unwrap_or(&Value::Null);
    let places = ["postgres", "http", "flight"].map(|door| match show::text(sql, door) {
        place if place.is_empty() || door != "postgres" => place,
        place => format!("postgres {place}"),
    });
    let places: Vec<String> = places
        .into_iter()
        .filter(|place| !place.is_empty())
        .collect();
    places.join(", ")
}

fn text(data: &Value) -> String {
    let is = |name| data.get(name) == Some(&Value::Bool(true));
    let vault = vault(data, is("sealed"));
    let unsafe_note = if is("unsafe_unseal_from_this_machine") {
        "the shares lie on this machine and open it at start".to_owned()
    } else {
        String::new()
    };
    let signed = data
        .get("ledger")
        .map_or(0, |ledger| show::number(ledger, "signed_entries"));
    let mut text = show::fields(&[
        ("cloud", show::text(data, "cloud")),
        ("node", show::text(data, "node")),
        ("endpoint", show::text(data, "endpoint")),
        ("SQL", sql(data)),
        ("region", show::text(data, "region")),
        ("vault", vault),
        ("UNSAFE", unsafe_note),
        ("still lacks", show::text(data, "lacks")),
        ("charter", charter(data)),
        ("in", show::text(data, "jurisdiction")),
        ("sites", show::text(data, "standing")),
        ("epoch", show::text(data, "epoch")),
        ("catalog", catalog(data)),
        (
            "ledger",
            format!("{signed} entries under a signed checkpoint"),
        ),
    ]);
    if let Some(embassy) = data.get("embassy").filter(|found| !found.is_null()) {
        text.push_str(&show::fields(&[
            ("host", show::text(embassy, "place")),
            ("twin", twin(embassy)),
        ]));
    }
    let glasses = show::list(data, "break_glass");
    if !glasses.is_empty() {
        text.push_str("\nBREAK-GLASS\n");
        let rows: Vec<Vec<String>> = glasses.iter().map(glass).collect();
        text.push_str(&show::table(
            &["STATE", "OFFICER", "BUCKET", "ENDS", "CREDENTIAL"],
            &rows,
        ));
    }
    let rows: Vec<Vec<String>> = show::list(data, "sites").iter().map(site).collect();
    text.push('\n');
    text.push_str(&show::table(
        &[
            "SITE", "STATE", "FREE", "OWED", "TROUBLES", "REPAIRS", "FOLDER", "",
        ],
        &rows,
    ));
    let troubles = show::list(data, "troubles");
    if !troubles.is_empty() {
        let rows: Vec<Vec<String>> = troubles
            .iter()
            .rev()
            .take(TROUBLES_SHOWN)
            .map(trouble)
            .collect();
        text.push('\n');
        text.push_str(&show::table(&["WHEN", "SITE", "KIND", "WHAT"], &rows));
    }
    text
}

/// How the twin at the host is.
fn twin(embassy: &Value) -> String {
    let (here, there) = (
        show::number(embassy, "batch_at_home"),
        show::number(embassy, "batch_at_host"),
    );
    let why = show::text(embassy, "why");
    let why = if why.is_empty() {
        why
    } else {
        format!(": {why}")
    };
    format!(
        "{}, batch {there} of {here} is at the host{why}",
        show::text(embassy, "state")
    )
}

fn charter(data: &Value) -> String {
    let Some(charter) = data.get("charter") else {
        return String::new();
    };
    let digest = show::text(charter, "charter_digest");
    match show::number(charter, "version") {
        1 => format!("version 1, {digest}: nothing is decided by signatures"),
        _ => format!("number {}, {digest}", show::number(charter, "number")),
    }
}

fn glass(glass: &Value) -> Vec<String> {
    vec![
        show::text(glass, "state"),
        show::text(glass, "officer"),
        format!(
            "{}/{}*",
            show::text(glass, "bucket"),
            show::text(glass, "prefix")
        ),
        show::time(show::number(glass, "ends_unix_ms")),
        show::text(glass, "access_key"),
    ]
}

/// The folder of a site, and the bucket if its chunks lie in one.
fn place(site: &Value) -> String {
    let folder = show::text(site, "folder");
    match site.get("bucket").filter(|bucket| !bucket.is_null()) {
        Some(bucket) => format!("{folder}, {}", show::text(bucket, "place")),
        None => folder,
    }
}

fn site(site: &Value) -> Vec<String> {
    let owed = match show::number(site, "owed_chunks") {
        0 => "-".to_owned(),
        chunks => format!(
            "{chunks} chunks, {}",
            show::bytes(show::number(site, "owed_bytes"))
        ),
    };
    let free = match site.get("free_bytes").and_then(Value::as_u64) {
        Some(bytes) => show::bytes(bytes),
        None => "-".to_owned(),
    };
    vec![
        show::text(site, "site"),
        show::text(site, "state"),
        free,
        owed,
        show::text(site, "troubles"),
        show::text(site, "repairs"),
        place(site),
        show::text(site, "why"),
    ]
}

fn trouble(trouble: &Value) -> Vec<String> {
    vec![
        show::time(show::number(trouble, "unix_ms")),
        show::text(trouble, "site"),
        show::text(trouble, "kind"),
        show::text(trouble, "what"),
    ]
}
