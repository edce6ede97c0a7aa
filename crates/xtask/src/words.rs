//! Words that may not stand in the code, or only in one room. Direct calls to the clock and to randomness
//! are forbidden by `clippy.toml` as well, which knows the types.

use crate::{Finding, is_proof, shown};
use std::path::{Path, PathBuf};

struct Rule {
    word: &'static str,
    /// Path prefixes in which the word may stand.
    except: &'static [&'static str],
    mend: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        word: "static mut",
        // Pages that keys lie in belong to the process.
        except: &["crates/wall/src/secret.rs"],
        mend: "no global mutable state: hand the value in",
    },
    Rule {
        word: "lazy_static!",
        except: &[],
        mend: "no global state: hand the value in",
    },
    Rule {
        word: "thread_local!",
        except: &[],
        mend: "no global state: hand the value in",
    },
    Rule {
        word: ".settled(",
        except: &["crates/catalog/", "crates/ledger/"],
        mend: "only the catalog turns an entry into a receipt, when its row is durable",
    },
    Rule {
        word: "LossAccepted::by_quorum(",
        except: &["crates/epoch/", "crates/site/src/accept_loss.rs"],
        mend: "only the act that collected a quorum of shares may consent to a loss",
    },
    Rule {
        word: "RestoreAccepted::by_quorum(",
        except: &["crates/epoch/", "crates/site/src/backup/"],
        mend: "only the act that collected a quorum of shares may consent to a restore",
    },
    Rule {
        word: "std::fs",
        except: &[
            "crates/host/",
            "crates/xtask/",
            "crates/catalog/src/embedded/",
        ],
        mend: "go through host::files, which syncs",
    },
    Rule {
        word: "SystemTime::now",
        except: &["crates/host/"],
        mend: "ask host::Host for the time",
    },
];

pub fn check(root: &Path, files: &[PathBuf]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        let place = shown(root, file);
        if place.starts_with("crates/xtask/")
            || place.contains("/tests/compile_fail/")
            || place.contains("/tests/ui/")
        {
            continue;
        }
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for rule in RULES {
            let free = rule.except.iter().any(|prefix| place.starts_with(prefix));
            let soft = matches!(rule.word, "std::fs" | "SystemTime::now");
            if free || (soft && is_proof(&place)) {
                continue;
            }
            for (number, line) in code.lines().enumerate() {
                let bare = line.trim_start();
                let global = bare.starts_with("static ")
                    && ["OnceLock", "Mutex", "RwLock", "Atomic", "LazyLock"]
                        .iter()
                        .any(|w| bare.contains(w));
                if global && rule.word == "static mut" {
                    findings.push(Finding(format!("{place}:{}: {}", number + 1, rule.mend)));
                }
                if !bare.starts_with("//") && line.contains(rule.word) {
                    findings.push(Finding(format!(
                        "{place}:{}: `{}`: {}",
                        number + 1,
                        rule.word,
                        rule.mend
                    )));
                }
            }
        }
    }
    findings
}
