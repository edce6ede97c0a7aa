//! Envelopes open for whom they were sealed to and for nobody else, and another program's files open here.

use super::world::host;
use charter::envelope::{EnvelopeError, Identity, KeyTextError, Recipient, open, seal};
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

/// Made by `age-encryption` 0.3.1 (npm), the JavaScript implementation by the author of the format.
const THEIRS: &[u8] = include_bytes!("golden/envelope.age");
const THEIR_IDENTITY: &str = include_str!("golden/envelope.identity");
const THEIR_RECIPIENT: &str = include_str!("golden/envelope.recipient");

/// The example of the specification, <https://c2sp.org/age>.
const EXAMPLE: &str =
    "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR";

#[test]
fn what_another_program_sealed_opens_here() {
    let identity = Identity::parse(THEIR_IDENTITY).unwrap();
    assert_eq!(
        identity.recipient().unwrap().to_string(),
        THEIR_RECIPIENT.trim()
    );
    let plain = open(&identity, THEIRS).unwrap();
    assert_eq!(*plain, b"sealed by another program\n");
}

#[test]
fn the_example_of_the_specification_is_the_same_key() {
    let identity = Identity::parse(EXAMPLE).unwrap();
    assert_eq!(*identity.to_text(), EXAMPLE);
    let recipient = identity.recipient().unwrap().to_string();
    assert!(recipient.starts_with("age1pq1x34nzsvr0rxjsgdn8zgyhfe8j7ceq5r9rdelkjuh3y235"));
    assert!(recipient.ends_with("eq0d3fzv49zc0k"));
    assert_eq!(Recipient::parse(&recipient).unwrap().to_string(), recipient);
}

#[test]
fn each_recipient_opens_it_and_nobody_else() {
    let host = host(1);
    let [anna, ben, eve] = [(); 3].map(|()| Identity::generate(&host));
    let to = [anna.recipient().unwrap(), ben.recipient().unwrap()];
    let file = seal(&to, b"a share", &host).unwrap();
    assert_eq!(*open(&anna, &file).unwrap(), b"a share");
    assert_eq!(*open(&ben, &file).unwrap(), b"a share");
    assert_eq!(
        open(&eve, &file),
        Err(EnvelopeError::NotForYou { hybrid: 2 })
    );
    assert_eq!(seal(&[], b"", &host), Err(EnvelopeError::Limit));
}

#[test]
fn no_byte_can_be_changed() {
    let host = host(2);
    let identity = Identity::generate(&host);
    let file = seal(&[identity.recipient().unwrap()], b"a share", &host).unwrap();
    for at in 0..file.len() {
        let mut bad = file.clone();
        bad[at] ^= 1;
        assert!(open(&identity, &bad).is_err(), "byte {at}");
    }
    for cut in [0, 10, 100, file.len() - 24, file.len() - 1] {
        assert!(open(&identity, &file[..cut]).is_err(), "cut at {cut}");
    }
    let longer = [file.as_slice(), b"x"].concat();
    assert_eq!(open(&identity, &longer), Err(EnvelopeError::Content));
    assert_eq!(
        open(&identity, b"clarence share file, format 1\n"),
        Err(EnvelopeError::NotAnEnvelope)
    );
}

#[test]
fn keys_that_were_typed_wrongly_are_noticed() {
    let identity = Identity::generate(&host(3));
    let text = identity.to_text().to_string();
    assert_eq!(
        *Identity::parse(&text.to_ascii_lowercase())
            .unwrap()
            .to_text(),
        text
    );
    let swapped = format!("{}Q", &text[..text.len() - 1]);
    let wrong = if swapped == text {
        format!("{}P", &text[..text.len() - 1])
    } else {
        swapped
    };
    assert_eq!(Identity::parse(&wrong).unwrap_err(), KeyTextError::Damaged);
    let recipient = identity.recipient().unwrap().to_string();
    assert_eq!(
        Identity::parse(&recipient).unwrap_err(),
        KeyTextError::Other
    );
    assert_eq!(Recipient::parse(&text).unwrap_err(), KeyTextError::Other);
    assert_eq!(
        Recipient::parse("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj")
            .unwrap_err(),
        KeyTextError::Other,
        "a recipient that is not post-quantum"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_content_comes_back(seed: u64, length in 0usize..200_000, fill: u8) {
        let host = host(seed);
        let identity = Identity::generate(&host);
        let mut plain = vec![fill; length];
        if let Some(first) = plain.first_mut() {
            *first = first.wrapping_add(1);
        }
        let file = seal(&[identity.recipient().unwrap()], &plain, &host).unwrap();
        prop_assert_eq!(&*open(&identity, &file).unwrap(), &plain);
    }

    #[test]
    fn no_file_stops_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let identity = Identity::generate(&host(4));
        let header = [b"age-encryption.org/v1\n".as_slice(), &bytes].concat();
        prop_assert!(open(&identity, &bytes).is_err() && open(&identity, &header).is_err());
    }
}
