//! The command line of erasure, of shares that have had their day, and of the root.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// The verbs.
#[derive(Subcommand, Debug)]
pub enum Erasure {
    /// Data about one person or case: erase it, and prove that it is erased
    #[command(subcommand)]
    Subject(SubjectVerb),
    /// A party's share; typed under `clarence share` with what else a party does with its share
    #[command(skip)]
    Share(ShareVerb),
    /// The root key: new shares of it, or a new one
    #[command(subcommand)]
    Root(RootVerb),
}

/// `clarence subject`
#[derive(Subcommand, Debug)]
pub enum SubjectVerb {
    /// Erase everything that a tenant keeps about one subject, and move to a new root
    #[command(after_help = "\
Example:
  clarence subject erase --tenant tax-office --subject 1893120105732 --reason \"GDPR request 2026/114\"

There is no way back. The new shares lie in the parties' folders; older copies of the cloud's data are
unreadable once the parties have destroyed their old shares (clarence share destroy). Keep the opening
that is printed: with it the subject can show that the receipt is about them.")]
    Erase {
        /// The tenant's name
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// The subject, as x-amz-meta-clarence-subject named it
        #[arg(long, value_name = "TEXT")]
        subject: String,
        /// Why, for the ledger; name a file number and no person
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Every erasure, and what it waits for
    #[command(after_help = "Example:\n  clarence subject list")]
    List,
    /// Write the signed receipt of an erasure, as it stands now
    #[command(
        after_help = "Example:\n  clarence subject receipt 5f0c6a… --out erasure.receipt && clarence subject verify erasure.receipt --keys ledger.keys"
    )]
    Receipt {
        /// The erasure's id, from `clarence subject list`
        erasure: String,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Check a receipt offline: signatures, the ledger, the parties' statements, and whether it is complete
    #[command(after_help = "\
Examples:
  clarence subject verify erasure.receipt --keys ledger.keys --charter charter.toml
  clarence subject verify erasure.receipt --keys ledger.keys --subject 1893120105732 --opening 7d1f…

Without --charter the parties' own signatures are not checked, only that the log vouches for them.")]
    Verify(VerifyReceipt),
}

/// `clarence subject verify`
#[derive(Args, Debug)]
pub struct VerifyReceipt {
    /// The receipt
    pub receipt: PathBuf,
    /// The ledger's public keys, got by another way
    #[arg(long, value_name = "FILE")]
    pub keys: PathBuf,
    /// The charter that names the parties' keys
    #[arg(long, value_name = "FILE")]
    pub charter: Option<PathBuf>,
    /// Its amendments, in order
    #[arg(long = "then", value_name = "FILE", requires = "charter")]
    pub then: Vec<PathBuf>,
    /// The subject that the receipt should be about
    #[arg(long, value_name = "TEXT", requires = "opening")]
    pub subject: Option<String>,
    /// What `clarence subject erase` printed
    #[arg(long, value_name = "DIGITS", requires = "subject")]
    pub opening: Option<String>,
}

/// `clarence share`
#[derive(Subcommand, Debug)]
pub enum ShareVerb {
    /// Destroy the file of a share that a newer one has replaced, and write the statement about it
    #[command(after_help = "\
Example:
  clarence share destroy /media/usb/share.clarence --newer /media/usb/share-2-1.clarence \\
    --key ctie.key --out ctie.destroyed

The file is written over and removed. Whether the medium keeps older blocks is not in the software's hands:
destroy other copies, and paper, yourself before you sign.")]
    Destroy {
        /// The share that has been replaced
        share: PathBuf,
        /// The party's share that replaces it, to be sure that it is there
        #[arg(long, value_name = "FILE")]
        newer: PathBuf,
        /// The party's key, if the charter names it
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// The statement to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Hand a party's statement in at the running node
    #[command(after_help = "Example:\n  clarence share attest ctie.destroyed")]
    Attest {
        /// The statement
        statement: PathBuf,
    },
}

/// `clarence root`
#[derive(Subcommand, Debug)]
pub enum RootVerb {
    /// Which root is in force, and which shares were dealt and destroyed
    #[command(after_help = "Example:\n  clarence root status")]
    Status,
    /// Make a new root and move to it
    #[command(after_help = "Example:\n  clarence root rekey --reason \"two years are over\"")]
    Rekey {
        /// Why, for the ledger
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Deal new shares of the same root; takes a quorum of today's shares
    #[command(
        after_help = "Example:\n  clarence root reshare --share usb1/share.clarence --share usb2/share.clarence"
    )]
    Reshare {
        /// A share file, a party's folder, or - for stdin; as many as the charter asks for
        #[arg(long = "share", value_name = "FILE", required = true)]
        shares: Vec<PathBuf>,
    },
}

impl Erasure {
    /// The `type` of the envelope.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Subject(SubjectVerb::Erase { .. }) => "subject.erase",
            Self::Subject(SubjectVerb::List) => "subject.list",
            Self::Subject(SubjectVerb::Receipt { .. }) => "subject.receipt",
            Self::Subject(SubjectVerb::Verify(_)) => "subject.verify",
            Self::Share(ShareVerb::Destroy { .. }) => "share.destroy",
            Self::Share(ShareVerb::Attest { .. }) => "share.attest",
            Self::Root(RootVerb::Status) => "root.status",
            Self::Root(RootVerb::Rekey { .. }) => "root.rekey",
            Self::Root(RootVerb::Reshare { .. }) => "root.reshare",
        }
    }
}
