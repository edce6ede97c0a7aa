//! `clarence crypto inventory`: every key and algorithm, with strength and age.

use crate::config::Settings;
use crate::exit::{Answer, Outcome};
use crate::talk::Talk;
use crate::{node, show};
use serde_json::Value;

pub async fn inventory(settings: &Settings, talk: Talk) -> Outcome {
    let data = node::inventory(settings, &talk).await?;
    for trouble in show::list(&data, "troubles") {
        if let Some(trouble) = trouble.as_str() {
            talk.warn(trouble);
        }
    }
    if show::text(&data, "node") != "running" {
        talk.note("No node answers: what lies in the catalog is not counted.");
    }
    let text = text(&data);
    Ok(Answer { data, text })
}

fn text(data: &Value) -> String {
    let rows: Vec<Vec<String>> = show::list(data, "uses").iter().map(row).collect();
    let head = [
        "USE",
        "ALGORITHM",
        "BITS",
        "QUANTUM",
        "KEYS",
        "VERSIONS",
        "SINCE",
        "UNTIL",
        "WHERE",
        "",
    ];
    let classical: Vec<&str> = show::list(data, "classical_only")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    format!(
        "{}\nBITS and QUANTUM are the powers of two of the steps it takes to break it, today and with a quantum computer.\nA quantum computer breaks: {}.\nTLS clients without hybrid key exchange: {} (s3.tls_classical).",
        show::table(&head, &rows),
        classical.join(", "),
        show::text(data, "tls_classical"),
    )
}

fn row(item: &Value) -> Vec<String> {
    let quantum = match show::number(item, "quantum_bits") {
        0 => "broken".to_owned(),
        bits => bits.to_string(),
    };
    let versions: Vec<String> = item
        .get("versions")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(version, count)| format!("{version}: {count}"))
        .collect();
    vec![
        show::text(item, "name"),
        show::text(item, "algorithm"),
        show::text(item, "classical_bits"),
        quantum,
        show::text(item, "count"),
        versions.join(", "),
        day(item, "oldest_unix_ms"),
        day(item, "ends_unix_ms"),
        show::text(item, "place"),
        show::text(item, "note"),
    ]
}

fn day(item: &Value, name: &str) -> String {
    match show::number(item, name) {
        0 => String::new(),
        time => show::time(time).chars().take(10).collect(),
    }
}
