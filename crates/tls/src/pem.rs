//! PEM, RFC 7468: written here, read by the library of TLS.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

const LINE_CHARACTERS: usize = 64;

/// One section. The text is wiped when it is dropped, because it may hold a private key.
pub fn encode(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    let lines = body.len() / LINE_CHARACTERS + 2;
    // The capacity is exact enough that the text never grows and leaves a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(
        body.len() + lines + 2 * label.len() + 40,
    ));
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(LINE_CHARACTERS));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

#[cfg(test)]
mod tests {
    use super::encode;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    #[test]
    fn the_library_reads_what_is_written() {
        for length in [0, 1, 47, 48, 49, 5000] {
            let der: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let text = encode("CERTIFICATE", &der);
            assert!(text.lines().all(|line| line.len() <= 64));
            let read = CertificateDer::from_pem_slice(text.as_bytes()).unwrap();
            assert_eq!(read.as_ref(), der);
        }
    }
}
