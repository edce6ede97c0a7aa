//! `clarence found`: the key ceremony and the folders of a new cloud.

use crate::args::Found;
use crate::config::Settings;
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::talk::Talk;
use crate::verbs::tls;
use crate::{node, show};
use charter::Charter;
use serde_json::{Value, json};
use site::FoundReport;
use std::path::Path;

const CHARTER_BYTES_MAX: u64 = 256 * 1024;

pub async fn found(settings: &Settings, asked: &Found, talk: Talk) -> Outcome {
    settings.check()?;
    let charter = read_charter(asked.charter.as_deref())?;
    let report = node::found(settings, &charter, asked).await?;
    tls::make_if_missing(settings, talk)?;
    talk.warn(
        "each share must go to its party and leave this machine; together they open everything",
    );
    Ok(Answer {
        data: data(&charter, &report),
        text: text(&charter, &report),
    })
}

/// The charter in a file, or three parents of whom any two open the cloud.
pub fn read_charter(file: Option<&Path>) -> Result<Charter, Failure> {
    let Some(path) = file else {
        return Ok(Charter::default());
    };
    let shown = path.display();
    let bytes = host::files::read(path, CHARTER_BYTES_MAX)
        .map_err(|e| Failure::usage(format!("{shown} could not be read: {e}")))?
        .ok_or_else(|| Failure::new(Exit::NotFound, format!("there is no charter at {shown}")))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("{shown} is not text in UTF-8")))?;
    Charter::parse(&text).map_err(|e| Failure::usage(format!("{shown}: {e}")).named("charter"))
}

pub fn data(charter: &Charter, report: &FoundReport) -> Value {
    let shares: Vec<Value> = report
        .shares
        .iter()
        .map(|(party, path)| json!({ "party": party.as_str(), "file": path }))
        .collect();
    json!({
        "cloud": report.cloud.to_string(),
        "charter_digest": charter.digest().to_string(),
        "threshold": charter.threshold(),
        "shares": shares,
        "verifier_keys": report.verifier_keys_path,
        "sets_that_rebuild": report.proof.0,
        "smaller_sets_that_fail": report.proof.1,
    })
}

pub fn text(charter: &Charter, report: &FoundReport) -> String {
    let rows: Vec<Vec<String>> = report
        .shares
        .iter()
        .map(|(party, path)| vec![party.to_string(), path.display().to_string()])
        .collect();
    let facts = show::fields(&[
        ("cloud", report.cloud.to_string()),
        ("charter", charter.digest().to_string()),
        (
            "opens with",
            format!(
                "any {} of {} shares",
                charter.threshold(),
                charter.parties().len()
            ),
        ),
        (
            "shown",
            format!(
                "{} sets of shares rebuild the root, {} smaller ones fail",
                report.proof.0, report.proof.1
            ),
        ),
        (
            "ledger's keys",
            report.verifier_keys_path.display().to_string(),
        ),
    ]);
    format!("{facts}\n{}", show::table(&["PARTY", "SHARE"], &rows))
}
