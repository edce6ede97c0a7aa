//! What is typed behind `clarence backup` and `clarence restore`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `clarence backup`
#[derive(Args, Debug, Clone)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Backup {
    /// What else is done with a backup.
    #[command(subcommand)]
    pub verb: Option<With>,
    /// The folder to be filled: empty, or with an earlier backup of the same cloud
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// How fast it may go: 50MiB/s, 800KiB/s [default: as fast as it can]
    #[arg(long, value_name = "RATE", value_parser = ::backup::parse_rate)]
    pub rate: Option<u64>,
}

/// What else is done with a backup.
#[derive(Subcommand, Debug, Clone)]
pub enum With {
    /// Check every file of a backup, its rows and its ledger; needs no share
    #[command(
        after_help = "Examples:\n  clarence backup verify /media/disk\n  clarence backup verify /media/disk --keys parent-ctie/ledger.keys"
    )]
    Verify {
        /// The backup
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// The ledger's public keys, got by another way than the backup
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
    },
    /// Rehearse a restore: restore, serve, open, read back, verify the ledger; tells what took how long
    #[command(after_help = "\
Examples:
  clarence backup drill --from /media/disk --share usb1/share.clarence --share usb2/share.clarence
  clarence backup drill --from /media/disk --share usb1 --share usb2 --all --work /srv/empty

Nothing of a cloud that runs is touched. The folder of --work needs twice the backup's size and is removed afterwards.")]
    Drill(Drill),
}

/// `clarence backup drill`
#[derive(Args, Debug, Clone)]
pub struct Drill {
    /// The backup
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// A share file, a party's folder, or - for stdin; as many as the charter asks for
    #[arg(long = "share", value_name = "FILE", required = true)]
    pub shares: Vec<PathBuf>,
    /// Objects of each bucket that are read back
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 20,
        conflicts_with = "all"
    )]
    pub sample: usize,
    /// Read every object back
    #[arg(long)]
    pub all: bool,
    /// An empty folder for the rehearsal [default: one in the folder for temporary files]
    #[arg(long, value_name = "DIR")]
    pub work: Option<PathBuf>,
}

/// `clarence restore`
#[derive(Args, Debug, Clone)]
pub struct Restore {
    /// The backup
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// A share file, a party's folder, or - for stdin; as many as the charter asks for
    #[arg(long = "share", value_name = "FILE", required = true)]
    pub shares: Vec<PathBuf>,
    /// The parties' folders of the old cloud are lost, and it will never run again: make new ones
    #[arg(long)]
    pub new_witnesses: bool,
    /// With catalog.servers: the role that makes the tables and owns them [default: catalog.user]
    #[arg(long, value_name = "ROLE")]
    pub catalog_owner: Option<String>,
    /// A file with that role's password
    #[arg(long, value_name = "FILE", requires = "catalog_owner")]
    pub catalog_owner_password: Option<PathBuf>,
}

impl Backup {
    /// The `type` of the envelope.
    pub const fn kind(&self) -> &'static str {
        match self.verb {
            None => "backup",
            Some(With::Verify { .. }) => "backup.verify",
            Some(With::Drill(_)) => "backup.drill",
        }
    }
}
