//! The proof tokens cannot be copied or made by hand: programs that try do not compile.

#[test]
fn tokens_cannot_be_forged() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

#[test]
fn an_entry_becomes_a_receipt_for_its_leaf() {
    let fields = crate::cost::typical();
    let entry = ledger::Entry::prepare(fields.commit(&[1; 32]), b"sealed".to_vec());
    let leaf = *entry.leaf();
    assert_eq!(leaf.commitment(), fields.commit(&[1; 32]));
    let receipt = entry.settled(12);
    assert_eq!(receipt.index(), 12);
    assert_eq!(receipt.leaf_hash(), &leaf.hash());
    assert_eq!(ledger::row_key(258), [b'L', 0, 0, 0, 0, 0, 0, 1, 2]);
}
