//! `clarence scrub` and `clarence heal`.

use crate::args::Heal;
use crate::config::Settings;
use crate::exit::{Answer, Outcome};
use crate::talk::Talk;
use crate::{node, show};
use serde_json::Value;
use site::control::Request;

pub async fn scrub(settings: &Settings, talk: Talk) -> Outcome {
    let data = node::ask(settings, &talk, Request::Scrub).await?;
    let text = lines(&data);
    Ok(Answer { data, text })
}

pub async fn heal(settings: &Settings, asked: &Heal, talk: Talk) -> Outcome {
    let site = asked.site.map(|site| site.letter().to_owned());
    let new_folder = asked.new_folder;
    let data = node::ask(settings, &talk, Request::Heal { site, new_folder }).await?;
    let text = match data.get("healed") {
        None | Some(Value::Null) => format!("Nothing to do: {}.", show::text(&data, "standing")),
        Some(_) => lines(&data),
    };
    Ok(Answer { data, text })
}

/// Every number of a report with its path.
fn lines(data: &Value) -> String {
    let mut rows = Vec::new();
    flatten("", data, &mut rows);
    let rows: Vec<(&str, String)> = rows
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    show::fields(&rows)
}

fn flatten(path: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let path = if path.is_empty() {
                    name.replace('_', " ")
                } else {
                    format!("{path} {}", name.replace('_', " "))
                };
                flatten(&path, value, rows);
            }
        }
        Value::Array(list) => {
            let texts: Vec<String> = list
                .iter()
                .map(|item| {
                    item.as_str()
                        .map_or_else(|| item.to_string(), ToOwned::to_owned)
                })
                .collect();
            rows.push((path.to_owned(), texts.join(", ")));
        }
        Value::String(text) => rows.push((path.to_owned(), text.clone())),
        Value::Null => {}
        other => rows.push((path.to_owned(), other.to_string())),
    }
}
