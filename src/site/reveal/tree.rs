//! Texts that no message repeats: found in a message however many there are, in capitals or not, in a time that grows with their
//! length and with that of the message.

use std::collections::HashMap;

/// The most bytes of a text that are compared; what is behind the beginning of such a long one is hidden with it.
const DEEPEST: usize = 256;

/// A tree of texts, by their bytes. The library for many texts at once takes a time that grows with the square of their number to get
/// ready, and this one is asked about short messages only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TextTree {
    /// From a node and a byte to the next node; the root is 0.
    steps: HashMap<(u32, u8), u32>,
    ends: Vec<End>,
}

/// What ends at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Nothing,
    Text,
    /// What is compared of a text; it goes on.
    Beginning,
}

/// The texts are not shown when something is debugged, either.
impl std::fmt::Debug for TextTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} nodes of texts", self.ends.len())
    }
}

impl TextTree {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a text, as it is and as messages quote it.
    pub fn add(&mut self, text: &str) {
        self.insert(text);
        let start = &text[..text.floor_char_boundary(DEEPEST)];
        let quoted = format!("{start:?}");
        let quoted = &quoted[1..quoted.len() - 1];
        if quoted != start {
            self.insert_as(quoted, if start == text { End::Text } else { End::Beginning });
        }
    }

    fn insert(&mut self, text: &str) {
        self.insert_as(text, End::Text);
    }

    fn insert_as(&mut self, text: &str, end: End) {
        if self.ends.is_empty() {
            self.ends.push(End::Nothing);
        }
        let mut node = 0;
        for byte in text.bytes().take(DEEPEST).map(|byte| byte.to_ascii_lowercase()) {
            let new = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
            let next = *self.steps.entry((node, byte)).or_insert(new);
            if next == new {
                self.ends.push(End::Nothing);
            }
            node = next;
        }
        let end = if text.len() > DEEPEST { End::Beginning } else { end };
        let there = &mut self.ends[node as usize];
        if *there != End::Beginning {
            *there = end;
        }
    }

    /// A message with `…` in the place of each text, the longest where several begin.
    pub fn hide(&self, said: &str) -> String {
        let mut out = String::with_capacity(said.len());
        let mut rest = said;
        while let Some(first) = rest.chars().next() {
            match self.longest(rest) {
                Some((length, End::Beginning)) => {
                    out.push('…');
                    // Nobody knows where it ends but for the mark that closes a quoted text.
                    let bytes = rest.as_bytes();
                    let end = (length..bytes.len()).find(|at| bytes[*at] == b'"' && bytes[at - 1] != b'\\');
                    rest = end.map_or("", |end| &rest[end..]);
                }
                Some((length, _)) => {
                    out.push('…');
                    rest = &rest[length..];
                }
                None => {
                    out.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        out
    }

    /// How many bytes the longest text has that begins here.
    fn longest(&self, said: &str) -> Option<(usize, End)> {
        let mut node = 0;
        let mut longest = None;
        for (at, byte) in said.bytes().enumerate() {
            let Some(next) = self.steps.get(&(node, byte.to_ascii_lowercase())) else { break };
            node = *next;
            let end = self.ends[node as usize];
            if end != End::Nothing {
                longest = Some((at + 1, end));
            }
        }
        longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_text_is_hidden_also_as_it_is_quoted() {
        let mut tree = TextTree::default();
        assert!(tree.is_empty());
        for text in ["hunter2", "hunter22", "a\"b\nc", "é"] {
            tree.add(text);
        }
        assert_eq!(tree.hide("found hunter22, hunter2, hunter and éé"), "found …, …, hunter and ……");
        assert_eq!(tree.hide(&format!("found {:?}", "xa\"b\nc")), "found \"x…\"");
    }

    #[test]
    fn all_of_a_long_text_is_hidden() {
        let mut tree = TextTree::default();
        let (plain, marked) = ("é1".repeat(1000), "\"2".repeat(1000));
        tree.add(&plain);
        tree.add(&marked);
        assert_eq!(tree.hide(&format!("found {plain:?}, expected a b")), "found \"…\", expected a b");
        assert_eq!(tree.hide(&format!("found {marked:?}, expected a b")), "found \"…\", expected a b");
        assert_eq!(tree.hide(&format!("{plain} is none")), "…");
    }
}
