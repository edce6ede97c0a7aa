//! Restarts without officers, with `swtpm` from Debian as the TPM. Without it these tests say so and pass, unless
//! `CLARENCE_INTEROP=required` is set.

use crate::custody::there;
use crate::run::{Cloud, Ran, command};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SERVE: [&str; 3] = ["serve", "--s3", "127.0.0.1:0"];

/// A cloud under a signed charter, its people, and a TPM.
struct Scene {
    cloud: Cloud,
    tpm: Option<Child>,
    id: String,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.tpm_off();
    }
}

impl Scene {
    fn new() -> Option<Self> {
        if !there(&["/usr/bin/swtpm", "/usr/bin/tpm2_pcrextend"]) {
            return None;
        }
        let mut scene = Self {
            cloud: Cloud::new(),
            tpm: None,
            id: String::new(),
        };
        scene.tpm_on("tpm");
        scene.sign_charter();
        scene
            .cloud
            .json(&["found", "--charter", "charter.toml"])
            .data();
        scene.configure("tpm");
        scene.cloud.start(&SERVE);
        scene.unseal();
        let status = scene.cloud.json(&["status"]).data();
        scene.id = status["cloud"].as_str().unwrap().to_owned();
        Some(scene)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.cloud.home.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let ran = command(self.cloud.home.path())
            .args(arguments)
            .arg("--json")
            .stdin(Stdio::null())
            .output();
        ran.unwrap().into()
    }

    fn sign_charter(&self) {
        let parties = ["ctie", "luxconnect", "proximus"];
        for party in parties {
            self.run(&["charter", "key", "--party", party, "--out", "keys"])
                .data();
        }
        self.run(&["charter", "key", "--patron", "minister", "--out", "keys"])
            .data();
        let mut draft = vec!["charter", "draft", "--cloud", "lu", "--purpose", "trial"];
        draft.extend(["--party", "keys/ctie.pub", "--party", "keys/luxconnect.pub"]);
        draft.extend([
            "--party",
            "keys/proximus.pub",
            "--patron",
            "keys/minister.pub",
        ]);
        draft.extend(["--out", "charter.toml"]);
        self.run(&draft).data();
        // A test does not wait for an hour.
        let text = std::fs::read_to_string(self.path("charter.toml")).unwrap();
        std::fs::write(self.path("charter.toml"), crate::docket::no_cool_off(text)).unwrap();
        for name in ["ctie", "luxconnect", "proximus", "minister"] {
            let key = format!("keys/{name}.key");
            self.run(&["charter", "sign", "charter.toml", "--key", &key])
                .data();
        }
        for (name, party) in [("anna", "ctie"), ("luc", "luxconnect"), ("pia", "proximus")] {
            let new = [
                "approver", "new", "--name", name, "--party", party, "--out", "people",
            ];
            self.run(&new).data();
            let (public, key) = (format!("people/{name}.pub"), format!("keys/{party}.key"));
            let card = format!("cards/{name}.card");
            self.run(&["approver", "enrol", &public, "--key", &key, "--out", &card])
                .data();
        }
    }

    fn tpm_on(&mut self, name: &str) {
        self.tpm_off();
        let folder = self.path(name);
        std::fs::create_dir_all(&folder).unwrap();
        let socket = folder.join("s");
        let _ = std::fs::remove_file(&socket);
        let process = Command::new("/usr/bin/swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .args(["--tpmstate", &format!("dir={}", folder.display())])
            .args([
                "--server",
                &format!("type=unixio,path={}", socket.display()),
            ])
            .args([
                "--ctrl",
                &format!("type=unixio,path={}.ctrl", socket.display()),
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.tpm = Some(process);
        let begun = Instant::now();
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "swtpm does not answer"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn tpm_off(&mut self) {
        if let Some(mut process) = self.tpm.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    fn tool(&self, name: &str, argument: &str) {
        let ran = Command::new(format!("/usr/bin/{name}"))
            .args([argument, "-T"])
            .arg(format!("swtpm:path={}", self.path("tpm/s").display()))
            .output()
            .unwrap();
        assert!(
            ran.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
    }

    fn configure(&self, tpm: &str) {
        let text = format!("[tpm]\ndevice = \"unix:{}/s\"\n", self.path(tpm).display());
        std::fs::write(self.cloud.data().join("clarence.toml"), text).unwrap();
    }

    fn unseal(&self) {
        let (one, two) = (self.cloud.share("ctie"), self.cloud.share("proximus"));
        let opened = self
            .cloud
            .json(&["unseal", "--share", &one, "--share", &two]);
        assert_eq!(opened.data()["sealed"], false);
    }

    /// From a request to an order with the approvals of two parties.
    fn order(&self, node: &str, name: &str) -> String {
        let (request, order) = (format!("{name}.request"), format!("{name}.order"));
        let node = format!("node={node}");
        let mut propose = vec![
            "propose",
            "lease-restart",
            &node,
            "days=30",
            "--reason",
            "test",
        ];
        propose.extend(["--cloud", &self.id, "--charter", "charter.toml"]);
        propose.extend(["--key", "people/anna.key", "--out", &request]);
        self.run(&propose).data();
        let words = ["luc", "pia"].map(|person| {
            let (key, out) = (format!("people/{person}.key"), format!("{name}.{person}"));
            self.run(&[
                "approve",
                &request,
                "--key",
                &key,
                "--charter",
                "charter.toml",
                "--approvers",
                "cards",
                "--out",
                &out,
            ])
            .data();
            out
        });
        let mut execute = vec![
            "execute", &request, &words[0], &words[1], "--cloud", &self.id,
        ];
        execute.extend([
            "--charter",
            "charter.toml",
            "--approvers",
            "cards",
            "--out",
            &order,
        ]);
        self.run(&execute).data();
        order
    }

    /// A request that the node itself carries out, approved by two.
    fn carried_out(&self, verb: &str, parameter: &str) -> Value {
        let data = self.cloud.data();
        let node = ["--node", "--data", data.to_str().unwrap()];
        let mut propose = vec!["propose", verb, parameter, "--reason", "test"];
        propose.extend(["--cloud", &self.id, "--charter", "charter.toml"]);
        propose.extend(["--key", "people/anna.key", "--out", "node.request"]);
        self.run(&[&["hand-in", "cards"][..], &node[1..]].concat())
            .data();
        self.run(&[&propose[..], &node].concat()).data();
        for person in ["luc", "pia"] {
            let (key, out) = (format!("people/{person}.key"), format!("node.{person}"));
            let approve = ["approve", "node.request", "--key", &key, "--out", &out];
            self.run(&[&approve[..], &node].concat()).data();
        }
        self.run(&[&["execute", "node.request"][..], &node].concat())
            .data()
    }

    fn grant(&self, order: &str) -> Ran {
        self.cloud
            .json(&["restart", "grant", order, "--approvers", "cards"])
    }

    /// Stops the node if it runs, starts it, and says whether it opened itself.
    fn opens_itself(&mut self) -> bool {
        self.cloud.kill();
        self.cloud.start(&SERVE);
        let status = self.cloud.json(&["status"]).data();
        status["sealed"] == false
    }

    fn stays_sealed(&mut self, because: &str) {
        assert!(!self.opens_itself(), "{because}: it opened itself");
        assert!(
            self.cloud.log().contains(because),
            "{because}: {}",
            self.cloud.log()
        );
    }

    fn tail(&self) -> String {
        let tail = self.cloud.json(&["ledger", "tail", "-n", "100"]).data();
        tail["entries"].to_string()
    }
}

#[test]
fn f1b_a_stolen_machine_without_the_other_half_stays_sealed() {
    let Some(mut scene) = Scene::new() else {
        return;
    };
    assert_eq!(
        scene.cloud.json(&["restart", "status"]).data()["lease"],
        Value::Null
    );
    let order = scene.order("node-1", "lease");
    let granted = scene.grant(&order).data();
    assert_eq!(granted["lease"]["pcrs"], "7");
    assert!(scene.opens_itself(), "{}", scene.cloud.log());
    assert!(
        scene.tail().contains("restarted without officers"),
        "{}",
        scene.tail()
    );
    assert_eq!(
        scene.cloud.json(&["restart", "status"]).data()["lease"]["released"],
        1
    );

    // Disk and TPM, without the other site.
    let held = scene.cloud.data().join("site-b/restart");
    let away = scene.path("elsewhere");
    std::fs::rename(&held, &away).unwrap();
    scene.stays_sealed("the other site holds no half");
    std::fs::rename(&away, &held).unwrap();
    assert!(scene.opens_itself(), "{}", scene.cloud.log());

    // All disks, without the TPM; and with another one.
    scene.tpm_off();
    scene.stays_sealed("cannot be reached");
    scene.tpm_on("other");
    scene.configure("other");
    scene.stays_sealed("this TPM did not make the sealed key");
    scene.tpm_on("tpm");
    scene.configure("tpm");
    assert!(scene.opens_itself(), "{}", scene.cloud.log());

    // The machine starts otherwise.
    scene.tool("tpm2_pcrextend", &format!("7:sha256={}", "ab".repeat(32)));
    scene.stays_sealed("did not start as it did");
    scene.unseal();
    assert!(
        scene.tail().contains("did not start as it did"),
        "refusals are in the ledger: {}",
        scene.tail()
    );
    scene.tpm_on("tpm");
    assert!(scene.opens_itself(), "{}", scene.cloud.log());

    // A damaged half is no half.
    let file = std::fs::read_dir(&held)
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let file = file
        .into_iter()
        .find(|path| path.extension().is_some_and(|e| e == "half"))
        .unwrap();
    let whole = std::fs::read(&file).unwrap();
    let mut bad = whole.clone();
    bad[200] ^= 1;
    std::fs::write(&file, &bad).unwrap();
    scene.stays_sealed("cannot be read");
    std::fs::write(&file, &whole).unwrap();

    // The TPM's own clock has passed the end, whatever the machine's says.
    scene.tool("tpm2_setclock", &(31 * 24 * 3_600_000_u64).to_string());
    scene.stays_sealed("the lease is over");
    scene.unseal();
    scene.cloud.json(&["ledger", "publish"]).data();
    let verified = scene.cloud.json(&["ledger", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.stdout);
}

#[test]
fn a_lease_takes_a_quorum_is_granted_once_and_closing_ends_it() {
    let Some(mut scene) = Scene::new() else {
        return;
    };
    let other = scene.order("node-9", "other");
    let refused = scene.grant(&other);
    assert_eq!(refused.code, 2, "{}", refused.stdout);
    let order = scene.order("node-1", "lease");
    // One character of one approval, and one of what was asked.
    for (from, to) in [("days=30", "days=29"), ("by: person luc", "by: person lux")] {
        let text = std::fs::read_to_string(scene.path(&order)).unwrap();
        if text.contains(from) {
            std::fs::write(scene.path("edited.order"), text.replace(from, to)).unwrap();
            assert_ne!(scene.grant("edited.order").code, 0, "{from}");
        }
    }
    let text = std::fs::read_to_string(scene.path(&order)).unwrap();
    std::fs::write(scene.path("edited.order"), format!("{text}\n")).unwrap();
    assert_ne!(scene.grant("edited.order").code, 0, "a trailing byte");
    assert!(!scene.cloud.data().join("restart.clr").exists());

    scene.grant(&order).data();
    let again = scene.grant(&order);
    assert_eq!(
        again.code, 4,
        "an order is carried out once: {}",
        again.stdout
    );
    assert!(scene.opens_itself(), "{}", scene.cloud.log());
    assert!(scene.tail().contains("RestartGrant"));

    // Sealing is not undone by a restart.
    scene.cloud.json(&["seal"]).data();
    assert!(!scene.cloud.data().join("restart.clr").exists());
    assert!(!scene.opens_itself());
    assert_eq!(scene.grant(&order).code, 4, "a sealed node grants nothing");
    scene.unseal();

    let order = scene.order("node-1", "second");
    scene.grant(&order).data();
    assert_eq!(scene.cloud.json(&["restart", "end"]).data()["ended"], true);
    assert_eq!(scene.cloud.json(&["restart", "end"]).data()["ended"], false);
    let halves = std::fs::read_dir(scene.cloud.data().join("site-b/restart")).unwrap();
    let left: Vec<_> = halves.flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["docket.clr"], "the halves are gone");
    assert!(!scene.opens_itself());
}

/// The lease opens keys that are destroyed, so it goes with them; and the act is a quorum's.
#[test]
fn new_keys_of_the_sites_end_the_lease() {
    let Some(mut scene) = Scene::new() else {
        return;
    };
    let order = scene.order("node-1", "lease");
    scene.grant(&order).data();
    let alone = scene
        .cloud
        .json(&["rotate", "sites", "--reason", "alone"])
        .envelope();
    assert_eq!(alone["error"]["type"], "needs-quorum", "{alone}");
    assert!(scene.cloud.data().join("restart.clr").exists());
    let done = scene.carried_out("re-key-site", "site=both");
    assert_eq!(
        (&done["steps"]["version"], &done["steps"]["root"]),
        (&2.into(), &2.into()),
        "{done}"
    );
    assert!(!scene.cloud.data().join("restart.clr").exists());
    let halves = std::fs::read_dir(scene.cloud.data().join("site-b/restart")).unwrap();
    let left: Vec<_> = halves.flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["docket.clr"], "the halves are gone");
    assert!(
        scene.tail().contains("the sites' keys were renewed"),
        "{}",
        scene.tail()
    );
    assert!(!scene.opens_itself());
    let new = ["ctie", "proximus"].map(|party| {
        let folder = scene.cloud.data().join("parents").join(party);
        folder
            .join("share-2-1.clarence")
            .to_str()
            .unwrap()
            .to_owned()
    });
    let opened = ["unseal", "--share", &new[0], "--share", &new[1]];
    assert_eq!(scene.cloud.json(&opened).data()["sealed"], false);
    // A lease on the new keys is as good as one on the old.
    let order = scene.order("node-1", "second");
    scene.grant(&order).data();
    assert!(scene.opens_itself(), "{}", scene.cloud.log());
}
