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
  clarence ledger verify --witnesses witnesses.vkeys --threshold 2

With --witnesses it says who cosigned the newest witnessed checkpoint, and fails if they are too few or if the
log does not continue it. Without --keys the keys beside the log are used: that proves the log whole, not whose it is.")]
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
    /// Write a request for witnesses from the published folder, to be carried to them as a file
    #[command(after_help = "\
Examples:
  clarence ledger ask --site /mnt/a/site-a --since 300 --out usb/ask.txt
  clarence ledger ask --out usb/first.txt            for witnesses that have cosigned nothing yet

A witness that is at another size says so (`witness sign`, `witness log`). It gets a request of its own; both
hold the same checkpoint if nothing was published in between.")]
    Ask(Ask),
    /// Collect cosignatures and put the checkpoint, when they are enough, beside the newest one
    #[command(after_help = "\
Examples:
  clarence ledger cosign --witnesses witnesses.vkeys --from http://127.0.0.1:7490 --from https://w.example.lu --ca ca.pem
  clarence ledger cosign --witnesses witnesses.vkeys --request usb/ask.txt --take usb/ctie.cosigned --take usb/proximus.cosigned

The file of witnesses holds one verifier key on a line, as `witness init` printed them. What is collected is
checked here; too few change nothing, and their files can be given again with more.")]
    Cosign(Cosign),
}

impl Ledger {
    /// The `type` of the envelope.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Verify(_) => "ledger.verify",
            Self::Tail { .. } => "ledger.tail",
            Self::Publish => "ledger.publish",
            Self::Ask(_) => "ledger.ask",
            Self::Cosign(_) => "ledger.cosign",
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
    /// The verifier keys of the log's witnesses, one on a line, got by another way
    #[arg(long, value_name = "FILE")]
    pub witnesses: Option<PathBuf>,
    /// How many of them have to have cosigned
    #[arg(long, value_name = "COUNT", requires = "witnesses", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=30))]
    pub threshold: u8,
}

/// `clarence ledger ask`
#[derive(Args, Debug, Clone)]
pub struct Ask {
    /// A site folder or a folder with a log [default: the first site of --data]
    #[arg(long, value_name = "DIR")]
    pub site: Option<PathBuf>,
    /// Entries that the witness cosigned last
    #[arg(long, value_name = "SIZE", default_value_t = 0)]
    pub since: u64,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `clarence ledger cosign`
#[derive(Args, Debug, Clone)]
pub struct Cosign {
    /// A site folder or a folder with a log; one or two of them [default: the two sites of --data]
    #[arg(long = "site", value_name = "DIR", num_args = 1)]
    pub sites: Vec<PathBuf>,
    /// The log's public keys, got by another way [default: DIR/ledger.keys, unless --site is given]
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// The verifier keys of the witnesses, one on a line
    #[arg(long, value_name = "FILE")]
    pub witnesses: PathBuf,
    /// How many of them have to cosign
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=30))]
    pub threshold: u8,
    /// The request whose checkpoint was cosigned [default: the newest checkpoint]
    #[arg(long, value_name = "FILE")]
    pub request: Option<PathBuf>,
    /// An answer that was carried back; may be given several times
    #[arg(long = "take", value_name = "FILE", requires = "request")]
    pub takes: Vec<PathBuf>,
    /// A witness to ask; may be given several times. Other machines only by https
    #[arg(long = "from", value_name = "URL", required_unless_present = "takes")]
    pub from: Vec<witness::client::Place>,
    /// The certificates of the authorities to trust for https, PEM
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}
