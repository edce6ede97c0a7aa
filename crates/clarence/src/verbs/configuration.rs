//! `clarence config check` and `clarence config show`.

use crate::config::{Settings, Value};
use crate::exit::{Answer, Outcome};
use crate::show;
use serde_json::json;

pub fn check(settings: &Settings) -> Outcome {
    settings.check()?;
    let file = settings.places.file.as_ref();
    let read = file.map_or_else(
        || "No configuration file is there; the defaults hold.".to_owned(),
        |file| format!("{} can be used.", file.display()),
    );
    Ok(Answer {
        data: json!({ "file": file, "data": settings.places.data, "usable": true }),
        text: read,
    })
}

pub fn show(settings: &Settings, with_origin: bool) -> Outcome {
    let keys: Vec<_> = settings
        .all()
        .map(|(key, value, origin)| json!({ "key": key, "value": value, "origin": origin }))
        .collect();
    let rows: Vec<Vec<String>> = settings
        .all()
        .map(|(key, value, origin)| {
            let mut row = vec![key.to_owned(), shown(value)];
            if with_origin {
                row.push(origin.to_string());
            }
            row
        })
        .collect();
    let head: &[&str] = if with_origin {
        &["KEY", "VALUE", "ORIGIN"]
    } else {
        &["KEY", "VALUE"]
    };
    Ok(Answer {
        data: json!({ "data": settings.places.data, "file": settings.places.file, "keys": keys }),
        text: show::table(head, &rows),
    })
}

fn shown(value: &Value) -> String {
    match value {
        Value::Unset => "-".to_owned(),
        other => other.to_toml(),
    }
}
