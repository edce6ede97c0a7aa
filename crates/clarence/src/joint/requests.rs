//! `clarence propose`, `approve`, `veto` and `show-request`.

use super::args::{Decide, Propose, ShowRequest, Veto};
use super::read;
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::show;
use crate::talk::Talk;
use charter::approval::files as disk;
use charter::approval::{
    Ask, AskError, Chamber, Decision, Deliberation, Request, Says, SignedRequest,
};
use charter::verbs;
use host::Host;
use serde_json::{Value, json};
use sign::Stamp;
use std::path::Path;

pub fn propose(asked: &Propose, host: &Host) -> Outcome {
    let charter = read::in_force(&asked.charter.charter, &asked.charter.then)?;
    let verb = verbs::find(&asked.verb).ok_or_else(|| {
        Failure::new(Exit::NotFound, format!("there is no verb {:?}", asked.verb))
            .suggest(format!("did you mean {}?", verbs::nearest(&asked.verb)))
    })?;
    let mut parameters = Vec::new();
    for given in &asked.parameters {
        let (name, value) = given.split_once('=').ok_or_else(|| {
            Failure::usage(format!("{given:?} is no parameter; write NAME=VALUE"))
        })?;
        parameters.push((name.to_owned(), value.to_owned()));
    }
    let ask = Ask {
        cloud: read::cloud(&asked.cloud)?,
        verb,
        parameters,
        reason: asked.reason.clone(),
        lasts_hours: asked.lasts_hours,
    };
    let key = disk::load_key(&asked.key)?;
    let signed = Request::propose(&charter, ask, &key, host).map_err(|e| match e {
        AskError::NotAPerson(_) => Failure::new(Exit::Auth, e),
        other => Failure::usage(other),
    })?;
    disk::write_new(&asked.out, &signed.to_text(), 0o644)?;
    Ok(answer(&signed, Some(&asked.out)))
}

pub fn show(asked: &ShowRequest) -> Outcome {
    Ok(answer(&disk::load_request(&asked.request)?, None))
}

/// A request for a person to read and for a script.
fn answer(signed: &SignedRequest, file: Option<&Path>) -> Answer {
    let request = signed.request();
    let parameters: Vec<String> = (request.parameters().iter())
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    let notify: Vec<&str> = request
        .notify()
        .iter()
        .map(words::PartyName::as_str)
        .collect();
    let text = show::fields(&[
        (
            "to do",
            format!("{}: {}", request.verb().name, request.verb().does),
        ),
        ("with", parameters.join("\n             ")),
        (
            "class",
            format!("{}: {}", request.class(), request.class().meaning()),
        ),
        ("reason", request.reason().to_owned()),
        ("proposed by", request.proposer().to_string()),
        ("created", request.created().to_string()),
        ("not before", request.earliest().to_string()),
        ("not after", request.expires().to_string()),
        (
            "ends by",
            request
                .ends()
                .map_or_else(String::new, |ends| ends.to_string()),
        ),
        ("to be told", notify.join(", ")),
        ("cloud", request.cloud().to_string()),
        ("charter", request.charter().to_string()),
        ("digest", request.digest().to_string()),
        (
            "file",
            file.map_or_else(String::new, |path| path.display().to_string()),
        ),
    ]);
    Answer {
        data: data(signed, file),
        text,
    }
}

pub fn data(signed: &SignedRequest, file: Option<&Path>) -> Value {
    let request = signed.request();
    let parameters: serde_json::Map<String, Value> = (request.parameters().iter())
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    let notify: Vec<&str> = request
        .notify()
        .iter()
        .map(words::PartyName::as_str)
        .collect();
    json!({
        "file": file,
        "verb": request.verb().name,
        "class": request.class().word(),
        "parameters": parameters,
        "reason": request.reason(),
        "proposer": request.proposer().to_string(),
        "created": request.created().to_string(),
        "earliest": request.earliest().to_string(),
        "expires": request.expires().to_string(),
        "ends": request.ends().map(|ends| ends.to_string()),
        "notify": notify,
        "cloud": request.cloud().to_string(),
        "charter_digest": request.charter().to_string(),
        "request_digest": request.digest().to_string(),
    })
}

pub fn approve(asked: &Decide, host: &Host, talk: Talk) -> Outcome {
    decide(asked, Says::Approve, None, host, talk)
}

pub fn veto(asked: &Veto, host: &Host, talk: Talk) -> Outcome {
    decide(&asked.decide, Says::Veto, Some(&asked.reason), host, talk)
}

/// Checks what can be checked, and signs.
fn decide(asked: &Decide, says: Says, reason: Option<&str>, host: &Host, talk: Talk) -> Outcome {
    let signed = disk::load_request(&asked.request)?;
    let key = disk::load_key(&asked.key)?;
    let now = Stamp::from_millis(host.now());
    let word = Decision::sign(says, signed.request(), reason, &key, now)
        .map_err(|e| Failure::usage(e).named("document"))?;
    match &asked.charter {
        Some(founding) => {
            let charter = read::in_force(founding, &asked.then)?;
            let roll = read::roll(&charter, &asked.approvers)?;
            let chamber = Chamber {
                cloud: signed.request().cloud(),
                roll: &roll,
            };
            let mut deliberation = Deliberation::open(chamber, signed.clone())?;
            match says {
                Says::Approve => deliberation.approve(word.clone())?,
                Says::Veto => deliberation.veto(word.clone())?,
            }
        }
        None => talk.warn(
            "without --charter and --approvers it was not checked who proposed this, and whether your word counts",
        ),
    }
    disk::write_new(&asked.out, &word.to_text(), 0o644)?;
    let done = match says {
        Says::Approve => "approved",
        Says::Veto => "vetoed",
    };
    let text = show::fields(&[
        (
            done,
            format!(
                "{}: {}",
                signed.request().verb().name,
                signed.request().reason()
            ),
        ),
        ("by", word.by().to_string()),
        ("at", word.at().to_string()),
        ("digest", word.request().to_string()),
        ("file", asked.out.display().to_string()),
    ]);
    let data = json!({
        "file": asked.out,
        "by": word.by().to_string(),
        "at": word.at().to_string(),
        "reason": word.reason(),
        "request_digest": word.request().to_string(),
        "checked": asked.charter.is_some(),
    });
    Ok(Answer { data, text })
}
