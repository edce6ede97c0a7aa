//! A permit made by hand from a caller who was never decided upon.

fn forged(
    caller: authn::Caller,
    action: policy::Action,
    resource: policy::Resource,
    at: words::UnixMillis,
    policies: std::sync::Arc<[String]>,
) -> policy::Permit {
    policy::Permit { caller, action, resource, at, policies, policy_digest: [0; 32] }
}

fn main() {
    let _ = forged;
}
