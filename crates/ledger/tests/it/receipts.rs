//! Receipts of erasures: what the log signed, and nothing else.

use host::Host;
use ledger::erasure::{DealingSaid, ErasureReceipt, OPERATION, OrderProof, subject_commitment};
use ledger::note::Note;
use ledger::tree::{Frontier, leaf_hash};
use ledger::{Checkpoint, Fields, Kind, Leaf, LogKeys, ReceiptError};
use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
use words::{CloudId, PartyName, SiteId, TenantId, UnixMillis, hex};

const LOG: &str = "clarence.example/receipts";

fn keys() -> LogKeys {
    LogKeys::from_seeds(LOG, &[5; 64]).unwrap()
}

/// A receipt over a log of two entries, the second of which is the order.
fn receipt(change: impl FnOnce(&mut Fields)) -> ErasureReceipt {
    let subject = subject_commitment(&[7; 32], "anna");
    let mut fields = Fields::new(Kind::Destroy, UnixMillis(5));
    fields.operation = Some(OPERATION.into());
    fields.resource = Some(hex::encode(&subject));
    fields.reason = Some("request 7".into());
    change(&mut fields);
    let entry_key = [9; 32];
    let leaf = Leaf::new(&fields.commit(&entry_key));
    let first = leaf_hash(b"another");
    let root = Frontier::of(&[first, leaf.hash()]).root();
    let checkpoint = Checkpoint {
        origin: LOG.into(),
        size: 2,
        root,
        time: None,
    };
    ErasureReceipt {
        cloud: CloudId::from_bytes([1; 16]),
        erasure: [2; 16],
        tenant: TenantId::from_bytes([3; 16]),
        subject,
        ordered: UnixMillis(5),
        objects: 2,
        uploads: 1,
        sites: SiteId::BOTH.to_vec(),
        born: 1,
        last: 2,
        moved: Some((3, UnixMillis(6))),
        dealings: vec![DealingSaid {
            root: 1,
            custody: b"custody".to_vec(),
            destroyed: vec![(PartyName::parse("ctie").unwrap(), b"statement".to_vec())],
        }],
        order: OrderProof {
            index: 1,
            leaf,
            shown: fields.show_order(&entry_key),
            path: vec![first],
            checkpoint: keys().sign(&checkpoint).unwrap().to_text().into_bytes(),
        },
        issued: UnixMillis(8),
    }
}

#[test]
fn a_receipt_reads_back_and_shows_only_what_it_says() {
    let keys = keys();
    let made = receipt(|_| {});
    let text = made.signed(&keys).unwrap();
    assert_eq!(
        ErasureReceipt::open(text.as_bytes(), keys.verifier()),
        Ok(made)
    );
    assert!(!text.contains("anna"));
    let unmoved = ErasureReceipt {
        moved: None,
        sites: Vec::new(),
        dealings: Vec::new(),
        ..receipt(|_| {})
    };
    let text = unmoved.signed(&keys).unwrap();
    assert_eq!(
        ErasureReceipt::open(text.as_bytes(), keys.verifier()),
        Ok(unmoved)
    );
}

#[test]
fn an_entry_that_is_not_the_order_does_not_pass() {
    let keys = keys();
    type Change = fn(&mut Fields);
    let changes: [Change; 4] = [
        |fields| fields.kind = Kind::Admin,
        |fields| fields.operation = Some("GetObject".into()),
        |fields| fields.resource = Some("00".into()),
        |fields| fields.resource = None,
    ];
    for change in changes {
        let text = receipt(change).signed(&keys).unwrap();
        let opened = ErasureReceipt::open(text.as_bytes(), keys.verifier());
        assert!(
            matches!(opened, Err(ReceiptError::OtherEntry(_))),
            "{opened:?}"
        );
    }
    let mut elsewhere = receipt(|_| {});
    elsewhere.order.path = vec![[0; 32]];
    let text = elsewhere.signed(&keys).unwrap();
    let opened = ErasureReceipt::open(text.as_bytes(), keys.verifier());
    assert_eq!(opened, Err(ReceiptError::NotIncluded));
}

#[test]
fn a_receipt_is_no_checkpoint_and_a_checkpoint_no_receipt() {
    let keys = keys();
    let made = receipt(|_| {});
    let text = made.signed(&keys).unwrap();
    assert!(keys.verifier().open(text.as_bytes()).is_err());
    let note = Note::parse(&made.order.checkpoint).unwrap();
    assert!(keys.verifier().open_text(&note).is_err());
    assert!(ErasureReceipt::open(&made.order.checkpoint, keys.verifier()).is_err());
    assert!(keys.sign_text(&format!("{LOG}\n1\n")).is_err());
    let others = LogKeys::generate(LOG, &Host::real()).unwrap();
    let opened = ErasureReceipt::open(text.as_bytes(), others.verifier());
    assert!(matches!(opened, Err(ReceiptError::Signature(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_changed_byte_passes(at in any::<proptest::sample::Index>(), flip in 1_u8..=255) {
        let keys = keys();
        let mut bytes = receipt(|_| {}).signed(&keys).unwrap().into_bytes();
        let place = at.index(bytes.len());
        bytes[place] ^= flip;
        prop_assert!(ErasureReceipt::open(&bytes, keys.verifier()).is_err(), "byte {}", place);
    }

    #[test]
    fn no_bytes_stop_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(ErasureReceipt::open(&bytes, keys().verifier()).is_err());
    }
}
