//! `clarence join`: a second node's folders, from the papers beside a catalog on servers.

use crate::config::Settings;
use crate::exit::{Answer, Outcome};
use crate::node;
use serde_json::json;

pub async fn join(settings: &Settings) -> Outcome {
    settings.check()?;
    let report = node::join(settings).await?;
    let made: Vec<String> = report
        .made
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let folders = match made.is_empty() {
        true => "its folders were here already".to_owned(),
        false => format!("made {}", made.join(" and ")),
    };
    Ok(Answer {
        text: format!(
            "This machine has joined the cloud {}: {folders}. Next: clarence serve --standby",
            report.cloud
        ),
        data: json!({ "cloud": report.cloud.to_string(), "made": made }),
    })
}
