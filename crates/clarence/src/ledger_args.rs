//! The command line of the ledger.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `clarence ledger`
#[derive(Subcommand, Debug)]
pub enum Ledger {
    /// Check the published log offline, from its files alone; names the first bad entry
    #[command(after_help = "\
Examples:
  clarence ledger verify --data ./cloud
  clarence ledger verify --site /mnt/a/site-a --site /mnt/b/site-b --keys ledger.keys
  clarence ledger verify --site ./copy/ledger --earlier checkpoint.of.last.week

Without --keys the keys beside the log are used: that proves the log whole, not whose it is.")]
    Verify(Verify),
    /// The last entries, newest first; needs the running, open node
    #[command(
        after_help = "Examples:\n  clarence ledger tail\n  clarence ledger tail -n 100 --before 5000 --json"
    )]
    Tail {
        /// How many
        #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
        count: u64,
        /// Only entries before this index
        #[arg(long, value_name = "INDEX")]
        before: Option<u64>,
    },
    /// Publish what is not published yet and sign a checkpoint at both sites
    #[command(after_help = "Example:\n  clarence ledger publish && clarence ledger verify")]
    Publish,
}

impl Ledger {
    /// The `type` of the envelope.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Verify(_) => "ledger.verify",
            Self::Tail { .. } => "ledger.tail",
            Self::Publish => "ledger.publish",
        }
    }
}

/// `clarence ledger verify`
#[derive(Args, Debug, Clone)]
pub struct Verify {
    /// A site folder or a folder with a log; one or two of them [default: the two sites of --data]
    #[arg(long = "site", value_name = "DIR", num_args = 1)]
    pub sites: Vec<PathBuf>,
    /// The log's public keys, got by another way [default: DIR/ledger.keys, unless --site is given]
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// A checkpoint of this log seen earlier, which it has to contain
    #[arg(long, value_name = "FILE")]
    pub earlier: Option<PathBuf>,
}
