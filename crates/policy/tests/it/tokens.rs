//! What must not compile: a permit or a denial made by hand, a permit copied, and a caller who is decided
//! upon twice.

#[test]
fn tokens_cannot_be_forged() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
