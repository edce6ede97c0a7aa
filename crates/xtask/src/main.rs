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
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .map(Path::to_path_buf);
    let Some(root) = root else {
        eprintln!("xtask: cannot find the root of the project");
        return ExitCode::FAILURE;
    };
    let findings = check(&root);
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

fn check(root: &Path) -> Vec<Finding> {
    let files = rust_files(&root.join("crates"));
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
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .unwrap();
        let findings: Vec<String> = check(root).into_iter().map(|f| f.0).collect();
        assert!(findings.is_empty(), "{findings:#?}");
    }
}
