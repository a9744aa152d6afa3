//! Names in templates of Jinja2 that minijinja does not judge as Jinja2 does: filters and tests. Takes a template and the filters that
//! Synapse adds to Jinja2's own; gives the names that do not exist. The table is that of the locked Jinja2, and a test compares it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

const TABLE: &str = include_str!("../../synapse/jinja.txt");

/// What Synapse adds where a provider's claims are mapped (handlers/oidc.py, `env`).
pub(super) const CLAIM_FILTERS: &[&str] = &["localpart_from_email"];
/// What Synapse adds to pages and mails (util/templates.py, `build_jinja_env`).
pub(super) const PAGE_FILTERS: &[&str] = &["format_ts", "localpart_from_email", "mxc_to_http"];

static FILTERS: LazyLock<BTreeSet<&str>> = LazyLock::new(|| listed("filter "));
static TESTS: LazyLock<BTreeSet<&str>> = LazyLock::new(|| listed("test "));

fn listed(kind: &str) -> BTreeSet<&'static str> {
    TABLE.lines().filter_map(|line| line.strip_prefix(kind)).collect()
}

/// A name that Jinja2 does not know.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown<'a> {
    /// `filter` or `test`.
    pub kind: &'static str,
    /// Its name.
    pub name: &'a str,
    /// The name that is nearest to it, if one is near.
    pub nearest: Option<&'static str>,
}

/// The filters and tests of a template that Jinja2 does not have, `added` included.
pub(super) fn unknown<'a>(template: &'a str, added: &[&'static str]) -> Vec<Unknown<'a>> {
    let mut found = Vec::new();
    for mark in marks(template).0 {
        let tokens = tokens(mark);
        for (at, token) in tokens.iter().enumerate() {
            let name = |at: usize| tokens.get(at).copied().filter(|token| token.starts_with(|c: char| c.is_alphabetic() || c == '_'));
            match *token {
                "|" => {
                    let Some(name) = name(at + 1) else { continue };
                    if !FILTERS.contains(name) && !added.contains(&name) {
                        let nearest = crate::site::schema::nearest(name, FILTERS.iter().copied().chain(added.iter().copied()));
                        found.push(Unknown { kind: "filter", name, nearest });
                    }
                }
                "is" if at > 0 && tokens[at - 1] != "." => {
                    let Some(name) = name(at + 1).and_then(|first| if first == "not" { name(at + 2) } else { Some(first) }) else { continue };
                    if !TESTS.contains(name) {
                        found.push(Unknown { kind: "test", name, nearest: crate::site::schema::nearest(name, TESTS.iter().copied()) });
                    }
                }
                _ => {}
            }
        }
    }
    found
}

/// What stands between `{{` and `}}`, and between `{%` and `%}`, without comments and without what `{% raw %}` keeps as it is; and whether
/// all of them have an end.
pub(super) fn marks(template: &str) -> (Vec<&str>, bool) {
    let mut found = Vec::new();
    let mut ended = true;
    let mut raw = false;
    let mut rest = template;
    while let Some((at, end)) = ["}}", "%}", "#}"].into_iter().zip(["{{", "{%", "{#"]).filter_map(|(end, begin)| Some((rest.find(begin)?, end))).min() {
        let inside = &rest[at + 2..];
        let length = inside.find(end).unwrap_or(inside.len());
        let word = inside[..length].trim_matches(|c: char| c.is_whitespace() || "-+".contains(c));
        if end == "%}" && word == "endraw" {
            raw = false;
        }
        if raw {
            // Nothing in here is a mark, and nothing has to have an end.
            rest = inside;
            continue;
        }
        ended = length < inside.len();
        raw = end == "%}" && word == "raw";
        if end != "#}" {
            found.push(&inside[..length]);
        }
        rest = inside.get(length + 2..).unwrap_or_default();
    }
    (found, ended && !raw)
}

/// The texts in quotes that stand in a template's marks.
pub(super) fn literals(template: &str) -> BTreeSet<&str> {
    let quoted = |token: &&str| token.len() >= 2 && token.starts_with(['"', '\'']);
    marks(template).0.into_iter().flat_map(tokens).filter(quoted).map(|token| &token[1..token.len() - 1]).collect()
}

/// Words, texts in quotes, and single signs.
fn tokens(mark: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = mark.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => quoted_length(rest, first),
            c if c.is_alphanumeric() || c == '_' => rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        found.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    found
}

/// How long a text in quotes is, its quotes included; a backslash keeps a quote from ending it.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if !escaped && c == quote {
            return at + 1;
        }
        escaped = !escaped && c == '\\';
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(template: &str) -> Vec<String> {
        unknown(template, CLAIM_FILTERS).iter().map(|unknown| format!("{} {}", unknown.kind, unknown.name)).collect()
    }

    #[test]
    fn names_that_jinja2_lacks_are_found_and_no_others() {
        assert_eq!(names("{{ user.name | regex_replace('x','y') }}"), ["filter regex_replace"]);
        assert_eq!(names("{{ user.name|lower|trim|slug }}{% if user.name is blank %}x{% endif %}"), ["filter slug", "test blank"]);
        for good in [
            "{{ user.email | localpart_from_email }}",
            "{{ user.name is not defined and user.x is divisibleby 3 }}",
            "{{ 'a | regex_replace' ~ user.name }}",
            "a | b is c",
            "{# {{ x | y }} #}",
            "{% raw %}{{ x | y }}{% endraw %}",
            "{{ user.a | map(attribute='x') | list | first }}",
            "{% filter upper %}{{ user.name }}{% endfilter %}",
            "{{ \"it's | a\" }}",
        ] {
            assert_eq!(names(good), [""; 0], "{good}");
        }
        assert_eq!(unknown("{{ a | lowre }}", &[])[0].nearest, Some("lower"));
    }

    #[test]
    fn marks_end_where_jinja2_ends_them() {
        assert_eq!(marks("a {{ b }} c {%- if d %}{# e #}"), (vec![" b ", "- if d "], true));
        assert_eq!(marks("{% raw %}{{ b {% endraw %}{{ c }}"), (vec![" raw ", " endraw ", " c "], true));
        assert!(!marks("{{ b").1 && !marks("{% raw %}{{ b }}").1);
        assert_eq!(literals("{{ a == 'x' ~ \"y\" }} 'z'"), BTreeSet::from(["x", "y"]));
    }
}
