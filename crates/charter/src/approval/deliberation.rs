//! Collecting approvals until the charter is satisfied. A state machine without I/O: it is told of one document
//! at a time, refuses a wrong one by name, and keeps the right ones it has.

use super::bearer::{Bearer, Person};
use super::card::{Card, Roll, Standing};
use super::decision::{Decision, Says};
use super::refusal::Refusal;
use super::request::{PROPOSAL, Request, RequestDigest, SignedRequest, everyone};
use crate::charter::Charter;
use crate::class::{Class, Rule};
use crate::who::lack;
use sign::{KeyId, PublicKey, Stamp};
use std::collections::BTreeSet;
use words::limits::APPROVALS_MAX;
use words::{CloudId, PartyName};

/// What a request is held against: this cloud, its charter in force with the approvers known by it.
#[derive(Debug, Clone, Copy)]
pub struct Chamber<'a> {
    /// This cloud.
    pub cloud: CloudId,
    /// The charter in force, and the approvers whose cards hold under it.
    pub roll: &'a Roll,
}

impl<'a> Chamber<'a> {
    /// One charter for the rule and for the cards: a roll of an earlier charter could know withdrawn keys.
    const fn charter(&self) -> &'a Charter {
        self.roll.charter()
    }
}

/// The memory of requests could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DocketFault(pub String);

/// The memory of requests. A node keeps it in its catalog; whoever carries out a [`Resolution`] must write its
/// digest there in the same commit as the act, or not do the act.
pub trait Docket {
    /// Whether this request was carried out. Its nonce is in the digest. The nonce alone would not do: whoever
    /// may act alone (closing) could use up the nonce of another request that is still waiting.
    fn executed(&self, request: &RequestDigest) -> Result<bool, DocketFault>;
    /// When the request was first recorded here. A request's own times are what its proposer wrote, who could
    /// write an earlier one; the cool-off therefore counts from here. `None` if it was not.
    fn lodged(&self, request: &RequestDigest) -> Result<Option<Stamp>, DocketFault>;
    /// The latest time that was ever recorded here, so that a clock set back does not revive what has expired.
    fn latest(&self) -> Result<Stamp, DocketFault>;
}

/// One request and the words on it so far.
#[derive(Debug, Clone)]
pub struct Deliberation<'a> {
    chamber: Chamber<'a>,
    rule: Rule,
    signed: SignedRequest,
    digest: RequestDigest,
    approvals: Vec<Decision>,
    vetoes: Vec<Decision>,
}

/// The request stands, and may not be carried out.
#[derive(Debug)]
pub struct Undecided<'a> {
    /// The deliberation, to go on with.
    pub deliberation: Deliberation<'a>,
    /// Why not.
    pub why: Refusal,
}

/// The proof that the charter is satisfied for one act. It is made by [`Deliberation::resolve`] and nowhere
/// else, cannot be copied, and is used up by whoever carries out the act.
#[derive(Debug)]
#[must_use = "a resolution that is not carried out is lost"]
pub struct Resolution {
    pub(super) signed: SignedRequest,
    pub(super) digest: RequestDigest,
    pub(super) approvals: Vec<Decision>,
    pub(super) decided: Stamp,
}

impl Resolution {
    /// What is to be done.
    #[must_use]
    pub const fn request(&self) -> &Request {
        self.signed.request()
    }
    /// Its digest, for the record.
    #[must_use]
    pub const fn digest(&self) -> &RequestDigest {
        &self.digest
    }
    /// Who approved, besides the proposer where that counts.
    pub fn approved_by(&self) -> impl Iterator<Item = &Bearer> {
        self.approvals.iter().map(Decision::by)
    }
    /// When it was found to be enough.
    #[must_use]
    pub const fn decided(&self) -> Stamp {
        self.decided
    }
}

impl<'a> Deliberation<'a> {
    /// Takes up a request: it must be of this cloud and charter, keep to its class, and be signed by its
    /// proposer, a known person of a party.
    pub fn open(chamber: Chamber<'a>, signed: SignedRequest) -> Result<Self, Refusal> {
        let request = signed.request();
        if chamber.charter().terms().is_none() {
            return Err(Refusal::NoKeys);
        }
        if request.cloud != chamber.cloud {
            return Err(Refusal::OtherCloud {
                found: request.cloud,
                here: chamber.cloud,
            });
        }
        let here = chamber.charter().digest();
        if request.charter != here {
            return Err(Refusal::OtherCharter {
                found: request.charter,
                here,
            });
        }
        let class = chamber.charter().class_of(request.verb);
        if request.class != class {
            return Err(Refusal::OtherClass {
                found: request.class,
                here: class,
            });
        }
        let rule = chamber.charter().rule(class);
        check_times(request, &rule)?;
        if class == Class::BreakGlass && request.notify != everyone(chamber.charter()) {
            let all = crate::formula::listed(&everyone(chamber.charter()));
            return Err(Refusal::Notify(all));
        }
        let card = known(chamber.roll, &request.proposer, request.created)?;
        let by = format!("the proposer {}", request.proposer);
        check_key(&by, request.proposer_key, &card.key().id())?;
        (card.key())
            .verify(
                PROPOSAL,
                request.body().body().as_bytes(),
                signed.signature(),
            )
            .map_err(|why| Refusal::Signature { by, why })?;
        let digest = request.digest();
        Ok(Self {
            chamber,
            rule,
            signed,
            digest,
            approvals: Vec::new(),
            vetoes: Vec::new(),
        })
    }

    /// The request.
    #[must_use]
    pub const fn request(&self) -> &Request {
        self.signed.request()
    }
    /// What its class asks.
    #[must_use]
    pub const fn rule(&self) -> &Rule {
        &self.rule
    }
    /// The approvals that count.
    #[must_use]
    pub fn approvals(&self) -> &[Decision] {
        &self.approvals
    }
    /// The vetoes that count.
    #[must_use]
    pub fn vetoes(&self) -> &[Decision] {
        &self.vetoes
    }

    /// Takes one approval.
    pub fn approve(&mut self, approval: Decision) -> Result<(), Refusal> {
        self.examine(&approval, Says::Approve, self.approvals.len())?;
        match approval.by() {
            Bearer::Person(person) => self.check_new_person(person)?,
            Bearer::Patron(_) if !self.rule.patron => {
                return Err(Refusal::NoSay(approval.by().to_string()));
            }
            Bearer::Patron(_) => {}
            Bearer::Party(_) => return Err(Refusal::NoSay(approval.by().to_string())),
        }
        if self
            .approvals
            .iter()
            .any(|earlier| earlier.by() == approval.by())
        {
            return Err(Refusal::SamePersonTwice(approval.by().to_string()));
        }
        self.approvals.push(approval);
        Ok(())
    }

    /// Takes one veto. The proposer may give one too, and whoever approved may think again.
    pub fn veto(&mut self, veto: Decision) -> Result<(), Refusal> {
        if self.rule.vetoes == 0 {
            return Err(Refusal::NoVeto(self.request().class));
        }
        self.examine(&veto, Says::Veto, self.vetoes.len())?;
        let Bearer::Person(person) = veto.by() else {
            return Err(Refusal::NoSay(veto.by().to_string()));
        };
        let party = |word: &Decision| match word.by() {
            Bearer::Person(earlier) => earlier.party == person.party,
            Bearer::Party(_) | Bearer::Patron(_) => false,
        };
        if self.vetoes.iter().any(party) {
            return Err(Refusal::SamePersonTwice(veto.by().to_string()));
        }
        self.vetoes.push(veto);
        Ok(())
    }

    fn check_new_person(&self, person: &Person) -> Result<(), Refusal> {
        let proposer = &self.request().proposer;
        if person.is(proposer) {
            return Err(Refusal::SelfApproval(person.clone()));
        }
        if let Some(earlier) = self.persons().find(|earlier| earlier.is(person)) {
            return Err(Refusal::SamePersonTwice(earlier.to_string()));
        }
        // Where more persons than parties are asked for, a second person of a party adds something.
        let counted = self.rule.persons <= self.rule.parties;
        match self.persons().find(|earlier| earlier.party == person.party) {
            Some(earlier) if counted => Err(Refusal::SamePartyTwice {
                by: person.clone(),
                earlier: earlier.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// What is the same for approvals and vetoes: the right request, a known person, both signatures, in time.
    fn examine(&self, word: &Decision, needed: Says, so_far: usize) -> Result<(), Refusal> {
        if word.says() != needed {
            return Err(Refusal::OtherKind {
                found: word.says().named(),
                needed: needed.named(),
            });
        }
        if so_far >= APPROVALS_MAX {
            return Err(Refusal::TooMany);
        }
        let by = word.by().to_string();
        let key = self.key_of(word)?;
        check_key(&by, word.key(), &key.id())?;
        key.verify(
            needed.purpose(),
            word.body().body().as_bytes(),
            word.signature(),
        )
        .map_err(|why| Refusal::Signature {
            by: by.clone(),
            why,
        })?;
        let request = self.request();
        if *word.request() != self.digest {
            let (signed, here) = (*word.request(), self.digest);
            return Err(match *word.nonce() == request.nonce {
                true => Refusal::Edited { by, signed, here },
                false => Refusal::OtherRequest { by, signed, here },
            });
        }
        let life = request.created..=request.expires;
        match life.contains(&word.at()) {
            true => Ok(()),
            false => Err(Refusal::SignedOutside {
                by,
                at: word.at(),
                created: request.created,
                expires: request.expires,
            }),
        }
    }

    fn key_of(&self, word: &Decision) -> Result<PublicKey, Refusal> {
        match word.by() {
            Bearer::Person(person) => {
                known(self.chamber.roll, person, word.at()).map(|card| card.key().clone())
            }
            Bearer::Patron(name) => (self.chamber.charter().patron())
                .filter(|patron| patron.name == *name)
                .map(|patron| patron.key.clone())
                .ok_or_else(|| Refusal::NoSay(word.by().to_string())),
            Bearer::Party(_) => Err(Refusal::NoSay(word.by().to_string())),
        }
    }

    /// The persons whose word counts as an approval, the proposer among them where the class says so.
    fn persons(&self) -> impl Iterator<Item = &Person> {
        let proposer = (self.rule.proposer_counts).then_some(&self.signed.request().proposer);
        let approved = self.approvals.iter().filter_map(|word| match word.by() {
            Bearer::Person(person) => Some(person),
            Bearer::Party(_) | Bearer::Patron(_) => None,
        });
        proposer.into_iter().chain(approved)
    }

    /// How many persons' words count as approvals.
    #[must_use]
    pub fn persons_count(&self) -> usize {
        self.persons().count()
    }
    /// The parties for which somebody has approved.
    #[must_use]
    pub fn parties(&self) -> BTreeSet<PartyName> {
        self.persons().map(|person| person.party.clone()).collect()
    }

    /// Whether the charter is satisfied, all but time and repetition.
    pub fn enough(&self) -> Result<(), Refusal> {
        if self.vetoes.len() >= usize::from(self.rule.vetoes.max(1)) {
            let by: Vec<String> = self.vetoes.iter().map(|v| v.by().to_string()).collect();
            return Err(Refusal::Vetoed(by.join(", ")));
        }
        let patron = |word: &Decision| matches!(word.by(), Bearer::Patron(_));
        let lacks = lack(
            self.chamber.charter(),
            &self.rule,
            &self.parties(),
            self.persons().count(),
            self.approvals.iter().any(patron),
        );
        lacks.map_or(Ok(()), |lack| Err(Refusal::Lacking(lack)))
    }

    /// Mints the resolution if everything holds at `now`. Otherwise the deliberation comes back with the reason.
    pub fn resolve(
        self,
        now: Stamp,
        docket: &dyn Docket,
    ) -> Result<Resolution, Box<Undecided<'a>>> {
        match self.check(now, docket) {
            Ok(()) => Ok(Resolution {
                signed: self.signed,
                digest: self.digest,
                approvals: self.approvals,
                decided: now,
            }),
            Err(why) => Err(Box::new(Undecided {
                deliberation: self,
                why,
            })),
        }
    }

    /// Whether [`Deliberation::resolve`] would mint a resolution.
    pub fn check(&self, now: Stamp, docket: &dyn Docket) -> Result<(), Refusal> {
        let fault = |fault: DocketFault| Refusal::Docket(fault.0);
        let request = self.request();
        if docket.executed(&self.digest).map_err(fault)? {
            return Err(Refusal::Replay);
        }
        self.enough()?;
        let lodged = docket.lodged(&self.digest).map_err(fault)?;
        let lodged = lodged.ok_or(Refusal::NotLodged)?;
        let cooled = lodged.plus_hours(self.rule.cool_off_hours.into());
        let earliest = request.earliest.max(cooled);
        if now < earliest {
            return Err(Refusal::TooEarly { earliest, now });
        }
        let latest = docket.latest().map_err(fault)?.max(now);
        let expires = request.expires;
        if latest > expires {
            return Err(Refusal::Expired {
                expires,
                now: latest,
            });
        }
        // The times on documents are what their signers wrote: each card must hold on the day of the act too.
        self.persons()
            .try_for_each(|person| known(self.chamber.roll, person, latest).map(drop))
    }

    /// The request as it was signed.
    #[must_use]
    pub const fn signed(&self) -> &SignedRequest {
        &self.signed
    }
}

/// The card of a person who may speak at this time.
fn known<'r>(roll: &'r Roll, person: &Person, at: Stamp) -> Result<&'r Card, Refusal> {
    let card = roll
        .find(person)
        .ok_or_else(|| Refusal::UnknownApprover(person.clone()))?;
    if card.standing() == Standing::Withdrawn {
        return Err(Refusal::Withdrawn(person.clone()));
    }
    match at > card.until() {
        true => Err(Refusal::CardEnded {
            person: person.clone(),
            until: card.until(),
        }),
        false => Ok(card),
    }
}

fn check_key(by: &str, found: KeyId, known: &KeyId) -> Result<(), Refusal> {
    match found == *known {
        true => Ok(()),
        false => Err(Refusal::OtherKey {
            by: by.to_owned(),
            found,
            known: *known,
        }),
    }
}

/// The times must be those that the class asks for, whoever wrote them.
fn check_times(request: &Request, rule: &Rule) -> Result<(), Refusal> {
    let wrong = |why| Err(Refusal::Times(why));
    if request.earliest < request.created.plus_hours(rule.cool_off_hours.into()) {
        return wrong("the cool-off is shorter than the charter asks for");
    }
    if request.expires < request.earliest {
        return wrong("it expires before it may be done");
    }
    // Whoever writes a later "earliest" gives others more time, and gets no more time for it.
    let cooled = request.created.plus_hours(rule.cool_off_hours.into());
    if request.expires > cooled.plus_hours(rule.window_hours.into()) {
        return wrong("it stays open for longer than the charter allows");
    }
    match (request.class == Class::BreakGlass, request.ends) {
        (false, None) => Ok(()),
        (false, Some(_)) => wrong("only break-glass ends by itself"),
        (true, None) => wrong("a break-glass must say when it ends by itself"),
        (true, Some(ends)) if ends > request.created.plus_hours(rule.lasts_hours.into()) => {
            wrong("the break-glass lasts longer than the charter allows")
        }
        (true, Some(ends)) if ends < request.expires => {
            wrong("it could be begun after it has ended by itself")
        }
        (true, Some(_)) => Ok(()),
    }
}
