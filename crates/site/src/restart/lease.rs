//! A lease is an approved request of the verb `lease-restart`: for one node, for some days.

use super::fault::RestartError;
use charter::Charter;
use charter::approval::{Card, Chamber, Deliberation, Order, Request, Roll};
use words::CloudId;

/// The verb of `charter::verbs`.
pub const VERB: &str = "lease-restart";
/// Longest lease.
pub const DAYS_MAX: u16 = 30;
/// Milliseconds of a day.
pub const DAY_MS: u64 = 24 * 3_600_000;

/// For how many days a request lets `node` restart.
pub fn days(request: &Request, node: &str) -> Result<u16, RestartError> {
    let wrong = |why: String| Err(RestartError::Order(why));
    if request.verb().name != VERB {
        return wrong(format!("its verb is {}, not {VERB}", request.verb().name));
    }
    match request.parameter("node") {
        Some(named) if named == node => {}
        named => {
            return wrong(format!(
                "it is for the node {:?}, and this is {node:?}",
                named.unwrap_or_default()
            ));
        }
    }
    let days = request.parameter("days").and_then(|text| text.parse().ok());
    match days {
        Some(days) if (1..=DAYS_MAX).contains(&days) => Ok(days),
        _ => wrong(format!("days must be 1 to {DAYS_MAX}")),
    }
}

/// The approvers whose cards hold under the charter.
pub fn roll(charter: &Charter, cards: &[String]) -> Result<Roll, RestartError> {
    let mut roll = Roll::new(charter);
    for card in cards {
        roll.enrol(Card::parse(card.as_bytes())?)?;
    }
    Ok(roll)
}

/// The order with all its signatures checked against the charter in force.
pub fn reopen<'a>(
    order: &Order,
    cloud: CloudId,
    roll: &'a Roll,
) -> Result<Deliberation<'a>, RestartError> {
    Ok(order.reopen(Chamber { cloud, roll })?)
}
