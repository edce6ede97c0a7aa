//! The docket at the running node: handing documents in, looking, and having an act carried out. The node judges;
//! here files are read and its answer is shown.

use super::Node;
use super::args::{Execute, GlassReport, HandIn};
use super::read;
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::show;
use crate::talk::Talk;
use charter::approval::files as disk;
use serde_json::{Value, json};
use site::control::Request;
use std::path::Path;
use words::limits::{APPROVALS_MAX, APPROVERS_MAX, CHARTER_BYTES_MAX, ORDER_BYTES_MAX};

/// Digits of a request's digest.
const DIGEST_DIGITS: usize = 128;

fn give(node: Node<'_>, document: String) -> Result<Value, Failure> {
    node(Request::HandIn { document })
}

fn text(path: &Path) -> Result<String, Failure> {
    read::text(path, ORDER_BYTES_MAX)
}

/// Hands the document that was just written to the node, if that was asked for.
pub fn then(asked: bool, file: &Path, node: Node<'_>, mut answer: Answer) -> Outcome {
    if !asked {
        return Ok(answer);
    }
    let written = file.display();
    let given = give(node, text(file)?).map_err(|mut failure| {
        failure.message = format!(
            "{written} is written, and the node did not take it: {}",
            failure.message
        );
        failure
    })?;
    let request = given.get("request").cloned().unwrap_or(Value::Null);
    answer.text.push_str(&show::fields(&[
        ("at the node", state(&request)),
        ("still needed", names(&request, "still_needed")),
    ]));
    answer.data["node"] = request;
    Ok(answer)
}

fn state(request: &Value) -> String {
    let why = show::text(request, "why");
    let state = show::text(request, "state");
    match why.is_empty() {
        true => state,
        false => format!("{state}: {why}"),
    }
}

fn names(value: &Value, field: &str) -> String {
    let list = show::list(value, field);
    let names: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    names.join("; ")
}

/// `clarence hand-in`
pub fn hand_in(asked: &HandIn, node: Node<'_>) -> Outcome {
    let mut taken = Vec::new();
    let mut rows = Vec::new();
    for path in read::spread(&asked.documents, ".card", 8 * APPROVERS_MAX)? {
        let given = text(&path).and_then(|text| give(node, text));
        let given = given.map_err(|mut failure| {
            failure.message = format!("{}: {}", path.display(), failure.message);
            failure.suggest("what was handed in before this one was taken")
        })?;
        let what = match given.get("card") {
            Some(person) => format!("card of {}", person.as_str().unwrap_or_default()),
            None => given.get("request").map(state).unwrap_or_default(),
        };
        rows.push(vec![path.display().to_string(), what]);
        let mut one = given;
        one["file"] = json!(path);
        taken.push(one);
    }
    Ok(Answer {
        data: json!({ "taken": taken }),
        text: show::table(&["FILE", "AT THE NODE"], &rows),
    })
}

/// `clarence docket`
pub fn docket(node: Node<'_>) -> Outcome {
    let data = node(Request::Docket)?;
    let rows: Vec<Vec<String>> = show::list(&data, "requests").iter().map(row).collect();
    let head = [
        "REQUEST",
        "VERB",
        "CLASS",
        "BY",
        "STATE",
        "STILL NEEDED",
        "NOT BEFORE",
        "NOT AFTER",
        "REASON",
    ];
    Ok(Answer {
        text: show::table(&head, &rows),
        data,
    })
}

fn row(request: &Value) -> Vec<String> {
    let digest: String = show::text(request, "request_digest")
        .chars()
        .take(12)
        .collect();
    vec![
        format!("{digest}…"),
        show::text(request, "verb"),
        show::text(request, "class"),
        show::text(request, "proposer"),
        show::text(request, "state"),
        names(request, "still_needed"),
        show::text(request, "earliest"),
        show::text(request, "expires"),
        show::text(request, "reason"),
    ]
}

/// `clarence execute --node`
pub fn execute(asked: &Execute, node: Node<'_>, talk: Talk) -> Outcome {
    if asked.words.len() > 2 * APPROVALS_MAX {
        let message = format!(
            "at most {} approvals and vetoes are read",
            2 * APPROVALS_MAX
        );
        return Err(Failure::usage(message));
    }
    let digest = lodge(&asked.request, node, talk)?;
    let mut refused = Vec::new();
    for path in &asked.words {
        let given = text(path).and_then(|text| give(node, text));
        if let Err(failure) = given {
            if failure.exit == Exit::Network {
                return Err(failure);
            }
            talk.warn(&format!("{}: {}", path.display(), failure.message));
            refused.push(json!({ "file": path, "type": failure.kind, "why": failure.message }));
        }
    }
    let paper = match &asked.with {
        Some(path) => Some(read::text(path, CHARTER_BYTES_MAX)?),
        None => None,
    };
    let carried = node(Request::CarryOut {
        request: digest,
        paper,
    });
    let mut data = carried.map_err(|failure| match refused.is_empty() {
        true => failure,
        false => failure.finding(json!({ "refused": refused }), String::new()),
    })?;
    data["refused"] = Value::Array(refused);
    Ok(Answer {
        text: done(&data, talk),
        data,
    })
}

/// Hands the request, or everything in an order, to the node, and gives the request's digest.
fn lodge(request: &Path, node: Node<'_>, talk: Talk) -> Result<String, Failure> {
    let shown = request.display().to_string();
    let is_digest = shown.len() == DIGEST_DIGITS && shown.bytes().all(|c| c.is_ascii_hexdigit());
    if is_digest {
        return Ok(shown.to_lowercase());
    }
    let content = text(request)?;
    if !content.starts_with("clarence execution order,") {
        let signed = disk::load_request(request)?;
        give(node, content)?;
        return Ok(signed.request().digest().to_string());
    }
    let order = disk::load_order(request)?;
    give(node, order.signed().to_text())?;
    for approval in order.approvals() {
        if let Err(failure) = give(node, approval.to_text()) {
            talk.warn(&format!(
                "{shown}, approval of {}: {}",
                approval.by(),
                failure.message
            ));
        }
    }
    Ok(order.digest().to_string())
}

fn done(data: &Value, talk: Talk) -> String {
    let mut rows = vec![
        ("carried out", show::text(data, "verb")),
        ("approved by", names(data, "approved_by")),
        ("ledger entry", show::text(data, "ledger_index")),
    ];
    if let Some(charter) = data.get("charter") {
        rows.push(("charter", show::text(charter, "charter_digest")));
    }
    if let Some(credential) = data.get("credential") {
        talk.note("The secret key is shown only now.");
        rows.push(("endpoint", show::text(credential, "endpoint")));
        rows.push(("access key", show::text(credential, "access_key")));
        rows.push(("secret key", show::text(credential, "secret_key")));
        let expires = match show::number(credential, "expires_unix_ms") {
            0 => String::new(),
            at => show::time(at),
        };
        rows.push(("expires", expires));
    }
    show::fields(&rows)
}

/// `clarence glass-report`
pub fn glass_report(asked: &GlassReport, node: Node<'_>) -> Outcome {
    let data = node(Request::GlassReport {
        access_key: asked.access_key.clone(),
        report: asked.report.clone(),
    })?;
    Ok(Answer {
        data,
        text: "The report is in the ledger.".into(),
    })
}
