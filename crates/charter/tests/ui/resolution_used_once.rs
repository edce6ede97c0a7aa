fn both(one: charter::approval::Resolution) -> [charter::approval::Order; 2] {
    [one.into(), one.into()]
}

fn main() {}
