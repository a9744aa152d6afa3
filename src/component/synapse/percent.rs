//! Texts that Synapse fills in with Python's `%` operator, where `100 %` ends in an exception when the text is first needed. A
//! description has plain texts with the marks that are allowed at their place; this makes format strings of them.

/// A text with every percent sign doubled but those of the marks `%(NAME)s`.
pub fn escaped(text: &str, marks: &[&str]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match marks.iter().map(|name| format!("%({name})s")).find(|mark| rest.starts_with(mark.as_str())) {
            Some(mark) => {
                rest = &rest[mark.len()..];
                out.push_str(&mark);
            }
            None => {
                rest = &rest[1..];
                out.push_str("%%");
            }
        }
    }
    out + rest
}

/// What in a text looks like a mark or an escape and is none at this place, in order.
pub fn strangers(text: &str, marks: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        rest = &rest[at..];
        let mark = marks.iter().map(|name| format!("%({name})s")).find(|mark| rest.starts_with(mark.as_str()));
        let length = if let Some(mark) = mark {
            mark.len()
        } else if rest.starts_with("%%") {
            found.push("%%".to_owned());
            2
        } else if let Some(end) = rest.strip_prefix("%(").and_then(|inner| inner.find(')')) {
            let whole: String = rest.chars().take(rest[..end + 3].chars().count() + 1).collect();
            let length = whole.len();
            found.push(whole.trim_end().to_owned());
            length
        } else {
            1
        };
        rest = &rest[length..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_signs_and_marks() {
        assert_eq!(escaped("100 % of %(consent_uri)s%", &["consent_uri"]), "100 %% of %(consent_uri)s%%");
        assert_eq!(escaped("%(consent_uri)d %(app)s", &["consent_uri"]), "%%(consent_uri)d %%(app)s");
        assert_eq!(strangers("100 % %(consent_uri)s %s", &["consent_uri"]), [""; 0]);
        assert_eq!(strangers("%(uri)s a %% %(consent_uri)d %(consent_uri) \u{fc}", &["consent_uri"]), ["%(uri)s", "%%", "%(consent_uri)d", "%(consent_uri)"]);
        assert_eq!(strangers("%(a", &[]), [""; 0]);
    }
}
