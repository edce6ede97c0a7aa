//! Whether a history is linearizable: whether each act on a key can be given one moment between its sending
//! and its answer at which it took effect, so that all answers are right. By the search of Wing and Gong
//! (1993), with the memory of states that Lowe (2017) added. Keys are independent, so each is checked alone.

use crate::history::{Act, Asked, Ended, Value};
use std::collections::BTreeSet;

/// A key whose history cannot have happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key {key} has no order of its acts that explains the answers:\n{acts}")]
pub struct NotLinearizable {
    /// The key.
    pub key: usize,
    /// Its acts.
    pub acts: String,
}

/// What a key holds, as far as the search knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Is(Value),
    /// A copy whose answer was lost may have put anything there.
    Anything,
}

impl State {
    fn could_be(self, value: Value) -> bool {
        match self {
            Self::Is(is) => is == value,
            Self::Anything => value.is_some(),
        }
    }
    fn exists(self) -> bool {
        self != Self::Is(None)
    }
}

/// The states after an act that ended so, from a state; empty if it cannot have ended so.
fn after(asked: Asked, ended: Ended, state: State) -> Vec<State> {
    let known = |value| State::Is(Some(value));
    match (asked, ended) {
        (_, Ended::Refused) => vec![state],
        (Asked::Read, Ended::Saw(value)) if state.could_be(value) => vec![State::Is(value)],
        (Asked::Read, Ended::Saw(_)) => vec![],
        (Asked::Read, _) => vec![state],
        (Asked::Put(value), Ended::Done | Ended::Unknown) => vec![known(value)],
        (Asked::Delete, Ended::Done | Ended::Unknown) => vec![State::Is(None)],
        (Asked::Copy, Ended::Saw(Some(value))) => vec![known(value)],
        (Asked::Copy, Ended::Unknown) => vec![State::Anything],
        (Asked::Create(value), Ended::Done | Ended::Unknown) if !state.exists() => {
            vec![known(value)]
        }
        (Asked::Create(_), Ended::ConditionFailed) if state.exists() => vec![state],
        (Asked::Swap(old, new), Ended::Done | Ended::Unknown) if state.could_be(Some(old)) => {
            vec![known(new)]
        }
        (Asked::Swap(old, _), Ended::ConditionFailed) if !matches!(state, State::Is(Some(is)) if is == old) =>
        {
            vec![state]
        }
        // An unknown conditional write whose condition did not hold did nothing.
        (Asked::Create(_) | Asked::Swap(..), Ended::Unknown) => vec![state],
        _ => vec![],
    }
}

fn may_never_have_happened(act: &Act) -> bool {
    matches!(act.ended, Ended::Unknown | Ended::Refused)
}

/// Checks every key.
pub fn check(acts: &[Act], keys: usize) -> Result<(), NotLinearizable> {
    for key in 0..keys {
        let mut of_key: Vec<&Act> = acts.iter().filter(|act| act.key == key).collect();
        // A read that was not answered and an act that was refused say nothing and did nothing.
        of_key.retain(|act| {
            act.ended != Ended::Refused
                && !(act.asked == Asked::Read && act.ended == Ended::Unknown)
        });
        of_key.sort_by_key(|act| act.sent);
        if !explained(&of_key) {
            let acts = of_key.iter().map(|act| format!("  {act:?}\n")).collect();
            return Err(NotLinearizable { key, acts });
        }
    }
    Ok(())
}

/// Searches for an order, depth first.
fn explained(acts: &[&Act]) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![(vec![0u64; acts.len().div_ceil(64)], State::Is(None))];
    while let Some((done, state)) = open.pop() {
        if !seen.insert((done.clone(), state)) {
            continue;
        }
        let left = |n: &usize| !is_set(&done, *n);
        if (0..acts.len())
            .filter(left)
            .all(|n| acts.get(n).is_none_or(|act| may_never_have_happened(act)))
        {
            return true;
        }
        // What was sent after another act was answered cannot come before it.
        let first_answer = (0..acts.len())
            .filter(left)
            .filter_map(|n| acts.get(n))
            .map(|act| act.answered)
            .min();
        for (n, act) in acts.iter().enumerate() {
            if is_set(&done, n) || first_answer.is_some_and(|first| act.sent > first) {
                continue;
            }
            for next in after(act.asked, act.ended, state) {
                let mut done = done.clone();
                set(&mut done, n);
                open.push((done, next));
            }
        }
    }
    false
}

fn is_set(bits: &[u64], n: usize) -> bool {
    bits.get(n / 64)
        .is_some_and(|word| word >> (n % 64) & 1 == 1)
}

fn set(bits: &mut [u64], n: usize) {
    if let Some(word) = bits.get_mut(n / 64) {
        *word |= 1 << (n % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(asked: Asked, ended: Ended, sent: u64, answered: u64) -> Act {
        Act {
            client: 0,
            key: 0,
            asked,
            ended,
            sent,
            answered,
            at_micros: 0,
        }
    }
    fn fits(acts: &[Act]) -> bool {
        check(acts, 1).is_ok()
    }

    #[test]
    fn what_happened_in_turn() {
        let put = |n, at| act(Asked::Put(n), Ended::Done, at, at + 1);
        let saw = |value, at| act(Asked::Read, Ended::Saw(value), at, at + 1);
        assert!(fits(&[
            saw(None, 0),
            put(1, 2),
            saw(Some(1), 4),
            put(2, 6),
            saw(Some(2), 8)
        ]));
        assert!(
            !fits(&[put(1, 0), saw(None, 2)]),
            "an acknowledged write is lost"
        );
        assert!(
            !fits(&[put(1, 0), put(2, 2), saw(Some(1), 4)]),
            "old data comes back to life"
        );
        assert!(
            !fits(&[put(1, 0), saw(Some(9), 2)]),
            "a body that nobody put there"
        );
        assert!(!fits(&[
            put(1, 0),
            act(Asked::Delete, Ended::Done, 2, 3),
            saw(Some(1), 4)
        ]));
    }

    #[test]
    fn what_happened_at_once() {
        let saw = |value, sent, answered| act(Asked::Read, Ended::Saw(value), sent, answered);
        let put = act(Asked::Put(1), Ended::Done, 0, 10);
        assert!(fits(&[put.clone(), saw(None, 1, 2), saw(Some(1), 3, 4)]));
        assert!(
            !fits(&[put, saw(Some(1), 1, 2), saw(None, 3, 4)]),
            "seen, and then not seen"
        );
        let create = |n| act(Asked::Create(n), Ended::Done, 0, 10);
        assert!(
            !fits(&[create(1), create(2)]),
            "two creators cannot both win"
        );
        let lost = act(Asked::Create(2), Ended::ConditionFailed, 0, 10);
        assert!(fits(&[create(1), lost.clone()]));
        assert!(!fits(&[lost]), "nothing was there");
    }

    #[test]
    fn what_nobody_knows() {
        let saw = |value, at| act(Asked::Read, Ended::Saw(value), at, at + 1);
        let unknown = act(Asked::Put(1), Ended::Unknown, 0, u64::MAX);
        assert!(fits(&[unknown.clone(), saw(None, 2)]));
        assert!(
            fits(&[unknown.clone(), saw(None, 2), saw(Some(1), 4)]),
            "it may take effect late"
        );
        assert!(
            !fits(&[unknown, saw(Some(1), 2), saw(None, 4)]),
            "and cannot be undone"
        );
        let swap = act(Asked::Swap(1, 2), Ended::Unknown, 4, u64::MAX);
        let put = act(Asked::Put(1), Ended::Done, 0, 1);
        assert!(fits(&[put.clone(), swap.clone(), saw(Some(2), 6)]));
        assert!(!fits(&[put, swap, saw(Some(3), 6)]));
        let refused = act(Asked::Put(1), Ended::Refused, 0, 1);
        assert!(
            !fits(&[refused, saw(Some(1), 2)]),
            "what was refused must not have happened"
        );
    }
}
