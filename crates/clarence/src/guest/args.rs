//! The command line of guests and their embassies.

use crate::args::Listen;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `clarence guest`
#[derive(Subcommand, Debug)]
pub enum Guest {
    /// Found a cloud of one's own at home, with a twin in a bucket at a host that cannot open it
    #[command(after_help = "\
Example:
  clarence guest found --data /srv/guest --host from-the-host.json --bucket twin --charter charter.toml

The host hands out a file with endpoint, region, access_key, secret_key and ca_bundle (as in its connect.json)
for a tenant of its own. The bucket must be empty; it is made if it is not there.")]
    Found(GuestFound),
    /// Serve a guest's cloud: S3 at home, everything sealed at the host as well
    #[command(
        after_help = "Example:\n  clarence guest serve --data /srv/guest && clarence unseal --data /srv/guest --share usb1 --share usb2"
    )]
    Serve {
        /// Where S3 is served.
        #[command(flatten)]
        listen: Listen,
    },
}

/// `clarence guest found`
#[derive(Args, Debug, Clone)]
pub struct GuestFound {
    /// The file that the host handed out
    #[arg(long, value_name = "FILE")]
    pub host: PathBuf,
    /// The bucket at the host
    #[arg(long, value_name = "NAME")]
    pub bucket: String,
    /// The guest's own charter: its parties and threshold [default: three parents, any two open it]
    #[arg(long, value_name = "FILE")]
    pub charter: Option<PathBuf>,
    /// Acknowledge writes that are durable at home only; the host has them as soon as it can
    #[arg(long)]
    pub acknowledge_at_home: bool,
}

/// `clarence embassy`
#[derive(Subcommand, Debug)]
pub enum Embassy {
    /// Take everything that lies at the host into a folder, sealed as it is; needs no share
    #[command(after_help = "\
Examples:
  clarence embassy evacuate --to /media/disk --host from-the-host.json --bucket twin
  clarence embassy evacuate --to /media/disk                  with the configuration of the guest's node

It can be interrupted: the same command goes on. docs/embassy_open.py opens the result with a quorum of shares.")]
    Evacuate {
        /// The folder to be filled
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// Where from.
        #[command(flatten)]
        at: AtHost,
    },
    /// Compare every file of an export with its manifest; needs no share
    #[command(after_help = "Example:\n  clarence embassy check --from /media/disk")]
    Check {
        /// The export
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
    },
    /// Make a cloud from an export, or directly from what lies at the host, with a quorum of the guest's shares
    #[command(after_help = "\
Examples:
  clarence embassy restore --data /srv/new --from /media/disk --share usb1 --share usb2
  clarence embassy restore --data /srv/new --host from-the-host.json --bucket twin --share usb1 --share usb2
  clarence embassy restore --data /srv/new --host … --bucket … --share … --share … --take-over

Without --take-over the result is a copy on its own, and the home goes on. With it the home can write to the host
no more, and this instance is the guest from now on.")]
    Restore(Restore),
    /// Rehearse running from elsewhere: restore, serve, open, read back, compare; tells what took how long
    #[command(after_help = "\
Examples:
  clarence embassy drill --host from-the-host.json --bucket twin --share usb1 --share usb2
  clarence embassy drill --from /media/disk --share usb1 --share usb2 --sample 100

Nothing at home or at the host is changed. The folder of --work is removed afterwards.")]
    Drill(Drill),
    /// Have a bucket made at a host whose key stays here, and lend the key for minutes at a time, each time for a reason
    #[command(after_help = "\
Example:
  clarence embassy lend --tenant home --host from-the-host.json --host-keys host.keys --bucket land-register

The host serves the bucket to its tenant's S3 and SQL while this node answers its requests; each stands in this cloud's ledger
before the key is opened. embassy.lends = true lets this node call the host. Ask the host for host.keys, its ledger's
public keys, and compare their fingerprint by another way: whoever has those keys can ask.")]
    Lend(Lend),
    /// The keys that are lent, to whom, why last, and what troubles there are
    #[command(after_help = "Example:\n  clarence embassy loans")]
    Loans,
    /// Lend no more: the host is told, and forgets the key at once, or when its lease ends if it cannot be reached
    #[command(after_help = "Example:\n  clarence embassy recall 5f3c…")]
    Recall {
        /// The loan's id
        #[arg(value_name = "LOAN")]
        loan: String,
    },
    /// Lend again what was recalled
    #[command(after_help = "Example:\n  clarence embassy resume 5f3c…")]
    Resume {
        /// The loan's id
        #[arg(value_name = "LOAN")]
        loan: String,
    },
}

/// `clarence embassy lend`
#[derive(Args, Debug, Clone)]
pub struct Lend {
    /// The tenant of this cloud that lends
    #[arg(long, value_name = "NAME")]
    pub tenant: String,
    /// The file that the host handed out
    #[arg(long, value_name = "FILE")]
    pub host: PathBuf,
    /// The public keys of the host's ledger
    #[arg(long, value_name = "FILE")]
    pub host_keys: PathBuf,
    /// The bucket to be made there
    #[arg(long, value_name = "NAME")]
    pub bucket: String,
    /// The longest lease in seconds, 5 to 900: for so long the host may go on without this node
    #[arg(long, value_name = "SECONDS", default_value_t = 45)]
    pub seconds: u32,
}

/// A bucket at a host.
#[derive(Args, Debug, Clone)]
pub struct AtHost {
    /// The file that the host handed out [config: embassy.host]
    #[arg(long, value_name = "FILE", requires = "bucket")]
    pub host: Option<PathBuf>,
    /// The bucket at the host [config: embassy.bucket]
    #[arg(long, value_name = "NAME", requires = "host")]
    pub bucket: Option<String>,
}

/// Where a twin is read from, and whose shares open it.
#[derive(Args, Debug, Clone)]
pub struct Twin {
    /// An export
    #[arg(long, value_name = "DIR", conflicts_with_all = ["host", "bucket"])]
    pub from: Option<PathBuf>,
    /// Or the host.
    #[command(flatten)]
    pub at: AtHost,
    /// A share file, a party's folder, or - for stdin; as many as the guest's charter asks for
    #[arg(long = "share", value_name = "FILE", required = true)]
    pub shares: Vec<PathBuf>,
}

/// `clarence embassy restore`
#[derive(Args, Debug, Clone)]
pub struct Restore {
    /// Where from.
    #[command(flatten)]
    pub twin: Twin,
    /// Stop the home's writing and be the guest from now on
    #[arg(long, conflicts_with = "from")]
    pub take_over: bool,
}

/// `clarence embassy drill`
#[derive(Args, Debug, Clone)]
pub struct Drill {
    /// Where from.
    #[command(flatten)]
    pub twin: Twin,
    /// Objects of each bucket that are read back [default: all]
    #[arg(long, value_name = "COUNT")]
    pub sample: Option<usize>,
    /// An empty folder for the rehearsal [default: one in the folder for temporary files]
    #[arg(long, value_name = "DIR")]
    pub work: Option<PathBuf>,
}

impl Guest {
    /// The `type` of the envelope.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Found(_) => "guest.found",
            Self::Serve { .. } => "guest.serve",
        }
    }
}

impl Embassy {
    /// The `type` of the envelope.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Evacuate { .. } => "embassy.evacuate",
            Self::Check { .. } => "embassy.check",
            Self::Restore(_) => "embassy.restore",
            Self::Drill(_) => "embassy.drill",
            Self::Lend(_) => "embassy.lend",
            Self::Loans => "embassy.loans",
            Self::Recall { .. } => "embassy.recall",
            Self::Resume { .. } => "embassy.resume",
        }
    }
}
