//! What src/check/invariants.toml says cannot be written: a site that tries to is refused by the code that is named there, and everything
//! else holds in what every example and every good site renders.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common;
use serde_json::{Map, Value, json};
use synapse_site::check::invariants::lists;
use synapse_site::component::gateway::delegation::{Issuer, issuer_of};
use synapse_site::deploy::compose;
use synapse_site::deployment::Deployment;
use synapse_site::launch::{Plan, Role};
use synapse_site::site::load::{self, Loaded};

const DIRECTORY: &str = "tests/invariants";
/// Networks that the media previews of every site are kept from, one of each kind.
const NEVER: [&str; 5] = ["127.0.0.0/8", "10.0.0.0/8", "169.254.0.0/16", "::1/128", "fc00::/7"];

/// A site and what follows from it.
struct Seen {
    file: PathBuf,
    loaded: Loaded,
    rendered: Deployment,
    manifest: Value,
    plan: Plan,
    /// The options of each process of Synapse, by role: the files that have each, and its last value.
    processes: BTreeMap<String, BTreeMap<String, (Vec<String>, Value)>>,
}

impl Seen {
    fn new(file: PathBuf) -> Self {
        let loaded = load::load(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let rendered = common::deployment(&loaded);
        let manifest = compose::manifest(&rendered, &common::images(&rendered)).expect("a manifest");
        let plan: Plan = serde_json::from_slice(&rendered.images["synapse"]["/etc/synapse-site/launch.json"]).expect("a plan");
        let processes = plan.roles.iter().filter(|(_, role)| role.exec.first().is_some_and(|program| program.starts_with("synapse_")));
        let processes = processes.map(|(name, role)| (name.clone(), options(role, &rendered))).collect();
        Self { file, manifest: serde_yaml::from_str(&manifest).expect("YAML"), loaded, rendered, plan, processes }
    }

    fn value(&self, process: &str, option: &str) -> &Value {
        self.processes[process].get(option).map_or(&Value::Null, |(_, value)| value)
    }

    fn main(&self, option: &str) -> &Value {
        self.value("main", option)
    }

    fn workers(&self) -> impl Iterator<Item = &String> {
        self.processes.keys().filter(|name| *name != "main")
    }

    /// Each process's HTTP and other listeners.
    fn listeners(&self, process: &str) -> Vec<&Value> {
        let option = if process == "main" { "listeners" } else { "worker_listeners" };
        self.value(process, option).as_array().expect("listeners").iter().collect()
    }

    fn all_listeners(&self) -> Vec<&Value> {
        self.processes.keys().flat_map(|process| self.listeners(process)).collect()
    }

    fn resources(&self, process: &str) -> BTreeSet<&str> {
        self.listeners(process).into_iter().flat_map(names).collect()
    }

    fn text(&self, image: &str, path: &str) -> String {
        String::from_utf8(self.rendered.images[image][path].clone()).expect("UTF-8")
    }

    fn nginx(&self) -> String {
        self.text("gateway", "/etc/nginx/nginx.conf")
    }

    fn document(&self, name: &str) -> Option<Value> {
        self.rendered.well_known.get(name).map(|bytes| serde_json::from_slice(bytes).expect("JSON"))
    }

    fn services(&self) -> &Map<String, Value> {
        self.manifest["services"].as_object().expect("services")
    }

    /// Whether the gateway gives a path to a worker.
    fn goes_to_worker(&self, path: &str) -> bool {
        let text = self.nginx();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        lines.windows(2).any(|pair| {
            let expression = pair[0].strip_prefix("location ~ \"").and_then(|rest| rest.strip_suffix("\" {"));
            let worker = ["$by_", "$any:"].iter().any(|to| pair[1].starts_with(&format!("proxy_pass http://{to}")));
            worker && expression.is_some_and(|expression| regex::Regex::new(expression).expect("an expression").is_match(path))
        })
    }

    fn has_secret(&self, name: &str) -> bool {
        self.rendered.secrets.iter().any(|secret| secret.name == name)
    }
}

fn names(listener: &Value) -> Vec<&str> {
    let resources = listener["resources"].as_array().into_iter().flatten();
    resources.flat_map(|resource| resource["names"].as_array().into_iter().flatten()).filter_map(Value::as_str).collect()
}

/// What a process reads, file by file, as Synapse does: a directory's files in order, those that `launch` completes in their own.
fn options(role: &Role, rendered: &Deployment) -> BTreeMap<String, (Vec<String>, Value)> {
    let image = &rendered.images["synapse"];
    let mut files: BTreeMap<&str, &Vec<u8>> = image.iter().map(|(path, content)| (path.as_str(), content)).collect();
    for template in &role.files {
        files.insert(&template.target, &image[&template.source]);
    }
    let mut all: BTreeMap<String, (Vec<String>, Value)> = BTreeMap::new();
    let paths = role.exec.windows(2).filter(|pair| pair[0] == "--config-path").map(|pair| pair[1].as_str());
    for path in paths {
        let below = format!("{path}/");
        let read: Vec<_> = files.iter().filter(|(file, _)| **file == path || file.starts_with(&below)).collect();
        assert!(!read.is_empty(), "{path} is not there");
        for (file, content) in read {
            let options: Map<String, Value> = serde_yaml::from_slice(content).unwrap_or_else(|error| panic!("{file}: {error}"));
            for (name, value) in options {
                let entry = all.entry(name).or_insert_with(|| (Vec::new(), Value::Null));
                entry.0.push((*file).to_owned());
                entry.1 = value;
            }
        }
    }
    all
}

/// Every example and the good site of every code.
fn sites() -> Vec<Seen> {
    let below = |directory: &str, file: &str| -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path().join(file)).collect();
        found.retain(|path| path.is_file());
        found.sort();
        found
    };
    let mut all = below("examples", "site.yaml");
    all.extend(below("tests/rules", "good.yaml"));
    all.extend(below(DIRECTORY, "site.yaml"));
    all.push(Path::new(DIRECTORY).join("site.yaml"));
    assert!(all.len() > 100, "only {} sites", all.len());
    all.into_iter().map(Seen::new).collect()
}

type Assertion = fn(&Seen) -> bool;

/// What holds in everything that is rendered, by the name of the mistake that it keeps out.
const ASSERTIONS: &[(&str, Assertion)] = &[
    ("report-stats-absent", |seen| seen.main("report_stats").is_boolean()),
    ("client-document-elsewhere", |seen| {
        let base = seen.loaded.site.server.public_baseurl.with_slash();
        let same = |url: &Value| url.as_str().is_some_and(|url| base.trim_end_matches('/') == url.trim_end_matches('/'));
        same(seen.main("public_baseurl")) && seen.document("client").is_none_or(|document| same(&document["m.homeserver"]["base_url"]))
    }),
    ("server-document-without-port", |seen| {
        seen.document("server").is_none_or(|document| {
            let members: Vec<&String> = document.as_object().expect("members").keys().collect();
            let server = document["m.server"].as_str().expect("a server");
            members == ["m.server"] && server.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
        })
    }),
    ("documents-without-cors", |seen| seen.text("gateway", "/etc/nginx/well-known.conf").contains("add_header Access-Control-Allow-Origin * always;")),
    ("wellknown-by-synapse", |seen| *seen.main("serve_server_wellknown") == json!(false)),
    ("option-in-two-files", |seen| seen.processes.values().flat_map(BTreeMap::values).all(|(files, _)| files.len() == 1)),
    ("log-config-missing", |seen| {
        let there = |process: &String| {
            let option = if process == "main" { "log_config" } else { "worker_log_config" };
            seen.value(process, option).as_str().is_some_and(|path| seen.rendered.images["synapse"].contains_key(path))
        };
        seen.processes.keys().all(there) && *seen.main("signing_key_path") == json!("/run/secrets/signing_key") && seen.has_secret("signing_key")
    }),
    ("listener-kind", |seen| {
        let known = ["client", "federation", "openid", "consent", "replication", "health"];
        seen.all_listeners().iter().all(|listener| match listener["type"].as_str() {
            Some("http") => names(listener).iter().all(|name| known.contains(name)),
            Some("metrics") => true,
            _ => false,
        })
    }),
    ("listener-without-resources", |seen| {
        let http = seen.all_listeners().into_iter().filter(|listener| listener["type"] == "http");
        let federation = seen.loaded.site.listeners.federation;
        http.map(names).all(|names| !names.is_empty())
            && seen.resources("main").contains("client")
            && seen.resources("main").contains("federation") == federation
    }),
    ("tls-without-certificate", |seen| seen.all_listeners().iter().all(|listener| listener["tls"] != json!(true))),
    ("forwarded-not-believed", |seen| {
        let asked = |listener: &&Value| listener["port"] == 8008;
        seen.processes.keys().all(|process| seen.listeners(process).into_iter().any(|listener| asked(&listener)))
            && seen.all_listeners().into_iter().filter(asked).all(|listener| listener["x_forwarded"] == json!(true))
    }),
    ("listener-on-loopback", |seen| {
        let publishes = |service: &Value| service.get("ports").is_some() || service.get("network_mode").is_some_and(|mode| mode == "host");
        seen.all_listeners().iter().all(|listener| listener["bind_addresses"] == json!(["0.0.0.0"]))
            && seen.services().iter().filter(|(_, service)| publishes(service)).all(|(name, _)| ["gateway", "coturn", "livekit"].contains(&name.as_str()))
    }),
    ("replication-open", |seen| {
        let apart = seen.all_listeners().into_iter().filter(|listener| names(listener).contains(&"replication"));
        let workers = seen.workers().count() > 0;
        apart.map(|listener| (names(listener), &listener["port"])).eq(workers.then(|| (vec!["replication"], &seen.main("instance_map")["main"]["port"])))
            && !seen.nginx().contains("9093")
            && !seen.nginx().contains("/_synapse/replication")
            && seen.processes.keys().all(|process| seen.value(process, "worker_replication_secret_path").is_string() == workers)
    }),
    ("admin-api-public", |seen| {
        let text = seen.nginx();
        let allowed: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("\"~^/") && line.ends_with(" 0;")).collect();
        let known = ["\"~^/_matrix/\" 0;", "\"~^/_synapse/client/\" 0;", "\"~^/\\.well-known/matrix/\" 0;", "\"~^/livekit/\" 0;", "\"~^/_synapse/mas/\" 0;"];
        // What lies below the issuer's path is another service's.
        let issuer = match issuer_of(&seen.loaded.site) {
            Some(Issuer::Below { path, .. }) => Some(format!("\"~^{}/\" 0;", path.replace('.', "\\."))),
            _ => None,
        };
        let is_known = |line: &&str| known.contains(line) || issuer.as_deref() == Some(*line);
        // In the administrators' own host, everything is behind a list of networks.
        let guarded =
            text.match_indices("/(_synapse/admin|").all(|(at, _)| text[..at].rsplit("server {").next().is_some_and(|server| server.contains("deny all;")));
        text.contains("default 1;") && text.contains("if ($refused) {") && allowed.iter().all(is_known) && guarded
    }),
    ("proxy-changes-paths", |seen| {
        let text = seen.nginx();
        let passes = text.lines().map(str::trim).filter_map(|line| line.strip_prefix("proxy_pass ")?.strip_suffix(';'));
        // A path behind the address, if only a slash, makes nginx write its own; what was sent, behind a path, goes as it is.
        let as_sent = |to: &str| to.strip_prefix("$delegated").is_some_and(|rest| rest.ends_with("$request_uri"));
        let whole = passes
            .filter(|to| !to.contains("livekit") && !to.contains("$authorisation"))
            .map(|to| to.split_once("://").expect("an address").1)
            .all(|to| !to.contains('/') || as_sent(to));
        let upload = seen.loaded.site.media.max_upload_size.bytes();
        let mut limits = text.lines().filter_map(|line| line.trim().strip_prefix("client_max_body_size ")?.strip_suffix(';')?.parse::<u64>().ok());
        let seconds = text.lines().filter_map(|line| line.trim().strip_prefix("proxy_read_timeout ")?.strip_suffix("s;")?.parse::<u64>().ok()).min();
        let sent = [
            "proxy_http_version 1.1;",
            "proxy_set_header Host $host;",
            "proxy_set_header X-Forwarded-For $remote_addr;",
            "proxy_set_header X-Forwarded-Proto ",
        ];
        whole && limits.any(|limit| limit == upload) && seconds.is_some_and(|seconds| seconds >= 180) && sent.iter().all(|header| text.contains(header))
    }),
    ("metrics-not-enabled", |seen| {
        let listens = seen.all_listeners().iter().any(|listener| listener["type"] == "metrics");
        listens == seen.loaded.site.listeners.metrics && (*seen.main("enable_metrics") == json!(true)) == listens
    }),
    ("metrics-public", |seen| !seen.nginx().contains("9000") && seen.all_listeners().iter().all(|listener| listener["type"] != "manhole")),
    ("two-databases", |seen| {
        let engine = |process: &String| seen.value(process, "database")["name"] == "psycopg2" && seen.value(process, "databases").is_null();
        seen.processes.keys().all(engine)
    }),
    ("sqlite-with-workers", |seen| seen.processes.keys().all(|process| seen.value(process, "database")["name"] == "psycopg2")),
    ("too-few-connections", |seen| {
        let Some(image) = seen.rendered.images.get("postgres") else { return true };
        let text = String::from_utf8_lossy(&image["/etc/postgresql/postgresql.conf"]);
        let most: usize = text.lines().find_map(|line| line.strip_prefix("max_connections = ")?.parse().ok()).expect("a number");
        most >= seen.processes.len() * usize::from(seen.loaded.site.database.cp_max) + 10
    }),
    ("worker-before-main", |seen| {
        let waits = |worker: &String| json!(seen.plan.roles[worker].wait).to_string().contains(r#""host":"synapse","path":"/health""#);
        seen.workers().all(waits)
    }),
    ("secret-and-path", |seen| {
        seen.processes.values().all(|options| options.keys().all(|name| name.strip_suffix("_path").is_none_or(|inline| !options.contains_key(inline))))
    }),
    ("macaroon-secret-absent", |seen| {
        *seen.main("macaroon_secret_key_path") == json!("/run/secrets/macaroon_secret_key") && seen.has_secret("macaroon_secret_key")
    }),
    ("only-for-reauth", |seen| {
        let enabled = &seen.main("password_config")["enabled"];
        enabled.is_boolean() && (seen.loaded.site.ldap.is_none() || *enabled == json!(true))
    }),
    ("directory-and-local-password", |seen| {
        let local = seen.main("password_config")["localdb_enabled"] == json!(true);
        seen.plan.admin.iter().flat_map(|admin| &admin.users).all(|user| user.password_secret.is_some() == local)
    }),
    ("directory-attributes", |seen| directory(seen).is_none_or(|config| ["uid", "name", "mail"].iter().all(|name| config["attributes"][name].is_string()))),
    ("directory-without-password", |seen| {
        directory(seen).is_none_or(|config| config["bind_dn"].is_string() == config["bind_password_file"].is_string())
            && seen.loaded.site.ldap.as_ref().is_none_or(|ldap| ldap.bind_dn.is_some() == seen.has_secret("ldap_bind_password"))
    }),
    ("directory-tls-twice", |seen| directory(seen).is_none_or(|config| config.get("validate_cert").is_none() && config["tls_options"]["validate"] == 2)),
    ("delegation-without-secret", |seen| {
        let block = seen.main("matrix_authentication_service");
        block.is_null() || block["secret_path"].is_string() && block.get("secret").is_none()
    }),
    ("policy-directory", |seen| {
        let block = seen.main("user_consent");
        let there = |name: &str| seen.rendered.images["synapse"].contains_key(&format!("{}/en/{name}.html", block["template_dir"].as_str().expect("a path")));
        block.is_null()
            || block["template_dir"].as_str().is_some_and(|path| path.starts_with('/')) && there("success") && there(block["version"].as_str().expect("text"))
    }),
    ("form-secret-absent", |seen| *seen.main("form_secret_path") == json!("/run/secrets/form_secret") && seen.has_secret("form_secret")),
    ("consent-page-without-policy", |seen| !seen.resources("main").contains("consent") || seen.main("user_consent").is_object()),
    ("policy-without-page", |seen| seen.main("user_consent").is_null() || seen.resources("main").contains("consent")),
    ("consent-on-worker", |seen| {
        let known = BTreeSet::from(["client", "federation", "health"]);
        seen.workers().all(|worker| seen.resources(worker).is_subset(&known)) && !seen.goes_to_worker("/_matrix/consent")
    }),
    ("preview-list-absent", previews),
    ("preview-list-empty", previews),
    ("media-on-workers", |seen| {
        let uploads = ["/_matrix/media/v3/upload", "/_matrix/client/v1/media/download/a/b", "/_matrix/federation/v1/media/download/b"];
        seen.workers().all(|worker| *seen.value(worker, "enable_media_repo") == json!(false)) && !uploads.iter().any(|path| seen.goes_to_worker(path))
    }),
    ("media-without-store", |seen| {
        seen.main("enable_media_repo").is_null() && seen.all_listeners().into_iter().all(|listener| !names(listener).contains(&"media"))
    }),
    ("relay-without-secret", |seen| seen.main("turn_uris").as_array().is_some_and(|uris| !uris.is_empty()) == seen.main("turn_shared_secret_path").is_string()),
    ("relay-secrets-differ", |seen| {
        let Some(image) = seen.rendered.images.get("coturn") else { return true };
        let relay = String::from_utf8_lossy(&image["/etc/coturn/turnserver.conf"]);
        relay.contains("static-auth-secret=@@secret:turn_shared_secret@@") && *seen.main("turn_shared_secret_path") == json!("/run/secrets/turn_shared_secret")
    }),
    ("relay-without-certificate", |seen| {
        let Some(image) = seen.rendered.images.get("coturn") else { return true };
        let relay = String::from_utf8_lossy(&image["/etc/coturn/turnserver.conf"]);
        let told = seen.main("turn_uris").as_array().expect("a list").iter().any(|uri| uri.as_str().is_some_and(|uri| uri.starts_with("turns:")));
        told == relay.lines().any(|line| line.starts_with("cert=")) && told == seen.has_secret("turn_tls_certificate") && told != relay.contains("no-tls\n")
    }),
    ("calls-without-address", |seen| {
        let address = &seen.main("matrix_rtc")["transports"][0]["livekit_service_url"];
        let told = seen.document("client").map_or(Value::Null, |document| document["org.matrix.msc4143.rtc_foci"][0]["livekit_service_url"].clone());
        seen.main("matrix_rtc").is_null() || address.is_string() && (seen.document("client").is_none() || told == *address)
    }),
    ("calls-of-nobody", |seen| {
        let island = !seen.loaded.site.listeners.federation;
        let asked = seen.resources("main").contains("openid") && seen.nginx().contains("location = /_matrix/federation/v1/openid/userinfo {");
        seen.main("matrix_rtc").is_null() || !island || asked
    }),
    ("workers-without-redis", |seen| seen.processes.keys().all(|process| seen.value(process, "redis")["enabled"] == json!(true))),
    ("workers-without-main", instance_map),
    ("main-port-as-text", instance_map),
    ("process-without-replication", instance_map),
    ("main-under-its-old-options", |seen| {
        let gone = ["worker_replication_host", "worker_replication_port", "worker_replication_http_port", "worker_replication_http_tls"];
        seen.processes.values().all(|options| !gone.iter().any(|name| options.contains_key(*name)))
    }),
    ("sender-of-nobody", |seen| {
        let senders = seen.main("federation_sender_instances").as_array().cloned().unwrap_or_default();
        let count = usize::from(seen.loaded.site.workers.federation_senders);
        senders.len() == count && senders.iter().all(|name| seen.workers().any(|worker| *name == json!(worker)))
    }),
    ("worker-names", |seen| {
        seen.workers().all(|worker| *seen.value(worker, "worker_name") == json!(worker) && seen.services().contains_key(worker))
            && seen
                .main("federation_sender_instances")
                .as_array()
                .is_none_or(|list| (1..).zip(list).all(|(number, name)| *name == json!(format!("synapse-federation-sender-{number}"))))
    }),
    ("worker-kinds-of-old", |seen| seen.workers().all(|worker| *seen.value(worker, "worker_app") == json!("synapse.app.generic_worker"))),
    ("admin-at-worker", |seen| !seen.goes_to_worker("/_synapse/admin/v1/quarantine_media/a/b")),
    ("some-processes-restarted", |seen| {
        let image = &seen.services()["synapse"]["image"];
        image.is_string() && seen.workers().all(|worker| seen.services()[worker]["image"] == *image)
    }),
    ("login-over-several-processes", |seen| {
        let steps =
            ["/_matrix/client/v3/login/sso/redirect/x", "/_synapse/client/pick_idp", "/_synapse/client/oidc/callback", "/_matrix/client/v3/login/cas/ticket"];
        let shared = seen.loaded.site.workers.generic > 0;
        !steps.iter().any(|path| seen.goes_to_worker(path)) && seen.goes_to_worker("/_matrix/client/v3/sync") == shared
    }),
    ("key-server-keys-null", |seen| {
        let servers = seen.main("trusted_key_servers").as_array().expect("a list");
        servers.iter().all(|server| server.get("verify_keys").is_none_or(Value::is_object)) && *seen.main("suppress_key_server_warning") == json!(true)
    }),
    ("app-service-unknown-to-some", |seen| {
        let files = seen.main("app_service_config_files");
        let completed = |process: &String| {
            let targets: BTreeSet<&str> = seen.plan.roles[process].files.iter().map(|file| file.target.as_str()).collect();
            files.as_array().into_iter().flatten().all(|file| targets.contains(file.as_str().expect("a path")))
        };
        files.as_array().map_or(0, Vec::len) == seen.loaded.site.app_services.len()
            && seen.processes.keys().all(|process| seen.value(process, "app_service_config_files") == files && completed(process))
    }),
];

/// The options of the directory's module.
fn directory(seen: &Seen) -> Option<&Value> {
    let module = seen.main("modules").as_array()?.iter().find(|module| module["module"] == "synapse_site_directory.Directory");
    assert_eq!(module.is_some(), seen.loaded.site.ldap.is_some(), "{}", seen.file.display());
    module.map(|module| &module["config"])
}

fn previews(seen: &Seen) -> bool {
    let refused = seen.main("url_preview_ip_range_blacklist");
    let lists = |network: &&str| refused.as_array().is_some_and(|list| list.contains(&json!(network)));
    *seen.main("url_preview_enabled") == json!(false) || NEVER.iter().all(lists) && refused.as_array().is_some_and(|list| list.len() >= 19)
}

fn instance_map(seen: &Seen) -> bool {
    let listens = |port: &Value| seen.listeners("main").into_iter().any(|listener| listener["port"] == *port && names(listener) == ["replication"]);
    let complete = |map: &Value| {
        let main = &map["main"];
        map.as_object().is_some_and(|map| map.len() == 1) && main["host"] == "synapse" && main["port"].is_u64() && listens(&main["port"])
    };
    seen.workers().count() == 0 || seen.processes.keys().all(|process| complete(seen.value(process, "instance_map")))
}

#[test]
fn what_cannot_be_written_is_not_in_anything_that_is_rendered() {
    let sites = sites();
    let mut broken = Vec::new();
    for (name, holds) in ASSERTIONS {
        broken.extend(sites.iter().filter(|seen| !holds(seen)).map(|seen| format!("{name}: {}", seen.file.display())));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_entry_is_proved_and_every_proof_has_its_entry() {
    let entries: BTreeMap<&str, bool> = lists().mistakes.iter().map(|mistake| (mistake.name.as_str(), mistake.refused.is_some())).collect();
    let asserted: BTreeSet<&str> = ASSERTIONS.iter().map(|(name, _)| *name).collect();
    for (name, refused) in &entries {
        let bad = Path::new(DIRECTORY).join(name).join("bad.yaml");
        assert_eq!(bad.is_file(), *refused, "{}", bad.display());
        assert!(*refused || asserted.contains(name), "{name} has neither a code that refuses it nor an assertion");
    }
    let there = std::fs::read_dir(DIRECTORY).expect("the directory").map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
    let there: Vec<String> = there.map(|path| path.file_name().expect("a name").to_string_lossy().into_owned()).collect();
    for name in there.iter().map(String::as_str).chain(asserted) {
        assert!(entries.contains_key(name), "{name} is not in src/check/invariants.toml");
    }
}

#[test]
fn a_site_that_tries_is_refused_by_the_code_that_is_named() {
    for mistake in &lists().mistakes {
        let Some(code) = &mistake.refused else { continue };
        let file = Path::new(DIRECTORY).join(&mistake.name).join("bad.yaml");
        let output = Command::new(env!("CARGO_BIN_EXE_synapse-site")).args(["check", "--json"]).arg(&file).output().expect("the program runs");
        let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let codes: BTreeSet<&str> = found.iter().filter_map(|finding| finding["code"].as_str()).collect();
        assert_eq!((output.status.code(), codes), (Some(1), BTreeSet::from([code.as_str()])), "{}: {found:#?}", file.display());
    }
}

#[test]
fn tests_of_what_is_looked_at_when_a_site_starts_are_there() {
    for entry in &lists().at_start {
        let (file, function) = entry.test.split_once("::").expect("file::function");
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!([format!("fn {function}("), format!("def {function}(")].iter().any(|head| text.contains(head)), "{} is not there", entry.test);
    }
}
