//! A chain of chunk signatures without a verified request, and one that is copied.

fn made(key: authn::SigningKey) -> authn::ChunkSignatures {
    authn::ChunkSignatures::new(key, String::new(), String::new(), &[0; 32])
}

fn copied(chain: &authn::ChunkSignatures) -> authn::ChunkSignatures {
    <authn::ChunkSignatures as Clone>::clone(chain)
}

fn main() {
    let _ = (made, copied);
}
