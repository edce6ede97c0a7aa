//! What was done to an answer is named: which line, and what is wrong with it.

use crate::scene::{ANNA, Scene, keys};
use ledger::{LogKeys, VerifierKeys};
use people::{Answer, AnswerError, LineProof, Said, State, verify};
use proptest::prelude::*;

fn check(answer: &Answer) -> Result<(), AnswerError> {
    verify(answer, keys().verifier(), Some(ANNA)).map(drop)
}

#[test]
fn an_answer_says_what_the_entries_say() {
    let answer = Scene::new().answer();
    let read = Answer::read(answer.to_text().as_bytes()).unwrap();
    assert_eq!(read, answer);
    let checked = verify(&read, keys().verifier(), Some(ANNA)).unwrap();
    let names: Vec<&str> = checked
        .accesses
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        names,
        ["tenant/0", "tenant/1", "tenant/2", "whole/0", "whole/1"]
    );
    let (_, first) = &checked.accesses[0];
    assert_eq!(first.about, "you");
    assert_eq!(
        (first.recipient.as_str(), first.provider.as_str()),
        ("land-registry", "tax-office")
    );
    assert_eq!(first.purpose.as_deref(), Some("tax/assessment"));
    assert_eq!(
        (first.bytes, first.rows, first.bytes_at_most),
        (Some(1024), Some(3), Some(4096))
    );
    assert_eq!(first.time, "2025-11-24T16:00:00.126Z");
    let (_, broken) = &checked.accesses[4];
    assert_eq!((broken.about.as_str(), broken.rows), ("perhaps-you", None));
    // Nothing about the official.
    assert!(!answer.to_text().contains("OFFICIAL"));
    let shown = answer.lines.iter().any(|line| {
        use base64::Engine as _;
        line.proof.split(' ').any(|word| {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(word)
                .unwrap_or_default();
            bytes.windows(8).any(|part| part == b"OFFICIAL")
        })
    });
    assert!(!shown);
}

#[test]
fn an_answer_stays_readable() {
    let golden = include_str!("answer.golden.json");
    let answer = Answer::read(golden.as_bytes()).unwrap();
    check(&answer).unwrap();
    // Everything but the post-quantum signatures, which are drawn anew each time, is the same today.
    let today = Scene::new().answer();
    let said = |answer: &Answer| {
        Said::parse(
            answer
                .statement
                .split_once("\n\n")
                .map(|(text, _)| format!("{text}\n"))
                .unwrap()
                .as_str(),
        )
        .unwrap()
    };
    let (mut then, mut now) = (said(&answer), said(&today));
    (then.log, now.log) = ((0, [0; 32]), (0, [0; 32]));
    assert_eq!(then, now);
    assert_eq!(answer.lines, today.lines);
}

#[test]
fn a_line_that_is_gone_doubled_or_moved_is_named() {
    let answer = Scene::new().answer();
    for at in 0..answer.lines.len() {
        let name = answer.lines[at].name.clone();
        let mut less = answer.clone();
        less.lines.remove(at);
        assert_eq!(check(&less), Err(AnswerError::Removed(name.clone())));
        let mut more = answer.clone();
        more.lines.push(answer.lines[at].clone());
        assert_eq!(check(&more), Err(AnswerError::Added(name)));
    }
    let mut moved = answer.clone();
    moved.lines.swap(1, 3);
    assert!(matches!(check(&moved), Err(AnswerError::Altered(name, _)) if name == "whole/0"));
    let mut invented = answer;
    invented.lines[4].name = "whole/2".into();
    assert_eq!(
        check(&invented),
        Err(AnswerError::Removed("whole/1".into()))
    );
}

#[test]
fn a_line_that_is_altered_is_named() {
    let answer = Scene::new().answer();
    let altered = |change: &dyn Fn(&mut Answer), expected: &str| {
        let mut changed = answer.clone();
        change(&mut changed);
        assert!(
            matches!(check(&changed), Err(AnswerError::Altered(name, _)) if name == expected),
            "{:?}",
            check(&changed)
        );
    };
    altered(
        &|a| a.lines[0].access.recipient = "somebody".into(),
        "tenant/0",
    );
    altered(
        &|a| a.lines[1].access.purpose = Some("none".into()),
        "tenant/1",
    );
    altered(&|a| a.lines[3].access.about = "you".into(), "whole/0");
    altered(
        &|a| a.lines[2].access.time = a.lines[1].access.time.clone(),
        "tenant/2",
    );
    // A proof of another line in its place.
    altered(&|a| a.lines[1].proof = a.lines[0].proof.clone(), "tenant/1");
    altered(
        &|a| a.lines[4].proof = a.lines[4].proof.replace("perhaps-you", "whole-dataset"),
        "whole/1",
    );
}

#[test]
fn somebody_elses_answer_another_logs_and_an_altered_statement_are_refused() {
    let answer = Scene::new().answer();
    let other = verify(&answer, keys().verifier(), Some("1901010100011"));
    assert_eq!(other.unwrap_err(), AnswerError::OtherPerson);
    let foreign = LogKeys::from_seeds("clarence.example/ledger", &[8; 64]).unwrap();
    assert!(matches!(
        verify(&answer, foreign.verifier(), None),
        Err(AnswerError::Signature(_))
    ));
    let mut fewer = answer.clone();
    fewer.statement = fewer.statement.replacen("whole      2", "whole      1", 1);
    assert!(matches!(check(&fewer), Err(AnswerError::Signature(_))));
    let mut other = answer.clone();
    other.checkpoint = other.checkpoint.replacen("310", "311", 1);
    assert!(check(&other).is_err());
    let mut opened = answer;
    opened.opening = "00".repeat(32);
    assert_eq!(check(&opened), Err(AnswerError::OtherPerson));
    assert!(VerifierKeys::parse(&opened.keys).is_ok());
}

/// What the log signs is no more believed than what stands in the log: a statement that leaves a counter out, a line
/// whose entry is about others, an entry that is not in the log, an answer that is not recorded.
#[test]
fn the_log_cannot_sign_what_its_entries_do_not_say() {
    let scene = Scene::new();
    let refused = |change: &dyn Fn(&mut people::Draft)| {
        let mut draft = scene.draft();
        change(&mut draft);
        Answer::signed(draft, &keys()).err().unwrap()
    };
    assert_eq!(
        refused(&|d| drop(d.lines.remove(1))),
        AnswerError::Gap("tenant/1".into())
    );
    assert_eq!(
        refused(&|d| drop(d.lines.remove(4))),
        AnswerError::Gap("whole/1".into())
    );
    assert_eq!(refused(&|d| d.said.asked = 8), AnswerError::NotRecorded);
    assert_eq!(
        refused(&|d| d.said.subject = [0; 32]),
        AnswerError::NotRecorded
    );
    let named = |error, expected: &str| {
        assert!(
            matches!(&error, AnswerError::Altered(name, _) if name == expected),
            "{error:?}"
        )
    };
    // The wrong person: labels of another key.
    named(
        refused(&|d| d.said.chains[0].label_key = [1; 32]),
        "tenant/0",
    );
    // A swapped proof: the entry is another's, or not in the log at that place.
    named(
        refused(&|d| d.lines[0].grant = d.lines[1].grant.clone()),
        "tenant/0",
    );
    named(refused(&|d| d.lines[1].grant.index = 3), "tenant/1");
    named(refused(&|d| d.lines[1].grant.path[0] = [0; 32]), "tenant/1");
    named(
        refused(&|d| d.lines[1].grant.shown = d.lines[0].grant.shown.clone()),
        "tenant/1",
    );
    // The end of another access, and an end that is left out.
    named(
        refused(&|d| d.lines[0].close = d.lines[3].close.clone()),
        "tenant/0",
    );
    named(refused(&|d| d.lines[0].close = None), "tenant/0");
    // A line of the chain passed off as one about everybody, and the other way round.
    named(refused(&|d| d.lines[0].state = State::Whole), "tenant/0");
    named(refused(&|d| d.lines[3].state = State::You), "whole/0");
    named(
        refused(&|d| d.lines[3].place = d.lines[0].place.clone()),
        "whole/0",
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// No byte of the file can be changed and the answer still say something else.
    #[test]
    fn any_altered_byte_is_refused_or_says_the_same(place in any::<prop::sample::Index>(), bit in 0..8u8) {
        let answer: Answer = Answer::read(include_str!("answer.golden.json").as_bytes()).unwrap();
        let mut bytes = answer.to_text().into_bytes();
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(changed) = Answer::read(&bytes)
            && let Ok(checked) = verify(&changed, keys().verifier(), Some(ANNA))
        {
            prop_assert_eq!(changed.lines, answer.lines);
            prop_assert_eq!(checked.accesses.len(), 5);
        }
    }

    #[test]
    fn what_is_no_proof_is_refused(text in "[a-z0-9/ ,=-]{0,200}") {
        prop_assert!(LineProof::parse(&text).is_none());
        prop_assert!(Said::parse(&text).is_err());
        prop_assert!(Answer::read(text.as_bytes()).is_err());
    }
}
