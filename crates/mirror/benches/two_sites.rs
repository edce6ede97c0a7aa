//! How fast chunks become durable in two folders, beside what the disk takes for two plain files: writes of
//! 16 MiB in chunks, of 64 KiB, and reads. Prints one line per case.
//!
//! `cargo bench -p mirror -- [folder]`

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use async_trait::async_trait;
use bytes::Bytes;
use chunks::{ChunkRef, ChunkStore, Dir};
use epoch::Trouble;
use host::Host;
use mirror::{LossRefused, Mirror, SiteLoss, SitePolicy, Stance, Standing};
use seal::Sealed;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use words::SiteId;

const PIECE: usize = 64 * 16_400;
const PIECES_PER_CHUNK: usize = 8;
const OBJECT_CHUNKS: usize = 2;

struct Calm;

impl Standing for Calm {
    fn stance(&self, _: SiteId) -> Stance {
        Stance::Serving
    }
    fn note(&self, site: SiteId, trouble: Trouble) {
        println!("{site}: {}", trouble.what);
    }
}

#[async_trait]
impl SiteLoss for Calm {
    async fn lost(&self, _: SiteId, why: String) -> Result<(), LossRefused> {
        Err(LossRefused(why))
    }
}

fn sealed(length: usize) -> Sealed {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    let hash = blake3::hash(&bytes);
    Sealed::reverified(Bytes::from(bytes), hash.as_bytes()).unwrap()
}

async fn put(mirror: &Mirror, piece: &Sealed, pieces: usize) -> ChunkRef {
    let mut writer = mirror.begin(SitePolicy::Strict).await.unwrap();
    for _ in 0..pieces {
        writer.append(piece.clone()).await.unwrap();
    }
    writer.finish().await.unwrap().0
}

/// Runs `tasks` at once until `count` have been done; gives how long it took and each one's time, sorted.
async fn load<F: Future<Output = ()> + Send + 'static>(
    host: &Host,
    tasks: usize,
    count: usize,
    make: impl Fn(usize) -> F,
) -> (Duration, Vec<Duration>) {
    let began = host.elapsed();
    let mut set = tokio::task::JoinSet::new();
    let mut times = Vec::new();
    for n in 0..count {
        if set.len() >= tasks {
            times.push(set.join_next().await.unwrap().unwrap());
        }
        let (work, host) = (make(n), host.clone());
        set.spawn(async move {
            let began = host.elapsed();
            work.await;
            host.elapsed() - began
        });
    }
    while let Some(done) = set.join_next().await {
        times.push(done.unwrap());
    }
    times.sort_unstable();
    (host.elapsed() - began, times)
}

fn print(case: &str, bytes: u64, count: usize, took: Duration, times: &[Duration]) {
    let seconds = took.as_secs_f64();
    let at = |share: usize| {
        times
            .get(times.len() * share / 100)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{case:<44} {:>7.3} GB/s {:>9.0} /s   p50 {:>9.3?}  p99 {:>9.3?}",
        bytes as f64 / seconds / 1e9,
        count as f64 / seconds,
        at(50),
        at(99)
    );
}

/// What `dd bs=1M conv=fsync` does, to two files at once, 16 MiB each time.
fn plain(host: &Host, folder: &Path, objects: usize, at_once: usize) {
    let piece = vec![7; PIECE];
    let began = host.elapsed();
    let write = |site: usize, lane: usize| {
        for n in 0..objects / at_once {
            let path = folder.join(format!("plain-{site}-{lane}-{n}"));
            let mut file = std::fs::File::create(&path).unwrap();
            for _ in 0..PIECES_PER_CHUNK * OBJECT_CHUNKS {
                file.write_all(&piece).unwrap();
            }
            file.sync_all().unwrap();
        }
    };
    std::thread::scope(|scope| {
        for lane in 0..at_once {
            for site in 0..2 {
                scope.spawn(move || write(site, lane));
            }
        }
    });
    let took = host.elapsed() - began;
    let bytes = (objects * OBJECT_CHUNKS * PIECES_PER_CHUNK * PIECE) as u64;
    print(
        &format!("plain files with fsync, {at_once} at once"),
        bytes,
        objects,
        took,
        &[],
    );
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("plain-") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
}

async fn objects(host: &Host, mirror: &Arc<Mirror>, count: usize, at_once: usize) -> Vec<ChunkRef> {
    let piece = sealed(PIECE);
    let made = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (took, times) = load(host, at_once, count, |_| {
        let (mirror, piece, made) = (Arc::clone(mirror), piece.clone(), Arc::clone(&made));
        async move {
            // As the store does: the next chunk is begun while the last one is made durable.
            let chunks = futures::future::join_all((0..OBJECT_CHUNKS).map(|_| {
                let (mirror, piece) = (Arc::clone(&mirror), piece.clone());
                async move { put(&mirror, &piece, PIECES_PER_CHUNK).await }
            }))
            .await;
            made.lock().unwrap().extend(chunks);
        }
    })
    .await;
    let bytes = (count * OBJECT_CHUNKS * PIECES_PER_CHUNK * PIECE) as u64;
    print(
        &format!("mirror, 16 MiB objects, {at_once} at once"),
        bytes,
        count,
        took,
        &times,
    );
    let made = made.lock().unwrap();
    made.clone()
}

async fn small(host: &Host, mirror: &Arc<Mirror>, count: usize, at_once: usize) {
    let piece = sealed(65_656);
    let (took, times) = load(host, at_once, count, |_| {
        let (mirror, piece) = (Arc::clone(mirror), piece.clone());
        async move {
            put(&mirror, &piece, 1).await;
        }
    })
    .await;
    print(
        &format!("mirror, 64 KiB objects, {at_once} at once"),
        (count * piece.len()) as u64,
        count,
        took,
        &times,
    );
}

async fn reads(
    host: &Host,
    mirror: &Arc<Mirror>,
    chunks: &[ChunkRef],
    length: usize,
    at_once: usize,
) {
    let count = chunks.len() * (8 * 1024 * 1024 / length).min(8);
    let (took, times) = load(host, at_once, count, |n| {
        let (mirror, chunk) = (Arc::clone(mirror), chunks[n % chunks.len()]);
        let steps = chunk.bytes as usize / length;
        async move {
            let offset = (n % steps * length) as u64;
            assert_eq!(
                mirror.read(&chunk, offset, length).await.unwrap().len(),
                length
            );
        }
    })
    .await;
    print(
        &format!("reads of {length} bytes, {at_once} at once"),
        (count * length) as u64,
        count,
        took,
        &times,
    );
}

fn main() {
    let folder = std::env::args()
        .nth(1)
        .filter(|arg| !arg.starts_with('-'))
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let guard = tempfile::tempdir_in(folder).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let host = Host::real();
        let stores: [Arc<dyn ChunkStore>; 2] = ["site-a", "site-b"].map(|site| {
            Arc::new(Dir::found(&guard.path().join(site)).unwrap()) as Arc<dyn ChunkStore>
        });
        let mirror = Mirror::new(stores, Arc::new(Calm), Arc::new(Calm), host.clone());
        for round in 1..=3 {
            println!("round {round} (bytes are counted once; the disk takes them twice)");
            for at_once in [1, 16] {
                tokio::task::block_in_place(|| plain(&host, guard.path(), 48, at_once));
                let chunks = objects(&host, &mirror, 48, at_once).await;
                reads(&host, &mirror, &chunks, 16_400, at_once).await;
                reads(&host, &mirror, &chunks, PIECE, at_once).await;
                for chunk in chunks {
                    mirror.delete(chunk.id).await.unwrap();
                }
                small(&host, &mirror, 400 * at_once, at_once).await;
            }
        }
    });
}
