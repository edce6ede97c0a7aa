//! A world and the node in it: rooms wired over the disks as the site wires them, sealed at the start.

use crate::client::Client;
use crate::disks::{Disks, SimError};
use crate::gate::{GatedChunks, GatedEngine, GatedWitness, Life};
use crate::world_host::{Dice, SimClock, host};
use async_trait::async_trait;
use catalog::{Engine, Sites};
use charter::{Progress, Unsealing};
use chunks::ChunkStore;
use epoch::{SiteView, Standing, Tenure};
use host::Host;
use mirror::{HealReport, LossRefused, Mirror, Pace, SiteLoss};
use names::{Index, Tuning};
use std::sync::Arc;
use store::Store;
use vault::{SitePolicy, Vault, VaultConfig};
use words::{AccessKeyId, PartyName, SiteId, TenantName};

/// The region of every simulated cloud.
pub const REGION: &str = "lu-1";

/// What a world is made with.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The seed of everything.
    pub seed: u64,
    /// What happens to writes while a site is away.
    pub policy: SitePolicy,
    /// Whether disks and catalog take random time.
    pub slow: bool,
    /// The measures of the index of names; small ones reach folds and merges early.
    pub tuning: Option<Tuning>,
}

impl Setup {
    /// A quick world in which writes go on with one site.
    #[must_use]
    pub const fn quick(seed: u64) -> Self {
        Self {
            seed,
            policy: SitePolicy::Available,
            slow: false,
            tuning: None,
        }
    }
}

/// One cloud on one machine that does not exist.
pub struct World {
    /// What it was made with.
    pub setup: Setup,
    /// Clock and randomness.
    pub host: Host,
    /// The clock, to let hours pass.
    pub clock: Arc<SimClock>,
    /// What survives a crash.
    pub disks: Disks,
    lives: std::sync::atomic::AtomicU64,
}

/// A running node.
pub struct Node {
    /// Which site is current.
    pub tenure: Arc<Tenure>,
    /// The catalog as this node sees it.
    pub engine: Arc<dyn Engine>,
    /// Both sites' chunks.
    pub mirror: Arc<Mirror>,
    /// The index of names.
    pub index: Arc<Index>,
    /// The vault.
    pub vault: Arc<Vault>,
    /// The verbs.
    pub store: Arc<Store>,
    /// Its clock and randomness.
    pub host: Host,
    pub(crate) catalog: Arc<catalog::Memory>,
    life: Arc<Life>,
}

struct Loss {
    tenure: Arc<Tenure>,
    catalog: Arc<catalog::Memory>,
}

#[async_trait]
impl SiteLoss for Loss {
    async fn lost(&self, site: SiteId, why: String) -> Result<(), LossRefused> {
        self.tenure
            .drop_site(site, 0, &why)
            .map_err(|e| LossRefused(e.to_string()))?;
        self.catalog.set_sites(Sites::Only(site.other()));
        Ok(())
    }
}

impl World {
    /// Founds a cloud.
    pub async fn found(setup: Setup) -> Result<Self, SimError> {
        let (host, clock) = host(setup.seed);
        let disks = Disks::found(&host).await?;
        Ok(Self {
            setup,
            host,
            clock,
            disks,
            lives: std::sync::atomic::AtomicU64::new(0),
        })
    }

    /// Founds a cloud, starts and unseals its node.
    pub async fn open(setup: Setup) -> Result<(Self, Node), SimError> {
        let world = Self::found(setup).await?;
        let node = world.start()?;
        world.unseal(&node, [0, 2]).await?;
        Ok((world, node))
    }

    /// Starts a node over the disks. It is sealed.
    pub fn start(&self) -> Result<Node, SimError> {
        let life_no = self
            .lives
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let life = Life::new(
            self.setup
                .slow
                .then(|| Dice::new(self.setup.seed, 100 + life_no)),
        );
        let host = self.host.clone();
        let places = self.disks.places(&host, |witness| {
            Arc::new(GatedWitness::new(witness, Arc::clone(&life)))
        });
        let tenure = Arc::new(Tenure::start(places).map_err(SimError::of)?);
        let catalog = Arc::clone(&self.disks.catalog);
        catalog.set_sites(match tenure.standing() {
            Standing::BothCurrent => Sites::Both,
            Standing::Only(site) => Sites::Only(site),
        });
        let engine: Arc<dyn Engine> = Arc::new(GatedEngine::new(
            Arc::clone(&catalog) as _,
            Arc::clone(&life),
        ));
        let stores = self
            .disks
            .chunks
            .clone()
            .map(|store| -> Arc<dyn ChunkStore> {
                Arc::new(GatedChunks::new(store, Arc::clone(&life)))
            });
        let loss = Arc::new(Loss {
            tenure: Arc::clone(&tenure),
            catalog: Arc::clone(&catalog),
        });
        let mirror = Mirror::new(stores, Arc::clone(&tenure) as _, loss, host.clone());
        if let Standing::Only(site) = tenure.standing() {
            mirror.prefer(site);
        }
        let config = VaultConfig {
            region: REGION.into(),
            node: "sim".into(),
            site_policy: self.setup.policy,
        };
        let vault = Vault::new(host.clone(), Arc::clone(&engine), config).map_err(SimError::of)?;
        let index = Arc::new(match self.setup.tuning {
            None => Index::new(Arc::clone(&engine), host.clone(), 8 * 1024 * 1024),
            Some(tuning) => Index::with_tuning(Arc::clone(&engine), host.clone(), tuning),
        });
        let store = Store::new(
            Arc::clone(&vault),
            Arc::clone(&engine),
            Arc::clone(&mirror),
            Arc::clone(&index),
            host.clone(),
        );
        Ok(Node {
            tenure,
            engine,
            mirror,
            index,
            vault,
            store,
            host,
            catalog,
            life,
        })
    }

    /// Gives two parties' shares to a sealed node.
    pub async fn unseal(&self, node: &Node, parties: [usize; 2]) -> Result<(), SimError> {
        let mut unsealing = Unsealing::new(self.disks.custody.clone());
        let mut given: Vec<PartyName> = Vec::new();
        for which in parties {
            let share = self.disks.share(which)?;
            given.push(share.party().clone());
            if let Progress::Complete(root) = unsealing.add(share).map_err(SimError::of)? {
                let site = match node.tenure.standing() {
                    Standing::BothCurrent => SiteId::A,
                    Standing::Only(site) => site,
                };
                let [a, b] = &self.disks.headers;
                let header = if site == SiteId::A { a } else { b };
                node.vault
                    .unseal(root, header, &given)
                    .await
                    .map_err(SimError::of)?;
                return node.vault.all_changed().await.map_err(SimError::of);
            }
        }
        Err(SimError("two shares were not enough".into()))
    }

    /// A site's chunks, past gate and node.
    #[must_use]
    pub fn chunks(&self, site: SiteId) -> &Arc<chunks::Memory> {
        let [a, b] = &self.disks.chunks;
        if site == SiteId::A { a } else { b }
    }

    /// The epoch record in a site's own folder.
    #[must_use]
    pub fn site_record(&self, site: SiteId) -> &Arc<epoch::MemoryWitness> {
        let [a, b] = &self.disks.site_records;
        if site == SiteId::A { a } else { b }
    }
}

impl Node {
    /// The node is gone: nothing it still tries reaches a disk.
    pub fn crash(&self) {
        self.life.crash();
    }

    /// Adds a tenant, unless it is there, and makes a credential for it.
    pub async fn client(&self, tenant: &str) -> Result<Client, SimError> {
        let name = TenantName::parse(tenant).map_err(SimError::of)?;
        let there = self.vault.tenant_list().await.map_err(SimError::of)?;
        if !there.iter().any(|known| known.name == name) {
            self.vault
                .tenant_add(name.clone())
                .await
                .map_err(SimError::of)?;
        }
        let made = self
            .vault
            .key_add(&name, None)
            .await
            .map_err(SimError::of)?;
        Ok(Client {
            access_key: made.id.as_str().to_owned(),
            secret: made.secret.to_string(),
            tenant: made.tenant,
            token: None,
        })
    }

    /// Stops a client's credential.
    pub async fn suspend(&self, client: &Client) -> Result<(), SimError> {
        let id = AccessKeyId::parse(&client.access_key).map_err(SimError::of)?;
        self.vault.key_suspend(&id).await.map_err(SimError::of)
    }

    /// Looks at a site as the watch of a node does; gives it up if it does not answer.
    pub async fn look(&self, site: SiteId) -> Result<(), SimError> {
        let Err(error) = self.mirror.probe(site).await else {
            return Ok(());
        };
        self.tenure
            .drop_site(site, 0, &error.to_string())
            .map_err(SimError::of)?;
        self.catalog.set_sites(Sites::Only(site.other()));
        self.mirror.prefer(site.other());
        Ok(())
    }

    /// Heals a site that is behind and takes it back, as a node does: first what is on the books, then the
    /// standing, then what came in between.
    pub async fn heal(&self, site: SiteId) -> Result<HealReport, SimError> {
        self.mirror.adopt(site).await.map_err(SimError::of)?;
        self.tenure.healing(site, 0, 0);
        let healed = mirror::heal(
            &*self.engine,
            &self.mirror,
            site,
            Pace::default(),
            &mut |_| {},
        )
        .await;
        let report = match healed {
            Ok(report) if report.left == 0 => report,
            Ok(report) => return Err(self.not_healed(site, &report.failures.join("; "))),
            Err(error) => return Err(self.not_healed(site, &error.to_string())),
        };
        if self.tenure.standing() == Standing::Only(site.other()) {
            self.tenure.readmit(site, 0).map_err(SimError::of)?;
            self.catalog.set_sites(Sites::Both);
            self.mirror.prefer(SiteId::A);
        }
        self.settle_debts(site).await?;
        Ok(report)
    }

    fn not_healed(&self, site: SiteId, why: &str) -> SimError {
        self.tenure.healing_stopped(site, why);
        SimError(why.to_owned())
    }

    /// Copies what a current site lacks.
    pub async fn settle_debts(&self, site: SiteId) -> Result<HealReport, SimError> {
        mirror::heal(
            &*self.engine,
            &self.mirror,
            site,
            Pace::default(),
            &mut |_| {},
        )
        .await
        .map_err(SimError::of)
    }

    /// Whether a site is away or being healed.
    #[must_use]
    pub fn behind(&self) -> Option<SiteId> {
        SiteId::BOTH
            .into_iter()
            .find(|site| !matches!(self.tenure.view().site(*site), SiteView::Serving))
    }
}

/// Looking at the ledger from outside.
impl Node {
    /// Every entry so far, oldest first, opened. Waits until entries that nobody waits for are written.
    pub async fn entries(&self) -> Result<Vec<vault::EntryShown>, SimError> {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let mut all: Vec<vault::EntryShown> = Vec::new();
        loop {
            let before = all.last().map(|entry| entry.index);
            let page = self
                .vault
                .last_entries(before, words::limits::SCAN_ROWS_MAX)
                .await
                .map_err(SimError::of)?;
            if page.is_empty() {
                all.reverse();
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// Every row of the catalog in a keyspace, or in all of them.
    pub async fn rows(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, catalog::Row)>, SimError> {
        let mut range = catalog::KeyRange::prefix(prefix);
        if prefix.is_empty() {
            range.start = vec![1];
        }
        let mut all = Vec::new();
        loop {
            let page = self
                .catalog
                .scan(
                    range.clone(),
                    words::limits::SCAN_ROWS_MAX,
                    catalog::Order::Ascending,
                )
                .await;
            let page = page.map_err(SimError::of)?;
            let Some((last, _)) = page.last() else {
                return Ok(all);
            };
            range = range.after(last);
            all.extend(page);
        }
    }
}
