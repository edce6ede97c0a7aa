//! The command line as it is typed. Examples come first in every help.

use crate::custody::args::Custody;
use crate::custody_args::{Hsm, Restart};
use crate::erasure::args::Erasure;
use crate::guest::args::{Embassy, Guest};
use crate::joint::args::Joint;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use words::SiteId;

const TOP_EXAMPLES: &str = "\
Examples:
  clarence up --data ./cloud --s3 127.0.0.1:7480   a cloud on this machine, for development
  clarence found --charter charter.toml            hold the key ceremony of a new cloud
  clarence serve                                   serve a founded cloud, sealed until shares come
  clarence unseal --share /media/usb/share.clarence
  clarence status --json

Exit codes: 0 ok, 1 general, 2 usage, 3 network, 4 auth, 5 not found, 6 conflict, 7 unsupported,
130 interrupted. Data goes to stdout, talk to stderr.";

/// A sovereign, offline cloud: sealed, kept at two sites, recorded.
#[derive(Parser, Debug)]
#[command(name = "clarence", version, about, before_help = "", after_help = TOP_EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// What holds everywhere.
    #[command(flatten)]
    pub everywhere: Everywhere,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Flags of every verb.
#[derive(Args, Debug, Clone)]
pub struct Everywhere {
    /// The node's folder [default: $XDG_DATA_HOME/clarence]
    #[arg(long, global = true, env = "CLARENCE_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The configuration file [default: DIR/clarence.toml, then /etc/clarence/clarence.toml]
    #[arg(long, global = true, env = "CLARENCE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print one JSON envelope on stdout (docs/schema/envelope-1.json)
    #[arg(long, global = true)]
    pub json: bool,
}

/// The verbs.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Found a cloud here if there is none, and serve it; for development and trials
    #[command(after_help = "\
Examples:
  clarence up                                       found if new, open, serve on 127.0.0.1:7480
  clarence up --data ./cloud --s3 127.0.0.1:9000
  clarence up --sealed                              found if new, keep no share here to open with

On a folder that it founds itself it writes DIR/clarence.toml, which switches
unsafe_unseal_from_this_machine on unless --sealed is given. When it serves, DIR/connect.json tells a
first client how to connect.")]
    Up(Up),
    /// Serve a founded cloud; sealed until enough shares are given
    #[command(
        after_help = "Examples:\n  clarence serve --data /var/lib/clarence\n  clarence serve --s3 0.0.0.0:443 --tls-cert chain.pem --tls-key key.pem\n  clarence serve --s3 0.0.0.0:443 --tls --tls-classical refuse\n  clarence serve --standby                              the second node of a cloud"
    )]
    Serve(Serve),
    /// Make this machine's folders of a cloud whose catalog is on servers, for a node that stands by
    #[command(
        after_help = "Example:\n  clarence join --data /srv/clarence     with catalog.servers in /srv/clarence/clarence.toml"
    )]
    Join,
    /// Hold the key ceremony and make the folders of a new cloud
    #[command(
        after_help = "Examples:\n  clarence found --data /srv/clarence                  three parents, any two open it\n  clarence found --data /srv/clarence --charter charter.toml"
    )]
    Found(Found),
    /// Give the running node shares of its root key
    #[command(
        after_help = "Examples:\n  clarence unseal --share /media/usb1/share.clarence --share /media/usb2/share.clarence\n  ssh parent cat share.clarence | clarence unseal --share -"
    )]
    Unseal(Unseal),
    /// Make the running node forget all keys
    #[command(after_help = "Example:\n  clarence seal")]
    Seal,
    /// How the node and its two sites are
    #[command(
        after_help = "Examples:\n  clarence status\n  clarence status --json | jq .data.sealed"
    )]
    Status,
    /// Tenants
    #[command(subcommand)]
    Tenant(Tenant),
    /// Credentials of tenants
    #[command(subcommand)]
    Key(Key),
    /// People, workloads and roles of tenants
    #[command(subcommand)]
    Identity(crate::identity_args::Identity),
    /// Authorities whose certificates and smart cards sign in
    #[command(subcommand)]
    TrustAnchor(crate::identity_args::TrustAnchor),
    /// Who may do what on what
    #[command(subcommand)]
    Policy(crate::identity_args::Policy),
    /// What tenants use, and what they may use
    #[command(subcommand)]
    Meter(crate::identity_args::Meter),
    /// The record of everything that touched data or names
    #[command(subcommand)]
    Ledger(crate::ledger_args::Ledger),
    /// A witness that cosigns the checkpoints of logs, on a machine of its own
    #[command(subcommand)]
    Witness(crate::witness::args::Witness),
    /// Read every sealed byte at both sites, compare, repair from the other side; needs no key
    #[command(after_help = "Example:\n  clarence scrub")]
    Scrub,
    /// Bring a site that is behind up to date
    #[command(
        after_help = "Examples:\n  clarence heal\n  clarence heal --site b\n  clarence heal --site b --new-folder    after its disk was replaced, or its bucket lost"
    )]
    Heal(Heal),
    /// Go on with a site that is behind, giving up what only the other one had; needs a quorum of shares
    #[command(
        after_help = "Example:\n  clarence accept-loss --site b --share usb1/share.clarence --share usb2/share.clarence"
    )]
    AcceptLoss(AcceptLoss),
    /// Copy the whole cloud into a folder, sealed as it lies; needs no share. Check such a copy, rehearse its restore
    #[command(after_help = "\
Examples:
  clarence backup --to /media/disk                     everything, as of one moment; the node goes on, sealed or open
  clarence backup --to /media/disk --rate 50MiB/s      the next day: only new chunks are copied
  clarence backup verify /media/disk
  clarence backup drill --from /media/disk --share usb1/share.clarence --share usb2/share.clarence

It can be interrupted: the same command goes on. What the folder held before counts until the new backup is whole.")]
    Backup(crate::backup::args::Backup),
    /// Make a cloud anew from a backup, on either engine; needs a quorum of shares
    #[command(after_help = "\
Examples:
  clarence restore --data /srv/new --from /media/disk --share usb1/share.clarence --share usb2/share.clarence
  clarence restore --from /media/disk --share usb1 --share usb2 --catalog-owner registry_owner
  clarence restore --from /media/disk --share usb1 --share usb2 --new-witnesses

With catalog.servers the catalog is made on PostgreSQL, otherwise in the sites' folders: so a cloud is moved from one to
the other. It is the same cloud, with the same root and credentials, in a new epoch; what came after the backup is lost.
parents.folder names the parties' folders of the old cloud, so that a node of it that still runs learns of this.")]
    Restore(crate::backup::args::Restore),
    /// An HSM that holds a part of what opens the sites' keys
    #[command(subcommand)]
    Hsm(Hsm),
    /// Loads a PKCS #11 module for the node; not for people
    #[command(name = site::MODULE_VERB, hide = true, after_help = "Example: none; the node starts it")]
    Pkcs11Module,
    /// Restarts without officers, for a time that a quorum grants
    #[command(subcommand)]
    Restart(Restart),
    /// Custody of keys: renewing them, and what a party does with its share.
    #[command(flatten)]
    Custody(Custody),
    /// Joint control on files: charters, approvers, requests, approvals.
    #[command(flatten)]
    Joint(Joint),
    /// Agreements between authorities: the document, its signatures, its life
    #[command(subcommand)]
    Agreement(crate::agreement::args::Agreement),
    /// Who used a person's data
    #[command(subcommand)]
    Person(crate::person::args::Person),
    /// Ask in SQL, over HTTP
    #[command(after_help = "\
Examples:
  clarence sql -c 'SELECT commune, count(*) FROM people GROUP BY commune'
  clarence sql --database agr_e20896be36ab4e31 --purpose statistics.official --plot -c 'SELECT commune, count(*) FROM people GROUP BY commune'
  clarence sql -f report.sql --format parquet --out report.parquet
  clarence sql                                   a prompt; \\? helps

The access key is AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, or the one in DIR/connect.json.")]
    Sql(crate::sql::args::Sql),
    /// Erasure, replaced shares, and the root.
    #[command(flatten)]
    Erasure(Erasure),
    /// Look for what would go wrong: folders, space, limits, clock, shares left on this machine
    #[command(
        after_help = "Examples:\n  clarence doctor\n  clarence doctor --json | jq '.data.checks[] | select(.result != \"ok\")'"
    )]
    Doctor,
    /// The configuration
    #[command(subcommand)]
    Config(Config),
    /// The local authority and its certificates for TLS
    #[command(subcommand)]
    Tls(Tls),
    /// Cryptography: what is used, where, and how strong it is
    #[command(subcommand)]
    Crypto(Crypto),
    /// Give clients on this machine a post-quantum hop to a node: plain HTTP in, hybrid TLS out
    #[command(after_help = "\
Examples:
  clarence proxy --listen 127.0.0.1:7479 --to https://s3.lu-1.clarence.internal:443 --ca ca.pem
  AWS_ENDPOINT_URL=http://127.0.0.1:7479 aws s3 ls

It listens on a loopback address only, and refuses a server without hybrid key exchange. What goes through
is not changed, so signatures stay right.")]
    Proxy(Proxy),
    /// A cloud that keeps a twin at a host that cannot open it
    #[command(subcommand)]
    Guest(Guest),
    /// Leave a host with everything, come back from it, rehearse it
    #[command(subcommand)]
    Embassy(Embassy),
    /// End the running node cleanly
    #[command(after_help = "Example:\n  clarence stop")]
    Stop,
    /// Completions for a shell
    #[command(
        after_help = "Example:\n  clarence completions bash > /etc/bash_completion.d/clarence"
    )]
    Completions(Completions),
    /// Which version this is
    #[command(after_help = "Example:\n  clarence version --json")]
    Version,
}

/// Where S3 is served.
#[derive(Args, Debug, Clone, Default)]
pub struct Listen {
    /// The address of S3; port 0 takes a free one [config: s3.listen]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub s3: Option<SocketAddr>,
    /// The address of SQL for PostgreSQL's clients; port 0 takes a free one [config: sql.listen]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub sql: Option<SocketAddr>,
    /// The address of SQL over HTTP [config: sql.http_listen]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub sql_http: Option<SocketAddr>,
    /// The address of SQL over Arrow Flight SQL [config: sql.flight_listen]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub sql_flight: Option<SocketAddr>,
    /// Serve TLS with the local authority's certificates; `up` makes them [config: s3.tls_local_authority]
    #[arg(long, conflicts_with = "tls_cert")]
    pub tls: bool,
    /// TLS clients without hybrid key exchange: allow or refuse [config: s3.tls_classical]
    #[arg(long, value_name = "WORD", value_parser = clap::builder::PossibleValuesParser::new(tls::Classical::WORDS))]
    pub tls_classical: Option<String>,
    /// Certificate chain, PEM [config: s3.tls_cert]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key, PEM [config: s3.tls_key]
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Let plain HTTP leave this machine [config: s3.allow_plain_http_beyond_loopback]
    #[arg(long)]
    pub allow_plain_http_beyond_loopback: bool,
    /// UNSAFE: open with share files that lie on this machine [config: unsafe_unseal_from_this_machine]
    #[arg(long)]
    pub unsafe_unseal_from_this_machine: bool,
}

/// `clarence up`
#[derive(Args, Debug, Clone)]
pub struct Up {
    /// What a cloud is founded with that is founded now.
    #[command(flatten)]
    pub found: Found,
    /// Stay sealed until shares are given with `clarence unseal`
    #[arg(long, conflicts_with = "unsafe_unseal_from_this_machine")]
    pub sealed: bool,
    /// Where S3 is served.
    #[command(flatten)]
    pub listen: Listen,
}

/// `clarence serve`
#[derive(Args, Debug, Clone)]
pub struct Serve {
    /// While another node holds the catalog on servers, stand by; take over when that one ends
    #[arg(long)]
    pub standby: bool,
    /// Where S3 is served.
    #[command(flatten)]
    pub listen: Listen,
}

/// `clarence found`
#[derive(Args, Debug, Clone, Default)]
pub struct Found {
    /// The charter: parties and threshold [default: three parents, any two open it]
    #[arg(long, value_name = "FILE")]
    pub charter: Option<PathBuf>,
    /// With catalog.servers: the role that makes the tables and owns them [default: catalog.user]
    #[arg(long, value_name = "ROLE")]
    pub catalog_owner: Option<String>,
    /// A file with that role's password
    #[arg(long, value_name = "FILE", requires = "catalog_owner")]
    pub catalog_owner_password: Option<PathBuf>,
}

/// `clarence unseal`
#[derive(Args, Debug, Clone)]
pub struct Unseal {
    /// A share file, an officer's part, a party's folder, or - for stdin; may be given several times
    #[arg(long = "share", value_name = "FILE", required = true)]
    pub shares: Vec<PathBuf>,
    /// The identity of shares that are sealed in envelopes; may be given several times
    #[arg(long = "identity", value_name = "FILE")]
    pub identities: Vec<PathBuf>,
}

/// `clarence tenant`
#[derive(Subcommand, Debug)]
pub enum Tenant {
    /// Add a tenant with a first credential; its secret is shown once
    #[command(after_help = "Example:\n  clarence tenant add tax-office --json")]
    Add {
        /// The tenant's name
        name: String,
    },
    /// List the tenants
    #[command(after_help = "Example:\n  clarence tenant list")]
    List,
}

/// `clarence key`
#[derive(Subcommand, Debug)]
pub enum Key {
    /// Make a credential; its secret is shown once
    #[command(
        after_help = "Examples:\n  clarence key add --tenant tax-office\n  clarence key add --tenant tax-office --expires 12h --policy read-only.json\n  clarence key add --tenant tax-office --identity anna"
    )]
    Add {
        /// The tenant's name
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// How long it is good for: 90s, 30m, 12h, 7d [default: until it is suspended]
        #[arg(long, value_name = "DURATION", value_parser = crate::config::seconds)]
        expires: Option<u64>,
        /// The person or workload it is for [default: the whole tenant]
        #[arg(long, value_name = "NAME")]
        identity: Option<String>,
        /// A policy document that narrows it, or - for stdin
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },
    /// Stop a credential
    #[command(after_help = "Example:\n  clarence key suspend CLR7Q...")]
    Suspend {
        /// The access key
        access_key: String,
    },
}

/// `clarence heal`
#[derive(Args, Debug, Clone)]
pub struct Heal {
    /// Which site [default: the one that is behind]
    #[arg(long)]
    pub site: Option<SiteLetter>,
    /// The site's folder or bucket was lost: take the empty one in its place into use
    #[arg(long, requires = "site")]
    pub new_folder: bool,
}

/// `clarence accept-loss`
#[derive(Args, Debug, Clone)]
pub struct AcceptLoss {
    /// The site to go on with
    #[arg(long)]
    pub site: SiteLetter,
    /// A share file, a party's folder, or - for stdin; as many as the charter asks for
    #[arg(long = "share", value_name = "FILE", required = true)]
    pub shares: Vec<PathBuf>,
}

/// One of the two sites.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteLetter {
    /// The first site.
    A,
    /// The second site.
    B,
}

/// `clarence config`
#[derive(Subcommand, Debug)]
pub enum Config {
    /// Read file and environment and say whether a node could start with them
    #[command(
        after_help = "Example:\n  clarence config check --config /etc/clarence/clarence.toml"
    )]
    Check,
    /// Show every key with its value
    #[command(
        after_help = "Examples:\n  clarence config show\n  clarence config show --origin    which layer set each value"
    )]
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
    },
}

/// `clarence tls`
#[derive(Subcommand, Debug)]
pub enum Tls {
    /// Make the local authority and a certificate for this node's names, under ML-DSA-65 and ECDSA P-256
    #[command(
        after_help = "Examples:\n  clarence tls init\n  clarence tls init --name s3.example.lu --name 10.1.2.3\n\nClients are given DIR/tls/ca.pem. The files DIR/tls/authority-*.pem may be taken away to a safe place."
    )]
    Init {
        /// A further name or address; may be given several times
        #[arg(long = "name", value_name = "NAME")]
        names: Vec<String>,
    },
    /// Give out new certificates; a running node takes them by itself
    #[command(
        after_help = "Examples:\n  clarence tls renew\n  clarence tls renew --authority /media/usb/tls\n  clarence tls renew --name s3.example.lu    the usual names and this one"
    )]
    Renew {
        /// The usual names and this one, in place of the names of the old certificates; may be given several times
        #[arg(long = "name", value_name = "NAME")]
        names: Vec<String>,
        /// The folder with the authority's files, if they were taken away
        #[arg(long, value_name = "DIR")]
        authority: Option<PathBuf>,
    },
    /// What there is and until when it is good
    #[command(after_help = "Example:\n  clarence tls show")]
    Show,
}

/// `clarence crypto`
#[derive(Subcommand, Debug)]
pub enum Crypto {
    /// Every key and algorithm: what for, where, how many, how old, how strong
    #[command(
        after_help = "Examples:\n  clarence crypto inventory\n  clarence crypto inventory --json | jq .data.classical_only"
    )]
    Inventory,
}

/// `clarence proxy`
#[derive(Args, Debug, Clone)]
pub struct Proxy {
    /// The loopback address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7479")]
    pub listen: SocketAddr,
    /// The node
    #[arg(long, value_name = "https://HOST[:PORT]")]
    pub to: crate::proxy::Target,
    /// The certificates of the authorities to trust, PEM: the node's DIR/tls/ca.pem
    #[arg(long, value_name = "FILE")]
    pub ca: PathBuf,
    /// Most connections at once; others wait
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub connections: u32,
}

/// `clarence completions`
#[derive(Args, Debug, Clone)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

impl Verb {
    /// The `type` of the envelope.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Up(_) => "up",
            Self::Serve(_) => "serve",
            Self::Join => "join",
            Self::Found(_) => "found",
            Self::Unseal(_) => "unseal",
            Self::Seal => "seal",
            Self::Status => "status",
            Self::Tenant(Tenant::Add { .. }) => "tenant.add",
            Self::Tenant(Tenant::List) => "tenant.list",
            Self::Key(Key::Add { .. }) => "key.add",
            Self::Key(Key::Suspend { .. }) => "key.suspend",
            Self::Identity(asked) => asked.kind(),
            Self::TrustAnchor(asked) => asked.kind(),
            Self::Policy(asked) => asked.kind(),
            Self::Meter(asked) => asked.kind(),
            Self::Ledger(asked) => asked.kind(),
            Self::Witness(asked) => asked.kind(),
            Self::Scrub => "scrub",
            Self::Heal(_) => "heal",
            Self::AcceptLoss(_) => "accept-loss",
            Self::Backup(asked) => asked.kind(),
            Self::Restore(_) => "restore",
            Self::Hsm(asked) => asked.kind(),
            Self::Restart(asked) => asked.kind(),
            Self::Pkcs11Module => "pkcs11-module",
            Self::Custody(asked) => asked.kind(),
            Self::Joint(asked) => asked.kind(),
            Self::Guest(asked) => asked.kind(),
            Self::Embassy(asked) => asked.kind(),
            Self::Agreement(asked) => asked.kind(),
            Self::Person(asked) => asked.kind(),
            Self::Sql(_) => "sql",
            Self::Erasure(asked) => asked.kind(),
            Self::Doctor => "doctor",
            Self::Config(Config::Check) => "config.check",
            Self::Config(Config::Show { .. }) => "config.show",
            Self::Tls(Tls::Init { .. }) => "tls.init",
            Self::Tls(Tls::Renew { .. }) => "tls.renew",
            Self::Tls(Tls::Show) => "tls.show",
            Self::Crypto(Crypto::Inventory) => "crypto.inventory",
            Self::Proxy(_) => "proxy",
            Self::Stop => "stop",
            Self::Completions(_) => "completions",
            Self::Version => "version",
        }
    }
}

impl SiteLetter {
    /// As the node reads it.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// The site itself.
    pub const fn site(self) -> SiteId {
        match self {
            Self::A => SiteId::A,
            Self::B => SiteId::B,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_has_an_example() {
        fn walk(command: &clap::Command, path: &str) {
            for sub in command.get_subcommands() {
                let path = format!("{path} {}", sub.get_name());
                if sub.has_subcommands() {
                    walk(sub, &path);
                } else {
                    let help = sub.get_after_help().map(ToString::to_string);
                    assert!(
                        help.is_some_and(|h| h.contains("Example")),
                        "{path} has no example"
                    );
                }
            }
        }
        walk(&Cli::command(), "clarence");
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(crate::config::seconds("90s"), Ok(90));
        assert_eq!(crate::config::seconds("7d"), Ok(604_800));
        for wrong in [
            "",
            "7",
            "d",
            "-1h",
            "1w",
            "0s",
            "99999999999999999999d",
            "1é",
        ] {
            assert!(crate::config::seconds(wrong).is_err(), "{wrong}");
        }
    }
}
