//! What it costs to believe a request, and to take the framing off a body.

use authn::chunked::Decoder;
use authn::{Credential, PayloadHash, RequestHead, SecretKey, SigningKey, present, verify_with};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput};
use words::{TenantId, UnixMillis};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    requests(&mut criterion);
    bodies(&mut criterion);
    criterion.final_summary();
}

/// The published GET example of AWS.
fn requests(criterion: &mut Criterion) {
    let headers: Vec<(String, String)> = [
        ("host", "examplebucket.s3.amazonaws.com"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
             Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        ("range", "bytes=0-9"),
        (
            "x-amz-content-sha256",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        ("x-amz-date", "20130524T000000Z"),
    ]
    .map(|(n, v)| (n.to_owned(), v.to_owned()))
    .into();
    let head = RequestHead {
        method: "GET",
        raw_path: "/test.txt",
        raw_query: "",
        headers: &headers,
        via: authn::Via::default(),
    };
    let secret = SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned());
    let now = UnixMillis(1_369_353_600_000);
    let credential = Credential::active(TenantId::from_bytes([1; 16]));
    let Ok(presented) = present(&head) else {
        return;
    };
    let key = SigningKey::derive(&secret, presented.date(), "us-east-1");
    let mut group = criterion.benchmark_group("request");
    group.bench_function("present", |b| b.iter(|| present(&head)));
    group.bench_function("derive signing key", |b| {
        b.iter(|| SigningKey::derive(&secret, key.date(), "us-east-1"))
    });
    group.bench_function("present and verify with a cached key", |b| {
        b.iter(|| present(&head).and_then(|p| verify_with(p, &key, credential, now)));
    });
    group.finish();
}

fn bodies(criterion: &mut Criterion) {
    const SIZE: usize = 1024 * 1024;
    let mut body = format!("{SIZE:x}\r\n").into_bytes();
    body.extend(vec![7; SIZE]);
    body.extend(b"\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n");
    let body = Bytes::from(body);
    let mut group = criterion.benchmark_group("body");
    group.throughput(Throughput::Bytes(SIZE as u64));
    group.bench_function("unsigned chunk of 1 MiB in pieces of 64 KiB", |b| {
        b.iter_batched(
            || {
                let pieces: Vec<Bytes> = (0..body.len())
                    .step_by(65536)
                    .map(|at| body.slice(at..body.len().min(at + 65536)))
                    .collect();
                pieces
            },
            |pieces| {
                let decoder = Decoder::new(
                    &PayloadHash::UnsignedTrailer,
                    None,
                    SIZE as u64,
                    &["x-amz-checksum-crc32"],
                );
                let Ok(mut decoder) = decoder else { return 0 };
                let mut sum = 0;
                for mut piece in pieces {
                    while let Ok(Some(data)) = decoder.decode(&mut piece) {
                        sum += data.len();
                    }
                }
                sum
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}
