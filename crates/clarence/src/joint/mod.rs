//! Joint control on the command line: charters, approvers, requests and their approvals. Files in, files out; a
//! node is asked only where `--node` says so, or where the verb is about its docket.

pub mod args;
mod docket;
mod judge;
mod papers;
mod people;
pub mod read;
mod requests;
mod who;

use crate::exit::Outcome;
use crate::talk::Talk;
use args::Joint;
use host::Host;
use serde_json::Value;
use site::control::Request;

/// Asks the running node for one thing.
pub type Node<'a> = &'a dyn Fn(Request) -> Result<Value, crate::exit::Failure>;

/// Does what was asked.
pub fn perform(asked: Joint, node: Node<'_>, talk: Talk) -> Outcome {
    let host = Host::real();
    match asked {
        Joint::Charter(asked) => papers::charter(&asked, &host),
        Joint::Approver(asked) => people::approver(&asked, &host),
        Joint::WhoCan(asked) => who::who_can(&asked),
        Joint::Propose(asked) => {
            let made = requests::propose(&asked, &host)?;
            docket::then(asked.node, &asked.out, node, made)
        }
        Joint::Approve(asked) => {
            let made = requests::approve(&asked, &host, talk)?;
            docket::then(asked.node, &asked.out, node, made)
        }
        Joint::Veto(asked) => {
            let made = requests::veto(&asked, &host, talk)?;
            docket::then(asked.decide.node, &asked.decide.out, node, made)
        }
        Joint::ShowRequest(asked) => requests::show(&asked),
        Joint::Check(asked) => judge::check(&asked, &host, talk),
        Joint::Execute(asked) if asked.node => docket::execute(&asked, node, talk),
        Joint::Execute(asked) => judge::execute(asked, &host, talk),
        Joint::HandIn(asked) => docket::hand_in(&asked, node),
        Joint::Docket => docket::docket(node),
        Joint::GlassReport(asked) => docket::glass_report(&asked, node),
    }
}
