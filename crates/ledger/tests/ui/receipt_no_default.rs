fn main() {
    let _: ledger::Receipt = Default::default();
}
