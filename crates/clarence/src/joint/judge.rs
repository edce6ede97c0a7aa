//! `clarence check` and `clarence execute`: is it enough, now?
//!
//! This is the verdict on a machine that keeps nothing but files. What it cannot know, it says: when a node first
//! saw the request, and what other machines have carried out.

use super::args::{Charters, Execute, Judge};
use super::read;
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::show;
use crate::talk::Talk;
use charter::approval::files as disk;
use charter::approval::{
    Chamber, Deliberation, Docket, DocketFault, Order, RequestDigest, Roll, Says, Undecided,
};
use host::Host;
use serde_json::{Value, json};
use sign::Stamp;
use std::path::PathBuf;
use words::limits::APPROVALS_MAX;

/// What the files at hand tell: orders written before, and the time that the proposer wrote.
struct Papers {
    done: Vec<Order>,
    created: Stamp,
}

impl Docket for Papers {
    fn executed(&self, request: &RequestDigest) -> Result<bool, DocketFault> {
        Ok(self.done.iter().any(|order| order.digest() == *request))
    }
    fn lodged(&self, _: &RequestDigest) -> Result<Option<Stamp>, DocketFault> {
        Ok(Some(self.created))
    }
    fn latest(&self) -> Result<Stamp, DocketFault> {
        let decided = self.done.iter().map(Order::decided).max();
        Ok(decided.unwrap_or(Stamp::from_seconds(0)))
    }
}

/// Everything that was handed in, read.
struct Case {
    roll: Roll,
    papers: Papers,
    now: Stamp,
}

const ORDERS_MAX: usize = 10_000;

const UNWIRED: &str = "nothing was carried out: this is the verdict by the files given and this machine's clock; the cool-off \
counts from the time that the proposer wrote, where a node counts from when it first saw the request; `clarence execute --node` has it done";

fn case(asked: &Judge, host: &Host) -> Result<Case, Failure> {
    let charter = read::in_force(&asked.charter.charter, &asked.charter.then)?;
    let roll = read::roll(&charter, &asked.approvers)?;
    let mut done = Vec::new();
    for path in read::spread(&asked.done, ".order", ORDERS_MAX)? {
        done.push(disk::load_order(&path)?);
    }
    Ok(Case {
        roll,
        papers: Papers {
            done,
            created: Stamp::from_seconds(0),
        },
        now: Stamp::from_millis(host.now()),
    })
}

/// A word that was not taken, and why.
struct Refused {
    file: PathBuf,
    kind: String,
    why: String,
}

/// Hands in every approval and veto; one that is refused does not keep the others from being taken.
fn hand_in(
    asked: &Judge,
    deliberation: &mut Deliberation<'_>,
    talk: Talk,
) -> Result<Vec<Refused>, Failure> {
    if asked.words.len() > 2 * APPROVALS_MAX {
        let message = format!(
            "at most {} approvals and vetoes are read",
            2 * APPROVALS_MAX
        );
        return Err(Failure::usage(message));
    }
    let mut refused = Vec::new();
    for path in &asked.words {
        let taken = disk::load_decision(path)
            .map_err(Failure::from)
            .and_then(|word| {
                match word.says() {
                    Says::Approve => deliberation.approve(word),
                    Says::Veto => deliberation.veto(word),
                }
                .map_err(Failure::from)
            });
        if let Err(failure) = taken {
            let why = failure.message.clone();
            talk.warn(&format!("{}: {why}", path.display()));
            refused.push(Refused {
                file: path.clone(),
                kind: failure.kind,
                why,
            });
        }
    }
    Ok(refused)
}

fn state(deliberation: &Deliberation<'_>, refused: &[Refused]) -> Value {
    let by = |words: &[charter::approval::Decision]| -> Vec<String> {
        words.iter().map(|word| word.by().to_string()).collect()
    };
    let parties: Vec<String> = deliberation
        .parties()
        .iter()
        .map(ToString::to_string)
        .collect();
    let refused: Vec<Value> = refused
        .iter()
        .map(|one| json!({ "file": one.file, "type": one.kind, "why": one.why }))
        .collect();
    json!({
        "approved_by": by(deliberation.approvals()),
        "vetoed_by": by(deliberation.vetoes()),
        "parties": parties,
        "refused": refused,
    })
}

pub fn check(asked: &Judge, host: &Host, talk: Talk) -> Outcome {
    judge(asked, None, host, talk)
}

/// The verdict on files alone, and the order.
pub fn execute(asked: Execute, host: &Host, talk: Talk) -> Outcome {
    let lacks =
        || Failure::usage("without --node, --cloud, --charter, --approvers and --out are needed");
    let out = asked.out.ok_or_else(lacks)?;
    let judged = Judge {
        request: asked.request,
        words: asked.words,
        cloud: asked.cloud.ok_or_else(lacks)?,
        charter: Charters {
            charter: asked.charter.ok_or_else(lacks)?,
            then: asked.then,
        },
        approvers: asked.approvers,
        done: asked.done,
    };
    judge(&judged, Some(&out), host, talk)
}

fn judge(asked: &Judge, out: Option<&PathBuf>, host: &Host, talk: Talk) -> Outcome {
    let signed = disk::load_request(&asked.request)?;
    let mut case = case(asked, host)?;
    case.papers.created = signed.request().created();
    let chamber = Chamber {
        cloud: read::cloud(&asked.cloud)?,
        roll: &case.roll,
    };
    let mut deliberation = Deliberation::open(chamber, signed.clone())?;
    let refused = hand_in(asked, &mut deliberation, talk)?;
    let mut data = state(&deliberation, &refused);
    let resolution = deliberation
        .resolve(case.now, &case.papers)
        .map_err(|undecided| not_yet(*undecided, &data))?;
    let request = resolution.request();
    let mut rows = vec![
        (
            "may be done",
            format!("{}: {}", request.verb().name, request.verb().does),
        ),
        ("reason", request.reason().to_owned()),
        (
            "approved by",
            show::list(&data, "approved_by")
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(", "),
        ),
        ("until", request.expires().to_string()),
    ];
    let tell: Vec<String> = request.notify().iter().map(ToString::to_string).collect();
    rows.push(("tell", tell.join(", ")));
    data["granted"] = json!(true);
    data["request"] = super::requests::data(&signed, Some(&asked.request));
    data["carried_out"] = json!(false);
    data["note"] = json!(UNWIRED);
    if let Some(path) = out {
        // The resolution is used up here: one verdict, one order.
        let order = Order::from(resolution);
        disk::write_new(path, &order.to_text(), 0o644)?;
        rows.push(("order", path.display().to_string()));
        data["order"] = json!(path);
    }
    talk.warn(UNWIRED);
    Ok(Answer {
        data,
        text: show::fields(&rows),
    })
}

fn not_yet(undecided: Undecided<'_>, state: &Value) -> Failure {
    let Undecided { deliberation, why } = undecided;
    let request = deliberation.request();
    let failure = Failure::from(why);
    let failure = match failure.exit {
        Exit::Auth => failure.suggest(format!(
            "clarence who-can {} says what it takes; what was given stays good until {}",
            request.verb().name,
            request.expires()
        )),
        _ => failure,
    };
    failure.finding(state.clone(), String::new())
}
