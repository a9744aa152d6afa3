//! Completes rendered files with secrets. Takes a template's text and the role's values, gives the text that the service
//! reads, with each value written so that the service's own parser gets exactly that value back.

use std::path::{Component, Path};
use std::time::Duration;

use synapse_site::error::{Error, Result};
use synapse_site::files::{LARGEST, read_text};
use synapse_site::launch::{ADDRESS, Escape, PLACEHOLDER_CLOSE, PLACEHOLDER_OPEN, Template};

use crate::values::Secrets;
use crate::{files, stun};

/// Asking the kernel takes no time; the limit is for a machine that is short of everything.
const ADDRESS_LIMIT: Duration = Duration::from_secs(5);

/// A completed file that waits to be written.
pub struct Completed {
    target: String,
    text: String,
}

impl Completed {
    /// Writes the file, readable for the service's user alone, in place of an older one.
    pub fn write(&self, run: &Path) -> Result<()> {
        let target = Path::new(&self.target);
        if let Some(parent) = target.parent() {
            files::create_private_directories(run, parent)?;
        }
        files::replace(target, self.text.as_bytes(), files::Durable::No)
    }
}

/// Reads and completes one template; the error names the template and the secret.
pub fn complete(template: &Template, run: &Path, values: &Secrets) -> Result<Completed> {
    let target = Path::new(&template.target);
    let inside = target.starts_with(run) && target != run && !target.components().any(|c| c == Component::ParentDir);
    if !inside {
        return Err(fault(format!("the plan writes {} outside of {}", template.target, run.display())));
    }
    let source = Path::new(&template.source);
    let mut text = read_text(source, LARGEST).map_err(|problem| problem.error("read the template", source))?;
    // Before secrets go in: a value that looks like this placeholder stays what it is.
    if text.contains(ADDRESS) {
        let address = stun::own_address(ADDRESS_LIMIT).map_err(|problem| {
            Error::environment(format!("this container's own address is not known: {problem}"), "give the container a network with a default route")
        })?;
        text = text.replace(ADDRESS, &address.to_string());
    }
    Ok(Completed { target: template.target.clone(), text: fill(&text, template, values)? })
}

fn fill(text: &str, template: &Template, values: &Secrets) -> Result<String> {
    let mut completed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(PLACEHOLDER_OPEN) {
        completed.push_str(&rest[..start]);
        let after = &rest[start + PLACEHOLDER_OPEN.len()..];
        let name = after
            .find(PLACEHOLDER_CLOSE)
            .map(|end| &after[..end])
            .filter(|name| synapse_site::deploy::secrets::is_valid_name(name))
            .ok_or_else(|| fault(format!("{} has a placeholder that does not end", template.source)))?;
        let value = values.get(name).map_err(|_| fault(format!("{} needs the secret {name}, which the plan does not list", template.source)))?;
        let escaped = escape(value.expose(), template.escape).map_err(|problem| {
            let (path, target) = (values.path(name), &template.target);
            Error::environment(
                format!("the secret {name} cannot be written into {target}: {problem}"),
                format!("choose another value and write it into {}", path.display()),
            )
        })?;
        completed.push_str(&escaped);
        rest = &after[name.len() + PLACEHOLDER_CLOSE.len()..];
    }
    completed.push_str(rest);
    Ok(completed)
}

fn fault(what: String) -> Error {
    Error::environment(what, "build the images again; this is a fault of synapse-site, please report it")
}

/// Writes a value for a parser; the error says what the parser could not read, without showing it.
fn escape(value: &str, escape: Escape) -> std::result::Result<String, &'static str> {
    match escape {
        Escape::Json => Ok(json(value)),
        Escape::Plain => {
            let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '\'' | '`' | '\\');
            // Both redis and coturn take `#` for a comment, redis at the start of a word only; neither needs it.
            if !value.chars().all(plain) {
                Err("it has to be one word without blanks, quotes, backslashes or control characters")
            } else if value.starts_with('#') {
                Err("it must not start with `#`")
            } else {
                Ok(value.to_owned())
            }
        }
        Escape::PgPass => {
            if value.contains(['\n', '\r']) {
                return Err("it has to be one line");
            }
            Ok(value.replace('\\', r"\\").replace(':', r"\:"))
        }
    }
}

/// JSON's escapes, and besides them those for characters that JSON allows raw but YAML 1.1 refuses or folds inside double
/// quotes (YAML 1.1 sections 5.1 and 5.4).
fn json(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(place: &Path, pairs: &[(&str, &str)]) -> Secrets {
        for (name, value) in pairs {
            std::fs::write(place.join(name), value).unwrap();
        }
        Secrets::require(place, pairs.iter().map(|(name, _)| *name)).unwrap()
    }

    fn template(escape: Escape) -> Template {
        Template { source: "/etc/x.in".into(), target: "/run/synapse-site/x".into(), escape }
    }

    #[test]
    fn placeholders_are_replaced_and_everything_else_is_kept() {
        let place = tempfile::tempdir().unwrap();
        let values = values(place.path(), &[("a", "1\n"), ("b-2", "@@secret:a@@")]);
        let text = "x: \"@@secret:a@@@@secret:b-2@@\"\r\ny: @@ @@secret @@secret:a@@";
        // A value that looks like a placeholder is a value.
        assert_eq!(fill(text, &template(Escape::Plain), &values).unwrap(), "x: \"1@@secret:a@@\"\r\ny: @@ @@secret 1");
    }

    #[test]
    fn unknown_and_open_placeholders_are_errors() {
        let place = tempfile::tempdir().unwrap();
        let values = values(place.path(), &[("a", "hunter2\n")]);
        let message = |text| fill(text, &template(Escape::Json), &values).unwrap_err().to_string();
        assert!(message("x @@secret:other@@").contains("needs the secret other"));
        assert!(message("x @@secret:a").contains("does not end"));
        assert!(message("x @@secret:a b@@").contains("does not end"));
    }

    #[test]
    fn json_values_survive_a_yaml_and_a_json_parser() {
        let value = "p\"a\\s\ts\n:w #ö\u{85}\u{7f}\u{2028}\u{feff}😀 {}%@@";
        let line = format!("\"{}\"", json(value));
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), value);
        assert_eq!(serde_yaml::from_str::<String>(&line).unwrap(), value);
    }

    #[test]
    fn plain_values_are_one_safe_word() {
        assert_eq!(escape("a#B:9=%ä", Escape::Plain).unwrap(), "a#B:9=%ä");
        for bad in ["a b", "a\tb", "a\nb", "\"a", "a'", "a\\", "#a", "a\u{7f}", "`a"] {
            assert!(escape(bad, Escape::Plain).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn password_files_escape_colons_and_backslashes() {
        assert_eq!(escape(r"a:b\c d", Escape::PgPass).unwrap(), r"a\:b\\c d");
        assert!(escape("a\nb", Escape::PgPass).is_err());
    }

    #[test]
    fn a_value_that_cannot_be_held_is_named_and_not_shown() {
        let place = tempfile::tempdir().unwrap();
        let values = values(place.path(), &[("turn", "hunter2 hunter3\n")]);
        let shown = fill("@@secret:turn@@", &template(Escape::Plain), &values).unwrap_err().to_string();
        assert!(shown.contains("the secret turn") && !shown.contains("hunter"), "{shown}");
    }

    #[test]
    fn a_target_outside_of_the_run_directory_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let values = values(place.path(), &[("a", "1")]);
        for target in ["/etc/passwd", "/run/synapse-site", "/run/synapse-site/../x", "/run/synapse-site-x/y"] {
            let template = Template { target: target.into(), ..template(Escape::Json) };
            let error = complete(&template, Path::new("/run/synapse-site"), &values).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains("outside"), "{target}: {error}");
        }
    }
}
