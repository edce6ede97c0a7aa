//! Unsealing: wrong shares are refused by name, right ones are kept.

use super::world::{charter_of, copy, default_founding, founded, with_right_checksum};
use charter::{Founding, Progress, ShareFile, UnsealError, Unsealing};

fn begun(founding: &Founding) -> Unsealing {
    let mut unsealing = Unsealing::new(founding.transcript.custody().clone());
    unsealing.add(copy(&founding.shares[0].1)).unwrap();
    unsealing
}

fn completes(mut unsealing: Unsealing, founding: &Founding) {
    assert_eq!(unsealing.have(), 1, "the share given before is kept");
    match unsealing.add(copy(&founding.shares[2].1)).unwrap() {
        Progress::Complete(root) => assert_eq!(root.expose(), founding.root.expose()),
        Progress::Waiting { .. } => panic!("two shares must be enough"),
    }
}

/// luxconnect's file with another share in it, and all that the file itself can show made to fit.
fn forged(founding: &Founding) -> ShareFile {
    let text = founding.shares[1].1.to_text();
    let start = text.find("\nshare       ").unwrap() + 13;
    let mut forged = text.to_string();
    forged.replace_range(start..start + 4, "0000");
    let digits: String = forged
        .lines()
        .filter_map(|l| l.strip_prefix("share       "))
        .collect();
    let share = words::hex::decode(&digits.replace(' ', "")).unwrap();
    let custody = founding.transcript.custody();
    let binding = words::wire::Writer::bare()
        .raw(b"clarence/v1/share-digest\0")
        .raw(custody.cloud().as_bytes())
        .raw(custody.ceremony().as_bytes())
        .u32(1)
        .u8(2)
        .bytes(b"luxconnect")
        .raw(&share)
        .finish();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512_256, &binding);
    let right = custody.holders()[1].digest.to_string();
    let forged = forged.replace(&right, &words::hex::encode(digest.as_ref()));
    ShareFile::parse(with_right_checksum(&forged).as_bytes()).unwrap()
}

#[test]
fn a_share_of_another_cloud_is_refused() {
    let (here, there) = (default_founding(40), default_founding(41));
    let mut unsealing = begun(&here);
    let error = unsealing.add(copy(&there.shares[1].1)).unwrap_err();
    assert!(
        matches!(&error, UnsealError::OtherCloud { party, .. } if party.as_str() == "luxconnect")
    );
    assert!(
        error.to_string().contains(&there.cloud.to_string())
            && error.to_string().contains(&here.cloud.to_string())
    );
    completes(unsealing, &here);
}

#[test]
fn a_share_of_another_ceremony_is_refused() {
    let here = default_founding(42);
    let custody = here.transcript.custody().clone();
    let ceremony = custody.ceremony().to_string();
    let other = format!("{}{}", &ceremony[1..], &ceremony[..1]);
    // The digest covers the ceremony, so a file that names another one has to be made from that record.
    let record =
        charter::Custody::from_json(&custody.to_json().unwrap().replace(&ceremony, &other))
            .unwrap();
    let mut unsealing = Unsealing::new(record);
    let error = unsealing.add(copy(&here.shares[1].1)).unwrap_err();
    assert!(
        matches!(&error, UnsealError::OtherCeremony { party, .. } if party.as_str() == "luxconnect"),
        "{error}"
    );
}

#[test]
fn the_same_party_counts_once() {
    let founding = default_founding(43);
    let mut unsealing = begun(&founding);
    let error = unsealing.add(copy(&founding.shares[0].1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ctie has given its share already; the share of another party is needed"
    );
    assert_eq!(
        unsealing
            .given()
            .map(words::PartyName::as_str)
            .collect::<Vec<_>>(),
        ["ctie"]
    );
    completes(unsealing, &founding);
}

#[test]
fn a_forged_share_is_laid_at_its_holders_door() {
    let founding = default_founding(44);
    let mut unsealing = begun(&founding);
    let error = unsealing.add(forged(&founding)).unwrap_err();
    assert!(matches!(&error, UnsealError::WrongValue { party } if party.as_str() == "luxconnect"));
    completes(unsealing, &founding);
}

#[test]
fn without_a_record_a_forged_first_share_is_found_out_by_the_second() {
    let founding = default_founding(45);
    let liar = forged(&founding);
    let mut unsealing = Unsealing::new(liar.custody().clone());
    unsealing.add(liar).unwrap();
    let error = unsealing.add(copy(&founding.shares[0].1)).unwrap_err();
    assert!(matches!(&error, UnsealError::Disagrees { party } if party.as_str() == "ctie"));
}

#[test]
fn a_file_that_lies_about_the_rest_is_refused() {
    let founding = default_founding(46);
    let text = founding.shares[1]
        .1
        .to_text()
        .replace("cloud name  clarence", "cloud name  other");
    let lie = ShareFile::parse(with_right_checksum(&text).as_bytes()).unwrap();
    let mut unsealing = begun(&founding);
    let error = unsealing.add(lie).unwrap_err();
    assert!(matches!(&error, UnsealError::Disagrees { party } if party.as_str() == "luxconnect"));
    completes(unsealing, &founding);
}

#[test]
fn a_record_with_a_wrong_key_check_never_gives_a_root() {
    let founding = default_founding(47);
    let right = founding.transcript.custody().key_check().to_string();
    let wrong = "00".repeat(32);
    let rewrite = |share: &ShareFile| {
        let text = share.to_text().replace(&right, &wrong);
        ShareFile::parse(with_right_checksum(&text).as_bytes()).unwrap()
    };
    let mut unsealing = Unsealing::new(rewrite(&founding.shares[0].1).custody().clone());
    unsealing.add(rewrite(&founding.shares[0].1)).unwrap();
    let error = unsealing.add(rewrite(&founding.shares[1].1)).unwrap_err();
    assert_eq!(error, UnsealError::WrongRoot);
    assert_eq!(unsealing.have(), 1);
}

#[test]
fn a_party_of_another_record_is_no_holder() {
    let founding = default_founding(48);
    let json = founding
        .transcript
        .custody()
        .to_json()
        .unwrap()
        .replace("luxconnect", "post");
    let mut unsealing = Unsealing::new(charter::Custody::from_json(&json).unwrap());
    let error = unsealing.add(copy(&founding.shares[1].1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "luxconnect holds no share of this root; the holders are ctie, post, proximus"
    );
}

#[test]
fn forgetting_wipes_what_was_given() {
    let founding = founded(&charter_of(5, 4), 49);
    let mut unsealing = begun(&founding);
    unsealing.add(copy(&founding.shares[3].1)).unwrap();
    assert_eq!((unsealing.have(), unsealing.need()), (2, 4));
    unsealing.forget();
    assert_eq!(unsealing.have(), 0);
    unsealing.add(copy(&founding.shares[3].1)).unwrap();
}

#[test]
fn an_unsealing_can_be_done_again() {
    let founding = default_founding(50);
    let mut unsealing = begun(&founding);
    assert!(matches!(
        unsealing.add(copy(&founding.shares[1].1)),
        Ok(Progress::Complete(_))
    ));
    assert!(matches!(
        unsealing.add(copy(&founding.shares[1].1)),
        Ok(Progress::Waiting {
            have: 1,
            need: 2,
            lacks: None
        })
    ));
    completes(unsealing, &founding);
}
