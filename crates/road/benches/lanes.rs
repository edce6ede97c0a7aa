//! How much comes over a lane: reads of 64 KiB and 1 MiB, one after the other and eight at once, with the vault's side
//! on threads of its own, as it is in a process of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::single_range_in_vec_init
)] // a measurement may stop

use async_trait::async_trait;
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::stream::BoxStream;
use link::Trunk;
use road::{Behind, Counts, Far};
use statement::{
    Asked, Database, Ended, Endings, Format, GrantId, Granted, GrantedObject, GrantedTable,
    Refused, Release, Road, Session, SessionId, Sign, Signed, Source, TableAsked, TableDef,
    TableName, TableRef, TableShown, Terms, Use, Why,
};
use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use words::UnixMillis;

/// A vault that has everything in memory and asks nothing.
struct Ready(Bytes);

fn no() -> Refused {
    Refused::new(Why::Internal, "not in this measurement")
}

#[async_trait]
impl Road for Ready {
    async fn sign_in(&self, _: Sign, _: &str, _: Option<IpAddr>) -> Result<Signed, Refused> {
        Ok(Signed::In {
            session: Session {
                id: SessionId([1; 16]),
                user: String::new(),
                tenant: String::new(),
                database: Database::Own,
                expires: UnixMillis(0),
            },
            message: String::new(),
        })
    }
    async fn sign_out(&self, _: SessionId) {}
    async fn tables(&self, _: SessionId) -> Result<Vec<TableShown>, Refused> {
        Err(no())
    }
    async fn begin(&self, _: SessionId, asked: Asked) -> Result<Granted, Refused> {
        let name = TableName::parse("t").map_err(|_| no())?;
        let bucket = words::BucketName::parse("bucket").map_err(|_| no())?;
        let table = GrantedTable {
            def: TableDef {
                name,
                format: Format::Parquet,
                bucket,
                prefix: String::new(),
                columns: Vec::new(),
                partitions: Vec::new(),
                subject: None,
                managed: false,
            },
            version: None,
            objects: Vec::new(),
            terms: Terms::of_owner([0; 32], []),
            entry: 0,
        };
        Ok(Granted {
            id: GrantId([1; 16]),
            tables: vec![table; asked.tables.len()],
            ends: UnixMillis(0),
        })
    }
    async fn read(
        &self,
        _: GrantId,
        _: usize,
        _: usize,
        ranges: Vec<Range<u64>>,
    ) -> Result<Vec<Bytes>, Refused> {
        let cut = |range: Range<u64>| self.0.slice(range.start as usize..range.end as usize);
        Ok(ranges.into_iter().map(cut).collect())
    }
    async fn release(&self, _: GrantId, _: Release) -> Result<Vec<bool>, Refused> {
        Ok(Vec::new())
    }
    async fn write(
        &self,
        _: GrantId,
        _: usize,
        _: BoxStream<'static, io::Result<Bytes>>,
    ) -> Result<GrantedObject, Refused> {
        Err(no())
    }
    async fn commit(&self, _: GrantId, _: usize, _: Vec<GrantedObject>) -> Result<u64, Refused> {
        Err(no())
    }
    async fn close(&self, _: GrantId, _: Ended) -> Result<(), Refused> {
        Ok(())
    }
    async fn declare(&self, _: SessionId, _: TableDef) -> Result<(), Refused> {
        Err(no())
    }
    async fn withdraw(&self, _: SessionId, _: TableRef) -> Result<(), Refused> {
        Err(no())
    }
    async fn endings(&self, _: u64) -> Result<Endings, Refused> {
        Err(no())
    }
}

fn runtime(threads: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .expect("a runtime")
}

fn reads(c: &mut Criterion) {
    let (vault, engine) = (runtime(2), runtime(2));
    let (ours, theirs) = Trunk::pair().expect("a trunk");
    let behind = Behind {
        road: Arc::new(Ready(Bytes::from(vec![7; 16 << 20]))),
        counts: Arc::new(Counts::default()),
    };
    vault.spawn(road::serve(theirs, behind));
    let far = Far::new(ours);
    let grant = engine.block_on(async {
        let sign = Sign::Password {
            user: String::new(),
            password: String::new(),
            token: None,
        };
        far.sign_in(sign, "clarence", None)
            .await
            .expect("a session");
        let table = TableAsked {
            source: Source::Objects {
                bucket: words::BucketName::parse("bucket").expect("a name"),
                prefix: String::new(),
            },
            columns: None,
            used: Use::Read,
        };
        let asked = Asked {
            tables: vec![table],
            statement: [0; 32],
            purpose: None,
            case: None,
        };
        far.begin(SessionId([1; 16]), asked)
            .await
            .expect("a grant")
            .id
    });
    let mut group = c.benchmark_group("road_read");
    for (name, length) in [
        ("4KiB", 4_u64 << 10),
        ("64KiB", 64 << 10),
        ("1MiB", 1 << 20),
        ("8MiB", 8 << 20),
    ] {
        for at_once in [1_u64, 8] {
            group.throughput(Throughput::Bytes(length * at_once));
            group.bench_function(BenchmarkId::new(name, at_once), |b| {
                b.iter(|| {
                    engine.block_on(async {
                        let reads = (0..at_once).map(|_| {
                            let far = far.clone();
                            tokio::spawn(
                                async move { far.read(grant, 0, 0, vec![0..length]).await },
                            )
                        });
                        for read in futures::future::join_all(reads).await {
                            read.expect("a task").expect("bytes");
                        }
                    });
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, reads);
criterion_main!(benches);
