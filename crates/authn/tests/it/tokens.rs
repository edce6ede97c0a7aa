//! What must not compile: a `Caller` from anywhere but a checked signature, a `Caller` used twice, and a
//! chain of chunk signatures that is copied or made by hand.

#[test]
fn tokens_cannot_be_forged() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
