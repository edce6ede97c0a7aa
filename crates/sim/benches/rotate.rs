//! How fast the wraps of a bucket's objects are renewed after its key was: over the catalog in memory, and
//! over the embedded one with both sites' folders on a disk, every commit synced.
//!
//! `cargo bench -p sim --bench rotate -- [objects] [folder]`
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use authn::{Caller, RequestHead};
use catalog::embedded::{Embedded, Options};
use catalog::{Commit, Engine, Memory, Mutation, Outcome};
use charter::{Charter, Contribution};
use epoch::{Places, Tenure};
use host::Host;
use seal::{NewRecord, ObjectRecord, Segment};
use sim::sign;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use vault::{Action, NewAccessKey, SitePolicy, Vault, VaultConfig};
use words::{BucketName, ObjectKey, OpId, SiteId, TenantName};

const REGION: &str = "lu-1";
/// Rows of one commit while the bucket is filled.
const FILL: usize = 500;
/// What follows the record in the row of an object in chunk files: times, sealed metadata, one place.
const TAIL: [u8; 220] = [7; 220];

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|a| !a.starts_with('-'));
    let objects = arguments.next().map_or(100_000, |n| n.parse().unwrap());
    let folder = arguments.next();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let founded = Founded::new();
        let engine = Arc::new(Memory::new());
        measure("memory", founded, engine, objects).await;
        let kept = match &folder {
            Some(folder) => tempfile::tempdir_in(folder),
            None => tempfile::tempdir(),
        }
        .unwrap();
        let founded = Founded::new();
        let engine = embedded(&founded, kept.path());
        measure("embedded", founded, engine, objects).await;
    });
}

struct Founded {
    host: Host,
    founding: charter::Founding,
    keys: vault::Founded,
}

impl Founded {
    fn new() -> Self {
        let (host, charter) = (Host::real(), Charter::default());
        let contributions = Contribution::draw_for_all(charter.parties(), &host);
        let founding = charter::found(&charter, &host, contributions).unwrap();
        let keys = vault::found(
            &host,
            founding.cloud,
            &founding.root,
            *founding.transcript.custody().ceremony().as_bytes(),
            *charter.digest().as_bytes(),
            "clarence.example/bench",
            founding.transcript.to_json(),
        )
        .unwrap();
        Self {
            host,
            founding,
            keys,
        }
    }
}

fn embedded(founded: &Founded, folder: &Path) -> Arc<Embedded> {
    let sites = [folder.join("site-a"), folder.join("site-b")];
    for site in &sites {
        std::fs::create_dir(site).unwrap();
    }
    let (cloud, options) = (founded.founding.cloud, Options::default());
    let places = || Places::folders(cloud, [&sites[0], &sites[1]], &[], founded.host.clone());
    places().found().unwrap();
    let tenure = Arc::new(Tenure::start(places()).unwrap());
    Embedded::create([&sites[0], &sites[1]], cloud, &options).unwrap();
    let engine = Embedded::open(sites.map(Some), tenure, options, founded.host.clone());
    Arc::new(engine.unwrap())
}

async fn commit(engine: &Arc<impl Engine>, host: &Host, mutations: Vec<Mutation>) {
    let commit = Commit {
        op: OpId::from_bytes(host.random()),
        preconditions: vec![],
        mutations,
        entries: vec![],
    };
    let Outcome::Committed(_) = engine.commit(commit).await else {
        panic!("a commit was not taken")
    };
}

async fn caller(vault: &Vault, key: &NewAccessKey, host: &Host, path: &str) -> Caller {
    let client = sim::Client {
        access_key: key.id.to_string(),
        secret: key.secret.to_string(),
        tenant: key.tenant,
        token: None,
    };
    let signed = sign::Signed {
        method: "PUT",
        path,
        client: &client,
        region: REGION,
        service: "s3",
        payload: "UNSIGNED-PAYLOAD",
    };
    let headers = sign::headers(&signed, host.now());
    let head = RequestHead {
        via: authn::Via::default(),
        method: "PUT",
        raw_path: path,
        raw_query: "",
        headers: &headers,
    };
    vault
        .identify(&head)
        .await
        .map_err(|e| e.code)
        .unwrap()
        .caller
}

async fn measure(name: &str, founded: Founded, engine: Arc<impl Engine>, objects: usize) {
    let host = founded.host;
    commit(&engine, &host, founded.keys.rows).await;
    let config = VaultConfig {
        region: REGION.into(),
        node: "bench".into(),
        site_policy: SitePolicy::Available,
    };
    let vault = Vault::new(host.clone(), Arc::clone(&engine) as _, config).unwrap();
    let header = &founded.keys.headers[SiteId::A.index()];
    vault
        .unseal(founded.founding.root, header, &[])
        .await
        .unwrap();
    let tenant = TenantName::parse("tax-office").unwrap();
    vault.tenant_add(tenant.clone()).await.unwrap();
    let key = vault.key_add(&tenant, None).await.unwrap();
    let bucket = BucketName::parse("records").unwrap();
    let asked = caller(&vault, &key, &host, "/records").await;
    vault.create_bucket(asked, &bucket).await.unwrap();
    fill(&vault, &engine, &host, &key, &bucket, objects).await;

    let (began, used) = (Instant::now(), processor_seconds());
    vault.rotate_bucket(&tenant, &bucket).await.unwrap();
    let in_use = began.elapsed();
    while vault.advance_rotations().await.unwrap() {}
    let whole = began.elapsed().as_secs_f64();
    assert!(vault.rotation_list().await.unwrap().is_empty());
    println!(
        "{name}: new key in use after {:.1} ms; {objects} wraps renewed, looked over again and the old key \
         dropped in {whole:.2} s ({:.2} s of processor time), {:.0} each second",
        in_use.as_secs_f64() * 1e3,
        processor_seconds() - used,
        objects as f64 / whole
    );
}

/// Processor time of this process, all threads: what a busy machine does not change.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: f64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|n| n.parse::<f64>().unwrap())
        .sum();
    ticks / 100.0
}

/// Rows of objects as large as those of objects in chunk files, with genuine records.
async fn fill(
    vault: &Vault,
    engine: &Arc<impl Engine>,
    host: &Host,
    key: &NewAccessKey,
    bucket: &BucketName,
    objects: usize,
) {
    let segment = Segment {
        salt: [0; 24],
        plain_bytes: 100_000,
        sealed_bytes: seal::cobblestone::sealed_len(100_000),
        blake3: [1; 32],
    };
    let mut mutations = Vec::new();
    for n in 0..objects {
        let asked = caller(vault, key, host, "/records").await;
        let name = ObjectKey::parse(&format!("object-{n}")).unwrap();
        let grant = vault
            .admit_write(asked, Action::PutObject, bucket, &name)
            .await
            .unwrap();
        let place = *grant.place();
        let record = ObjectRecord::new(&NewRecord {
            place,
            kek: grant.kek(),
            wrapped: grant.wrapped(),
            guest_encrypted: false,
            shred_group: false,
            segments: &[segment],
        })
        .unwrap()
        .to_bytes(grant.object_key());
        mutations.push(Mutation::Put {
            key: [b"O".as_slice(), place.bucket.as_bytes(), &place.name].concat(),
            value: [&[1], record.as_slice(), &TAIL].concat().into(),
        });
        if mutations.len() == FILL || n + 1 == objects {
            commit(engine, host, std::mem::take(&mut mutations)).await;
        }
    }
}
