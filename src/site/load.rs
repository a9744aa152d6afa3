//! From a file to a [`Site`]: read the format, check against the schema, deserialise, read the files that it names. The one
//! place where a description touches the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Site;
use super::fitted::fitted;
use super::nix::{self, Evaluator};
use super::number;
use super::position::{self, Positions, UnsupportedYaml};
use super::reveal::{self, Hidden, Unsaid};
use super::schema::{self, MOST_MISTAKES, OptionPath};
use super::sound;
use super::syntax_error;
use crate::check::{Finding, Findings, Position, Severity, rules};
use crate::error::{Error, Result};
use crate::files;
use crate::synapse::Running;

/// The largest description that is read, in bytes; hand-written ones have a few thousand. Readers of YAML take up to a hundred times as much
/// memory.
const LARGEST_DESCRIPTION: u64 = 4 << 20;

/// The largest file that a description may name, in bytes.
const LARGEST: u64 = 16 << 20;

/// The most bytes of all these files together, and the most files.
const MOST: u64 = 128 << 20;
const MOST_FILES: usize = 10_000;

/// The most brackets that may be open at once. The YAML reader takes a whole document in before it looks at the depth, in a time that
/// grows with the square of this number.
const MOST_BRACKETS: usize = 10_000;

/// A description that keeps to the schema, and what is needed to talk about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The description.
    pub site: Site,
    /// The content of each file that the description names, by the path it is named with, and of each file in a directory that it
    /// names, by [`in_directory`].
    pub files: BTreeMap<String, Vec<u8>>,
    /// Where options stand.
    pub source: Source,
    /// The Synapse that the images will hold: the locked one until something says otherwise.
    pub synapse: Running,
}

/// Where a description came from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file as the user named it.
    pub file: PathBuf,
    /// Its text, for messages; absent for Nix, whose values have lost their places.
    pub text: Option<Hidden>,
    /// What the site's own modules want to be told.
    pub warnings: Vec<String>,
    /// What no message repeats.
    pub unsaid: Unsaid,
    positions: Positions,
}

impl Source {
    /// The position of an option.
    pub fn position(&self, path: &OptionPath) -> Option<Position> {
        let (line, column) = self.positions.find(path)?;
        Some(Position { file: self.file.display().to_string(), line, column })
    }
}

/// Loads a description: a `.nix`, `.yaml`, `.yml` or `.json` file, or a directory that holds exactly one `site.*` of these.
///
/// # Errors
/// [`Error::Site`] with everything that is wrong with it; [`Error::Environment`] when it cannot be read at all.
pub fn load(path: &Path) -> Result<Loaded> {
    load_with(path, &Evaluator::default())
}

/// Loads a description as [`load`] does, with a say in how Nix is asked.
///
/// # Errors
/// As [`load`].
pub fn load_with(path: &Path, evaluator: &Evaluator) -> Result<Loaded> {
    load_for(path, evaluator, Running::default())
}

/// Loads a description as [`load_with`] does, for images that hold that Synapse.
///
/// # Errors
/// As [`load`].
pub fn load_for(path: &Path, evaluator: &Evaluator, synapse: Running) -> Result<Loaded> {
    let file = find(path)?;
    let (value, source) = read(&file, evaluator)?;
    if position::is_too_much(&value) {
        return Err(too_much(&file));
    }
    let value = fitted(schema::root(), value);
    let outcome = schema::check(schema::root(), &value);
    let mut findings: Vec<Finding> = Vec::new();
    for (at, (line, column)) in source.positions.duplicates.iter().take(MOST_MISTAKES) {
        findings.push(Finding {
            code: "S0007",
            severity: Severity::Error,
            option: reveal::path(at),
            place: Some(at.clone()),
            position: Some(Position { file: file.display().to_string(), line: *line, column: *column }),
            message: "is written twice".to_owned(),
            remedy: Some("keep one of the two".to_owned()),
        });
    }
    let more = source.positions.duplicates.len().saturating_sub(MOST_MISTAKES);
    findings.extend(Finding::of_more("S0007", Severity::Error, more, &file));
    findings.extend(odd(&file, &source.positions));
    let odd: BTreeSet<&OptionPath> = source.positions.unsupported.iter().map(|(at, ..)| at).collect();
    // What is missing is missing from the set around it.
    let around = |at: &OptionPath| OptionPath(at.0[..at.0.len().saturating_sub(1)].to_vec());
    let twice: BTreeSet<&OptionPath> = source.positions.duplicates.iter().map(|(at, _)| at).collect();
    let mut unsound: Vec<OptionPath> = Vec::new();
    for (at, mut finding) in outcome.findings.into_iter().filter(|(at, _)| !odd.contains(at)) {
        let is_missing = finding.code == "S0006";
        // Of a section that is written twice, the other one may have it.
        if is_missing && twice.contains(&around(&at)) {
            continue;
        }
        finding.position = source.position(&at);
        unsound.push(at);
        findings.push(finding);
    }
    findings.extend(
        Finding::of_more("S0002", Severity::Error, outcome.more, &file)
            .map(|finding| Finding { message: format!("{} more options and elements of lists were not looked at", outcome.more), ..finding }),
    );
    if outcome.more > 0 {
        // What the rest of them is about is not known, so that no rule knows what it may look at.
        return Err(Error::Site(Findings::new(unsaid(findings, &source), &source.file, source.text.as_ref())));
    }
    let mut named = Named::default();
    let base = file.parent().unwrap_or(Path::new("."));
    let mut unread = |at: &OptionPath, path: &Path, why: &str, form: &str| {
        findings.push(Finding {
            code: "S0009",
            severity: Severity::Error,
            option: reveal::path(at),
            place: Some(at.clone()),
            position: source.position(at),
            message: format!("{} cannot be read: {why}", path.display()),
            remedy: Some(format!("a path is relative to the description, and {form}")),
        });
    };
    for (at, name) in outcome.files {
        let beside = base.join(&name);
        if let Err(why) = named.read(name, &beside) {
            unsound.push(at.clone());
            unread(&at, &beside, &why, &format!("the file a plain one of at most {LARGEST} bytes"));
        }
    }
    for (at, name) in outcome.directories {
        if let Err((path, why)) = named.read_directory(&name, &base.join(&name)) {
            unsound.push(at.clone());
            unread(&at, &path, &why, &format!("the directory holds plain files of at most {LARGEST} bytes"));
        }
    }
    let files = named.files;
    let findings = unsaid(findings, &source);
    if !findings.is_empty() {
        unsound.extend(source.positions.duplicates.iter().map(|(at, _)| at.clone()));
        unsound.extend(source.positions.unsupported.iter().map(|(at, ..)| at.clone()));
        return Err(Error::Site(with_rules(findings, &unsound, value, Loading { files, source, synapse })));
    }
    let site = serde_json::from_value(without_nulls(value)).map_err(|error| {
        Error::Site(Findings::from(Finding {
            code: "S0002",
            severity: Severity::Error,
            option: file.display().to_string(),
            place: None,
            position: None,
            message: reveal::without_quotes(&error.to_string()),
            remedy: None,
        }))
    })?;
    Ok(Loaded { site, files, source, synapse })
}

/// Findings without what of a description no message repeats.
fn unsaid(findings: Vec<Finding>, source: &Source) -> Vec<Finding> {
    findings.into_iter().map(|finding| source.unsaid.out_of(finding)).collect()
}

/// What a description comes with, before it is known to be sound.
struct Loading {
    files: BTreeMap<String, Vec<u8>>,
    source: Source,
    synapse: Running,
}

/// What a finding says, to compare it with another one.
fn said(finding: &Finding) -> (&str, &str, &str, Option<&str>) {
    (finding.code, &finding.option, &finding.message, finding.remedy.as_deref())
}

/// What the types found, and what the rules find in everything else: who has to mend the one wants to know of the other.
fn with_rules(mut findings: Vec<Finding>, unsound: &[OptionPath], value: Value, loading: Loading) -> Findings {
    let Loading { files, source, synapse } = loading;
    let sound = sound::parts(&value, unsound);
    let [one, other] = sound.descriptions.map(|description| serde_json::from_value(without_nulls(description)));
    let (file, text) = (source.file.clone(), source.text.clone());
    if let (Ok(one), Ok(other), true) = (one, other, value.is_object()) {
        let mut loaded = Loaded { site: one, files, source, synapse };
        let found = rules::apply_to_valid_parts(&loaded, &sound.left_out).list;
        loaded.site = other;
        // What is found with one stand-in and not with the other comes of it.
        let again = rules::apply_to_valid_parts(&loaded, &sound.left_out).list;
        let again: BTreeSet<(&str, &str, &str, Option<&str>)> = again.iter().map(said).collect();
        findings.extend(found.into_iter().filter(|finding| again.contains(&said(finding))));
    }
    Findings::new(findings, &file, text.as_ref())
}

/// What is written in YAML's own way and means nothing here.
fn odd(file: &Path, positions: &Positions) -> Vec<Finding> {
    let finding = |(at, (line, column), unsupported_yaml): &(OptionPath, (usize, usize), UnsupportedYaml)| {
        let (code, message, remedy) = match unsupported_yaml {
            UnsupportedYaml::NotFinite(text) => no_number(at, text, "which is no number that a service takes"),
            UnsupportedYaml::Beyond(text) if !reveal::may_show(at, text) => {
                no_number(at, "a number", &format!("and whole numbers are read {}", number::READABLE))
            }
            UnsupportedYaml::Beyond(text) => no_number(at, text, &format!("and whole numbers are read {}", number::READABLE)),
            UnsupportedYaml::Merge => told("S0001", "YAML 1.2 has no merge key".to_owned(), "write the options here, too; in a site.nix they can be shared"),
            UnsupportedYaml::Tag(tag) if reveal::may_show(at, tag) => {
                told("S0002", format!("the tag {tag} means nothing here"), "remove it, or put the text into quotes")
            }
            UnsupportedYaml::Tag(_) => {
                told("S0002", "has a tag, which means nothing here".to_owned(), "remove the ! and what belongs to it, or put the text into quotes")
            }
        };
        Finding {
            code,
            severity: Severity::Error,
            option: reveal::path(at),
            place: Some(at.clone()),
            position: Some(Position { file: file.display().to_string(), line: *line, column: *column }),
            message,
            remedy: Some(remedy),
        }
    };
    let more = positions.unsupported.len().saturating_sub(MOST_MISTAKES);
    let findings = positions.unsupported.iter().take(MOST_MISTAKES).map(finding);
    findings.chain(Finding::of_more("S0002", Severity::Error, more, file)).collect()
}

fn told(code: &'static str, message: String, remedy: &str) -> (&'static str, String, String) {
    (code, message, remedy.to_owned())
}

/// What to say of a number that cannot be read, at an option that takes one or not: what was found, what is allowed, what to write.
/// `found` may be shown.
fn no_number(at: &OptionPath, found: &str, why: &str) -> (&'static str, String, String) {
    match schema::expected_at(at) {
        Some((expected, example)) => told("S0002", format!("found {found}, {why}; expected {expected}"), &example),
        None => told("S0002", format!("found {found}, {why}"), "write another number, or a text in quotation marks"),
    }
}

/// A number that JSON has not, at a place where its reader gave up.
fn no_json_number(file: &Path, text: &str, positions: &Positions, place: (usize, usize)) -> Option<Finding> {
    let found = number::refused(text, place)?;
    let at = positions.before(place).unwrap_or_default();
    let is_large = serde_json::from_str::<serde::de::IgnoredAny>(found).is_ok();
    let why = if is_large { "which is larger than any number that is read" } else { "which is no number of JSON" };
    let (code, message, example) = no_number(&at, if reveal::may_show(&at, found) { found } else { "a number" }, why);
    let remedy = number::meant(found).filter(|_| reveal::may_show(&at, found)).unwrap_or(example);
    let (line, column) = place;
    Some(Finding {
        code,
        severity: Severity::Error,
        option: reveal::path(&at),
        place: Some(at),
        position: Some(Position { file: file.display().to_string(), line, column }),
        message,
        remedy: Some(remedy),
    })
}

/// A description that is at hand as a value, with the files that it names.
///
/// # Errors
/// What the types say against it; the rules are for the caller to apply.
pub fn of_value(value: Value, files: BTreeMap<String, Vec<u8>>) -> std::result::Result<Loaded, String> {
    let site = serde_json::from_value(without_nulls(value)).map_err(|error| error.to_string())?;
    Ok(Loaded {
        site,
        files,
        source: Source { file: PathBuf::new(), text: None, warnings: Vec::new(), unsaid: Unsaid::default(), positions: Positions::default() },
        synapse: Running::default(),
    })
}

/// The files that a description names, as far as they are read.
#[derive(Default)]
struct Named {
    files: BTreeMap<String, Vec<u8>>,
    bytes: u64,
}

impl Named {
    /// Reads a file.
    fn read(&mut self, name: String, path: &Path) -> std::result::Result<(), String> {
        if self.files.contains_key(&name) {
            return Ok(());
        }
        let content = files::read(path, LARGEST).map_err(|problem| problem.to_string())?;
        self.bytes += content.len() as u64;
        if self.bytes > MOST || self.files.len() == MOST_FILES {
            self.bytes -= content.len() as u64;
            return Err(format!("with it, there are more than {MOST} bytes or {MOST_FILES} files in all that is named"));
        }
        self.files.insert(name, content);
        Ok(())
    }

    /// Reads the plain files of a directory, without hidden ones and those below it.
    fn read_directory(&mut self, named: &str, path: &Path) -> std::result::Result<(), (PathBuf, String)> {
        let failed = |error: std::io::Error| (path.to_owned(), error.to_string());
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?.path();
            let Some(name) = entry.file_name().and_then(|name| name.to_str()) else {
                return Err((entry, "its name is not UTF-8".to_owned()));
            };
            if !name.starts_with('.') && !entry.is_dir() {
                self.read(in_directory(named, name), &entry).map_err(|why| (entry.clone(), why))?;
            }
        }
        Ok(())
    }
}

/// How [`Loaded::files`] names a file of a directory that the description names.
pub fn in_directory(directory: &str, file: &str) -> String {
    format!("{}/{file}", directory.trim_end_matches('/'))
}

fn find(path: &Path) -> Result<PathBuf> {
    let meta = std::fs::metadata(path).map_err(|error| Error::io("read", path, &error))?;
    if !meta.is_dir() {
        // Whoever reads it, says what it is.
        return Ok(path.to_owned());
    }
    let there: Vec<PathBuf> = ["site.nix", "site.yaml", "site.yml", "site.json"]
        .iter()
        .map(|name| path.join(name))
        .filter(|file| file.metadata().is_ok_and(|meta| !meta.is_dir()))
        .collect();
    match there.as_slice() {
        [file] => Ok(file.clone()),
        [] => Err(Error::environment(
            format!("there is no site.nix, site.yaml or site.json in {}", path.display()),
            "name the file of the description, or make one with `synapse-site new`",
        )),
        several => {
            let names: Vec<String> = several.iter().map(|file| file.display().to_string()).collect();
            Err(Error::Usage(format!("{} holds several descriptions ({}); name one of them", path.display(), names.join(", "))))
        }
    }
}

fn read(file: &Path, evaluator: &Evaluator) -> Result<(Value, Source)> {
    let source = |text: Option<Hidden>, mut positions: Positions, warnings, description: &Value| {
        let unsaid = Unsaid::of(description, &std::mem::take(&mut positions.carried));
        let text = text.map(|text| text.without(&unsaid));
        Source { file: file.to_owned(), text, warnings, unsaid, positions }
    };
    let format = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let length = std::fs::metadata(file).map_err(|error| Error::io("read", file, &error))?.len();
    if length > LARGEST_DESCRIPTION {
        return Err(Error::environment(
            format!("{} has {length} bytes, a description has at most {LARGEST_DESCRIPTION}", file.display()),
            "name the file of a site",
        ));
    }
    if format == "nix" {
        let evaluated = nix::evaluate(file, evaluator)?;
        let source = source(None, Positions::default(), evaluated.warnings, &evaluated.description);
        return Ok((evaluated.description, source));
    }
    if !["yaml", "yml", "json"].contains(&format) {
        return Err(Error::Usage(format!("{} is neither .nix nor .yaml nor .json, and the ending tells how to read it; rename it", file.display())));
    }
    let bytes = files::read(file, LARGEST_DESCRIPTION).map_err(|problem| problem.error("read", file))?;
    let broken = |message: String, remedy: Option<&str>, place, text: Option<&Hidden>| unreadable(file, message, remedy, place, text);
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid]);
        let place = (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1);
        let message = format!("is not UTF-8: the byte 0x{:02x} belongs to no character", error.as_bytes()[valid]);
        broken(message, Some("save it as UTF-8; another program may have written it in Latin-1 or Windows-1252"), Some(place), None)
    })?;
    // Some editors put a mark of the byte order before the first line; readers of JSON do not take it.
    let text = text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned);
    let empty = || broken("is empty".to_owned(), Some("`synapse-site new` writes a description to start from"), None, None);
    if text.trim().is_empty() {
        return Err(empty());
    }
    if format != "json" && unclosed(&text) > MOST_BRACKETS {
        return Err(broken(format!("has more than {MOST_BRACKETS} brackets open at once"), Some("close them"), None, None));
    }
    let positions = Positions::of(&text);
    if positions.too_many {
        return Err(too_much(file));
    }
    let hidden = Hidden::new(text.clone());
    let mistaken = |told: syntax_error::SyntaxError| broken(told.message, told.remedy.as_deref(), told.place, Some(&hidden));
    let value: Value = if format == "json" {
        serde_json::from_str(&text).map_err(|error| {
            let place = (error.line(), error.column().max(1));
            match no_json_number(file, &text, &positions, place) {
                Some(finding) => Error::Site(Findings::new(vec![finding], file, Some(&hidden))),
                None => mistaken(syntax_error::json(&text, &error.to_string(), place)),
            }
        })?
    } else {
        super::yaml::read(&text).map_err(|error| {
            let odd = odd(file, &positions);
            if !odd.is_empty() {
                return Error::Site(Findings::new(odd, file, Some(&hidden)));
            }
            mistaken(syntax_error::yaml(&text, &error.to_string()))
        })?
    };
    // Comments alone, or a line --- alone.
    if value.is_null() {
        return Err(empty());
    }
    let source = source(Some(hidden), positions, Vec::new(), &value);
    Ok((value, source))
}

/// A description of which nothing can be told but that it cannot be read.
fn unreadable(file: &Path, message: String, remedy: Option<&str>, place: Option<(usize, usize)>, text: Option<&Hidden>) -> Error {
    let finding = Finding {
        code: "S0008",
        severity: Severity::Error,
        option: file.display().to_string(),
        place: None,
        position: place.map(|(line, column)| Position { file: file.display().to_string(), line, column }),
        message,
        remedy: remedy.map(str::to_owned),
    };
    Error::Site(Findings::new(vec![finding], file, text))
}

fn too_much(file: &Path) -> Error {
    let remedy = "a site has a few thousand: write less, or put it into files";
    unreadable(file, "holds more options and elements of lists than are read".to_owned(), Some(remedy), None, None)
}

/// How many more brackets open than close at the place where that is most; those in texts count, too.
fn unclosed(text: &str) -> usize {
    let mut open = 0_usize;
    let mut most = 0;
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

/// An option that is null is an option that is not set; members of free-form sets keep their nulls.
fn without_nulls(value: Value) -> Value {
    let Value::Object(sections) = value else { return value };
    Value::Object(
        sections
            .into_iter()
            .filter(|(_, section)| !section.is_null())
            .map(|(name, section)| {
                if name == "synapse" {
                    return (name, whole_numbers(section));
                }
                (name, drop_nulls(section))
            })
            .collect(),
    )
}

/// `1.0` becomes `1`: early versions of Nix write the one for the other, and one site gives the same bytes with all of them.
fn whole_numbers(value: Value) -> Value {
    match value {
        // Beyond 2^53 not every whole number is a float.
        Value::Number(number) => match number.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "the number is whole and small enough")]
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0 => Value::from(float as i64),
            _ => Value::Number(number),
        },
        Value::Array(elements) => elements.into_iter().map(whole_numbers).collect(),
        Value::Object(members) => members.into_iter().map(|(key, member)| (key, whole_numbers(member))).collect(),
        other => other,
    }
}

fn drop_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(key, member)| if key == "extra_client_content" { (key, whole_numbers(member)) } else { (key, drop_nulls(member)) })
                .collect(),
        ),
        other => other,
    }
}
