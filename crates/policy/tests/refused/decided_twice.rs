//! A caller kept after the decision, for another one that nobody sees.

fn twice(policies: &policy::Policies, caller: authn::Caller, action: policy::Action, resource: policy::Resource) {
    let now = words::UnixMillis(0);
    let _ = policies.decide(caller, action, resource, now);
    let _ = policies.decide(caller, action, resource, now);
}

fn main() {
    let _ = twice;
}
