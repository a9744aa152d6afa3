//! What the templates of a provider take of a person's claims. They are Jinja2 (Synapse, handlers/oidc.py, JinjaOidcMappingProvider); the reader here,
//! minijinja, knows less than Jinja2 itself and leaves slices out where it lists names, so what it says is no proof.

use minijinja::{Environment, context};

use super::jinja::{self, marks};
use super::people;
use crate::site::oidc::OidcProvider;

/// The templates that are set, by option; `true` where each person needs a text of their own.
pub(super) fn templates(provider: &OidcProvider) -> Vec<(String, &str, bool)> {
    let mapping = &provider.user_mapping_provider;
    let named = [
        ("subject_template", &mapping.subject_template, true),
        ("picture_template", &mapping.picture_template, false),
        ("localpart_template", &mapping.localpart_template, true),
        ("display_name_template", &mapping.display_name_template, false),
        ("email_template", &mapping.email_template, true),
    ];
    let named = named.into_iter().filter_map(|(name, template, personal)| Some((name.to_owned(), template.as_ref()?.as_str(), personal)));
    let extra = mapping.extra_attributes.iter().map(|(name, template)| (format!("extra_attributes.{name}"), template.as_str(), false));
    named.chain(extra).collect()
}

/// Whether a template may take something of the person: `user.name` without its two pairs of braces is a text as any other.
fn takes_any(template: &str) -> bool {
    let listed = Environment::new().template_from_str(template).is_ok_and(|template| template.undeclared_variables(false).contains("user"));
    listed || !after_user(template).is_empty()
}

/// Whether a template takes this claim: `user.email`, `user["email"]`.
pub(super) fn takes(template: &str, claim: &str) -> bool {
    after_user(template).into_iter().any(|rest| {
        let rest = rest.trim_start();
        if let Some(name) = rest.strip_prefix('.') {
            return name.trim_start().split(|c| !in_word(c)).next() == Some(claim);
        }
        let quoted = rest.strip_prefix('[').map(str::trim_start).and_then(|rest| rest.strip_prefix(['"', '\'']));
        quoted.is_some_and(|name| name.split(['"', '\'']).next() == Some(claim))
    })
}

/// Whether a template gives the claim `sub` as it is. Synapse tries it on a person that has nothing else (_validate_metadata).
pub(super) fn gives_sub(template: &str) -> bool {
    const SUB: &str = "thisisasubject";
    match Environment::new().render_str(template, context! { user => context! { sub => SUB } }) {
        Ok(text) => text.trim() == SUB,
        // A filter or a method that only Jinja2 has.
        Err(_) => takes(template, "sub"),
    }
}

/// Why a template may be none.
pub(super) fn doubt(template: &str) -> Option<String> {
    Environment::new().template_from_str(template).err().map(|error| error.to_string())
}

/// Why a template is certainly wrong: Jinja2 cannot read it either, since one of its marks has no end or it names what is not there; or people
/// have to differ by it, and do not.
pub(super) fn mistake(template: &str, personal: bool) -> Option<String> {
    if doubt(template).is_some() && !marks(template).1 {
        return Some("is no Jinja2 template: a mark has no end".to_owned());
    }
    if let Some(unknown) = jinja::unknown(template, jinja::CLAIM_FILTERS).first() {
        let near = unknown.nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        return Some(format!("uses the {} `{}`, which Jinja2 does not have{near}", unknown.kind, unknown.name));
    }
    if !personal {
        return None;
    }
    if !takes_any(template) {
        return Some("takes no claim of the person, so all people get the same".to_owned());
    }
    people::same(template).map(|text| format!("gives two different people the same, `{}`", shortened(&text)))
}

/// What people get to see of a template that keeps its own marks, as after `{% raw %}`; none for any other.
pub(super) fn shown_as_it_stands(template: &str) -> Option<String> {
    let text = people::same(template)?;
    ["{{", "{%"].iter().any(|mark| text.contains(mark)).then(|| shortened(&text))
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// What follows each word `user` inside a mark, up to the mark's end.
fn after_user(template: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for mark in marks(template).0 {
        for (at, word) in mark.match_indices("user") {
            let before = mark[..at].chars().next_back();
            let rest = &mark[at + word.len()..];
            if !before.is_some_and(|c| in_word(c) || c == '.') && !rest.starts_with(in_word) {
                found.push(rest);
            }
        }
    }
    found
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
