//! A caller made by hand.

fn forged(
    access_key: words::AccessKeyId,
    credential: authn::Credential,
    method: String,
    raw_path: String,
) -> authn::Caller {
    authn::Caller { access_key, credential, request_digest: [0; 32], method, raw_path }
}

fn main() {
    let _ = forged;
}
