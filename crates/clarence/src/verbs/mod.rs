//! One file for each verb or family of verbs.

mod accept_loss;
mod configuration;
mod crypto;
mod doctor;
mod doctor_buckets;
pub mod found;
mod hsm;
mod identity;
mod join;
mod keys;
mod ledger;
mod machine;
mod proxy;
mod restart;
mod serve;
mod shares;
mod sites;
mod status;
pub mod tls;
mod trust_anchor;
mod verify;
mod witnessed;

pub use serve::serve_guest;
pub use shares::read_share;

use crate::args::{Cli, Config, Crypto, Everywhere, Verb};
use crate::config::{Places, Settings};
use crate::custody::args::{Custody, Share};
use crate::erasure::args::Erasure;
use crate::exit::{Exit, Failure, Outcome};
use crate::ledger_args::Ledger;
use crate::talk::Talk;
use serde_json::Value;
use site::control::Request;
use std::future::Future;

fn erasure(asked: Erasure, everywhere: &Everywhere, talk: Talk) -> Outcome {
    match crate::erasure::offline(&asked, talk) {
        Some(outcome) => outcome,
        None => {
            let settings = settings(everywhere)?;
            waiting(crate::erasure::perform(&settings, asked, talk))
        }
    }
}

/// Does what was asked.
pub fn perform(cli: Cli, talk: Talk) -> Outcome {
    let everywhere = &cli.everywhere;
    match cli.verb {
        Verb::Completions(asked) => machine::completions(&asked),
        Verb::Version => machine::version(),
        Verb::Joint(asked) => {
            let node = |request| ask_node(everywhere, request, talk);
            crate::joint::perform(asked, &node, talk)
        }
        Verb::Guest(asked) => crate::guest::guest(everywhere, asked, talk),
        Verb::Embassy(asked) => crate::guest::embassy(everywhere, asked, talk),
        Verb::Backup(asked) => crate::backup::backup(everywhere, &asked, talk),
        Verb::Restore(asked) => crate::backup::restore(everywhere, &asked, talk),
        Verb::Erasure(asked) => erasure(asked, everywhere, talk),
        Verb::Agreement(asked) => match crate::agreement::offline(&asked) {
            Some(outcome) => outcome,
            None => {
                let settings = settings(everywhere)?;
                waiting(crate::agreement::perform(&settings, asked, talk))
            }
        },
        Verb::Person(asked) => match crate::person::offline(&asked) {
            Some(outcome) => outcome,
            None => {
                let settings = settings(everywhere)?;
                waiting(crate::person::perform(&settings, asked, talk))
            }
        },
        Verb::Sql(asked) => crate::sql::perform(everywhere, asked, talk),
        Verb::Custody(Custody::Share(Share::Replaced(asked))) => {
            erasure(Erasure::Share(asked), everywhere, talk)
        }
        Verb::Custody(Custody::Share(asked)) => crate::custody::share(asked),
        Verb::Up(up) => serve::up(everywhere, &up, talk),
        Verb::Serve(asked) => serve::serve(everywhere, &asked, talk),
        Verb::Config(Config::Check) => configuration::check(&settings(everywhere)?),
        Verb::Config(Config::Show { origin }) => {
            configuration::show(&settings(everywhere)?, origin)
        }
        Verb::Proxy(asked) => proxy::proxy(everywhere, &asked, talk),
        Verb::Tls(asked) => tls::tls(&settings(everywhere)?, &asked, talk),
        Verb::Pkcs11Module => hsm::module(),
        Verb::Hsm(asked) => waiting(hsm::hsm(asked, &settings(everywhere)?, talk)),
        Verb::Doctor => waiting(doctor::doctor(everywhere, talk)),
        Verb::Witness(asked) => crate::witness::perform(&asked, everywhere.json, talk),
        Verb::Ledger(Ledger::Verify(asked)) => verify::verify(everywhere, &asked, talk),
        Verb::Ledger(Ledger::Ask(asked)) => witnessed::ask(everywhere, &asked, talk),
        Verb::Ledger(Ledger::Cosign(asked)) => witnessed::cosign(everywhere, &asked, talk),
        verb => {
            let settings = settings(everywhere)?;
            waiting(ask(verb, &settings, talk))
        }
    }
}

/// The verbs that need the running node, or make one.
async fn ask(verb: Verb, settings: &Settings, talk: Talk) -> Outcome {
    match verb {
        Verb::Found(asked) => found::found(settings, &asked, talk).await,
        Verb::Join => join::join(settings).await,
        Verb::Unseal(asked) => shares::unseal(settings, &asked, talk).await,
        Verb::Seal => shares::seal(settings, talk).await,
        Verb::Status => status::status(settings, talk).await,
        Verb::Tenant(asked) => keys::tenant(settings, asked, talk).await,
        Verb::Key(asked) => keys::key(settings, asked, talk).await,
        Verb::Identity(asked) => identity::identity(settings, asked, talk).await,
        Verb::TrustAnchor(asked) => trust_anchor::trust_anchor(settings, asked, talk).await,
        Verb::Meter(asked) => identity::meter(settings, asked, talk).await,
        Verb::Policy(asked) => identity::policy(settings, asked, talk).await,
        Verb::Ledger(asked) => ledger::ledger(settings, asked, talk).await,
        Verb::Scrub => sites::scrub(settings, talk).await,
        Verb::Heal(asked) => sites::heal(settings, &asked, talk).await,
        Verb::AcceptLoss(asked) => accept_loss::accept_loss(settings, &asked, talk).await,
        Verb::Custody(Custody::Rotate(asked)) => {
            crate::custody::rotate(settings, asked, talk).await
        }
        Verb::Crypto(Crypto::Inventory) => crypto::inventory(settings, talk).await,
        Verb::Restart(asked) => restart::restart(settings, asked, talk).await,
        Verb::Stop => machine::stop(settings, talk).await,
        _ => Err(Failure::new(
            Exit::Unsupported,
            "this version does not do that",
        )),
    }
}

/// One question to the running node, for verbs that work on files otherwise.
fn ask_node(everywhere: &Everywhere, request: Request, talk: Talk) -> Result<Value, Failure> {
    let settings = settings(everywhere)?;
    waiting(crate::node::ask(&settings, &talk, request))
}

/// Configuration for a verb that has no flags of its own for it.
fn settings(everywhere: &Everywhere) -> Result<Settings, Failure> {
    Ok(Settings::read(Places::find(everywhere), &[])?)
}

/// Runs a verb that does not serve. Ctrl-C ends the waiting; what the node was asked to do it goes on with.
fn waiting<T>(verb: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::General, format!("the program could not begin: {e}")))?;
    runtime.block_on(async {
        tokio::select! {
            outcome = verb => outcome,
            _ = tokio::signal::ctrl_c() => Err(Failure::new(Exit::Interrupted, "interrupted")),
        }
    })
}

impl From<crate::config::ConfigError> for Failure {
    fn from(error: crate::config::ConfigError) -> Self {
        Self::usage(error).named("configuration")
    }
}
