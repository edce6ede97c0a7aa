//! A simulated TPM in a folder of its own; its process ends with it.

use host::Host;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tpm::{Place, Tpm};

pub struct Swtpm {
    pub folder: TempDir,
    process: Option<Child>,
}

impl Swtpm {
    pub fn start() -> Option<Self> {
        let needed = ["/usr/bin/swtpm", "/usr/bin/tpm2_pcrextend"];
        if needed.iter().any(|path| !Path::new(path).exists()) {
            let required = std::env::var("CLARENCE_INTEROP").is_ok_and(|word| word == "required");
            assert!(!required, "apt-get install swtpm tpm2-tools");
            println!("SKIPPED: apt-get install swtpm tpm2-tools");
            return None;
        }
        let folder = tempfile::Builder::new()
            .prefix("tpm")
            .tempdir_in("/tmp")
            .unwrap();
        let mut tpm = Self {
            folder,
            process: None,
        };
        tpm.switch_on();
        Some(tpm)
    }

    fn socket(&self) -> String {
        self.folder.path().join("s").display().to_string()
    }

    pub fn switch_on(&mut self) {
        let state = format!("dir={}", self.folder.path().display());
        let server = format!("type=unixio,path={}", self.socket());
        let control = format!("type=unixio,path={}.ctrl", self.socket());
        let _ = std::fs::remove_file(self.socket());
        let process = Command::new("/usr/bin/swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .args([
                "--tpmstate",
                &state,
                "--server",
                &server,
                "--ctrl",
                &control,
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.process = Some(process);
        let begun = Instant::now();
        while self.tpm().and_then(|mut tpm| tpm.clock()).is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "swtpm does not answer"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn switch_off(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    pub fn tpm(&self) -> Result<Tpm, tpm::Fault> {
        Tpm::open(
            &Place::parse(&format!("unix:{}", self.socket())),
            &Host::real(),
        )
    }

    /// A program of tpm2-tools on this TPM.
    pub fn tool(&self, name: &str, arguments: &[&str]) {
        let ran = Command::new(format!("/usr/bin/{name}"))
            .args(arguments)
            .args(["-T", &format!("swtpm:path={}", self.socket())])
            .output()
            .unwrap();
        assert!(
            ran.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        self.switch_off();
    }
}
