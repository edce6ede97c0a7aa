//! A caller copied, to be decided upon twice.

fn copied(caller: &authn::Caller) -> authn::Caller {
    <authn::Caller as Clone>::clone(caller)
}

fn main() {
    let _ = copied;
}
