//! The one shape of `--json`: `{schema_version, type, status, data | error}`. Its schema is
//! `docs/schema/envelope-1.json`; a test holds every verb against it.

use crate::exit::{Exit, Failure, Outcome};
use crate::talk::Talk;
use serde::Serialize;
use serde_json::Value;
use std::io::Write;

/// Grows only when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u8 = 1;

#[derive(Serialize)]
struct Envelope<'e> {
    schema_version: u8,
    #[serde(rename = "type")]
    kind: &'e str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'e Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'e Failure>,
}

/// Data for scripts, as one line.
pub fn success(kind: &str, data: &Value) -> String {
    line(&Envelope {
        schema_version: SCHEMA_VERSION,
        kind,
        status: "success",
        data: Some(data),
        error: None,
    })
}

/// A failure for scripts, as one line.
pub fn error(kind: &str, failure: &Failure) -> String {
    line(&Envelope {
        schema_version: SCHEMA_VERSION,
        kind,
        status: "error",
        data: None,
        error: Some(failure),
    })
}

fn line(envelope: &Envelope<'_>) -> String {
    // Strings, numbers and maps with text keys: there is nothing that could fail to be written.
    serde_json::to_string(envelope).unwrap_or_default()
}

/// Prints data. A reader that went away is no error: it has seen what it wanted.
pub fn print(text: &str) {
    if text.is_empty() {
        return;
    }
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = out.write_all(b"\n");
    }
    let _ = out.flush();
}

/// Prints what a verb gave and tells the exit code.
pub fn finish(kind: &str, json: bool, talk: &Talk, outcome: Outcome) -> u8 {
    match outcome {
        Ok(answer) => {
            print(&if json {
                success(kind, &answer.data)
            } else {
                answer.text
            });
            0
        }
        Err(failure) => {
            if json {
                print(&error(kind, &failure));
            } else {
                print(&failure.text);
            }
            if failure.exit != Exit::Interrupted {
                talk.error(&failure);
            }
            failure.exit.code()
        }
    }
}
