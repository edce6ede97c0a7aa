//! The engine: what all connections share.

use crate::compute::Compute;
use crate::connection::Connection;
use crate::error::{Fault, SqlError};
use crate::extra::Extra;
use crate::limits::Limits;
use crate::objects::Kept;
use crate::registry::Registry;
use crate::spill::Spills;
use crate::stop::Stop;
use datafusion::config::ConfigOptions;
use datafusion::execution::cache::cache_manager::CacheManagerConfig;
use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;
use host::Host;
use statement::{GrantId, Road, Sign, Signed, Why};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// Grants that ended before it was known here that they began.
const EARLY_MAX: usize = 4096;
/// Between two tries to hear of endings, when the vault does not answer.
const AGAIN: Duration = Duration::from_millis(200);
/// Part of the cache that footers may take: one in so many bytes.
const FOOTERS_PART: u64 = 8;

/// The engine.
pub struct Engine {
    pub(crate) road: Arc<dyn Road>,
    pub(crate) host: Host,
    pub(crate) limits: Limits,
    pub(crate) extra: Arc<dyn Extra>,
    pub(crate) kept: Arc<Kept>,
    pub(crate) compute: Compute,
    runtime: RuntimeEnv,
    state: SessionState,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    stops: BTreeMap<GrantId, Weak<Stop>>,
    early: BTreeSet<GrantId>,
}

/// What signing in came to.
pub enum SignedIn {
    /// To be passed on.
    Challenge {
        /// Names the exchange.
        exchange: [u8; 16],
        /// SCRAM's first message of the server.
        message: String,
    },
    /// Somebody is in.
    In {
        /// Their connection.
        connection: Arc<Connection>,
        /// SCRAM's last message, `v=…`; empty for a password.
        message: String,
    },
}

impl Engine {
    /// An engine over the road to the vault.
    pub fn new(
        road: Arc<dyn Road>,
        limits: Limits,
        extra: Arc<dyn Extra>,
    ) -> Result<Arc<Self>, SqlError> {
        let host = Host::real();
        let compute = Compute::new(limits.threads).map_err(|error| {
            SqlError::new(
                Fault::Resources,
                format!("no threads to compute with: {error}"),
            )
        })?;
        let memory = usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX);
        let top = NonZeroUsize::MIN.saturating_add(4);
        let pool: Arc<dyn MemoryPool> =
            Arc::new(TrackConsumersPool::new(FairSpillPool::new(memory), top));
        let spills = Spills::new(host.clone(), limits.spill.clone(), limits.spill_bytes_max);
        let disk = DiskManagerBuilder::default().with_temp_file_factory(Arc::new(spills));
        let footers = usize::try_from(limits.cache_bytes / FOOTERS_PART).unwrap_or(usize::MAX);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(pool)
            .with_disk_manager_builder(disk)
            .with_cache_manager(CacheManagerConfig::default().with_metadata_cache_limit(footers))
            .with_object_store_registry(Arc::new(Registry::default()))
            .build()?;
        let kept = Kept::new(limits.cache_bytes - limits.cache_bytes / FOOTERS_PART);
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_config(configured(&limits))
            .with_physical_optimizer_rules(rules())
            .with_runtime_env(Arc::new(runtime.clone()))
            .build();
        Ok(Arc::new(Self {
            road,
            host,
            limits,
            extra,
            kept: Arc::new(kept),
            compute,
            runtime,
            state,
            running: Mutex::default(),
        }))
    }

    /// Signs somebody in to a database.
    pub async fn sign_in(
        self: &Arc<Self>,
        sign: Sign,
        database: &str,
        from: Option<IpAddr>,
    ) -> Result<SignedIn, SqlError> {
        Ok(match self.road.sign_in(sign, database, from).await? {
            Signed::Challenge { exchange, message } => SignedIn::Challenge { exchange, message },
            Signed::In { session, message } => SignedIn::In {
                connection: Connection::new(Arc::clone(self), session),
                message,
            },
        })
    }

    /// Hears of grants that end before their time, and ends their statements. Never done.
    pub async fn watch(&self) {
        let mut after = 0;
        loop {
            match self.road.endings(after).await {
                Ok(endings) => {
                    after = endings.next;
                    for grant in endings.grants {
                        self.end(grant);
                    }
                }
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    fn end(&self, grant: GrantId) {
        let mut running = self.running();
        match running.stops.get(&grant).and_then(Weak::upgrade) {
            Some(stop) => stop.stop(taken_back()),
            // Perhaps the word that it began is still under way.
            None => {
                if running.early.len() >= EARLY_MAX {
                    running.early.pop_first();
                }
                running.early.insert(grant);
            }
        }
    }

    /// A statement runs under a grant, until its end is told.
    pub(crate) fn begun(&self, grant: GrantId, stop: &Arc<Stop>) {
        let mut running = self.running();
        if running.early.remove(&grant) {
            stop.stop(taken_back());
        }
        running.stops.insert(grant, Arc::downgrade(stop));
    }

    /// It runs no longer.
    pub(crate) fn ended(&self, grant: GrantId) {
        self.running().stops.remove(&grant);
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What planning begins with.
    pub(crate) const fn state(&self) -> &SessionState {
        &self.state
    }

    /// Memory, spill and caches as all have them, with one statement's objects.
    pub(crate) fn runtime_with(&self, registry: Registry) -> Arc<RuntimeEnv> {
        let mut runtime = self.runtime.clone();
        runtime.object_store_registry = Arc::new(registry);
        Arc::new(runtime)
    }

    /// Bytes of memory that statements hold.
    #[must_use]
    pub fn memory_held(&self) -> usize {
        self.runtime.memory_pool.reserved()
    }
}

fn taken_back() -> SqlError {
    SqlError::new(
        Fault::Refused(Why::Revoked),
        "what the statement stood on, an agreement or a key, was suspended, revoked or has ended; nothing more is shown",
    )
}

/// How a plan is made physical. Each scan pushes its own conditions down by itself; no condition is pushed through a join there,
/// for DataFusion 55.2 asks it of the other side's column where the join's sides were exchanged: a right join whose left
/// side has to be absent had no rows.
fn rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let all = PhysicalOptimizer::new().rules;
    all.into_iter()
        .filter(|rule| !rule.name().starts_with("FilterPushdown"))
        .collect()
}

fn configured(limits: &Limits) -> SessionConfig {
    let mut options = ConfigOptions::new();
    options.catalog.information_schema = false;
    options.catalog.create_default_catalog_and_schema = false;
    options.execution.target_partitions = limits.threads.max(1);
    options.execution.parquet.pushdown_filters = false;
    options.execution.collect_statistics = false;
    // It fails plans whose columns only differ in whether they may be null.
    options.execution.skip_physical_aggregate_schema_check = true;
    let memory = usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX);
    let for_sorting = &mut options.execution.sort_spill_reservation_bytes;
    *for_sorting = (*for_sorting).min(memory / 16);
    options.sql_parser.dialect = datafusion::common::config::Dialect::PostgreSQL;
    options.sql_parser.map_string_types_to_utf8view = true;
    options.sql_parser.enable_options_value_normalization = false;
    options.optimizer.prefer_existing_sort = false;
    // With what is read for a join, an order or an aggregate nothing is filtered before it: see `rules`.
    options.optimizer.enable_dynamic_filter_pushdown = false;
    options.optimizer.enable_join_dynamic_filter_pushdown = false;
    options.optimizer.enable_topk_dynamic_filter_pushdown = false;
    options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    SessionConfig::from(options)
}
