//! Exports: whole, resumed, and refused when something of them is not as it was.

use crate::fake::Fake;
use bytes::Bytes;
use embassy::export::{MANIFEST, PARTIAL};
use embassy::twin::Generation;
use embassy::{Export, ExportError, Source, evacuate};
use std::sync::atomic::Ordering;

fn fill(fake: &Fake) {
    let mut objects = fake.state.objects.lock().unwrap();
    for number in 0..3 {
        let name = Generation([1; 16]).name(number);
        objects.insert(name, Bytes::from(vec![number as u8; 100]));
        objects.insert(format!("c/{number:032x}"), Bytes::from(vec![9; 2_000]));
    }
    for foreign in ["c/../../etc/passwd", "c/short", "t/x", "probe", "other"] {
        objects.insert(foreign.into(), Bytes::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_on_where_it_was_interrupted_and_takes_only_what_is_ours() {
    let fake = Fake::start().await;
    fill(&fake);
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("export");
    fake.state.away.store(true, Ordering::SeqCst);
    let interrupted = evacuate(&fake.bucket(), &to, &|_, _| {}).await;
    assert!(
        matches!(interrupted, Err(ExportError::Host(_))),
        "{interrupted:?}"
    );
    assert!(Export::open(&to).is_err(), "it is not complete");
    fake.state.away.store(false, Ordering::SeqCst);
    let report = evacuate(&fake.bucket(), &to, &|_, _| {}).await.unwrap();
    assert_eq!((report.objects, report.bytes), (6, 6_300));
    assert!(!to.join(PARTIAL).exists() && to.join(MANIFEST).exists());
    let export = Export::open(&to).unwrap();
    assert_eq!(export.check(&|_, _| {}).unwrap().objects, 6);
    assert_eq!(export.names("c/").await.unwrap().len(), 3);
    let name = format!("c/{:032x}", 1);
    assert_eq!(export.object(&name, 2_000).await.unwrap(), vec![9; 2_000]);
    let missing = export
        .object(&format!("c/{:032x}", 7), 10)
        .await
        .unwrap_err();
    assert!(missing.is_missing());
    std::fs::write(to.join(&name), vec![8; 2_000]).unwrap();
    let altered = export.object(&name, 2_000).await.unwrap_err().to_string();
    assert!(altered.contains(&name), "{altered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_without_a_twin_is_no_export() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let none = evacuate(&fake.bucket(), folder.path(), &|_, _| {}).await;
    assert!(matches!(none, Err(ExportError::Host(_))), "{none:?}");
}
