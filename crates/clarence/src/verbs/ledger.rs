//! `clarence ledger tail` and `clarence ledger publish`.

use crate::config::Settings;
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::ledger_args::Ledger;
use crate::talk::Talk;
use crate::{node, show};
use serde_json::Value;
use site::control::Request;

pub async fn ledger(settings: &Settings, asked: Ledger, talk: Talk) -> Outcome {
    match asked {
        Ledger::Tail { count, before } => {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            let data = node::ask(settings, &talk, Request::LedgerTail { count, before }).await?;
            let rows: Vec<Vec<String>> = show::list(&data, "entries").iter().map(row).collect();
            let text = show::table(
                &[
                    "INDEX",
                    "TIME",
                    "KIND",
                    "OPERATION",
                    "ACTOR",
                    "RESOURCE",
                    "MORE",
                ],
                &rows,
            );
            Ok(Answer { data, text })
        }
        Ledger::Publish => {
            let data = node::ask(settings, &talk, Request::LedgerPublish).await?;
            let text = format!(
                "{} entries are published and signed.",
                show::number(&data, "entries")
            );
            Ok(Answer { data, text })
        }
        Ledger::Verify(_) | Ledger::Ask(_) | Ledger::Cosign(_) => Err(Failure::new(
            Exit::Unsupported,
            "that is done from the files",
        )),
    }
}

/// What a person can take in at a glance; `--json` has all of it.
const SHOWN_CHARS_MAX: usize = 80;

fn short(text: String) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// The usual columns, and whatever else the entry tells as `name=value`.
fn row(entry: &Value) -> Vec<String> {
    const COLUMNS: [&str; 6] = ["index", "time", "kind", "operation", "actor", "resource"];
    const LONG: [&str; 7] = [
        "tenant",
        "bucket",
        "version",
        "node",
        "policy_digest",
        "request_digest",
        "response_digest",
    ];
    let mut cells: Vec<String> = COLUMNS.iter().map(|name| show::text(entry, name)).collect();
    if let Some(time) = cells.get_mut(1)
        && let Ok(unix_ms) = time.parse()
    {
        *time = show::time(unix_ms);
    }
    let more: Vec<String> = entry
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !COLUMNS.contains(&name.as_str()) && !LONG.contains(&name.as_str()))
        .map(|(name, _)| format!("{name}={}", short(show::text(entry, name))))
        .collect();
    cells.push(more.join(" "));
    cells
}
