//! Names of images. An image is named by what it holds, so that a manifest can only start exactly what was built, and under
//! `localhost/`, so that an engine that lacks the image does not ask a public registry for it.

use std::fmt;

use serde::Serialize;

use crate::image::digest::Digest;

/// `localhost/synapse-site/example.com/synapse:0123456789abcdef`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct Reference {
    repository: String,
    tag: String,
}

/// Docker accepts 255 bytes of repository (distribution/reference); the rest of the name needs the difference.
const MAX_SITE: usize = 160;

impl Reference {
    /// The name of an image of a site below a repository such as `localhost/synapse-site`. The tag covers configuration and
    /// manifest, which cover everything else.
    pub fn new(repository: &str, server_name: &str, image: &str, config: &Digest, manifest: &Digest) -> Self {
        let digest = Digest::of(format!("{config}\n{manifest}\n").as_bytes());
        Self { repository: format!("{repository}/{}/{}", component(server_name), component(image)), tag: digest.hex()[..16].to_owned() }
    }

    /// The part after the colon.
    pub fn tag(&self) -> &str {
        &self.tag
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

/// A text as a component of a repository name: runs of lower-case letters and digits with single `.`, `_` or `-` between
/// them. Two server names that come out alike still have different tags, since their configuration differs.
fn component(text: &str) -> String {
    let mut name = String::new();
    for letter in text.chars().map(|letter| letter.to_ascii_lowercase()) {
        if letter.is_ascii_lowercase() || letter.is_ascii_digit() {
            name.push(letter);
        } else if name.ends_with(|last: char| last.is_ascii_alphanumeric()) {
            name.push(if matches!(letter, '.' | '_') { letter } else { '-' });
        }
    }
    if name.len() > MAX_SITE {
        name.truncate(MAX_SITE - 17);
        name.push('x');
        name.push_str(&Digest::of(text.as_bytes()).hex()[..16]);
    }
    let end = name.trim_end_matches(['.', '_', '-']).len();
    name.truncate(end);
    if name.is_empty() { "x".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_that_docker_accepts() {
        for (text, expected) in [
            ("example.com", "example.com"),
            ("Example.COM:8448", "example.com-8448"),
            ("[2001:db8::1]:8448", "2001-db8-1-8448"),
            ("a..b__c", "a.b_c"),
            ("xn--mnchen-3ya.de", "xn-mnchen-3ya.de"),
            ("[::]", "x"),
        ] {
            assert_eq!(component(text), expected);
        }
        let grammar = regex::Regex::new("^[a-z0-9]+([._-][a-z0-9]+)*$").unwrap();
        for long in [format!("{}.com", "a-".repeat(125)), "x".repeat(255)] {
            let name = component(&long);
            assert!(name.len() <= MAX_SITE && grammar.is_match(&name), "{name}");
        }
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let reference = Reference::new("localhost/synapse-site", "example.com", "synapse", &a, &b);
        assert_eq!(reference.tag().len(), 16);
        assert_eq!(reference.to_string(), format!("localhost/synapse-site/example.com/synapse:{}", reference.tag()));
        assert_ne!(reference, Reference::new("localhost/synapse-site", "example.com", "synapse", &b, &b));
        assert_ne!(reference, Reference::new("localhost/synapse-site", "example.com", "synapse", &a, &a));
    }
}
