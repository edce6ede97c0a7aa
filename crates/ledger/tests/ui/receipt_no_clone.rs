fn twice(receipt: &ledger::Receipt) -> ledger::Receipt {
    receipt.clone()
}

fn main() {}
