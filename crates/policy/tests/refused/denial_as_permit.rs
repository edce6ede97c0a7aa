//! A denial taken for a permit.

fn used(denial: policy::Denial) -> policy::Permit {
    denial.into()
}

fn main() {
    let _ = used;
}
