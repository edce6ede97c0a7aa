//! Joint control on the command line: charters, approvers, requests and their approvals. Files in, files out; no
//! node is asked, and none is changed.

pub mod args;
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

/// Does what was asked.
pub fn perform(asked: Joint, talk: Talk) -> Outcome {
    let host = Host::real();
    match asked {
        Joint::Charter(asked) => papers::charter(&asked, &host),
        Joint::Approver(asked) => people::approver(&asked, &host),
        Joint::WhoCan(asked) => who::who_can(&asked),
        Joint::Propose(asked) => requests::propose(&asked, &host),
        Joint::Approve(asked) => requests::approve(&asked, &host, talk),
        Joint::Veto(asked) => requests::veto(&asked, &host, talk),
        Joint::ShowRequest(asked) => requests::show(&asked),
        Joint::Check(asked) => judge::check(&asked, &host, talk),
        Joint::Execute(asked) => judge::execute(&asked, &host, talk),
    }
}
