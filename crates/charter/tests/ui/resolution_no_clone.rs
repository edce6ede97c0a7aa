fn twice(one: &charter::approval::Resolution) -> charter::approval::Resolution {
    one.clone()
}

fn main() {}
