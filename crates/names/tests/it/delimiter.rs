//! Prefixes, markers and delimiters against the plainest reading of S3, many thousand random cases.

use crate::naive::{self, Model};
use crate::support::{BUCKET, Rig, cases, facts, key, run, tiny};
use names::{ListItem, ListQuery};
use proptest::prelude::*;

fn text(most: usize) -> impl Strategy<Value = String> {
    proptest::string::string_regex(&format!("[ab/é日-]{{0,{most}}}")).unwrap()
}

fn query() -> impl Strategy<Value = ListQuery> {
    (
        text(3),
        proptest::option::of(text(6)),
        proptest::option::of(text(3)),
        0_usize..15,
    )
        .prop_map(|(prefix, after, delimiter, max)| ListQuery {
            prefix,
            after,
            delimiter,
            max,
        })
}

proptest! {
    #![proptest_config(cases(120))]
    #[test]
    fn every_query_gives_what_s3_gives(
        names in proptest::collection::btree_set(text(8).prop_filter("named", |name| !name.is_empty()), 0..80),
        queries in proptest::collection::vec(query(), 100),
        folded in 0_usize..3,
    ) {
        run(async {
            let rig = Rig::new(tiny());
            let mut model = Model::new();
            for (number, name) in names.iter().enumerate() {
                rig.put(name, &facts(number as u64)).await;
                model.insert(name.clone(), facts(number as u64));
                if folded > 0 && number == names.len() / folded / 2 {
                    rig.index.fold(&key(), BUCKET).await.unwrap();
                }
            }
            for query in &queries {
                let page = rig.index.list(&key(), BUCKET, query).await.unwrap();
                assert!(page == naive::list(&model, query));
            }
        });
    }
}

async fn three_folders() -> Rig {
    let rig = Rig::new(tiny());
    for name in ["a", "b/1", "b/2", "b/c/3", "c"] {
        rig.put(name, &facts(1)).await;
    }
    rig
}

async fn lines(rig: &Rig, after: &str) -> Vec<String> {
    let query = ListQuery {
        after: Some(after.to_owned()),
        delimiter: Some("/".to_owned()),
        ..ListQuery::under("")
    };
    let page = rig.index.list(&key(), BUCKET, &query).await.unwrap();
    let line = |item: ListItem| match item {
        ListItem::Object { name, .. } => name.as_str().to_owned(),
        ListItem::Prefix(prefix) => prefix,
    };
    page.items.into_iter().map(line).collect()
}

#[test]
fn a_marker_inside_a_common_prefix_passes_over_it() {
    run(async {
        let rig = three_folders().await;
        assert_eq!(lines(&rig, "").await, ["a", "b/", "c"]);
        assert_eq!(lines(&rig, "a").await, ["b/", "c"]);
        assert_eq!(lines(&rig, "b").await, ["b/", "c"]);
        assert_eq!(lines(&rig, "b/").await, ["c"]);
        assert_eq!(lines(&rig, "b/1").await, ["c"]);
        assert_eq!(lines(&rig, "b0").await, ["c"]);
    });
}

#[test]
fn nothing_asked_is_nothing_listed() {
    run(async {
        let rig = three_folders().await;
        let page = rig
            .index
            .list(&key(), BUCKET, &ListQuery::default())
            .await
            .unwrap();
        assert!(page.items.is_empty() && !page.truncated && page.next.is_none());
        let much = ListQuery {
            max: usize::MAX,
            ..ListQuery::default()
        };
        assert_eq!(
            rig.index
                .list(&key(), BUCKET, &much)
                .await
                .unwrap()
                .items
                .len(),
            5
        );
    });
}
