//! Synapse's own names for whoever writes one of them where a description has another: which section says it, where it goes otherwise,
//! and what became of it.

use serde_json::Value;

use super::rules::{settings, typed};
use super::said::{self, Said};
use super::translate;
use crate::site::schema::{OptionPath, Step};
use crate::site::synapse::names_secret;
use crate::synapse;

/// What to do with an option of Synapse that stands at the top level, or in a section that has none of its name; none when Synapse never had one
/// of that name.
pub fn of_synapse(name: &str, value: &Value) -> Option<String> {
    if let Some((why, instead)) = typed::moved(name) {
        let directory = translate::block(name, value).filter(|_| name == "ldap_config");
        return Some(directory.unwrap_or_else(|| format!("{instead}: {name} {why}")));
    }
    if let Some(gone) = synapse::gone().get(name) {
        let instead = if gone.instead.is_empty() { "remove it" } else { gone.instead };
        return Some(format!("Synapse does not read {name}; {instead}"));
    }
    let said = said::of(name)?;
    let whole = || said.sentence(name);
    Some(match said {
        // The directory is the one module with a section.
        Said::Settings if ["modules", "password_providers"].contains(&name) => match translate::block(name, value) {
            Some(written) => written,
            None => format!("{}; the module of a directory (LDAP) is described with ldap.uri and ldap.base", whole()),
        },
        // A secret that Synapse takes from its settings is named there, never written.
        Said::Settings if names_secret(name) && !value.is_object() => {
            format!("write it as synapse.settings.{name}: {{ _secret: {name} }}, and put its value into the file secrets/{name} on the target")
        }
        Said::With(_) => translate::block(name, value).unwrap_or_else(whole),
        _ => whole(),
    })
}

/// What to do with something in a section that is no option of it, by its path: an option of the block of Synapse that the section writes, or of
/// a module. None when neither knows it.
pub fn in_section(path: &OptionPath, value: &Value) -> Option<String> {
    let steps: Vec<&str> = path.0.iter().map(|step| if let Step::Key(key) = step { key.as_str() } else { "[]" }).collect();
    let written = steps.join(".");
    let (inner, said) = said::in_section(&written)?;
    let name = inner.split('.').next().unwrap_or_default();
    let here = written.replace("[]", "*");
    Some(match &said {
        Said::With(options) if options.len() == 1 && here.strip_prefix(options[0].as_str()).is_some_and(|rest| rest.matches('.').count() == 1) => {
            format!("write what is in it as {} itself", options[0])
        }
        Said::With(_) => translate::block(&inner, value).unwrap_or_else(|| said.sentence(name)),
        Said::Secret(secret) if secret.ends_with("IDP_ID") => {
            format!("remove it: its value is the file secrets/{secret} on the target, with the provider's idp_id in the place of IDP_ID")
        }
        _ => said.sentence(name),
    })
}

/// Synapse's blocks that a section writes as a whole.
pub fn blocks(section: &str) -> Vec<&'static str> {
    settings::owned_by(&format!("the section {section}"))
}

/// The section or the option that writes an option of Synapse with dots in its name, as `user_consent.template_dir`.
pub fn writer(path: &str) -> Option<&'static str> {
    let owner = settings::owner(path.split('.').next()?)?;
    Some(owner.strip_prefix("the section ").unwrap_or(owner))
}

/// Where a description says an option of Synapse with dots in its name: `presence.idle_timeout`, `media.max_upload_size`, and `synapse.settings` where no
/// section writes it.
pub fn place(path: &str) -> String {
    let (top, rest) = path.split_once('.').unwrap_or((path, ""));
    let Some(owner) = settings::owner(top).filter(|owner| *owner != settings::TOOL && settings::secret_of(owner).is_none()) else {
        return format!("synapse.settings.{path}");
    };
    let holder = owner.strip_prefix("the section ").unwrap_or(owner);
    let holder = holder.split(" and ").next().unwrap_or(holder);
    if rest.is_empty() { holder.to_owned() } else { format!("{holder}.{rest}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_option_has_its_place_in_a_description() {
        for (path, place_there) in [
            ("presence.idle_timeout", "presence.idle_timeout"),
            ("max_upload_size", "media.max_upload_size"),
            ("rc_profile.per_second", "rate_limits.rc_profile.per_second"),
            ("caches.global_factor", "synapse.settings.caches.global_factor"),
            ("media_retention", "media.local_media_lifetime"),
        ] {
            assert_eq!(place(path), place_there);
        }
    }

    #[test]
    fn every_name_of_synapse_has_its_answer() {
        for (name, answer) in [
            ("experimental_features", "synapse.settings.experimental_features"),
            ("caches", "synapse.settings.caches"),
            ("modules", "ldap.uri"),
            ("max_upload_size", "media.max_upload_size"),
            ("user_consent", "consent"),
            ("log_config", "logging.level"),
            ("media_store_path", "not offered"),
            ("turn_shared_secret", "secrets/turn_shared_secret"),
            ("turn_password", "secrets/turn_password on the target"),
            ("saml2_config", "not offered"),
            ("bind_port", "gateway.http_port"),
            ("enable_group_creation", "does not read"),
        ] {
            let told = of_synapse(name, &Value::Null).unwrap_or_default();
            assert!(told.contains(answer), "{name}: {told}");
        }
        assert!(synapse::options().names().all(|name| of_synapse(name, &Value::Null).is_some()));
        assert_eq!(of_synapse("mediaa", &Value::Null), None);
        let inside = |path: &str, value: Value| in_section(&OptionPath::dotted(path), &value);
        assert!(inside("consent.template_dir", json!("x")).is_some_and(|told| told.contains("consent.documents")));
        assert_eq!(inside("consent.tempalte_dir", json!("x")), None);
        assert!(inside("database.args", json!({ "dbname": "x" })).is_some_and(|told| told.contains("database: { dbname: x }")));
    }
}
