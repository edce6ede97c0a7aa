//! Writes the seeds of every target: small inputs that are right, from the writers themselves and from the
//! golden files, so that they follow a format when it changes. `seeds FOLDER` makes `FOLDER/<target>/<name>`.
//!
//! An input begins with what its target takes off first: the number of its kind, mostly.

// The code is built for coverage, whose counters the fuzzer's library holds.
use libfuzzer_sys as _;

mod doors;
mod keepers;
mod rules;

use std::io;
use std::path::PathBuf;

/// Where seeds go.
pub struct Seeds(PathBuf);

impl Seeds {
    /// Writes one seed, put together from its parts.
    fn put(&self, target: &str, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let folder = self.0.join(target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(name), parts.concat())
    }
}

fn main() -> io::Result<()> {
    let Some(folder) = std::env::args_os().nth(1) else {
        return Err(io::Error::other("say where: seeds FOLDER"));
    };
    let seeds = Seeds(folder.into());
    rules::write(&seeds)?;
    keepers::write(&seeds)?;
    doors::write(&seeds)
}

/// The bytes of a golden file of hexadecimal text.
fn golden(text: &str) -> Vec<u8> {
    words::hex::decode(text.trim()).unwrap_or_default()
}
