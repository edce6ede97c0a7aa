//! `clarence approver`: a person's key and card.

use super::args::Approver;
use super::{papers, read};
use crate::exit::{Answer, Failure, Outcome};
use crate::show;
use charter::approval::files as disk;
use charter::approval::{Bearer, Card, Person, PersonName, Standing};
use host::Host;
use serde_json::json;
use sign::Stamp;
use std::path::Path;

const DAY_SECONDS: u64 = 24 * 3600;

pub fn approver(asked: &Approver, host: &Host) -> Outcome {
    match asked {
        Approver::New { name, party, out } => {
            let person = Person {
                name: PersonName::parse(name).ok_or_else(|| {
                    Failure::usage("a name has 1 to 64 of a-z, A-Z, 0-9, '-', '_' and '.'")
                })?,
                party: read::party(party)?,
            };
            papers::new_key(Bearer::Person(person), name, out, host)
        }
        Approver::Enrol {
            public,
            key,
            days,
            serial,
            out,
        } => {
            let (public, key) = (disk::load_public(public)?, disk::load_key(key)?);
            let now = Stamp::from_millis(host.now());
            let until = now.plus_seconds(u64::from(*days) * DAY_SECONDS);
            let card = Card::issue(&key, &public, *serial, until, Standing::Active);
            write(&card.map_err(|e| Failure::usage(e).named("card"))?, out)
        }
        Approver::Withdraw { card, key, out } => {
            let (card, key) = (disk::load_card(card)?, disk::load_key(key)?);
            let ended = card.withdraw(&key);
            write(&ended.map_err(|e| Failure::usage(e).named("card"))?, out)
        }
    }
}

fn write(card: &Card, out: &Path) -> Outcome {
    disk::write_new(out, &card.to_text(), 0o644)?;
    let active = card.standing() == Standing::Active;
    let text = show::fields(&[
        ("card of", card.person().to_string()),
        (
            "standing",
            if active { "active" } else { "withdrawn" }.to_owned(),
        ),
        ("serial", card.serial().to_string()),
        ("until", card.until().to_string()),
        ("fingerprint", card.key().id().to_string()),
        ("file", out.display().to_string()),
    ]);
    let data = json!({
        "person": card.person().to_string(),
        "active": active,
        "serial": card.serial(),
        "until": card.until().to_string(),
        "fingerprint": card.key().id().to_string(),
        "file": out,
    });
    Ok(Answer { data, text })
}
