//! A small log with accesses, and an answer about Anna over it.

use ledger::folder::Folder;
use ledger::{Fields, Kind, Leaf, LogKeys, Publisher};
use people::proof::Place;
use people::{
    Answer, Chain, ChainSaid, Draft, EntryProof, LineProof, Membership, PersonSet, Said, State,
};
use people::{OPERATION, shown_tags};
use std::collections::BTreeMap;
use std::sync::Arc;
use tempfile::TempDir;
use words::{CloudId, TenantId, TenantName, UnixMillis, hex};

pub const ANNA: &str = "1893120105732";
pub const OPENING: [u8; 32] = [0x0f; 32];
const TAX: TenantId = TenantId::from_bytes([1; 16]);
const LAND: TenantId = TenantId::from_bytes([2; 16]);
const NOW: u64 = 1_764_000_000_123;

pub fn keys() -> Arc<LogKeys> {
    Arc::new(LogKeys::from_seeds("clarence.example/ledger", &[9; 64]).unwrap())
}

pub fn chain() -> Chain {
    Chain::of(&[0x33; 32])
}

/// One entry with the key of its salts.
struct Entry(Fields, [u8; 32]);

pub struct Scene {
    entries: Vec<Entry>,
    folder: TempDir,
}

pub fn commitment() -> [u8; 32] {
    ledger::erasure::subject_commitment(&OPENING, ANNA)
}

impl Scene {
    /// A grant about Anna and its end, one that is about everybody, one that was broken off, an object of hers, and
    /// the answer's own entry; others between.
    pub fn new() -> Self {
        let mut all = Vec::new();
        let mut add = |kind, change: &dyn Fn(&mut Fields)| {
            let index = all.len() as u64;
            let mut fields = Fields::new(kind, UnixMillis(NOW + index));
            fields.node = Some("node".into());
            fields.actor = Some("CLRSECRETOFFICIAL".into());
            fields.tenant = Some(LAND);
            change(&mut fields);
            let mut key = [7; 32];
            key[..8].copy_from_slice(&index.to_be_bytes());
            all.push(Entry(fields, key));
        };
        let query = |fields: &mut Fields| {
            fields.operation = Some("Query".into());
            fields.resource = Some("residents".into());
            fields.columns = Some("nin,income:generalised".into());
            fields.purpose = Some("tax/assessment".into());
            fields.legal_basis = Some("eli/etat/leg/loi/1967/12/04/n1#art_4".into());
            fields.agreement = Some("1f2e3d4c5b6a7988".into());
            fields.provider = Some("tax-office".into());
            fields.consumer = Some("land-registry".into());
            fields.bytes = Some(4096);
        };
        for _ in 0..3 {
            add(Kind::Write, &|_| {});
        }
        add(Kind::Grant, &query); // 3
        let set = PersonSet::of(vec![chain().label(0), [0x77; 32], [0x11; 32]]);
        add(Kind::Close, &|fields| {
            fields.link = Some(3);
            fields.bytes = Some(1024);
            fields.rows = Some(3);
            fields.subject_set = Some(set.root());
        });
        add(Kind::Grant, &query); // 5
        add(Kind::Close, &|fields| {
            fields.link = Some(5);
            fields.rows = Some(1);
        });
        add(Kind::Grant, &query); // 7, broken off
        add(Kind::Grant, &|fields| {
            fields.operation = Some("GetObject".into());
            fields.resource = Some("files/anna".into());
            fields.subject_set = Some(PersonSet::of(vec![chain().label(1)]).root());
        });
        add(Kind::Usage, &|fields| {
            fields.tenant = Some(TAX);
            fields.operation = Some(OPERATION.into());
            fields.resource = Some(hex::encode(&commitment()));
            fields.subject_set = Some(PersonSet::of(vec![chain().label(2)]).root());
        });
        for _ in 0..300 {
            add(Kind::Write, &|_| {});
        }
        let folder = tempfile::tempdir().unwrap();
        let mut log = Publisher::open(folder.path(), keys()).unwrap();
        let leaves: Vec<Leaf> = all
            .iter()
            .map(|Entry(f, key)| Leaf::new(&f.commit(key)))
            .collect();
        log.publish(0, &leaves).unwrap();
        log.checkpoint(UnixMillis(NOW + 9_999)).unwrap();
        Self {
            entries: all,
            folder,
        }
    }

    pub fn checkpoint(&self) -> String {
        let note = Folder::at(self.folder.path()).checkpoint().unwrap();
        String::from_utf8(note.unwrap()).unwrap()
    }

    pub fn entry(&self, index: usize, whole: bool) -> EntryProof {
        let Entry(fields, key) = &self.entries[index];
        let folder = Folder::at(self.folder.path());
        let tags = shown_tags(fields.kind, fields.operation.as_deref(), whole);
        EntryProof {
            index: index as u64,
            leaf: Leaf::new(&fields.commit(key)),
            shown: fields.disclose(key, tags),
            path: folder
                .inclusion_proof(index as u64, self.entries.len() as u64)
                .unwrap(),
        }
    }

    pub fn lines(&self) -> Vec<LineProof> {
        let own = |counter: u64, grant: usize, close: Option<usize>, at: Membership| LineProof {
            name: format!("tenant/{counter}"),
            state: State::You,
            place: Some(Place {
                label: chain().label(counter),
                committed: chain().label(counter),
                at,
            }),
            grant: self.entry(grant, false),
            close: close.map(|close| self.entry(close, false)),
        };
        let whole = |n: u64, state, grant: usize, close: Option<usize>| LineProof {
            name: format!("whole/{n}"),
            state,
            place: None,
            grant: self.entry(grant, true),
            close: close.map(|close| self.entry(close, true)),
        };
        let set = PersonSet::of(vec![chain().label(0), [0x77; 32], [0x11; 32]]);
        vec![
            own(0, 3, Some(4), set.membership(&chain().label(0)).unwrap()),
            own(1, 8, None, Membership::alone()),
            own(2, 9, None, Membership::alone()),
            whole(0, State::Whole, 5, Some(6)),
            whole(1, State::Perhaps, 7, None),
        ]
    }

    pub fn said(&self) -> Said {
        Said {
            cloud: CloudId::from_bytes([5; 16]),
            tenant: (TAX, TenantName::parse("tax-office").unwrap()),
            subject: commitment(),
            asked: 9,
            issued: UnixMillis(NOW + 10_000),
            log: (0, [0; 32]),
            authorities: BTreeMap::from([
                (*TAX.as_bytes(), "tax-office".to_owned()),
                (*LAND.as_bytes(), "land-registry".to_owned()),
            ]),
            chains: vec![ChainSaid {
                name: "tenant".into(),
                count: 3,
                label_key: *chain().label_key(),
            }],
            whole: 2,
            lines: Vec::new(),
        }
    }

    pub fn draft(&self) -> Draft {
        Draft {
            said: self.said(),
            lines: self.lines(),
            checkpoint: self.checkpoint(),
            opening: OPENING,
        }
    }

    pub fn answer(&self) -> Answer {
        Answer::signed(self.draft(), &keys()).unwrap()
    }
}
