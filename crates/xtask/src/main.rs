//! House rules that a compiler does not know, run by `./test` (`cargo run -p xtask`): which room may import
//! which, no global mutable state, who may mint a receipt, and how long files and functions may be.
//! Each finding says how to mend it.
#![allow(clippy::disallowed_methods)] // a tool that reads the tree; no room links it

mod imports;
mod lengths;
mod words;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// One broken rule: where, what, and the mend.
struct Finding(String);

fn main() -> ExitCode {
    let findings = check(&root());
    for Finding(text) in &findings {
        println!("house rule: {text}");
    }
    println!("house rules: {} broken", findings.len());
    if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The checkout that is looked at: what cargo says now, not what it said when this was built. Several checkouts may share
/// one target folder, and this program with it.
fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.join("../..")
}

fn check(root: &Path) -> Vec<Finding> {
    let files = rust_files(&root.join("crates"));
    if files.is_empty() {
        let text = format!(
            "{}/crates has no Rust file: run this by cargo",
            root.display()
        );
        return vec![Finding(text)];
    }
    let mut findings = imports::check(root);
    findings.extend(words::check(root, &files));
    findings.extend(lengths::check(root, &files));
    findings
}

/// Every Rust file below `folder`, sorted.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Tests, benches and examples: they may use the file system and the clock, and be longer.
fn is_proof(shown: &str) -> bool {
    shown.contains("/tests/") || shown.contains("/benches/") || shown.contains("/examples/")
}

fn shown(root: &Path, file: &Path) -> String {
    file.strip_prefix(root)
        .unwrap_or(file)
        .display()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_rules_hold() {
        let findings: Vec<String> = check(&root()).into_iter().map(|f| f.0).collect();
        assert!(findings.is_empty(), "{findings:#?}");
    }

    #[test]
    fn a_folder_without_files_is_a_finding() {
        let findings = check(Path::new("/nowhere"));
        assert_eq!(findings.len(), 1, "nothing looked at is not nothing found");
    }
}
