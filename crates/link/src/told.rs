//! The door's side of what the node says about itself and hears from the door.

use crate::far::Far;
use crate::lane::Kind;
use crate::say::{Report, State};
use async_trait::async_trait;
use gate::{Ops, Readiness, Seen};
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// How often the door tells what it has seen.
const REPORT_EVERY: Duration = Duration::from_millis(500);
/// Finished requests that wait to be told; more are not counted.
const SEEN_MAX: usize = 100_000;
/// How long to wait before the vault's state is asked for again after a lane broke.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// What the door knows of the node, and tells it.
pub struct FarOps {
    far: Far,
    state: RwLock<Readiness>,
    report: Mutex<Report>,
    tls: Option<gate::Tls>,
}

impl FarOps {
    /// Of a door with or without TLS.
    #[must_use]
    pub fn new(far: &Far, tls: Option<gate::Tls>) -> Arc<Self> {
        Arc::new(Self {
            far: far.clone(),
            state: RwLock::new(Readiness::NotReady("the vault has not said so yet".into())),
            report: Mutex::new(Report::default()),
            tls,
        })
    }

    /// Follows the node's state and reports, for as long as it is polled.
    pub async fn run(&self) {
        tokio::join!(self.follow(), self.tell());
    }

    async fn follow(&self) {
        loop {
            let error = match self.watch().await {
                Ok(()) => "it has closed the lane".to_owned(),
                Err(error) => error.to_string(),
            };
            self.set(Readiness::NotReady(format!(
                "the vault's process cannot be reached: {error}"
            )));
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    fn set(&self, state: Readiness) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    async fn watch(&self) -> io::Result<()> {
        let mut lane = self.far.0.new_lane()?;
        lane.sign(Kind::Watch);
        lane.flush().await?;
        while let Some(frame) = lane.hear().await? {
            self.set(frame.read::<State>()?.into());
        }
        Ok(())
    }

    async fn tell(&self) {
        loop {
            tokio::time::sleep(REPORT_EVERY).await;
            self.tell_now().await;
        }
    }

    /// Tells what was seen since the last time.
    pub async fn tell_now(&self) {
        let mut report = {
            let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *report)
        };
        report.handshakes = self
            .tls
            .as_ref()
            .map(|tls| tls.server().handshakes().totals());
        if report.seen.is_empty() && report.handshakes.is_none() {
            return;
        }
        if let Err(error) = self.far.0.report(&report).await {
            tracing::debug!(%error, "the vault was not told what the door has seen");
        }
    }
}

#[async_trait]
impl Ops for FarOps {
    fn readiness(&self) -> Readiness {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn ready_now(&self) -> Readiness {
        match self.far.0.state().await {
            Ok(state) => {
                let state = Readiness::from(state);
                self.set(state.clone());
                state
            }
            Err(_) => self.readiness(),
        }
    }

    async fn metrics(&self) -> String {
        self.tell_now().await;
        let mut text = match self.far.0.metrics().await {
            Ok(text) => text,
            Err(error) => format!("# the vault's process cannot be reached: {error}\n"),
        };
        if let Some(tls) = &self.tls {
            tls.write_metrics(&mut text);
        }
        text
    }

    fn seen(&self, request: Seen) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        if report.seen.len() < SEEN_MAX {
            report
                .seen
                .push((request.verb.to_owned(), request.status, request.took));
        }
    }
}
