//! Agreements as people write, sign and read them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may stop them

mod forms;
mod life;
mod pages;
mod terms;

use agreement::Agreement;

/// The template, as an agreement.
fn template() -> Agreement {
    Agreement::from_toml(Agreement::template()).unwrap()
}

/// The template with a change.
fn changed(from: &str, to: &str) -> String {
    let text = Agreement::template();
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}
