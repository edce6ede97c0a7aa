//! `clarence hsm`, and the process that loads a PKCS #11 module.

use crate::config::Settings;
use crate::custody_args::Hsm;
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::talk::Talk;
use crate::verbs::shares::read_share;
use crate::{node, show};
use ::hsm::{Access, Program};
use charter::ShareFile;
use host::Host;
use serde_json::{Value, json};
use site::control::Request;
use site::{EnrolReport, MODULE_VERB};
use std::path::{Path, PathBuf};

/// The process of its own. It says nothing to people: the node reads its socket.
pub fn module() -> Outcome {
    match ::hsm::serve() {
        Ok(()) => std::process::exit(0),
        Err(error) => Err(Failure::new(
            Exit::Usage,
            format!("this verb is started by the node, with a socket as stdin: {error}"),
        )),
    }
}

pub async fn hsm(asked: Hsm, settings: &Settings, talk: Talk) -> Outcome {
    match asked {
        Hsm::Probe { module } => probe(settings, module),
        Hsm::Status => status(settings),
        Hsm::Enrol { shares, hsm } => {
            let token = hsm
                .as_deref()
                .map(Access::parse)
                .transpose()
                .map_err(|e| Failure::usage(format!("--hsm: {e}")))?;
            let shares = read_shares(settings, &shares).await?;
            let report = node::hsm_enrol(settings, shares, token).await?;
            talk.warn("copies of the site folders made before now still open with shares alone, until the sites' keys are changed");
            if report.count < 2 {
                talk.warn("only one token is enrolled: if it is lost, the cloud is lost; enrol a second one");
            }
            let text = format!(
                "The token {:?} ({}) is needed from now on, besides the shares. Enrolled: {}.",
                report.label, report.serial, report.tokens
            );
            Ok(answer(&report, text))
        }
        Hsm::Withdraw { shares } => {
            let shares = read_shares(settings, &shares).await?;
            let report = node::hsm_withdraw(settings, shares).await?;
            let text = format!(
                "The shares open this cloud alone again. Tokens that were enrolled: {}.",
                report.tokens
            );
            Ok(answer(&report, text))
        }
    }
}

fn answer(report: &EnrolReport, text: String) -> Answer {
    let parties: Vec<String> = report.parties.iter().map(ToString::to_string).collect();
    Answer {
        data: json!({
            "label": report.label,
            "serial": report.serial,
            "enrolled": report.count,
            "parties": parties,
            "ledger_index": report.ledger_index,
        }),
        text,
    }
}

async fn read_shares(settings: &Settings, paths: &[PathBuf]) -> Result<Vec<ShareFile>, Failure> {
    let mut shares = Vec::new();
    for path in paths {
        let text = read_share(path)?;
        shares.push(ShareFile::parse(text.as_bytes()).map_err(Failure::usage)?);
    }
    match node::ask(settings, &Talk::silent(), Request::Status).await {
        Ok(_) => Err(Failure::new(
            Exit::Conflict,
            "the node runs; what opens it is changed while it is stopped; nothing was changed",
        )
        .suggest("stop it with `clarence stop`, then give the same command again")),
        Err(_) => Ok(shares),
    }
}

fn probe(settings: &Settings, module: Option<PathBuf>) -> Outcome {
    let configured = node::config(settings)?.hsm.map(|access| access.module);
    let module = module
        .or(configured)
        .ok_or_else(|| Failure::usage("no module is named; give --module FILE, or set hsm.uri"))?;
    let tokens = tokens(&module)?;
    let rows: Vec<Vec<String>> = tokens
        .iter()
        .map(|token| {
            vec![
                token.label.clone(),
                token.serial.clone(),
                token.model.clone(),
                yes(token.able),
                yes(token.locked),
            ]
        })
        .collect();
    let data: Vec<Value> = tokens
        .iter()
        .map(|token| {
            json!({
                "label": token.label,
                "serial": token.serial,
                "model": token.model,
                "able": token.able,
                "pin_locked": token.locked,
            })
        })
        .collect();
    Ok(Answer {
        data: json!({ "module": module, "tokens": data }),
        text: show::table(&["LABEL", "SERIAL", "MODEL", "AES-GCM", "LOCKED"], &rows),
    })
}

fn tokens(module: &Path) -> Result<Vec<::hsm::TokenFacts>, Failure> {
    let program = Program::own(MODULE_VERB).map_err(|e| Failure::new(Exit::General, e))?;
    ::hsm::Hsm::probe(Host::real(), program, &module.display().to_string())
        .map_err(|e| Failure::new(Exit::General, e).named("hsm"))
}

fn yes(flag: bool) -> String {
    if flag { "yes" } else { "no" }.to_owned()
}

fn status(settings: &Settings) -> Outcome {
    let status = node::hsm_status(settings)?;
    let holders: Vec<Value> = status
        .holders
        .iter()
        .map(|holder| {
            json!({
                "label": holder.label,
                "serial": holder.serial,
                "key": holder.key.to_string(),
                "since_unix_ms": holder.made.0,
            })
        })
        .collect();
    let (opens, why) = match &status.opens {
        None => (Value::Null, Value::Null),
        Some(Ok(())) => (json!(true), Value::Null),
        Some(Err(why)) => (json!(false), json!(why)),
    };
    let data = json!({ "enrolled": holders, "opens": opens, "why": why });
    if let Some(Err(why)) = &status.opens {
        let failure = Failure::new(Exit::Auth, why).named("hsm");
        return Err(failure.finding(data, String::new()));
    }
    let rows: Vec<Vec<String>> = status
        .holders
        .iter()
        .map(|holder| {
            vec![
                holder.label.clone(),
                holder.serial.clone(),
                show::time(holder.made.0),
            ]
        })
        .collect();
    let text = match (rows.is_empty(), &status.opens) {
        (true, _) => {
            "No HSM holds a part of this cloud; a quorum of shares opens it alone.".to_owned()
        }
        (false, None) => format!(
            "{}\nhsm.uri is not set, so no token was asked.",
            show::table(&["LABEL", "SERIAL", "SINCE"], &rows)
        ),
        (false, Some(_)) => format!(
            "{}\nThe token of hsm.uri opens its part.",
            show::table(&["LABEL", "SERIAL", "SINCE"], &rows)
        ),
    };
    Ok(Answer { data, text })
}
