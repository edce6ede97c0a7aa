//! A bucket that is not the site's is never used, and what an engine answers means what it should for the site.

use crate::fake::Fake;
use crate::support::{CLOUD, id, put, store};
use bytes::Bytes;
use chunks::{Cause, ChunkError, ChunkStore};
use host::Host;
use s3::{Mark, SiteBucket, TakeError, Whose};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use words::{CloudId, SiteId};

const MARK: &str = "clarence.site";

async fn founded() -> (Fake, SiteBucket) {
    let fake = Fake::start().await;
    let site = store(&fake, SiteId::B);
    site.take().await.unwrap();
    (fake, site)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_taken_once_and_only_if_it_is_empty() {
    let (fake, site) = founded().await;
    let mark = format!("clarence.site 1\ncloud {CLOUD}\nsite b\n");
    assert_eq!(fake.state.objects.lock().unwrap()[MARK], mark.as_bytes());
    put(&site, id(1, 1), &[b"one"]).await.unwrap();
    let other = Mark {
        cloud: CloudId::from_bytes([9; 16]),
        site: SiteId::B,
    };
    let other = SiteBucket::new(fake.place(), other, Host::real()).unwrap();
    let before = fake.state.objects.lock().unwrap().clone();
    let refused = other.take().await.unwrap_err();
    assert!(matches!(refused, TakeError::Taken { .. }), "{refused}");
    assert!(
        refused.to_string().contains(&CLOUD.to_string()),
        "{refused}"
    );
    assert!(matches!(other.look().await.unwrap(), Whose::Foreign(_)));
    for error in [
        other.adopt().await.unwrap_err(),
        other.probe().await.unwrap_err(),
        put(&other, id(2, 2), &[b"two"]).await.unwrap_err(),
        other.delete(id(1, 1)).await.unwrap_err(),
        store(&fake, SiteId::A).adopt().await.unwrap_err(),
    ] {
        assert!(matches!(error, ChunkError::BucketForeign { .. }), "{error}");
        assert_eq!(error.cause(), Cause::FolderAway);
    }
    assert_eq!(
        *fake.state.objects.lock().unwrap(),
        before,
        "nothing was touched"
    );
    let filled = Fake::start().await;
    let stray = ("somebody's".to_owned(), Bytes::from_static(b"kept"));
    filled.state.objects.lock().unwrap().extend([stray]);
    let refused = store(&filled, SiteId::A).take().await.unwrap_err();
    assert!(matches!(refused, TakeError::Occupied { .. }), "{refused}");
    assert_eq!(filled.names(), ["somebody's"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_lost_its_mark_is_not_used_until_it_is_taken_again() {
    let (fake, site) = founded().await;
    put(&site, id(1, 1), &[b"one"]).await.unwrap();
    site.probe().await.unwrap();
    assert_eq!(
        (site.engine(), site.conditions()),
        (Some("Fake 1"), Some(true))
    );
    fake.state.objects.lock().unwrap().clear();
    assert!(matches!(
        site.probe().await,
        Err(ChunkError::BucketUnmarked { .. })
    ));
    for error in [
        site.read(id(1, 1), 0, 1).await.unwrap_err(),
        put(&site, id(1, 2), &[b"two"]).await.unwrap_err(),
        site.adopt().await.unwrap_err(),
    ] {
        assert!(
            matches!(error, ChunkError::BucketUnmarked { .. }),
            "{error}"
        );
    }
    assert!(fake.names().is_empty(), "nothing was written");
    fake.state.missing.store(true, Ordering::SeqCst);
    assert!(matches!(
        site.adopt().await,
        Err(ChunkError::BucketMissing { .. })
    ));
    site.take().await.unwrap();
    put(&site, id(1, 2), &[b"two"]).await.unwrap();
    // A bucket that comes back as it was is the site's without a word.
    fake.state.missing.store(true, Ordering::SeqCst);
    assert!(site.probe().await.is_err());
    fake.state.missing.store(false, Ordering::SeqCst);
    site.adopt().await.unwrap();
    assert_eq!(site.read(id(1, 2), 0, 3).await.unwrap(), &b"two"[..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_was_never_reached_is_away_and_then_is_not() {
    let (fake, _) = founded().await;
    fake.state.away.store(true, Ordering::SeqCst);
    let site = store(&fake, SiteId::B);
    assert!(site.look().await.is_err());
    assert_eq!(
        site.read(id(1, 1), 0, 1).await.unwrap_err().cause(),
        Cause::Slow
    );
    fake.state.away.store(false, Ordering::SeqCst);
    site.probe().await.unwrap();
    assert_eq!(
        site.read(id(1, 1), 0, 1).await.unwrap_err().cause(),
        Cause::Chunk
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_says_of_the_site_what_it_should() {
    let (fake, site) = founded().await;
    let table = [
        (507, "InsufficientStorage", Cause::CannotWrite),
        (403, "QuotaExceeded", Cause::CannotWrite),
        (403, "AccessDenied", Cause::FolderAway),
        (403, "SignatureDoesNotMatch", Cause::FolderAway),
        (400, "InvalidRequest", Cause::Trouble),
        (503, "SlowDown", Cause::Trouble),
        (500, "InternalError", Cause::Trouble),
    ];
    for (at, (status, code, cause)) in table.into_iter().enumerate() {
        *fake.state.refusing.lock().unwrap() = Some((status, code));
        let error = put(&site, id(1, at as u8), &[b"one"]).await.unwrap_err();
        assert_eq!(error.cause(), cause, "{status} {code}: {error}");
    }
    *fake.state.refusing.lock().unwrap() = None;
    fake.state.busy.store(2, Ordering::SeqCst);
    put(&site, id(2, 1), &[b"one"]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_calls_and_does_not_answer_is_given_up_before_the_sites_deadline() {
    let (fake, site) = founded().await;
    fake.state.silent.store(true, Ordering::SeqCst);
    let began = Instant::now();
    let large = vec![7; 300_000];
    let pieces: [&[u8]; 1] = [&large];
    let (read, small, large) = tokio::join!(
        site.read(id(1, 1), 0, 1),
        put(&site, id(2, 1), &[b"one"]),
        put(&site, id(2, 2), &pieces),
    );
    for error in [read.unwrap_err(), small.unwrap_err(), large.unwrap_err()] {
        assert_eq!(error.cause(), Cause::Slow, "{error}");
    }
    let deadline = Duration::from_millis(words::limits::SITE_DEADLINE_MS);
    assert!(began.elapsed() < deadline, "{:?}", began.elapsed());
    fake.state.silent.store(false, Ordering::SeqCst);
    site.adopt().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_heeds_no_conditions_is_found_out() {
    let fake = Fake::start().await;
    fake.state.heedless.store(true, Ordering::SeqCst);
    let site = store(&fake, SiteId::A);
    site.take().await.unwrap();
    assert_eq!(site.conditions(), None);
    site.probe().await.unwrap();
    assert_eq!(site.conditions(), Some(false));
    assert!(store(&fake, SiteId::B).take().await.is_err());
}
