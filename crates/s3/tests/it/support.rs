//! The stores under test.

use crate::fake::Fake;
pub use crate::pieces::{id, noise, put, sealed};
use chunks::ChunkStore;
use host::Host;
use s3::{Mark, Plain, SiteBucket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use words::{CloudId, SiteId};

pub const CLOUD: CloudId = CloudId::from_bytes([0xc1; 16]);

pub type Named = (&'static str, Arc<dyn ChunkStore>);

pub fn store(fake: &Fake, site: SiteId) -> SiteBucket {
    let mark = Mark { cloud: CLOUD, site };
    SiteBucket::new(fake.place(), mark, Host::real()).unwrap()
}

/// Every store of this room, each empty; the servers live as long as the guard.
pub async fn stores() -> (Vec<Fake>, Vec<Named>) {
    let fakes = vec![
        Fake::start().await,
        Fake::start().await,
        Fake::start().await,
    ];
    let [plain, marked, looking] = &fakes[..] else {
        unreachable!("three were started")
    };
    let site = store(marked, SiteId::A);
    site.take().await.unwrap();
    // An engine that refuses conditional writes is asked before each.
    *looking.state.refusing.lock().unwrap() = Some((501, "NotImplemented"));
    let looked = store(looking, SiteId::B);
    looked.take().await.unwrap();
    let stores: Vec<Named> = vec![
        ("bucket", Arc::new(Plain::new(plain.bucket(), Host::real()))),
        ("site's bucket", Arc::new(site)),
        ("without conditions", Arc::new(looked)),
    ];
    assert!(looking.state.calls.load(Ordering::SeqCst) > 0);
    (fakes, stores)
}
