//! What a twin has to say about chunks at a host.

use crate::fake::Fake;
use bytes::Bytes;
use chunks::ChunkStore;
use embassy::{Acknowledge, Source, Twin, Upstream};
use host::Host;
use seal::Sealed;
use std::sync::Arc;
use words::ChunkId;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_while_the_twin_is_not_in_step() {
    let fake = Fake::start().await;
    let twin = Twin::new(fake.bucket(), Host::real(), Acknowledge::AtHost);
    let store = Upstream::new(fake.bucket(), Host::real(), Arc::clone(&twin));
    let (id, bytes) = (ChunkId::from_bytes([5; 16]), Bytes::from(vec![5; 1000]));
    let hash = *blake3::hash(&bytes).as_bytes();
    let mut writer = store.create(id).await.unwrap();
    let sealed = Sealed::reverified(bytes, &hash).unwrap();
    writer.append(&sealed).await.unwrap();
    writer.finish().await.unwrap();
    assert!(store.delete(id).await.is_err());
    assert!(store.stat(id).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_names_everything() {
    let fake = Fake::start().await;
    for number in 0..2_500_u32 {
        let mut objects = fake.state.objects.lock().unwrap();
        objects.insert(format!("c/{number:05}"), Bytes::from_static(b"sealed"));
    }
    let names = fake.bucket().names("c/").await.unwrap();
    assert_eq!(names.len(), 2_500);
    assert_eq!(names[2_499], ("c/02499".to_owned(), 6));
}
