//! What store and mirror keep in the catalog: objects, their sealed facts, manifests, parts, uploads, garbage
//! and debts. One spelling each, and no more memory than the row is long.
#![no_main]

use bytes::Bytes;
use fuzz::{Input, bounded, canonical};
use libfuzzer_sys::fuzz_target;
use mirror::record::debt;
use mirror::{ChunkRef, DebtRow};
use store::record::chunk_list::SegmentPlace;
use store::record::garbage::{self, Garbage};
use store::record::manifest;
use store::record::meta::Meta;
use store::record::object::ObjectRow;
use store::record::part::{self, PartRow};
use store::record::upload::{self, UploadRow};
use words::wire::{Reader, Writer};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let kind = input.u8() % 10;
    let bytes = input.rest();
    match kind {
        0 => {
            let stored = Bytes::copy_from_slice(bytes);
            canonical(bytes, |_| ObjectRow::decode(&stored), ObjectRow::encode);
        }
        1 => {
            canonical(bytes, Meta::decode, Meta::encode);
        }
        2 => {
            canonical(bytes, manifest::decode, |lines| manifest::encode(lines));
        }
        3 => {
            canonical(bytes, PartRow::decode, PartRow::encode);
        }
        4 => {
            canonical(bytes, UploadRow::decode, UploadRow::encode);
        }
        5 => {
            canonical(bytes, Garbage::decode, Garbage::encode);
        }
        6 => segment_place(bytes),
        7 => {
            canonical(bytes, DebtRow::decode, DebtRow::encode);
        }
        8 => {
            canonical(bytes, debt::parse_key, |(site, chunk)| {
                debt::debt_key(*site, *chunk)
            });
        }
        _ => keys(bytes),
    }
});

fn segment_place(bytes: &[u8]) {
    let mut reader = Reader::bare(bytes);
    let Ok(place) = SegmentPlace::read(&mut reader) else {
        return;
    };
    let used = bytes.len() - reader.remaining();
    assert_eq!(place.write(Writer::bare()).finish(), bytes[..used]);
    let listed: u64 = place
        .chunks
        .iter()
        .map(|chunk| u64::from(chunk.bytes))
        .sum();
    assert_eq!(place.is_whole(), listed == place.segment.sealed_bytes);
    for chunk in &place.chunks {
        let written = chunk.write(Writer::bare()).finish();
        assert_eq!(ChunkRef::read(&mut Reader::bare(&written)), Ok(*chunk));
    }
}

/// What is read out of keys.
fn keys(key: &[u8]) {
    for error in [
        garbage::due_in(key).err(),
        part::number_in(key).err(),
        upload::version_in(key).err(),
    ] {
        error.iter().for_each(bounded);
    }
}
