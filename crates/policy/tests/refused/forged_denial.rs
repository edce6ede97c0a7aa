//! A denial made by hand, with another reason.

fn forged(denial: policy::Denial) -> policy::Denial {
    policy::Denial { reason: policy::Reason::NoPolicy, ..denial }
}

fn main() {
    let _ = forged;
}
