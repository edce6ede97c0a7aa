//! `clarence person`.

pub mod args;

use crate::config::Settings;
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::joint::read;
use crate::talk::Talk;
use crate::{node, show};
use args::{Person, VerifyAnswer};
use charter::approval::files::write_new;
use ledger::VerifierKeys;
use people::{ANSWER_BYTES_MAX, Access, COVERS};
use serde_json::{Value, json};
use site::control::{PersonAccesses, Request};
use std::path::Path;

const KEYS_BYTES_MAX: usize = 64 * 1024;

/// Does what works on files alone; `None` for what needs the running node.
pub fn offline(asked: &Person) -> Option<Outcome> {
    match asked {
        Person::Verify(asked) => Some(verify(asked)),
        Person::Accesses { .. } => None,
    }
}

/// The verbs that need the running node.
pub async fn perform(settings: &Settings, asked: Person, talk: Talk) -> Outcome {
    let Person::Accesses {
        tenant,
        subject,
        out,
        reason,
    } = asked
    else {
        return Err(Failure::new(Exit::Unsupported, "that is done from files"));
    };
    let request = Request::PersonAccesses(PersonAccesses {
        tenant,
        subject,
        reason,
    });
    let data = node::ask(settings, &talk, request).await?;
    written(data, &out)
}

fn written(mut data: Value, out: &Path) -> Outcome {
    write_new(out, &show::text(&data, "answer"), 0o600)?;
    if let Some(fields) = data.as_object_mut() {
        fields.remove("answer");
        fields.insert("file".to_owned(), json!(out));
    }
    let text = show::fields(&[
        ("answer", out.display().to_string()),
        ("accesses", show::number(&data, "lines").to_string()),
        (
            "recorded as",
            format!("ledger entry {}", show::number(&data, "entry")),
        ),
        ("it covers", COVERS.to_owned()),
    ]);
    Ok(Answer { data, text })
}

fn verify(asked: &VerifyAnswer) -> Outcome {
    let keys = VerifierKeys::parse(&read::text(&asked.keys, KEYS_BYTES_MAX)?)
        .map_err(|e| Failure::usage(format!("{}: {e}", asked.keys.display())).named("keys"))?;
    let text = read::text(&asked.answer, ANSWER_BYTES_MAX)?;
    let refused = |why: people::AnswerError| {
        let message = format!("{}: {why}", asked.answer.display());
        Failure::new(Exit::General, message).named("answer-bad")
    };
    let answer = people::Answer::read(text.as_bytes()).map_err(refused)?;
    let checked = people::verify(&answer, &keys, Some(&asked.subject)).map_err(refused)?;
    let accesses = checked.accesses.iter();
    let rows: Vec<Vec<String>> = accesses.map(|(name, access)| row(name, access)).collect();
    let table = show::table(
        &["LINE", "TIME", "ABOUT", "RECIPIENT", "DATA", "PURPOSE"],
        &rows,
    );
    let data = json!({
        "tenant": checked.said.tenant.1.to_string(),
        "issued_unix_ms": checked.said.issued.0,
        "entry": checked.said.asked,
        "log_size": checked.said.log.0,
        "covers": COVERS,
        "accesses": checked.accesses.iter().map(|(name, access)| json!({ "name": name, "access": access })).collect::<Vec<_>>(),
    });
    let text = format!("{table}\nIt holds: {} lines, {COVERS}.\n", rows.len());
    Ok(Answer { data, text })
}

fn row(name: &str, access: &Access) -> Vec<String> {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let what = access.data.clone();
    vec![
        name.to_owned(),
        access.time.clone(),
        access.about.clone(),
        access.recipient.clone(),
        what.unwrap_or_else(|| access.operation.clone()),
        or_none(&access.purpose),
    ]
}
