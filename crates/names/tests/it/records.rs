//! Every stored record: round trips, and refusal of what is no record.

use crate::support::facts;
use names::Position;
use names::record::{
    DeltaRecord, Fences, FencesBuilder, Garbage, Manifest, Page, PageBuilder, PageCursor, RunId,
    RunRecord, What,
};
use proptest::prelude::*;
use std::collections::BTreeSet;
use words::UnixMillis;

fn names() -> impl Strategy<Value = BTreeSet<Vec<u8>>> {
    let name = prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..20),
        proptest::collection::vec(97_u8..99, 1..1024),
    ];
    proptest::collection::btree_set(name, 1..60)
}

fn manifest() -> impl Strategy<Value = Manifest> {
    let id = || any::<[u8; 16]>().prop_map(RunId::from_bytes);
    let position = || proptest::collection::vec(any::<u8>(), 1..=16);
    let position = move || position().prop_map(|bytes| Position::from_bytes(&bytes).unwrap());
    let run = (
        id(),
        any::<u8>(),
        1_u8..9,
        any::<u32>(),
        1_u32..,
        any::<u64>(),
        any::<u64>(),
    )
        .prop_map(
            |(id, level, height, pages, fences, entries, tombstones)| RunRecord {
                id,
                level,
                height,
                pages,
                fences,
                entries,
                tombstones,
            },
        );
    let what = prop_oneof![
        position().prop_map(What::Deltas),
        (id(), any::<u32>(), any::<u32>())
            .prop_map(|(id, pages, fences)| What::Run(id, pages, fences)),
        id().prop_map(What::Unfinished),
    ];
    let garbage = (any::<u64>(), what).prop_map(|(since, what)| Garbage {
        since: UnixMillis(since),
        what,
    });
    use proptest::collection::vec as many;
    (
        any::<u64>(),
        proptest::option::of(position()),
        many(id(), 0..3),
        many(run, 0..20),
        many(garbage, 0..20),
    )
        .prop_map(
            |(generation, watermark, building, runs, garbage)| Manifest {
                generation,
                watermark,
                building,
                runs,
                garbage,
            },
        )
}

proptest! {
    #[test]
    fn a_manifest_comes_back(manifest in manifest()) {
        let bytes = manifest.encode();
        prop_assert_eq!(Manifest::decode(&bytes).unwrap(), manifest);
        prop_assert!(Manifest::decode(&bytes[..bytes.len() - 1]).is_err());
        prop_assert!(Manifest::decode(&[bytes, vec![0]].concat()).is_err());
    }

    #[test]
    fn a_delta_comes_back(name in proptest::collection::vec(any::<u8>(), 0..=1024), number: u64, gone: bool) {
        let known = (!gone).then(|| facts(number));
        let bytes = DeltaRecord::encode(&name, known.as_ref());
        prop_assert!(bytes.len().is_multiple_of(64));
        let record = DeltaRecord::decode(&bytes).unwrap();
        prop_assert!(*record.name == *name && record.facts == known);
        // Padding beyond what the length asks for would be a second encoding.
        prop_assert!(DeltaRecord::decode(&[bytes, vec![0; 64]].concat()).is_err());
    }

    #[test]
    fn a_page_comes_back(names in names(), targets in names(), page_bytes in 1500_usize..20_000) {
        let mut builder = PageBuilder::new(page_bytes);
        let mut taken = Vec::new();
        for (number, name) in names.iter().enumerate() {
            let known = (number % 5 != 0).then(|| facts(number as u64));
            if !builder.push(name, known.as_ref()) {
                break;
            }
            taken.push((name.clone(), known));
        }
        let bytes = builder.take();
        prop_assert!(bytes.len() <= page_bytes.max(1792) && builder.is_empty());
        let page = Page::decode(bytes).unwrap();
        prop_assert_eq!(usize::from(page.count()), taken.len());
        let (mut walking, mut seeking) = (PageCursor::default(), PageCursor::default());
        for (name, known) in &taken {
            prop_assert!(page.step(&mut walking).unwrap());
            prop_assert!(walking.name() == name && walking.facts() == known.as_ref());
            prop_assert!(page.seek(&mut seeking, name).unwrap());
            prop_assert!(seeking.name() == name && seeking.facts() == known.as_ref());
        }
        prop_assert!(!page.step(&mut walking).unwrap() && !page.step(&mut walking).unwrap());
        for target in targets {
            let expected = taken.iter().find(|(name, _)| *name >= target);
            prop_assert_eq!(page.seek(&mut seeking, &target).unwrap(), expected.is_some());
            prop_assert!(expected.is_none_or(|(name, _)| seeking.name() == name));
        }
    }

    #[test]
    fn fences_lead_to_the_child(names in names()) {
        let mut builder = FencesBuilder::new(1, 60_000);
        prop_assert!(builder.push(b"", 0));
        let mut fences = vec![Vec::new()];
        for name in names {
            if builder.push(&name, u32::try_from(fences.len()).unwrap() * 3) {
                fences.push(name);
            }
        }
        let row = Fences::decode(&builder.take()).unwrap();
        for (at, fence) in fences.iter().enumerate() {
            prop_assert_eq!(row.child(fence), Some(u32::try_from(at).unwrap() * 3));
            let mut just_before = fence.clone();
            if just_before.pop().is_some() && !fences.contains(&just_before) {
                prop_assert!(row.child(&just_before) < row.child(fence));
            }
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), versioned: bool) {
        if versioned && let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        let _ = (DeltaRecord::decode(&bytes).is_ok(), Manifest::decode(&bytes).is_ok());
        let _ = Fences::decode(&bytes).is_ok();
        if let Ok(page) = Page::decode(bytes) {
            let mut cursor = PageCursor::default();
            while let Ok(true) = page.step(&mut cursor) {}
            let _ = page.seek(&mut cursor, b"m").is_ok();
        }
    }

    #[test]
    fn no_damage_to_a_page_makes_a_reader_panic(names in names(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut builder = PageBuilder::new(16_128);
        let fits = names.iter().take_while(|name| builder.push(name, Some(&facts(1)))).count();
        let mut bytes = builder.take();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(page) = Page::decode(bytes) {
            let mut cursor = PageCursor::default();
            let mut steps = 0;
            while let Ok(true) = page.step(&mut cursor) {
                steps += 1;
            }
            prop_assert!(fits > 0 && steps < 10_000);
            let _ = page.seek(&mut cursor, b"m").is_ok();
        }
    }
}

/// The same by hand: version, kind, name, facts, and zeros up to `length`.
fn delta_of(kind: u8, facts: u8, length: usize) -> Vec<u8> {
    let mut bytes = [&[1, kind, 0, 0, 0, 1, b'a'][..], &[facts; 52]].concat();
    bytes.resize(length, 0);
    bytes
}

#[test]
fn a_delta_has_one_encoding() {
    for kind in [1, 2] {
        assert!(DeltaRecord::decode(&delta_of(kind, 0, 64)).is_ok());
        for length in [59, 60, 63, 65, 128] {
            assert!(DeltaRecord::decode(&delta_of(kind, 0, length)).is_err());
        }
    }
    assert!(DeltaRecord::decode(&delta_of(1, 9, 64)).is_ok());
    assert!(DeltaRecord::decode(&delta_of(2, 9, 64)).is_err());
}

/// Fences that share their beginnings are short on the disk and long in memory.
#[test]
fn fences_of_more_than_64_kib_are_refused() {
    let row = |count: u16| {
        let mut bytes = [&[1, 1][..], &count.to_be_bytes(), &[0, 0, 4, 0]].concat();
        bytes.extend([b'a'; 1024]);
        bytes.extend([0; 4]);
        for number in 1..count {
            let own = [b'b' + (number >> 8) as u8, number as u8];
            bytes.extend(1022_u16.to_be_bytes());
            bytes.extend(2_u16.to_be_bytes());
            bytes.extend(own);
            bytes.extend([0; 4]);
        }
        bytes.resize(bytes.len().next_multiple_of(256), 0);
        bytes
    };
    assert!(Fences::decode(&row(64)).is_ok());
    assert!(Fences::decode(&row(65)).is_err());
}

#[test]
fn names_out_of_order_are_no_page() {
    for (first, second) in [(b"b", b"a"), (b"b", b"b")] {
        let mut builder = PageBuilder::new(4096);
        assert!(builder.push(first, None) && builder.push(second, None));
        let page = Page::decode(builder.take()).unwrap();
        let mut cursor = PageCursor::default();
        assert!(page.step(&mut cursor).unwrap());
        assert!(page.step(&mut cursor).is_err());
    }
}
