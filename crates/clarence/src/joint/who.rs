//! `clarence who-can`: parties and conditions, by the charter.

use super::args::WhoCan;
use super::read;
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::show;
use charter::Charter;
use charter::verbs::{self, VERBS};
use charter::who::{self, MATRIX_PARTIES_MAX};
use serde_json::{Value, json};

pub fn who_can(asked: &WhoCan) -> Outcome {
    let charter = match &asked.charter {
        Some(path) => read::in_force(path, &asked.then)?,
        None => Charter::default(),
    };
    let source = match asked.charter {
        Some(_) => "",
        None => " (the default: three parents, any two)",
    };
    if asked.matrix {
        return matrix(&charter);
    }
    let Some(name) = &asked.verb else {
        return all(&charter, source);
    };
    let verb = verbs::find(name).ok_or_else(|| {
        Failure::new(Exit::NotFound, format!("there is no verb {name:?}")).suggest(format!(
            "did you mean {}? clarence who-can --all lists them",
            verbs::nearest(name)
        ))
    })?;
    let answer = who::who_can(&charter, verb);
    let text = show::fields(&[
        ("verb", format!("{}: {}", verb.name, verb.does)),
        (
            "class",
            format!("{}: {}", answer.class, answer.class.meaning()),
        ),
        ("who", answer.condition.to_string()),
        ("that is", groups(&answer)),
        ("needs", answer.needs().join("\n         ")),
        ("charter", format!("{}{source}", charter.digest())),
    ]);
    Ok(Answer {
        data: json!({ "charter_digest": charter.digest().to_string(), "verbs": [data(&answer)] }),
        text,
    })
}

fn groups(answer: &who::WhoCan) -> String {
    let named: Vec<String> = (answer.groups.iter())
        .map(|group| {
            let names: Vec<&str> = group.iter().map(words::PartyName::as_str).collect();
            names.join(" + ")
        })
        .collect();
    let more = if answer.more {
        ", or one of more groups"
    } else {
        ""
    };
    let patron =
        (answer.patron.as_ref()).map_or_else(String::new, |name| format!("; always with {name}"));
    match answer.possible {
        true => format!("{}{more}{patron}", named.join(", or ")),
        false => "nobody: this charter names no patron".to_owned(),
    }
}

fn data(answer: &who::WhoCan) -> Value {
    let groups: Vec<Vec<&str>> = (answer.groups.iter())
        .map(|group| group.iter().map(words::PartyName::as_str).collect())
        .collect();
    let rule = &answer.rule;
    json!({
        "verb": answer.verb.name,
        "class": answer.class.word(),
        "condition": answer.condition.to_string(),
        "smallest_groups": groups,
        "more_groups": answer.more,
        "possible": answer.possible,
        "patron": answer.patron.as_ref().map(ToString::to_string),
        "parties": rule.parties,
        "persons": rule.persons,
        "proposer_counts": rule.proposer_counts,
        "vetoes": rule.vetoes,
        "cool_off_hours": rule.cool_off_hours,
        "window_hours": rule.window_hours,
        "lasts_hours": rule.lasts_hours,
        "needs": answer.needs(),
    })
}

fn all(charter: &Charter, source: &str) -> Outcome {
    let answers: Vec<who::WhoCan> = VERBS
        .iter()
        .map(|verb| who::who_can(charter, verb))
        .collect();
    let rows: Vec<Vec<String>> = (answers.iter())
        .map(|answer| {
            let patron =
                (answer.patron.as_ref()).map_or_else(String::new, |name| format!(", with {name}"));
            let who = match answer.possible {
                true => format!("{}{patron}", answer.condition),
                false => "nobody: no patron".to_owned(),
            };
            vec![answer.verb.name.to_owned(), answer.class.to_string(), who]
        })
        .collect();
    let text = format!(
        "charter {}{source}\n\n{}",
        charter.digest(),
        show::table(&["VERB", "CLASS", "WHO"], &rows)
    );
    let list: Vec<Value> = answers.iter().map(data).collect();
    Ok(Answer {
        data: json!({ "charter_digest": charter.digest().to_string(), "verbs": list }),
        text,
    })
}

fn matrix(charter: &Charter) -> Outcome {
    let text = who::matrix(charter).ok_or_else(|| {
        let message = format!(
            "with more than {MATRIX_PARTIES_MAX} parties the table of all subsets is not printed"
        );
        Failure::new(Exit::Unsupported, message)
    })?;
    let list: Vec<Value> = VERBS
        .iter()
        .map(|verb| data(&who::who_can(charter, verb)))
        .collect();
    Ok(Answer {
        data: json!({
            "charter_digest": charter.digest().to_string(),
            "verbs": list,
            "matrix": text.lines().collect::<Vec<_>>(),
        }),
        text,
    })
}
