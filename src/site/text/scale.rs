//! How Synapse writes sizes and times, and what a person meant who wrote them as other programs do.

use super::check_format;

/// A number with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Bytes.
    Size,
    /// Milliseconds.
    Duration,
}

const SECOND: u64 = 1000;
const DAY: u64 = 24 * 3600 * SECOND;

/// Units that people write, and what they are in bytes. Synapse's own come first, the largest first.
const SIZES: &[(&str, u64)] = &[
    ("T", 1 << 40),
    ("G", 1 << 30),
    ("M", 1 << 20),
    ("K", 1 << 10),
    ("TB", 1 << 40),
    ("TIB", 1 << 40),
    ("GB", 1 << 30),
    ("GIB", 1 << 30),
    ("MB", 1 << 20),
    ("MIB", 1 << 20),
    ("KB", 1 << 10),
    ("KIB", 1 << 10),
    ("B", 1),
];

/// The same in milliseconds.
const TIMES: &[(&str, u64)] = &[
    ("Y", 365 * DAY),
    ("W", 7 * DAY),
    ("D", DAY),
    ("H", 3600 * SECOND),
    ("M", 60 * SECOND),
    ("S", SECOND),
    ("YEAR", 365 * DAY),
    ("YEARS", 365 * DAY),
    ("MO", 30 * DAY),
    ("MONTH", 30 * DAY),
    ("MONTHS", 30 * DAY),
    ("WEEK", 7 * DAY),
    ("WEEKS", 7 * DAY),
    ("DAY", DAY),
    ("DAYS", DAY),
    ("HOUR", 3600 * SECOND),
    ("HOURS", 3600 * SECOND),
    ("MIN", 60 * SECOND),
    ("MINS", 60 * SECOND),
    ("MINUTE", 60 * SECOND),
    ("MINUTES", 60 * SECOND),
    ("SEC", SECOND),
    ("SECOND", SECOND),
    ("SECONDS", SECOND),
    ("MS", 1),
];

impl Scale {
    /// The scale of a format that a schema names.
    pub fn of_format(format: &str) -> Option<Self> {
        match format {
            "size" => Some(Self::Size),
            "duration" => Some(Self::Duration),
            _ => None,
        }
    }

    /// Checks that Synapse can read it.
    ///
    /// # Errors
    /// What is wrong and what is expected.
    pub fn check(self, text: &str) -> Result<(), String> {
        check_format(if self == Self::Size { "size" } else { "duration" }, text)
    }

    /// A value as Synapse writes it.
    pub fn example(self) -> &'static str {
        if self == Self::Size { "50M" } else { "7d" }
    }

    /// The same value as Synapse writes it; none when it cannot be guessed.
    pub fn meant(self, text: &str) -> Option<String> {
        let units = if self == Self::Size { SIZES } else { TIMES };
        let plain: String = text.to_uppercase().chars().filter(|c| !c.is_whitespace()).collect();
        let digits = plain.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = plain.split_at(digits);
        let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
        #[allow(clippy::cast_precision_loss, reason = "a factor is far below 2^53")]
        let total = number.parse::<f64>().ok()? * *factor as f64;
        if !(1.0..1e15).contains(&total) || total.fract() != 0.0 {
            return None;
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just above")]
        let total = total as u64;
        // Its own units are single letters and stand first.
        let own = units.iter().filter(|(name, _)| name.len() == 1 && *name != "B").find(|(_, factor)| total.is_multiple_of(*factor));
        let written = match own {
            Some((name, factor)) if self == Self::Duration => format!("{}{}", total / factor, name.to_lowercase()),
            Some((name, factor)) => format!("{}{name}", total / factor),
            None => total.to_string(),
        };
        self.check(&written).is_ok().then_some(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_programs_write_is_understood() {
        for (text, meant) in [("50MB", "50M"), ("2 GiB", "2G"), ("1.5G", "1536M"), ("100b", "100"), ("50k", "50K")] {
            assert_eq!(Scale::Size.meant(text).as_deref(), Some(meant), "{text}");
        }
        for (text, meant) in [("1.5h", "90m"), ("1 day", "1d"), ("90min", "90m"), ("2 weeks", "2w"), ("250ms", "250"), ("1mo", "30d"), ("5M", "5m")] {
            assert_eq!(Scale::Duration.meant(text).as_deref(), Some(meant), "{text}");
        }
        for text in ["", "soon", "1h30m", "0.0001s", "-5m", "9999999999999999999y", "1..2h", "…"] {
            assert_eq!(Scale::Duration.meant(text), None, "{text}");
        }
    }
}
