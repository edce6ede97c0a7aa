//! A caller made by hand.

fn main() {
    let _ = authn::Caller {
        access_key: words(),
    };
}

fn words() -> String {
    String::new()
}
