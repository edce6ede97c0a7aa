fn both(entry: ledger::Entry) -> [ledger::Receipt; 2] {
    [entry.settled(1), entry.settled(2)]
}

fn main() {}
