//! The command line of agreements.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// `clarence agreement`
#[derive(Subcommand, Debug)]
pub enum Agreement {
    /// Print an agreement to be filled in, with a comment on each line
    #[command(after_help = "\
Example:
  clarence agreement template > family-benefits.toml")]
    Template,
    /// Read an agreement, say what is wrong with it, and write it in the form that is signed
    #[command(after_help = "\
Example:
  clarence agreement check family-benefits.toml --out family-benefits.agreement")]
    Check {
        /// The text that people wrote (TOML)
        file: PathBuf,
        /// The file for the form that is signed
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Print an agreement as a page that a lawyer can read
    #[command(after_help = "\
Example:
  clarence agreement page family-benefits.agreement --lang lb")]
    Page {
        /// The form that is signed, or the text
        file: PathBuf,
        /// The language
        #[arg(long, default_value = "en", value_name = "LANG")]
        lang: Lang,
    },
    /// Sign an agreement, on one's own device; the signature is a file
    #[command(after_help = "\
Example:
  clarence agreement sign family-benefits.agreement --key anna.key --side provider --role dpo --out anna.signature

The key is one of `clarence approver new --party TENANT`. To let an agreement go on that was suspended, the same persons of both
sides sign with --resume N; `clarence agreement show` says which number N the suspension has.")]
    Sign(SignAsked),
    /// Say who may sign for a tenant, and as what
    #[command(after_help = "\
Example:
  clarence agreement signers --tenant tax-office --signer owner=jean.pub --signer dpo=anna.pub

It replaces what was said before.")]
    Signers {
        /// The tenant's name
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// A role and the public file of a person
        #[arg(long = "signer", value_name = "ROLE=FILE", required = true)]
        signers: Vec<String>,
    },
    /// Hand a document to the node, to be signed by both sides
    #[command(after_help = "\
Example:
  clarence agreement propose family-benefits.agreement")]
    Propose {
        /// The form that is signed
        file: PathBuf,
    },
    /// Hand a signature to the node
    #[command(after_help = "\
Example:
  clarence agreement hand-in e20896be36ab4e31 anna.signature")]
    HandIn {
        /// The agreement's id
        id: String,
        /// The signature
        file: PathBuf,
    },
    /// Begin an agreement that both sides have signed
    #[command(after_help = "\
Example:
  clarence agreement activate e20896be36ab4e31")]
    Activate {
        /// The agreement's id
        id: String,
    },
    /// Stop an agreement for now; either side can. What runs under it ends
    #[command(after_help = "\
Example:
  clarence agreement suspend e20896be36ab4e31 --by consumer")]
    Suspend(Ended),
    /// End an agreement for good; either side can. What runs under it ends
    #[command(after_help = "\
Example:
  clarence agreement revoke e20896be36ab4e31 --by provider")]
    Revoke(Ended),
    /// What is on record of an agreement
    #[command(after_help = "\
Example:
  clarence agreement show e20896be36ab4e31")]
    Show {
        /// The agreement's id
        id: String,
    },
    /// All agreements and how far they are
    #[command(after_help = "\
Example:
  clarence agreement list")]
    List,
    /// Print the record of processing activities (GDPR, Article 30) from the agreements
    #[command(after_help = "\
Example:
  clarence agreement record --lang de")]
    Record {
        /// The language
        #[arg(long, default_value = "en", value_name = "LANG")]
        lang: Lang,
    },
}

/// A language of the state.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    /// French
    Fr,
    /// German
    De,
    /// Luxembourgish
    Lb,
    /// English
    En,
}

/// A side.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SideSaid {
    /// Whose data it is
    Provider,
    /// Who uses it
    Consumer,
}

/// `clarence agreement sign`
#[derive(Args, Debug)]
pub struct SignAsked {
    /// The form that is signed
    pub file: PathBuf,
    /// The person's secret key
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// The side they sign for
    #[arg(long, value_name = "SIDE")]
    pub side: SideSaid,
    /// As what
    #[arg(long, value_name = "ROLE")]
    pub role: String,
    /// Sign that it goes on after it was suspended for the N-th time, rather than the agreement itself
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub resume: Option<u32>,
    /// The file for the signature
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `clarence agreement suspend`, `revoke`
#[derive(Args, Debug)]
pub struct Ended {
    /// The agreement's id
    pub id: String,
    /// The side that does it
    #[arg(long, value_name = "SIDE")]
    pub by: SideSaid,
}

impl Agreement {
    /// The `type` of the envelope.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Template => "agreement.template",
            Self::Check { .. } => "agreement.check",
            Self::Page { .. } => "agreement.page",
            Self::Sign(_) => "agreement.sign",
            Self::Signers { .. } => "agreement.signers",
            Self::Propose { .. } => "agreement.propose",
            Self::HandIn { .. } => "agreement.hand-in",
            Self::Activate { .. } => "agreement.activate",
            Self::Suspend(_) => "agreement.suspend",
            Self::Revoke(_) => "agreement.revoke",
            Self::Show { .. } => "agreement.show",
            Self::List => "agreement.list",
            Self::Record { .. } => "agreement.record",
        }
    }
}
