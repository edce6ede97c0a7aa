//! What must not compile.

#[test]
fn nobody_else_says_that_a_chunk_is_durable() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
