//! `clarence embassy lend`, `loans`, `recall`, `resume`: keys of buckets at a host that stay here.

use super::args::Lend;
use super::{read, runtime};
use crate::args::Everywhere;
use crate::exit::{Answer, Failure, Outcome};
use crate::joint::read as file;
use crate::talk::Talk;
use crate::{node, show};
use serde_json::Value;
use site::control::{Lending, Request};

const KEYS_BYTES_MAX: usize = 16 * 1024;

fn ask(everywhere: &Everywhere, asked: Lending, talk: &Talk) -> Result<Value, Failure> {
    let settings = read(everywhere)?;
    runtime()?.block_on(node::ask(&settings, talk, Request::Lending(asked)))
}

pub fn lend(everywhere: &Everywhere, asked: Lend, talk: Talk) -> Outcome {
    let place = node::embassy_place(&asked.host, &asked.bucket)?;
    let place = serde_json::to_string(&place).map_err(Failure::usage)?;
    let host_keys = file::text(&asked.host_keys, KEYS_BYTES_MAX)?;
    let lend = Lending::Lend {
        tenant: asked.tenant,
        bucket: asked.bucket,
        place,
        host_keys,
        seconds: asked.seconds,
    };
    let data = ask(everywhere, lend, &talk)?;
    let next = match show::text(&data, "state").as_str() {
        "waiting" => format!(
            "a quorum has to approve: clarence propose lease-grant loan={} minutes={} …",
            show::text(&data, "loan"),
            show::number(&data, "seconds").div_ceil(60)
        ),
        "lent" => "the host serves the bucket while this node answers".to_owned(),
        _ => "the host has not made the bucket yet; it is tried again".to_owned(),
    };
    let text = one(&data) + &show::fields(&[("next", next)]);
    Ok(Answer { data, text })
}

pub fn loans(everywhere: &Everywhere, talk: Talk) -> Outcome {
    let data = ask(everywhere, Lending::Loans, &talk)?;
    let empty = Vec::new();
    let loans = data["loans"].as_array().unwrap_or(&empty);
    let rows: Vec<Vec<String>> = loans.iter().map(row).collect();
    let head = [
        "LOAN", "BUCKET", "AT", "STATE", "SECONDS", "ANSWERED", "LAST", "TROUBLE",
    ];
    let text = match rows.is_empty() {
        true => "No key is lent.\n".to_owned(),
        false => show::table(&head, &rows),
    };
    Ok(Answer { data, text })
}

fn row(loan: &Value) -> Vec<String> {
    let last = match loan["last"].is_null() {
        true => "-".to_owned(),
        false => show::text(&loan["last"], "reason"),
    };
    let trouble = match loan["trouble"].is_null() {
        true => "-".to_owned(),
        false => show::text(loan, "trouble"),
    };
    vec![
        show::text(loan, "loan"),
        show::text(loan, "bucket"),
        show::text(loan, "at"),
        show::text(loan, "state"),
        show::number(loan, "seconds").to_string(),
        show::number(loan, "answered").to_string(),
        last,
        trouble,
    ]
}

pub fn recall(everywhere: &Everywhere, loan: String, talk: Talk) -> Outcome {
    let data = ask(everywhere, Lending::Recall { loan }, &talk)?;
    let told = match data["host_told"].as_bool() {
        Some(true) => "told; it has forgotten the key".to_owned(),
        _ => format!(
            "not reached ({}); it forgets the key within {} s, when its lease ends",
            show::text(&data, "why_not_told"),
            show::number(&data, "seconds")
        ),
    };
    let text = one(&data) + &show::fields(&[("host", told)]);
    Ok(Answer { data, text })
}

pub fn resume(everywhere: &Everywhere, loan: String, talk: Talk) -> Outcome {
    let data = ask(everywhere, Lending::Resume { loan }, &talk)?;
    let text = one(&data);
    Ok(Answer { data, text })
}

fn one(data: &Value) -> String {
    let mut fields = vec![
        ("loan", show::text(data, "loan")),
        ("bucket", show::text(data, "bucket")),
        ("at", show::text(data, "at")),
        ("log of the host", show::text(data, "host")),
        ("fingerprint", show::text(data, "host_fingerprint")),
        ("state", show::text(data, "state")),
        (
            "longest lease",
            format!("{} s", show::number(data, "seconds")),
        ),
    ];
    if !data["trouble"].is_null() {
        fields.push(("trouble", show::text(data, "trouble")));
    }
    show::fields(&fields)
}
