//! Chunks in a bucket keep the promises of every store of chunks.

use crate::fake::Fake;
use bytes::Bytes;
use chunks::{Cause, ChunkStore};
use host::Host;
use s3::Plain;
use seal::Sealed;
use std::sync::atomic::Ordering;
use words::ChunkId;

fn sealed(byte: u8, length: usize) -> Sealed {
    let bytes = Bytes::from(vec![byte; length]);
    let hash = *blake3::hash(&bytes).as_bytes();
    Sealed::reverified(bytes, &hash).unwrap()
}

fn id(byte: u8) -> ChunkId {
    ChunkId::from_bytes([byte; 16])
}

async fn write(store: &Plain, byte: u8) {
    let mut writer = store.create(id(byte)).await.unwrap();
    writer.append(&sealed(byte, 1000)).await.unwrap();
    writer.append(&sealed(byte + 1, 500)).await.unwrap();
    writer.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_come_back_and_are_never_written_over() {
    let fake = Fake::start().await;
    let store = Plain::new(fake.bucket(), Host::real());
    write(&store, 5).await;
    let read = store.read(id(5), 990, 20).await.unwrap();
    assert_eq!(read, [[5; 10], [6; 10]].concat());
    assert_eq!(store.stat(id(5)).await.unwrap().unwrap().bytes, 1500);
    let mut again = store.create(id(5)).await.unwrap();
    again.append(&sealed(9, 10)).await.unwrap();
    assert_eq!(again.finish().await.unwrap_err().cause(), Cause::Chunk);
    let mut healed = store.replace(id(5)).await.unwrap();
    healed.append(&sealed(9, 10)).await.unwrap();
    healed.finish().await.unwrap();
    assert_eq!(store.read(id(5), 0, 10).await.unwrap(), [9; 10].as_slice());
    for error in [
        store.read(id(5), 5, 6).await.unwrap_err(),
        store.read(id(6), 0, 1).await.unwrap_err(),
    ] {
        assert_eq!(error.cause(), Cause::Chunk, "{error}");
    }
    drop(store.create(id(7)).await.unwrap());
    assert_eq!(store.stat(id(7)).await.unwrap(), None);
    store.delete(id(5)).await.unwrap();
    assert_eq!(store.stat(id(5)).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_listed_in_order_and_what_is_not_ours_is_left_out() {
    let fake = Fake::start().await;
    let store = Plain::new(fake.bucket(), Host::real());
    for byte in [9, 3, 6] {
        write(&store, byte).await;
    }
    for name in ["c/none-of-ours", "t/x", "probe"] {
        let mut objects = fake.state.objects.lock().unwrap();
        objects.insert(name.into(), Bytes::new());
    }
    let ids = |listed: Vec<(ChunkId, _)>| listed.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    let all = store.list(None, 10).await.unwrap();
    assert_eq!(ids(all), [id(3), id(6), id(9)]);
    assert_eq!(ids(store.list(Some(id(3)), 1).await.unwrap()), [id(6)]);
    store.probe().await.unwrap();
    store.adopt().await.unwrap();
    fake.state.away.store(true, Ordering::SeqCst);
    assert_eq!(store.probe().await.unwrap_err().cause(), Cause::Trouble);
}
