//! Where each option of a YAML or JSON description stands. A second, event-level reading of the text that only collects
//! positions; the values themselves come from serde_yaml. JSON is read as the YAML that it also is.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::Value;

use super::schema::{OptionPath, Step};
use super::yaml::MOST_VALUES;
use super::{number, reveal};

/// How deep options are nested at most; serde_yaml and serde_json end at this depth, too.
const DEEPEST: usize = 128;

/// How many steps the paths of all options and elements have together at most, a name counted as one for every sixteen bytes of it:
/// each of them is kept, and is made anew by everything that walks a description.
const MOST_STEPS: usize = 2_000_000;

/// Line and column, both from 1, of every option's key (of every element, in lists).
#[derive(Debug, Clone, Default)]
pub struct Positions {
    places: BTreeMap<Vec<Step>, (usize, usize)>,
    /// Options that are written twice, at their second place.
    pub duplicates: Vec<(OptionPath, (usize, usize))>,
    /// What YAML allows to write and no description can mean.
    pub unsupported: Vec<(OptionPath, (usize, usize), UnsupportedYaml)>,
    /// Whether there are more than are kept, so that all of this is incomplete.
    pub too_many: bool,
    steps: usize,
    /// Texts that an anchor (&) carries to other options, and that may not be shown where they stand.
    pub carried: Vec<String>,
}

/// Something that readers of YAML take differently, or that JSON, and so every option, has no value for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnsupportedYaml {
    /// A whole number beyond all that is read.
    Beyond(String),
    /// `.nan` or `.inf`, as it is written (YAML 1.2, section 10.2.1.4).
    NotFinite(String),
    /// The key `<<`, which YAML 1.1 had and 1.2 has not.
    Merge,
    /// A tag of somebody's own.
    Tag(String),
}

impl Positions {
    /// Collects positions as far as the text can be read.
    pub fn of(text: &str) -> Self {
        let mut positions = Self::default();
        let mut open: Vec<Open> = Vec::new();
        for event in Parser::new_from_str(text) {
            let Ok((event, span)) = event else { break };
            if positions.steps > MOST_STEPS || positions.places.len() > MOST_VALUES {
                positions.too_many = true;
                break;
            }
            if open.len() > DEEPEST {
                break;
            }
            match event {
                Event::Scalar(value, style, anchor, tag) => {
                    if let Some(Open::Mapping { path, key }) = open.last_mut()
                        && key.is_none()
                    {
                        let here = path.key(&value);
                        positions.note(&here, &span);
                        if value == "<<" && style == ScalarStyle::Plain {
                            positions.odd(&here, &span, UnsupportedYaml::Merge);
                        }
                        *key = Some(here);
                        continue;
                    }
                    let here = positions.child(&mut open, &span);
                    if anchor > 0 && !value.is_empty() && !reveal::may_show(&here, &value) {
                        positions.carried.push(value.clone().into_owned());
                    }
                    if style == ScalarStyle::Plain && tag.is_none() && is_not_finite(&value) {
                        positions.odd(&here, &span, UnsupportedYaml::NotFinite(value.into_owned()));
                    } else if style == ScalarStyle::Plain && tag.is_none() && number::is_beyond(&value) {
                        positions.odd(&here, &span, UnsupportedYaml::Beyond(value.into_owned()));
                    }
                    positions.tag(&here, &span, tag.as_deref());
                }
                Event::Alias(_) => {
                    positions.child(&mut open, &span);
                }
                Event::MappingStart(.., tag) => {
                    if open.is_empty() {
                        // What is missing at the top is missing from here on.
                        positions.places.insert(Vec::new(), (span.start.line(), span.start.col() + 1));
                    }
                    let path = positions.child(&mut open, &span);
                    positions.tag(&path, &span, tag.as_deref());
                    open.push(Open::Mapping { path, key: None });
                }
                Event::SequenceStart(.., tag) => {
                    let path = positions.child(&mut open, &span);
                    positions.tag(&path, &span, tag.as_deref());
                    open.push(Open::Sequence { path, next: 0 });
                }
                Event::MappingEnd | Event::SequenceEnd => {
                    open.pop();
                }
                _ => {}
            }
        }
        positions
    }

    /// The place of an option, or of the nearest thing that holds it.
    pub fn find(&self, path: &OptionPath) -> Option<(usize, usize)> {
        (0..=path.0.len()).rev().find_map(|length| self.places.get(&path.0[..length]).copied())
    }

    /// The option, or element of a list, that begins last before a place.
    pub fn before(&self, place: (usize, usize)) -> Option<OptionPath> {
        let begun = self.places.iter().filter(|(_, at)| **at <= place);
        begun.max_by_key(|(_, at)| **at).map(|(path, _)| OptionPath(path.clone()))
    }

    /// The path of the value that begins now, in whatever is open.
    fn child(&mut self, open: &mut [Open], span: &Span) -> OptionPath {
        match open.last_mut() {
            None => OptionPath::default(),
            Some(Open::Mapping { key, path }) => key.take().unwrap_or_else(|| path.clone()),
            Some(Open::Sequence { path, next }) => {
                let here = path.index(*next);
                *next += 1;
                self.note(&here, span);
                here
            }
        }
    }

    fn tag(&mut self, path: &OptionPath, span: &Span, tag: Option<&Tag>) {
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && ["str", "int", "float", "bool", "null", "map", "seq"].contains(&tag.suffix.as_str()))
        {
            let written = if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { format!("{}{}", tag.handle, tag.suffix) };
            self.odd(path, span, UnsupportedYaml::Tag(written));
        }
    }

    fn odd(&mut self, path: &OptionPath, span: &Span, unsupported_yaml: UnsupportedYaml) {
        self.unsupported.push((path.clone(), (span.start.line(), span.start.col() + 1), unsupported_yaml));
    }

    fn note(&mut self, path: &OptionPath, span: &Span) {
        let place = (span.start.line(), span.start.col() + 1);
        self.steps += path.0.iter().map(weight).sum::<usize>();
        if self.places.insert(path.0.clone(), place).is_some() {
            self.duplicates.push((path.clone(), place));
        }
    }
}

fn weight(step: &Step) -> usize {
    match step {
        Step::Key(name) => name_weight(name),
        Step::Index(_) => 1,
    }
}

/// Whether a description holds more than is kept of one, once aliases have repeated what they repeat; Nix gives values without a text
/// to read. [`Positions::of`] says so of a text before anything is made of it.
pub fn is_too_much(value: &Value) -> bool {
    fn take(value: &Value, above: usize, left: &mut (usize, usize)) -> Option<()> {
        left.0 = left.0.checked_sub(above)?;
        left.1 = left.1.checked_sub(1)?;
        match value {
            Value::Array(elements) => elements.iter().try_for_each(|element| take(element, above + 1, left)),
            Value::Object(members) => members.iter().try_for_each(|(name, member)| take(member, above + name_weight(name), left)),
            _ => Some(()),
        }
    }
    take(value, 0, &mut (MOST_STEPS, MOST_VALUES)).is_none()
}

fn name_weight(name: &str) -> usize {
    1 + name.len() / 16
}

/// The forms of YAML 1.2's core schema.
fn is_not_finite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    [".inf", ".Inf", ".INF"].contains(&unsigned) || [".nan", ".NaN", ".NAN"].contains(&text)
}

enum Open {
    Mapping { path: OptionPath, key: Option<OptionPath> },
    Sequence { path: OptionPath, next: usize },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_elements_have_places() {
        let positions = Positions::of("a:\n  b: 1\n  c:\n    - x\n    - y: 2\n");
        let at = |text: &str| positions.find(&OptionPath::dotted(text));
        assert_eq!(at("a"), Some((1, 1)));
        assert_eq!(at("a.b"), Some((2, 3)));
        assert_eq!(positions.find(&OptionPath::dotted("a.c").index(1).key("y")), Some((5, 7)));
        assert_eq!(at("a.missing"), Some((1, 1)));
        assert!(positions.duplicates.is_empty());
    }

    #[test]
    fn what_an_anchor_carries_is_kept_unless_it_may_be_shown() {
        let positions = Positions::of("kq: &a hunter2\nkr: &b hunter22\nturn: { source: &c bundled }\n");
        assert_eq!(positions.carried, ["hunter2", "hunter22"]);
    }

    #[test]
    fn what_no_option_has_is_found() {
        let positions = Positions::of("a: -.INF\nb: [.nan, '.nan', !!str .inf, !own x, !!binary eA==]\n<<: {}\n'<<': 1\nc: !set {}\n");
        let found: Vec<(String, UnsupportedYaml)> =
            positions.unsupported.into_iter().map(|(path, _, unsupported_yaml)| (path.to_string(), unsupported_yaml)).collect();
        let tag = |name: &str| UnsupportedYaml::Tag(name.to_owned());
        assert_eq!(
            found,
            [
                ("a".to_owned(), UnsupportedYaml::NotFinite("-.INF".to_owned())),
                ("b[0]".to_owned(), UnsupportedYaml::NotFinite(".nan".to_owned())),
                ("b[3]".to_owned(), tag("!own")),
                ("b[4]".to_owned(), tag("!!binary")),
                ("\"<<\"".to_owned(), UnsupportedYaml::Merge),
                ("c".to_owned(), tag("!set")),
            ]
        );
    }

    #[test]
    fn json_and_duplicates() {
        let positions = Positions::of("{\n  \"a\": {\"b\": 1, \"b\": 2}\n}");
        assert_eq!(positions.find(&OptionPath::dotted("a.b")), Some((2, 17)));
        assert_eq!(positions.duplicates.len(), 1);
    }
}
