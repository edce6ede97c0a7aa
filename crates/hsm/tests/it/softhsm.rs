//! A SoftHSM2 token in a folder of its own.

use host::Host;
use hsm::{Access, Hsm, Program};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

pub const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

pub fn there(what: &[&str]) -> bool {
    let missing: Vec<&&str> = what
        .iter()
        .filter(|path| !Path::new(path).exists())
        .collect();
    if missing.is_empty() {
        return true;
    }
    let required = std::env::var("CLARENCE_INTEROP").is_ok_and(|word| word == "required");
    assert!(
        !required,
        "{missing:?} are missing: apt-get install softhsm2 gcc"
    );
    println!("SKIPPED: {missing:?} are missing: apt-get install softhsm2 gcc");
    false
}

/// A folder with tokens. The worker finds them through its own environment, so each test has its own.
pub struct Tokens {
    pub folder: TempDir,
}

impl Tokens {
    pub fn new(labels: &[&str]) -> Option<Self> {
        if !there(&[MODULE, "/usr/bin/softhsm2-util"]) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tokens")).unwrap();
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            folder.path().join("tokens").display()
        );
        std::fs::write(folder.path().join("softhsm2.conf"), text).unwrap();
        let tokens = Self { folder };
        for label in labels {
            tokens.init(label);
        }
        tokens.write_pin("1234");
        Some(tokens)
    }

    pub fn init(&self, label: &str) {
        let done = Command::new("/usr/bin/softhsm2-util")
            .args(["--init-token", "--free", "--label", label])
            .args(["--so-pin", "12345678", "--pin", "1234"])
            .env("SOFTHSM2_CONF", self.folder.path().join("softhsm2.conf"))
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success());
    }

    pub fn pin_file(&self) -> PathBuf {
        self.folder.path().join("pin")
    }

    pub fn write_pin(&self, pin: &str) {
        host::files::write_durable(&self.pin_file(), pin.as_bytes(), 0o600).unwrap();
    }

    pub fn access(&self, token: &str) -> Access {
        Access {
            module: PathBuf::from(MODULE),
            token: token.to_owned(),
            pin_file: self.pin_file(),
            starter: hsm::Starter::default(),
        }
    }

    pub fn hsm(&self, token: &str) -> Hsm {
        Hsm::new(Host::real(), self.program(), &self.access(token)).unwrap()
    }

    /// This test binary, as a process with the module.
    pub fn program(&self) -> Program {
        worker(&[(
            "SOFTHSM2_CONF",
            self.folder.path().join("softhsm2.conf").to_str().unwrap(),
        )])
    }
}

/// This test binary as a worker, with an environment that `env` sets.
pub fn worker(environment: &[(&str, &str)]) -> Program {
    let own = std::env::current_exe().unwrap();
    let mut arguments: Vec<std::ffi::OsString> = vec!["HSM_TEST_WORKER=1".into()];
    for (name, value) in environment {
        arguments.push(format!("{name}={value}").into());
    }
    arguments.push(own.into());
    arguments.extend(
        [
            "--exact",
            "worker_process",
            "--nocapture",
            "--test-threads=1",
        ]
        .map(Into::into),
    );
    Program {
        path: PathBuf::from("/usr/bin/env"),
        arguments,
        patience: Duration::from_secs(10),
        starter: hsm::Starter::default(),
    }
}
