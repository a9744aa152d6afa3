//! Descriptions, good and bad: three languages of one site are one site, and every mistake is found at once, with its place.

use std::path::Path;

use crate::common;
use synapse_site::check::rules;
use synapse_site::error::Error;
use synapse_site::site::load::{self, Loaded};

fn load_text(format: &str, text: &str) -> Result<Loaded, Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join(format!("site.{format}"));
    std::fs::write(&file, text).expect("written");
    // The file that the example names.
    std::fs::copy("examples/example.com/end-user-policy-0.1.md", dir.path().join("end-user-policy-0.1.md")).expect("copied");
    load::load(&file)
}

fn findings(format: &str, text: &str) -> Vec<(String, String, Option<usize>)> {
    let list = match load_text(format, text) {
        Ok(loaded) => rules::apply(&loaded).list,
        Err(Error::Site(findings)) => findings.list,
        Err(other) => panic!("{other}"),
    };
    list.into_iter().map(|finding| (finding.code.to_owned(), finding.option, finding.position.map(|at| at.line))).collect()
}

fn codes(text: &str) -> Vec<String> {
    findings("yaml", text).into_iter().map(|finding| finding.0).collect()
}

const GOOD: &str = "server:\n  server_name: example.com\n  public_baseurl: https://matrix.example.com/\n";

#[test]
fn three_languages_of_one_site_render_alike() {
    let nix = load::load(Path::new("examples/example.com/site.nix")).expect("the example loads");
    assert!(rules::apply(&nix).list.is_empty(), "{}", rules::apply(&nix));
    let value = serde_json::to_value(&nix.site).expect("a value");
    let json = load_text("json", &value.to_string()).expect("as JSON");
    let yaml = load_text("yaml", &serde_yaml::to_string(&value).expect("as YAML")).expect("loads");
    assert_eq!(nix.site, json.site);
    assert_eq!(nix.site, yaml.site);
    let images = |loaded: &Loaded| common::deployment(loaded).images;
    assert_eq!(images(&nix), images(&json));
    assert_eq!(images(&nix), images(&yaml));
}

#[test]
fn starter_sites_are_good_in_every_language() {
    let starters = ["yaml", "nix", "json"].map(|format| {
        let loaded = load::load(Path::new(&format!("src/cli/new/site.{format}"))).unwrap_or_else(|error| panic!("{error}"));
        assert!(rules::apply(&loaded).list.is_empty(), "{}", rules::apply(&loaded));
        loaded.site
    });
    assert_eq!(starters[0], starters[1]);
    assert_eq!(starters[0], starters[2]);
}

#[test]
fn all_mistakes_at_once_with_places() {
    let text = "server:\n  server_name: Exa_mple.com\n  public_baseurl: 7\n  report_statz: true\nturn:\n  port: 70000\n  source: bundeld\nworkers:\n  generic: 1.5\nmediaa: {}\nredis:\n  port: 1\n  port: 2\n";
    let found = findings("yaml", text);
    let expected: Vec<(&str, &str, usize)> = vec![
        ("S0005", "server.server_name", 2),
        ("S0002", "server.public_baseurl", 3),
        ("S0001", "server.report_statz", 4),
        ("S0004", "turn.port", 6),
        ("S0003", "turn.source", 7),
        ("S0002", "workers.generic", 9),
        ("S0001", "mediaa", 10),
        ("S0007", "redis.port", 13),
    ];
    let found: Vec<(&str, &str, usize)> = found.iter().map(|(code, option, line)| (code.as_str(), option.as_str(), line.expect("a line"))).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_is_sound_is_looked_at_beside_what_is_not() {
    let found = codes(&format!(
        "{GOOD}media: {{max_upload_size: 50MB, url_preview_url_blacklist: [{{}}]}}\nemail: {{smtp_host: localhost, notif_from: 'A <a@example.com>'}}\nsynapse: {{settings: {{recaptcha_private_key: x}}}}\nlimits: {{limit_usage_by_mau: true, max_mau_value: none}}\n"
    ));
    // S0321 looks at an option that is not sound: what it would say may not be so.
    assert_eq!(found, ["S0005", "S0220", "S0501", "S0402", "S0002"]);
}

#[test]
fn a_section_that_is_written_twice_lacks_nothing() {
    assert_eq!(codes(&format!("{GOOD}server:\n  report_stats: true\n")), ["S0007"]);
    // What is missing elsewhere is missing all the same.
    assert_eq!(codes(&format!("{GOOD}server: {{report_stats: true}}\nldap: {{uri: 'ldaps://l.example'}}\n")), ["S0007", "S0006"]);
}

fn refusal(format: &str, text: &str) -> String {
    let Err(Error::Site(found)) = load_text(format, text) else { panic!("accepted: {text}") };
    found.to_string()
}

#[test]
fn what_to_write_is_said_for_each_form_and_type() {
    for (more, remedy) in [
        ("media: {max_upload_size: 50MB}", "write \"50M\""),
        ("media: {max_upload_size: much}", "write for example \"50M\""),
        ("authentication: {session_lifetime: 1.5h}", "write \"90m\""),
        ("gateway: {images: x}", "known here are"),
        ("turn: {host: 'turn.example.com:3478'}", "write \"turn.example.com\""),
        ("listeners: {metrics: yes}", "write true; \"yes\" is a text"),
        ("listeners: {metrics: 'false'}", "write false, without quotation marks"),
        ("email: {smtp_host: m.example, notif_from: a@b.example, app_name: 0.10}", "quotation marks, if it is meant"),
        ("presence: {exclude_rooms_from_presence: ['#a:b']}", "the identifier of a room"),
        ("well_known: {support: {support_page: example.com}}", "write for example \"https://example.com/help\""),
        ("well_known: {support: {contacts: [{role: m.role.admin, matrix_id: admin}]}}", "is not a whole Matrix ID"),
        ("experimental_features: {}", "write it as synapse.settings.experimental_features"),
        ("password_config: {}", "write its members in the section authentication"),
        ("media_store_path: /x", "not offered: uploads are always in the volume"),
        ("consent: {template_dir: x}", "write it as consent.documents"),
        ("groups: {}", "has no option of that name, either"),
    ] {
        let text = refusal("yaml", &format!("{GOOD}{more}\n"));
        assert!(text.contains(remedy) && !text.contains("has not the form"), "{more}\nlacks {remedy:?}:\n{text}");
    }
    assert!(refusal("yaml", "server:\nserver_name: example.com\n").contains("indent its options below server"));
}

#[test]
fn of_a_password_before_a_host_the_host_is_proposed() {
    for (more, remedy) in [
        ("email: {smtp_host: 'user:hunter2@mail.example.org', notif_from: a@b.example}", "write \"mail.example.org\"\n"),
        ("email: {smtp_host: 'user:hunter2@mail.example.org:587', notif_from: a@b.example}", "write \"mail.example.org\" and smtp_port: 587\n"),
        ("redis: {host: 'user:hunter2@redis.example.org'}", "write \"redis.example.org\"\n"),
        ("turn: {external_ip: 'user:hunter2@10.0.0.1'}", "before a host"),
        ("authentication: {session_lifetime: 'user:hunter2@h'}", "before a host"),
    ] {
        let text = refusal("yaml", &format!("{GOOD}{more}\n"));
        assert!(text.contains(remedy) && !text.contains("hunter2") && !text.contains("\"user\""), "{more}\nlacks {remedy:?}:\n{text}");
    }
}

#[test]
fn the_port_behind_a_host_has_its_own_option() {
    for (more, remedy) in [
        ("email: {smtp_host: 'mail.example.org:587', notif_from: a@b.example}", "write \"mail.example.org\" and smtp_port: 587\n"),
        ("redis: {host: 'redis.example.org:6380'}", "write \"redis.example.org\" and port: 6380\n"),
        ("turn: {host: 'turn.example.com:3478'}", "write \"turn.example.com\" and port: 3478\n"),
        // It has none.
        ("rtc: {host: 'rtc.example.com:7880'}", "write \"rtc.example.com\"\n"),
        ("redis: {host: 'redis.example.org:99999'}", "write \"redis.example.org\"\n"),
    ] {
        let text = refusal("yaml", &format!("{GOOD}{more}\n"));
        assert!(text.contains(remedy), "{more}\nlacks {remedy:?}:\n{text}");
    }
}

/// Its host may be several, or a directory, so that a rule looks at it.
#[test]
fn the_port_behind_the_host_of_the_database_has_its_own_option() {
    for (host, remedy) in [
        ("db.example.org:5433", "write \"db.example.org\" and port: 5433\n"),
        ("user:hunter2@db.example.org", "write \"db.example.org\"\n"),
        ("/run/postgresql:5433", "write a name such as"),
        ("a.example.org:1,b.example.org:2", "write a name such as"),
    ] {
        let loaded = load_text("yaml", &format!("{GOOD}database: {{source: external, host: '{host}'}}\n")).expect("sound types");
        let text = rules::apply(&loaded).to_string();
        assert!(text.contains("S0211") && text.contains(remedy) && !text.contains("hunter2"), "{host}\nlacks {remedy:?}:\n{text}");
    }
}

#[test]
fn what_follows_the_colon_of_a_user_is_hidden_unless_it_is_a_matrix_id() {
    let text = refusal("yaml", &format!("{GOOD}administrators: ['admin:hunter2']\n"));
    assert!(text.contains("\"admin:…\" looks like a whole Matrix ID") && text.contains("write \"admin\"") && !text.contains("hunter2"), "{text}");
    let text = refusal("yaml", &format!("{GOOD}administrators: ['@admin:example.com']\n"));
    assert!(text.contains("\"@admin:example.com\" looks like") && text.matches("@admin:example.com").count() == 2, "{text}");
}

#[test]
fn a_line_hides_what_the_message_hides() {
    let text = refusal("yaml", &format!("{GOOD}database: {{password: Sommer2024}}\ngateway: {{tls: Sommer2024}}\n"));
    assert!(text.contains("tls: …") && !text.contains("Sommer2024"), "{text}");
    let text = refusal("yaml", &format!("{GOOD}database: {{password: sommer2024}}\nemail: {{sommer2024: x}}\n"));
    assert!(!text.contains("sommer2024"), "{text}");
}

#[test]
fn passwords_in_addresses_are_in_no_message() {
    let text = refusal(
        "yaml",
        "server:\n  server_name: 'https://u:S3kr3t@a.example'\n  public_baseurl: https://u:S3kr3t@matrix.example.com/\n  web_client_location: https://u:S3kr3t@x/\nldap: {uri: 'ldap://u:S3kr3t@h', base: 'dc=x'}\ndatabase: {port: 'http://u:S3kr3t@h'}\ngateway: {tls: 'https://u:S3kr3t@h'}\n",
    );
    assert!(!text.contains("S3kr3t") && text.matches("holds a password").count() == 4, "{text}");
}

#[test]
fn a_file_without_content_is_empty_and_one_with_a_byte_order_mark_is_not() {
    for text in ["", " \n", "# a comment\n", "---\n", "\u{feff}"] {
        assert!(refusal("yaml", text).contains("is empty"), "{text:?}");
    }
    let text = "\u{feff}{\"server\": {\"server_name\": \"a.example\", \"public_baseurl\": \"https://a.example\"}}";
    assert!(load_text("json", text).is_ok() && load_text("yaml", text).is_ok());
    assert_eq!(findings("yaml", "\u{feff}serverr: {}\n")[0].2, Some(1));
    for (format, text, words) in [
        ("yaml", "server:\n\tserver_name: a.example\n", "has a tab where a line is indented"),
        ("yaml", "server: {}\n---\nserver: {}\n", ".yaml:2:1"),
        ("json", "{\"server\": {},}", "remove the comma"),
    ] {
        let told = refusal(format, text);
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn json_tells_places_and_duplicates_too() {
    let found = findings(
        "json",
        "{\n\"server\": {\"server_name\": \"a.example\", \"public_baseurl\": \"https://a.example\",\n\"public_baseurl\": \"https://b.example\"}}",
    );
    assert_eq!(found, [("S0007".to_owned(), "server.public_baseurl".to_owned(), Some(3))]);
}

#[test]
fn missing_sections_and_suggestions() {
    let Err(Error::Site(found)) = load_text("yaml", "serverr: {}\n") else { panic!("accepted") };
    let text = found.to_string();
    assert!(text.contains("did you mean \"server\"?"), "{text}");
    assert!(text.contains("server: is missing"), "{text}");
    assert!(text.contains("^^^^^^^"), "{text}");
}

#[test]
fn nix_that_does_not_evaluate_is_told_in_its_own_words() {
    let Err(Error::Site(found)) = load_text("nix", "{ server = { server_name = nam; }; }") else { panic!("accepted") };
    assert!(found.to_string().contains("undefined variable 'nam'"), "{found}");
    let Err(Error::Site(found)) = load_text("nix", "{ name }: { }") else { panic!("accepted") };
    assert!(found.to_string().contains("give every argument a default"), "{found}");
    assert!(
        load_text(
            "nix",
            &format!(
                "{{ ... }}: builtins.fromJSON ''{}''",
                serde_json::json!({ "server": { "server_name": "a.example", "public_baseurl": "https://a.example" } })
            )
        )
        .is_ok()
    );
}

#[test]
fn rules_find_what_types_cannot() {
    let with = |more: &str| codes(&format!("{GOOD}{more}"));
    assert!(with("").is_empty());
    assert_eq!(with("authentication: {method: ldap}\n"), ["S0101"]);
    assert_eq!(with("ldap: {uri: 'ldaps://l.example', base: 'dc=x'}\n"), ["S0102"]);
    let ldap = |more: &str| with(&format!("authentication: {{method: ldap}}\nldap: {{base: 'dc=x', {more}}}\n"));
    assert!(ldap("uri: 'ldaps://l.example'").is_empty());
    assert_eq!(ldap("uri: 'ldap://l.example'"), ["S0103"]);
    assert_eq!(ldap("uri: 'ldaps://l.example', start_tls: true"), ["S0104"]);
    assert_eq!(ldap("uri: 'ldaps://l.example', mode: simple, filter: '(a=b)'"), ["S0105"]);
    assert_eq!(ldap("uri: 'ldaps://l.example', ca_certificate: none.pem"), ["S0009"]);
    assert_eq!(with("registration: {enable_registration: true}\n"), ["S0107"]);
    assert_eq!(with("registration: {enable_registration: true, registrations_require_3pid: [email]}\n"), ["S0108"]);
    assert_eq!(with("registration: {enable_registration: true, enable_registration_without_verification: true}\n"), ["S0109"]);
    assert!(with("authentication: {session_lifetime: 2m}\n").is_empty());
    assert_eq!(with("authentication: {session_lifetime: 2m, refreshable_access_token_lifetime: 3m}\n"), ["S0141"]);
    assert_eq!(ldap("uri: 'ldaps://l.example'}\nregistration: {enable_registration: true"), ["S0111"]);
    let delegated =
        "authentication: {method: none}\nmatrix_authentication_service: {endpoint: 'http://m.example/', issuer: 'https://a.example/', allow: [192.0.2.1]}\n";
    assert_eq!(with(&format!("{delegated}registration: {{enable_registration: true}}\n")), ["S0134"]);
    assert!(with(&format!("{delegated}registration: {{registrations_require_3pid: [email]}}\n")).is_empty());
    assert_eq!(with("administrators: [a, b, a]\n"), ["S0110"]);
    assert_eq!(with("database: {source: external}\n"), ["S0201"]);
    assert_eq!(with("database: {host: db.example}\n"), ["S0201"]);
    assert_eq!(with("database: {sslmode: require}\n"), ["S0202"]);
    assert_eq!(with("database: {cp_min: 20}\n"), ["S0203"]);
    assert_eq!(with("redis: {source: external}\n"), ["S0204"]);
    assert_eq!(with("turn: {source: bundled}\n"), ["S0205", "S0205"]);
    assert_eq!(with("turn: {source: external}\n"), ["S0206"]);
    assert_eq!(with("turn: {source: bundled, host: t.example, external_ip: 192.0.2.1, min_port: 5000, max_port: 4000}\n"), ["S0207"]);
    assert_eq!(with("turn: {source: bundled, host: t.example, external_ip: 192.0.2.1, min_port: 20000, max_port: 30000}\n"), ["S0208"]);
    let relay = |more: &str| with(&format!("turn: {{source: bundled, host: t.example, external_ip: 192.0.2.1, {more}}}\n"));
    assert_eq!(relay("port: 5349, tls: true"), ["S0207"]);
    assert!(relay("port: 5349").is_empty() && relay("port: 5349, tls: true, tls_port: 443").is_empty());
    let theirs = "source: external, turn_uris: ['turn:t.example']";
    assert!(with(&format!("turn: {{{theirs}, turn_username: matrix}}\n")).is_empty());
    assert_eq!(relay("turn_username: matrix"), ["S0222"]);
    assert_eq!(with("turn: {turn_username: matrix}\n"), ["S0222"]);
    assert_eq!(with("media: {url_preview_enabled: true, url_preview_ip_range_whitelist: [10.1.2.3, 0.0.0.0/0]}\n"), ["S0209"]);
    assert_eq!(with("gateway: {tls: files, http_port: 443}\n"), ["S0302"]);
    assert_eq!(with("gateway: {federation_port: 8448}\n"), ["S0303"]);
    assert_eq!(with("well_known: {support: {contacts: [{role: m.role.admin}]}}\n"), ["S0304"]);
    assert_eq!(with("well_known: {extra_client_content: {m.homeserver: {}}}\n"), ["S0305"]);
    assert_eq!(with("well_known: {server: false}\n"), ["S0306"]);
    assert_eq!(with("synapse: {settings: {listeners: []}}\n"), ["S0401"]);
    assert_eq!(with("synapse: {settings: {recaptcha_private_key: hunter2}}\n"), ["S0402"]);
    assert_eq!(with("synapse: {settings: {jwt_config: {secret: 12345, algorithm: HS256}}}\n"), ["S0402"]);
    assert!(with("synapse: {settings: {recaptcha_private_key: {_secret: recaptcha}}}\n").is_empty());
    assert_eq!(with("synapse: {settings: {recaptcha_private_key: {_secret: ../x}}}\n"), ["S0403"]);
    assert_eq!(with("synapse: {settings: {exclude_rooms_from_sync: [{_secret: ../x}]}}\n"), ["S0403"]);
    assert_eq!(with("synapse: {settings: {modules: [{module: ldap_auth_provider.LdapAuthProvider}]}}\n"), ["S0404"]);
    assert_eq!(with("synapse: {settings: {turn-shared-secret: x}}\n"), ["S0405"]);
    assert_eq!(with("synapse: {settings: {server_context: 'a@@secret:signing_key@@'}}\n"), ["S0406"]);
    assert_eq!(with("synapse: {settings: {caches: {per_cache_factors: {'@@secret:signing_key@@': 2}}}}\n"), ["S0406"]);
    assert_eq!(with("synapse: {settings: {stream_writers: {}}}\n"), ["S0407"]);
    assert_eq!(with("synapse: {settings: {saml2_config: {sp_config: {}}}}\nauthentication: {method: none}\n"), ["S0407"]);
    assert_eq!(with("synapse: {settings: {experimental_features: {msc3861: {enabled: false}}}}\n"), ["S0138"]);
    assert_eq!(with("synapse: {settings: {auto_accept_invites: {worker_to_run_on: main}}}\n"), ["S0420"]);
    assert!(with("workers: {generic: 1}\nsynapse: {settings: {auto_accept_invites: {worker_to_run_on: synapse-generic-worker-1}}}\n").is_empty());
    assert_eq!(with("synapse: {settings: {media_storage_providers: [file_system]}}\n"), ["S0413"]);
    assert_eq!(with("synapse: {settings: {spam_checker: {config: {}}}}\n"), ["S0419"]);
    assert!(with("synapse: {unchecked: [gc_thresholds, sentry], settings: {gc_thresholds: [1]}}\n").contains(&"S0418".to_owned()));
    assert_eq!(with("database: {source: external, host: 'db example'}\n"), ["S0211"]);
    for host in ["/var/run/postgresql", "my_pg", "_pg", "2001:db8::1", "'pg1.example.com,pg2.example.com'", "'192.0.2.1,2001:db8::1,pg_3'"] {
        assert!(with(&format!("database: {{source: external, host: {host}}}\n")).is_empty(), "{host}");
    }
    for host in ["a,", "a,,b", "a,/var/run/postgresql", "/var/run/postgresql,a", "a:5432,b", "'a, b'"] {
        assert_eq!(with(&format!("database: {{source: external, host: '{}'}}\n", host.trim_matches('\''))), ["S0211"], "{host}");
    }
    assert_eq!(with("database: {source: external, host: 'localhost,pg2.example.com'}\n"), ["S0213"]);
    // What to write about TLS depends on the host that is missing.
    assert_eq!(with("database: {source: external, sslmode: require}\n"), ["S0201"]);
    assert_eq!(with("database: {host: db.example, sslmode: require}\n"), ["S0201"]);
    assert_eq!(with("database: {source: external, host: /var/run/postgresql, sslmode: require}\n"), ["S0202"]);
    assert_eq!(with("database: {user: postgres}\n"), ["S0210"]);
    assert_eq!(with("database: {user: public, dbname: template1}\n"), ["S0210", "S0210"]);
    assert!(with("database: {user: templates, dbname: pg_synapse}\n").is_empty());
    let bound = |name: &str| ldap(&format!("uri: 'ldaps://l.example', bind_dn: '{name}'"));
    assert!(bound("matrix@example.com").is_empty() && bound("EXAMPLE\\matrix").is_empty());
    assert_eq!(bound("matrix"), ["S0144"]);
    assert_eq!(with("limits: {allowed_avatar_mimetypes: [image/png]}\nchecks: {accept: [{code: S0320, reason: '  '}]}\n"), ["S0601"]);
}

/// Git keeps no empty directory, so this is no site of a rule.
#[test]
fn a_directory_without_a_template_is_found() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("templates")).expect("a directory");
    let file = dir.path().join("site.yaml");
    std::fs::write(&file, format!("{GOOD}templates: {{custom_template_directory: templates}}\n")).expect("written");
    let loaded = load::load(&file).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(rules::apply(&loaded).list.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["S0541"]);
}

/// What the rules say about a site: code, option, remedy.
fn told(more: &str) -> Vec<(String, String, String)> {
    let loaded = load_text("yaml", &format!("{GOOD}{more}")).unwrap_or_else(|error| panic!("{more}: {error}"));
    rules::apply(&loaded).list.into_iter().map(|finding| (finding.code.to_owned(), finding.option, finding.remedy.unwrap_or_default())).collect()
}

/// What is wrong with the host of a service, and that the service has none, would be mended in two ways that exclude each other.
#[test]
fn an_option_of_a_service_that_another_source_has_is_told_once() {
    for (section, sources) in
        [("database", ["bundled", "external"]), ("redis", ["bundled", "external"]), ("turn", ["none", "bundled"]), ("rtc", ["none", "bundled"])]
    {
        for source in sources {
            for (name, value) in [
                ("host", "localhost"),
                ("host", "host.containers.internal"),
                ("host", "a.example"),
                ("port", "7777"),
                ("password", "false"),
                ("dbid", "7"),
                ("sslmode", "require"),
                ("external_ip", "10.0.0.1"),
                ("turn_uris", "['turn:localhost']"),
                ("turn_username", "a"),
                ("livekit_service_url", "http://localhost/"),
            ] {
                let found = findings("yaml", &format!("{GOOD}{section}: {{ source: {source}, {name}: {value} }}\n"));
                let option = format!("{section}.{name}");
                let at: Vec<&String> = found.iter().filter(|(_, at, _)| at.starts_with(&option)).map(|(code, ..)| code).collect();
                assert!(at.len() <= 1, "{source} {option}: {found:?}");
                let other_source = ["host", "port", "password", "dbid"].contains(&name) && source == "bundled" && ["database", "redis"].contains(&section);
                if other_source && at != ["S0001"] {
                    assert_eq!(at, [if section == "redis" { "S0204" } else { "S0201" }], "{source} {option}: {found:?}");
                }
            }
        }
    }
}

/// An option that cannot stand under Synapse's name is told so, and nothing else is said of its value.
#[test]
fn an_option_of_synapse_that_a_section_writes_is_told_once() {
    for name in [
        "user_ips_max_age: 28",
        "max_upload_size: 20",
        "media_retention: { local_media_lifetime: 7 }",
        "presence: { idle_timeout: 11 }",
        "redis: { host: localhost }",
    ] {
        let found = told(&format!("synapse: {{ settings: {{ {name} }} }}\n"));
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert_eq!(found[0].0, "S0401", "{name}: {found:?}");
    }
}

#[test]
fn a_smaller_pool_is_proposed_whole() {
    let found = told("database: {source: external, host: db.example.com, cp_max: 20}\nworkers: {generic: 20, federation_senders: 3}\n");
    assert_eq!(found.iter().map(|(code, ..)| code.as_str()).collect::<Vec<_>>(), ["S0212"]);
    assert!(found[0].2.starts_with("database: { cp_min: 4, cp_max: 4 };"), "{found:?}");
    assert_eq!(told("database: {source: external, host: db.example.com, cp_min: 4, cp_max: 4}\nworkers: {generic: 20, federation_senders: 3}\n"), []);
}

#[test]
fn a_fixed_user_of_a_relay_is_described_in_its_section() {
    for name in ["turn_username", "turn_password"] {
        let loaded = load_text("yaml", &format!("{GOOD}synapse: {{settings: {{{name}: x}}}}\n")).expect("loads");
        let found = rules::apply(&loaded).list;
        assert!(found.iter().any(|finding| finding.code == "S0401" && finding.message.contains("turn.turn_username")), "{name}: {found:?}");
    }
    let password = load_text("yaml", &format!("{GOOD}synapse: {{settings: {{turn_password: x}}}}\n")).expect("loads");
    let found = rules::apply(&password).list;
    assert!(found.iter().any(|finding| finding.remedy.as_ref().is_some_and(|remedy| remedy.contains("goes into secrets/turn_password, where"))), "{found:?}");
}

/// Where other servers come, and whether somebody is there.
#[test]
fn other_servers_find_an_open_door() {
    let with = |name: &str, base: &str, more: &str| codes(&format!("server: {{server_name: '{name}', public_baseurl: '{base}'}}\n{more}"));
    let (there, matrix) = ("https://example.com/", "https://matrix.example.com/");
    let tls = |more: &str| format!("gateway: {{tls: files, {more}}}\n");
    for (name, base, more) in [
        ("example.com", matrix, ""),
        ("example.com", matrix, "well_known: {serve: false}\n"),
        ("example.com:443", there, ""),
        ("example.com:8448", "https://example.com:8448/", ""),
        ("example.com:8448", there, "listeners: {federation: false}\n"),
        ("example.com:8448", matrix, "listeners: {federation: false}\n"),
        ("example.com:8448", there, &tls("federation_port: 8448")),
        ("192.0.2.1:443", "https://192.0.2.1/", ""),
        ("[2001:db8::1]:443", "https://[2001:db8::1]/", ""),
        ("example.com", matrix, &format!("{}well_known: {{server_port: 8448}}\n", tls("federation_port: 8448"))),
        ("example.com", matrix, "well_known: {server_host: matrix.example.com}\n"),
        // A router may change the port.
        ("example.com", matrix, &tls("https_port: 8443")),
        ("example.com", there, &format!("{}well_known: {{server: false}}\n", tls("federation_port: 8448"))),
    ] {
        assert!(with(name, base, more).is_empty(), "{name} {base} {more}: {:?}", with(name, base, more));
    }
    for (code, name, base, more) in [
        ("S0306", "example.com:8448", matrix, tls("federation_port: 8448").as_str()),
        ("S0306", "example.com", matrix, "well_known: {server: false}\n"),
        ("S0306", "example.com", matrix, &format!("{}well_known: {{server_host: other.example.com}}\n", tls(""))),
        ("S0306", "192.0.2.1", matrix, &tls("")),
        ("S0307", "example.com:8448", there, ""),
        ("S0307", "example.com:8448", matrix, ""),
        ("S0307", "example.com:8448", there, &tls("")),
        ("S0307", "example.com:443", matrix, &tls("trusted_proxies: [192.0.2.10/32]")),
        ("S0307", "192.0.2.1", "https://192.0.2.1/", ""),
        ("S0307", "example.com", there, "well_known: {server: false}\n"),
        ("S0307", "example.com", matrix, "well_known: {server_port: 8448}\n"),
        ("S0307", "example.com", matrix, "well_known: {server_host: other.example.com}\n"),
    ] {
        assert_eq!(with(name, base, more), [code], "{name} {base} {more}");
    }
}

fn provider(more: &str) -> String {
    format!("oidc: {{oidc_providers: [{{idp_id: k, idp_name: K, client_id: m, {more}}}]}}\n")
}

#[test]
fn a_service_for_logging_in_on_localhost_is_found_once_and_never_proposed() {
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        let service = format!("endpoint: 'http://{host}:8080/', issuer: 'https://account.example.com/', allow: [192.0.2.10]");
        let found = told(&format!("authentication: {{method: none}}\nmatrix_authentication_service: {{{service}}}\n"));
        assert_eq!(
            found.iter().map(|(code, option, _)| (code.as_str(), option.as_str())).collect::<Vec<_>>(),
            [("S0213", "matrix_authentication_service.endpoint")]
        );
        for scheme in ["http", "https"] {
            let found = told(&provider(&format!("issuer: '{scheme}://{host}:8080/'")));
            assert_eq!(
                found.iter().map(|(code, option, _)| (code.as_str(), option.as_str())).collect::<Vec<_>>(),
                [("S0213", "oidc.oidc_providers[0].issuer")]
            );
            assert!(!found[0].2.contains(host), "{found:?}");
        }
        // A browser's localhost is another: only TLS is missing there, which Synapse does not mind.
        let found = told(&provider(&format!("issuer: 'https://id.example.com/', authorization_endpoint: 'http://{host}:8080/'")));
        assert_eq!(found.iter().map(|(code, ..)| code.as_str()).collect::<Vec<_>>(), ["S0149"]);
        assert!(!found[0].2.contains(host), "{found:?}");
    }
}

#[test]
fn registration_is_open_unless_something_is_proved() {
    let with = |more: &str| codes(&format!("{GOOD}registration: {{enable_registration: true, {more}}}\n"));
    let numbers = "registrations_require_3pid: [msisdn], account_threepid_delegates: {msisdn: 'https://sms.example.com'}";
    assert!(with(numbers).is_empty());
    assert_eq!(with(&format!("{numbers}, disable_msisdn_registration: true")), ["S0107"]);
    let stated = "enable_registration_without_verification: true";
    assert_eq!(with(&format!("{numbers}, disable_msisdn_registration: true, {stated}")), ["S0109"]);
    assert!(with(&format!("{numbers}, {stated}")).is_empty());
    assert!(with(&format!("registration_requires_token: true, {stated}")).is_empty());
    let captcha = "synapse: {settings: {enable_registration_captcha: true, recaptcha_public_key: x, recaptcha_private_key: {_secret: recaptcha}}}";
    assert!(codes(&format!("{GOOD}registration: {{enable_registration: true, {stated}}}\n{captcha}\n")).is_empty());
}

#[test]
fn a_mistake_about_mail_is_told_once_and_mended_at_once() {
    let with = |more: &str| told(&format!("email: {{smtp_host: mail.example.com, notif_from: 'A <a@example.com>', {more}}}\n"));
    for (written, remedy) in [
        ("enable_tls: false, require_transport_security: false", "enable_tls: true, require_transport_security: true"),
        ("enable_tls: false", "enable_tls: true"),
        ("require_transport_security: false", "require_transport_security: true"),
    ] {
        let found = with(&format!("smtp_user: matrix, {written}"));
        assert_eq!(found.iter().map(|(code, _, remedy)| (code.as_str(), remedy.as_str())).collect::<Vec<_>>(), [("S0504", remedy)]);
        assert_eq!(with(&format!("smtp_user: matrix, {remedy}")), []);
    }
    let page = "client_base_url: 'https://chat.example.com/#/'";
    assert_eq!(with(page).iter().map(|(code, ..)| code.as_str()).collect::<Vec<_>>(), ["S0506"]);
    assert_eq!(with(&format!("{page}, enable_notifs: true")).iter().map(|(code, ..)| code.as_str()).collect::<Vec<_>>(), ["S0507"]);
}

#[test]
fn another_way_to_log_in_is_one_only_when_it_is_on() {
    let with = |settings: &str| told(&format!("authentication: {{method: none}}\nsynapse: {{settings: {{{settings}}}}}\n"));
    let nothing = |found: &[(String, String, String)]| found.iter().any(|(code, ..)| code == "S0127");
    for off in ["cas_config: {enabled: false, server_url: 'https://cas.example.com'}", "cas_config: {}", "jwt_config: {algorithm: HS256}", "modules: []"] {
        assert!(nothing(&with(off)), "{off}: {:?}", with(off));
    }
    for on in [
        "cas_config: {server_url: 'https://cas.example.com'}",
        "jwt_config: {enabled: true, algorithm: HS256, secret: {_secret: jwt}}",
        "password_providers: [{module: my.Provider}]",
        // Which cannot be said at all, as another finding tells.
        "saml2_config: {sp_config: {}}",
    ] {
        assert!(!nothing(&with(on)), "{on}: {:?}", with(on));
    }
    let with = |settings: &str| {
        let service = "{endpoint: 'http://mas.example.com:8080/', issuer: 'https://account.example.com/', allow: [192.0.2.10]}";
        told(&format!("authentication: {{method: none}}\nmatrix_authentication_service: {service}\nsynapse: {{settings: {{{settings}}}}}\n"))
    };
    for off in ["cas_config: {enabled: false}", "jwt_config: {}", "enable_registration_captcha: false", "password_providers: []"] {
        assert_eq!(with(off), [], "{off}");
    }
    for on in ["cas_config: {server_url: 'https://cas.example.com'}", "enable_registration_captcha: true"] {
        assert_eq!(with(on).iter().map(|(code, ..)| code.as_str()).collect::<Vec<_>>(), ["S0136"], "{on}");
    }
}

#[test]
fn scopes_in_one_text_are_a_list_that_was_meant() {
    let site = format!("{GOOD}{}", provider("issuer: 'https://id.example.com/', scopes: ['openid profile']"));
    let Err(Error::Site(found)) = load_text("yaml", &site) else { panic!("taken") };
    assert!(found.to_string().contains("write [openid, profile]"), "{found}");
    assert_eq!(codes(&site), ["S0005"]);
}

#[test]
fn a_policy_in_html_is_no_template_and_one_in_markdown_may_speak_of_them() {
    let with = |file: &str, text: &str| {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join(file), text).expect("written");
        let consent = format!("consent: {{version: '1', documents: {{'1': {{file: {file}}}}}, block_events_error: 'Agree: %(consent_uri)s'}}\n");
        std::fs::write(dir.path().join("site.yaml"), format!("{GOOD}{consent}")).expect("written");
        let loaded = load::load(&dir.path().join("site.yaml")).expect("loads");
        rules::apply(&loaded).list.iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!(with("policy.html", "<p>{% if has_consented %}Thanks{% endif %}</p>"), ["S0513"]);
    assert!(with("policy.html", "<p>Be kind.</p>").is_empty());
    assert!(with("policy.md", "Write `{{ name }}` in letters.").is_empty());
}

/// The findings of a site with files beside it: code, message, remedy.
fn beside(files: &[(&str, &str)], more: &str) -> Vec<(String, String, String)> {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        std::fs::write(path, text).expect("written");
    }
    std::fs::write(dir.path().join("site.yaml"), format!("{GOOD}{more}")).expect("written");
    let loaded = load::load(&dir.path().join("site.yaml")).unwrap_or_else(|error| panic!("{more}: {error}"));
    rules::apply(&loaded).list.into_iter().map(|finding| (finding.code.to_owned(), finding.message, finding.remedy.unwrap_or_default())).collect()
}

fn codes_of(found: &[(String, String, String)]) -> Vec<&str> {
    found.iter().map(|(code, ..)| code.as_str()).collect()
}

const SERVICE: &str = "id: irc\nurl: http://bridge.example.com:9993\nsender_localpart: ircbot\nnamespaces: {users: [{exclusive: true, regex: '@irc_.*'}]}\n";

#[test]
fn registrations_that_programs_write_are_taken() {
    let with = |service: &str| codes_of(&beside(&[("irc.yaml", service)], "app_services: [irc.yaml]\n")).join(" ");
    for good in [
        SERVICE.replace("ircbot", "kT3xQ9bLmZ0aYwVfRuEsHdGnCjPiOoXk"),
        format!("{SERVICE}rate_limited: null\npush_ephemeral: true\nde.sorunome.msc2409.push_ephemeral: true\norg.matrix.msc3202: true\n"),
        SERVICE.replace("@irc_.*", r"@irc_.*:example\.com\Z"),
        SERVICE.replace("@irc_.*", "@(?P<a>x)(?P=a){b}(?#c)"),
    ] {
        assert_eq!(with(&good), "", "{good}");
    }
    for bad in [
        SERVICE.replace("ircbot", "irc=bot"),
        format!("{SERVICE}rate_limit: true\n"),
        format!("{SERVICE}org.matrix.msc3202: yes\n"),
        SERVICE.replace("id: irc", "id: 'i|c'"),
        SERVICE.replace("@irc_.*", r"@\p{L}"),
        SERVICE.replace("@irc_.*", "@(?<n>a)"),
    ] {
        assert_eq!(with(&bad), "S0551", "{bad}");
    }
}

#[test]
fn names_that_belong_to_a_service_or_to_draupnir_are_nobody_elses() {
    let draupnir = "draupnir: {image: 'docker.io/gnuxie/draupnir:v2.7.0', localpart: notices, management_room: '#moderators:example.com'}\nserver_notices: {system_mxid_localpart: notices}\n";
    let mas = "authentication: {method: none}\nmatrix_authentication_service: {endpoint: 'http://mas.internal.example.com:8080/', issuer: 'https://account.example.com/', allow: [192.0.2.10]}\n";
    for more in [draupnir.to_owned(), format!("{draupnir}{mas}")] {
        let found = beside(&[], &more);
        let (_, message, remedy) = found.iter().find(|(code, ..)| code == "S0531").unwrap_or_else(|| panic!("{found:?}"));
        assert_eq!((message.as_str(), remedy.as_str()), ("is \"notices\", which is Draupnir's", "system_mxid_localpart: server-notices"));
    }
    let greedy = SERVICE.replace("@irc_.*", "@.*");
    let site = format!("{}{mas}administrators: [anna, bert]\napp_services: [irc.yaml]\n", draupnir.replace("localpart: notices}", "localpart: news}"));
    let found = beside(&[("irc.yaml", &greedy)], &site);
    let taken: Vec<_> = found.iter().filter(|(code, ..)| code == "S0554").collect();
    let [(_, message, remedy)] = taken.as_slice() else { panic!("{found:?}") };
    assert!(message.contains("an administrator, anna; an administrator, bert; Draupnir, notices; the account of the notices, news"), "{message}");
    assert!(remedy.starts_with("narrow the expression"), "{remedy}");
}

#[test]
fn files_among_templates_are_left_alone_where_somebody_may_read_them() {
    let with = |name: &str, text: &str, more: &str| {
        let name = format!("templates/{name}");
        let found =
            beside(&[("templates/room.txt", "a"), (&name, text)], &format!("templates: {custom}\n{more}", custom = "{custom_template_directory: templates}"));
        // What the module itself would need is another rule's.
        codes_of(&found).into_iter().filter(|code| code.starts_with("S054")).collect::<Vec<_>>().join(" ")
    };
    let modules = "synapse: {settings: {modules: [{module: invites.Invites}]}}\n";
    assert_eq!(with("README.md", "{% if", ""), "");
    assert_eq!(with("logo.png", "{{", ""), "");
    assert_eq!(with("invitation_card.html", "a", modules), "");
    assert_eq!(with("invitation_card.html", "{% if", modules), "S0543");
    assert_eq!(with("invitation_card.html", "{% if", ""), "S0544");
    assert_eq!(with("password-reset.html", "{% if", ""), "S0541");
    assert_eq!(with("password-reset.html", "a", modules), "S0544");
}

#[test]
fn a_policy_asks_somebody() {
    let with = |consent: &str, more: &str| {
        let consent = format!("consent: {{version: '1', documents: {{'1': {{file: 1.md}}}}, {consent}}}\n{more}");
        codes_of(&beside(&[("1.md", "Be kind.")], &consent)).join(" ")
    };
    let open = "registration: {enable_registration: true, registration_requires_token: true}\n";
    assert_eq!(with("require_at_registration: true", ""), "S0524");
    assert_eq!(with("require_at_registration: true", open), "");
    assert_eq!(with("require_at_registration: true", &provider("issuer: 'https://id.example.com/', scopes: [openid]")), "");
    // The answer has the link beside its text.
    assert_eq!(with("block_events_error: Please agree first.", ""), "");
    let notices = "server_notices: {system_mxid_localpart: notices}\n";
    assert_eq!(with("server_notice_content: {body: Please agree.}", notices), "S0523");
}

#[test]
fn a_secret_is_never_repeated_in_a_message() {
    let text = format!("{GOOD}synapse: {{settings: {{recaptcha_private_key: hunter2}}}}\n");
    let loaded = load_text("json", &serde_json::to_string(&serde_yaml::from_str::<serde_json::Value>(&text).expect("YAML")).expect("JSON")).expect("loads");
    let found = rules::apply(&loaded);
    assert!(found.list.iter().all(|finding| !finding.message.contains("hunter2") && !finding.remedy.as_deref().unwrap_or_default().contains("hunter2")));
}

#[test]
fn a_mistake_of_somebody_who_knows_synapses_own_files_is_answered_with_what_was_meant() {
    for (written, remedy) in [
        ("turn: { source: external, turn_uris: 'turn:turn.example.com' }", r#"write a list: ["turn:turn.example.com"]"#),
        ("media: { url_preview_enabled: 'yes' }", r#"write true; "yes" is a text"#),
        ("redis: { source: external, host: redis.example.com, port: '6379' }", "write 6379, without quotation marks"),
        ("listeners: [{ port: 8008 }]", "listeners of Synapse are not offered"),
        ("presence: { enabled: untracked }", "write presence: { enabled: true, untracked: true }"),
        ("database: { cp_max: 0 }", "cp_max: 1 is the nearest that is allowed"),
        ("password_config: { enabled: true }", "write authentication: { method: local }"),
        ("max_upload_size: 50M", "write it as media.max_upload_size"),
        ("rooms: { turn_allow_guests: true }", "write it as turn.turn_allow_guests"),
        (
            "ldap: { uri: 'ldaps://ldap.example.com', base: 'dc=example,dc=com', bind_password: hunter2 }",
            "remove it: its value is the file secrets/ldap_bind_password",
        ),
        ("turn: { turn_shared_secret: hunter2 }", "remove it: its value is the file secrets/turn_shared_secret"),
        ("turn: { turn_password: hunter2 }", "remove it: its value is the file secrets/turn_password"),
        ("redis: { password: hunter2 }", "remove it: a description holds no secrets"),
        ("authentication: { pepper: hunter2 }", "remove it: a description holds no secrets"),
        ("database: 'postgresql://synapse:hunter2@db/synapse'", "its options are"),
        ("media: { max_avatar_size: 2M }", "write it as limits.max_avatar_size"),
        ("turn_uris: ['turn:turn.example.com']", "write it as turn.turn_uris"),
        ("consent: { enabled: true, version: '1' }", "remove it: the section alone says so"),
    ] {
        let Err(Error::Site(found)) = load_text("yaml", &format!("{GOOD}{written}\n")) else { panic!("{written} was taken") };
        let said: Vec<&str> = found.list.iter().filter_map(|finding| finding.remedy.as_deref()).collect();
        assert!(said.iter().any(|said| said.starts_with(remedy)), "{written}: {said:?}");
        assert!(!found.to_string().contains("hunter2"), "{found}");
    }
}

#[test]
fn a_project_has_a_name_that_compose_takes() {
    let with = |name: &str| format!("{GOOD}deployment: {{ project: \"{name}\" }}\n");
    for good in ["matrix", "matrix-17", "a_b", "0", &"x".repeat(40)] {
        assert_eq!(codes(&with(good)), [""; 0], "{good}");
    }
    for bad in ["Matrix", "-x", "a.b", "a b", "", &"x".repeat(41)] {
        assert_eq!(codes(&with(bad)), ["S0005"], "{bad}");
    }
    let environment = |text: &str| synapse_site::deploy::compose::environment(&common::deployment(&load_text("yaml", text).expect("loads")));
    assert!(environment(GOOD).ends_with("COMPOSE_PROJECT_NAME=matrix-example-com\n"), "the name that volumes have had so far");
    assert!(environment(&with("matrix-17")).ends_with("COMPOSE_PROJECT_NAME=matrix-17\n"));
}

/// The half that is absent is Synapse's own, and a limit that nobody reaches is how people write that there is none.
#[test]
fn half_a_rate_limit_and_no_limit_at_all_are_sound() {
    let limits = |text: &str| {
        let loaded = load_text("yaml", &format!("{GOOD}{text}")).unwrap_or_else(|error| panic!("{text}\n{error}"));
        assert_eq!(rules::apply(&loaded).list.len(), 0, "{text}: {}", rules::apply(&loaded));
        let path = "/etc/matrix-synapse/conf.d/rate_limits.yaml";
        common::deployment(&loaded).images["synapse"].get(path).map(|text| String::from_utf8(text.clone()).expect("text"))
    };
    let half = limits("rate_limits: { rc_message: { per_second: 0.5 } }\n").expect("a file");
    assert!(half.contains("per_second: 0.5") && !half.contains("burst_count"), "{half}");
    let other = limits("rate_limits: { rc_login: { account: { burst_count: 9999999 } } }\n").expect("a file");
    assert!(other.contains("burst_count: 9999999") && !other.contains("per_second"), "{other}");
    // Three accounts a day.
    assert!(limits("rate_limits: { rc_registration: { per_second: 0.0000347, burst_count: 3 } }\n").is_some());
    assert!(limits("rate_limits: { rc_message: { per_second: 10000000 } }\n").is_some());
    // What calls need stays where the site says nothing else.
    let calls =
        limits("rtc: { source: external, livekit_service_url: 'https://rtc.example.com/livekit/jwt' }\nrate_limits: { rc_message: { per_second: 2 } }\n");
    assert!(calls.is_some_and(|text| text.contains("burst_count: 30") && text.contains("per_second: 2")));
}

/// What is shown for an option that is missing is taken there.
#[test]
fn the_example_for_a_missing_option_fits_it() {
    use synapse_site::site::schema;
    fn required(schema: &serde_json::Value, path: &str, found: &mut Vec<(String, serde_json::Value)>) {
        for branch in schema["anyOf"].as_array().into_iter().flatten() {
            required(branch, path, found);
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str) {
            found.push((format!("{path}{name}"), schema.clone()));
        }
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            required(inner, &format!("{path}{name}."), found);
        }
        for key in ["items", "additionalProperties"] {
            if schema[key].is_object() {
                required(&schema[key], &format!("{path}*."), found);
            }
        }
    }
    let mut all = Vec::new();
    required(schema::root(), "", &mut all);
    assert!(all.len() > 20, "{}", all.len());
    for (path, set) in all {
        let name = path.rsplit('.').next().expect("a name");
        let found = schema::check(&set, &serde_json::json!({})).findings;
        let missing = found.iter().find(|(at, finding)| finding.code == "S0006" && at.to_string() == name).unwrap_or_else(|| panic!("{path}: {found:?}"));
        let remedy = missing.1.remedy.clone().unwrap_or_else(|| panic!("{path}: no example"));
        let example = remedy.strip_prefix("write for example ").unwrap_or_else(|| panic!("{path}: {remedy}"));
        let value: serde_json::Value = serde_yaml::from_str(example).unwrap_or_else(|error| panic!("{path}: {example}: {error}"));
        let wrong = schema::check(&set["properties"][name], &value[name]).findings;
        assert!(value.get(name).is_some() && wrong.is_empty(), "{path}: {example}: {wrong:?}");
    }
}

/// A section without options under it is a section that nobody wrote.
#[test]
fn an_empty_section_says_nothing() {
    let sections: Vec<String> =
        synapse_site::site::schema::root()["properties"].as_object().expect("sections").keys().filter(|name| *name != "server").cloned().collect();
    let plain = load_text("yaml", GOOD).expect("a site").site;
    for section in sections {
        for empty in ["", " ~", " null", " # nothing"] {
            let loaded = load_text("yaml", &format!("{GOOD}{section}:{empty}\n")).unwrap_or_else(|error| panic!("{section}: {error}"));
            assert_eq!(loaded.site, plain, "{section}:{empty}");
            assert_eq!(rules::apply(&loaded).list, [], "{section}:{empty}");
        }
    }
    assert!(refusal("yaml", "server:\n").contains("indent its options below server; they are"));
}

#[test]
fn a_byte_that_is_not_utf_8_has_its_place() {
    let dir = tempfile::tempdir().expect("a directory");
    for ending in ["yaml", "json"] {
        let file = dir.path().join(format!("site.{ending}"));
        std::fs::write(&file, b"server:\n  # \xc3\xa4\n  server_name: \xc3\xa4b\xe4c.org\n").expect("written");
        let Err(Error::Site(found)) = load::load(&file) else { panic!("accepted") };
        let at = found.list[0].position.as_ref().map(|at| (at.line, at.column));
        assert_eq!((found.list[0].code, at), ("S0008", Some((3, 18))), "{found}");
    }
}

#[test]
fn a_quotation_mark_that_is_not_closed_is_told_at_its_line() {
    for (format, text, place) in [
        ("yaml", "server:\n  server_name: \"example.org\n  public_baseurl: https://m.example.org/\nmedia: { max_upload_size: \"20\" }\n", (2, 3)),
        ("yaml", "server:\n  server_name: 'example.org\n  public_baseurl: https://m.example.org/\n", (2, 3)),
        ("json", "{\"server\":\n {\"server_name\": \"example.org,\n  \"public_baseurl\": \"https://m.example.org/\"}}\n", (2, 4)),
    ] {
        let Err(Error::Site(found)) = load_text(format, text) else { panic!("accepted: {text}") };
        let at = found.list[0].position.as_ref().map(|at| at.line);
        assert!(found.list[0].message.contains("quotation mark that is not closed") && at == Some(place.0), "{found}");
    }
}

/// Of two options on one port, the one that somebody wrote is told.
#[test]
fn a_port_that_is_taken_is_told_where_it_was_written() {
    let told = |more: &str| told(more).into_iter().map(|(code, option, _)| format!("{code} {option}")).collect::<Vec<_>>();
    assert_eq!(told("gateway: {tls: files, http_port: 443}\n"), ["S0302 gateway.http_port"]);
    assert_eq!(told("gateway: {tls: files, http_port: 80, https_port: 80}\n"), ["S0302 gateway.https_port"]);
    assert_eq!(told("gateway: {tls: files, https_port: 8080}\n"), ["S0302 gateway.https_port"]);
}

/// Sizes and times without a unit, in every option that is one: told when nobody can have meant them.
#[test]
fn what_has_no_unit_is_told_in_every_option() {
    fn scales(schema: &serde_json::Value, path: &str, found: &mut Vec<(String, bool)>) {
        for branch in schema["anyOf"].as_array().into_iter().flatten() {
            scales(branch, path, found);
        }
        match schema["format"].as_str() {
            Some("size") => found.push((path.to_owned(), true)),
            Some("duration") => found.push((path.to_owned(), false)),
            _ => {}
        }
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            scales(inner, &if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, found);
        }
    }
    let mut all = Vec::new();
    scales(synapse_site::site::schema::root(), "", &mut all);
    all.retain(|(path, _)| !path.starts_with("email."));
    assert!(all.len() > 25, "{all:?}");
    for (path, is_size) in all {
        let nested = |value: &str| path.rsplit('.').fold(value.to_owned(), |inner, step| format!("{{ {step}: {inner} }}"));
        let at = |value: &str| {
            let text = nested(value);
            let mut site: serde_json::Value = serde_yaml::from_str(GOOD).expect("YAML");
            let more: serde_json::Value = serde_yaml::from_str(&text).expect("YAML");
            for (section, members) in more.as_object().expect("a set") {
                for (name, member) in members.as_object().expect("a set") {
                    site[section][name] = member.clone();
                }
            }
            codes(&serde_yaml::to_string(&site).expect("YAML"))
        };
        let code = if is_size { "S0610" } else { "S0611" }.to_owned();
        assert!(at("20").contains(&code) && at("\"20\"").contains(&code), "{path}: {:?}", at("20"));
        assert!(!at(if is_size { "\"20M\"" } else { "\"20m\"" }).contains(&code) && !at("67108864000").contains(&code), "{path}");
    }
}
