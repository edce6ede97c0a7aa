//! Running the command.

use crate::schema::assert_envelope;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What a run gave.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The command in an environment of its own.
pub fn command(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clarence"));
    command
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/usr/bin:/bin");
    command.current_dir(home);
    command
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// The one envelope on stdout, held against the schema.
    pub fn envelope(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{e}: {:?} {:?}", self.stdout, self.stderr));
        assert_envelope(&value);
        let exit = if value["status"] == "success" {
            self.code == 0
        } else {
            self.code != 0
        };
        assert!(exit, "status and exit code {} disagree: {value}", self.code);
        value
    }

    /// The data of a run that went well.
    pub fn data(&self) -> Value {
        let envelope = self.envelope();
        assert_eq!(envelope["status"], "success", "{envelope:#}");
        envelope["data"].clone()
    }
}

/// Runs the command in an empty home.
pub fn run(home: &Path, arguments: &[&str]) -> Ran {
    command(home)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
        .into()
}

/// One cloud in a folder of its own, and perhaps its running node.
pub struct Cloud {
    pub home: tempfile::TempDir,
    node: Option<Child>,
}

impl Cloud {
    pub fn new() -> Self {
        let home = tempfile::Builder::new()
            .prefix("cl")
            .tempdir_in("/tmp")
            .unwrap();
        Self { home, node: None }
    }

    pub fn data(&self) -> PathBuf {
        self.home.path().join("d")
    }

    /// Runs a verb on this cloud with `--json`.
    pub fn json(&self, arguments: &[&str]) -> Ran {
        let data = self.data();
        let all = [arguments, &["--json", "--data", data.to_str().unwrap()]].concat();
        run(self.home.path(), &all)
    }

    /// Runs a verb on this cloud for a person.
    pub fn plain(&self, arguments: &[&str]) -> Ran {
        let data = self.data();
        let all = [arguments, &["--data", data.to_str().unwrap()]].concat();
        run(self.home.path(), &all)
    }

    /// Starts a node and waits until it answers.
    pub fn start(&mut self, arguments: &[&str]) {
        let log = std::fs::File::create(self.home.path().join("node.err")).unwrap();
        let out = std::fs::File::create(self.home.path().join("node.out")).unwrap();
        let mut child = command(self.home.path())
            .args(arguments)
            .args(["--json", "--data", self.data().to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(log)
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while self.output().is_empty() {
            if let Some(status) = child.try_wait().unwrap() {
                panic!(
                    "the node ended with {status}: {}{}",
                    self.output(),
                    self.log()
                );
            }
            if begun.elapsed() > Duration::from_secs(60) {
                child.kill().unwrap();
                panic!("the node does not serve: {}", self.log());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.node = Some(child);
    }

    pub fn output(&self) -> String {
        std::fs::read_to_string(self.home.path().join("node.out")).unwrap()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("node.err")).unwrap()
    }

    /// The envelope that the node printed when it served.
    pub fn serving(&self) -> Value {
        let value: Value = serde_json::from_str(self.output().lines().next().unwrap()).unwrap();
        assert_envelope(&value);
        value["data"].clone()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.node.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// A signal by name, and the exit code of the node that ends.
    pub fn signal(&mut self, name: &str) -> i32 {
        let mut child = self.node.take().unwrap();
        let sent = Command::new("/bin/sh")
            .args(["-c", &format!("kill -{name} {}", child.id())])
            .status()
            .unwrap();
        assert!(sent.success());
        child.wait().unwrap().code().unwrap_or(-1)
    }

    /// Waits for a node that ends by itself.
    pub fn wait(&mut self) -> i32 {
        self.node
            .take()
            .unwrap()
            .wait()
            .unwrap()
            .code()
            .unwrap_or(-1)
    }

    pub fn share(&self, party: &str) -> String {
        let path = self
            .data()
            .join("parents")
            .join(party)
            .join("share.clarence");
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.kill();
    }
}
