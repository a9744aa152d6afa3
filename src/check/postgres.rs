//! What the PostgreSQL of the images says of its own settings: name, type, unit, range and values, from `pg_settings`. The data file beside
//! this one is written and compared by `tests/measure`; whether values are read here as there, `tests/launch` asks a real server.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::site::database::setting_text;
use crate::site::text::amount::{self, Unit};

/// The type of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// On or off.
    Bool,
    /// One of these values.
    Choice(Vec<&'static str>),
    /// A whole number.
    Whole,
    /// A number.
    Real,
    /// Text; what it means only the server knows.
    Text,
}

/// One setting.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Its type.
    pub kind: Kind,
    /// What a number without a unit counts; none for a plain number.
    pub unit: Option<Unit>,
    /// The least number.
    pub least: f64,
    /// The greatest number.
    pub most: f64,
    /// Whether it only tells something, and cannot be set.
    pub is_preset: bool,
    /// Where PostgreSQL's documentation has it: `Resource Usage / Memory`.
    pub category: &'static str,
}

static TABLE: &str = include_str!("postgres/settings.txt");

/// Every setting, by name.
pub fn settings() -> &'static BTreeMap<&'static str, Setting> {
    static SETTINGS: LazyLock<BTreeMap<&'static str, Setting>> =
        LazyLock::new(|| TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(row).collect());
    &SETTINGS
}

fn row(line: &'static str) -> Option<(&'static str, Setting)> {
    let [name, kind, unit, least, most, choices, context, category] = <[&str; 8]>::try_from(line.split('|').collect::<Vec<_>>()).ok()?;
    let kind = match kind {
        "bool" => Kind::Bool,
        "enum" => Kind::Choice(choices.split(',').collect()),
        "integer" => Kind::Whole,
        "real" => Kind::Real,
        _ => Kind::Text,
    };
    let number = |text: &str, otherwise: f64| text.parse().unwrap_or(otherwise);
    let (least, most) = (number(least, f64::MIN), number(most, f64::MAX));
    Some((name, Setting { kind, unit: Unit::named(unit), least, most, is_preset: context == "internal", category }))
}

impl Setting {
    /// The number that a value is, in the setting's own unit.
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead, as far as that can be guessed.
    pub fn number(&self, text: &str) -> Result<f64, (String, Option<String>)> {
        let amount = amount::read(text, self.unit)?;
        let amount = if self.kind == Kind::Whole { amount.round() } else { amount };
        if (self.least..=self.most).contains(&amount) {
            return Ok(amount);
        }
        let (least, most) = (self.amount(self.least), self.amount(self.most));
        let near = if amount < self.least { &least } else { &most };
        Err((format!("is {text}, and goes from {least} to {most}"), Some(near.clone())))
    }

    /// A number of this setting with its unit.
    pub fn amount(&self, number: f64) -> String {
        amount::write(number, self.unit)
    }

    /// What is wrong with a value, and what to write instead.
    ///
    /// # Errors
    /// Both, as ends of sentences; the second may be missing.
    pub fn check(&self, value: &Value) -> Result<(), (String, Option<String>)> {
        let Some(text) = setting_text(value) else { return Err(("is neither text, nor a number, nor true or false".to_owned(), None)) };
        match &self.kind {
            Kind::Bool if is_bool(&text) => Ok(()),
            Kind::Bool => Err((format!("is {text:?}, expected true or false"), Some("true".to_owned()))),
            Kind::Choice(choices) if choices.iter().any(|choice| choice.eq_ignore_ascii_case(&text)) => Ok(()),
            Kind::Choice(choices) => {
                // Beside those that it names PostgreSQL takes true and false of most settings that have on and off.
                let is_switch = choices.contains(&"on") && choices.contains(&"off");
                if is_switch && ["true", "false", "yes", "no", "1", "0"].contains(&text.to_ascii_lowercase().as_str()) {
                    return Ok(());
                }
                let near = crate::site::schema::nearest(&text, choices.iter().copied()).unwrap_or(choices[0]);
                Err((format!("is {text:?}, allowed are {}", choices.join(", ")), Some(near.to_owned())))
            }
            Kind::Whole | Kind::Real if value.is_boolean() => Err((format!("is {value}, expected a number"), Some(self.amount(self.least)))),
            Kind::Whole | Kind::Real => self.number(&text).map(drop),
            Kind::Text if value.is_string() => Ok(()),
            Kind::Text => Err((format!("is {value}, expected text"), None)),
        }
    }
}

/// Whether PostgreSQL takes a text for true or false (its documentation, "Parameter Names and Values").
fn is_bool(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let begins = |word: &str| !text.is_empty() && word.starts_with(&text);
    ["true", "false", "yes", "no", "1", "0"].into_iter().any(begins) || ["on", "off", "of"].contains(&text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_line_of_the_table_is_understood() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        assert!(lines > 350 && settings().len() == lines);
        let of = |name: &str| settings()[name].clone();
        assert_eq!((of("work_mem").unit, of("work_mem").least), (Unit::named("kB"), 64.0));
        assert_eq!(of("jit").kind, Kind::Bool);
        assert!(of("server_version").is_preset && of("wal_level").kind == Kind::Choice(vec!["minimal", "replica", "logical"]));
    }

    #[test]
    fn a_wrong_value_is_told_with_a_right_one() {
        let told = |name: &str, value: Value| settings()[name].check(&value).expect_err("wrong");
        assert_eq!(told("work_mem", json!("64M")).1.as_deref(), Some("64MB"));
        assert_eq!(told("work_mem", json!(1)).1.as_deref(), Some("64kB"));
        assert_eq!(told("checkpoint_timeout", json!("15m")).1.as_deref(), Some("15min"));
        assert_eq!(told("wal_compression", json!("zst")).1.as_deref(), Some("zstd"));
        assert!(told("max_wal_size", json!(["4GB"])).1.is_none());
        for (name, value) in [("work_mem", json!("64MB")), ("random_page_cost", json!(1.1)), ("huge_pages", json!(false)), ("autovacuum_naptime", json!("10s"))]
        {
            assert_eq!(settings()[name].check(&value), Ok(()), "{name}");
        }
    }
}
