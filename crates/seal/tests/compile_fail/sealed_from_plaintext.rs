//! Plaintext cannot be passed off as sealed bytes.
fn main() {
    let _ = seal::Sealed(Default::default());
    let _ = seal::Sealed::mint(Default::default());
}
