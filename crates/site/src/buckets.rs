//! Sites whose chunks lie in a bucket of an S3. Their folders hold the papers alone: header, custody, charter, epoch
//! record, published log.

use crate::config::NodeConfig;
use crate::found::FoundError;
use crate::layout::Layout;
use crate::open::OpenError;
use chunks::ChunkStore;
use chunks::dir::Dir;
use host::Host;
use s3::{Bucket, Mark, Place, S3Error, SiteBucket, TakeError, Whose};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use words::{CloudId, SiteId};

/// How often a bucket that does not answer is asked at a founding, and after what pause.
const ATTEMPTS: usize = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// Each site's bucket, where it has one.
pub type Buckets = [Option<Arc<SiteBucket>>; 2];

/// The store of a site: its bucket, or the folder.
pub fn store(layout: &Layout, buckets: &Buckets, site: SiteId) -> Arc<dyn ChunkStore> {
    match &buckets[site.index()] {
        Some(bucket) => Arc::clone(bucket) as _,
        None => Arc::new(Dir::awaiting(layout.site(site))),
    }
}

/// The buckets of a cloud that is founded, each looked at. One that is another's is refused; one that does not
/// answer or has no mark is away, as a folder that is not mounted.
pub async fn open(config: &NodeConfig, host: &Host, cloud: CloudId) -> Result<Buckets, OpenError> {
    let [a, b] = SiteId::BOTH.map(|site| async move {
        let Some(place) = &config.site_buckets[site.index()] else {
            return Ok(None);
        };
        let bucket = SiteBucket::new(place.clone(), Mark { cloud, site }, host.clone());
        let bucket = bucket.map_err(|e| OpenError::Refused(e.to_string()))?;
        let place = bucket.place();
        match bucket.look().await {
            Ok(Whose::Foreign(found)) => {
                return Err(OpenError::ForeignBucket {
                    place: Arc::clone(place),
                    found,
                    expected: format!("{site} of cloud {cloud}"),
                });
            }
            Ok(Whose::Ours) => {}
            Ok(whose) => tracing::warn!(%site, %place, ?whose, "a site's bucket is not usable"),
            Err(error) => tracing::warn!(%site, %error, "a site's bucket does not answer"),
        }
        Ok(Some(Arc::new(bucket)))
    });
    let (a, b) = tokio::join!(a, b);
    Ok([a?, b?])
}

/// Tries again what was not answered: a new bucket's first writes take an engine longer than a chunk may.
async fn patiently(what: impl AsyncFn() -> Result<(), TakeError>) -> Result<(), TakeError> {
    for _ in 1..ATTEMPTS {
        match what().await {
            Err(TakeError::S3(S3Error::Silent { .. } | S3Error::Away { .. })) => {
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
    what().await
}

/// Before a founding: there are buckets, and they are empty.
pub async fn must_be_empty(places: &[Option<Place>; 2], host: &Host) -> Result<(), FoundError> {
    for place in places.iter().flatten() {
        let bucket = Bucket::new(place.clone(), host.clone())?;
        patiently(async || s3::site::must_be_empty(&bucket).await).await?;
    }
    Ok(())
}

/// At the founding: the place of a site's chunks.
pub async fn make(
    layout: &Layout,
    places: &[Option<Place>; 2],
    host: &Host,
    cloud: CloudId,
) -> Result<(), FoundError> {
    for site in SiteId::BOTH {
        let Some(place) = &places[site.index()] else {
            let made = Dir::found(layout.site(site));
            made.map_err(|error| FoundError::Catalog(error.to_string()))?;
            continue;
        };
        let bucket = SiteBucket::new(place.clone(), Mark { cloud, site }, host.clone())?;
        let taken = patiently(async || match bucket.look().await? {
            // An attempt that was interrupted, or told too late, has taken it already.
            Whose::Ours => Ok(()),
            _ => bucket.take().await,
        });
        taken.await.map_err(FoundError::Mark)?;
    }
    Ok(())
}

/// What `status` says of a site's bucket.
pub fn status(bucket: &SiteBucket) -> Value {
    json!({
        "place": bucket.place().as_ref(),
        "engine": bucket.engine(),
        "conditional_writes": bucket.conditions(),
    })
}
