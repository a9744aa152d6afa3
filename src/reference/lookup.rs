//! Which option somebody means who names one: as it is written in a description, in part, or as Synapse calls it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::options::Described;
use super::{entries, is_within};
use crate::check::names;
use crate::check::said::{self, Said};
use crate::site::schema::nearest;
use crate::synapse;

/// Options that are offered at most where several can be meant.
const OFFERED: usize = 6;

/// The option or section of that name as the reference writes it.
///
/// # Errors
/// When there is none: a sentence with what can be meant.
pub fn find(all: &[Described], name: &str) -> Result<String, String> {
    let wanted = plain(name);
    let same = all.iter().find(|option| option.watched_as() == wanted).map(ToString::to_string);
    let sections: BTreeSet<&str> = all.iter().map(Described::section).collect();
    if let Some(found) = same.or_else(|| sections.contains(&*wanted).then(|| wanted.clone())) {
        return Ok(found);
    }
    let within = all.iter().filter_map(|option| Some((option.watched_as(), option.to_string().rsplit_once('.')?.0.to_owned())));
    let around = within.filter(|(inner, _)| is_within(inner, &wanted) && *inner != wanted).map(|(_, outer)| outer).min_by_key(String::len);
    if let Some(found) = around {
        return Ok(found);
    }
    let hint = meant(all, &sections, &wanted).map_or(String::new(), |hint| format!(" {hint}"));
    Err(format!("there is no option {name:?}.{hint} `synapse-site schema --format markdown` lists every one"))
}

/// A name without what stands for elements of lists: `oidc.oidc_providers[0].issuer`, `oidc.oidc_providers.*.issuer`.
fn plain(name: &str) -> String {
    let unmarked = name.trim().replace('[', ".").replace(']', "").replace('-', "_");
    let is_name = |part: &&str| !part.is_empty() && !part.starts_with(['*', '<']) && part.parse::<usize>().is_err();
    unmarked.split('.').filter(is_name).collect::<Vec<_>>().join(".")
}

fn meant(all: &[Described], sections: &BTreeSet<&str>, wanted: &str) -> Option<String> {
    if wanted.is_empty() {
        return None;
    }
    if let Some(setting) = wanted.strip_prefix("synapse.settings.") {
        let top = setting.split('.').next()?;
        return Some(match names::of_synapse(top, &Value::Null) {
            Some(said) if said::of(top) != Some(Said::Settings) => sentence(&said),
            Some(_) => "Synapse's own documentation describes what stands under synapse.settings.".to_owned(),
            None => "Synapse has no such option, either.".to_owned(),
        });
    }
    let ends: Vec<String> = all.iter().filter(|option| option.watched_as().ends_with(&format!(".{wanted}"))).map(ToString::to_string).collect();
    if !ends.is_empty() {
        return Some(did_you_mean(&ends));
    }
    let (top, rest) = wanted.split_once('.').map_or((wanted, None), |(top, rest)| (top, Some(rest)));
    if let Some(rest) = rest {
        // A member of one of Synapse's blocks, under the block's own name or under our section's.
        let blocks = if sections.contains(top) { names::blocks(top) } else { vec![top] };
        let paths: Vec<String> = blocks.into_iter().map(|block| format!("{block}.{rest}")).collect();
        if let Some(said) = paths.iter().find_map(|path| written_from(path)) {
            return Some(said);
        }
    }
    if !sections.contains(top)
        && let Some(said) = names::of_synapse(top, &Value::Null)
    {
        return Some(sentence(&said));
    }
    if let Some(said) = wanted.rsplit_once('.').and_then(|(_, last)| names::of_synapse(last, &Value::Null)) {
        return Some(sentence(&said));
    }
    let names: Vec<String> = all.iter().map(ToString::to_string).chain(sections.iter().map(|section| (*section).to_owned())).collect();
    let same_but_for_case = names.iter().find(|known| known.eq_ignore_ascii_case(wanted)).map(String::as_str);
    same_but_for_case.or_else(|| nearest(wanted, names.iter().map(String::as_str))).map(|near| format!("Did you mean {near}?"))
}

/// What writes a member of one of Synapse's blocks, if a section writes the block and Synapse reads the member.
fn written_from(path: &str) -> Option<String> {
    let writer = names::writer(path)?;
    let is_it = |(whose, name): &(&str, String)| *whose == "Synapse" && (name == path || is_within(name, path));
    let written = entries(Some(writer)).into_iter().filter(|entry| entry.effect.places.iter().any(is_it));
    // That all of a section is there says nothing about one option of it.
    let written: Vec<String> = written.map(|entry| entry.option.to_string()).filter(|option| option.contains('.')).collect();
    if !written.is_empty() {
        return Some(format!("Synapse's {path} follows from {}.", list(&written)));
    }
    path.split('.').try_fold(synapse::options(), |entry, step| entry.named(step))?;
    Some(match said::of(path)? {
        Said::With(options) => format!("Synapse's {path} is said with {}.", list(&options)),
        said => sentence(&said.sentence(path)),
    })
}

fn did_you_mean(names: &[String]) -> String {
    let more = names.len().saturating_sub(OFFERED);
    let shown = names.iter().take(OFFERED).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("Did you mean one of {shown} and {more} more?") } else { format!("Did you mean {}?", shown.replace(", ", " or ")) }
}

fn list(names: &[String]) -> String {
    let more = names.len().saturating_sub(OFFERED);
    let shown = names.iter().take(OFFERED).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// What is said about an option that somebody wrote, for somebody who asks.
fn sentence(said: &str) -> String {
    let mut letters = said.trim_start_matches("remove it: ").chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::schema;

    #[test]
    fn an_option_is_found_by_each_of_its_names() {
        let all = super::super::options::all(&schema::schema());
        for (name, found) in [
            ("turn.min_port", "turn.min_port"),
            ("oidc.oidc_providers[0].issuer", "oidc.oidc_providers.*.issuer"),
            ("oidc.oidc_providers.issuer", "oidc.oidc_providers.*.issuer"),
            ("consent.documents.<name>.file", "consent.documents.<name>.file"),
            ("server", "server"),
            ("media.", "media"),
            ("server-notices", "server_notices"),
            ("rooms.retention", "rooms.retention"),
        ] {
            assert_eq!(find(&all, name).as_deref(), Ok(found));
        }
        for (name, hint) in [
            ("max_upload_size", "Did you mean media.max_upload_size?"),
            ("issuer", "oidc.oidc_providers.*.issuer"),
            ("consent.template_dir", "Synapse's user_consent.template_dir is said with consent.documents"),
            ("password_config.policy.minimum_length", "authentication.policy.minimum_length"),
            ("database.args.host", "database.host"),
            ("redis.use_tls", "Not offered: this version speaks to Redis without TLS"),
            ("experimental_features", "synapse.settings.experimental_features"),
            ("synapse.settings.caches", "Synapse's own documentation"),
            ("media_store_path", "Not offered: uploads"),
            ("turn.turn_shared_secret", "secrets/turn_shared_secret"),
            ("MEDIA", "Did you mean media?"),
            ("turn.min_prot", "Did you mean turn.min_port?"),
        ] {
            let told = find(&all, name).expect_err(name);
            assert!(told.contains(hint), "{name}: {told}");
        }
        assert!(find(&all, "").is_err() && find(&all, ".").is_err());
    }
}
