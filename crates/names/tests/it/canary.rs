//! No name in clear in any row, whatever the index has done with it, nor in what it prints.

use crate::support::{BUCKET, Rig, facts, key, run, tiny};
use names::ListQuery;

const CANARY: &str = "patients/1893120105732.pdf";

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

async fn assert_sealed(rig: &Rig) {
    for (key, row) in rig.rows().await {
        for part in [CANARY.as_bytes(), b"patients", b"1893120105", b"105732.pdf"] {
            assert!(!holds(&key, part) && !holds(&row.value, part));
        }
    }
}

#[test]
fn no_row_shows_a_name() {
    run(async {
        let rig = Rig::new(tiny());
        for round in 0..4 {
            for number in 0..20_u64 {
                rig.put(&format!("{CANARY}/{number}"), &facts(number)).await;
            }
            rig.put(CANARY, &facts(round)).await;
            assert_sealed(&rig).await;
            rig.index.fold(&key(), BUCKET).await.unwrap();
            assert_sealed(&rig).await;
        }
        rig.delete(CANARY).await;
        rig.index.compact(&key(), BUCKET).await.unwrap();
        assert_sealed(&rig).await;
        assert!(rig.rows().await.len() > 4);
    });
}

#[test]
fn debug_shows_no_name() {
    run(async {
        let rig = Rig::new(tiny());
        rig.put(CANARY, &facts(1)).await;
        let query = ListQuery {
            delimiter: Some("/".to_owned()),
            ..ListQuery::under("")
        };
        let rolled = rig.index.list(&key(), BUCKET, &query).await.unwrap();
        let plain = rig
            .index
            .list(&key(), BUCKET, &ListQuery::under("pat"))
            .await
            .unwrap();
        let under = ListQuery {
            after: Some(CANARY.to_owned()),
            ..ListQuery::under("patients")
        };
        let shown = format!(
            "{rolled:?} {plain:?} {:?} {:?} {under:?}",
            rolled.items, plain.items
        );
        assert!(!shown.contains("patients") && !shown.contains("1893"));
    });
}

#[test]
fn a_row_tells_the_length_of_a_name_only_roughly() {
    run(async {
        let rig = Rig::new(tiny());
        for length in 1..=100 {
            rig.put(&"x".repeat(length), &facts(1)).await;
            rig.delete(&"x".repeat(length)).await;
        }
        let mut sizes: Vec<_> = rig
            .rows()
            .await
            .iter()
            .map(|(_, row)| row.value.len())
            .collect();
        sizes.sort_unstable();
        sizes.dedup();
        assert!(sizes.len() <= 3, "{sizes:?}");
    });
}
