//! `clarence agreement`: what is done on files alone, and what the running node does.

pub mod args;

use crate::config::Settings;
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::joint::read;
use crate::talk::Talk;
use crate::{node, show};
use agreement::{Language, Side, Word, record_of_processing};
use args::{Agreement as Asked, Ended, Lang, SideSaid, SignAsked};
use charter::approval::files::write_new;
use charter::approval::{Bearer, KeyFile};
use serde_json::{Value, json};
use site::control::{AgreementAsked, Request, SideAsked};
use std::path::Path;
use words::hex;

const DOCUMENT_BYTES_MAX: usize = 64 * 1024;

/// Does what works on files alone; `None` for what needs the running node.
pub fn offline(asked: &Asked) -> Option<Outcome> {
    match asked {
        Asked::Template => {
            let text = agreement::Agreement::template().to_owned();
            let data = json!({ "template": text });
            Some(Ok(Answer { data, text }))
        }
        Asked::Check { file, out } => Some(check(file, out.as_deref())),
        Asked::Page { file, lang } => Some(page(file, *lang)),
        Asked::Sign(asked) => Some(sign(asked)),
        _ => None,
    }
}

/// The verbs that need the running node.
pub async fn perform(settings: &Settings, asked: Asked, talk: Talk) -> Outcome {
    let about = match asked {
        Asked::Signers { tenant, signers } => AgreementAsked::Signers {
            tenant,
            signers: signers
                .iter()
                .map(|signer| signer_of(signer))
                .collect::<Result<_, _>>()?,
        },
        Asked::Propose { file } => AgreementAsked::Propose {
            document: hex::encode(&document(&file)?.encode()),
        },
        Asked::HandIn { id, file } => AgreementAsked::Sign {
            id,
            paper: read::text(&file, DOCUMENT_BYTES_MAX)?,
        },
        Asked::Activate { id } => AgreementAsked::Activate { id },
        Asked::Suspend(Ended { id, by }) => AgreementAsked::Suspend {
            id,
            by: asked_side(by),
        },
        Asked::Revoke(Ended { id, by }) => AgreementAsked::Revoke {
            id,
            by: asked_side(by),
        },
        Asked::Show { id } => AgreementAsked::Show { id },
        Asked::List => {
            let data = ask(settings, &talk, AgreementAsked::List).await?;
            return Ok(listed(data));
        }
        Asked::Record { lang } => {
            let data = ask(settings, &talk, AgreementAsked::List).await?;
            return record(&data, lang);
        }
        Asked::Template | Asked::Check { .. } | Asked::Page { .. } | Asked::Sign(_) => {
            return Err(Failure::new(Exit::Unsupported, "that is done from files"));
        }
    };
    let data = ask(settings, &talk, about).await?;
    Ok(shown(data))
}

async fn ask(settings: &Settings, talk: &Talk, about: AgreementAsked) -> Result<Value, Failure> {
    node::ask(settings, talk, Request::Agreement(about)).await
}

fn signer_of(said: &str) -> Result<(String, String), Failure> {
    let (role, file) = said
        .split_once('=')
        .ok_or_else(|| Failure::usage(format!("{said:?} is not ROLE=FILE")))?;
    let text = read::text(Path::new(file), DOCUMENT_BYTES_MAX)?;
    Ok((role.to_owned(), text))
}

/// An agreement from a file: the form that is signed, or the text that people wrote.
fn document(file: &Path) -> Result<agreement::Agreement, Failure> {
    let refused = |why: agreement::AgreementError| {
        Failure::usage(format!("{}: {why}", file.display())).named("agreement-bad")
    };
    let most = DOCUMENT_BYTES_MAX as u64;
    let bytes = host::files::read(file, most)
        .map_err(|e| Failure::usage(format!("{} could not be read: {e}", file.display())))?
        .ok_or_else(|| Failure::usage(format!("{} is not there", file.display())))?;
    if file.extension().is_some_and(|ending| ending == "toml") {
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::usage(format!("{} is not UTF-8", file.display())))?;
        return agreement::Agreement::from_toml(&text).map_err(refused);
    }
    agreement::Agreement::decode(&bytes).map_err(refused)
}

fn check(file: &Path, out: Option<&Path>) -> Outcome {
    let agreement = document(file)?;
    let digest = hex::encode(&agreement.digest());
    if let Some(out) = out {
        host::files::write_durable(out, &agreement.encode(), 0o644).map_err(|e| {
            Failure::new(
                Exit::General,
                format!("{} could not be written: {e}", out.display()),
            )
        })?;
    }
    let data = json!({
        "id": agreement.id(),
        "digest": digest,
        "provider": agreement.provider,
        "consumer": agreement.consumer,
        "file": out,
    });
    let mut rows = vec![
        ("agreement", agreement.id()),
        ("digest", digest),
        (
            "between",
            format!(
                "{} (provider) and {} (consumer)",
                agreement.provider, agreement.consumer
            ),
        ),
    ];
    if let Some(out) = out {
        rows.push(("to be signed", out.display().to_string()));
    }
    let text = show::fields(&rows);
    Ok(Answer { data, text })
}

fn page(file: &Path, lang: Lang) -> Outcome {
    let text = document(file)?.page(language(lang));
    Ok(Answer {
        data: json!({ "page": text }),
        text,
    })
}

fn sign(asked: &SignAsked) -> Outcome {
    let agreement = document(&asked.file)?;
    let text = read::text(&asked.key, DOCUMENT_BYTES_MAX)?;
    let key = KeyFile::parse(text.as_bytes())
        .map_err(|e| Failure::usage(format!("{}: {e}", asked.key.display())).named("keys"))?;
    let (side, of) = match asked.side {
        SideSaid::Provider => (Side::Provider, &agreement.provider),
        SideSaid::Consumer => (Side::Consumer, &agreement.consumer),
    };
    let Bearer::Person(bearer) = key.bearer() else {
        return Err(Failure::usage("an agreement is signed by a person"));
    };
    if bearer.party.as_str() != of {
        return Err(Failure::usage(format!(
            "the key is one of {bearer}, and this side of the agreement is {of}"
        )));
    }
    let person = bearer.name.as_str();
    let word = asked.resume.map_or(Word::Agree, Word::Resume);
    let signed = agreement
        .sign(word, side, &asked.role, person, key.key())
        .map_err(|e| Failure::usage(e.to_string()))?;
    write_new(&asked.out, &signed.to_text(), 0o644)?;
    let data = json!({
        "agreement": agreement.id(),
        "person": person,
        "role": asked.role,
        "file": asked.out,
    });
    let text = show::fields(&[
        ("agreement", agreement.id()),
        ("signed by", format!("{person} as {}", asked.role)),
        ("signature", asked.out.display().to_string()),
    ]);
    Ok(Answer { data, text })
}

const fn language(lang: Lang) -> Language {
    match lang {
        Lang::Fr => Language::French,
        Lang::De => Language::German,
        Lang::Lb => Language::Luxembourgish,
        Lang::En => Language::English,
    }
}

const fn asked_side(said: SideSaid) -> SideAsked {
    match said {
        SideSaid::Provider => SideAsked::Provider,
        SideSaid::Consumer => SideAsked::Consumer,
    }
}

fn shown(data: Value) -> Answer {
    if data.get("signers").is_some() {
        let rows = data["signers"].as_array().cloned().unwrap_or_default();
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                let of = |name| show::text(row, name);
                vec![of("role"), of("person"), of("key")]
            })
            .collect();
        let text = show::table(&["ROLE", "PERSON", "KEY"], &rows);
        return Answer { data, text };
    }
    let of = |name| show::text(&data, name);
    let mut rows = vec![
        ("agreement", of("id")),
        ("state", of("state")),
        (
            "between",
            format!(
                "{} (provider) and {} (consumer)",
                of("provider"),
                of("consumer")
            ),
        ),
        ("table", of("table")),
        ("purpose", of("purpose")),
        ("database", of("database")),
    ];
    let signed = data["signed"].as_array().cloned().unwrap_or_default();
    let signed: Vec<String> = signed
        .iter()
        .map(|row| {
            format!(
                "{} ({}, {})",
                show::text(row, "person"),
                show::text(row, "role"),
                show::text(row, "side")
            )
        })
        .collect();
    if !signed.is_empty() {
        rows.push(("signed by", signed.join(", ")));
    }
    let missing = data["missing"].as_array().cloned().unwrap_or_default();
    let missing: Vec<&str> = missing.iter().filter_map(Value::as_str).collect();
    if !missing.is_empty() {
        rows.push(("missing", missing.join("; ")));
    }
    if let Some(times) = data["suspensions"].as_u64().filter(|times| *times > 0) {
        rows.push(("suspended", format!("{times} times")));
    }
    if let Some(previous) = data["previous"].as_str() {
        rows.push(("previous", previous.to_owned()));
    }
    let text = show::fields(&rows);
    Answer { data, text }
}

fn listed(data: Value) -> Answer {
    let all = data["agreements"].as_array().cloned().unwrap_or_default();
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|row| {
            let of = |name| show::text(row, name);
            vec![
                of("id"),
                of("state"),
                of("provider"),
                of("consumer"),
                of("table"),
                of("purpose"),
            ]
        })
        .collect();
    let text = show::table(
        &[
            "AGREEMENT",
            "STATE",
            "PROVIDER",
            "CONSUMER",
            "TABLE",
            "PURPOSE",
        ],
        &rows,
    );
    Answer { data, text }
}

fn record(data: &Value, lang: Lang) -> Outcome {
    let all = data["agreements"].as_array().cloned().unwrap_or_default();
    let mut read = Vec::with_capacity(all.len());
    for row in &all {
        let bytes = hex::decode(&show::text(row, "document")).unwrap_or_default();
        let agreement = agreement::Agreement::decode(&bytes)
            .map_err(|e| Failure::new(Exit::General, e.to_string()))?;
        read.push((show::text(row, "state"), agreement));
    }
    let text = record_of_processing(&read, language(lang));
    Ok(Answer {
        data: json!({ "record": text }),
        text,
    })
}
