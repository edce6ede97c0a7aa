//! A node that stands by: another one holds the catalog on servers, and this one takes over when that one ends, is killed
//! or freezes. It may be unsealed beforehand; then it opens itself the moment it takes over.
//!
//! Taking over is safe at any moment, for what counts is the holder in the catalog's head, which every batch reads: the
//! other node writes nothing from then on, and reads are grants first. How long this one waits is about not doing it
//! for nothing.

use crate::config::{CatalogServers, NodeConfig};
use crate::control::{self, Failure, Performs, Progress, Request};
use crate::joint::condition;
use crate::keeping::{Connected, watch};
use crate::node::RunError;
use crate::open::{OpenError, charter_of, headers};
use crate::papers;
use crate::root::files::custody_of;
use catalog::postgres::{Hold, Seen, Watch};
use charter::officers::{Joined, Joinings};
use charter::{Custody, OfficerShare, ShareFile, Unsealing};
use host::Host;
use serde_json::{Value, json};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use vault::HeldKeys;
use vault::record::site_header::SiteHeader;
use words::PartyName;

/// Between two looks at the catalog.
const LOOK: Duration = Duration::from_millis(250);
/// Between two looks at the papers.
const PAPERS: Duration = Duration::from_secs(2);
/// How long nobody must show that the catalog is in use: a node whose servers changed shows it again sooner.
const FREE_FOR: Duration = Duration::from_secs(3);
/// How long the catalog must not have moved although its servers answer: a node that lives moves it each second.
const STILL_FOR: Duration = Duration::from_secs(15);

/// What a node that stood by brings along when it takes over.
pub struct Ready {
    /// The catalog, which it holds.
    pub catalog: Connected,
    /// The sites' keys, if a quorum gave its shares meanwhile.
    pub keys: Option<HeldKeys>,
}

/// What follows from what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Wait,
    /// The last node has let go.
    Free,
    /// The node that holds it is taken for dead.
    Dead,
}

/// What was seen so far.
#[derive(Debug, Default)]
struct Patience {
    last: Option<Seen>,
    /// Since when nobody shows that the catalog is in use.
    free: Option<Duration>,
    /// Since when it has not moved.
    still: Option<Duration>,
}

impl Patience {
    /// One more look, or none that gave an answer: then what was seen before says nothing about now.
    fn see(&mut self, now: Duration, seen: Option<Seen>) -> Verdict {
        let Some(seen) = seen else {
            *self = Self::default();
            return Verdict::Wait;
        };
        let last = self.last.replace(seen);
        if last.is_none_or(|last| last.timeline != seen.timeline) {
            // A server that has just become primary shows what its node has not come back to yet.
            self.free = None;
            self.still = None;
        }
        if !seen.in_use && seen.holder.is_none() {
            return Verdict::Free;
        }
        if last.is_some_and(|last| (last.moved, last.holder) != (seen.moved, seen.holder)) {
            self.still = None;
        }
        let still = *self.still.get_or_insert(now);
        let free = match seen.in_use {
            true => {
                self.free = None;
                now
            }
            false => *self.free.get_or_insert(now),
        };
        let passed = |since: Duration, long| now.saturating_sub(since) >= long;
        match passed(free, FREE_FOR) || passed(still, STILL_FOR) {
            true => Verdict::Dead,
            false => Verdict::Wait,
        }
    }
}

/// Waits until this node holds the catalog; none if it was told to end before.
pub async fn wait(
    config: &NodeConfig,
    servers: &CatalogServers,
    host: &Host,
    mut shutdown: Pin<&mut (impl Future<Output = ()> + Send)>,
) -> Result<Option<Ready>, RunError> {
    let standby = Arc::new(Standby::new(config, host)?);
    let watch = watch(servers)?.of(standby.held.lock().await.header.cloud);
    let socket = config.layout.socket();
    let serving = tokio::spawn({
        let standby = Arc::clone(&standby);
        async move { control::serve(standby, &socket).await }
    });
    let mut serving = AbortOnDrop(serving);
    tracing::info!(node = config.node, "standing by");
    let taken = tokio::select! {
        () = &mut shutdown => None,
        () = standby.stop.notified() => None,
        ended = &mut serving.0 => {
            return Err(match ended {
                Ok(Err(error)) => RunError::Control(error),
                _ => RunError::Stopped("the control socket ended".into()),
            });
        }
        taken = standby.take(servers, &watch) => Some(taken?),
    };
    let Some(catalog) = taken else {
        return Ok(None);
    };
    let keys = standby.held.lock().await.keys.take();
    tracing::warn!(
        open = keys.is_some(),
        "this node has taken the catalog over"
    );
    Ok(Some(Ready { catalog, keys }))
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Standby {
    config: NodeConfig,
    host: Host,
    held: Mutex<Held>,
    joinings: Mutex<Joinings>,
    stop: Notify,
    /// What was seen last, for `status`.
    seen: std::sync::Mutex<Result<Seen, String>>,
}

/// The root in force as this node's papers say, the shares given for it, and what they opened.
struct Held {
    header: SiteHeader,
    custody: Custody,
    unsealing: Unsealing,
    keys: Option<HeldKeys>,
}

impl Held {
    fn read(config: &NodeConfig) -> Result<Self, OpenError> {
        let (_, header) = headers(&config.layout)?;
        let custody = custody_of(&config.layout, &header)?;
        let founding = charter_of(&config.layout, &header)?;
        // Amendments that this node has not heard of are asked for when it takes over.
        let law = crate::law::from_papers(config.layout.site(header.site), founding)?;
        let unsealing = Unsealing::new(custody.clone());
        Ok(Self {
            unsealing: match condition(&law) {
                Some(condition) => unsealing.requiring(condition),
                None => unsealing,
            },
            header,
            custody,
            keys: None,
        })
    }
}

impl Standby {
    fn new(config: &NodeConfig, host: &Host) -> Result<Self, OpenError> {
        Ok(Self {
            config: config.clone(),
            host: host.clone(),
            held: Mutex::new(Held::read(config)?),
            joinings: Mutex::default(),
            stop: Notify::new(),
            seen: std::sync::Mutex::new(Err("it was not looked at yet".to_owned())),
        })
    }

    /// Looks at the catalog until it can be taken, and takes it.
    async fn take(&self, servers: &CatalogServers, watch: &Watch) -> Result<Connected, OpenError> {
        let cloud = self.held.lock().await.header.cloud;
        let mut patience = Patience::default();
        let mut papers = None::<Duration>;
        loop {
            let seen = self.look(watch).await?;
            let now = self.host.elapsed();
            let place = match patience.see(now, seen) {
                Verdict::Wait => None,
                Verdict::Free => Some(Hold::Free),
                Verdict::Dead => Some(Hold::Taken),
            };
            if let Some(place) = place {
                match Connected::open(servers, cloud, place, &self.host).await {
                    Ok(catalog) => return Ok(catalog),
                    Err(error) => {
                        tracing::warn!(%error, "the catalog could not be taken over yet");
                        patience = Patience::default();
                    }
                }
            }
            if seen.is_some() && papers.is_none_or(|last| now.saturating_sub(last) >= PAPERS) {
                papers = Some(now);
                self.fetch(watch).await;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// One look. Servers that do not answer are waited for; another cloud's are not.
    async fn look(&self, watch: &Watch) -> Result<Option<Seen>, OpenError> {
        use catalog::postgres::OpenError as E;
        let looked = watch.look().await;
        if let Ok(mut place) = self.seen.lock() {
            *place = looked
                .as_ref()
                .map(|seen| *seen)
                .map_err(ToString::to_string);
        }
        match looked {
            Ok(seen) => Ok(Some(seen)),
            Err(error @ (E::Foreign { .. } | E::Format(..) | E::Plain(_) | E::Name(_))) => {
                Err(OpenError::Servers(error))
            }
            Err(error) => {
                tracing::debug!(%error, "the catalog's servers do not answer the node that stands by");
                Ok(None)
            }
        }
    }

    /// Brings this node's papers up to date. Keys of a root that is no longer in force are wiped.
    async fn fetch(&self, watch: &Watch) {
        let fetched = async {
            let rows = watch.rows(&papers::range()).await;
            let found = papers::found(rows.map_err(|e| e.to_string())?);
            let found = found.map_err(|e| e.to_string())?;
            papers::write(&self.config.layout, &found).map_err(|e| e.to_string())
        };
        match fetched.await {
            // Where both nodes reach the same folders the other one may have changed them.
            Ok(_) => self.read_again().await,
            Err(why) => tracing::warn!(why, "the papers could not be brought up to date"),
        }
    }

    async fn read_again(&self) {
        let mut held = self.held.lock().await;
        match Held::read(&self.config) {
            Ok(mut now) => {
                if now.custody == held.custody {
                    std::mem::swap(&mut now.unsealing, &mut held.unsealing);
                }
                now.keys = held.keys.take().filter(|keys| keys.fit(&now.header));
                *held = now;
            }
            Err(error) => tracing::warn!(%error, "the papers that were fetched cannot be used"),
        }
    }

    async fn take_share(&self, text: &[u8]) -> Result<Value, Failure> {
        let mut held = self.held.lock().await;
        if held.keys.is_some() {
            return Ok(json!({ "sealed": false, "state": "standby" }));
        }
        let share = match OfficerShare::looks_like(text) {
            false => ShareFile::parse(text).map_err(|e| Failure::new("usage", e))?,
            true => match self.take_part(&held, text).await? {
                Ok(share) => share,
                Err(waiting) => return Ok(waiting),
            },
        };
        let mut parties: Vec<PartyName> = held.unsealing.given().cloned().collect();
        parties.push(share.party().clone());
        let named: Vec<String> = parties.iter().map(ToString::to_string).collect();
        match held.unsealing.add(share) {
            Err(error) => {
                tracing::warn!(%error, "a share was refused");
                Err(Failure::new("denied", error))
            }
            Ok(charter::Progress::Waiting { have, need, lacks }) => Ok(json!({
                "sealed": true,
                "shares_given": have,
                "shares_needed": need,
                "parties": named,
                "lacks": lacks.map(|c| c.to_string()),
            })),
            Ok(charter::Progress::Complete(root)) => {
                let header = held.header.clone();
                let root = crate::outer::complete(&self.config, &self.host, &header, root)
                    .await
                    .map_err(|e| Failure::new("denied", e))?;
                let keys = HeldKeys::open(root, &header, &parties)?;
                held.keys = Some(keys);
                held.unsealing.forget();
                tracing::info!(parties = ?named, "the node that stands by can open itself when it takes over");
                Ok(json!({ "sealed": false, "state": "standby", "parties": named }))
            }
        }
    }

    /// One officer's part: the share when enough of them are there, or what to answer.
    async fn take_part(
        &self,
        held: &Held,
        text: &[u8],
    ) -> Result<Result<ShareFile, Value>, Failure> {
        let denied = |e: &dyn ToString| Failure::new("denied", e.to_string());
        let part = OfficerShare::parse(text).map_err(|e| Failure::new("usage", e))?;
        held.unsealing.expects(&part).map_err(|e| denied(&e))?;
        let party = part.split().party.to_string();
        let joined = self.joinings.lock().await.add(part);
        match joined.map_err(|e| denied(&e))? {
            Joined::Complete(share) => Ok(Ok(*share)),
            Joined::Waiting { have, need } => Ok(Err(json!({
                "sealed": true,
                "shares_given": held.unsealing.have(),
                "shares_needed": held.unsealing.need(),
                "party": party,
                "officers_given": have,
                "officers_needed": need,
            }))),
        }
    }

    async fn status(&self) -> Value {
        let held = self.held.lock().await;
        let seen = match self.seen.lock() {
            Ok(seen) => seen.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        };
        let catalog = match seen {
            Ok(seen) => json!({
                "engine": "postgres",
                "timeline": seen.timeline,
                "in_use": seen.in_use,
                "batches": seen.moved.0,
            }),
            Err(why) => json!({ "engine": "postgres", "why": why }),
        };
        json!({
            "state": "standby",
            "cloud": held.header.cloud.to_string(),
            "node": self.config.node,
            "region": self.config.region,
            "sealed": held.keys.is_none(),
            "shares_given": held.unsealing.have(),
            "shares_needed": held.unsealing.need(),
            "catalog": catalog,
        })
    }
}

impl Performs for Standby {
    async fn perform(self: &Arc<Self>, request: Request, _: Progress) -> Result<Value, Failure> {
        match request {
            Request::Status => Ok(self.status().await),
            Request::Unseal { share } => self.take_share(share.as_bytes()).await,
            Request::Seal => {
                let mut held = self.held.lock().await;
                held.keys = None;
                held.unsealing.forget();
                Ok(json!({ "sealed": true, "state": "standby" }))
            }
            Request::Stop => {
                self.stop.notify_one();
                Ok(json!({ "stopping": true }))
            }
            _ => Err(Failure::new(
                "unavailable",
                "this node stands by; nothing was done. Ask the node that holds the catalog, or wait until this one has taken over",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(moved: i64, in_use: bool) -> Seen {
        Seen {
            holder: Some([1; 16]),
            moved: (moved, 0),
            in_use,
            timeline: 1,
        }
    }

    /// What is said at the end of so many seconds of looks, four each second.
    fn after(seconds: f64, looks: impl Fn(u32) -> Option<Seen>) -> Verdict {
        let mut patience = Patience::default();
        let mut said = Verdict::Wait;
        for look in 0..=(seconds * 4.0) as u32 {
            said = patience.see(LOOK * look, looks(look));
            if said != Verdict::Wait {
                return said;
            }
        }
        said
    }

    #[test]
    fn a_node_that_lives_is_left_alone() {
        let lives = |look: u32| Some(seen(i64::from(look / 4), true));
        assert_eq!(after(3600.0, lives), Verdict::Wait);
        // It changes its connection now and then, and its servers do not answer for a while.
        let restless = |look: u32| match look % 40 {
            0..8 => Some(seen(i64::from(look), false)),
            8..12 => None,
            _ => Some(seen(i64::from(look), true)),
        };
        assert_eq!(after(3600.0, restless), Verdict::Wait);
        // Servers that change each ten seconds leave no time to conclude anything.
        let falls = |look: u32| {
            Some(Seen {
                timeline: look / 40,
                ..seen(0, true)
            })
        };
        assert_eq!(after(3600.0, falls), Verdict::Wait);
    }

    #[test]
    fn a_node_that_ended_is_stood_in_for_at_once() {
        let free = Seen {
            holder: None,
            ..seen(7, false)
        };
        assert_eq!(Patience::default().see(LOOK, Some(free)), Verdict::Free);
        // Another one has taken its place already and has not written itself into the head yet.
        let taken = Seen {
            in_use: true,
            ..free
        };
        assert_eq!(Patience::default().see(LOOK, Some(taken)), Verdict::Wait);
    }

    #[test]
    fn a_killed_node_is_stood_in_for_soon_and_a_frozen_one_later() {
        let killed = |_| Some(seen(7, false));
        assert_eq!(after(2.5, killed), Verdict::Wait);
        assert_eq!(after(3.5, killed), Verdict::Dead);
        let frozen = |_| Some(seen(7, true));
        assert_eq!(after(14.5, frozen), Verdict::Wait);
        assert_eq!(after(15.5, frozen), Verdict::Dead);
        // While nobody answers nothing is known.
        let unknown = |look: u32| (look % 56 != 55).then(|| seen(7, true));
        assert_eq!(after(600.0, unknown), Verdict::Wait);
    }
}
