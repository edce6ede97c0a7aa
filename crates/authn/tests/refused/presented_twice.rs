//! A presented request verified twice, as by a loop over guessed secrets.

fn twice(presented: authn::Presented, key: &authn::SigningKey, credential: authn::Credential, now: words::UnixMillis) {
    let _ = authn::verify_with(presented, key, credential, now);
    let _ = authn::verify_with(presented, key, credential, now);
}

fn main() {
    let _ = twice;
}
