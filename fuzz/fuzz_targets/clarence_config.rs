//! The configuration: any file and any variables are read or refused in bounded words that name the key; what
//! is read and written as a file is the same configuration again.
#![no_main]

use config::{KEYS, Settings, Value};
use fuzz::{Input, MESSAGE_BYTES_MAX, bounded_by};
use libfuzzer_sys::fuzz_target;

// The files themselves: their room is a program, which has no parts that another one could use.
#[path = "../../crates/clarence/src/config/mod.rs"]
#[allow(dead_code, unused_imports, reason = "only the reader is of use here")]
mod config;

/// What the configuration takes from the command line.
mod args {
    use std::path::PathBuf;

    /// Options of every verb.
    pub struct Everywhere {
        /// The node's folder.
        pub data: Option<PathBuf>,
        /// The configuration file.
        pub config: Option<PathBuf>,
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let variables: Vec<(String, String)> = (0..input.u8() % 3)
        .map(|_| {
            let line = input.line();
            let (name, value) = line.split_once('=').unwrap_or((&line, ""));
            (format!("CLARENCE_{name}"), value.to_owned())
        })
        .collect();
    let text = String::from_utf8_lossy(input.rest());
    let settings = match config::fuzzing::read(&text, &variables) {
        Ok(settings) => settings,
        Err(error) => return bounded_by(&error, MESSAGE_BYTES_MAX + 8 * data.len()),
    };
    if let Err(error) = settings.check() {
        bounded_by(&error, MESSAGE_BYTES_MAX + 8 * data.len());
    }
    let written = written(&settings);
    let again = config::fuzzing::read(&written, &[]).unwrap_or_else(|e| panic!("{e}\n{written}"));
    for key in KEYS {
        assert_eq!(
            value(&again, key.name),
            value(&settings, key.name),
            "{written}"
        );
    }
});

fn value(settings: &Settings, name: &str) -> Value {
    let mut all = settings.all();
    let found = all.find(|(key, ..)| *key == name);
    found.expect("every key has a value").1.clone()
}

/// All values as a file; keys without a section stand first in it.
fn written(settings: &Settings) -> String {
    let mut text = String::new();
    let mut section = "";
    for key in KEYS {
        let (own, name) = key.name.split_once('.').unwrap_or(("", key.name));
        if own != section {
            section = own;
            text += &format!("[{section}]\n");
        }
        text += &format!("{name} = {}\n", value(settings, key.name).to_toml());
    }
    text
}
