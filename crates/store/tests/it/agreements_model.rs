//! Agreements against a model of them, over random requests.

use crate::agreements::{SIGNS, Two, asking, of};
use crate::statements::{asked, sign_in};
use agreement::{Agreement, Side, State, Word};
use ledger::Kind;
use sim::Client;
use statement::{Session, Use};
use vault::AgreementStep;

/// What should be so of one agreement, said without the vault.
struct Model {
    agreement: Agreement,
    state: State,
    turn: u32,
}

impl Model {
    fn lets(
        &self,
        who: usize,
        purpose: Option<&str>,
        columns: &[&str],
        table: &str,
        now: u64,
    ) -> bool {
        let under = |purpose: &str| purpose == "social" || purpose == "social.pensions";
        who == 1
            && self.state == State::Active
            && self.agreement.not_before.0 <= now
            && now < self.agreement.not_after.0
            && purpose.is_none_or(under)
            && columns.iter().all(|column| *column == "nin")
            && table == "tax"
    }
}

/// Numbers below a bound, the same ones in every run.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % 1_000_003).unwrap() % below
    }
}

/// The node, three agreements as they come and go, who is signed in to which, and what was answered.
struct Run {
    two: Two,
    clients: [Client; 3],
    chance: Chance,
    models: Vec<Model>,
    sessions: Vec<(usize, usize, Session)>,
    made: u32,
    granted: usize,
    refused: usize,
}

impl Run {
    async fn open() -> Self {
        let two = Two::open().await;
        let stranger = two.rig.node.client("customs").await.unwrap();
        let clients = [two.rig.client.clone(), two.fund.clone(), stranger];
        Self {
            two,
            clients,
            chance: Chance(0x5eed_0004),
            models: Vec::new(),
            sessions: Vec::new(),
            made: 0,
            granted: 0,
            refused: 0,
        }
    }

    /// A new agreement in the place of an old one, as far as chance will have it.
    async fn renew(&mut self) {
        let (two, chance) = (&self.two, &mut self.chance);
        let now = two.rig.node.host.now();
        let mut agreement = two.agreement.clone();
        self.made += 1;
        agreement.retention_days = 1 + self.made;
        let begins = [0, 0, 0, 600_000][chance.next(4)];
        agreement.not_before = now.plus(begins as u64);
        let lasts = 600_000 + 600_000 * chance.next(9) as u64;
        agreement.not_after = now.plus(begins as u64 + lasts);
        let vault = &two.rig.node.vault;
        vault.agreement_propose(&agreement.encode()).await.unwrap();
        let mut state = State::Proposed;
        for sign in SIGNS.into_iter().take([3, 3, 3, 3, 2, 0][chance.next(6)]) {
            state = two.sign(&agreement, Word::Agree, sign).await.unwrap();
        }
        if chance.next(6) > 0
            && let Ok(active) = two.step(&agreement, AgreementStep::Activate).await
        {
            assert_eq!(state, State::ConsumerSigned);
            state = active;
        }
        let model = Model {
            agreement,
            state,
            turn: 0,
        };
        let at = match self.models.len() < 3 {
            true => self.models.len(),
            false => chance.next(3),
        };
        self.sessions.retain(|(_, of, _)| *of != at);
        match self.models.get_mut(at) {
            Some(old) => *old = model,
            None => self.models.push(model),
        }
    }

    /// Now and then something becomes of an agreement.
    async fn turn(&mut self, at: usize) {
        let (two, model) = (&self.two, &mut self.models[at]);
        match self.chance.next(30) {
            0 => {
                let step = AgreementStep::Suspend(Side::Consumer);
                let done = two.step(&model.agreement, step).await;
                assert_eq!(done.is_ok(), model.state == State::Active);
                if let Ok(state) = done {
                    model.state = state;
                    model.turn += 1;
                }
            }
            1 => {
                for sign in SIGNS {
                    let word = Word::Resume(model.turn);
                    if let Ok(state) = two.sign(&model.agreement, word, sign).await {
                        model.state = state;
                    }
                }
            }
            2 if self.chance.next(3) == 0 => {
                let step = AgreementStep::Revoke(Side::Provider);
                if let Ok(state) = two.step(&model.agreement, step).await {
                    model.state = state;
                }
            }
            3 => two.rig.skip(1000 * self.chance.next(300) as u64),
            _ => {}
        }
        // Time alone ends them: what is over has no state of its own.
    }

    /// Somebody's session with an agreement's database: only its consumer has it.
    async fn session(&mut self, who: usize, at: usize) -> Option<Session> {
        let known = self.sessions.iter();
        let mut known = known.filter(|(of, to, _)| (*of, *to) == (who, at));
        if let Some((.., session)) = known.next() {
            return Some(session.clone());
        }
        let database = format!("agr_{}", self.models[at].agreement.id());
        let signed = sign_in(&self.two.rig, &self.clients[who], &database).await;
        assert_eq!(
            signed.is_ok(),
            who == 1,
            "only its consumer has the database"
        );
        let session = signed.ok()?;
        self.sessions.push((who, at, session.clone()));
        Some(session)
    }

    /// Asks something of an agreement: the answer is the model's, and the ledger has it.
    async fn ask(&mut self, round: usize, at: usize) {
        let who = [0, 1, 1, 1, 1, 2][self.chance.next(6)];
        let Some(session) = self.session(who, at).await else {
            self.refused += 1;
            return;
        };
        let purpose = [
            None,
            Some("social"),
            Some("social.pensions"),
            Some("tax"),
            Some("unknown"),
            Some(""),
        ][self.chance.next(6)];
        let columns: &[&str] = [
            &["nin"][..],
            &["nin", "income"],
            &["income"],
            &["absent"],
            &[],
        ][[0, 0, 0, 1, 2, 3, 4][self.chance.next(7)]];
        let table = ["tax", "tax", "tax", "other"][self.chance.next(4)];
        let (two, model) = (&self.two, &self.models[at]);
        let mut wanted = asking(&model.agreement);
        wanted.tables[0].source = asked(of(&model.agreement, table), Use::Read).tables[0]
            .source
            .clone();
        wanted.tables[0].columns =
            Some(columns.iter().map(|column| (*column).to_owned()).collect());
        wanted.purpose = purpose.map(str::to_owned);
        let now = two.rig.node.host.now().0;
        let before = two.last_entry().await;
        let answer = two.ask(&session, &wanted).await;
        let lets = model.lets(who, purpose, columns, table, now);
        assert_eq!(
            answer.is_ok(),
            lets,
            "{round}: {:?} {purpose:?} {columns:?} {table}: {:?}",
            model.state,
            answer.err()
        );
        // The ledger has the one or the other, before anything is answered.
        let vault = &two.rig.node.vault;
        let entries = vault.last_entries(None, 8).await.unwrap();
        let kinds: Vec<Kind> = entries
            .iter()
            .filter(|entry| entry.index > before)
            .map(|entry| entry.fields.as_ref().unwrap().kind)
            .collect();
        let expected = match lets {
            true => Kind::Grant,
            false => Kind::Deny,
        };
        assert!(kinds.contains(&expected), "{round}: {kinds:?}");
        assert_eq!(kinds.contains(&Kind::Grant), lets, "{round}: {kinds:?}");
        self.granted += usize::from(lets);
        self.refused += usize::from(!lets);
    }
}

/// No agreement, no byte: requests of random identities with random purposes, columns and tables, while agreements come and go.
/// `CLARENCE_LONG` makes it 100,000 of them.
#[tokio::test(start_paused = true)]
async fn nothing_is_granted_without_an_agreement_in_force() {
    let rounds = match std::env::var_os("CLARENCE_LONG") {
        Some(_) => 100_000,
        None => 3000,
    };
    let mut run = Run::open().await;
    for round in 0..rounds {
        if run.models.len() < 3 || run.chance.next(40) == 0 {
            run.renew().await;
            continue;
        }
        let at = run.chance.next(3);
        run.turn(at).await;
        run.ask(round, at).await;
        if round % 500 == 499 {
            run.sessions.clear(); // They last twelve hours, and the clock is moved.
        }
    }
    let (granted, refused) = (run.granted, run.refused);
    assert!(
        granted > rounds / 60 && refused > rounds / 2,
        "{granted} {refused}"
    );
}
