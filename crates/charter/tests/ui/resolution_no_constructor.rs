fn forge(signed: charter::approval::SignedRequest) -> charter::approval::Resolution {
    charter::approval::Resolution { signed }
}

fn main() {}
