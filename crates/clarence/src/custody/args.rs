//! The command line of custody.

use crate::erasure::args::ShareVerb;
use clap::Subcommand;
use std::path::PathBuf;

/// The verbs of custody.
#[derive(Subcommand, Debug)]
pub enum Custody {
    /// Give a bucket, a tenant or the sites new keys, while everything goes on
    #[command(subcommand)]
    Rotate(Rotate),
    /// A party's share: split among its officers, sealed in envelopes, written on paper
    #[command(subcommand)]
    Share(Share),
}

/// `clarence rotate`
#[derive(Subcommand, Debug)]
pub enum Rotate {
    /// A bucket's key: new objects are under the new one at once, the others follow in the background
    #[command(after_help = "\
Examples:
  clarence rotate bucket records --tenant tax-office
  clarence rotate status

No data is rewritten: only the wraps of the objects' keys are. An old version of the key is dropped when
nothing is under it any more; an upload under way keeps it until it is completed or aborted.")]
    Bucket {
        /// The bucket's name
        bucket: String,
        /// The tenant that owns it
        #[arg(long, value_name = "NAME")]
        tenant: String,
    },
    /// A tenant's key: the keys of its buckets follow in the background
    #[command(after_help = "Example:\n  clarence rotate tenant tax-office")]
    Tenant {
        /// The tenant's name
        tenant: String,
    },
    /// Both sites' keys, with a new root: the keys of tenants follow in the background
    #[command(after_help = "\
Example:
  clarence rotate sites --reason \"a memory image of the node was lost\"

New shares wait for the parties, as after `clarence root rekey`: each party collects its own and destroys the
old one, because the old shares open the old keys in every old copy of a site folder. It needs both sites; a
lease for restarts ends. Where a charter is signed, ask for it with `clarence propose re-key-site site=both`.")]
    Sites {
        /// Why, for the ledger
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// The rotations under way and how far they are
    #[command(
        after_help = "Examples:\n  clarence rotate status\n  clarence rotate status --json | jq '.data.rotations | length'"
    )]
    Status,
}

/// `clarence share`: works on files, without a node and without a network, but for handing a statement in.
#[derive(Subcommand, Debug)]
pub enum Share {
    /// A share that was replaced.
    #[command(flatten)]
    Replaced(ShareVerb),
    /// Split a party's share among its officers; any few of the parts give it back
    #[command(after_help = "\
Example:
  clarence share split share.clarence --officer anna --officer ben --officer luc --out parts/

It writes parts/NAME.clarence for each officer. Give each its own and destroy the share: two of the three
open the cloud with `clarence unseal --share anna.clarence --share luc.clarence`.")]
    Split {
        /// The share file, or the party's folder that holds it
        share: PathBuf,
        /// An officer's name; given two to sixteen times
        #[arg(long = "officer", value_name = "NAME", required = true)]
        officers: Vec<String>,
        /// How many parts it takes
        #[arg(long, value_name = "COUNT", default_value_t = 2)]
        need: u8,
        /// The folder for the parts
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Put a party's share together from its officers' parts
    #[command(
        after_help = "Example:\n  clarence share join anna.clarence luc.clarence --out share.clarence"
    )]
    Join {
        /// The officers' parts
        #[arg(required = true)]
        parts: Vec<PathBuf>,
        /// The share file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Make a key for envelopes: an identity to keep, and the recipient to give away
    #[command(after_help = "Example:\n  clarence share identity --out anna.identity")]
    Identity {
        /// The file for the identity
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Seal a share or a part in an age file, to hybrid post-quantum recipients
    #[command(after_help = "\
Examples:
  clarence share seal anna.clarence --to age1pq1… --out anna.age
  clarence share seal anna.clarence --to anna.recipient --to deputy.recipient --out anna.age

Any age program that knows the recipient mlkem768x25519 opens it too: age -d -i anna.identity anna.age")]
    Seal {
        /// The share file or part
        share: PathBuf,
        /// A recipient, or a file with one; each of them alone can open the envelope
        #[arg(long = "to", value_name = "RECIPIENT", required = true)]
        to: Vec<String>,
        /// The envelope to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Open an envelope
    #[command(
        after_help = "Example:\n  clarence share open anna.age --identity anna.identity --out anna.clarence"
    )]
    Open {
        /// The envelope
        envelope: PathBuf,
        /// The file with the identity
        #[arg(long, value_name = "FILE")]
        identity: PathBuf,
        /// The share file or part to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Print a share or a part as words for paper, with checks that find a wrong or exchanged word
    #[command(after_help = "Example:\n  clarence share words anna.clarence | lp")]
    Words {
        /// The share file or part
        share: PathBuf,
    },
    /// Read words that were typed in from paper
    #[command(after_help = "\
Examples:
  clarence share from-words paper.txt --like site-a/ --out share.clarence
  clarence share from-words paper.txt --like ben.clarence --out anna.clarence

What is public is not on the paper: --like gives a site's folder, or any share of the same cloud; for an
officer's part, another part of the same share.")]
    FromWords {
        /// The words; - for stdin
        words: PathBuf,
        /// A site's folder, a share file, or another officer's part
        #[arg(long, value_name = "PATH")]
        like: PathBuf,
        /// The share file or part to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// What a share file or part is, without its secret
    #[command(after_help = "Example:\n  clarence share show anna.clarence")]
    Show {
        /// The share file or part
        share: PathBuf,
    },
}

impl Custody {
    /// The `type` of the envelope.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Rotate(Rotate::Bucket { .. }) => "rotate.bucket",
            Self::Rotate(Rotate::Tenant { .. }) => "rotate.tenant",
            Self::Rotate(Rotate::Sites { .. }) => "rotate.sites",
            Self::Rotate(Rotate::Status) => "rotate.status",
            Self::Share(Share::Replaced(ShareVerb::Destroy { .. })) => "share.destroy",
            Self::Share(Share::Replaced(ShareVerb::Attest { .. })) => "share.attest",
            Self::Share(Share::Split { .. }) => "share.split",
            Self::Share(Share::Join { .. }) => "share.join",
            Self::Share(Share::Identity { .. }) => "share.identity",
            Self::Share(Share::Seal { .. }) => "share.seal",
            Self::Share(Share::Open { .. }) => "share.open",
            Self::Share(Share::Words { .. }) => "share.words",
            Self::Share(Share::FromWords { .. }) => "share.from-words",
            Self::Share(Share::Show { .. }) => "share.show",
        }
    }
}
