fn main() {
    let _ = ledger::Commitment([0; 32]);
}
