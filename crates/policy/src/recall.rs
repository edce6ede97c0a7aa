//! Decisions made within the running second, so that a busy client costs Cedar's twenty microseconds
//! once a second and not once a request.
//!
//! Nothing can be stale: a decision is kept under every input Cedar is given, the time included, which
//! Cedar is given as the last millisecond of the second. A key therefore ends exactly at a whole second
//! and otherwise up to a second early, never late. Failures are not kept.

use crate::action::{Action, Resource};
use crate::decide::Reason;
use authn::{Caller, Credential};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use words::{AccessKeyId, UnixMillis};

/// Most decisions that are kept; the ones beyond are made each time.
const DECISIONS_MAX: usize = 4096;

/// What Cedar said: the permitting policies, or why not.
pub(crate) type Said = Result<Arc<[String]>, Reason>;

/// All that Cedar is given, but the time.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Facts {
    access_key: AccessKeyId,
    credential: Credential,
    action: Action,
    resource: Resource,
}

impl Facts {
    pub fn of(caller: &Caller, action: Action, resource: &Resource) -> Self {
        Self {
            access_key: caller.access_key().clone(),
            // The outer policies know nothing of documents.
            credential: Credential {
                standing: [0; 32],
                ..*caller.credential()
            },
            action,
            resource: *resource,
        }
    }
}

#[derive(Default)]
struct Second {
    second: u64,
    said: HashMap<Facts, Said>,
}

/// The decisions of one second.
#[derive(Default)]
pub(crate) struct Recall(Mutex<Second>);

impl Recall {
    /// What was said in this second to these facts, or else what `ask` says now.
    pub fn or_ask(
        &self,
        facts: Facts,
        now: UnixMillis,
        ask: impl FnOnce(UnixMillis) -> Said,
    ) -> Said {
        if let Some(said) = self.find(&facts, now.seconds()) {
            return said;
        }
        let said = ask(UnixMillis((now.seconds() * 1000).saturating_add(999)));
        if !matches!(said, Err(Reason::Diagnostic(_))) {
            self.keep(facts, now.seconds(), said.clone());
        }
        said
    }

    fn find(&self, facts: &Facts, second: u64) -> Option<Said> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.second == second {
            kept.said.get(facts).cloned()
        } else {
            None
        }
    }

    fn keep(&self, facts: Facts, second: u64, said: Said) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.second != second {
            kept.said.clear();
            kept.second = second;
        }
        if kept.said.len() < DECISIONS_MAX {
            kept.said.insert(facts, said);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::TenantId;

    fn facts(number: u64, suspended: bool) -> Facts {
        let mut owner = [0; 16];
        owner[..8].copy_from_slice(&number.to_be_bytes());
        let tenant = TenantId::from_bytes(owner);
        Facts {
            access_key: AccessKeyId::parse("AKIAIOSFODNN7EXAMPLE").unwrap(),
            credential: Credential {
                tenant,
                suspended,
                not_after: None,
                standing: [0; 32],
            },
            action: Action::GetObject,
            resource: Resource::account(tenant),
        }
    }

    #[test]
    fn kept_for_the_second_and_for_the_same_facts_only() {
        let recall = Recall::default();
        let mut asked = Vec::new();
        for (suspended, at) in [
            (false, 1000),
            (false, 1999),
            (true, 1999),
            (false, 2000),
            (false, 1999),
        ] {
            let _ = recall.or_ask(facts(1, suspended), UnixMillis(at), |now| {
                asked.push((suspended, at, now.0));
                Ok(Arc::from(["p".to_owned()]))
            });
        }
        assert_eq!(
            asked,
            [
                (false, 1000, 1999),
                (true, 1999, 1999),
                (false, 2000, 2999),
                (false, 1999, 1999)
            ]
        );
    }

    #[test]
    fn failures_are_not_kept_and_room_is_bounded() {
        let recall = Recall::default();
        for _ in 0..2 {
            let mut asked = false;
            let _ = recall.or_ask(facts(1, false), UnixMillis(0), |_| {
                asked = true;
                Err(Reason::Diagnostic("broken".to_owned()))
            });
            assert!(asked);
        }
        for number in 0..DECISIONS_MAX as u64 + 100 {
            let _ = recall.or_ask(facts(number, false), UnixMillis(0), |_| {
                Err(Reason::NoPolicy)
            });
        }
        assert_eq!(recall.0.lock().unwrap().said.len(), DECISIONS_MAX);
    }
}
