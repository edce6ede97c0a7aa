//! `clarence subject`, `clarence share` and `clarence root`.

pub mod args;
mod share;
mod verify;

use crate::config::Settings;
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::talk::Talk;
use crate::verbs::read_share;
use crate::{node, show};
use args::{Erasure, RootVerb, ShareVerb, SubjectVerb};
use charter::approval::files::write_new;
use serde_json::{Value, json};
use site::control::Request;
use site::control::erasure::Ask;
use std::path::Path;
use words::limits::STATEMENT_BYTES_MAX;

/// Does what works on files alone; `None` for what needs the running node.
pub fn offline(asked: &Erasure, talk: Talk) -> Option<Outcome> {
    match asked {
        Erasure::Subject(SubjectVerb::Verify(asked)) => Some(verify::verify(asked, talk)),
        Erasure::Share(ShareVerb::Destroy {
            share,
            newer,
            key,
            out,
        }) => Some(share::destroy(share, newer, key.as_deref(), out)),
        _ => None,
    }
}

async fn ask(settings: &Settings, talk: &Talk, ask: Ask) -> Result<Value, Failure> {
    node::ask(settings, talk, Request::Erasure { ask }).await
}

/// The verbs that need the running node.
pub async fn perform(settings: &Settings, asked: Erasure, talk: Talk) -> Outcome {
    match asked {
        Erasure::Subject(SubjectVerb::Erase {
            tenant,
            subject,
            reason,
        }) => {
            let erase = Ask::Erase {
                tenant,
                subject,
                reason,
            };
            let data = ask(settings, &talk, erase).await?;
            talk.note("The opening is shown only now.");
            let text = erased(&data);
            Ok(Answer { data, text })
        }
        Erasure::Subject(SubjectVerb::List) => {
            let data = ask(settings, &talk, Ask::List).await?;
            let rows: Vec<Vec<String>> = show::list(&data, "erasures").iter().map(row).collect();
            let text = show::table(&["ERASURE", "ORDERED", "OBJECTS", "STATE"], &rows);
            Ok(Answer { data, text })
        }
        Erasure::Subject(SubjectVerb::Receipt { erasure, out }) => {
            let data = ask(settings, &talk, Ask::Receipt { erasure }).await?;
            receipt(data, &out)
        }
        Erasure::Share(ShareVerb::Attest { statement }) => {
            let statement = crate::joint::read::text(&statement, STATEMENT_BYTES_MAX)?;
            let data = ask(settings, &talk, Ask::Destroyed { statement }).await?;
            let text = format!(
                "{} has destroyed its share of root {}; {} may still exist, {} open it.",
                show::text(&data, "party"),
                show::number(&data, "root"),
                show::number(&data, "shares_left"),
                show::number(&data, "threshold"),
            );
            Ok(Answer { data, text })
        }
        Erasure::Root(RootVerb::Status) => {
            let data = ask(settings, &talk, Ask::Root).await?;
            let text = status(&data);
            Ok(Answer { data, text })
        }
        Erasure::Root(RootVerb::Rekey { reason }) => {
            let data = ask(settings, &talk, Ask::Rekey { reason }).await?;
            let text = moved(&data);
            Ok(Answer { data, text })
        }
        Erasure::Root(RootVerb::Reshare { shares }) => {
            let mut texts = Vec::new();
            for path in &shares {
                texts.push(read_share(path)?.to_string());
            }
            let data = ask(settings, &talk, Ask::Reshare { shares: texts }).await?;
            let text = moved(&data);
            Ok(Answer { data, text })
        }
        Erasure::Subject(SubjectVerb::Verify(_)) | Erasure::Share(ShareVerb::Destroy { .. }) => {
            Err(Failure::new(Exit::Unsupported, "that is done from files"))
        }
    }
}

fn names(data: &Value, field: &str) -> String {
    let list = show::list(data, field).iter();
    let words: Vec<&str> = list.filter_map(Value::as_str).collect();
    words.join(", ")
}

/// What a move of the root came to.
pub fn moved(data: &Value) -> String {
    show::fields(&[
        ("root", show::number(data, "root").to_string()),
        (
            "shares of",
            format!("dealing {}", show::number(data, "epoch")),
        ),
        ("new shares", names(data, "new_shares")),
    ])
}

fn erased(data: &Value) -> String {
    let more = show::fields(&[
        ("erasure", show::text(data, "erasure")),
        ("objects", show::number(data, "objects").to_string()),
        ("opening", show::text(data, "opening")),
        ("state", show::text(data, "state")),
    ]);
    format!("{more}{}", moved(data))
}

fn row(erasure: &Value) -> Vec<String> {
    vec![
        show::text(erasure, "erasure"),
        show::time(show::number(erasure, "ordered_unix_ms")),
        show::number(erasure, "objects").to_string(),
        show::text(erasure, "state"),
    ]
}

fn status(data: &Value) -> String {
    let head = show::fields(&[
        ("root", show::number(data, "root").to_string()),
        ("dealing", show::number(data, "epoch").to_string()),
        ("threshold", show::number(data, "threshold").to_string()),
    ]);
    let rows: Vec<Vec<String>> = show::list(data, "dealings")
        .iter()
        .map(|dealing| {
            vec![
                show::number(dealing, "root").to_string(),
                show::number(dealing, "epoch").to_string(),
                names(dealing, "destroyed"),
                names(dealing, "not_destroyed"),
                if dealing.get("opens") == Some(&Value::Bool(true)) {
                    "yes"
                } else {
                    "no"
                }
                .to_owned(),
            ]
        })
        .collect();
    let table = show::table(
        &[
            "ROOT",
            "DEALING",
            "DESTROYED BY",
            "NOT DESTROYED BY",
            "CAN BE OPENED",
        ],
        &rows,
    );
    format!("{head}\n{table}")
}

fn receipt(mut data: Value, out: &Path) -> Outcome {
    let text = show::text(&data, "receipt");
    write_new(out, &text, 0o644)?;
    if let Some(fields) = data.as_object_mut() {
        fields.remove("receipt");
        fields.insert("file".to_owned(), json!(out));
    }
    let text = show::fields(&[
        ("receipt", out.display().to_string()),
        ("state", show::text(&data, "state")),
    ]);
    Ok(Answer { data, text })
}
