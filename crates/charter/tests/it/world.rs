//! A host on one seed, and foundings made on it.

use charter::{Charter, Contribution, Founding, ShareFile, found};
use host::{Clock, Host, Random};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use words::{PartyName, UnixMillis};

struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_790_000_000_000)
    }
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

/// SplitMix64: good enough to tell values apart, and the same on every run.
struct Seeded(AtomicU64);

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ z >> 31).to_le_bytes()[..chunk.len()]);
        }
    }
}

pub fn host(seed: u64) -> Host {
    Host::new(Arc::new(StillClock), Arc::new(Seeded(AtomicU64::new(seed))))
}

pub fn party(name: &str) -> PartyName {
    PartyName::parse(name).unwrap()
}

pub fn charter_of(parties: u8, threshold: u8) -> Charter {
    let names = (1..=parties)
        .map(|n| party(&format!("party-{n}")))
        .collect();
    Charter::new("rehearsal", names, i64::from(threshold)).unwrap()
}

pub fn founded(charter: &Charter, seed: u64) -> Founding {
    let host = host(seed);
    let contributions = Contribution::draw_for_all(charter.parties(), &host);
    found(charter, &host, contributions).unwrap()
}

pub fn default_founding(seed: u64) -> Founding {
    founded(&Charter::default(), seed)
}

/// A second copy of a share, by way of its text.
pub fn copy(share: &ShareFile) -> ShareFile {
    ShareFile::parse(share.to_text().as_bytes()).unwrap()
}

/// The text of a share file with the checksum made right again, as a careful forger would.
pub fn with_right_checksum(text: &str) -> String {
    let body = &text[..text.rfind("checksum    ").unwrap()];
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA512_256);
    context.update(b"clarence/v1/share-file\0");
    context.update(body.as_bytes());
    let checksum = words::hex::encode(&context.finish().as_ref()[..16]);
    format!("{body}checksum    {checksum}\nend of clarence share file\n")
}
