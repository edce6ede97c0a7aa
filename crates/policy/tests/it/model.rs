//! Every combination of facts against a plain model of what the policies mean.

use crate::caller::{BUCKET, NOW, OTHER, TENANT, caller};
use policy::{Action, Policies, Reason, Resource, Show};
use words::UnixMillis;

#[test]
fn every_combination_of_facts() {
    let policies = Policies::embedded().unwrap();
    let ends = [
        None,
        Some(0),
        Some(NOW.0 - 1),
        Some(NOW.0),
        Some(NOW.0 + 999),
        Some(NOW.0 + 1000),
        Some(u64::MAX),
    ];
    for action in Action::ALL {
        for (owner, bucket) in [
            (TENANT, None),
            (TENANT, Some(BUCKET)),
            (OTHER, None),
            (OTHER, Some(BUCKET)),
        ] {
            for (suspended, end) in [false, true].into_iter().flat_map(|s| ends.map(|e| (s, e))) {
                let resource = Resource { owner, bucket };
                let asked = caller(suspended, end.map(UnixMillis));
                let outcome = policies.decide(asked, *action, resource, NOW);
                let fits = bucket.is_some() == action.of_bucket();
                let expired = end.is_some_and(|end| NOW.0 + 999 >= end);
                // What only trust policies are asked is permitted to nobody here.
                let of_trust = [Action::TagSession, Action::SetSourceIdentity].contains(action);
                let allowed = fits && owner == TENANT && !suspended && !expired && !of_trust;
                let case = format!("{action:?} {resource:?} {suspended} {end:?}: {outcome:?}");
                assert_eq!(outcome.is_ok(), allowed, "{case}");
                match outcome {
                    Ok(permit) => {
                        assert_eq!(
                            (permit.action(), *permit.resource(), permit.at()),
                            (*action, resource, NOW)
                        );
                        assert_eq!(permit.policy_digest(), policies.digest());
                        assert_eq!(permit.policies().len(), 1, "{case}");
                        assert_eq!(permit.into_caller().tenant(), TENANT);
                    }
                    Err(denial) => {
                        let reason = match (fits, suspended, expired) {
                            (false, ..) => "diagnostic",
                            (true, true, _) => "key-suspended",
                            (true, false, true) => "key-expired",
                            (true, false, false) if owner == TENANT => "no-policy",
                            (true, false, false) => "not-owner",
                        };
                        assert_eq!(denial.reason().word(), reason, "{case}");
                        let hidden = reason == "not-owner" && bucket.is_some();
                        assert_eq!(denial.show() == Show::NotFound, hidden, "{case}");
                        assert_eq!(denial.into_caller().tenant(), TENANT);
                    }
                }
            }
        }
    }
}

/// What does not exist and what is another tenant's are told apart by nobody.
#[test]
fn nowhere_is_as_another_tenants() {
    let policies = Policies::embedded().unwrap();
    for action in Action::ALL.iter().filter(|a| a.of_bucket()) {
        for (suspended, not_after) in [(false, None), (true, None), (false, Some(UnixMillis(0)))] {
            let ask = |resource| {
                policies
                    .decide(caller(suspended, not_after), *action, resource, NOW)
                    .unwrap_err()
            };
            let (nowhere, other) = (
                ask(Resource::nowhere()),
                ask(Resource::bucket(OTHER, BUCKET)),
            );
            assert_eq!(nowhere.show(), other.show());
            assert_eq!(nowhere.reason(), other.reason());
        }
    }
}

/// A key whose end is a whole second ends exactly then, any other in the second before, none later.
#[test]
fn the_end_of_a_key_is_never_late() {
    let policies = Policies::embedded().unwrap();
    let account = Resource::account(TENANT);
    let ask = |end: u64, now: u64| {
        let asked = caller(false, Some(UnixMillis(end)));
        let outcome = policies.decide(asked, Action::ListBuckets, account, UnixMillis(now));
        outcome.map(|_| ()).map_err(|d| d.reason().clone())
    };
    assert_eq!(ask(5000, 4999), Ok(()));
    assert_eq!(ask(5000, 5000), Err(Reason::KeyExpired));
    assert_eq!(ask(5001, 4999), Ok(()));
    assert_eq!(ask(5001, 5000), Err(Reason::KeyExpired));
    assert_eq!(ask(u64::MAX, u64::MAX), Err(Reason::KeyExpired));
}

/// Asking again within a second gives the same answer without asking Cedar, and no answer of one key,
/// tenant, action or bucket is another's.
#[test]
fn decisions_do_not_mix() {
    let policies = Policies::embedded().unwrap();
    for _ in 0..3 {
        for (suspended, owner, good) in [
            (false, TENANT, true),
            (true, TENANT, false),
            (false, OTHER, false),
        ] {
            let resource = Resource::bucket(owner, BUCKET);
            let outcome =
                policies.decide(caller(suspended, None), Action::PutObject, resource, NOW);
            assert_eq!(outcome.is_ok(), good);
        }
    }
}

#[test]
fn the_digest_is_of_what_is_embedded() {
    let (one, two) = (Policies::embedded().unwrap(), Policies::embedded().unwrap());
    assert_eq!(one.digest(), two.digest());
    assert_ne!(one.digest(), &[0; 32]);
}
