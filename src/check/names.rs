//! Synapse's own names for whoever writes one of them where a description has another: which section says it, where it goes otherwise,
//! and what became of it.

use super::rules::{settings, typed};
use crate::synapse;

/// What to do with an option of Synapse that stands at the top level; none when Synapse never had one of that name.
pub fn of_synapse(name: &str) -> Option<String> {
    if name == "log_config" {
        return Some("what Synapse calls log_config is described in the section logging".to_owned());
    }
    if name == "modules" {
        return Some("describe the directory's module (LDAP) in the section ldap, and write others as synapse.settings.modules".to_owned());
    }
    if let Some(owner) = settings::owner(name) {
        return Some(match settings::secret_of(owner) {
            _ if owner == settings::TOOL => format!("remove it: the tool sets Synapse's {name}"),
            Some(secret) => format!("remove it: {name} comes from secrets/{secret} on the target, which `synapse-site secrets init` makes"),
            None if owner.starts_with("the section ") => format!("what Synapse calls {name} is described in {owner}"),
            None => format!("what Synapse calls {name} is said with {owner}"),
        });
    }
    if settings::needs_more(name) {
        return Some(format!("leave {name} out for now: it needs more than this option, and this version has no section for it"));
    }
    if let Some((why, instead)) = typed::moved(name) {
        return Some(format!("{instead}: {name} {why}"));
    }
    if let Some(gone) = synapse::gone().get(name) {
        let instead = if gone.instead.is_empty() { "remove it" } else { gone.instead };
        return Some(format!("Synapse does not read {name}; {instead}"));
    }
    let known = synapse::options().names().any(|known| known == name);
    known.then(|| format!("write it as synapse.settings.{name}: it is an option of Synapse, and no section has it"))
}

/// What to do with a member of a block of Synapse that a section of the description writes: `template_dir` in `consent`.
pub fn of_block(section: &str, member: &str) -> Option<String> {
    if (section, member) == ("database", "args") {
        return Some(
            "write user, dbname, host, port, cp_min and cp_max in database itself; the password is secrets/postgres_password on the target".to_owned(),
        );
    }
    let block = blocks(section).into_iter().find(|block| synapse::options().member(block).is_some_and(|entry| entry.names().any(|name| name == member)))?;
    Some(format!("remove it: Synapse's {block}.{member} follows from the rest of the section {section}"))
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
            ("modules", "the section ldap"),
            ("max_upload_size", "media.max_upload_size"),
            ("user_consent", "the section consent"),
            ("log_config", "the section logging"),
            ("media_store_path", "the tool"),
            ("turn_shared_secret", "secrets/turn_shared_secret"),
            ("turn_password", "secrets/turn_password on the target"),
            ("saml2_config", "no section"),
            ("bind_port", "listeners"),
            ("enable_group_creation", "does not read"),
        ] {
            let told = of_synapse(name).unwrap_or_default();
            assert!(told.contains(answer), "{name}: {told}");
        }
        assert!(synapse::options().names().all(|name| of_synapse(name).is_some()));
        assert_eq!(of_synapse("mediaa"), None);
        assert!(of_block("consent", "template_dir").is_some_and(|told| told.contains("user_consent.template_dir")));
        assert_eq!(of_block("consent", "tempalte_dir"), None);
        assert!(of_block("database", "args").is_some_and(|told| told.contains("dbname")));
    }
}
