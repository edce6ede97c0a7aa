//! With the real tenure: a loss is recorded at the witnesses before a write is acknowledged.

use crate::support::{noise, sealed, world};
use async_trait::async_trait;
use chunks::{Behaviour, ChunkStore, Memory};
use epoch::{MemoryWitness, Places, Standing, Tenure, Witness};
use mirror::{LossRefused, Mirror, MirrorError, Mirrored, SiteLoss, SitePolicy};
use std::sync::Arc;
use words::{CloudId, SiteId};

struct Owner(Arc<Tenure>);

#[async_trait]
impl SiteLoss for Owner {
    async fn lost(&self, site: SiteId, why: String) -> Result<(), LossRefused> {
        self.0
            .drop_site(site, 7, &why)
            .map(drop)
            .map_err(|e| LossRefused(e.to_string()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_loss_is_recorded_first() {
    let host = world(1);
    let witness = |name: &str| Arc::new(MemoryWitness::new(name));
    let parents = [witness("one"), witness("two"), witness("three")];
    let places = Places {
        cloud: CloudId::from_bytes([1; 16]),
        sites: [witness("site-a"), witness("site-b")],
        witnesses: parents
            .iter()
            .map(|w| Arc::clone(w) as Arc<dyn Witness>)
            .collect(),
        quorum: 2,
        host: host.clone(),
    };
    places.found().unwrap();
    let tenure = Arc::new(Tenure::start(places).unwrap());
    let stores = SiteId::BOTH.map(|site| Arc::new(Memory::new(host.clone(), &site.to_string())));
    let [a, b] = stores.clone();
    let both: [Arc<dyn ChunkStore>; 2] = [a, b];
    let mirror = Mirror::new(both, tenure.clone(), Arc::new(Owner(tenure.clone())), host);
    let put = async || {
        let mut writer = mirror.begin(SitePolicy::Available).await?;
        writer.append(sealed(noise(1, 1000))).await?;
        writer.finish().await
    };
    assert!(matches!(put().await.unwrap().1, Mirrored::BothSites(_)));
    stores[1].faults().everywhere(Behaviour::FolderMissing);
    for parent in &parents[1..] {
        parent.set_failing(true, true);
    }
    assert!(matches!(
        put().await,
        Err(MirrorError::SiteAway {
            site: SiteId::B,
            ..
        })
    ));
    for parent in &parents[1..] {
        parent.set_failing(false, false);
    }
    let (_, mirrored) = put().await.unwrap();
    assert!(matches!(mirrored, Mirrored::OneSite { debt } if debt.site() == SiteId::B));
    assert_eq!(tenure.standing(), Standing::Only(SiteId::A));
    for parent in &parents {
        assert_eq!(
            parent.read().unwrap().unwrap().standing,
            Standing::Only(SiteId::A)
        );
    }
    assert!(!tenure.view().troubles.is_empty());
}
