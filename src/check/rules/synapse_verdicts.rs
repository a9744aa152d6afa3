//! What Synapse itself does with the bad site of each code, and with each mistake that cannot be written, as `tests/measure` found out by
//! asking it: `tests/rules/synapse-verdicts.toml`, which every run of the tests compares with the pinned Synapse.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// What was found out about one code.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// What the main process's parser does: `accept`, `refuse` with a message, `crash` with a raw traceback; `same` when its own files
    /// show nothing of the mistake.
    main: String,
    /// The same of workers, where the site has some.
    worker: Option<String>,
    /// What the main process does after that, where it was started: `runs`, `dies` or `hangs`.
    start: Option<String>,
    /// The class of the exception.
    says: Option<String>,
    /// What it says over HTTP, where it was asked.
    #[serde(default)]
    answers: Vec<Answer>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    question: String,
    bad: String,
    good: String,
}

static ROWS: LazyLock<BTreeMap<String, Row>> = LazyLock::new(|| toml::from_str(include_str!("../../../tests/rules/synapse-verdicts.toml")).unwrap_or_default());

/// What Synapse itself does with the bad site of a code or a mistake of that name, in a few words; none where it was not asked.
pub fn told(code: &str) -> Option<String> {
    let row = ROWS.get(code)?;
    if row.main == "same" {
        return Some("cannot see it".to_owned());
    }
    let says = row.says.as_ref().map_or(String::new(), |says| format!(" ({says})"));
    let parsed = |outcome: &str| match outcome {
        "accept" => "accepts it".to_owned(),
        "refuse" => format!("refuses it{says}"),
        _ => format!("crashes{says}"),
    };
    let mut told = parsed(&row.main);
    if let Some(worker) = row.worker.as_ref().filter(|worker| **worker != row.main) {
        told += &format!("; a worker {}", parsed(worker));
    }
    match row.start.as_deref() {
        Some("dies") if row.main == "accept" => told += &format!(", then ends while it starts{says}"),
        Some("hangs") => told += ", and never answers",
        Some("runs") if row.answers.iter().all(|answer| answer.bad == answer.good) => told += ", and starts",
        _ => {}
    }
    for Answer { question, bad, good } in row.answers.iter().filter(|answer| answer.bad != answer.good) {
        told += &format!("; {question} says {bad} instead of {good}");
    }
    Some(told)
}

/// How many mistakes Synapse's own parser was asked about, how many of them it accepts, and how many more its files do not show.
pub fn counts() -> (usize, usize, usize) {
    let accepts = |row: &&Row| row.main == "accept" && row.worker.as_ref().is_none_or(|worker| worker == "accept");
    let hidden = ROWS.values().filter(|row| row.main == "same").count();
    (ROWS.len() - hidden, ROWS.values().filter(accepts).count(), hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_and_knows_no_other_codes() {
        let mistakes = crate::check::invariants::lists().mistakes.iter().map(|mistake| mistake.name.as_str());
        let codes: Vec<&str> = super::super::explanations().map(|explanation| explanation.code).chain(mistakes).collect();
        // That no code is missing is for those to say who can ask Synapse: tests/measure.
        assert!(ROWS.len() > 50);
        assert!(ROWS.keys().all(|code| codes.contains(&code.as_str())));
    }
}
