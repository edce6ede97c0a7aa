//! `clarence unseal` and `clarence seal`.

use crate::args::Unseal;
use crate::config::Settings;
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::talk::Talk;
use crate::{node, show};
use charter::files::FileError;
use charter::{ShareFile, files};
use serde_json::{Value, json};
use site::control::Request;
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const STDIN_BYTES_MAX: u64 = 64 * 1024;

/// Gives every share; one that is refused does not keep the others from being given.
pub async fn unseal(settings: &Settings, asked: &Unseal, talk: Talk) -> Outcome {
    let mut refused = Vec::new();
    let mut last = Value::Null;
    for path in &asked.shares {
        let given = match crate::custody::read_any(path, &asked.identities) {
            Ok(share) => {
                node::ask(
                    settings,
                    &talk,
                    Request::Unseal {
                        share: share.to_string(),
                    },
                )
                .await
            }
            Err(failure) => Err(failure),
        };
        match given {
            Ok(answer) => last = answer,
            Err(failure) if failure.exit == Exit::Network => return Err(failure),
            Err(mut failure) => {
                failure.message = named(path, &failure.message);
                talk.warn(&failure.message);
                refused.push((path, failure));
            }
        }
        if last.get("sealed") == Some(&Value::Bool(false)) {
            break;
        }
    }
    finish(last, refused)
}

fn finish(answer: Value, refused: Vec<(&PathBuf, Failure)>) -> Outcome {
    let list: Vec<Value> = refused
        .iter()
        .map(|(path, failure)| json!({ "file": path, "why": failure.message }))
        .collect();
    let sealed = answer.get("sealed") != Some(&Value::Bool(false));
    let (given, needed) = (
        show::number(&answer, "shares_given"),
        show::number(&answer, "shares_needed"),
    );
    if sealed && let Some((_, failure)) = refused.into_iter().next() {
        let suggestion =
            "the other shares that were given are kept by the node; give one that fits";
        return Err(failure
            .suggest(suggestion)
            .finding(json!({ "refused": list, "state": answer }), String::new()));
    }
    let officers = show::number(&answer, "officers_needed");
    let lacks = match show::text(&answer, "lacks") {
        condition if condition.is_empty() => String::new(),
        condition => format!(" Those who gave them do not fulfil {condition} yet."),
    };
    let text = if sealed && officers > 0 {
        format!(
            "{} of {officers} officers of {} have given their part; {given} of {needed} shares are given; the node is still sealed.",
            show::number(&answer, "officers_given"),
            show::text(&answer, "party"),
        )
    } else if sealed {
        format!("{given} of {needed} shares are given; the node is still sealed.{lacks}")
    } else if show::text(&answer, "state") == "standby" {
        "The node stands by, and opens itself when it takes over.".to_owned()
    } else {
        "The node is open.".to_owned()
    };
    let mut data = answer;
    data["refused"] = Value::Array(list);
    Ok(Answer { data, text })
}

fn named(path: &Path, message: &str) -> String {
    let shown = path.display().to_string();
    if message.contains(&shown) {
        message.to_owned()
    } else {
        format!("{shown}: {message}")
    }
}

/// The text of a share file, checked here first so that a damaged one is named with its path.
pub fn read_share(path: &Path) -> Result<Zeroizing<String>, Failure> {
    if path.as_os_str() != "-" {
        return match files::load_share(path) {
            Ok(share) => Ok(share.to_text()),
            Err(error @ FileError::Missing(_)) => Err(Failure::new(Exit::NotFound, error)),
            Err(error @ FileError::Io { .. }) => Err(Failure::new(Exit::General, error)),
            Err(error) => Err(Failure::usage(error).named("share")),
        };
    }
    let mut text = Zeroizing::new(Vec::new());
    std::io::stdin()
        .lock()
        .take(STDIN_BYTES_MAX)
        .read_to_end(&mut text)
        .map_err(|e| Failure::usage(format!("the share could not be read from stdin: {e}")))?;
    match ShareFile::parse(&text) {
        Ok(share) => Ok(share.to_text()),
        Err(error) => Err(Failure::usage(format!("stdin: {error}")).named("share")),
    }
}

pub async fn seal(settings: &Settings, talk: Talk) -> Outcome {
    let data = node::ask(settings, &talk, Request::Seal).await?;
    Ok(Answer {
        data,
        text: "The node has forgotten its keys and serves nothing until it is unsealed.".into(),
    })
}
