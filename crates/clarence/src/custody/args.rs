//! The command line of custody.

use clap::Subcommand;

/// The verbs of custody.
#[derive(Subcommand, Debug)]
pub enum Custody {
    /// Give a bucket or a tenant a new key, while everything goes on
    #[command(subcommand)]
    Rotate(Rotate),
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
    /// The rotations under way and how far they are
    #[command(
        after_help = "Examples:\n  clarence rotate status\n  clarence rotate status --json | jq '.data.rotations | length'"
    )]
    Status,
}

impl Custody {
    /// The `type` of the envelope.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Rotate(Rotate::Bucket { .. }) => "rotate.bucket",
            Self::Rotate(Rotate::Tenant { .. }) => "rotate.tenant",
            Self::Rotate(Rotate::Status) => "rotate.status",
        }
    }
}
