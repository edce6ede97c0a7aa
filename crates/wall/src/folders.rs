//! Landlock: which folders a process may read and write.

use crate::WallError;
use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus,
};
use std::path::PathBuf;

const WHAT: &str = "the fence around folders (Landlock)";

/// Fences everything off but these; a path that is not there is skipped. `false` if the kernel knows no Landlock.
pub fn fence(reads: &[PathBuf], writes: &[PathBuf]) -> Result<bool, WallError> {
    let failed = |e: landlock::RulesetError| WallError::new(WHAT, e);
    let abi = ABI::V3;
    let all = AccessFs::from_all(abi);
    let reading = AccessFs::from_read(abi) & !AccessFs::Execute;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        .map_err(failed)?
        .create()
        .map_err(failed)?;
    for (paths, access) in [(reads, reading), (writes, all & !AccessFs::Execute)] {
        for path in paths {
            let Ok(open) = PathFd::new(path) else {
                continue;
            };
            // A right that only folders know is no right to a file.
            let access = match path.is_dir() {
                true => access,
                false => access & AccessFs::from_file(abi),
            };
            rules = rules
                .add_rule(PathBeneath::new(open, access))
                .map_err(failed)?;
        }
    }
    let status = rules.restrict_self().map_err(failed)?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}
