fn twice(entry: &ledger::Entry) -> ledger::Entry {
    entry.clone()
}

fn main() {}
