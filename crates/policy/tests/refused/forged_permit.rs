//! A permit made by hand from a caller who was never decided upon.

fn forged(caller: authn::Caller, action: policy::Action, resource: policy::Resource) -> policy::Permit {
    policy::Permit { caller, action, resource, at: words::UnixMillis(0), policies: Vec::new(), policy_digest: [0; 32] }
}

fn main() {
    let _ = forged;
}
