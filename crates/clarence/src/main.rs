//! The command line of Clarence. It reads arguments and configuration, calls one verb and says what came of
//! it, to a person or to a script. No logic of the cloud lives here.
//!
//! Reading order: [`args`], [`config`], [`verbs`], [`joint`], [`guest`], [`backup`], [`erasure`], [`sql`],
//! [`witness`], [`node`], [`envelope`].

mod agreement;
mod args;
mod backup;
mod config;
mod custody;
mod custody_args;
mod envelope;
mod erasure;
mod exit;
mod guest;
mod identity_args;
mod joint;
mod ledger_args;
mod logging;
mod node;
mod person;
mod process;
mod proxy;
mod show;
mod sql;
mod talk;
mod verbs;
mod witness;

use crate::exit::{Exit, Failure};
use crate::talk::Talk;
use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if let Some(code) = node::part() {
        return ExitCode::from(code);
    }
    let talk = Talk::new();
    match args::Cli::try_parse() {
        Ok(cli) => {
            let (kind, json) = (cli.verb.kind(), cli.everywhere.json);
            let outcome = verbs::perform(cli, talk);
            ExitCode::from(envelope::finish(kind, json, &talk, outcome))
        }
        Err(error) => ExitCode::from(explain(&error)),
    }
}

/// Help goes to stdout and is no error; a wrong command line is told on stderr, and to scripts as well.
fn explain(error: &clap::Error) -> u8 {
    let _ = error.print();
    if !error.use_stderr() {
        return 0;
    }
    if std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let message = text.trim_start_matches("error: ");
        let message = message.split("\n\n").next().unwrap_or(message).trim();
        envelope::print(&envelope::error("usage", &Failure::usage(message)));
    }
    Exit::Usage.code()
}
