//! `clarence restart`: leases for restarts without officers.

use crate::config::Settings;
use crate::custody_args::Restart;
use crate::exit::{Answer, Outcome};
use crate::joint::read;
use crate::talk::Talk;
use crate::{node, show};
use serde_json::Value;
use site::control::Request;
use words::limits::{APPROVERS_MAX, CARD_BYTES_MAX, ORDER_BYTES_MAX};

/// Secure boot: what the machine's firmware let start.
const PCR_USUAL: u8 = 7;

pub async fn restart(settings: &Settings, asked: Restart, talk: Talk) -> Outcome {
    match asked {
        Restart::Grant {
            order,
            approvers,
            pcrs,
            held_by,
        } => {
            let order = read::text(&order, ORDER_BYTES_MAX)?;
            let mut cards = Vec::new();
            for path in read::spread(&approvers, ".card", APPROVERS_MAX)? {
                cards.push(read::text(&path, CARD_BYTES_MAX)?);
            }
            let request = Request::RestartGrant {
                order,
                cards,
                pcrs: if pcrs.is_empty() {
                    vec![PCR_USUAL]
                } else {
                    pcrs
                },
                held_by: held_by.letter().to_owned(),
            };
            let data = node::ask(settings, &talk, request).await?;
            talk.note("The other half lies in the other site's folder: on one machine, whoever has both folders and the TPM has both halves.");
            let text = format!("The lease is granted.\n{}", lease(&data));
            Ok(Answer { data, text })
        }
        Restart::End => {
            let data = node::ask(settings, &talk, Request::RestartEnd).await?;
            let text = match data.get("ended") == Some(&Value::Bool(true)) {
                true => {
                    "The lease is ended and its halves are destroyed; the next restart needs shares."
                }
                false => "There was no lease.",
            };
            let text = text.to_owned();
            Ok(Answer { data, text })
        }
        Restart::Status => {
            let data = node::ask(settings, &talk, Request::RestartStatus).await?;
            let text = match data.get("lease") {
                None | Some(Value::Null) => "There is no lease: a restart needs shares.".to_owned(),
                Some(_) => lease(&data),
            };
            Ok(Answer { data, text })
        }
    }
}

fn lease(data: &Value) -> String {
    let lease = &data["lease"];
    show::fields(&[
        ("node", show::text(lease, "node")),
        ("until", show::time(show::number(lease, "ends_unix_ms"))),
        ("PCRs of the TPM", show::text(lease, "pcrs")),
        ("other half at", show::text(lease, "held_by")),
        (
            "restarts so far",
            show::number(lease, "released").to_string(),
        ),
        ("request", show::text(lease, "request")),
    ])
}
