//! Every place under `synapse.settings` from which Synapse loads a module: the list `modules`, and the older options that each load
//! their own kind (config/modules.py, password_auth_providers.py, spam_checker.py, third_party_event_rules.py, repository.py). Rules
//! about modules look at all of them through this one list. `presence.presence_router` and `oidc_providers` load modules, too, but the
//! description has sections of its own for them, which do not.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::site::schema::OptionPath;
use crate::site::synapse::LOADED;

/// The class of matrix-synapse-ldap3 that the older options load, and the name that it had inside Synapse, which Synapse still takes
/// for it.
const DIRECTORY: [&str; 2] = ["ldap_auth_provider", "synapse.util.ldap_auth_provider"];

/// A module that Synapse is told to load.
pub(super) struct Module<'a> {
    /// Where it stands: `synapse.settings.modules[0]`.
    pub option: OptionPath,
    /// The option that loads it: `modules`.
    pub loader: &'a str,
    /// Its name, if that is text: `my_package.MyModule`.
    pub name: Option<&'a str>,
    /// What it is told.
    pub config: &'a Value,
    /// Whether nothing is said about what it is told.
    pub is_bare: bool,
}

impl Module<'_> {
    /// Whether it is the module that asks a directory.
    pub fn is_directory(&self) -> bool {
        self.name
            .is_some_and(|name| DIRECTORY.iter().any(|directory| name.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))))
    }

    /// Whether it is a part of Synapse.
    pub fn is_of_synapse(&self) -> bool {
        self.name.is_some_and(|name| name.starts_with("synapse.") || self.is_file_system())
    }

    /// Whether it is the store in a directory, which Synapse loads by a short name, too (config/repository.py).
    pub fn is_file_system(&self) -> bool {
        let names = ["file_system", "synapse.rest.media.v1.storage_provider", "synapse.media.storage_provider.FileStorageProviderBackend"];
        self.loader == "media_storage_providers" && self.name.is_some_and(|name| names.contains(&name))
    }
}

/// All modules that the options of Synapse load, in order.
pub(super) fn all(settings: &BTreeMap<String, Value>) -> impl Iterator<Item = Module<'_>> {
    settings.iter().filter(|(name, _)| LOADED.contains(&name.as_str())).flat_map(|(loader, value)| {
        let option = OptionPath::dotted("synapse.settings").key(loader);
        let (list, one) = (value.as_array().map(Vec::as_slice).unwrap_or_default(), Some(value).filter(|value| value.is_object()));
        let listed = list.iter().enumerate().map({
            let option = option.clone();
            move |(at, entry)| (option.index(at), entry)
        });
        let said = one.map(move |entry| (option, entry)).into_iter().chain(listed);
        said.map(move |(option, entry)| Module {
            option,
            loader,
            name: entry["module"].as_str(),
            config: &entry["config"],
            is_bare: entry.get("config").is_none(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synapse::{Entry, options};

    /// Options with a member `module`, of themselves or of their elements, are those that load one.
    #[test]
    fn no_option_that_loads_a_module_is_missing() {
        let loads = |entry: &Entry| entry.named("module").is_some() || entry.element().is_some_and(|element| element.named("module").is_some());
        // Synapse hands the elements of password_providers on as they are, so that the table knows no members.
        let mut found: Vec<&str> = options().names().filter(|name| options().named(name).is_some_and(loads)).chain(["password_providers"]).collect();
        let mut known = LOADED.to_vec();
        found.sort_unstable();
        known.sort_unstable();
        assert_eq!(found, known);
    }

    #[test]
    fn a_module_is_known_by_each_of_its_names() {
        let settings = serde_json::json!({
            "password_providers": [{ "module": "synapse.util.ldap_auth_provider.LdapAuthProvider", "config": { "uri": "ldap://a" } }],
            "spam_checker": { "module": "mine.Checker" },
            "media_storage_providers": [{ "module": "file_system" }, {}],
        });
        let settings = serde_json::from_value(settings).expect("a set");
        let found: Vec<_> = all(&settings).map(|module| (module.option.to_string(), module.is_directory(), module.is_of_synapse())).collect();
        let expected = [
            ("synapse.settings.media_storage_providers[0]", false, true),
            ("synapse.settings.media_storage_providers[1]", false, false),
            ("synapse.settings.password_providers[0]", true, true),
            ("synapse.settings.spam_checker", false, false),
        ];
        assert_eq!(found, expected.map(|(option, directory, own)| (option.to_owned(), directory, own)));
    }
}
