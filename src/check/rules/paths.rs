//! S0440 and S0441: files and directories that Synapse is told to use, and that its container has not. Its root is read-only, and only
//! the volume of its state, the secrets and what the image holds are there. One table knows which options are paths.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::places::{each, texts};
use super::templates::{FIXED_TEMPLATES, TEMPLATES};
use super::{Rule, Violation, modules};
use crate::check::Severity::{Error, Warning};
use crate::check::unchecked;
use crate::component::synapse::{IMAGE, STATE, resolve};
use crate::deployment::Part;
use crate::launch::{RUN_DIR, SECRETS_DIR};
use crate::site::load::Loaded;
use crate::site::reveal;
use crate::site::schema::OptionPath;

/// What is done with a path.
#[derive(Clone, Copy, PartialEq)]
enum Use {
    /// A file, which is read when Synapse starts.
    File,
    /// A directory with templates, which has to be there when Synapse starts.
    Templates,
    /// The name of a template.
    Template,
    /// A directory that media are copied to; Synapse makes it when it starts.
    Store,
}

/// The options that are paths (config/account_validity.py, captcha.py, key.py, oembed.py, repository.py, server.py).
const PATHS: &[(&str, Use)] = &[
    ("account_validity.account_renewed_html_path", Use::Template),
    ("account_validity.invalid_token_html_path", Use::Template),
    ("account_validity.template_dir", Use::Templates),
    ("backup_media_store_path", Use::Store),
    ("key_server_signing_keys_path", Use::File),
    ("manhole_settings.ssh_priv_key_path", Use::File),
    ("manhole_settings.ssh_pub_key_path", Use::File),
    ("oembed.additional_providers", Use::File),
    ("recaptcha_private_key_path", Use::File),
    ("recaptcha_public_key_path", Use::File),
];

/// Where the image has files of its packages, which no list names.
const OF_PACKAGES: [&str; 5] = ["/usr", "/etc/ssl", "/lib", "/lib64", "/nix/store"];

/// How the names of members end that are paths, in what a module is told.
const ENDS: [&str; 10] = ["path", "paths", "file", "files", "filename", "dir", "directory", "directories", "folder", "socket"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0440",
        severity: Error,
        options: &["synapse.settings"],
        reason: "Synapse runs in a container with a read-only root: there are its state in /var/lib/synapse, its secrets, and what the image holds; it ends at start with a file that is not there and a directory that it cannot make (config/_base.py, read_file, ensure_directory, read_templates; media/storage_provider.py).",
        violations: |loaded| {
            let unchecked = super::typed::unchecked(loaded);
            // The description may know better: somebody mounts the directory by hand.
            let is_unchecked = |name: &str| super::typed::itself_and_outer(name).any(|name| unchecked.contains(name));
            strays(loaded).into_iter().filter(|stray| stray.is_certain && !is_unchecked(&stray.name)).map(|stray| stray.violation).collect()
        },
    },
    Rule {
        code: "S0441",
        severity: Warning,
        options: &["synapse.settings"],
        reason: "Nothing of this description puts a file there, and what is written to a directory in memory is lost at the next start.",
        violations: |loaded| strays(loaded).into_iter().filter(|stray| !stray.is_certain).map(|stray| stray.violation).chain(in_modules(loaded)).collect(),
    },
];

/// A path that is not in the container.
pub(super) struct Stray {
    /// The option, as `synapse.unchecked` names it.
    pub name: String,
    /// Whether Synapse cannot do with it.
    pub is_certain: bool,
    violation: Violation,
}

/// All of Synapse's own paths that are not in its container.
pub(super) fn strays(loaded: &Loaded) -> Vec<Stray> {
    let settings = &loaded.site.synapse.settings;
    let own = PATHS.iter().flat_map(|(name, use_)| each(settings, name).into_iter().map(|(option, value)| (option, value, (*name).to_owned(), *use_)));
    let stores = modules::all(settings).filter(modules::Module::is_file_system).map(|module| {
        let name = "media_storage_providers.config.directory".to_owned();
        (module.option.key("config").key("directory"), &module.config["directory"], name, Use::Store)
    });
    let said: Vec<_> = own.chain(stores).filter_map(|(option, value, name, use_)| Some((option, value.as_str()?, name, use_))).collect();
    if said.is_empty() {
        return Vec::new();
    }
    let container = Container::of(loaded);
    said.into_iter()
        .filter(|(_, text, ..)| !text.is_empty())
        .filter_map(|(option, text, name, use_)| {
            let (is_certain, why) = container.lacks(text, use_)?;
            // Somebody may have written the secret itself where the path of its file belongs.
            let shown = if use_ == Use::Store { format!("{text:?}") } else { reveal::value(&option, &Value::from(text)) };
            let message = format!("is {shown}, {why}");
            let remedy = remedy(&name, use_);
            Some(Stray { name, is_certain, violation: Violation { option, message, remedy } })
        })
        .collect()
}

fn remedy(name: &str, use_: Use) -> String {
    let top = name.split('.').next().unwrap_or_default();
    match (name, use_) {
        ("recaptcha_private_key_path" | "recaptcha_public_key_path", _) => {
            let option = name.trim_end_matches("_path");
            format!("write {option}: {{ _secret: {option} }}, and put the key into secrets/{option} on the target")
        }
        (_, Use::Template | Use::Templates) => {
            "put the file into a directory beside the description, name that in templates.custom_template_directory, and remove this option".to_owned()
        }
        (_, Use::Store) => format!(
            "write a directory in the volume of Synapse's state, such as {STATE}/second; or, if you mount this one into every container of Synapse yourself, write synapse.unchecked: [{top}]"
        ),
        (_, Use::File) => format!("remove it; or, if you mount the file into every container of Synapse yourself, write synapse.unchecked: [{top}]"),
    }
}

/// What is in a container of Synapse.
struct Container<'a> {
    part: Part,
    templates: Vec<&'a str>,
}

impl<'a> Container<'a> {
    fn of(loaded: &'a Loaded) -> Self {
        let own = loaded.site.templates.custom_template_directory.as_ref().map(|directory| directory.as_str());
        let named = loaded.files.keys().filter_map(|file| file.strip_prefix(own?)).map(|file| file.trim_start_matches('/'));
        Self { part: resolve(&unchecked(loaded)), templates: named.collect() }
    }

    /// What is wrong with a path, and whether Synapse cannot do with it.
    fn lacks(&self, text: &str, use_: Use) -> Option<(bool, String)> {
        let path = absolute(text);
        let is_in = |outer: &str| path.starts_with(outer);
        let store = format!("{STATE}/media");
        match use_ {
            Use::Template => {
                let known = TEMPLATES.contains(&text) || FIXED_TEMPLATES.contains(&text) || self.templates.contains(&text);
                (!known).then(|| (true, "and there is no template of that name".to_owned()))
            }
            Use::Store if path.starts_with(&store) || Path::new(&store).starts_with(&path) => {
                Some((true, format!("which is the store of media itself, {store}, or around or in it")))
            }
            Use::Store if is_in(STATE) => None,
            Use::Store if is_in("/tmp") || is_in(RUN_DIR) => {
                Some((false, "which is in memory: what is there is lost when the container starts again".to_owned()))
            }
            Use::File | Use::Templates if self.has(&path) || OF_PACKAGES.iter().any(|outer| is_in(outer)) => None,
            Use::File | Use::Templates if is_in(STATE) => Some((false, "where nothing of this description puts it".to_owned())),
            _ if is_in(SECRETS_DIR) => Some((true, "and the container has no secret of that name".to_owned())),
            Use::Store => Some((true, "where the container has no directory that Synapse can write to".to_owned())),
            Use::File | Use::Templates => Some((true, "which the container has not".to_owned())),
        }
    }

    /// Whether a file, or a directory with files, is written into the image or mounted as a secret.
    fn has(&self, path: &Path) -> bool {
        let files = self.part.files.get(IMAGE).into_iter().flat_map(BTreeMap::keys);
        let roles = self.part.services.iter().filter(|service| service.image == IMAGE).filter_map(|service| service.role.as_ref());
        let mut secrets = roles.flat_map(|(_, role)| &role.secrets);
        files.map(Path::new).any(|file| file.starts_with(path)) || secrets.any(|name| path == Path::new(SECRETS_DIR).join(name))
    }
}

/// A path as Synapse takes it: its processes run in the directory of their state.
fn absolute(text: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in Path::new(STATE).join(text).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    path
}

/// Paths in what modules are told, as far as the names of members tell.
fn in_modules(loaded: &Loaded) -> Vec<Violation> {
    let settings = &loaded.site.synapse.settings;
    let mut found: Vec<(OptionPath, &str, &str)> = Vec::new();
    // The files of a directory's module are a matter of S0404.
    for module in modules::all(settings).filter(|module| !module.is_file_system() && !module.is_directory()) {
        texts(&module.option.key("config"), "config", module.config, &mut found);
    }
    found.retain(|(_, name, text)| is_path(name, text));
    if found.is_empty() {
        return Vec::new();
    }
    let container = Container::of(loaded);
    found
        .into_iter()
        .filter(|(_, _, text)| {
            let path = absolute(text);
            !container.has(&path) && !path.starts_with(STATE) && !OF_PACKAGES.iter().any(|outer| path.starts_with(outer))
        })
        .map(|(option, ..)| {
            let message = "is a path that the container has not, unless the package of the module brings it".to_owned();
            let remedy =
                format!("give what is to be kept a place in {STATE}, and what is secret a {{ _secret: NAME }}; or mount it yourself, and accept this warning");
            Violation { option, message, remedy }
        })
        .collect()
}

/// Whether a member's name says that it is a path, and its text is one from the root on.
fn is_path(name: &str, text: &str) -> bool {
    let plain = name.to_ascii_lowercase();
    let last = name.rfind(|c: char| !c.is_ascii_lowercase()).map_or(plain.as_str(), |at| &plain[at..]).trim_start_matches(['_', '-', '.', ' ']);
    let ends = ["directory", "filename", "folder"].iter().any(|end| plain.ends_with(end));
    text.len() > 1 && text.starts_with('/') && !text.starts_with("//") && (ends || ENDS.contains(&last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::rules::settings::is_refused;
    use crate::check::rules::typed::moved;
    use crate::synapse::{Entry, options};

    /// Names of all options below one, with dots.
    fn names(entry: &'static Entry, outer: &str, found: &mut Vec<String>) {
        for name in entry.names() {
            let path = if outer.is_empty() { name.to_owned() } else { format!("{outer}.{name}") };
            let inner = entry.named(name).expect("it is there");
            names(inner, &path, found);
            if let Some(element) = inner.element() {
                names(element, &path, found);
            }
            found.push(path);
        }
    }

    #[test]
    fn every_option_that_sounds_like_a_path_is_in_the_table() {
        let mut all = Vec::new();
        names(options(), "", &mut all);
        assert!(all.len() > 600, "{}", all.len());
        let sounds = |name: &&String| ["_path", "_file", "_dir", "_directory"].iter().any(|end| name.ends_with(end));
        let said = |name: &&String| !is_refused(name.split('.').next().unwrap_or_default()) && moved(name).is_none();
        for name in all.iter().filter(sounds).filter(said) {
            assert!(PATHS.iter().any(|(path, _)| path == name), "{name}");
        }
        for (path, _) in PATHS {
            assert!(all.iter().any(|name| name == path), "{path}");
        }
    }

    #[test]
    fn names_tell_what_is_a_path() {
        for (name, text) in [("db_path", "/a/b"), ("keyFile", "/a"), ("directory", "/mnt/nas"), ("template-dir", "/a"), ("unixSocket", "/run/a.sock")] {
            assert!(is_path(name, text), "{name}");
        }
        for (name, text) in [("db_path", "user.name"), ("endpoint", "/a/b"), ("profile", "/a"), ("directory", "/"), ("path", "//host/a"), ("redirect", "/a")] {
            assert!(!is_path(name, text), "{name}");
        }
    }

    #[test]
    fn a_relative_path_begins_at_the_state() {
        assert_eq!(absolute("second"), Path::new(STATE).join("second"));
        assert_eq!(absolute("../../x"), Path::new("/var/x"));
        assert_eq!(absolute("/mnt/./nas/"), Path::new("/mnt/nas"));
    }
}
