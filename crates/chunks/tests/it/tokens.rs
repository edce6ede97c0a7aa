//! What must not compile.

#[test]
fn plaintext_has_no_way_in() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
