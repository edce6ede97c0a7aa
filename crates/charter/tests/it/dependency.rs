//! Versions of `vsss-rs` before 6.0.1 leak secrets (audit of April 2026: coefficients that are always odd,
//! coefficients that are never zero). No other version may slip in.

#[test]
fn the_sharing_library_is_the_audited_version() {
    let lock = include_str!("../../../../Cargo.lock");
    let versions: Vec<&str> = lock
        .split("[[package]]")
        .filter(|package| package.contains("\nname = \"vsss-rs\"\n"))
        .filter_map(|package| package.lines().find(|line| line.starts_with("version = ")))
        .collect();
    let mend = "pin vsss-rs to =6.0.1, or audit the new version and run the exhaustive tests of `shamir` on it";
    assert_eq!(versions, ["version = \"6.0.1\""], "{mend}");
    let workspace = include_str!("../../../../Cargo.toml");
    assert!(
        workspace.contains("vsss-rs = { version = \"=6.0.1\""),
        "{mend}"
    );
}

#[test]
fn no_abandoned_sharing_library_slips_in() {
    let lock = include_str!("../../../../Cargo.lock");
    assert!(
        !lock.contains("name = \"sharks\""),
        "sharks has an unanswered disclosure; use vsss-rs =6.0.1"
    );
}
