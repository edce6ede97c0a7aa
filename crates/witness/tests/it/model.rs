//! A witness against a model, over random sequences of honest and forked growth: it never cosigns two roots
//! of one size, nor a checkpoint that does not continue the one before.

use crate::support::{History, clock, good, witness};
use ledger::tree::{Hash, verify_consistency};
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use std::sync::atomic::Ordering;
use tempfile::tempdir;
use witness::Request;
use witness::answer::Answer;

const SIZE: u64 = 40;

#[derive(Clone, Debug)]
enum Old {
    Recorded,
    Any(u64),
}

#[derive(Clone, Debug)]
enum Proof {
    Right,
    Short,
    Flipped,
    OfTheOther,
}

#[derive(Clone, Debug)]
struct Step {
    branch: u8,
    old: Old,
    size: u64,
    proof: Proof,
    later: u64,
    reopen: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let old = prop_oneof![4 => Just(Old::Recorded), 1 => (0..=SIZE).prop_map(Old::Any)];
    let proof = prop_oneof![
        6 => Just(Proof::Right), 1 => Just(Proof::Short), 1 => Just(Proof::Flipped),
        1 => Just(Proof::OfTheOther)
    ];
    // The branch is taken seldom, so that a log grows a while before it forks.
    let branch = prop_oneof![7 => Just(0_u8), 1 => Just(1_u8)];
    let step = (branch, old, 0..=SIZE, proof, 0..5_u64, any::<bool>());
    let step = step.prop_map(|(branch, old, size, proof, later, reopen)| Step {
        branch,
        old,
        size,
        proof,
        later,
        reopen,
    });
    proptest::collection::vec(step, 1..24)
}

/// What the specification asks for, written down once more and without the code's help.
#[derive(Default)]
struct Model {
    recorded: u64,
    root: Option<Hash>,
    is_forked: bool,
}

impl Model {
    fn expect(&mut self, request: &Request, histories: &[History; 2]) -> u16 {
        let new = &request.checkpoint;
        if self.is_forked {
            return 403;
        }
        let recorded = self.recorded;
        let known = self.root.unwrap_or_else(|| histories[0].root(0));
        let branch = histories
            .iter()
            .position(|history| history.root(new.size) == new.root)
            .unwrap();
        let at_old = histories[branch].root(recorded.min(new.size));
        let is_right = request.proof == histories[branch].proof(recorded, new.size);
        let follows = new.size >= recorded && at_old == known && is_right;
        // Proven: two roots of one size, or a right proof that holds the other old root.
        let two_roots = self.root.is_some() && new.size == recorded && new.root != known;
        let shown = self.root.is_some()
            && new.size > recorded
            && recorded > 0
            && !recorded.is_power_of_two()
            && at_old != known
            && is_right;
        self.is_forked = two_roots || shown;
        if request.old > new.size {
            400
        } else if request.old != recorded {
            409
        } else if follows {
            self.recorded = new.size;
            self.root = Some(new.root);
            200
        } else {
            422
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_the_model_does_and_never_signs_two_histories(
        fork in 0..SIZE, steps in steps(),
    ) {
        let histories = [History::new(SIZE, SIZE, 0), History::new(SIZE, fork, 1)];
        let (folder, (hands, host)) = (tempdir().unwrap(), clock());
        let mut witness = witness(folder.path(), "w1.example", &host);
        let (mut model, mut cosigned) = (Model::default(), Vec::<(u64, Hash, u64)>::new());
        for step in steps {
            hands.0.fetch_add(step.later, Ordering::Relaxed);
            if step.reopen {
                drop(witness);
                witness = witness::Witness::open(folder.path(), host.clone()).unwrap();
            }
            let history = &histories[usize::from(step.branch)];
            let old = match step.old {
                Old::Recorded => model.recorded,
                Old::Any(old) => old,
            };
            let mut request = Request::new(old, history.proof(old, step.size), history.note(step.size)).unwrap();
            match step.proof {
                Proof::Right => {}
                Proof::Short => drop(request.proof.pop()),
                Proof::Flipped => if let Some(hash) = request.proof.last_mut() { hash[3] ^= 1 },
                Proof::OfTheOther => {
                    request.proof = histories[1 - usize::from(step.branch)].proof(old, step.size);
                }
            }
            let expected = model.expect(&request, &histories);
            let outcome = witness.cosign(request.to_text().as_bytes());
            if let Ok(lines) = &outcome {
                let time = good(&witness, &request.note.text, lines);
                cosigned.push((step.size, request.checkpoint.root, time));
            }
            prop_assert_eq!(Answer::to_request(outcome).status.as_u16(), expected, "{:?}", step);
        }
        for pair in cosigned.windows(2) {
            let ((old, old_root, before), (new, new_root, after)) = (pair[0], pair[1]);
            prop_assert!(old <= new && before <= after && after > 0);
            let follows = histories.iter().any(|history| {
                let proof = history.proof(old, new);
                history.root(old) == old_root
                    && verify_consistency((old, &old_root), (new, &new_root), &proof)
            });
            prop_assert!(follows, "{} does not continue {}", new, old);
        }
    }
}
