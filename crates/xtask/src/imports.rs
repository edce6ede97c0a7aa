//! The import table of `ARCHITECTURE.md`, checked against every `Cargo.toml`.

use crate::Finding;
use std::path::Path;

/// Room, and the rooms it may import. A new edge is an architectural change: a commit of its own that
/// says why, with `ARCHITECTURE.md`.
const TABLE: &[(&str, &[&str])] = &[
    ("words", &[]),
    ("wall", &[]),
    ("host", &["words"]),
    ("ledger", &["words", "host"]),
    ("seal", &["words", "ledger", "wall"]),
    ("sign", &["words", "host"]),
    ("statement", &["words"]),
    ("agreement", &["words", "sign", "statement"]),
    ("people", &["words", "seal", "ledger"]),
    ("charter", &["words", "host", "sign"]),
    ("tls", &["words", "host"]),
    ("witness", &["words", "host", "tls", "ledger"]),
    ("authn", &["words"]),
    ("policy", &["words", "authn"]),
    ("epoch", &["words", "host"]),
    ("hsm", &["words", "host"]),
    ("tpm", &["words", "host"]),
    ("catalog", &["words", "host", "epoch", "ledger"]),
    ("chunks", &["words", "host", "seal"]),
    ("s3", &["words", "host", "tls", "seal", "authn", "chunks"]),
    (
        "embassy",
        &["words", "host", "seal", "catalog", "chunks", "s3"],
    ),
    (
        "mirror",
        &["words", "host", "seal", "epoch", "catalog", "chunks"],
    ),
    ("names", &["words", "host", "seal", "catalog"]),
    (
        "vault",
        &[
            "words",
            "host",
            "sign",
            "seal",
            "ledger",
            "statement",
            "agreement",
            "people",
            "charter",
            "authn",
            "policy",
            "catalog",
            "names",
        ],
    ),
    (
        "store",
        &[
            "words",
            "host",
            "seal",
            "ledger",
            "statement",
            "authn",
            "epoch",
            "catalog",
            "chunks",
            "mirror",
            "names",
            "vault",
        ],
    ),
    (
        "backup",
        &["words", "host", "ledger", "catalog", "chunks", "store"],
    ),
    ("gate", &["words", "host", "tls", "authn", "store", "vault"]),
    ("link", &["words", "authn", "store", "gate"]),
    ("road", &["words", "link", "statement"]),
    ("sql", &["words", "host", "statement"]),
    (
        "sqldoor",
        &[
            "words",
            "host",
            "tls",
            "wall",
            "link",
            "statement",
            "road",
            "sql",
        ],
    ),
    (
        "site",
        &[
            "words",
            "host",
            "sign",
            "tls",
            "seal",
            "ledger",
            "statement",
            "agreement",
            "people",
            "charter",
            "authn",
            "policy",
            "epoch",
            "catalog",
            "chunks",
            "s3",
            "embassy",
            "mirror",
            "names",
            "hsm",
            "tpm",
            "vault",
            "store",
            "backup",
            "gate",
            "link",
            "road",
            "wall",
        ],
    ),
    (
        "clarence",
        &[
            "words",
            "host",
            "sign",
            "tls",
            "charter",
            "ledger",
            "witness",
            "statement",
            "agreement",
            "people",
            "s3",
            "embassy",
            "backup",
            "hsm",
            "site",
        ],
    ),
    (
        "sim",
        &[
            "words", "host", "seal", "ledger", "charter", "authn", "policy", "epoch", "catalog",
            "chunks", "mirror", "names", "vault", "store", "site",
        ],
    ),
    ("xtask", &[]),
];

/// Crates that only one room may know.
const LEAVES: &[(&str, &[&str])] = &[
    ("fjall", &["catalog"]),
    ("cedar-policy", &["policy"]),
    ("s3s", &["gate"]),
    ("vsss-rs", &["charter"]),
    ("cryptoki", &["hsm"]),
    ("ml-kem", &["charter"]),
    ("shake", &["charter"]),
    ("rcgen", &["tls"]),
    ("rustls", &["tls"]),
    (
        "tokio-rustls",
        &["catalog", "gate", "s3", "sqldoor", "witness", "clarence"],
    ),
    ("tokio-postgres", &["catalog"]),
    (
        "hyper",
        &["gate", "s3", "sqldoor", "witness", "site", "clarence"],
    ),
    ("datafusion", &["sql", "sqldoor"]),
    ("object_store", &["sql"]),
    ("pgwire", &["sqldoor"]),
    ("tonic", &["sqldoor"]),
    ("anyhow", &["clarence"]),
    ("landlock", &["wall"]),
    ("seccompiler", &["wall"]),
    ("libc", &["wall"]),
    ("postcard", &["link"]),
];

pub fn check(root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let crates = root.join("crates");
    let mut rooms: Vec<String> = std::fs::read_dir(&crates)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    rooms.sort();
    for room in rooms {
        let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == room) else {
            findings.push(Finding(format!(
                "crates/{room} is not in the import table: add its row in xtask/src/imports.rs"
            )));
            continue;
        };
        let manifest =
            std::fs::read_to_string(crates.join(&room).join("Cargo.toml")).unwrap_or_default();
        for dependency in dependencies(&manifest) {
            let is_room = TABLE.iter().any(|(name, _)| *name == dependency);
            if is_room && !allowed.contains(&dependency.as_str()) {
                findings.push(Finding(format!(
                    "crates/{room} imports {dependency}, which the import table does not allow: move the code to the room it belongs to"
                )));
            }
            if let Some((_, owners)) = LEAVES.iter().find(|(name, _)| *name == dependency)
                && !owners.contains(&room.as_str())
            {
                findings.push(Finding(format!(
                    "crates/{room} imports {dependency}, which only {owners:?} may know"
                )));
            }
        }
    }
    findings
}

/// Names in `[dependencies]`; those that only tests use may go anywhere.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            names.push(name.to_owned());
        }
    }
    names
}
