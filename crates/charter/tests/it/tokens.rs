//! A resolution cannot be made by hand, copied, or used twice: each of these programs must fail to compile.

#[test]
fn resolutions_are_not_forged() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
