//! Who can do what, from the charter: for one verb, and as the whole table. The answer is always parties and a
//! condition over them; no office and no person has a right of its own.

use crate::charter::Charter;
use crate::class::{Class, Rule};
use crate::formula::Formula;
use crate::verbs::{VERBS, Verb};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use words::PartyName;

/// How many of the smallest groups are listed.
const GROUPS_SHOWN: usize = 32;
/// With more parties the table of all subsets would not be read by anyone.
pub const MATRIX_PARTIES_MAX: usize = 6;

/// What is still missing for an act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lack {
    /// Too few parties.
    #[error("{have} of {need} parties have approved")]
    Parties {
        /// How many have.
        have: usize,
        /// How many it takes.
        need: usize,
    },
    /// Too few persons.
    #[error("{have} of {need} persons have approved")]
    Persons {
        /// How many have.
        have: usize,
        /// How many it takes.
        need: usize,
    },
    /// The condition of sovereignty does not hold.
    #[error("the parties that approved do not fulfil {0}")]
    Sovereignty(Formula),
    /// The patron has not countersigned.
    #[error("the patron {0} has not countersigned")]
    Patron(PartyName),
    /// The class needs a patron and the charter has none.
    #[error("this charter names no patron, so that nobody can countersign")]
    NoPatron,
}

/// The one place that decides whether those who approved are enough. `None` says that they are.
#[must_use]
pub fn lack(
    charter: &Charter,
    rule: &Rule,
    parties: &BTreeSet<PartyName>,
    persons: usize,
    patron: bool,
) -> Option<Lack> {
    let known: BTreeSet<PartyName> = (parties.iter())
        .filter(|party| charter.names(party))
        .cloned()
        .collect();
    let need = usize::from(rule.parties);
    if known.len() < need {
        return Some(Lack::Parties {
            have: known.len(),
            need,
        });
    }
    let need = usize::from(rule.persons);
    if persons < need {
        return Some(Lack::Persons {
            have: persons,
            need,
        });
    }
    if rule.sovereignty && !charter.sovereignty().holds(&known) {
        return Some(Lack::Sovereignty(charter.sovereignty()));
    }
    match charter.patron() {
        _ if !rule.patron => None,
        None => Some(Lack::NoPatron),
        Some(_) if patron => None,
        Some(member) => Some(Lack::Patron(member.name.clone())),
    }
}

/// The answer to "who can do this".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhoCan {
    /// The verb.
    pub verb: &'static Verb,
    /// Its class under this charter.
    pub class: Class,
    /// What the class asks.
    pub rule: Rule,
    /// The condition over parties: number and sovereignty together.
    pub condition: Formula,
    /// The smallest groups of parties that fulfil it, smallest first; not all of them if `more` is set.
    pub groups: Vec<Vec<PartyName>>,
    /// Whether there are more groups than are listed.
    pub more: bool,
    /// The patron, if the class needs it.
    pub patron: Option<PartyName>,
    /// Whether anybody can: a class that needs a patron is closed under a charter without one.
    pub possible: bool,
}

/// Who can do `verb` under this charter.
#[must_use]
pub fn who_can(charter: &Charter, verb: &'static Verb) -> WhoCan {
    let class = charter.class_of(verb);
    let rule = charter.rule(class);
    let condition = condition(charter, &rule);
    let (groups, more) = condition.smallest_sets(charter.parties(), GROUPS_SHOWN);
    let patron = charter.patron().filter(|_| rule.patron);
    WhoCan {
        verb,
        class,
        rule,
        condition,
        groups,
        more,
        patron: patron.map(|member| member.name.clone()),
        possible: !rule.patron || charter.patron().is_some(),
    }
}

/// Who still must approve, one line for each thing that is missing; nothing if enough have.
#[must_use]
pub fn still_needed(
    charter: &Charter,
    verb: &'static Verb,
    parties: &BTreeSet<PartyName>,
    persons: usize,
    patron: bool,
) -> Vec<String> {
    let answer = who_can(charter, verb);
    let mut still = Vec::new();
    let mut left: Vec<Vec<&str>> = (answer.groups.iter())
        .map(|group| {
            let missing = group.iter().filter(|party| !parties.contains(*party));
            missing.map(PartyName::as_str).collect()
        })
        .collect();
    left.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    left.dedup();
    if left.first().is_some_and(|group| !group.is_empty()) {
        let named: Vec<String> = left.iter().map(|group| group.join(" + ")).collect();
        still.push(format!("a person of {}", named.join(", or of ")));
    }
    let need = usize::from(answer.rule.persons);
    if persons < need {
        still.push(format!("more persons: {persons} of {need} so far"));
    }
    if let Some(name) = answer.patron.filter(|_| !patron) {
        still.push(format!("the patron {name}"));
    }
    still
}

/// The condition over parties that the verb of this name asks for; what no verb is called, nobody can do.
#[must_use]
pub fn condition_of(charter: &Charter, verb: &str) -> Option<Formula> {
    crate::verbs::find(verb).map(|verb| who_can(charter, verb).condition)
}

/// Number and sovereignty as one condition; the half that the other one implies is left out.
fn condition(charter: &Charter, rule: &Rule) -> Formula {
    let number = Formula::any_of(usize::from(rule.parties), charter.parties());
    if !rule.sovereignty {
        return number;
    }
    let sovereignty = charter.sovereignty();
    let implies = |a: &Formula, b: &Formula| {
        let (sets, _) = a.smallest_sets(charter.parties(), usize::MAX);
        sets.into_iter()
            .all(|set| b.holds(&set.into_iter().collect()))
    };
    if implies(&sovereignty, &number) {
        sovereignty
    } else if implies(&number, &sovereignty) {
        number
    } else {
        number.and(sovereignty)
    }
}

impl WhoCan {
    /// One sentence for each thing that has to be true.
    #[must_use]
    pub fn needs(&self) -> Vec<String> {
        let rule = &self.rule;
        let mut needs = vec![format!("approved by {}", self.condition)];
        if rule.persons > rule.parties || rule.parties > 1 {
            needs.push(format!("at least {} different persons", rule.persons));
        }
        needs.push(match rule.proposer_counts {
            true => "whoever proposes has approved by that".to_owned(),
            false => "whoever proposes does not count".to_owned(),
        });
        match (&self.patron, self.possible) {
            (Some(patron), _) => needs.push(format!("countersigned by the patron {patron}")),
            (None, false) => needs.push(
                "countersigned by a patron, and this charter names none: nobody can".to_owned(),
            ),
            (None, true) => {}
        }
        if rule.cool_off_hours > 0 {
            needs.push(format!(
                "{} hours after the request at the earliest",
                rule.cool_off_hours
            ));
        }
        match rule.vetoes {
            0 => {}
            1 => needs.push("a veto of any one party stops it".to_owned()),
            n => needs.push(format!("vetoes of {n} parties stop it")),
        }
        if rule.lasts_hours > 0 {
            needs.push(format!(
                "ends by itself at most {} hours after the request; all parties and the patron are told; a reason is needed",
                rule.lasts_hours
            ));
        }
        needs
    }
}

/// The whole table: every subset of the parties, without and with the patron, by every verb. A cell says
/// whether the subset, with as many persons as it takes, is enough. `None` with more than
/// [`MATRIX_PARTIES_MAX`] parties.
#[must_use]
pub fn matrix(charter: &Charter) -> Option<String> {
    let parties = charter.parties();
    if parties.len() > MATRIX_PARTIES_MAX {
        return None;
    }
    let patron = charter.patron().map(|member| member.name.clone());
    let mut columns = subsets(parties.len());
    columns.sort_by_key(|set| (set.count_ones(), std::cmp::Reverse(set.reverse_bits())));
    let mut text = format!(
        "charter {}\nsovereignty: {}\n",
        charter.digest(),
        charter.sovereignty()
    );
    for (letter, party) in ('A'..).zip(parties) {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{letter} = {party}");
    }
    if let Some(name) = &patron {
        let _ = writeln!(text, "* = with the patron {name}");
    }
    let width = (parties.len() + 3).max(7);
    let _ = write!(text, "\n{:24}{:13}", "verb", "class");
    let with_patron: &[bool] = if patron.is_some() {
        &[false, true]
    } else {
        &[false]
    };
    for countersigned in with_patron {
        for set in &columns {
            let star = if *countersigned { "*" } else { "" };
            let _ = write!(text, "{:width$}", format!("{}{star}", letters(*set)));
        }
    }
    trim_line(&mut text);
    for verb in VERBS {
        let class = charter.class_of(verb);
        let rule = charter.rule(class);
        let _ = write!(text, "{:24}{:13}", verb.name, class.word());
        for countersigned in with_patron {
            for set in &columns {
                let members = members(parties, *set);
                let lacks = lack(charter, &rule, &members, usize::MAX, *countersigned);
                let _ = write!(text, "{:width$}", if lacks.is_none() { "yes" } else { "-" });
            }
        }
        trim_line(&mut text);
    }
    Some(text)
}

fn trim_line(text: &mut String) {
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
}

fn subsets(count: usize) -> Vec<u32> {
    (0..1_u32 << count).collect()
}

fn members(parties: &[PartyName], set: u32) -> BTreeSet<PartyName> {
    (0..)
        .zip(parties)
        .filter(|(bit, _)| set >> *bit & 1 == 1)
        .map(|(_, party)| party.clone())
        .collect()
}

fn letters(set: u32) -> String {
    let named: String = (0..)
        .zip('A'..='Z')
        .filter(|(bit, _)| set >> *bit & 1 == 1)
        .map(|(_, letter)| letter)
        .collect();
    match named.is_empty() {
        true => "none".to_owned(),
        false => named,
    }
}
