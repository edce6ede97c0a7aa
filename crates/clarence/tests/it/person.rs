//! Who used my data, end to end: objects about persons over S3, the answer over the command line, checked by
//! `clarence person verify` and by the script that ships in `docs/`.

use crate::run::{Cloud, run};
use crate::s3::S3;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ANNA: &str = "1893120105732";
const BEN: &str = "1901010100011";

fn python() -> Option<PathBuf> {
    let given = std::env::var_os("CLARENCE_INTEROP_PYTHON").map(PathBuf::from);
    let has = |python: &PathBuf| {
        let import = "from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey";
        let tried = Command::new(python).args(["-c", import]).output();
        tried.is_ok_and(|done| done.status.success())
    };
    let found = [given, Some("python3".into())]
        .into_iter()
        .flatten()
        .find(has);
    let required = std::env::var("CLARENCE_INTEROP").is_ok_and(|word| word == "required");
    assert!(
        found.is_some() || !required,
        "no python has cryptography with ML-DSA"
    );
    found
}

struct Scene {
    cloud: Cloud,
    keys: String,
}

impl Scene {
    fn ask(&self, subject: &str, name: &str) -> (Value, String) {
        let file = self
            .cloud
            .home
            .path()
            .join(name)
            .to_str()
            .unwrap()
            .to_owned();
        let asked = [
            "person",
            "accesses",
            "--tenant",
            "tax-office",
            "--subject",
            subject,
            "--out",
            &file,
            "--reason",
            "file 9",
        ];
        (self.cloud.json(&asked).data(), file)
    }

    fn verify(&self, file: &str, subject: &str) -> (i32, String) {
        let asked = [
            "person",
            "verify",
            file,
            "--subject",
            subject,
            "--keys",
            &self.keys,
            "--json",
        ];
        let ran = run(self.cloud.home.path(), &asked);
        ran.envelope();
        let code = ran.code;
        if let Some(python) = python() {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify_person.py");
            let done = Command::new(python)
                .arg(script)
                .args([file, "--subject", subject, "--keys", &self.keys])
                .output()
                .unwrap();
            let said = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
            assert_eq!(
                done.status.success(),
                code == 0,
                "both say the same: {said} {}",
                ran.stdout
            );
            return (code, ran.stdout + &said);
        }
        (code, ran.stdout)
    }
}

fn scene() -> Scene {
    let mut cloud = Cloud::new();
    cloud.json(&["found"]).data();
    cloud.start(&["serve", "--s3", "127.0.0.1:0"]);
    let share = |party: &str| {
        let path = cloud
            .data()
            .join("parents")
            .join(party)
            .join("share.clarence");
        path.to_str().unwrap().to_owned()
    };
    let shares = [share("ctie"), share("proximus")];
    let unsealed = cloud.json(&["unseal", "--share", &shares[0], "--share", &shares[1]]);
    assert_eq!(unsealed.code, 0);
    let credential = cloud.json(&["tenant", "add", "tax-office"]).data();
    let mut connect = credential;
    connect["endpoint"] = cloud.json(&["status"]).data()["endpoint"].clone();
    let s3 = S3::of(&connect);
    assert_eq!(s3.ask("PUT", "/files", "", &[], &[]).status, 200);
    s3.put("/files/anna", Some(ANNA), b"about anna");
    s3.put("/files/ben", Some(BEN), b"about ben");
    s3.put("/files/nobody", None, b"about nobody");
    for (name, times) in [("/files/anna", 3), ("/files/ben", 1), ("/files/nobody", 2)] {
        for _ in 0..times {
            assert_eq!(s3.ask("GET", name, "", &[], &[]).status, 200);
        }
    }
    let keys = cloud
        .data()
        .join("ledger.keys")
        .to_str()
        .unwrap()
        .to_owned();
    Scene { cloud, keys }
}

#[test]
fn who_used_my_data() {
    let scene = scene();
    let (data, file) = scene.ask(ANNA, "anna.json");
    assert_eq!(data["lines"], 4, "three reads and this answer: {data}");
    let (code, said) = scene.verify(&file, ANNA);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("files/anna") && !said.contains("files/ben"));
    assert_eq!(scene.verify(&file, BEN).0, 1);
    // Recorded before it was given, without the person's number.
    let tail = scene.cloud.json(&["ledger", "tail"]).data();
    let tail = serde_json::to_string(&tail).unwrap();
    assert!(tail.contains("PersonAccesses") && tail.contains("file 9") && !tail.contains(ANNA));

    let answer: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let forged = scene.cloud.home.path().join("forged.json");
    let forged = forged.to_str().unwrap();
    let refused = |change: &dyn Fn(&mut Value), expected: &str| {
        let mut changed = answer.clone();
        change(&mut changed);
        fs::write(forged, changed.to_string()).unwrap();
        let (code, said) = scene.verify(forged, ANNA);
        assert!(
            code == 1 && said.matches(expected).count() >= 1,
            "{expected}: {said}"
        );
    };
    let lines = |answer: &mut Value| answer["lines"].as_array_mut().unwrap().clone();
    refused(
        &|a| {
            let mut left = lines(a);
            left.remove(1);
            a["lines"] = left.into();
        },
        "the line group/1 was removed",
    );
    refused(
        &|a| a["lines"][2]["access"]["time"] = "2020-01-01T00:00:00.000Z".into(),
        "the line group/2 was altered",
    );
    refused(
        &|a| a["lines"][0]["proof"] = a["lines"][1]["proof"].clone(),
        "the line group/0 was altered",
    );
    refused(
        &|a| a["opening"] = "00".repeat(32).into(),
        "not about this person",
    );

    let (data, file) = scene.ask(ANNA, "again.json");
    assert_eq!(data["lines"], 5, "the first answer is an access too");
    assert_eq!(scene.verify(&file, ANNA).0, 0);
    let asked = [
        "person",
        "accesses",
        "--tenant",
        "tax-office",
        "--subject",
        ANNA,
        "--out",
        &file,
    ];
    assert_ne!(
        scene.cloud.json(&asked).code,
        0,
        "a file that is there is not written over"
    );
    let nobody = [
        "person",
        "accesses",
        "--tenant",
        "none",
        "--subject",
        ANNA,
        "--out",
        "x.json",
    ];
    assert_ne!(scene.cloud.json(&nobody).code, 0);
}
