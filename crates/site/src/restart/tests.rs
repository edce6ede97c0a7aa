//! The other site and the exchange, with a clock that a test sets.

use super::docket::FileDocket;
use super::exchange;
use super::fault::RestartError;
use super::held;
use super::lease::DAY_MS;
use super::records::{HELD_FOLDER, Held, Own};
use host::{Clock, Host, OsRandom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tpm::{Blob, Policy};
use vault::RestartKeys;
use words::{CloudId, SiteId, UnixMillis};
use zeroize::Zeroizing;

const CLOUD: CloudId = CloudId::from_bytes([1; 16]);
const ID: [u8; 16] = [2; 16];
const NOW: u64 = 1_800_000_000_000;

pub struct SetClock(pub AtomicU64);

impl Clock for SetClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

pub fn host_at(now: u64) -> (Host, Arc<SetClock>) {
    let clock = Arc::new(SetClock(AtomicU64::new(now)));
    (
        Host::new(Arc::clone(&clock) as _, Arc::new(OsRandom)),
        clock,
    )
}

fn held() -> Held {
    Held {
        cloud: CLOUD,
        node: "node-1".into(),
        id: ID,
        lease: [3; 64],
        granted: UnixMillis(NOW),
        ends: UnixMillis(NOW + DAY_MS),
        latest: UnixMillis(NOW),
        released: 0,
        exchange: Zeroizing::new([4; 32]),
        half: Zeroizing::new([5; 32]),
        order: "an order".into(),
        cards: vec!["a card".into()],
    }
}

fn fingerprint(bytes: &[u8]) -> String {
    words::hex::encode(&ledger::tree::leaf_hash(bytes)[..8])
}

#[test]
fn records_come_back_and_every_flipped_byte_is_seen() {
    let own = Own {
        cloud: CLOUD,
        node: "node-1".into(),
        held_by: SiteId::B,
        id: ID,
        lease: [3; 64],
        granted: UnixMillis(1),
        ends: UnixMillis(2),
        latest: UnixMillis(1),
        policy: Policy::new(&[7, 11], 99).unwrap(),
        blob: Blob {
            public: vec![1; 90],
            private: vec![2; 120],
        },
        keys: RestartKeys {
            key_version: 1,
            wraps: [[6; 104]; 2],
        },
    };
    let bytes = own.encode();
    assert_eq!(Own::decode(&bytes), Ok(own));
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        assert!(
            Own::decode(&bad).is_err() && Own::decode(&bytes[..at]).is_err(),
            "byte {at}"
        );
    }
    // Version 1 as it was first written: it must open for ever.
    assert_eq!((bytes.len(), &bytes[..9]), (614, &b"CLRNREST\x01"[..]));
    assert_eq!(fingerprint(&bytes), "a0b380ce347d805a");
    let bytes = held().encode();
    let back = Held::decode(&bytes).unwrap();
    assert_eq!(back.encode(), bytes);
    assert_eq!((bytes.len(), &bytes[..9]), (263, &b"CLRNHALF\x01"[..]));
    assert_eq!(fingerprint(&bytes), "5c344848cb68cb5b");
    for at in 0..bytes.len() {
        let mut bad = bytes.to_vec();
        bad[at] ^= 1;
        assert!(Held::decode(&bad).is_err(), "byte {at}");
    }
}

#[test]
fn the_half_goes_only_to_whoever_knows_the_key_and_asked_this_question() {
    let (host, _) = host_at(NOW);
    let (key, half) = ([4; 32], [5; 32]);
    let question = exchange::ask(&key, CLOUD, &ID, &host);
    let (id, sealed) = exchange::about(&question.bytes).unwrap();
    assert_eq!(id, ID);
    let answer = exchange::answer(&key, CLOUD, &id, sealed, &half, &host).unwrap();
    assert_eq!(*question.read(&answer, &key, CLOUD, &ID).unwrap(), half);
    assert!(!answer.windows(8).any(|part| part == &half[..8]));
    // An answer to another question, recorded and given again.
    let later = exchange::ask(&key, CLOUD, &ID, &host);
    assert!(matches!(
        later.read(&answer, &key, CLOUD, &ID),
        Err(RestartError::Answer)
    ));
    // Without the own half there is no key.
    let stranger = exchange::ask(&[9; 32], CLOUD, &ID, &host);
    let (_, sealed) = exchange::about(&stranger.bytes).unwrap();
    let refused = exchange::answer(&key, CLOUD, &ID, sealed, &half, &host);
    assert!(matches!(refused, Err(RestartError::Stranger)));
    let (_, sealed) = exchange::about(&question.bytes).unwrap();
    let other = CloudId::from_bytes([7; 16]);
    assert!(exchange::answer(&key, other, &ID, sealed, &half, &host).is_err());
    assert!(exchange::answer(&key, CLOUD, &[8; 16], sealed, &half, &host).is_err());
    for end in 0..question.bytes.len() {
        assert!(exchange::about(&question.bytes[..end]).is_err());
    }
}

#[test]
fn a_clock_that_jumps_back_does_not_revive_an_expired_lease() {
    let folder = tempfile::tempdir().unwrap();
    let (host, clock) = host_at(NOW);
    held::keep(folder.path(), &held()).unwrap();
    let look = || -> Result<UnixMillis, RestartError> {
        let mut found = held::find(folder.path(), &ID)?;
        held::look(folder.path(), &mut found, host.now())
    };
    let hour = 3_600_000;
    clock.0.store(NOW + 23 * hour, Ordering::SeqCst);
    assert_eq!(look().unwrap().0, NOW + 23 * hour);
    // Set back: the time that was seen counts.
    clock.0.store(NOW + hour, Ordering::SeqCst);
    assert_eq!(look().unwrap().0, NOW + 23 * hour);
    clock.0.store(NOW + 24 * hour, Ordering::SeqCst);
    let path = folder
        .path()
        .join(HELD_FOLDER)
        .join(format!("{}.half", "02".repeat(16)));
    assert!(path.exists());
    assert!(matches!(look(), Err(RestartError::Over(_))));
    assert!(!path.exists(), "the half is destroyed");
    clock.0.store(NOW + hour, Ordering::SeqCst);
    assert!(matches!(look(), Err(RestartError::NoHalf)));
    // Even a copy of the half that was put back: the docket has seen the end.
    held::keep(folder.path(), &held()).unwrap();
    assert!(matches!(look(), Err(RestartError::Over(_))));
    assert!(!path.exists());
}

#[test]
fn the_docket_is_kept_and_a_damaged_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut docket = FileDocket::open(folder.path()).unwrap();
    assert_eq!(docket.see(UnixMillis(9)).unwrap(), UnixMillis(9));
    assert_eq!(docket.see(UnixMillis(3)).unwrap(), UnixMillis(9));
    let mut again = FileDocket::open(folder.path()).unwrap();
    assert_eq!(again, docket);
    assert_eq!(again.see(UnixMillis(4)).unwrap(), UnixMillis(9));
    let path = folder.path().join(HELD_FOLDER).join("docket.clr");
    let mut bytes = host::files::read(&path, 1000).unwrap().unwrap();
    bytes[12] ^= 1;
    host::files::write_durable(&path, &bytes, 0o600).unwrap();
    assert!(matches!(
        FileDocket::open(folder.path()),
        Err(RestartError::Record { .. })
    ));
}
