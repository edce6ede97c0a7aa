//! A node as processes. The **launcher** holds the listeners and no secret; it starts the **vault**, which
//! holds every key and the folders and has no network, the **door**, which speaks HTTP and TLS with clients and
//! has no folder and no key, and, where SQL is served, the **query engine** (the program `clarence-sql`), which has
//! no folder but that of what it spills. Door and engine ask the vault over lanes (the rooms `link` and `road`); what
//! a process does not need it takes away from itself first (the room `wall`). A door or an engine that ends is started
//! again and the vault stays open; when the vault or the launcher ends, all end.
//!
//! Reading order: [`launch`], `engine`, `vault_side`, `door_side`.

mod door_side;
mod engine;
pub mod launch;
mod module;
mod vault_side;

pub use launch::run;
pub(crate) use vault_side::Doors;

use crate::config::NodeConfig;
use crate::node::RunError;
use link::Trunk;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// The hidden words with which the launcher starts this program in another part.
const VAULT: &str = "--part=vault";
const DOOR: &str = "--part=door";

/// Notes between the launcher and its parts.
const NEW_DOOR: &[u8] = b"door";
const NEW_ENGINE: &[u8] = b"engine";
/// The vault has the folder: what else lies in it may be touched.
const OPENED: &[u8] = b"opened";
const END_DOORS: &[u8] = b"end doors";
const MODULE: &[u8] = b"module";
const END_MODULE: &[u8] = b"end module";
const FAILED: u8 = b'!';

/// What a part is told first, and how it shall log.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Told {
    config: NodeConfig,
    log: Log,
}

/// How a part logs: as the launcher does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Log {
    /// The level or filter.
    pub level: String,
    /// `text` or `json`.
    pub format: String,
    /// With colours.
    pub colour: bool,
}

/// Which part this process was started as; `None` for the program as people start it.
#[must_use]
pub fn part() -> Option<Part> {
    match std::env::args().nth(1)?.as_str() {
        VAULT => Some(Part::Vault),
        DOOR => Some(Part::Door),
        _ => None,
    }
}

/// A part of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The keys.
    Vault,
    /// The clients.
    Door,
}

/// Runs a part, as the launcher started it: over the socket that stands where standard input was. Call it before the
/// process has a second thread. `begin_log` is told how to log.
pub fn run_part(part: Part, begin_log: impl FnOnce(&Log)) -> Result<(), RunError> {
    wall::die_with_parent();
    let stdin = io::stdin().as_fd().try_clone_to_owned();
    let stdin = stdin.map_err(|e| failed(&e))?;
    let launcher = Trunk::of(stdin);
    let Some((note, fds)) = launcher.receive().map_err(|e| failed(&e))? else {
        return Ok(()); // the launcher has ended already
    };
    let told: Told = serde_json::from_slice(&note).map_err(|e| failed(&e))?;
    begin_log(&told.log);
    match part {
        Part::Vault => vault_side::run(launcher, told.config),
        Part::Door => door_side::run(told.config, fds),
    }
}

fn failed(error: &dyn ToString) -> RunError {
    RunError::Stopped(error.to_string())
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

/// The next of some descriptors.
fn take(fds: &mut impl Iterator<Item = OwnedFd>) -> Result<OwnedFd, RunError> {
    fds.next()
        .ok_or_else(|| failed(&"the launcher sent a descriptor too few"))
}
