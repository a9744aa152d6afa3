//! Amounts as PostgreSQL writes them (its documentation, "Parameter Names and Values"; PostgreSQL 17, `convert_to_base_unit` and `parse_int` of
//! utils/misc/guc.c): a number with a unit, whose capitals matter. A number without one counts what its setting counts.

/// What a setting counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unit {
    /// So many bytes.
    Memory(f64),
    /// So many milliseconds.
    Time(f64),
}

const MEMORY: &[(&str, f64)] = &[("TB", 1_099_511_627_776.0), ("GB", 1_073_741_824.0), ("MB", 1_048_576.0), ("kB", 1024.0), ("B", 1.0)];
const TIME: &[(&str, f64)] = &[("d", 86_400_000.0), ("h", 3_600_000.0), ("min", 60_000.0), ("s", 1000.0), ("ms", 1.0), ("us", 0.001)];
/// What other programs write, and what PostgreSQL has instead.
const OTHERS: &[(&str, &str)] = &[
    ("T", "TB"),
    ("TIB", "TB"),
    ("G", "GB"),
    ("GIB", "GB"),
    ("M", "MB"),
    ("MIB", "MB"),
    ("K", "kB"),
    ("KIB", "kB"),
    ("DAY", "d"),
    ("DAYS", "d"),
    ("HOUR", "h"),
    ("HOURS", "h"),
    ("M", "min"),
    ("MINS", "min"),
    ("MINUTE", "min"),
    ("MINUTES", "min"),
    ("SEC", "s"),
    ("SECS", "s"),
    ("SECOND", "s"),
    ("SECONDS", "s"),
];

impl Unit {
    /// The units that are usual, the most usual first.
    pub fn usual(self) -> &'static [&'static str] {
        match self {
            Self::Memory(_) => &["MB", "GB", "kB"],
            Self::Time(_) => &["s", "min", "ms"],
        }
    }

    /// As `pg_settings` names it: `8kB`, `ms`; none for an empty name.
    pub fn named(name: &str) -> Option<Self> {
        let digits = name.len() - name.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let times = name[..digits].parse().unwrap_or(1.0);
        let find = |units: &[(&str, f64)]| units.iter().find(|(known, _)| *known == &name[digits..]).map(|(_, factor)| times * factor);
        find(MEMORY).map(Self::Memory).or_else(|| find(TIME).map(Self::Time))
    }

    fn units(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::Memory(_) => MEMORY,
            Self::Time(_) => TIME,
        }
    }

    fn factor(self) -> f64 {
        match self {
            Self::Memory(factor) | Self::Time(factor) => factor,
        }
    }
}

/// The number that a text is, in that unit.
///
/// # Errors
/// What is wrong with it, and what was meant where that can be guessed.
pub fn read(text: &str, unit: Option<Unit>) -> Result<f64, (String, Option<String>)> {
    let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, name) = (text[..end].trim_end_matches(' '), &text[end..]);
    let Some(amount) = plain(number) else { return Err((format!("{text:?} does not begin with a number"), None)) };
    if name.is_empty() {
        return Ok(amount);
    }
    let Some(unit) = unit else { return Err((format!("{text:?} has a unit, and a plain number belongs here"), Some(number.to_owned()))) };
    let find = |name: &str| unit.units().iter().find(|(known, _)| *known == name);
    if let Some((_, factor)) = find(name) {
        return Ok(amount * factor / unit.factor());
    }
    let upper = name.to_ascii_uppercase();
    let near = unit.units().iter().map(|(known, _)| *known).find(|known| known.eq_ignore_ascii_case(name));
    let near = near.or_else(|| OTHERS.iter().find(|(other, known)| *other == upper && find(known).is_some()).map(|(_, known)| *known));
    let known: Vec<&str> = unit.units().iter().map(|(known, _)| *known).collect();
    let message = format!("{text:?} has the unit {name:?}, and PostgreSQL knows {} here", known.join(", "));
    Err((message, near.map(|near| format!("{number}{near}"))))
}

/// A number in a unit as one writes it.
pub fn write(number: f64, unit: Option<Unit>) -> String {
    let Some(unit) = unit.filter(|_| number > 0.0) else { return number.to_string() };
    let base = number * unit.factor();
    let whole = unit.units().iter().find(|(_, factor)| base >= *factor && (base / factor).fract() == 0.0);
    whole.map_or_else(|| number.to_string(), |(name, factor)| format!("{}{name}", base / factor))
}

/// A number without exponent, sign apart. A zero at its beginning would make it octal.
fn plain(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let good = match unsigned.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part),
        None => digits(unsigned) && (unsigned == "0" || !unsigned.starts_with('0')),
    };
    good.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_in_the_unit_of_their_setting() {
        let of = |text: &str, unit: &str| read(text, Unit::named(unit)).ok();
        assert_eq!(of("128MB", "8kB"), Some(16384.0));
        assert_eq!(of("1.5min", "ms"), Some(90_000.0));
        assert_eq!((of("-1", "kB"), of("500us", "ms"), of("7", "")), (Some(-1.0), Some(0.5), Some(7.0)));
        for (text, unit, meant) in [("2G", "8kB", "2GB"), ("64kb", "kB", "64kB"), ("5m", "s", "5min"), ("3 hours", "s", "3h"), ("10s", "", "10")] {
            assert_eq!(read(text, Unit::named(unit)).expect_err(text).1.as_deref(), Some(meant), "{text}");
        }
        assert_eq!(
            (write(16384.0, Unit::named("8kB")), write(-1.0, Unit::named("kB")), write(30.0, Unit::named("s"))),
            ("128MB".to_owned(), "-1".to_owned(), "30s".to_owned())
        );
    }
}
