//! A request that is presented, not verified, taken for a caller.

fn skipped(presented: authn::Presented) -> authn::Caller {
    presented.into()
}

fn main() {
    let _ = skipped;
}
