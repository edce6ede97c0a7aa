//! Seeds for what is stored: catalog, names, vault, store, mirror.

use crate::{Seeds, golden};
use bytes::Bytes;
use catalog::fuzzing::journal_row;
use mirror::{ChunkRef, DebtRow, debt_key};
use names::record::What;
use names::record::{DeltaRecord, FencesBuilder, Garbage, Manifest, PageBuilder, RunId, RunRecord};
use names::{NameFacts, Position};
use seal::Segment;
use std::io;
use store::api::{Checksum, ChecksumKind, ContentHeaders, Metadata};
use store::record::chunk_list::SegmentPlace;
use store::record::manifest::Line;
use store::record::meta::Meta;
use store::record::object::{Body, ObjectRow};
use store::record::part::PartRow;
use store::record::upload::UploadRow;
use store::record::{garbage, manifest};
use vault::SitePolicy;
use vault::record::access_key::AccessKeyRow;
use vault::record::bucket::{self, BucketRow};
use vault::record::rotation::RotationRow;
use vault::record::site_header::{SiteHeader, UnderRoot};
use vault::record::tenant::{self, TenantRow};
use words::wire::Writer;
use words::{BucketId, ChunkId, CloudId, SiteId, TenantId, TenantName, UnixMillis, VersionId};

pub fn write(seeds: &Seeds) -> io::Result<()> {
    catalogs(seeds)?;
    indexes(seeds)?;
    vaults(seeds)?;
    stores(seeds)
}

fn catalogs(seeds: &Seeds) -> io::Result<()> {
    let target = "catalog_records";
    let row = golden(include_str!("../../crates/catalog/src/record/row.golden"));
    let journal = golden(include_str!(
        "../../crates/catalog/src/record/journal_row.golden"
    ));
    let format = golden(include_str!(
        "../../crates/catalog/src/record/format.golden"
    ));
    let reached = golden(include_str!(
        "../../crates/catalog/src/record/reached.golden"
    ));
    seeds.put(target, "row", &[&[0], &[0, 4], b"Okey", &row])?;
    seeds.put(
        target,
        "row-made",
        &[&[1], &[0, 4], b"Okey", &[0, 4], b"Okez", &[7; 30]],
    )?;
    seeds.put(target, "journal", &[&[2], &journal])?;
    seeds.put(
        target,
        "journal-made",
        &[&[3], &[1; 16], &[0, 2, 0, 2], &[3; 120]],
    )?;
    seeds.put(target, "format", &[&[4], &format])?;
    seeds.put(target, "format-made", &[&[5], &format[..25], &[8; 20]])?;
    seeds.put(target, "reached", &[&[6], &reached])?;
    seeds.put(target, "journal-key", &[&[6], &journal_row::key(77)])?;
    seeds.put(target, "reached-made", &[&[7], &[0; 8], &[0, 0, 4, 1]])
}

fn facts(number: u8) -> NameFacts {
    NameFacts {
        size: u64::from(number),
        modified: UnixMillis(9),
        etag: [number; 16],
        parts: 0,
        version: VersionId::from_bytes([number; 16]),
    }
}

fn indexes(seeds: &Seeds) -> io::Result<()> {
    let target = "names_records";
    let position = Position::from_bytes(&[0, 0, 0, 0, 0, 0, 0, 9]);
    let run = RunRecord {
        id: RunId::from_bytes([1; 16]),
        level: 1,
        height: 1,
        pages: 3,
        fences: 1,
        entries: 300,
        tombstones: 2,
    };
    let since = UnixMillis(5);
    let id = RunId::from_bytes([2; 16]);
    let kinds = [What::Run(id, 3, 1), What::Unfinished(id)];
    let manifest = Manifest {
        generation: 4,
        watermark: position,
        building: vec![id],
        runs: vec![run],
        garbage: kinds
            .into_iter()
            .chain(position.map(What::Deltas))
            .map(|what| Garbage { since, what })
            .collect(),
    };
    seeds.put(target, "manifest", &[&[0], &manifest.encode()])?;
    seeds.put(
        target,
        "delta",
        &[&[1], &DeltaRecord::encode(b"a/b", Some(&facts(1)))],
    )?;
    seeds.put(
        target,
        "delta-gone",
        &[&[1], &DeltaRecord::encode(b"a/b", None)],
    )?;
    let mut page = PageBuilder::new(4096);
    let mut fences = FencesBuilder::new(1, 4096);
    for number in 0..40_u8 {
        let name = format!("reports/{number:03}/ä");
        let _ = page.push(
            name.as_bytes(),
            Some(&facts(number)).filter(|_| number != 7),
        );
        let fence = if number == 0 { "" } else { name.as_str() };
        let _ = fences.push(fence.as_bytes(), u32::from(number));
    }
    seeds.put(target, "page", &[&[2], &page.take()])?;
    seeds.put(
        target,
        "fences",
        &[&[3], &[0, 9], b"reports/0", &fences.take()],
    )?;
    let names: Vec<u8> = (0..60)
        .flat_map(|at| [at, 0, 3, at % 5, at % 7, at % 3, at])
        .collect();
    seeds.put(target, "page-built", &[&[4], &[20, 0], &names])?;
    seeds.put(target, "fences-built", &[&[5], &[1, 20, 0], &names])?;
    seeds.put(target, "position", &[&[6], &[1, 2, 3]])
}

fn vaults(seeds: &Seeds) -> io::Result<()> {
    let target = "vault_records";
    let tenant = TenantRow {
        name: TenantName::parse("tax-office").map_err(io::Error::other)?,
        created: UnixMillis(4),
        suspended: false,
        site_version: 1,
        newest: tenant::KeyVersion {
            version: 1,
            by_site: [[1; 104]; 2],
        },
        older: vec![],
        name_key: [3; 104],
        ledger_key: [4; 104],
        signed: None,
    };
    let signed_tenant = TenantRow {
        newest: tenant::KeyVersion {
            version: 2,
            by_site: [[5; 104]; 2],
        },
        older: vec![tenant.newest],
        signed: Some(tenant::Signed {
            meta_key: [6; 104],
            macs: [[7; 32]; 2],
        }),
        ..tenant.clone()
    };
    let bucket = BucketRow {
        id: BucketId::from_bytes([1; 16]),
        created: UnixMillis(4),
        policy: SitePolicy::Strict,
        tenant_version: 1,
        newest: bucket::KeyVersion {
            version: 3,
            key: [1; 104],
        },
        older: vec![],
        name_key: [2; 104],
        index_key: [3; 104],
        sealed_name: vec![7; 80],
        lessor: None,
        mac: None,
    };
    let signed_bucket = BucketRow {
        newest: bucket::KeyVersion {
            version: 4,
            key: [4; 104],
        },
        older: vec![bucket.newest],
        mac: Some([8; 32]),
        ..bucket.clone()
    };
    let rotation = RotationRow {
        begun: UnixMillis(4),
        version: 3,
        tenant: TenantId::from_bytes([2; 16]),
        row_key: b"Bkey".to_vec(),
        cursor: b"Orow".to_vec(),
        found: 5,
        held: 6,
        rewrapped: 7,
        waiting: 8,
        mac: [9; 32],
    };
    let access_key = AccessKeyRow {
        version: 2,
        tenant: TenantId::from_bytes([1; 16]),
        created: UnixMillis(4),
        expires: Some(UnixMillis(9)),
        suspended: true,
        sealed_secret: vec![5; 96],
    };
    let header = SiteHeader {
        cloud: CloudId::from_bytes([1; 16]),
        site: SiteId::B,
        founded: UnixMillis(8),
        key_version: 1,
        key: [2; 104],
        other_key: [4; 104],
        charter: [3; 32],
        root: None,
    };
    let with_root = SiteHeader {
        root: Some(UnderRoot {
            version: 2,
            ceremony: [6; 16],
            erase_key: [7; 104],
        }),
        ..header.clone()
    }
    .encode();
    let header = header.encode();
    seeds.put(target, "tenant", &[&[0], &tenant.encode()])?;
    seeds.put(target, "bucket", &[&[1], &bucket.encode()])?;
    seeds.put(target, "tenant-signed", &[&[0], &signed_tenant.encode()])?;
    seeds.put(target, "bucket-signed", &[&[1], &signed_bucket.encode()])?;
    seeds.put(target, "rotation", &[&[7], &rotation.encode()])?;
    seeds.put(target, "access-key", &[&[2], &access_key.encode()])?;
    seeds.put(target, "header", &[&[3], &header])?;
    seeds.put(target, "header-root", &[&[3], &with_root])?;
    seeds.put(
        target,
        "header-body",
        &[&[4], &[0], &header[..header.len() - 32]],
    )?;
    seeds.put(
        target,
        "header-made",
        &[&[5], &[1; 16], &[1], &[2; 15], &[0, 0, 90, 3]],
    )?;
    seeds.put(
        target,
        "tenant-key",
        &[&[6], &tenant::key(TenantId::from_bytes([6; 16]))],
    )
}

fn stores(seeds: &Seeds) -> io::Result<()> {
    let target = "store_records";
    let segment = Segment {
        salt: [3; 24],
        plain_bytes: 10,
        sealed_bytes: seal::cobblestone::sealed_len(10),
        blake3: [8; 32],
    };
    let chunk = ChunkRef {
        id: ChunkId::from_bytes([4; 16]),
        bytes: 82,
        blake3: [5; 32],
    };
    let place = SegmentPlace {
        segment,
        chunks: vec![chunk, chunk],
    };
    for (name, body) in [
        ("object-inline", Body::Inline(Bytes::from_static(b"sealed"))),
        ("object-single", Body::Single(place.clone())),
        ("object-parts", Body::Parts { parts: 9, pages: 1 }),
    ] {
        let row = ObjectRow {
            record: [9; 512],
            modified: UnixMillis(77),
            sealed_meta: vec![1, 2],
            body,
        };
        seeds.put(target, name, &[&[0], &row.encode()])?;
    }
    let meta = Meta {
        md5: [7; 16],
        parts: Some(3),
        key: "reports/2026/ä.csv".into(),
        metadata: Metadata {
            headers: ContentHeaders {
                content_type: Some("text/csv".into()),
                ..ContentHeaders::default()
            },
            user: vec![("mtime".into(), "1".into())],
        },
        checksums: vec![Checksum {
            kind: ChecksumKind::Crc64Nvme,
            value: vec![1; 8],
            parts: None,
        }],
    };
    seeds.put(target, "meta", &[&[1], &meta.encode()])?;
    let lines = [1, 4].map(|number| Line { number, segment });
    seeds.put(target, "manifest", &[&[2], &manifest::encode(&lines)])?;
    let part = PartRow {
        modified: UnixMillis(5),
        sealed_meta: vec![8; 30],
        segment: place.clone(),
    };
    seeds.put(target, "part", &[&[3], &part.encode()])?;
    let upload = UploadRow {
        begun: UnixMillis(1),
        name_hash: [2; 32],
        record: [3; 512],
        sealed_name: vec![4; 90],
        sealed_meta: vec![5; 20],
        checksum: 2,
        full_object: true,
    };
    seeds.put(target, "upload", &[&[4], &upload.encode()])?;
    let version = VersionId::from_bytes([3; 16]);
    for (name, what) in [
        ("garbage-chunks", garbage::Garbage::Chunks(vec![chunk.id])),
        ("garbage-parts", garbage::Garbage::Parts(version)),
        (
            "garbage-bucket",
            garbage::Garbage::Bucket(BucketId::from_bytes([4; 16])),
        ),
    ] {
        seeds.put(target, name, &[&[5], &what.encode()])?;
    }
    seeds.put(
        target,
        "segment",
        &[&[6], &place.write(Writer::bare()).finish()],
    )?;
    let debt = DebtRow {
        bytes: 82,
        blake3: [7; 32],
        since: UnixMillis(1_234_567),
    };
    seeds.put(target, "debt", &[&[7], &debt.encode()])?;
    seeds.put(target, "debt-key", &[&[8], &debt_key(SiteId::B, chunk.id)])?;
    seeds.put(
        target,
        "keys",
        &[&[9], &garbage::key(UnixMillis(12), version)],
    )
}
