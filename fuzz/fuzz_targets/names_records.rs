//! The sealed index of names, once opened: manifest, deltas, pages and fences. Any bytes are refused or read
//! without harm and in bounded memory; what is built is found again by walking and by seeking.
#![no_main]

use fuzz::{Input, canonical};
use libfuzzer_sys::fuzz_target;
use names::record::{DeltaRecord, Fences, FencesBuilder, Manifest, Page, PageBuilder, PageCursor};
use names::{NameFacts, Position};
use std::collections::BTreeMap;
use words::{UnixMillis, VersionId};

/// A name of up to 24 bytes of a small alphabet, or a long one: shared beginnings are what pages are about.
fn name(input: &mut Input<'_>) -> Vec<u8> {
    let kind = input.u8();
    let mut name: Vec<u8> = input.bytes(24).iter().map(|c| b'a' + c % 3).collect();
    if kind & 0x1f == 0x1f {
        let length = input.below(1025);
        name.resize(length, b'a' + kind % 3);
    }
    name
}

fn facts(input: &mut Input<'_>) -> Option<NameFacts> {
    let number = input.u8();
    (number % 4 != 0).then(|| NameFacts {
        size: u64::from(number) << 32,
        modified: UnixMillis(u64::from(number)),
        etag: [number; 16],
        parts: u32::from(number % 3),
        version: VersionId::from_bytes([number; 16]),
    })
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.u8() % 7 {
        0 => {
            canonical(input.rest(), Manifest::decode, Manifest::encode);
        }
        1 => any_delta(input.rest()),
        2 => any_page(input.rest()),
        3 => any_fences(&mut input),
        4 => built_page(&mut input),
        5 => built_fences(&mut input),
        _ => {
            let rest = input.rest();
            let position = Position::from_bytes(rest);
            assert_eq!(position.is_some(), (1..=16).contains(&rest.len()));
            assert!(position.is_none_or(|position| position.as_bytes() == rest));
        }
    }
});

fn any_delta(bytes: &[u8]) {
    // A record whose `Debug` would show a name is told by its length here.
    let read = |bytes: &[u8]| DeltaRecord::decode(bytes).map(Hidden);
    canonical(bytes, read, |Hidden(record)| {
        DeltaRecord::encode(&record.name, record.facts.as_ref())
    });
}

struct Hidden(DeltaRecord);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "a name of {} bytes, {:?}",
            self.0.name.len(),
            self.0.facts
        )
    }
}

type Names = BTreeMap<Vec<u8>, Option<NameFacts>>;

/// Walks a page to its end or to the first entry that is none, names ascending.
fn walk(page: &Page) -> (Names, bool) {
    let mut cursor = PageCursor::default();
    let mut found = Names::new();
    let mut last = Vec::new();
    loop {
        match page.step(&mut cursor) {
            Ok(true) => {
                assert!(cursor.name() > last.as_slice() && cursor.name().len() <= 1024);
                last = cursor.name().to_vec();
                found.insert(last.clone(), cursor.facts().copied());
            }
            Ok(false) => return (found, true),
            Err(_) => return (found, false),
        }
    }
}

fn any_page(bytes: &[u8]) {
    let Ok(page) = Page::decode(bytes.to_vec()) else {
        return;
    };
    assert!(page.weight() < bytes.len() + 1024);
    let (names, whole) = walk(&page);
    for target in names.keys().chain([&b"m".to_vec()]) {
        let mut cursor = PageCursor::default();
        if let Ok(true) = page.seek(&mut cursor, target) {
            assert!(cursor.name() >= target.as_slice());
        }
    }
    if whole && !names.is_empty() {
        let mut builder = PageBuilder::new(60_000);
        for (name, facts) in &names {
            assert!(
                builder.push(name, facts.as_ref()),
                "a page holds what a page held"
            );
        }
        let again = Page::decode(builder.take()).expect("it was built here");
        assert!(walk(&again) == (names, true));
    }
}

fn any_fences(input: &mut Input<'_>) {
    let target = input.bytes(20);
    let bytes = input.rest();
    if let Ok(fences) = Fences::decode(bytes) {
        assert!(fences.level() > 0 && fences.child(target).is_some());
        assert!(
            fences.weight() < 128 * 1024 + 8 * bytes.len(),
            "{} bytes",
            fences.weight()
        );
    }
}

fn built_page(input: &mut Input<'_>) {
    let mut builder = PageBuilder::new(1536 + input.below(14_848));
    let mut names = Names::new();
    while !input.is_empty() {
        names.insert(name(input), facts(input));
    }
    names.remove(b"".as_slice());
    let mut taken = Names::new();
    for (name, facts) in &names {
        if !builder.push(name, facts.as_ref()) {
            break;
        }
        taken.insert(name.clone(), *facts);
    }
    if taken.is_empty() {
        return;
    }
    let bytes = builder.take();
    assert!(bytes.len() % 256 == 0 && builder.is_empty());
    let page = Page::decode(bytes).expect("it was built here");
    assert_eq!(usize::from(page.count()), taken.len());
    assert!(walk(&page) == (taken.clone(), true));
    for target in names.keys() {
        let mut cursor = PageCursor::default();
        let expected = taken.range(target.clone()..).next();
        let found = page.seek(&mut cursor, target).expect("it was built here");
        assert_eq!(found, expected.is_some());
        if let Some((name, facts)) = expected {
            assert!(cursor.name() == name && cursor.facts() == facts.as_ref());
        }
    }
}

fn built_fences(input: &mut Input<'_>) {
    let (level, page_bytes) = (input.u8().max(1), 1536 + input.below(14_848));
    let mut names: Vec<Vec<u8>> = vec![Vec::new()];
    while !input.is_empty() {
        names.push(name(input));
    }
    names.sort();
    names.dedup();
    let mut builder = FencesBuilder::new(level, page_bytes);
    let mut taken = Vec::new();
    for (child, name) in (0_u32..).zip(&names) {
        if !builder.push(name, child) {
            break;
        }
        taken.push(name);
    }
    let fences = Fences::decode(&builder.take()).expect("it was built here");
    assert_eq!(fences.level(), level);
    for target in &names {
        let expected = taken.iter().rposition(|fence| *fence <= target);
        let child = fences.child(target).map(|child| child as usize);
        assert_eq!(child, expected);
    }
}
