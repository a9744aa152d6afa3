//! The evaluator's words, made readable: the last error only, in the paths that the user knows, with the option and the file
//! from the trace where the error itself shows a line of a library. Nix before 2.16 says the error first and the trace after it,
//! later ones the other way round.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use crate::check::Position;
use crate::site::reveal::{self, Unsaid};
use crate::site::schema::OptionPath;
use crate::site::synapse::{SECRET_REMEDY, names_secret};

/// Directories that a message may name, and what people call them.
#[derive(Default)]
pub(super) struct Places {
    /// Real beginning of a path and what is shown in its place.
    shown: Vec<(String, String)>,
    /// Beginnings of paths of files that are not the user's.
    libraries: Vec<String>,
    /// The description's file, and its text.
    file: String,
    text: String,
    unsaid: Unsaid,
}

/// What is told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) text: String,
    pub(super) position: Option<Position>,
    pub(super) remedy: Option<String>,
}

impl Places {
    /// The description: its directory is shown as the user wrote it.
    pub(super) fn of_the_user(&mut self, absolute: &Path, written: &Path, text: String) {
        self.file = absolute.display().to_string();
        self.unsaid = Unsaid::of_nix(&text);
        self.text = text;
        if let Some((real, own)) = absolute.parent().zip(written.parent()) {
            let own = if own.as_os_str().is_empty() { String::new() } else { format!("{}/", own.display()) };
            self.shown.push((format!("{}/", real.display()).replace("//", "/"), own));
        }
    }

    /// The modules of this program.
    pub(super) fn of_the_modules(&mut self, dir: &Path) {
        self.library(dir, "<synapse-site/modules>/");
    }

    /// The library of nixpkgs.
    pub(super) fn of_nixpkgs(&mut self, dir: &Path) {
        self.library(dir, "<nixpkgs/lib>/");
    }

    fn library(&mut self, dir: &Path, name: &str) {
        let real = format!("{}/", dir.display());
        self.shown.insert(0, (real.clone(), name.to_owned()));
        self.libraries.push(real);
    }

    /// Everything, only with the paths that people know.
    pub(super) fn all(&self, message: &str) -> SyntaxError {
        let words = without_values(message, self.is_told(message));
        SyntaxError { text: indented(&self.told(words.trim_end())), position: None, remedy: remedy(message) }
    }

    /// The error of the short form, and of the trace what the short form lacks.
    pub(super) fn tell(&self, short: &str, trace: &str) -> SyntaxError {
        let block = last_error(short);
        let (words, place) = self.without_libraries(&block);
        let words = without_values(&words, self.is_told(&block));
        let mut lines = vec![words];
        if place.is_none() {
            lines.extend(self.context(trace).iter().map(|line| without_quotes(line, false)));
        }
        SyntaxError { text: indented(&self.told(&lines.join("\n"))), position: place, remedy: remedy(&block) }
    }

    /// Whether an error is at an option of the description that may be shown.
    fn is_told(&self, message: &str) -> bool {
        let place = message.lines().filter_map(at).find(|(file, _)| *file == self.file);
        place.is_some_and(|(_, place)| is_told(&self.text, place))
    }

    /// The error without snippets of library code, and the place of the user's that it names.
    fn without_libraries(&self, block: &str) -> (String, Option<Position>) {
        let mut kept: Vec<&str> = Vec::new();
        let mut position = None;
        let mut skipping = false;
        for line in block.lines() {
            if let Some((file, place)) = at(line) {
                skipping = self.libraries.iter().any(|library| file.starts_with(library)) || file.starts_with('«') || file.starts_with('(');
                if !skipping && position.is_none() {
                    position = Some(Position { file: self.rename(file), line: place.0, column: place.1 });
                }
            } else if skipping && !line.trim().is_empty() && !is_code(line) {
                skipping = false;
            }
            if !skipping {
                kept.push(line);
            }
        }
        (kept.join("\n").trim_end().to_owned(), position)
    }

    /// The innermost option, definition and argument that were being evaluated.
    fn context(&self, trace: &str) -> Vec<String> {
        let pattern = r#"(?:while evaluating|noting that) (the option `[^'$]+'|definitions from `[^'$]+'|the module argument `[^'$]+' in "[^"]+")"#;
        let Ok(pattern) = Regex::new(pattern) else { return Vec::new() };
        let mut found: Vec<&str> = pattern.captures_iter(trace).filter_map(|capture| capture.get(1)).map(|part| part.as_str()).collect();
        if trace.find("error:").is_some_and(|first| trace[first + 6..].lines().next().is_some_and(|line| line.trim().is_empty())) {
            found.reverse();
        }
        let foreign = |part: &&str| self.libraries.iter().any(|library| part.contains(library.as_str()));
        let innermost = |kind: &str| found.iter().find(|part| part.starts_with(kind) && !foreign(part)).map(|part| format!("while evaluating {part}"));
        ["the option", "definitions from", "the module argument"].iter().filter_map(|kind| innermost(kind)).collect()
    }

    /// A text with the paths that people know, and without what looks like a secret. The paths are
    /// put in after that: somebody's own directory may look like anything.
    fn told(&self, text: &str) -> String {
        // A library's directory itself, which the trace names as an argument.
        let directories = self.libraries.iter().map(|real| (real.trim_end_matches('/'), "<library>"));
        let names: Vec<(&str, &str)> = self.shown.iter().map(|(real, shown)| (real.as_str(), shown.as_str())).chain(directories).collect();
        let mark = |at: usize| format!("\u{1}{at}\u{2}");
        let marked = names.iter().enumerate().fold(text.to_owned(), |text, (at, (real, _))| text.replace(real, &mark(at)));
        let without = self.unsaid.out_of_text(&reveal::without_secrets(&marked));
        names.iter().enumerate().fold(without, |text, (at, (_, shown))| text.replace(&mark(at), shown))
    }

    fn rename(&self, text: &str) -> String {
        self.shown.iter().fold(text.to_owned(), |text, (real, shown)| text.replace(real, shown))
    }
}

/// The last error of a message, without the evaluator's own margin and advice.
fn last_error(message: &str) -> String {
    let lines: Vec<&str> = message.lines().collect();
    let start = lines.iter().rposition(|line| line.trim_start().starts_with("error:")).unwrap_or(0);
    let margin = lines.get(start).map_or(0, |line| line.len() - line.trim_start().len());
    let ends = |line: &&&str| !line.trim_start().starts_with('…') && !line.contains("(use '--show-trace'") && !line.contains("(stack trace truncated");
    let block: Vec<&str> = lines[start..].iter().take_while(ends).map(|line| line.get(margin..).unwrap_or(line.trim_start())).collect();
    // Every line after the first stands below the text of the first.
    let block: Vec<&str> = block.iter().map(|line| line.strip_prefix("       ").unwrap_or(line)).collect();
    block.join("\n").trim_end().to_owned()
}

/// The evaluator's words without what a description says: no line of it, no value but those of options that may be shown, and nothing that
/// is quoted but names of options and files. `is_told` says whether the place of the error is an option that may be shown.
fn without_values(message: &str, is_told: bool) -> String {
    static OPTION: LazyLock<Regex> = LazyLock::new(|| Regex::new("option `([^']+)'").expect("an expression"));
    let option = OPTION.captures(message).map(|found| OptionPath::dotted(&found[1]));
    let mut kept: Vec<String> = Vec::new();
    let mut defined = false;
    let mut traced = false;
    for line in message.lines() {
        // What somebody lets be printed may have several lines.
        let is_trace = ["trace:", "evaluation warning:"].iter().any(|sign| line.trim_start().starts_with(sign));
        traced = is_trace || traced && !line.starts_with("error:");
        if traced || is_code(line) {
            continue;
        }
        let advice = ["Did you mean", "Use `lib."].iter().any(|advice| line.trim_start().starts_with(advice));
        if defined && advice {
            defined = false;
            kept.push(String::new());
        }
        if defined {
            // A value may have several lines; of those only the file is kept.
            if let Some((place, value)) = line.split_once("':").filter(|(place, _)| place.trim_start().starts_with("- In `")) {
                let plain = value.trim().trim_matches('"');
                let shown = !plain.is_empty() && option.as_ref().is_some_and(|option| reveal::may_show(option, plain));
                kept.push(if shown { line.to_owned() } else { format!("{place}'") });
            } else if line.trim_start().starts_with("- In `") {
                kept.push(line.to_owned());
            }
            continue;
        }
        defined = line.trim_end().ends_with("efinition values:");
        kept.push(without_quotes(line, is_told));
    }
    kept.join("\n")
}

/// A line without what it quotes, but for names of options and of files in Nix.
fn without_quotes(line: &str, is_told: bool) -> String {
    static QUOTED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"`([^'`]*)'|'([^']*)'?|"((?:[^"\\]|\\.)*)"?|: -?[0-9.]{4,}"#).expect("an expression"));
    let replaced = QUOTED.replace_all(line, |found: &regex::Captures<'_>| {
        let whole = &found[0];
        let named = |text: &str| text.split('.').all(reveal::is_name) || text.ends_with(".nix") && !text.contains(char::is_whitespace);
        let like_names = |text: &str| text.split(' ').all(reveal::is_nameable) || text.starts_with(['/', '.', '<']);
        match (found.get(1), found.get(2).or_else(|| found.get(3))) {
            (Some(name), _) if line.contains("option `") && !name.as_str().contains(['/', ' ']) => {
                format!("`{}'", reveal::path(&OptionPath::dotted(name.as_str())))
            }
            (Some(_), _) => whole.to_owned(),
            (_, Some(text)) if named(text.as_str()) || is_told && found.get(2).is_some() && like_names(text.as_str()) => whole.to_owned(),
            (_, Some(_)) => "…".to_owned(),
            _ => ": …".to_owned(),
        }
    });
    replaced.into_owned()
}

/// Whether the option that is being written at a place of a text in Nix may be shown.
fn is_told(text: &str, (line, column): (usize, usize)) -> bool {
    static OPTION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"([A-Za-z_][\w.'-]*)\s*=(?:[^=]|$)").expect("an expression"));
    let before: String = text.lines().take(line.saturating_sub(1)).flat_map(|line| [line, "\n"]).collect();
    let here: String = text.lines().nth(line.saturating_sub(1)).unwrap_or_default().chars().take(column.saturating_sub(1)).collect();
    let before = before + &here;
    let name = OPTION.captures_iter(&before).last().map(|found| found[1].to_owned());
    name.is_some_and(|name| name.split('.').all(|step| reveal::is_name(step) && !reveal::sounds_secret(step)))
}

/// The file, line and column of a line `at FILE:LINE:COLUMN:`, which Nix 2.8 may go on with what it proposes.
fn at(line: &str) -> Option<(&str, (usize, usize))> {
    static PLACE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\s*at (.+):([0-9]+):([0-9]+):(?:$|Did you mean)").expect("an expression"));
    let found = PLACE.captures(line)?;
    Some((found.get(1)?.as_str(), (found[2].parse().ok()?, found[3].parse().ok()?)))
}

/// A line of a snippet: a number or nothing, then a bar.
fn is_code(line: &str) -> bool {
    line.split_once('|').is_some_and(|(number, _)| number.trim().chars().all(|c| c.is_ascii_digit()))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { String::new() } else { format!("    {line}") }).collect::<Vec<_>>().join("\n")
}

/// What helps with errors that people make often.
fn remedy(message: &str) -> Option<String> {
    let unknown = message.split("The option `").nth(1).and_then(|rest| rest.split_once("' does not exist")).map(|(option, _)| option);
    if unknown.is_some_and(|option| names_secret(option.rsplit('.').next().unwrap_or(option))) {
        return Some(SECRET_REMEDY.to_owned());
    }
    let remedies = [
        ("called without required argument", "a function must do without arguments here: give every argument a default, or write a plain attribute set"),
        ("called with unexpected argument", "the arguments of a module end with three dots, for those that it does not name: { lib, ... }:"),
        ("stack overflow", "a function calls itself, or a value holds itself, without an end"),
        (
            "infinite recursion",
            "an option is defined by its own value; use lib.mkDefault for a value that others may replace, and read only options that do not depend on it",
        ),
        ("rather than an attribute set for the option", "a section is a set of options; leave it out to have its defaults"),
        (
            "is not supported by store 'dummy",
            "a file would get a copy in the store; write \"./file\", not ./file, for a file to read, and { _secret = \"its name\"; } for a secret",
        ),
        ("cannot convert a function to JSON", "some option holds a function instead of a value"),
    ];
    remedies.iter().find(|(sign, _)| message.contains(sign)).map(|(_, remedy)| (*remedy).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        let mut places = Places::default();
        places.of_the_user(Path::new("/home/a/sites/site.nix"), Path::new("sites/site.nix"), "{\n  turn.port = nam;\n}\n".to_owned());
        places.of_the_modules(Path::new("/tmp/modules-x"));
        places.of_nixpkgs(Path::new("/nix/store/abc-source/lib"));
        places
    }

    #[test]
    fn the_users_place_stays_and_advice_goes() {
        let short = "error: undefined variable 'nam'\n\n       at /home/a/sites/site.nix:2:15:\n\n            1| {\n            2|   turn.port = nam;\n             |       ^\n(use '--show-trace' to show detailed location information)\n";
        let told = places().tell(short, short);
        assert!(
            told.text.contains("at sites/site.nix:2:15:") && told.text.contains("'nam'") && !told.text.contains("= nam;") && !told.text.contains("show-trace"),
            "{}",
            told.text
        );
        assert_eq!(told.position, Some(Position { file: "sites/site.nix".to_owned(), line: 2, column: 15 }));
    }

    #[test]
    fn a_text_of_somebodys_own_module_is_told_without_secrets_and_traces_are_not() {
        let said = |message: &str| {
            let mut places = places();
            places.of_the_user(Path::new("/home/a/sites/site.nix"), Path::new("sites/site.nix"), "{ smtp_pass = \"Sommer-24\"; }".to_owned());
            places.tell(message, "").text + &places.all(message).text
        };
        let told = said("trace: Winter-25\nSpring-26\nerror: say how many workers, not Zq7Xv9KtWm3Rb8Lp or Sommer-24\n");
        assert!(told.contains("say how many workers, not … or …"), "{told}");
        assert!(!told.contains("Winter") && !told.contains("Spring"), "{told}");
        let told = said("error: attribute 'Zq7Xv9KtWm3Rb8Lp' missing\n\n       at /home/a/sites/site.nix:1:3:\n");
        assert!(told.contains("attribute") && told.contains("sites/site.nix:1:3") && !told.contains("Zq7"), "{told}");
    }

    #[test]
    fn values_of_options_that_do_not_exist_stay_unsaid() {
        let short = "error: The option `email.smtp_pass' does not exist. Definition values:\n       - In `/home/a/sites/site.nix':\n           {\n             a = \"hunter2\";\n           }\n       - In `/home/a/sites/b.nix': \"hunter2\"\n\n       Did you mean `email.smtp_port'?\n";
        let expected = "    error: The option `email.smtp_pass' does not exist. Definition values:\n    - In `sites/site.nix'\n    - In `sites/b.nix'\n\n    Did you mean `email.smtp_port'?";
        let told = places().tell(short, "");
        assert_eq!(told.text, expected);
        assert!(told.remedy.is_some_and(|remedy| remedy.contains("holds no secrets")));
        assert!(!places().all(short).text.contains("hunter2"));
    }

    #[test]
    fn library_code_gives_way_to_the_option_and_its_file() {
        let short = "error: infinite recursion encountered\n\n       at /nix/store/abc-source/lib/modules.nix:1:7:\n\n            1|  value\n             |  ^\n(use '--show-trace' to show detailed location information)\n";
        let early = "error: infinite recursion encountered\n\n       … while evaluating definitions from `/home/a/sites/site.nix':\n\n       … while evaluating the option `server.server_name':\n\n       … while evaluating the option `outer':\n";
        let late = "error:\n       … while evaluating the option `outer':\n\n       … while evaluating the option `server.server_name':\n\n       … while evaluating definitions from `/home/a/sites/site.nix':\n\n       error: infinite recursion encountered\n\n       at /nix/store/abc-source/lib/modules.nix:1:7:\n";
        let expected = "    error: infinite recursion encountered\n    while evaluating the option `server.server_name'\n    while evaluating definitions from `sites/site.nix'";
        for trace in [early, late] {
            let told = places().tell(short, trace);
            assert_eq!(told.text, expected);
            assert!(told.remedy.is_some_and(|remedy| remedy.contains("mkDefault")));
        }
        assert_eq!(places().tell(late, late).text, expected);
    }
}
