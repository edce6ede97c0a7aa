//! Files and functions stay short. What was longer when the rule began stands in `crates/xtask/ratchet.txt`
//! with its length: it may shrink and never grow.

use crate::{Finding, shown};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
/// Proofs may tell a longer story in one piece.
const PROOF_FILE_LINES_MAX: usize = 900;
const PROOF_FUNCTION_LINES_MAX: usize = 120;

pub fn check(root: &Path, files: &[PathBuf]) -> Vec<Finding> {
    let ratchet = ratchet(root);
    let mut findings = Vec::new();
    for file in files {
        let place = shown(root, file);
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let lines = text.lines().count();
        let (file_max, function_max) = if crate::is_proof(&place) {
            (PROOF_FILE_LINES_MAX, PROOF_FUNCTION_LINES_MAX)
        } else {
            (FILE_LINES_MAX, FUNCTION_LINES_MAX)
        };
        if lines > allowed(&ratchet, &place, file_max) {
            findings.push(Finding(format!(
                "{place} has {lines} lines, more than {}: split it by verb or noun",
                allowed(&ratchet, &place, file_max)
            )));
        }
        for (name, length) in functions(&text) {
            let key = format!("{place}:{name}");
            let max = allowed(&ratchet, &key, function_max);
            if length > max {
                findings.push(Finding(format!(
                    "{key} has {length} lines, more than {max}: give its steps names of their own"
                )));
            }
        }
    }
    findings
}

fn allowed(ratchet: &BTreeMap<String, usize>, key: &str, usual: usize) -> usize {
    ratchet.get(key).copied().unwrap_or(usual)
}

fn ratchet(root: &Path) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(root.join("crates/xtask/ratchet.txt")).unwrap_or_default();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(key, length)| Some((key.to_owned(), length.parse().ok()?)))
        .collect()
}

/// Name and length of each function. The tree is formatted, so a function ends at the first `}` that is
/// indented as far as its `fn`.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let end = lines[start..].iter().position(|l| {
            l.len() - l.trim_start().len() == indent
                && (l.trim() == "}" || l.trim_end().ends_with(';') || l.trim_end().ends_with(" }"))
        });
        if let Some(length) = end {
            found.push((name, length + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let bare = line.trim_start();
    let at = bare.find("fn ")?;
    let before = &bare[..at];
    let is_declaration = before.split_whitespace().all(|w| {
        w.starts_with("pub")
            || ["async", "const", "unsafe"].contains(&w)
            || w.starts_with("in")
            || w.ends_with(')')
    });
    if !is_declaration || bare.starts_with("//") {
        return None;
    }
    let name: String = bare[at + 3..]
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (!name.is_empty()).then_some(name)
}
