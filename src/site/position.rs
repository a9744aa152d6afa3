//! Where each option of a YAML or JSON description stands. A second, event-level reading of the text that only collects
//! positions; the values themselves come from serde_yaml. JSON is read as the YAML that it also is.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, Span};

use super::schema::OptionPath;

/// Line and column, both from 1, of every option's key (of every element, in lists).
#[derive(Debug, Default)]
pub struct Positions {
    places: BTreeMap<OptionPath, (usize, usize)>,
    /// Options that are written twice, at their second place.
    pub duplicates: Vec<(OptionPath, (usize, usize))>,
}

impl Positions {
    /// Collects positions as far as the text can be read.
    pub fn of(text: &str) -> Self {
        let mut positions = Self::default();
        let mut open: Vec<Open> = Vec::new();
        for event in Parser::new_from_str(text) {
            let Ok((event, span)) = event else { break };
            match event {
                Event::Scalar(value, ..) => {
                    if let Some(Open::Mapping { path, key }) = open.last_mut()
                        && key.is_none()
                    {
                        let here = path.key(&value);
                        positions.note(&here, &span);
                        *key = Some(here);
                        continue;
                    }
                    positions.child(&mut open, &span);
                }
                Event::Alias(_) => {
                    positions.child(&mut open, &span);
                }
                Event::MappingStart(..) => {
                    if open.is_empty() {
                        // What is missing at the top is missing from here on.
                        positions.places.insert(OptionPath::default(), (span.start.line(), span.start.col() + 1));
                    }
                    let path = positions.child(&mut open, &span);
                    open.push(Open::Mapping { path, key: None });
                }
                Event::SequenceStart(..) => {
                    let path = positions.child(&mut open, &span);
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
        (0..=path.0.len()).rev().find_map(|length| self.places.get(&OptionPath(path.0[..length].to_vec())).copied())
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

    fn note(&mut self, path: &OptionPath, span: &Span) {
        let place = (span.start.line(), span.start.col() + 1);
        if self.places.insert(path.clone(), place).is_some() {
            self.duplicates.push((path.clone(), place));
        }
    }
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
    fn json_and_duplicates() {
        let positions = Positions::of("{\n  \"a\": {\"b\": 1, \"b\": 2}\n}");
        assert_eq!(positions.find(&OptionPath::dotted("a.b")), Some((2, 17)));
        assert_eq!(positions.duplicates.len(), 1);
    }
}
