//! Amendments: from the founding to now, and every broken link is named.

use super::joint::{House, key, member, sign_all};
use super::world::party;
use charter::approval::{Bearer, KeyFile};
use charter::law::{Chain, ChainError, DeedError};
use charter::{Charter, Deed, Terms};

/// The next terms after `before`, changed as a person would in the text.
fn next(before: &Charter, change: impl Fn(String) -> String) -> Terms {
    let terms = before.terms().unwrap();
    let text = change(terms.to_text());
    let next = Terms::parse_draft(&text).unwrap();
    next.amending(terms.number(), before.digest())
}

fn all(house: &House) -> impl Iterator<Item = &KeyFile> {
    house.parties.iter().chain([&house.patron])
}

fn longer_cool_off(text: String) -> String {
    text.replacen("cool_off_hours = 24", "cool_off_hours = 48", 1)
}

#[test]
fn a_chain_holds_from_the_founding_to_now() {
    let house = House::new(None);
    let second = sign_all(next(&house.charter, longer_cool_off), all(&house));
    let now = Chain::verify(house.charter.clone(), std::slice::from_ref(&second)).unwrap();
    assert_eq!(now.in_force().terms().unwrap().number(), 2);
    assert_eq!(now.founding(), house.charter.digest());

    // A fourth party joins: it signs too.
    let newcomer = key(Bearer::Party(party("post")), 3);
    let with_post = |text: String| {
        let alone = Terms::usual(
            "x",
            "x",
            2,
            &charter::law::Jurisdiction::parse("lu").unwrap(),
            vec![member(&newcomer), member(&house.parties[0])],
            member(&house.patron),
        );
        let alone = alone.unwrap().to_text();
        let from = alone.find("\n[[parties]]").unwrap();
        let to = alone.rfind("\n[[parties]]").unwrap();
        format!("{text}{}", &alone[from..to])
    };
    let third = next(now.in_force(), with_post);
    let signed = sign_all(third.clone(), all(&house).chain([&newcomer]));
    let papers = [second.clone(), signed];
    let now = Chain::verify(house.charter.clone(), &papers)
        .unwrap()
        .into_in_force();
    assert_eq!(now.parties().len(), 4);
    assert_eq!(Deed::parse(&now.to_toml()).unwrap(), papers[1]);

    let without = sign_all(third, all(&house));
    assert_eq!(
        Chain::verify(house.charter.clone(), &[second, without]),
        Err(ChainError::Consent {
            link: 3,
            by: party("post")
        })
    );
}

#[test]
fn a_party_takes_a_new_key_by_the_quorum_and_its_own_hand() {
    let house = House::with(|terms| {
        // Four of four are asked for R4 by default; here two parties and the patron may change the charter.
        let text = terms.to_text();
        let at = text.find("class = \"R4\"").unwrap();
        let (head, tail) = text.split_at(at);
        let tail = tail.replacen("parties = 3\npersons = 3", "parties = 2\npersons = 2", 1);
        Terms::parse_draft(&format!("{head}{tail}")).unwrap()
    });
    let fresh = key(Bearer::Party(party("proximus")), 4);
    let encoded = |key: &KeyFile| {
        let mut lines = Vec::new();
        let mut take = false;
        let alone = Terms::usual(
            "x",
            "x",
            2,
            &charter::law::Jurisdiction::parse("lu").unwrap(),
            vec![member(&house.parties[0]), member(key)],
            member(&house.patron),
        );
        for line in alone.unwrap().to_text().lines() {
            take = take || line == "name = \"proximus\"";
            if take && !line.starts_with("name") {
                lines.push(line.to_owned());
            }
        }
        lines.join("\n")
    };
    let (old, new) = (encoded(&house.parties[2]), encoded(&fresh));
    let terms = next(&house.charter, |text| text.replacen(&old, &new, 1));
    let [ctie, luxconnect, _] = house.parties.as_slice() else {
        panic!()
    };
    let chain = |keys: &[&KeyFile]| {
        let deed = sign_all(terms.clone(), keys.iter().copied());
        Chain::verify(house.charter.clone(), &[deed])
    };
    assert!(chain(&[ctie, luxconnect, &house.patron, &fresh]).is_ok());
    assert_eq!(
        chain(&[ctie, luxconnect, &house.patron]),
        Err(ChainError::Consent {
            link: 2,
            by: party("proximus")
        })
    );
    // The new key has no voice in the quorum that brings it in.
    let said = chain(&[ctie, &house.patron, &fresh])
        .unwrap_err()
        .to_string();
    assert!(said.contains("ctie, minister signed"), "{said}");
}

#[test]
fn every_broken_link_is_named() {
    let house = House::new(None);
    let founding = || house.charter.clone();
    let good = sign_all(next(&house.charter, longer_cool_off), all(&house));
    let now = Chain::verify(founding(), std::slice::from_ref(&good))
        .unwrap()
        .into_in_force();
    let third = sign_all(
        next(&now, |text| {
            text.replacen("\"lu\"\npurpose", "\"lux\"\npurpose", 1)
        }),
        all(&house),
    );
    assert!(Chain::verify(founding(), &[good.clone(), third.clone()]).is_ok());

    let said = |papers: &[Deed]| Chain::verify(founding(), papers).unwrap_err();
    assert_eq!(
        said(std::slice::from_ref(&third)),
        ChainError::Number { link: 2, found: 3 }
    );
    assert_eq!(
        said(&[good.clone(), good.clone()]),
        ChainError::Number { link: 3, found: 2 }
    );

    let other = House::new(Some("ctie AND proximus"));
    let elsewhere = sign_all(next(&other.charter, longer_cool_off), all(&house));
    assert_eq!(
        said(&[elsewhere]),
        ChainError::Broken {
            link: 2,
            named: other.charter.digest(),
            before: house.charter.digest()
        }
    );
    let few = sign_all(
        next(&house.charter, longer_cool_off),
        house.parties.iter().take(2),
    );
    let text = said(&[few]).to_string();
    assert!(
        text.contains("charter 2 of the chain: ctie, luxconnect signed; the charter before asks for ctie AND luxconnect AND proximus, and 2 of (ctie, luxconnect, proximus), and the patron minister"),
        "{text}"
    );
    let nobody = Deed::unsigned(next(&house.charter, longer_cool_off));
    assert!(said(&[nobody]).to_string().contains("nobody signed"));

    let stranger = key(Bearer::Party(party("ctie")), 9);
    let forged = sign_all(
        next(&house.charter, longer_cool_off),
        all(&house).chain([&stranger]),
    );
    assert!(matches!(
        said(&[forged]),
        ChainError::Deed {
            link: 2,
            why: DeedError::Stranger { .. }
        }
    ));
    // Signatures of the amendment, put under other terms.
    let text = good.to_text();
    let moved = text.replacen("cool_off_hours = 48", "cool_off_hours = 49", 1);
    let error = Deed::parse(&moved).unwrap_err().to_string();
    assert!(
        error.contains("cool_off_hours = 49") && error.contains("line "),
        "{error}"
    );

    assert_eq!(
        Chain::verify(Charter::default(), std::slice::from_ref(&good)),
        Err(ChainError::NoKeys)
    );
    assert!(matches!(
        Chain::verify(founding(), &vec![good.clone(); 1001]),
        Err(ChainError::TooLong(1001))
    ));
    // An amendment alone founds nothing.
    let said = Charter::parse(&good.to_text()).unwrap_err().to_string();
    assert!(said.contains("number 2 of a chain"), "{said}");
}
