//! The command line of identities and policies.

use clap::{Subcommand, ValueEnum};
use std::path::PathBuf;

/// What an identity is.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// A person.
    Person,
    /// A machine or a program.
    Workload,
    /// What others become for a while.
    Role,
}

impl Sort {
    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Workload => "workload",
            Self::Role => "role",
        }
    }
}

/// `clarence identity`
#[derive(Subcommand, Debug)]
pub enum Identity {
    /// Add a person, a workload or a role
    #[command(
        after_help = "Examples:\n  clarence identity add --tenant tax-office person anna --policy read-only.json\n  clarence identity add --tenant tax-office role reader --policy read-only.json --trust who.json --longest 1h"
    )]
    Add {
        /// The tenant's name
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// What it is
        sort: Sort,
        /// Its name
        name: String,
        /// A policy document that says what it may do, or - for stdin [default: it may nothing]
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        /// For a role: a trust policy that says who may become it
        #[arg(long, value_name = "FILE")]
        trust: Option<PathBuf>,
        /// For a role: its longest session, 15m to 12h [default: 1h]
        #[arg(long, value_name = "DURATION", value_parser = crate::config::seconds)]
        longest: Option<u64>,
    },
    /// Set what an identity may do
    #[command(
        after_help = "Example:\n  clarence identity policy --tenant tax-office person anna read-write.json"
    )]
    Policy {
        /// The tenant's name
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// What it is
        sort: Sort,
        /// Its name
        name: String,
        /// The policy document, or - for stdin
        policy: PathBuf,
    },
    /// Stop an identity with all its keys and sessions
    #[command(after_help = "Example:\n  clarence identity suspend --tenant tax-office person anna")]
    Suspend {
        /// The tenant's name
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// What it is
        sort: Sort,
        /// Its name
        name: String,
    },
    /// Believe the tokens of an identity provider, with the keys in a file; nothing is fetched
    #[command(
        after_help = "Example:\n  clarence identity provider --tenant tax-office --issuer https://idp.example.lu --audience clarence --jwks keys.json"
    )]
    Provider {
        /// The tenant's name
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// What its tokens say in iss
        #[arg(long, value_name = "URL")]
        issuer: String,
        /// For whom its tokens must be made; may be given several times
        #[arg(long = "audience", value_name = "NAME", required = true)]
        audiences: Vec<String>,
        /// Its public keys, a JWKS, or - for stdin
        #[arg(long, value_name = "FILE")]
        jwks: PathBuf,
    },
    /// List the identities of a tenant
    #[command(after_help = "Example:\n  clarence identity list --tenant tax-office")]
    List {
        /// The tenant's name
        #[arg(long, value_name = "NAME")]
        tenant: String,
    },
}

/// `clarence trust-anchor`
#[derive(Subcommand, Debug)]
pub enum TrustAnchor {
    /// Believe the certificates of authorities, with their certificates in a file; nothing is fetched
    #[command(
        after_help = "Examples:\n  clarence trust-anchor add --tenant tax-office cards --certificates ca.pem --crl ca.crl\n  clarence identity add --tenant tax-office role reader --policy read-only.json --trust who.json"
    )]
    Add {
        /// The tenant's name
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// The anchor's name
        name: String,
        /// The authorities' certificates, PEM, at most 16
        #[arg(long, value_name = "FILE")]
        certificates: PathBuf,
        /// A revocation list of one of them, PEM or DER; may be given several times [default: nothing is revoked]
        #[arg(long, value_name = "FILE")]
        crl: Vec<PathBuf>,
    },
    /// Put a newer revocation list in the place of its issuer's old one; sessions of what it revokes end
    #[command(
        after_help = "Example:\n  clarence trust-anchor crl --tenant tax-office cards ca.crl"
    )]
    Crl {
        /// The tenant's name
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// The anchor's name
        name: String,
        /// The list, PEM or DER
        list: PathBuf,
    },
    /// List the trust anchors of a tenant, their authorities and their revocation lists
    #[command(after_help = "Example:\n  clarence trust-anchor list --tenant tax-office")]
    List {
        /// The tenant's name
        #[arg(long, value_name = "NAME")]
        tenant: String,
    },
    /// Take a trust anchor away; sessions of its certificates end
    #[command(after_help = "Example:\n  clarence trust-anchor remove --tenant tax-office cards")]
    Remove {
        /// The tenant's name
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// The anchor's name
        name: String,
    },
}

impl TrustAnchor {
    /// Its name in envelopes.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Add { .. } => "trust-anchor.add",
            Self::Crl { .. } => "trust-anchor.crl",
            Self::List { .. } => "trust-anchor.list",
            Self::Remove { .. } => "trust-anchor.remove",
        }
    }
}

/// `clarence policy`
#[derive(Subcommand, Debug)]
pub enum Policy {
    /// Print who may do what on what
    #[command(
        after_help = "Examples:\n  clarence policy table\n  clarence policy table --tenant tax-office"
    )]
    Table {
        /// Only this tenant
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
    },
}

/// `clarence meter`
#[derive(Subcommand, Debug)]
pub enum Meter {
    /// Print what tenants used, hour by hour, as CSV
    #[command(
        after_help = "Examples:\n  clarence meter export > usage.csv\n  clarence meter export --tenant tax-office --json"
    )]
    Export {
        /// Only this tenant
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
    },
    /// Set what a tenant may use; what is left out has no limit
    #[command(
        after_help = "Example:\n  clarence meter quota --tenant tax-office --stored-bytes 1000000000000"
    )]
    Quota {
        /// The tenant's name
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// Bytes of objects that may be kept
        #[arg(long, value_name = "BYTES", default_value_t = 0)]
        stored_bytes: u64,
        /// Requests within an hour, after which writes are refused
        #[arg(long, value_name = "COUNT", default_value_t = 0)]
        requests_per_hour: u64,
    },
}

impl Meter {
    /// Its name in envelopes.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Export { .. } => "meter.export",
            Self::Quota { .. } => "meter.quota",
        }
    }
}

impl Identity {
    /// Its name in envelopes.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Add { .. } => "identity.add",
            Self::Policy { .. } => "identity.policy",
            Self::Suspend { .. } => "identity.suspend",
            Self::List { .. } => "identity.list",
            Self::Provider { .. } => "identity.provider",
        }
    }
}

impl Policy {
    /// Its name in envelopes.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Table { .. } => "policy.table",
        }
    }
}
