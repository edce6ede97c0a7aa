//! Writes one chunk to both sites.

use crate::error::MirrorError;
use crate::health::{Signal, Writing};
use crate::lane::{Lane, Miss, Order, deadline};
use crate::mirror::{CHUNK_SEALED_BYTES_MAX, Shared, SitePolicy};
use crate::mirrored::{BothProof, Debt, Mirrored};
use crate::standing::Stance;
use chunks::ChunkRef;
use seal::Sealed;
use std::sync::Arc;
use words::{ChunkId, SiteId};

/// A chunk on its way to both sites. Dropping it gives the chunk up and removes what was written.
pub struct MirrorWriter {
    shared: Arc<Shared>,
    id: ChunkId,
    policy: SitePolicy,
    /// Site A's first.
    sides: [Side; 2],
    hasher: blake3::Hasher,
    bytes: u64,
}

enum Side {
    Writing(Lane),
    Missed(Miss),
}

impl MirrorWriter {
    pub(crate) fn begin(shared: &Arc<Shared>, policy: SitePolicy) -> Result<Self, MirrorError> {
        let id = ChunkId::from_bytes(shared.host.random());
        let now = shared.host.elapsed();
        if policy == SitePolicy::Strict {
            for site in SiteId::BOTH {
                strict_allows(shared, site)?;
            }
        }
        let sides = SiteId::BOTH.map(|site| {
            if shared.stance(site) == Stance::Away {
                return Side::Missed(Miss {
                    signal: None,
                    why: "it is recorded as away".into(),
                });
            }
            let mut health = shared.health(site);
            if health.may_write(now) {
                drop(health);
                return Side::Writing(Lane::begin(shared, site, id));
            }
            Side::Missed(skipped(health.writing()))
        });
        let writer = Self {
            shared: Arc::clone(shared),
            id,
            policy,
            sides,
            hasher: blake3::Hasher::new(),
            bytes: 0,
        };
        match &writer.sides {
            [Side::Missed(a), Side::Missed(b)] => Err(writer.nowhere(a, b)),
            [Side::Missed(miss), _] if policy == SitePolicy::Strict => Err(away(SiteId::A, miss)),
            [_, Side::Missed(miss)] if policy == SitePolicy::Strict => Err(away(SiteId::B, miss)),
            _ => Ok(writer),
        }
    }

    /// The chunk's name.
    #[must_use]
    pub const fn id(&self) -> ChunkId {
        self.id
    }

    /// Adds sealed bytes at the end. Returns once they are queued at every site that still takes part; an
    /// error means that the chunk cannot be acknowledged any more.
    pub async fn append(&mut self, piece: Sealed) -> Result<(), MirrorError> {
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        if self.bytes > CHUNK_SEALED_BYTES_MAX {
            return Err(MirrorError::TooLong {
                max: CHUNK_SEALED_BYTES_MAX,
            });
        }
        self.hasher.update(piece.as_bytes());
        if let Some(counted) = self.shared.count_bytes(piece.len()).await {
            let [a, b] = &self.sides;
            let to_a = hand_on(a, Order::Append(piece.clone(), Arc::clone(&counted)));
            let to_b = hand_on(b, Order::Append(piece, counted));
            let taken = tokio::join!(to_a, to_b);
            self.collect_ended(taken.into()).await;
        }
        self.still_possible()
    }

    /// Makes the chunk durable and tells where. With one site only, that site's fellow is recorded as
    /// behind first if it is lost.
    pub async fn finish(mut self) -> Result<(ChunkRef, Mirrored), MirrorError> {
        let outcome = self.finish_both().await;
        let counts = &self.shared.counts;
        match &outcome {
            Ok((_, Mirrored::BothSites(_))) => counts.chunks_both.add(1),
            Ok((_, Mirrored::OneSite { .. })) => counts.chunks_one_site.add(1),
            Err(_) => counts.chunks_refused.add(1),
        }
        outcome
    }

    /// Gives the chunk up and waits until what was written is removed.
    pub async fn abandon(self) {
        let [a, b] = self.sides;
        let _both_ended = tokio::join!(end(a), end(b));
    }

    async fn finish_both(&mut self) -> Result<(ChunkRef, Mirrored), MirrorError> {
        let [a, b] = &self.sides;
        tokio::join!(hand_on(a, Order::Finish), hand_on(b, Order::Finish));
        let nothing = || {
            Side::Missed(Miss {
                signal: None,
                why: "it was given up".into(),
            })
        };
        let [a, b] = std::mem::replace(&mut self.sides, [nothing(), nothing()]);
        let chunk = ChunkRef {
            id: self.id,
            bytes: u32::try_from(self.bytes).unwrap_or(u32::MAX),
            blake3: self.hasher.finalize().into(),
        };
        match tokio::join!(end(a), end(b)) {
            (Ok(()), Ok(())) => self.both(chunk).await,
            (Ok(()), Err(miss)) => self.one(chunk, SiteId::B, miss).await,
            (Err(miss), Ok(())) => self.one(chunk, SiteId::A, miss).await,
            (Err(a), Err(b)) => Err(self.nowhere(&a, &b)),
        }
    }

    async fn both(&self, chunk: ChunkRef) -> Result<(ChunkRef, Mirrored), MirrorError> {
        if self.policy == SitePolicy::Strict {
            for site in SiteId::BOTH {
                if let Err(refused) = strict_allows(&self.shared, site) {
                    self.remove_everywhere().await;
                    return Err(refused);
                }
            }
        }
        Ok((chunk, Mirrored::BothSites(BothProof::mint())))
    }

    /// `lacking` does not have the chunk, the other site does.
    async fn one(
        &self,
        chunk: ChunkRef,
        lacking: SiteId,
        miss: Miss,
    ) -> Result<(ChunkRef, Mirrored), MirrorError> {
        if let Err(refused) = self.may_go_on_without(lacking, miss).await {
            self.remove_everywhere().await;
            return Err(refused);
        }
        let debt = Debt::new(lacking, chunk, self.shared.host.now());
        Ok((chunk, Mirrored::OneSite { debt }))
    }

    async fn may_go_on_without(&self, lacking: SiteId, miss: Miss) -> Result<(), MirrorError> {
        // A site that is behind cannot be the only one to have what is acknowledged.
        let carried = self.shared.stance(lacking.other()) == Stance::Serving;
        if self.policy == SitePolicy::Strict || !carried {
            return Err(away(lacking, &miss));
        }
        if self.shared.stance(lacking) != Stance::Serving {
            return Ok(());
        }
        let writing = self.shared.health(lacking).writing().clone();
        if let Writing::Lost(why) = writing {
            // The site may be tried again later; until then nothing is acknowledged behind its back.
            self.shared
                .declare_lost(lacking, &why)
                .await
                .map_err(|refused| away(lacking, &refused))?;
        }
        Ok(())
    }

    /// Nothing refers to the chunk, so what a site has of it can go. What cannot be removed is swept.
    async fn remove_everywhere(&self) {
        for site in SiteId::BOTH {
            if self.shared.stance(site) != Stance::Away {
                let _ = deadline("removing a chunk", self.shared.store(site).delete(self.id)).await;
            }
        }
    }

    /// Turns lanes that have ended into what they ended with.
    async fn collect_ended(&mut self, alive: [bool; 2]) {
        for (side, alive) in self.sides.iter_mut().zip(alive) {
            if alive {
                continue;
            }
            let ended = Miss {
                signal: None,
                why: "its task was stopped".into(),
            };
            if let Side::Writing(lane) = std::mem::replace(side, Side::Missed(ended))
                && let Err(miss) = lane.end().await
            {
                *side = Side::Missed(miss);
            }
        }
    }

    fn still_possible(&self) -> Result<(), MirrorError> {
        match &self.sides {
            [Side::Missed(a), Side::Missed(b)] => Err(self.nowhere(a, b)),
            [Side::Missed(miss), _] if self.policy == SitePolicy::Strict => {
                Err(away(SiteId::A, miss))
            }
            [_, Side::Missed(miss)] if self.policy == SitePolicy::Strict => {
                Err(away(SiteId::B, miss))
            }
            _ => Ok(()),
        }
    }

    fn nowhere(&self, a: &Miss, b: &Miss) -> MirrorError {
        let full = [a, b]
            .into_iter()
            .any(|miss| miss.signal == Some(Signal::CannotWrite));
        let (a, b) = (a.why.clone(), b.why.clone());
        if full {
            MirrorError::NoSpace { a, b }
        } else {
            MirrorError::NoSite { a, b }
        }
    }
}

async fn hand_on(side: &Side, order: Order) -> bool {
    match side {
        Side::Writing(lane) => lane.send(order).await,
        // Known already; nothing new has ended.
        Side::Missed(_) => true,
    }
}

async fn end(side: Side) -> Result<(), Miss> {
    match side {
        Side::Writing(lane) => lane.end().await,
        Side::Missed(miss) => Err(miss),
    }
}

fn strict_allows(shared: &Shared, site: SiteId) -> Result<(), MirrorError> {
    match shared.stance(site) {
        Stance::Serving => Ok(()),
        Stance::Healing => Err(MirrorError::SiteAway {
            site,
            why: "it is being healed".into(),
        }),
        Stance::Away => Err(MirrorError::SiteAway {
            site,
            why: "it is recorded as away".into(),
        }),
    }
}

/// Why a site is not even tried.
fn skipped(writing: &Writing) -> Miss {
    match writing {
        Writing::CannotWrite(why) => Miss {
            signal: Some(Signal::CannotWrite),
            why: why.clone(),
        },
        Writing::Lost(why) => Miss {
            signal: None,
            why: why.clone(),
        },
        Writing::Well | Writing::Suspect => Miss {
            signal: None,
            why: "it failed a moment ago".into(),
        },
    }
}

fn away(site: SiteId, miss: &Miss) -> MirrorError {
    MirrorError::SiteAway {
        site,
        why: miss.why.clone(),
    }
}
