//! The client: what comes back, what is tried again, and what a second time must not do.

use crate::fake::Fake;
use bytes::Bytes;
use s3::S3Error;
use std::sync::atomic::Ordering;

const SMALL: Bytes = Bytes::from_static(b"sealed");

#[tokio::test(flavor = "multi_thread")]
async fn objects_come_back_whole_and_in_part() {
    let fake = Fake::start().await;
    let bucket = fake.bucket();
    let body = Bytes::from(vec![7; 100_000]);
    bucket.put("c/one", body.clone(), true).await.unwrap();
    assert_eq!(bucket.get("c/one", None, 100_000).await.unwrap(), body);
    let part = bucket.get("c/one", Some((99_990, 10)), 10).await.unwrap();
    assert_eq!(part, body.slice(99_990..));
    let short = bucket.get("c/one", Some((99_990, 11)), 11).await;
    assert!(
        matches!(short, Err(S3Error::Short { bytes: 100_000, .. })),
        "{short:?}"
    );
    let short = bucket.get("c/one", Some((200_000, 1)), 1).await;
    assert!(matches!(short, Err(S3Error::Short { .. })), "{short:?}");
    let missing = bucket.get("c/two", None, 10).await;
    assert!(
        matches!(missing, Err(S3Error::Missing { .. })),
        "{missing:?}"
    );
    let large = bucket.get("c/one", None, 99_999).await;
    assert!(matches!(large, Err(S3Error::Answer { .. })), "{large:?}");
    assert_eq!(bucket.stat("c/one").await.unwrap().unwrap().bytes, 100_000);
    assert_eq!(bucket.stat("c/two").await.unwrap(), None);
    bucket.delete("c/one").await.unwrap();
    bucket.delete("c/one").await.unwrap();
    assert!(fake.names().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_are_read_to_their_end() {
    let fake = Fake::start().await;
    for number in 0..2_500_u32 {
        let name = format!("c/{number:05}");
        fake.state.objects.lock().unwrap().insert(name, SMALL);
    }
    fake.state
        .objects
        .lock()
        .unwrap()
        .insert("t/x".into(), SMALL);
    let bucket = fake.bucket();
    let mut names: Vec<String> = Vec::new();
    loop {
        let after = names.last().map(String::as_str);
        let page = bucket.list("c/", after, 1000).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.iter().all(|object| object.stat.bytes == 6));
        names.extend(page.into_iter().map(|object| object.name));
    }
    assert_eq!(names.len(), 2_500);
    assert_eq!(names[2_499], "c/02499");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_is_no_second_object_and_another_one_is_refused() {
    let fake = Fake::start().await;
    let bucket = fake.bucket();
    fake.state.mute.store(1, Ordering::SeqCst);
    bucket.put("c/one", SMALL, true).await.unwrap();
    assert!(
        fake.state.calls.load(Ordering::SeqCst) >= 3,
        "it was tried again and compared"
    );
    let other = bucket
        .put("c/one", Bytes::from_static(b"others"), true)
        .await;
    assert!(matches!(other, Err(S3Error::Exists { .. })), "{other:?}");
    let longer = bucket.put("c/one", Bytes::from_static(b"s"), true).await;
    assert!(matches!(longer, Err(S3Error::Exists { .. })), "{longer:?}");
    assert_eq!(bucket.get("c/one", None, 6).await.unwrap(), SMALL);
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_that_passes_is_not_noticed_and_one_that_stays_has_an_end() {
    let fake = Fake::start().await;
    let bucket = fake.bucket();
    fake.state.busy.store(2, Ordering::SeqCst);
    bucket.put("c/one", SMALL, true).await.unwrap();
    fake.state.away.store(true, Ordering::SeqCst);
    let began = std::time::Instant::now();
    let away = bucket.get("c/one", Some((0, 6)), 6).await;
    assert!(matches!(away, Err(S3Error::Away { .. })), "{away:?}");
    assert!(began.elapsed().as_secs() < 10);
    fake.state.away.store(false, Ordering::SeqCst);
    assert_eq!(bucket.get("c/one", Some((0, 6)), 6).await.unwrap(), SMALL);
}
