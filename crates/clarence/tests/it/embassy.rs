//! A guest and its host, both as nodes on this machine: what the host can see, what survives the guest's home,
//! and who may go on.

use crate::run::{Cloud, run};
use bytes::Bytes;
use host::Host;
use s3::{Bucket, Place, S3Error};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Stands in the content of every object of the guest, and in no other place.
const CONTENT: &str = "KANARIE-INHALT-7f3a9c";
/// Stands in the names of buckets (in lower case), objects and tenants.
const NAME: &str = "kanarie-numm-51d0be";
/// Stands in an object of the host itself: the search has to find it.
const CONTROL: &str = "KANARIE-PROOF-aa02ee";

struct World {
    host: Cloud,
    guest: Cloud,
    runtime: tokio::runtime::Runtime,
}

/// A client for a bucket, from what `connect.json` or `key add` says.
fn client(key: &Value, bucket: &str) -> Bucket {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("place.json");
    std::fs::write(&file, key.to_string()).unwrap();
    Bucket::new(Place::read(&file, bucket).unwrap(), Host::real()).unwrap()
}

fn connect(cloud: &Cloud) -> Value {
    let path = cloud.data().join("connect.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

impl World {
    /// A host with a tenant for the guest, called over TLS, and a guest that serves.
    fn new() -> Self {
        let mut host = Cloud::new();
        host.start(&["up", "--s3", "127.0.0.1:0", "--tls"]);
        let tenant = host.json(&["tenant", "add", "guest-state"]).data();
        let mut guest = Cloud::new();
        let file = guest.home.path().join("from-the-host.json");
        std::fs::write(&file, tenant.to_string()).unwrap();
        let founded = guest.json(&[
            "guest",
            "found",
            "--host",
            file.to_str().unwrap(),
            "--bucket",
            "twin",
        ]);
        assert_eq!(founded.data()["threshold"], 2);
        guest.start(&[
            "guest",
            "serve",
            "--s3",
            "127.0.0.1:0",
            "--unsafe-unseal-from-this-machine",
        ]);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        Self {
            host,
            guest,
            runtime,
        }
    }

    fn place(&self) -> [String; 4] {
        let file = self.guest.home.path().join("from-the-host.json");
        let file = file.to_str().unwrap().to_owned();
        ["--host".into(), file, "--bucket".into(), "twin".into()]
    }

    fn shares(&self, cloud: &Cloud) -> Vec<String> {
        ["ctie", "proximus"]
            .iter()
            .flat_map(|party| ["--share".to_owned(), cloud.share(party)])
            .collect()
    }

    fn put(&self, bucket: &Bucket, name: &str, body: &[u8]) -> Result<(), S3Error> {
        let body = Bytes::copy_from_slice(body);
        self.runtime.block_on(bucket.put(name, body, false))
    }

    fn get(&self, bucket: &Bucket, name: &str) -> Result<Bytes, S3Error> {
        self.runtime.block_on(bucket.get(name, None, 64 << 20))
    }

    /// Small and large objects with the canaries; gives what was written.
    fn fill(&self) -> Vec<(String, Vec<u8>)> {
        let bucket = client(&connect(&self.guest), NAME);
        self.runtime.block_on(bucket.create()).unwrap();
        let mut written = Vec::new();
        for (number, bytes) in [10, 5_000, 40_000, 1_500_000, 9_000_000]
            .into_iter()
            .enumerate()
        {
            let name = format!("dossier {NAME}/äre {number}.txt");
            let body: Vec<u8> = CONTENT
                .bytes()
                .cycle()
                .take(bytes.max(CONTENT.len()))
                .collect();
            self.put(&bucket, &name, &body).unwrap();
            written.push((name, body));
        }
        written
    }

    fn same(&self, cloud: &Cloud, written: &[(String, Vec<u8>)]) {
        let bucket = client(&connect(cloud), NAME);
        for (name, body) in written {
            assert_eq!(self.get(&bucket, name).unwrap(), body.as_slice(), "{name}");
        }
    }
}

fn strings(parts: &[&[String]]) -> Vec<String> {
    parts.concat()
}

fn json_in(home: &Path, data: &Path, arguments: &[String]) -> crate::run::Ran {
    let mut all: Vec<&str> = arguments.iter().map(String::as_str).collect();
    all.extend(["--json", "--data", data.to_str().unwrap()]);
    run(home, &all)
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(ToOwned::to_owned).collect()
}

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

fn holds(bytes: &[u8], needle: &str) -> bool {
    let needle = needle.as_bytes();
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// Where a word stands in the clear: in the bytes or in the path of a file.
fn on_disk(folder: &Path, needle: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    files(folder, &mut all);
    assert!(all.len() > 20, "the whole disk is looked at");
    all.retain(|path| {
        holds(&std::fs::read(path).unwrap_or_default(), needle)
            || path.to_string_lossy().contains(needle)
    });
    all
}

/// Everything the host can open with its own keys and with every tenant's credential: names and contents.
fn opened_by_host(world: &World) -> Vec<(String, Bytes)> {
    let mut found = Vec::new();
    for tenant in world.host.json(&["tenant", "list"]).data()["tenants"]
        .as_array()
        .unwrap()
    {
        let name = tenant["tenant"].as_str().unwrap();
        let key = world.host.json(&["key", "add", "--tenant", name]).data();
        let buckets = world.runtime.block_on(client(&key, "any").buckets());
        for bucket in buckets.unwrap() {
            let store = client(&key, &bucket);
            let listed = world.runtime.block_on(store.list("", None, 1000)).unwrap();
            assert!(listed.len() < 1000, "one page holds all");
            for object in listed {
                let body = world.get(&store, &object.name).unwrap();
                found.push((format!("{name}/{bucket}/{}", object.name), body));
            }
        }
    }
    found
}

/// Attack F7 of the list of attacks on custody: all three of the host's shares, its whole disk, its keys.
#[test]
fn f7_a_host_with_everything_it_has_sees_no_object_and_no_name_of_its_guest() {
    let world = World::new();
    world.guest.json(&["tenant", "add", NAME]).data();
    let written = world.fill();
    world.same(&world.guest, &written);
    let own = client(&connect(&world.host), "own-of-the-host");
    world.runtime.block_on(own.create()).unwrap();
    world
        .put(
            &own,
            &format!("{CONTROL}.txt"),
            CONTROL.repeat(9000).as_bytes(),
        )
        .unwrap();
    // With its keys the host opens every object of every tenant. Its own it reads; of the guest's none.
    let opened = opened_by_host(&world);
    let of_guest = opened
        .iter()
        .filter(|(name, _)| name.starts_with("guest-state/twin/"));
    assert!(
        of_guest.count() > written.len(),
        "the guest's objects are there"
    );
    let found = |needle: &str| {
        let hits = opened
            .iter()
            .filter(|(name, body)| holds(body, needle) || name.contains(needle));
        hits.count()
    };
    assert_eq!(found(CONTROL), 1, "the search finds what is there");
    for needle in [CONTENT, NAME, "dossier", "luxconnect", "threshold"] {
        assert_eq!(found(needle), 0, "{needle}");
    }
    // The same on its whole disk, with a control.
    let disk = world.host.data();
    let control = disk.join("control.txt");
    std::fs::write(&control, CONTENT).unwrap();
    assert_eq!(on_disk(&disk, CONTENT), vec![control.clone()]);
    std::fs::remove_file(&control).unwrap();
    for needle in [CONTENT, NAME, "dossier"] {
        assert_eq!(on_disk(&disk, needle), Vec::<PathBuf>::new(), "{needle}");
    }
    // All three shares of the host open nothing of the twin.
    let shares: Vec<String> = ["ctie", "luxconnect", "proximus"]
        .iter()
        .flat_map(|party| ["--share".to_owned(), world.host.share(party)])
        .collect();
    let elsewhere = world.guest.home.path().join("thief");
    let asked = strings(&[&words("embassy restore"), &world.place(), &shares]);
    let refused = json_in(world.guest.home.path(), &elsewhere, &asked);
    assert_eq!(refused.envelope()["error"]["type"], "conflict");
    let export = world.guest.home.path().join("export");
    let asked = strings(&[
        &words("embassy evacuate --to"),
        &[export.to_str().unwrap().to_owned()],
        &world.place(),
    ]);
    json_in(world.guest.home.path(), &elsewhere, &asked).data();
    let (ok, text) = python(&world, &world.host, &export, "thief-out");
    assert!(!ok && text.contains("do not open it"), "{text}");
    let (ok, text) = python(&world, &world.guest, &export, "guest-out");
    assert!(ok, "{text}");
}

/// The opener of `docs/` with the shares of a cloud.
fn python(world: &World, cloud: &Cloud, export: &Path, out: &str) -> (bool, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/embassy_open.py");
    let out = world.guest.home.path().join(out);
    let ran = Command::new("python3")
        .arg(script)
        .args([export, &out])
        .args(["ctie", "proximus"].map(|party| cloud.share(party)))
        .output()
        .expect("`python3` with `cryptography` on the PATH");
    let text = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    (ran.status.success(), text)
}

#[test]
fn a_guest_leaves_with_everything_in_one_command_and_comes_back_from_it() {
    let mut world = World::new();
    let written = world.fill();
    world.guest.kill();
    std::fs::remove_dir_all(world.guest.data().join("site-a")).unwrap();
    std::fs::remove_dir_all(world.guest.data().join("site-b")).unwrap();
    let home = world.guest.home.path().to_owned();
    let export = home.join("export");
    let to = export.to_str().unwrap().to_owned();
    let new = home.join("new");
    let evacuate = strings(&[
        &words("embassy evacuate --to"),
        std::slice::from_ref(&to),
        &world.place(),
    ]);
    let taken = json_in(&home, &new, &evacuate).data();
    assert!(taken["objects"].as_u64().unwrap() > 5);
    assert_eq!(json_in(&home, &new, &evacuate).code, 6, "it is complete");
    // Interrupted before the manifest, and with one file lost: what is there is kept.
    std::fs::rename(export.join("MANIFEST"), home.join("listed")).unwrap();
    let listed = std::fs::read_to_string(home.join("listed")).unwrap();
    let lines: Vec<&str> = listed.lines().collect();
    let partial = format!("{}\n", lines[1..lines.len() - 1].join("\n"));
    std::fs::write(export.join("MANIFEST.partial"), partial).unwrap();
    let lost = lines
        .iter()
        .find_map(|l| l.split(' ').nth(2).filter(|n| n.starts_with("c/")));
    std::fs::remove_file(export.join(lost.unwrap())).unwrap();
    let resumed = json_in(&home, &new, &evacuate).data();
    let earlier = taken["objects"].as_u64().unwrap() - 1;
    assert_eq!(resumed["fetched_earlier"].as_u64(), Some(earlier));
    altered_exports_are_refused(&home, &new, &export, lost.unwrap());

    let (ok, text) = python(&world, &world.guest, &export, "opened");
    assert!(ok, "{text}");
    let opened = home.join("opened").join("first").join(NAME);
    for (name, body) in &written {
        let quoted = name
            .replace(' ', "%20")
            .replace('/', "%2F")
            .replace('ä', "%C3%A4");
        assert!(
            std::fs::read(opened.join(&quoted)).unwrap() == *body,
            "{quoted}"
        );
    }

    let from = ["--from".to_owned(), to];
    let shares = world.shares(&world.guest);
    let drill = strings(&[&words("embassy drill"), &from, &shares]);
    let drilled = json_in(&home, &new, &drill).data();
    assert_eq!(drilled["objects_read"], json!(written.len()), "{drilled:#}");
    assert_eq!(drilled["compared_by_hash"], json!(written.len()));
    assert_eq!(drilled["wrong"], json!([]));

    let one = shares.get(..2).unwrap().to_vec();
    let restore = |shares: &[String]| strings(&[&words("embassy restore"), &from, shares]);
    let refused = json_in(&home, &new, &restore(&one));
    assert_eq!(
        refused.code, 4,
        "one share is not enough: {}",
        refused.stderr
    );
    assert!(!new.exists());
    let restored = json_in(&home, &new, &restore(&shares)).data();
    assert_eq!(restored["chunks"], json!(4));
    std::fs::rename(world.guest.data(), home.join("burnt")).unwrap();
    std::fs::rename(&new, world.guest.data()).unwrap();
    std::fs::remove_dir_all(world.guest.data().join("parents")).unwrap();
    std::fs::rename(
        home.join("burnt").join("parents"),
        world.guest.data().join("parents"),
    )
    .unwrap();
    std::fs::write(
        world.guest.data().join("clarence.toml"),
        "[node]\nfirst_tenant = \"first\"\n",
    )
    .unwrap();
    world.guest.start(&[
        "serve",
        "--s3",
        "127.0.0.1:0",
        "--unsafe-unseal-from-this-machine",
    ]);
    world.same(&world.guest, &written);
    let tail = world.guest.json(&["ledger", "tail", "-n", "200"]).data();
    assert!(tail.to_string().contains("EmbassyRestore"), "{tail}");
}

fn altered_exports_are_refused(home: &Path, new: &Path, export: &Path, chunk: &str) {
    let check = words(&format!("embassy check --from {}", export.display()));
    json_in(home, new, &check).data();
    let names_it = |what: &str| {
        let refused = json_in(home, new, &check);
        assert_ne!(refused.code, 0);
        let message = refused.envelope()["error"]["message"].to_string();
        assert!(message.contains(what), "{message}");
    };
    let path = export.join(chunk);
    let whole = std::fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[100] ^= 1;
    std::fs::write(&path, &flipped).unwrap();
    names_it(chunk);
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    names_it(chunk);
    std::fs::remove_file(&path).unwrap();
    names_it(chunk);
    std::fs::write(&path, &whole).unwrap();
    let manifest = export.join("MANIFEST");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    std::fs::write(&manifest, lines[..lines.len() - 2].join("\n")).unwrap();
    names_it("MANIFEST");
    std::fs::write(
        &manifest,
        text.replacen(chunk, "c/00000000000000000000000000000000", 1),
    )
    .unwrap();
    names_it("MANIFEST");
    std::fs::write(&manifest, text).unwrap();
    json_in(home, new, &check).data();
}

/// Waits until the guest says so of its twin.
fn twin_is(world: &World, state: &str) {
    let begun = Instant::now();
    loop {
        let status = world.guest.json(&["status"]).data();
        if status["embassy"]["state"] == state {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{status:#}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn while_the_host_is_away_reads_go_on_and_nothing_is_acknowledged() {
    let mut world = World::new();
    let written = world.fill();
    let bucket = client(&connect(&world.guest), NAME);
    let endpoint = connect(&world.host)["endpoint"]
        .as_str()
        .unwrap()
        .to_owned();
    world.host.kill();
    let refused = world.put(&bucket, "while-away", CONTENT.as_bytes());
    assert!(matches!(refused, Err(S3Error::Away { .. })), "{refused:?}");
    world.same(&world.guest, &written);
    twin_is(&world, "away");
    let address = endpoint.strip_prefix("https://").unwrap();
    world.host.start(&["up", "--s3", address, "--tls"]);
    twin_is(&world, "in-step");
    let begun = Instant::now();
    while world.put(&bucket, "after", CONTENT.as_bytes()).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
    world.guest.kill();
    let home = world.guest.home.path().to_owned();
    let drill = strings(&[
        &words("embassy drill"),
        &world.place(),
        &world.shares(&world.guest),
    ]);
    let drilled = json_in(&home, &home.join("none"), &drill).data();
    assert_eq!(drilled["wrong"], json!([]));
    assert!(drilled["objects_read"].as_u64().unwrap() > written.len() as u64);
}

#[test]
fn who_takes_over_is_the_only_one_who_writes() {
    let mut world = World::new();
    let written = world.fill();
    let home = world.guest.home.path().to_owned();
    let old = client(&connect(&world.guest), NAME);
    let mut second = Cloud::new();
    let asked = strings(&[
        &words("embassy restore --take-over"),
        &world.place(),
        &world.shares(&world.guest),
    ]);
    json_in(&home, &second.data(), &asked).data();
    let refused = world.put(&old, "too-late", b"x");
    assert!(refused.is_err(), "{refused:?}");
    twin_is(&world, "refused");
    for party in ["ctie", "proximus"] {
        std::fs::copy(world.guest.share(party), second.share(party)).unwrap();
    }
    second.start(&[
        "guest",
        "serve",
        "--s3",
        "127.0.0.1:0",
        "--unsafe-unseal-from-this-machine",
    ]);
    let tenants = second.json(&["key", "add", "--tenant", "first"]).data();
    let new = client(&tenants, NAME);
    for (name, body) in &written {
        assert_eq!(world.get(&new, name).unwrap(), body.as_slice());
    }
    world
        .put(&new, "after the take-over", CONTENT.as_bytes())
        .unwrap();
    assert!(world.put(&old, "still-too-late", b"x").is_err());
    world.guest.kill();
    second.kill();
    let drill = strings(&[
        &words("embassy drill"),
        &world.place(),
        &world.shares(&world.guest),
    ]);
    let drilled = json_in(&home, &home.join("none"), &drill).data();
    assert_eq!(drilled["objects_read"], json!(written.len() + 1));
}
