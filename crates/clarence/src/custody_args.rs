//! What is typed behind `clarence hsm` and `clarence restart`.

use crate::args::SiteLetter;
use clap::Subcommand;
use std::path::PathBuf;

/// `clarence hsm`
#[derive(Subcommand, Debug)]
pub enum Hsm {
    /// List the tokens that a PKCS #11 module offers; needs no PIN
    #[command(
        after_help = "Examples:\n  clarence hsm probe --module /usr/lib/softhsm/libsofthsm2.so\n  clarence hsm probe    the module of hsm.uri"
    )]
    Probe {
        /// The module [default: that of hsm.uri]
        #[arg(long, value_name = "FILE")]
        module: Option<PathBuf>,
    },
    /// Let a token hold a part of what opens the sites' keys; needs a quorum of shares and a node that is stopped
    #[command(after_help = "\
Examples:
  clarence hsm enrol --share usb1/share.clarence --share usb2/share.clarence
  clarence hsm enrol --share usb1/share.clarence --share usb2/share.clarence \\
    --hsm 'pkcs11:token=site-b?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/etc/clarence/pin-b'

Without --hsm the token of hsm.uri is enrolled. Each further token opens the cloud as well; enrol two at
least, because a cloud whose tokens are all lost is lost. Old copies of the site folders still open with
shares alone until the sites' keys are changed.")]
    Enrol {
        /// A share file, a party's folder, or - for stdin; as many as the charter asks for
        #[arg(long = "share", value_name = "FILE", required = true)]
        shares: Vec<PathBuf>,
        /// The token [default: that of hsm.uri]
        #[arg(long, value_name = "URI")]
        hsm: Option<String>,
    },
    /// Let the shares open the cloud alone again; needs a quorum of shares, the token and a node that is stopped
    #[command(
        after_help = "Example:\n  clarence hsm withdraw --share usb1/share.clarence --share usb2/share.clarence"
    )]
    Withdraw {
        /// A share file, a party's folder, or - for stdin; as many as the charter asks for
        #[arg(long = "share", value_name = "FILE", required = true)]
        shares: Vec<PathBuf>,
    },
    /// Which tokens are enrolled, and whether that of hsm.uri opens now
    #[command(after_help = "Example:\n  clarence hsm status --json")]
    Status,
}

/// `clarence restart`
#[derive(Subcommand, Debug)]
pub enum Restart {
    /// Let the running, open node restart without officers, on an approved order of lease-restart
    #[command(after_help = "\
Examples:
  clarence propose lease-restart node=node-1 days=30 ...     then approve, then execute --out lease.order
  clarence restart grant lease.order --approvers cards
  clarence restart grant lease.order --approvers cards --pcr 7 --pcr 11

One half of the key is sealed to this machine's TPM (tpm.device), the other lies at the other site. The
order's cool-off counts from when the node first sees it: give it twice if it has one.")]
    Grant {
        /// The order, written by `clarence execute`
        order: PathBuf,
        /// The approvers' cards, or folders with them
        #[arg(long, value_name = "FILE", required = true)]
        approvers: Vec<PathBuf>,
        /// A PCR of the TPM that must stay as it is; may be given several times [default: 7]
        #[arg(long = "pcr", value_name = "N", value_parser = clap::value_parser!(u8).range(0..=23))]
        pcrs: Vec<u8>,
        /// The site that holds the other half
        #[arg(long, default_value = "b")]
        held_by: SiteLetter,
    },
    /// End the lease now; needs nobody's leave
    #[command(after_help = "Example:\n  clarence restart end")]
    End,
    /// Whether there is a lease, and until when
    #[command(after_help = "Example:\n  clarence restart status --json")]
    Status,
}

impl Hsm {
    /// The `type` of the envelope.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Probe { .. } => "hsm.probe",
            Self::Enrol { .. } => "hsm.enrol",
            Self::Withdraw { .. } => "hsm.withdraw",
            Self::Status => "hsm.status",
        }
    }
}

impl Restart {
    /// The `type` of the envelope.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Grant { .. } => "restart.grant",
            Self::End => "restart.end",
            Self::Status => "restart.status",
        }
    }
}
