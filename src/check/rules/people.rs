//! Templates of claims, tried on made-up people. Takes a template, evaluates it for two people who share nothing but their domain, and tells
//! whether they get the same. minijinja with Python's methods is not Jinja2: what it cannot evaluate is not judged here.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::{Environment, Error, UndefinedBehavior, context};
use minijinja_contrib::pycompat::unknown_method_callback;
use regex::Regex;
use std::sync::LazyLock;

use super::jinja;

/// A person's claims (OpenID Connect Core 1.0, section 5.1, and what providers add to them).
type Claims = BTreeMap<String, String>;

/// Claims whose values have a form of their own; every other claim is a name.
const FORMS: [(&str, [&str; 2]); 9] = [
    ("sub", ["7f1c-42ab", "e903-85d6"]),
    ("name", ["Abel Cade", "Otto Wyss"]),
    ("email", ["abel.cade@corp.example.com", "otto.wyss@corp.example.com"]),
    ("upn", ["abel.cade@corp.example.com", "otto.wyss@corp.example.com"]),
    ("preferred_username", ["abel.cade", "otto.wyss"]),
    ("given_name", ["Abel", "Otto"]),
    ("family_name", ["Cade", "Wyss"]),
    ("picture", ["https://id.example.com/abel.png", "https://id.example.com/otto.png"]),
    ("locale", ["de", "fr"]),
];

/// `user.NAME`, `user["NAME"]` and `user.get("NAME")`.
static NAMED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"\buser\s*(?:\.\s*get\s*\(\s*['"]([^'"]+)['"]|\[\s*['"]([^'"]+)['"]|\.\s*(\w+))"#).expect("a constant expression"));

/// The claims that a template takes by name.
fn named(template: &str) -> BTreeSet<String> {
    let marks = jinja::marks(template).0.join("\n");
    NAMED.captures_iter(&marks).filter_map(|found| found.iter().skip(1).flatten().next().map(|name| name.as_str().to_owned())).collect()
}

/// Two people with every claim that a template takes.
fn pair(names: &BTreeSet<String>) -> [Claims; 2] {
    [0, 1].map(|who| {
        let forms = FORMS.iter().map(|(name, values)| ((*name).to_owned(), values[who].to_owned()));
        let others = names.iter().map(|name| (name.clone(), ["abel.cade", "otto.wyss"][who].to_owned()));
        others.chain(forms).collect()
    })
}

/// What a person gets; none where only Jinja2 itself can tell.
pub(super) fn evaluate(template: &str, claims: &Claims) -> Option<String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_unknown_method_callback(unknown_method_callback);
    environment.add_filter("localpart_from_email", |address: &str| -> Result<String, Error> { Ok(address.rsplit_once('@').map_or("", |at| at.0).to_owned()) });
    environment.set_fuel(Some(100_000));
    environment.render_str(template, context! { user => claims }).ok().map(|text| text.trim().to_owned())
}

/// What two different people both get; none when they differ, or when nobody can tell. Where a template has conditions, people are
/// tried who meet them, too: a text of the template is then the value of a claim.
pub(super) fn same(template: &str) -> Option<String> {
    let names = named(template);
    let people = pair(&names);
    let both = |people: &[Claims; 2]| -> Option<[String; 2]> { Some([evaluate(template, &people[0])?, evaluate(template, &people[1])?]) };
    let equal = |texts: &[String; 2]| texts[0].to_lowercase() == texts[1].to_lowercase();
    let first = both(&people).filter(equal)?;
    for literal in jinja::literals(template) {
        for name in &names {
            let alike = people.clone().map(|mut person| {
                person.insert(name.clone(), literal.to_owned());
                person
            });
            if both(&alike).is_none_or(|texts| !equal(&texts)) {
                return None;
            }
        }
    }
    Some(first.into_iter().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_people_differ_or_do_not() {
        for (template, both) in [
            ("{% raw %}{{ user.preferred_username }}{% endraw %}", "{{ user.preferred_username }}"),
            ("user.name", "user.name"),
            ("{{ 'user.name' }}", "user.name"),
            ("{{ user.email.split('@')[1] }}", "corp.example.com"),
            ("{% set who = 'guest' %}{{ who }}", "guest"),
            ("{% if user.admin %}guest{% else %}guest{% endif %}", "guest"),
        ] {
            assert_eq!(same(template).as_deref(), Some(both), "{template}");
        }
        for template in [
            "{{ user.preferred_username }}",
            "{{ user['preferred_username']|lower }}",
            "{{ user.get('login') }}",
            "{{ user.email | localpart_from_email }}",
            "{{ user.email.split('@')[0].lower() }}",
            "{{ user.email | replace('@', '-') }}",
            "{{ user.given_name[0] }}{{ user.family_name }}",
            "{{ user.name[:3] }}",
            "{% if user.hd == 'example.com' %}{{ user.login }}{% else %}guest{% endif %}",
            "{{ user.login if user.kind == 'staff' else 'guest' }}",
            // Only Jinja2 can tell.
            "{{ user.address.locality }}",
            "{{ user.groups | pluck }}",
            "{% for a in range(1000000) %}{% for b in range(1000000) %}{% endfor %}{% endfor %}",
        ] {
            assert_eq!(same(template), None, "{template}");
        }
    }
}
