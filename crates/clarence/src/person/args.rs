//! The command line of persons' records.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `clarence person`
#[derive(Subcommand, Debug)]
pub enum Person {
    /// Write the answer to "who used my data" as one file; that it was asked for is on the ledger first
    #[command(after_help = "\
Example:
  clarence person accesses --tenant tax-office --subject 1893120105732 --out answer.json

The file names every access about the person that no order defers, accesses to whole datasets of the tenant
that hold persons, and what proves it. It is about the person: hand it to nobody else. They check it with
docs/verify_person.py, without Clarence and without a network.")]
    Accesses {
        /// The tenant's name: the authority whose data it is
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// The person, as the tables' subject column and x-amz-meta-clarence-subject name them
        #[arg(long, value_name = "TEXT")]
        subject: String,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Why, for the ledger; name a file number and no person
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Check an answer offline: signatures, every line there, every ledger entry in the log
    #[command(after_help = "\
Example:
  clarence person verify answer.json --subject 1893120105732 --keys ledger.keys

Exit code 1 names the line that was removed, added or altered.")]
    Verify(VerifyAnswer),
}

/// `clarence person verify`
#[derive(Args, Debug)]
pub struct VerifyAnswer {
    /// The answer
    pub answer: PathBuf,
    /// The person it should be about
    #[arg(long, value_name = "TEXT")]
    pub subject: String,
    /// The ledger's public keys, got by another way
    #[arg(long, value_name = "FILE")]
    pub keys: PathBuf,
}

impl Person {
    /// The `type` of the envelope.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Accesses { .. } => "person.accesses",
            Self::Verify(_) => "person.verify",
        }
    }
}
