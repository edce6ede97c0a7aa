//! The acts that administer a cloud, each with its risk class. There is no other list: what is not here cannot
//! be asked for, and nothing here can be done by one person because of who they are.

use crate::class::Class;

/// One parameter of a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in requests.
    pub name: &'static str,
    /// Whether a request must have it.
    pub needed: bool,
}

/// One act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verb {
    /// Its name in requests.
    pub name: &'static str,
    /// The class that it has unless the charter puts it higher.
    pub class: Class,
    /// What it does, for people.
    pub does: &'static str,
    /// What has to be said, in the order in which it is written.
    pub parameters: &'static [Parameter],
}

const fn must(name: &'static str) -> Parameter {
    Parameter { name, needed: true }
}

const fn may(name: &'static str) -> Parameter {
    Parameter {
        name,
        needed: false,
    }
}

const fn verb(
    name: &'static str,
    class: Class,
    does: &'static str,
    parameters: &'static [Parameter],
) -> Verb {
    Verb {
        name,
        class,
        does,
        parameters,
    }
}

/// All verbs, by class.
pub const VERBS: &[Verb] = &[
    // R0: close.
    verb(
        "seal",
        Class::R0,
        "make a node forget every key",
        &[may("node")],
    ),
    verb(
        "site-isolate",
        Class::R0,
        "cut one site off from its clients",
        &[must("site")],
    ),
    verb(
        "writes-freeze",
        Class::R0,
        "refuse writes",
        &[may("tenant"), may("bucket")],
    ),
    verb(
        "key-suspend",
        Class::R0,
        "stop one credential",
        &[must("access-key")],
    ),
    verb(
        "person-suspend",
        Class::R0,
        "stop one person's sessions and keys",
        &[must("tenant"), must("person")],
    ),
    verb(
        "tenant-suspend",
        Class::R0,
        "stop everything that one tenant does",
        &[must("tenant")],
    ),
    verb(
        "agreement-suspend",
        Class::R0,
        "stop what flows under one agreement",
        &[must("agreement")],
    ),
    verb(
        "lease-revoke",
        Class::R0,
        "end the lending of a bucket's key to a host",
        &[must("loan")],
    ),
    verb(
        "node-expel",
        Class::R0,
        "stop one node, worker or gate",
        &[must("node")],
    ),
    // R1: everyday administration.
    verb(
        "tenant-add",
        Class::R1,
        "add a tenant",
        &[must("tenant"), may("jurisdictions")],
    ),
    verb(
        "key-add",
        Class::R1,
        "make a credential",
        &[must("tenant"), may("expires")],
    ),
    verb(
        "quota-set",
        Class::R1,
        "set what a tenant may use",
        &[must("tenant"), must("quota")],
    ),
    verb(
        "node-add",
        Class::R1,
        "let a node, worker or gate join",
        &[must("node"), must("jurisdiction"), must("key")],
    ),
    verb(
        "re-key-bucket",
        Class::R1,
        "give a bucket a new key",
        &[must("tenant"), must("bucket")],
    ),
    verb(
        "retention-extend",
        Class::R1,
        "lengthen a retention",
        &[must("tenant"), must("bucket"), must("until")],
    ),
    // R2: open, or change who may.
    verb(
        "unseal",
        Class::R2,
        "open a node with shares of the root",
        &[may("node")],
    ),
    verb(
        "key-resume",
        Class::R2,
        "let a stopped credential work again",
        &[must("access-key")],
    ),
    verb(
        "person-resume",
        Class::R2,
        "let a stopped person work again",
        &[must("tenant"), must("person")],
    ),
    verb(
        "tenant-resume",
        Class::R2,
        "let a stopped tenant work again",
        &[must("tenant")],
    ),
    verb(
        "agreement-resume",
        Class::R2,
        "let a stopped agreement work again",
        &[must("agreement")],
    ),
    verb(
        "writes-thaw",
        Class::R2,
        "take writes again",
        &[may("tenant"), may("bucket")],
    ),
    verb(
        "site-rejoin",
        Class::R2,
        "let a site that was cut off serve again",
        &[must("site")],
    ),
    verb(
        "policy-change",
        Class::R2,
        "change who may do what",
        &[must("tenant"), must("policy")],
    ),
    verb(
        "identity-provider-set",
        Class::R2,
        "trust another identity provider",
        &[must("tenant"), must("issuer")],
    ),
    verb(
        "lease-grant",
        Class::R2,
        "lend a bucket's key to a host, for minutes at a time",
        &[must("loan"), must("minutes")],
    ),
    verb(
        "restore",
        Class::R2,
        "bring a backup back",
        &[must("backup"), may("tenant")],
    ),
    verb(
        "re-key-tenant",
        Class::R2,
        "give a tenant a new key",
        &[must("tenant")],
    ),
    verb(
        "lease-restart",
        Class::R2,
        "let nodes restart without officers for a time",
        &[must("node"), must("days")],
    ),
    verb(
        "access-defer",
        Class::R2,
        "keep an access from the person concerned until a date, by order",
        &[must("order"), must("until")],
    ),
    // R3: give something up, or replace a foundation.
    verb(
        "accept-loss",
        Class::R3,
        "go on with a site that is behind",
        &[must("site")],
    ),
    verb(
        "subject-erase",
        Class::R3,
        "destroy the key of one person's or case's data",
        &[must("tenant"), must("subject")],
    ),
    verb(
        "retention-shorten",
        Class::R3,
        "shorten a retention",
        &[must("tenant"), must("bucket"), must("until")],
    ),
    verb(
        "bucket-destroy",
        Class::R3,
        "destroy a bucket under retention",
        &[must("tenant"), must("bucket")],
    ),
    verb(
        "upgrade",
        Class::R3,
        "run another release",
        &[must("release")],
    ),
    verb(
        "re-share",
        Class::R3,
        "deal new shares of the same root",
        &[must("epoch")],
    ),
    verb(
        "re-key-site",
        Class::R3,
        "give both sites new keys, with a new root (site=both)",
        &[must("site")],
    ),
    verb(
        "witness-change",
        Class::R3,
        "change who countersigns the ledger",
        &[must("witness"), must("key")],
    ),
    verb(
        "catalog-move",
        Class::R3,
        "move the catalog to another engine",
        &[must("engine")],
    ),
    // R4: change who owns the cloud, or take keys out of it.
    verb(
        "re-key-root",
        Class::R4,
        "make a new root",
        &[may("reason-code")],
    ),
    verb(
        "amend-charter",
        Class::R4,
        "put another charter in force",
        &[must("charter")],
    ),
    verb(
        "release-key",
        Class::R4,
        "give a tenant's key out of the cloud",
        &[must("tenant"), must("recipient")],
    ),
    verb(
        "export-root",
        Class::R4,
        "take the root out of the cloud",
        &[must("recipient")],
    ),
    verb(
        "tenant-destroy",
        Class::R4,
        "destroy a tenant's key and everything under it",
        &[must("tenant")],
    ),
    // Break-glass.
    verb(
        "break-glass-read",
        Class::BreakGlass,
        "read what a policy forbids, where lives depend on it",
        &[
            must("tenant"),
            must("bucket"),
            may("prefix"),
            may("officer"),
        ],
    ),
];

/// The verb of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == name)
}

/// The name of the verb that `name` most resembles.
#[must_use]
pub fn nearest(name: &str) -> &'static str {
    let name: String = name.chars().take(80).collect();
    VERBS
        .iter()
        .min_by_key(|verb| strsim::damerau_levenshtein(&name, verb.name))
        .map_or("", |verb| verb.name)
}
