//! Long histories of writes, reads, faults, damage, losses and healing from one seed, against a model of
//! what was acknowledged. The same seed gives the same bytes at both sites.

use crate::support::{Cloud, noise};
use chunks::{Behaviour, ChunkRef, Step};
use mirror::{CheckResult, MirrorError, Mirrored, Pace, SitePolicy, Stance};
use std::collections::BTreeMap;
use std::time::Duration;
use words::SiteId;

/// Random numbers from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.roll(from.len() as u64)).unwrap()]
    }
    fn site(&mut self) -> SiteId {
        self.pick(&SiteId::BOTH)
    }
}

struct Acknowledged {
    seed: u64,
    length: usize,
    /// Copies that were damaged or lost from outside since.
    harmed: [bool; 2],
}

struct History {
    cloud: Cloud,
    dice: Dice,
    model: BTreeMap<ChunkRef, Acknowledged>,
    next: u64,
    trace: blake3::Hasher,
}

impl History {
    async fn run(seed: u64, steps: usize) -> blake3::Hash {
        let mut history = Self {
            cloud: Cloud::new(seed),
            dice: Dice(seed),
            model: BTreeMap::new(),
            next: seed << 32,
            trace: blake3::Hasher::new(),
        };
        for _ in 0..steps {
            match history.dice.roll(100) {
                0..40 => history.write().await,
                40..70 => history.read().await,
                70..78 => history.fault(),
                78..84 => history.harm(),
                84..90 => history.come_back().await,
                90..93 => history.delete().await,
                93..96 => drop(history.cloud.mirror.repair_waiting().await),
                _ => tokio::time::sleep(Duration::from_millis(history.dice.roll(8000))).await,
            }
        }
        history.end().await
    }

    async fn write(&mut self) {
        self.next += 1;
        let (seed, length) = (
            self.next,
            1 + usize::try_from(self.dice.roll(60_000)).unwrap(),
        );
        let policy = self.dice.pick(&[
            SitePolicy::Strict,
            SitePolicy::Available,
            SitePolicy::Available,
        ]);
        let pieces = 1 + usize::try_from(self.dice.roll(5)).unwrap();
        match self.cloud.write(policy, &noise(seed, length), pieces).await {
            Ok((chunk, mirrored)) => {
                match mirrored {
                    Mirrored::BothSites(_) => assert!(
                        SiteId::BOTH
                            .into_iter()
                            .all(|site| self.cloud.has(site, &chunk))
                    ),
                    Mirrored::OneSite { debt } => {
                        assert_eq!(policy, SitePolicy::Available, "strict means both");
                        assert!(
                            self.cloud.has(debt.site().other(), &chunk),
                            "acknowledged means durable somewhere"
                        );
                        self.cloud.commit(debt.mutations()).await;
                    }
                }
                self.trace.update(chunk.id.as_bytes());
                self.model.insert(
                    chunk,
                    Acknowledged {
                        seed,
                        length,
                        harmed: [false; 2],
                    },
                );
            }
            Err(error) => {
                self.trace.update(error.to_string().as_bytes());
            }
        }
    }

    async fn read(&mut self) {
        let Some(chunk) = self.any_chunk() else {
            return;
        };
        let expected = noise(self.model[&chunk].seed, self.model[&chunk].length);
        let near = self.dice.site();
        self.cloud.mirror.prefer(near);
        let mut sites = SiteId::BOTH.into_iter();
        let faulty = sites.any(|site| self.cloud.store(site).faults().any());
        match self.cloud.mirror.read_from(&chunk, 0, expected.len()).await {
            Ok((bytes, _)) if bytes == expected => {}
            Ok((bytes, from)) => {
                // Only what was harmed from outside, and the caller's AEAD notices.
                assert!(
                    self.model[&chunk].harmed[from.index()],
                    "wrong bytes from a copy that nobody harmed"
                );
                drop(bytes);
                if let Ok(other) = self
                    .cloud
                    .mirror
                    .reread_other(&chunk, 0, expected.len(), from)
                    .await
                {
                    assert!(other == expected || self.model[&chunk].harmed[from.other().index()]);
                }
            }
            Err(MirrorError::Lost { .. }) => assert!(
                self.model[&chunk].harmed.contains(&true),
                "lost without harm"
            ),
            Err(error) => {
                assert!(
                    faulty,
                    "without a fault every acknowledged chunk can be read: {error}"
                );
            }
        }
    }

    fn fault(&mut self) {
        // One site at a time, as two sites are there for.
        let site = self.dice.site();
        self.cloud.store(site.other()).faults().clear();
        let faults = self.cloud.store(site).faults();
        faults.clear();
        let mut all = Behaviour::ERRORS.to_vec();
        all.push(Behaviour::Hang);
        let behaviour = self.dice.pick(&all);
        match self.dice.roll(4) {
            0 => faults.everywhere(behaviour),
            1 => faults.always(self.dice.pick(&Step::ALL), behaviour),
            2 => {
                let skip = u32::try_from(self.dice.roll(4)).unwrap();
                faults.times(self.dice.pick(&Step::ALL), behaviour, skip, 2);
            }
            _ => {}
        }
    }

    /// Damages or loses one copy of a chunk whose other copy is whole.
    fn harm(&mut self) {
        let Some(chunk) = self.any_chunk() else {
            return;
        };
        let site = self.dice.site();
        if !self.cloud.has(site.other(), &chunk) {
            return;
        }
        let store = self.cloud.store(site);
        match self.dice.roll(3) {
            0 => store.lose(chunk.id),
            1 => store.cut(
                chunk.id,
                usize::try_from(self.dice.roll(u64::from(chunk.bytes))).unwrap(),
            ),
            _ => {
                store.flip(
                    chunk.id,
                    usize::try_from(self.dice.roll(u64::from(chunk.bytes))).unwrap(),
                    1,
                );
            }
        }
        self.model.get_mut(&chunk).unwrap().harmed[site.index()] = true;
    }

    /// Faults end; a site that was lost is healed and readmitted, as the site assembly does.
    async fn come_back(&mut self) {
        for site in SiteId::BOTH {
            self.cloud.store(site).faults().clear();
        }
        for site in SiteId::BOTH {
            if self.cloud.mirror.probe(site).await.is_err() {
                continue;
            }
            let stance = mirror::Standing::stance(&*self.cloud.table, site);
            if stance == Stance::Away {
                self.cloud.table.set(site, Stance::Healing);
            }
            let report = mirror::heal(
                &*self.cloud.engine,
                &self.cloud.mirror,
                site,
                Pace::default(),
                &mut |_| {},
            )
            .await
            .unwrap();
            self.trace.update(&report.healed.to_be_bytes());
            self.cloud.table.set(site, Stance::Serving);
        }
    }

    async fn delete(&mut self) {
        let Some(chunk) = self.any_chunk() else {
            return;
        };
        // The store takes the rows away with the object, and the bytes afterwards.
        let keys = SiteId::BOTH.map(|site| mirror::debt_key(site, chunk.id));
        self.cloud
            .commit(
                keys.into_iter()
                    .map(|key| catalog::Mutation::Delete { key })
                    .collect(),
            )
            .await;
        let _ = self.cloud.mirror.delete(chunk.id).await;
        self.model.remove(&chunk);
    }

    fn any_chunk(&mut self) -> Option<ChunkRef> {
        let n = self.dice.roll(self.model.len().max(1) as u64);
        self.model.keys().nth(usize::try_from(n).unwrap()).copied()
    }

    /// All well again: after healing, repair and a scrub each site alone has every acknowledged chunk.
    async fn end(mut self) -> blake3::Hash {
        self.come_back().await;
        self.cloud.mirror.repair_waiting().await;
        let chunks: Vec<ChunkRef> = self.model.keys().copied().collect();
        let stream = futures::stream::iter(chunks.iter().map(|chunk| Ok::<_, String>(*chunk)));
        let report = mirror::scrub(
            &self.cloud.mirror,
            &SiteId::BOTH,
            stream,
            Pace::default(),
            &mut |_| {},
        )
        .await
        .unwrap();
        assert_eq!(
            (report.unrepairable, report.unreachable),
            (0, 0),
            "{report:?}"
        );
        for site in SiteId::BOTH {
            assert_eq!(self.cloud.debts(site).await, 0);
            for chunk in &chunks {
                assert_eq!(
                    self.cloud.mirror.check(site, chunk).await,
                    CheckResult::Whole
                );
            }
            for (id, bytes) in self.cloud.store(site).contents() {
                self.trace.update(id.as_bytes());
                self.trace.update(&bytes);
            }
        }
        self.trace.finalize()
    }
}

fn run(seed: u64) -> blake3::Hash {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(History::run(seed, 400))
}

#[test]
fn acknowledged_is_readable_whatever_happens_to_one_site() {
    let seeds = std::env::var("MIRROR_SEEDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(40);
    for seed in 0..seeds {
        println!("seed {seed}");
        run(seed);
    }
}

#[test]
fn one_seed_one_history() {
    for seed in [3, 77] {
        assert_eq!(run(seed), run(seed));
    }
}
