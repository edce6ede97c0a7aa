//! Whoever writes the catalog's database can break a listing, but cannot make it tell what was never said.

use crate::support::{BUCKET, Rig, facts, key, run, tiny};
use catalog::Mutation;
use names::{ListQuery, NamesError};
use seal::IndexKey;
use words::{BucketId, ObjectKey};

const OTHER: BucketId = BucketId::from_bytes([8; 16]);

/// Two buckets under one key, both folded into several pages and runs; one delta left in each.
async fn two_buckets() -> Rig {
    let rig = Rig::new(tiny());
    for bucket in [BUCKET, OTHER] {
        for round in 0..3_u64 {
            for number in 0..60_u64 {
                let name =
                    ObjectKey::parse(&format!("{}-name-{number:04}", "n".repeat(40))).unwrap();
                let salt = rig.host.random();
                rig.apply(vec![names::put_delta(
                    &key(),
                    bucket,
                    &name,
                    &facts(number + round),
                    salt,
                )])
                .await;
            }
            rig.index.fold(&key(), bucket).await.unwrap();
        }
    }
    rig.clock.pass(5000);
    for bucket in [BUCKET, OTHER] {
        rig.index.fold(&key(), bucket).await.unwrap();
        let name = ObjectKey::parse("last").unwrap();
        rig.apply(vec![names::put_delta(
            &key(),
            bucket,
            &name,
            &facts(9),
            rig.host.random(),
        )])
        .await;
    }
    rig
}

async fn listing(rig: &Rig, key: &IndexKey) -> Result<usize, NamesError> {
    let page = rig.other().list(key, BUCKET, &ListQuery::under("")).await?;
    Ok(page.items.len())
}

async fn write(rig: &Rig, key: &[u8], value: &[u8]) {
    rig.apply(vec![Mutation::Put {
        key: key.to_vec(),
        value: value.to_vec().into(),
    }])
    .await;
}

#[test]
fn no_row_can_stand_for_another() {
    run(async {
        let rig = two_buckets().await;
        assert_eq!(listing(&rig, &key()).await.unwrap(), 61);
        let rows = rig.rows().await;
        let own: Vec<_> = rows
            .iter()
            .filter(|(key, _)| key[1..17] == [7; 16])
            .collect();
        assert!(
            own.len() >= 8,
            "several pages, fences, a manifest and a delta"
        );
        let mut swaps = 0;
        for (here, row) in &own {
            for (there, other) in &rows {
                if here == there {
                    continue;
                }
                write(&rig, here, &other.value).await;
                let found = listing(&rig, &key()).await;
                assert!(
                    matches!(found, Err(NamesError::Damaged { .. })),
                    "{here:?} from {there:?}: {found:?}"
                );
                swaps += 1;
            }
            write(&rig, here, &row.value).await;
        }
        assert!(swaps > 100);
        assert_eq!(listing(&rig, &key()).await.unwrap(), 61);
    });
}

#[test]
fn a_flipped_bit_is_found() {
    run(async {
        let rig = two_buckets().await;
        for (key_bytes, row) in rig
            .rows()
            .await
            .into_iter()
            .filter(|(key, _)| key[1..17] == [7; 16])
        {
            for at in [0, 20, 40, row.value.len() / 2, row.value.len() - 1] {
                let mut value = row.value.to_vec();
                value[at] ^= 1;
                write(&rig, &key_bytes, &value).await;
                assert!(matches!(
                    listing(&rig, &key()).await,
                    Err(NamesError::Damaged { .. })
                ));
            }
            for cut in [0, 1, row.value.len() / 2, row.value.len() - 1] {
                write(&rig, &key_bytes, &row.value[..cut]).await;
                assert!(matches!(
                    listing(&rig, &key()).await,
                    Err(NamesError::Damaged { .. })
                ));
            }
            write(&rig, &key_bytes, &row.value).await;
        }
    });
}

#[test]
fn a_missing_page_is_an_error_and_never_a_shorter_listing() {
    run(async {
        let rig = two_buckets().await;
        for (key_bytes, row) in rig.rows().await {
            if key_bytes[0] != b'N' || key_bytes[1..17] != [7; 16] || key_bytes[17] == 0 {
                continue;
            }
            rig.apply(vec![Mutation::Delete {
                key: key_bytes.clone(),
            }])
            .await;
            assert!(matches!(
                listing(&rig, &key()).await,
                Err(NamesError::Missing { .. })
            ));
            write(&rig, &key_bytes, &row.value).await;
        }
    });
}

#[test]
fn the_wrong_key_opens_nothing_even_from_memory() {
    run(async {
        let rig = two_buckets().await;
        let page = rig
            .index
            .list(&key(), BUCKET, &ListQuery::under(""))
            .await
            .unwrap();
        assert_eq!(page.items.len(), 61);
        let wrong = IndexKey::from_bytes([10; 32]);
        assert!(
            rig.index
                .list(&wrong, BUCKET, &ListQuery::under(""))
                .await
                .is_err()
        );
        assert!(rig.index.fold(&wrong, BUCKET).await.is_err());
    });
}
