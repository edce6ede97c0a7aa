//! What `doctor` looks at where a site's chunks lie in a bucket of an S3.

use super::doctor::Checks;
use crate::config::{SITE_BUCKETS, Settings};
use host::Host;
use s3::{Bucket, Place, S3Error};
use site::Layout;
use std::path::Path;
use words::SiteId;

/// What is known of how engines acknowledge, by how they begin to name themselves.
const SEAWEED: &str = "SeaweedFS";
const DURABLE: &[&str] = &["AmazonS3", "Ceph", "Clarence"];

/// Looks at both sites' buckets.
pub async fn buckets(settings: &Settings, layout: &Layout, checks: &mut Checks) {
    let mut called = Vec::new();
    for (site, key) in SiteId::BOTH.into_iter().zip(SITE_BUCKETS) {
        let Some(file) = settings.optional(key) else {
            continue;
        };
        let name = format!("{site} bucket");
        let bucket = Place::read_for_site(Path::new(file)).and_then(|place| {
            called.push(place.authority());
            Bucket::new(place, Host::real())
        });
        match bucket {
            Ok(bucket) => one(&name, site, layout.site(site), &bucket, checks).await,
            Err(error) => checks.bad(&name, format!("{key}: {error}"), "mend the file"),
        }
    }
    if let [a, b] = &called[..] {
        match a == b {
            true => checks.warn(
                "two engines",
                format!("both sites' buckets are at {a}"),
                "what takes that engine takes both sites; give each its own",
            ),
            false => checks.ok("two engines", format!("{a}, {b}")),
        }
    }
}

async fn one(name: &str, site: SiteId, folder: &Path, bucket: &Bucket, checks: &mut Checks) {
    let place = bucket.shown();
    let cloud = charter::files::load_custody(folder).map(|custody| custody.cloud());
    match s3::site::read(bucket).await {
        Ok(Some(Ok(mark))) => match cloud {
            Ok(cloud) if mark.site == site && mark.cloud == cloud => {
                checks.ok(name, format!("{place}, {}", mark.shown()));
            }
            _ => checks.bad(
                name,
                format!("{place} belongs to {}", mark.shown()),
                "check which file and which folder the configuration names; nothing is lost",
            ),
        },
        Ok(Some(Err(error))) => checks.bad(
            name,
            format!("{place}: {error}"),
            "use the version of Clarence that wrote it, or another bucket",
        ),
        Ok(None) => no_mark(name, format!("{place} has no mark of a site"), site, checks),
        Err(S3Error::Refused { code, .. }) if code == "NoSuchBucket" => {
            no_mark(name, format!("there is no {place}"), site, checks);
        }
        Err(error) => checks.bad(
            name,
            error.to_string(),
            "the node goes on with the other site meanwhile",
        ),
    }
    acknowledging(name, bucket, checks);
}

fn no_mark(name: &str, found: String, site: SiteId, checks: &mut Checks) {
    let letter = char::from(site.letter());
    let mend = format!(
        "founding marks an empty one; for a cloud that is founded check the file, and if the bucket is lost: `clarence heal --site {letter} --new-folder`"
    );
    checks.bad(name, found, &mend);
}

/// Whether what the engine acknowledges is on a disk can only be guessed by its name.
fn acknowledging(name: &str, bucket: &Bucket, checks: &mut Checks) {
    let name = format!("{name} durability");
    match bucket.engine() {
        Some(engine) if engine.starts_with(SEAWEED) => checks.warn(
            &name,
            format!("{engine} acknowledges from memory unless it is told otherwise, which cannot be seen from here"),
            "in `weed shell`: fs.configure -locationPrefix=/buckets/NAME/ -fsync -apply; and keep its filer's metadata in a database that syncs (docs/format/chunks.md)",
        ),
        Some(engine) if DURABLE.iter().any(|known| engine.starts_with(known)) => {
            checks.ok(&name, format!("{engine} syncs before it acknowledges"));
        }
        Some(engine) => checks.warn(
            &name,
            format!("how {engine} acknowledges is not known here"),
            "make it sync before it acknowledges (docs/format/chunks.md)",
        ),
        // One that did not answer has been reported.
        None if !bucket.has_answered() => {}
        None => checks.warn(
            &name,
            "the engine does not say what it is, as Garage does not",
            "for Garage set metadata_fsync = true and data_fsync = true (docs/format/chunks.md)",
        ),
    }
}
