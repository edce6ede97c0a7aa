//! The command line of a log's witness.

use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// `clarence witness`
#[derive(Subcommand, Debug)]
pub enum Witness {
    /// Make a witness: its folder and its key; prints the verifier key
    #[command(after_help = "\
Example:
  clarence witness init --dir /srv/witness --name ctie.example/witness

Give the verifier key to everybody who checks the log, by another way than the log. Never put an older copy
of the folder in its place: a witness that has forgotten what it cosigned cosigns a second history.")]
    Init {
        /// The witness's folder
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Its name, like a URL without https://
        #[arg(long, value_name = "NAME")]
        name: String,
    },
    /// Let the witness know a log
    #[command(
        after_help = "Example:\n  clarence witness add-log --dir /srv/witness --keys ledger.keys"
    )]
    AddLog {
        /// The witness's folder
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// The log's public keys, got by another way than the log
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,
    },
    /// Cosign over HTTP (C2SP tlog-witness); beyond this machine only with TLS
    #[command(after_help = "\
Examples:
  clarence witness serve --dir /srv/witness --listen 127.0.0.1:7490
  clarence witness serve --dir /srv/witness --listen 0.0.0.0:443 --tls-cert chain.pem --tls-key key.pem

POST /add-checkpoint cosigns; GET /<SHA-256 of the log's name>/checkpoint gives the last one. SIGTERM and
SIGINT end it.")]
    Serve(ServeWitness),
    /// Cosign a request that was carried here as a file; for a witness without a network
    #[command(after_help = "\
Example:
  clarence witness sign --dir /srv/witness --request usb/ask.txt --out usb/ctie.cosigned

The request is what `clarence ledger ask` wrote. Exit code 6 says which size this witness is at.")]
    Sign {
        /// The witness's folder
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// The request
        #[arg(long, value_name = "FILE")]
        request: PathBuf,
        /// The file to write the cosignature to
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// What the witness has cosigned last of each log; needs no key
    #[command(after_help = "Example:\n  clarence witness log --dir /srv/witness")]
    Log {
        /// The witness's folder
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Check that a log signed two histories, with its public keys alone
    #[command(after_help = "\
Example:
  clarence witness verify-evidence /srv/witness/evidence/534b… --keys ledger.keys

The folder holds the files first, second and proof. Exit code 1: it proves nothing.")]
    VerifyEvidence {
        /// The folder
        folder: PathBuf,
        /// The log's public keys, got by another way
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,
    },
}

/// `clarence witness serve`
#[derive(Args, Debug)]
pub struct ServeWitness {
    /// The witness's folder
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// The address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7490")]
    pub listen: SocketAddr,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

impl Witness {
    /// The `type` of the envelope.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Init { .. } => "witness.init",
            Self::AddLog { .. } => "witness.add-log",
            Self::Serve(_) => "witness.serve",
            Self::Sign { .. } => "witness.sign",
            Self::Log { .. } => "witness.log",
            Self::VerifyEvidence { .. } => "witness.verify-evidence",
        }
    }
}
