//! What the command line says to a running node over the control socket: one JSON line asks, JSON lines
//! answer; the last one is `done` or `failed`, progress lines may come before it. The socket lies in the
//! data folder and only its owner may open it.

use serde::{Deserialize, Serialize};

/// What is asked of a node.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "verb", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How the node is.
    Status,
    /// Gives one share, as the text of its file.
    Unseal {
        /// The file's text.
        share: String,
    },
    /// Forgets all keys.
    Seal,
    /// Adds a tenant.
    TenantAdd {
        /// Its name.
        name: String,
    },
    /// Lists the tenants.
    TenantList,
    /// Makes a credential for a tenant.
    KeyAdd {
        /// The tenant's name.
        tenant: String,
        /// When it ends, in seconds from now; never, if absent.
        expires_seconds: Option<u64>,
        /// The person or workload it is for; the whole tenant, if absent.
        #[serde(default)]
        identity: Option<String>,
        /// A policy document that narrows it.
        #[serde(default)]
        policy: Option<String>,
    },
    /// What tenants used, hour by hour.
    MeterExport {
        /// Only this tenant; all of them, if absent.
        tenant: Option<String>,
    },
    /// Sets what a tenant may use; zero means no limit.
    QuotaSet {
        /// The tenant's name.
        tenant: String,
        /// Bytes of objects that are kept.
        stored_bytes: u64,
        /// Requests within an hour, after which writes are refused.
        requests_per_hour: u64,
    },
    /// People, workloads, roles, policies.
    Identity(super::identity::Identity),
    /// Authorities of certificates.
    TrustAnchor(super::anchor::TrustAnchor),
    /// Stops a credential.
    KeySuspend {
        /// The access key.
        access_key: String,
    },
    /// The last entries of the ledger, newest first.
    LedgerTail {
        /// How many, at most 1000.
        count: usize,
        /// Only entries before this index.
        before: Option<u64>,
    },
    /// Publishes what is not published yet and signs a checkpoint at both sites.
    LedgerPublish,
    /// Reads every sealed byte at both sites, compares, repairs from the other side. Needs no key.
    Scrub,
    /// The rows of one moment and the chunks that they name, asked for frame by frame behind this line.
    Backup,
    /// Brings a site that is behind up to date.
    Heal {
        /// `a` or `b`; the one that is behind, if absent.
        site: Option<String>,
        /// The site's folder was lost; an empty one takes its place.
        #[serde(default)]
        new_folder: bool,
    },
    /// Erasure and the root.
    Erasure {
        /// What of it.
        ask: super::erasure::Ask,
    },
    /// Agreements between tenants.
    Agreement(super::agreement::AgreementAsked),
    /// Who used a person's data at a tenant, as one file with its proof.
    PersonAccesses(super::person::PersonAccesses),
    /// Keys that are lent to a host.
    Lending(super::lending::Lending),
    /// Takes a request, an approval, a veto or an approver's card, as the text of its file.
    HandIn {
        /// The file's text.
        document: String,
    },
    /// Every request: who still must approve, and when it may be carried out.
    Docket,
    /// Carries a request out, once, if the charter is satisfied now.
    CarryOut {
        /// The request's digest, in hexadecimal.
        request: String,
        /// The text of the amendment, for `amend-charter`.
        paper: Option<String>,
    },
    /// Takes the report on a break-glass that has ended.
    GlassReport {
        /// The credential that was made for it.
        access_key: String,
        /// What was done with it, and why.
        report: String,
    },
    /// Renews the key of a bucket, of a tenant, or of the sites; what lies under the old one follows in the
    /// background.
    Rotate {
        /// Whose key.
        what: RotateWhat,
    },
    /// The rotations under way.
    RotateStatus,
    /// Every key, algorithm, age and strength. Needs no key.
    CryptoInventory,
    /// Lets the node restart without officers, on an approved order.
    RestartGrant {
        /// The order's text.
        order: String,
        /// The texts of the approvers' cards.
        cards: Vec<String>,
        /// The TPM's PCRs that must stay as they are.
        pcrs: Vec<u8>,
        /// The site that holds the other half: `a` or `b`.
        held_by: String,
    },
    /// Ends such a lease.
    RestartEnd,
    /// Says which lease there is.
    RestartStatus,
    /// Ends the node cleanly.
    Stop,
}

/// Whose key is renewed.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum RotateWhat {
    /// A bucket's.
    Bucket {
        /// The tenant that owns it.
        tenant: String,
        /// Its name.
        bucket: String,
    },
    /// A tenant's.
    Tenant {
        /// Its name.
        tenant: String,
    },
    /// Both sites', with a new root.
    Sites {
        /// Why, for the ledger.
        reason: String,
    },
}

/// One line of an answer.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// Work goes on.
    Progress {
        /// What is being done.
        what: String,
        /// How much is done.
        done: u64,
        /// Of how much, if that is known.
        total: Option<u64>,
    },
    /// It is done.
    Done(serde_json::Value),
    /// It was not done.
    Failed {
        /// A stable word: `sealed`, `denied`, `not-found`, `conflict`, `usage`, `unavailable`, `internal`.
        kind: String,
        /// What happened, what is safe, what to do next.
        message: String,
    },
}
