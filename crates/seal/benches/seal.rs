//! How fast frames of 16 KiB are sealed and opened, on one core.
#![allow(clippy::unwrap_used)] // a measurement may stop

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use seal::cobblestone::{self, FRAME_BYTES, HEADER_BYTES, Key, SegmentOpener, SegmentSealer};
use seal::{ObjectKey, SealedWriter, SegmentContext};
use std::hint::black_box;
use std::num::NonZeroUsize;
use words::{BucketId, TenantId, VersionId};

const FRAMES: usize = 64;

fn frames(c: &mut Criterion) {
    let key = Key::from_bytes([1; 32]);
    let plain = vec![7; FRAMES * FRAME_BYTES];
    let sealed = cobblestone::seal(&key, b"bench", [2; 24], &plain);
    let mut group = c.benchmark_group("16 KiB frames, 1 MiB");
    group.throughput(Throughput::Bytes(plain.len() as u64));

    let mut sealer = SegmentSealer::new(&key, b"bench", [3; 24]);
    let mut out = Vec::new();
    group.bench_function("seal", |b| {
        b.iter(|| {
            out.clear();
            sealer.seal_full_frames(black_box(&plain), &mut out)
        });
    });

    let header = sealed.first_chunk::<HEADER_BYTES>().unwrap();
    let opener = SegmentOpener::new(&key, b"bench", header).unwrap();
    let mut opened = Vec::new();
    group.bench_function("open", |b| {
        b.iter(|| {
            opened.clear();
            opener.open_frames(0, black_box(&sealed[HEADER_BYTES..]), &mut opened)
        });
    });
    let mut buffer = vec![0; plain.len()];
    group.bench_function("open into a buffer used again", |b| {
        b.iter(|| opener.open_into(0, black_box(&sealed[HEADER_BYTES..]), &mut buffer));
    });
    group.finish();
}

fn stream(c: &mut Criterion) {
    let key = ObjectKey::fresh([1; 32]);
    let context = SegmentContext {
        tenant: TenantId::from_bytes([1; 16]),
        bucket: BucketId::from_bytes([2; 16]),
        version: VersionId::from_bytes([3; 16]),
        segment_no: 0,
    };
    let plain = vec![7; 64 * 1024];
    let mut group = c.benchmark_group("stream of 8 MiB in slices of 64 KiB, BLAKE3 included");
    group.throughput(Throughput::Bytes(8 * 1024 * 1024));
    group.bench_function("SealedWriter", |b| {
        b.iter(|| {
            let pieces = NonZeroUsize::new(64).unwrap();
            let mut writer = SealedWriter::new(&key, &context, [4; 24], pieces);
            for _ in 0..128 {
                let mut slice = black_box(&plain[..]);
                while let Ok(Some(piece)) = writer.push(&mut slice) {
                    black_box(piece);
                }
            }
            writer.finish()
        });
    });
    group.finish();
}

fn small(c: &mut Criterion) {
    let key = Key::from_bytes([1; 32]);
    c.bench_function("derive and seal 32 bytes (a wrap)", |b| {
        b.iter(|| cobblestone::seal(&key, b"bench", [2; 24], black_box(&[5; 32])));
    });
}

criterion_group!(benches, frames, stream, small);
criterion_main!(benches);
