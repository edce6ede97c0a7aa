//! The command line of joint control. Everything works on files, without a node and without a network; with
//! `--node` the documents are handed to the running node as well.

use clap::{ArgGroup, Args, Subcommand};
use std::path::PathBuf;

/// The verbs of joint control.
#[derive(Subcommand, Debug)]
pub enum Joint {
    /// The charter: keys of parties, drafts, signatures, amendments
    #[command(subcommand)]
    Charter(CharterVerb),
    /// Persons who approve for a party: their keys and cards
    #[command(subcommand)]
    Approver(Approver),
    /// Which parties can do what, by the charter
    #[command(after_help = "\
Examples:
  clarence who-can unseal
  clarence who-can amend-charter --charter charter.toml
  clarence who-can --matrix --charter charter.toml    every subset of the parties by every verb

Without --charter the default one is meant: three parents, any two.")]
    WhoCan(WhoCan),
    /// Ask for a grave act: write a request for others to approve
    #[command(after_help = "\
Examples:
  clarence propose restore backup=2026-11-02 --reason \"site b lost a shelf\" \\
    --cloud ecbf1419c886deffdcadec9ab06d24bc --charter charter.toml --key anna.key --out restore.request
  clarence propose seal --reason \"drill\" --cloud ecbf… --charter charter.toml --key anna.key --out seal.request")]
    Propose(Propose),
    /// Approve a request: write one person's signed approval
    #[command(after_help = "\
Examples:
  clarence show-request restore.request
  clarence approve restore.request --key ben.key --out ben.approval --charter charter.toml --approvers cards/")]
    Approve(Decide),
    /// Stop a request: write one person's signed veto
    #[command(
        after_help = "Example:\n  clarence veto restore.request --reason \"the backup is not ours\" --key david.key --out david.veto"
    )]
    Veto(Veto),
    /// Print a request so that a person can read it before signing
    #[command(
        after_help = "Examples:\n  clarence show-request restore.request\n  clarence show-request restore.request --json"
    )]
    ShowRequest(ShowRequest),
    /// Say whether a request may be carried out now, and if not, why
    #[command(
        after_help = "Example:\n  clarence check restore.request ben.approval luc.approval --cloud ecbf… --charter charter.toml --approvers cards/"
    )]
    Check(Judge),
    /// Have the running node carry a request out, once; or write the execution order from files alone
    #[command(after_help = "\
Examples:
  clarence execute add.request ben.approval --node
  clarence execute amend.request --with amendment-2.toml --node
  clarence execute restore.request ben.approval luc.approval --cloud ecbf… --charter charter.toml \\
    --approvers cards/ --done orders/ --out restore.order

With --node the node judges everything itself, by its own clock and by when it first saw the request.
Without it the verdict is given by the files and this machine's clock, and the order is written.")]
    Execute(Execute),
    /// Hand documents to the running node: requests, approvals, vetoes, approvers' cards
    #[command(
        after_help = "Examples:\n  clarence hand-in cards/\n  clarence hand-in add.request ben.approval"
    )]
    HandIn(HandIn),
    /// The requests at the running node: who still must approve, and when they may be carried out
    #[command(
        after_help = "Examples:\n  clarence docket\n  clarence docket --json | jq '.data.requests[] | select(.state == \"ready\")'"
    )]
    Docket,
    /// Report on a break-glass that has ended; until then `clarence status` shows that a report is due
    #[command(
        after_help = "Example:\n  clarence glass-report CLR7Q… --report \"read the triage lists of 14 patients, nothing else\""
    )]
    GlassReport(GlassReport),
}

/// `clarence charter`
#[derive(Subcommand, Debug)]
pub enum CharterVerb {
    /// Make the key with which a party, or the patron, signs charters
    #[command(
        after_help = "Examples:\n  clarence charter key --party ctie --out /media/usb\n  clarence charter key --patron minister --out /media/usb",
        group = ArgGroup::new("who").required(true)
    )]
    Key {
        /// The party
        #[arg(long, value_name = "NAME", group = "who")]
        party: Option<String>,
        /// The patron
        #[arg(long, value_name = "NAME", group = "who")]
        patron: Option<String>,
        /// The folder for NAME.key (secret) and NAME.pub
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Write the usual terms for these parties, to be read, changed and signed
    #[command(
        after_help = "Example:\n  clarence charter draft --cloud lu --purpose \"the data of the state\" --party ctie.pub --party luxconnect.pub \\\n    --party proximus.pub --patron minister.pub --sovereignty \"ctie AND (luxconnect OR proximus)\" --out charter.toml"
    )]
    Draft(Draft),
    /// Add one signature to a charter or an amendment
    #[command(after_help = "Example:\n  clarence charter sign charter.toml --key ctie.key")]
    Sign {
        /// The draft, or the charter with the signatures so far; it is replaced
        file: PathBuf,
        /// The key of the party or the patron
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Check a charter, and every amendment after it
    #[command(
        after_help = "Examples:\n  clarence charter check charter.toml\n  clarence charter check charter.toml --then amendment-2.toml --then amendment-3.toml"
    )]
    Check(InForce),
    /// Make the next charter of a chain from changed terms, to be signed by the quorum
    #[command(
        after_help = "Example:\n  clarence charter amend --charter charter.toml --with changed.toml --out amendment-2.toml"
    )]
    Amend {
        /// The charter in force.
        #[command(flatten)]
        charter: Charters,
        /// The next terms; its number and the digest of the charter before are put in
        #[arg(long = "with", value_name = "FILE")]
        next: PathBuf,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// `clarence charter draft`
#[derive(Args, Debug)]
pub struct Draft {
    /// The cloud's name
    #[arg(long, value_name = "NAME")]
    pub cloud: String,
    /// What it is for, in one line
    #[arg(long, value_name = "TEXT")]
    pub purpose: String,
    /// Each party's public key file
    #[arg(long = "party", value_name = "FILE", required = true)]
    pub parties: Vec<PathBuf>,
    /// The patron's public key file
    #[arg(long, value_name = "FILE")]
    pub patron: PathBuf,
    /// How many shares open the cloud
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub threshold: u8,
    /// The condition of sovereignty [default: any N parties, N being the threshold]
    #[arg(long, value_name = "CONDITION")]
    pub sovereignty: Option<String>,
    /// The jurisdiction of both sites
    #[arg(long, value_name = "LABEL", default_value = "lu")]
    pub jurisdiction: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// The charter in force as a positional file and what amends it.
#[derive(Args, Debug)]
pub struct InForce {
    /// The founding charter
    pub file: PathBuf,
    /// An amendment, in order; may be given several times
    #[arg(long, value_name = "FILE")]
    pub then: Vec<PathBuf>,
}

/// The charter in force as flags.
#[derive(Args, Debug)]
pub struct Charters {
    /// The founding charter
    #[arg(long, value_name = "FILE")]
    pub charter: PathBuf,
    /// An amendment, in order; may be given several times
    #[arg(long, value_name = "FILE")]
    pub then: Vec<PathBuf>,
}

/// `clarence approver`
#[derive(Subcommand, Debug)]
pub enum Approver {
    /// Make a person's key, on their own device or medium
    #[command(
        after_help = "Example:\n  clarence approver new --name anna --party ctie --out /media/usb"
    )]
    New {
        /// The person's name inside the party
        #[arg(long, value_name = "NAME")]
        name: String,
        /// The party they speak for
        #[arg(long, value_name = "NAME")]
        party: String,
        /// The folder for NAME.key (secret) and NAME.pub
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Give a person a card, signed by their party
    #[command(
        after_help = "Example:\n  clarence approver enrol anna.pub --key ctie.key --days 365 --out cards/anna.card"
    )]
    Enrol {
        /// The person's public key file
        public: PathBuf,
        /// The party's key
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// How long it is good for, in days
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3660))]
        days: u32,
        /// Higher than that of the person's card before
        #[arg(long, default_value_t = 1)]
        serial: u32,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// End a card: write the one that replaces it
    #[command(
        after_help = "Example:\n  clarence approver withdraw cards/anna.card --key ctie.key --out cards/anna-withdrawn.card"
    )]
    Withdraw {
        /// The card
        card: PathBuf,
        /// The party's key
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// `clarence who-can`
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("what").required(true))]
pub struct WhoCan {
    /// The verb
    #[arg(group = "what")]
    pub verb: Option<String>,
    /// All verbs
    #[arg(long, group = "what")]
    pub all: bool,
    /// Every subset of the parties by every verb
    #[arg(long, group = "what")]
    pub matrix: bool,
    /// The founding charter [default: three parents, any two]
    #[arg(long, value_name = "FILE")]
    pub charter: Option<PathBuf>,
    /// An amendment, in order; may be given several times
    #[arg(long, value_name = "FILE", requires = "charter")]
    pub then: Vec<PathBuf>,
}

/// `clarence propose`
#[derive(Args, Debug)]
pub struct Propose {
    /// The verb
    pub verb: String,
    /// What has to be said, as NAME=VALUE
    #[arg(value_name = "NAME=VALUE")]
    pub parameters: Vec<String>,
    /// Why, in one line
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The cloud's id, as `clarence found` and `clarence status` print it
    #[arg(long, value_name = "ID")]
    pub cloud: String,
    /// The charter in force.
    #[command(flatten)]
    pub charter: Charters,
    /// The proposer's key
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Break-glass only: when it ends by itself, in hours from now
    #[arg(long, value_name = "N")]
    pub lasts_hours: Option<u16>,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Hand the request to the running node as well
    #[arg(long)]
    pub node: bool,
}

/// `clarence approve`
#[derive(Args, Debug)]
pub struct Decide {
    /// The request
    pub request: PathBuf,
    /// The approver's key
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// The founding charter; with it the request and its proposer are checked before signing
    #[arg(long, value_name = "FILE", requires = "approvers")]
    pub charter: Option<PathBuf>,
    /// An amendment, in order; may be given several times
    #[arg(long, value_name = "FILE", requires = "charter")]
    pub then: Vec<PathBuf>,
    /// Cards of approvers: files, or a folder of them
    #[arg(long, value_name = "PATH", requires = "charter")]
    pub approvers: Vec<PathBuf>,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Hand it to the running node as well
    #[arg(long)]
    pub node: bool,
}

/// `clarence veto`
#[derive(Args, Debug)]
pub struct Veto {
    /// Why, in one line
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// What is the same as for an approval.
    #[command(flatten)]
    pub decide: Decide,
}

/// `clarence show-request`
#[derive(Args, Debug)]
pub struct ShowRequest {
    /// The request
    pub request: PathBuf,
}

/// `clarence check`
#[derive(Args, Debug)]
pub struct Judge {
    /// The request
    pub request: PathBuf,
    /// Approvals and vetoes
    pub words: Vec<PathBuf>,
    /// The cloud's id
    #[arg(long, value_name = "ID")]
    pub cloud: String,
    /// The charter in force.
    #[command(flatten)]
    pub charter: Charters,
    /// Cards of approvers: files, or a folder of them
    #[arg(long, value_name = "PATH", required = true)]
    pub approvers: Vec<PathBuf>,
    /// Execution orders written before: files, or a folder of them; what is in them is not done again
    #[arg(long, value_name = "PATH")]
    pub done: Vec<PathBuf>,
}

/// `clarence execute`
#[derive(Args, Debug)]
pub struct Execute {
    /// The request, or an execution order; with --node also the digest of a request in the docket
    pub request: PathBuf,
    /// Approvals and vetoes
    pub words: Vec<PathBuf>,
    /// Have the running node carry it out
    #[arg(long)]
    pub node: bool,
    /// The amendment, for amend-charter
    #[arg(long, value_name = "FILE", requires = "node")]
    pub with: Option<PathBuf>,
    /// The cloud's id
    #[arg(long, value_name = "ID", required_unless_present = "node")]
    pub cloud: Option<String>,
    /// The founding charter
    #[arg(long, value_name = "FILE", required_unless_present = "node")]
    pub charter: Option<PathBuf>,
    /// An amendment, in order; may be given several times
    #[arg(long, value_name = "FILE")]
    pub then: Vec<PathBuf>,
    /// Cards of approvers: files, or a folder of them
    #[arg(long, value_name = "PATH", required_unless_present = "node")]
    pub approvers: Vec<PathBuf>,
    /// Execution orders written before: files, or a folder of them; what is in them is not done again
    #[arg(long, value_name = "PATH")]
    pub done: Vec<PathBuf>,
    /// The execution order to write
    #[arg(long, value_name = "FILE", required_unless_present = "node")]
    pub out: Option<PathBuf>,
}

/// `clarence hand-in`
#[derive(Args, Debug)]
pub struct HandIn {
    /// The documents, or folders of approvers' cards
    #[arg(required = true, value_name = "PATH")]
    pub documents: Vec<PathBuf>,
}

/// `clarence glass-report`
#[derive(Args, Debug)]
pub struct GlassReport {
    /// The credential that was made for it
    pub access_key: String,
    /// What was read and why, in at most 1,000 characters
    #[arg(long, value_name = "TEXT")]
    pub report: String,
}

impl Joint {
    /// The `type` of the envelope.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Charter(CharterVerb::Key { .. }) => "charter.key",
            Self::Charter(CharterVerb::Draft(_)) => "charter.draft",
            Self::Charter(CharterVerb::Sign { .. }) => "charter.sign",
            Self::Charter(CharterVerb::Check(_)) => "charter.check",
            Self::Charter(CharterVerb::Amend { .. }) => "charter.amend",
            Self::Approver(Approver::New { .. }) => "approver.new",
            Self::Approver(Approver::Enrol { .. }) => "approver.enrol",
            Self::Approver(Approver::Withdraw { .. }) => "approver.withdraw",
            Self::WhoCan(_) => "who-can",
            Self::Propose(_) => "propose",
            Self::Approve(_) => "approve",
            Self::Veto(_) => "veto",
            Self::ShowRequest(_) => "show-request",
            Self::Check(_) => "check",
            Self::Execute(asked) if asked.node => "execute.node",
            Self::Execute(_) => "execute",
            Self::HandIn(_) => "hand-in",
            Self::Docket => "docket",
            Self::GlassReport(_) => "glass-report",
        }
    }
}
