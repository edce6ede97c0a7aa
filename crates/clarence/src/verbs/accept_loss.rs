//! `clarence accept-loss`: the quorum lets a site that is behind serve, and gives up what only the other one
//! had.

use crate::args::AcceptLoss;
use crate::config::Settings;
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::node;
use crate::talk::Talk;
use crate::verbs::shares::read_share;
use charter::ShareFile;
use serde_json::json;
use site::control::Request;

pub async fn accept_loss(settings: &Settings, asked: &AcceptLoss, talk: Talk) -> Outcome {
    let mut shares = Vec::new();
    for path in &asked.shares {
        let text = read_share(path)?;
        shares.push(ShareFile::parse(text.as_bytes()).map_err(Failure::usage)?);
    }
    if node::ask(settings, &Talk::silent(), Request::Status)
        .await
        .is_ok()
    {
        let why = "the node runs, so no loss has to be accepted; nothing was changed";
        return Err(Failure::new(Exit::Conflict, why)
            .suggest("`clarence accept-loss` is for a node that refuses to start"));
    }
    let report = node::accept_loss(settings, asked.site.site(), shares).await?;
    let record = report.record;
    let parties: Vec<String> = report.parties.iter().map(ToString::to_string).collect();
    talk.warn("what only the other site held is given up; if its folder comes back it is healed from this one");
    let text = format!(
        "The loss is accepted by {}: {} serves alone from epoch {} on. Start the node with `clarence serve`.",
        parties.join(" and "),
        asked.site.site(),
        record.epoch
    );
    let data = json!({
        "site": asked.site.site().to_string(),
        "epoch": record.epoch,
        "parties": parties,
        "ledger_index": report.ledger_index,
    });
    Ok(Answer { data, text })
}
