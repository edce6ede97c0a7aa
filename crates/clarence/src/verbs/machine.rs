//! Completions, version, stop.

use crate::args::{Cli, Completions};
use crate::config::Settings;
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::node;
use crate::talk::Talk;
use clap::CommandFactory;
use serde_json::json;
use site::control::Request;
use std::time::Duration;

/// How long `stop` waits for the node to be gone.
const STOP_PATIENCE: Duration = Duration::from_secs(120);
const STOP_LOOK: Duration = Duration::from_millis(100);

pub fn completions(asked: &Completions) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(asked.shell, &mut Cli::command(), "clarence", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Ok(Answer {
        data: json!({ "shell": asked.shell.to_string(), "script": script }),
        text: script,
    })
}

pub fn version() -> Outcome {
    let version = env!("CARGO_PKG_VERSION");
    let system = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    Ok(Answer {
        text: format!("clarence {version} ({system})"),
        data: json!({
            "version": version,
            "system": system,
            "envelope_schema_version": crate::envelope::SCHEMA_VERSION,
        }),
    })
}

/// Asks the node to end and waits until it is gone.
pub async fn stop(settings: &Settings, talk: Talk) -> Outcome {
    node::ask(settings, &talk, Request::Stop).await?;
    let mut left = STOP_PATIENCE;
    while node::ask(settings, &talk, Request::Status).await.is_ok() {
        left = left.saturating_sub(STOP_LOOK);
        if left.is_zero() {
            let why =
                "the node was told to stop and still answers; requests under way may take long";
            return Err(Failure::new(Exit::General, why)
                .suggest("look at its log; killing it loses nothing acknowledged"));
        }
        tokio::time::sleep(STOP_LOOK).await;
    }
    Ok(Answer {
        data: json!({ "stopped": true }),
        text: "The node has ended.".into(),
    })
}
