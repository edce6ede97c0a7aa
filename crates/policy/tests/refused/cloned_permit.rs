//! A permit copied, to be used twice.

fn copied(permit: &policy::Permit) -> policy::Permit {
    <policy::Permit as Clone>::clone(permit)
}

fn main() {
    let _ = copied;
}
