//! Sites as people write them who run a server: each has one mistake that somebody made, or one thing that works only where everything
//! fits together. What `check` says about them, and what is written for them.

use crate::common;
use synapse_site::check::rules;
use synapse_site::deploy::compose::manifest;
use synapse_site::deployment::Deployment;
use synapse_site::error::Error;
use synapse_site::site::load::{self, Loaded};

fn text(more: &str) -> String {
    format!("server: {{ server_name: example.org, public_baseurl: \"https://chat.example.org/\" }}\n{more}")
}

fn loaded(more: &str) -> Result<Loaded, Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("site.yaml");
    std::fs::write(&file, text(more)).expect("written");
    load::load(&file)
}

/// What is found, as code and option, in order.
fn found(more: &str) -> Vec<String> {
    let findings = match loaded(more) {
        Ok(loaded) => rules::apply(&loaded).list,
        Err(Error::Site(findings)) => findings.list,
        Err(other) => panic!("{other}"),
    };
    let mut found: Vec<String> = findings.into_iter().map(|finding| format!("{} {}", finding.code, finding.option)).collect();
    found.sort();
    found
}

fn settings(settings: &str) -> Vec<String> {
    found(&format!("synapse: {{ settings: {{ {settings} }} }}\n"))
}

fn rendered(more: &str) -> Deployment {
    let loaded = loaded(more).expect("a site");
    assert_eq!(rules::apply(&loaded).list, [], "{more}");
    common::deployment(&loaded)
}

fn file(rendered: &Deployment, image: &str, path: &str) -> String {
    String::from_utf8(rendered.images[image][path].clone()).expect("text")
}

/// The manifest's services that know the target by its name.
fn asks_target(rendered: &Deployment) -> Vec<String> {
    let manifest: serde_json::Value = serde_yaml::from_str(&manifest(rendered, &common::images(rendered)).expect("a manifest")).expect("YAML");
    let services = manifest["services"].as_object().expect("services");
    let named = services.iter().filter(|(_, service)| !service["extra_hosts"].is_null());
    named
        .map(|(name, service)| {
            assert_eq!(service["extra_hosts"], serde_json::json!(["host.docker.internal:host-gateway"]), "{name}");
            name.clone()
        })
        .collect()
}

#[test]
fn a_login_name_with_an_at_is_told() {
    let ldap = |uid: &str| {
        found(&format!(
            "authentication: {{ method: ldap }}\nldap: {{ uri: \"ldaps://dc.corp.example.org\", base: \"dc=corp,dc=example,dc=org\", attributes: {{ uid: {uid}, mail: mail, name: displayName }} }}\n"
        ))
    };
    for uid in
        ["userPrincipalName", "userprincipalname", "\"1.2.840.113556.1.4.656\"", "mail", "\"mail;lang-en\"", "eduPersonPrincipalName", "krbPrincipalName"]
    {
        assert_eq!(ldap(uid), ["S0155 ldap.attributes.uid"], "{uid}");
    }
    for uid in ["sAMAccountName", "uid", "cn", "employeeNumber", "mailNickname"] {
        assert_eq!(ldap(uid), [""; 0], "{uid}");
    }
}

#[test]
fn the_directory_has_one_door() {
    let config = "config: { enabled: true, uri: \"ldap://dc.corp.example.org\", base: \"dc=corp\", attributes: { uid: uid, mail: mail, name: cn } }";
    for module in ["ldap_auth_provider.LdapAuthProvider", "ldap_auth_provider.LdapAuthProviderModule", "synapse.util.ldap_auth_provider.LdapAuthProvider"] {
        for loader in ["password_providers", "modules", "spam_checker"] {
            let expected = [format!("S0103 synapse.settings.{loader}[0].config.uri"), format!("S0404 synapse.settings.{loader}[0]")];
            assert_eq!(settings(&format!("{loader}: [{{ module: {module}, {config} }}]")), expected, "{loader} {module}");
        }
        let expected = ["S0103 synapse.settings.third_party_event_rules.config.uri", "S0404 synapse.settings.third_party_event_rules"];
        assert_eq!(settings(&format!("third_party_event_rules: {{ module: {module}, {config} }}")), expected, "{module}");
    }
    let older = "synapse: { settings: { ldap_config: { enabled: true } }";
    assert_eq!(found(&format!("{older} }}\n")), ["S0417 synapse.settings.ldap_config"]);
    assert_eq!(found(&format!("{older}, unchecked: [ldap_config] }}\n")), ["S0417 synapse.settings.ldap_config"]);
}

#[test]
fn every_loader_of_modules_is_looked_at_alike() {
    for (loader, place) in [
        ("modules: [%]", "modules[0]"),
        ("password_providers: [%]", "password_providers[0]"),
        ("media_storage_providers: [%]", "media_storage_providers[0]"),
        ("spam_checker: [%]", "spam_checker[0]"),
        ("spam_checker: %", "spam_checker"),
        ("third_party_event_rules: %", "third_party_event_rules"),
    ] {
        let kept = if loader.starts_with("media") { "store_local: true, " } else { "" };
        let entry = &format!("{{ module: theirs.Module, {kept}config: {{ bot_token: hunter2, cache_dir: /data, ask: \"http://127.0.0.1:5000\" }} }}");
        let expected = [
            format!("S0224 synapse.settings.{place}"),
            format!("S0402 synapse.settings.{place}.config.bot_token"),
            format!("S0441 synapse.settings.{place}.config.cache_dir"),
            format!("S0443 synapse.settings.{place}.config.ask"),
        ];
        assert_eq!(settings(&loader.replace('%', entry)), expected, "{loader}");
    }
}

#[test]
fn certificates_of_other_servers_are_verified() {
    let option = "synapse.settings.federation_verify_certificates";
    assert_eq!(settings("federation_verify_certificates: false"), [format!("S0431 {option}")]);
    let with_keys = |keys: &str| {
        let servers = format!("trusted_key_servers: [{{ server_name: keys.example.net, verify_keys: {{ {keys} }} }}]");
        let more = "synapse: { settings: { federation_verify_certificates: false } }\n";
        let text = text(more).replace("server: {", &format!("server: {{ {servers},"));
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("site.yaml");
        std::fs::write(&file, text).expect("written");
        rules::apply(&load::load(&file).expect("a site")).list.into_iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!(with_keys("\"ed25519:auto\": Noi6WqcDj0QmPxCNQqgezwTlBKrfqehY1u2FyWP9uYw"), ["S0430"]);
    assert_eq!(with_keys(""), ["S0431"]);
    let testing = "use_insecure_ssl_client_just_for_testing_do_not_use";
    assert_eq!(settings(&format!("{testing}: true")), [format!("S0430 synapse.settings.{testing}")]);
    assert_eq!(settings(&format!("{testing}: false")), [""; 0]);
}

#[test]
fn a_warning_about_security_can_be_accepted() {
    let site =
        "synapse: { settings: { stats: { enabled: false } } }\nchecks: { accept: [{ code: S0430, option: synapse.settings.stats, reason: nobody looks }] }\n";
    assert_eq!(found(site), [""; 0]);
}

#[test]
fn uploads_are_kept_somewhere() {
    let theirs = "{ module: s3_storage_provider.S3StorageProviderBackend, store_local: true, store_synchronous: true, config: { bucket: media } }";
    let option = "synapse.settings.enable_local_media_storage";
    assert_eq!(settings("enable_local_media_storage: false"), [format!("S0432 {option}")]);
    assert_eq!(
        settings(&format!("enable_local_media_storage: false, media_storage_providers: [{theirs}]")),
        ["S0224 synapse.settings.media_storage_providers[0]"]
    );
    let not_local = theirs.replace("store_local: true", "store_remote: true");
    let expected = ["S0224 synapse.settings.media_storage_providers[0]".to_owned(), format!("S0432 {option}")];
    assert_eq!(settings(&format!("enable_local_media_storage: false, media_storage_providers: [{not_local}]")), expected);
}

#[test]
fn a_directory_of_media_is_one_that_the_container_has() {
    let store =
        |directory: &str| settings(&format!("media_storage_providers: [{{ module: file_system, store_local: true, config: {{ directory: {directory} }} }}]"));
    let option = "synapse.settings.media_storage_providers[0].config.directory";
    for directory in ["/mnt/nas/media", "/srv", "../other", "/var/lib/synapse/../nas", "/var/lib/synapse/media/more", "/var/lib/synapse", "/run/secrets/x"] {
        assert_eq!(store(directory), [format!("S0440 {option}")], "{directory}");
    }
    for directory in ["/var/lib/synapse/second", "second", "./a/b"] {
        assert_eq!(store(directory), [""; 0], "{directory}");
    }
    assert_eq!(store("/tmp/media"), [format!("S0441 {option}")]);
    assert_eq!(settings("backup_media_store_path: /backup"), ["S0440 synapse.settings.backup_media_store_path"]);
    // Who mounts it says so, and only then.
    let mounted = |directory: &str| {
        found(&format!(
            "synapse: {{ settings: {{ media_storage_providers: [{{ module: file_system, store_local: true, config: {{ directory: {directory} }} }}] }}, unchecked: [media_storage_providers] }}\n"
        ))
    };
    assert_eq!(mounted("/mnt/nas/media"), [""; 0]);
    assert_eq!(mounted("/var/lib/synapse/second"), ["S0418 synapse.unchecked[0]"]);
}

#[test]
fn a_file_is_one_that_the_image_or_a_secret_has() {
    let key = |path: &str| settings(&format!("key_server_signing_keys_path: {path}"));
    assert_eq!(key("/run/secrets/signing_key"), [""; 0]);
    assert_eq!(key("/run/secrets/another"), ["S0440 synapse.settings.key_server_signing_keys_path"]);
    assert_eq!(key("/etc/matrix-synapse/homeserver.yaml"), [""; 0]);
    assert_eq!(key("/etc/matrix-synapse/another.yaml"), ["S0440 synapse.settings.key_server_signing_keys_path"]);
    assert_eq!(key("/var/lib/synapse/notary.key"), ["S0441 synapse.settings.key_server_signing_keys_path"]);
    assert_eq!(settings("account_validity: { invalid_token_html_path: invalid_token.html }"), [""; 0]);
    assert_eq!(settings("account_validity: { invalid_token_html_path: mine.html }"), ["S0440 synapse.settings.account_validity.invalid_token_html_path"]);
}

#[test]
fn a_proxy_that_is_not_believed_is_told() {
    let gateway = |more: &str| found(&format!("gateway: {{ {more} }}\n"));
    let bind = ["S0310 gateway.bind_address"];
    for more in [
        "bind_address: 192.168.1.10",
        "bind_address: 172.17.0.1",
        "bind_address: \"::\"",
        "bind_address: 0.0.0.0",
        "tls: files, http_port: 80, bind_address: 127.0.0.1",
    ] {
        assert_eq!(gateway(more), bind, "{more}");
    }
    for more in [
        "bind_address: 127.0.0.1",
        "bind_address: 127.0.0.2",
        "bind_address: \"::1\"",
        "tls: files, http_port: 80, bind_address: 192.0.2.1",
        "bind_address: 192.168.1.10, trusted_proxies: [192.168.1.1]",
        "bind_address: 127.0.0.1, trusted_proxies: [172.20.0.0/16]",
        "trusted_proxies: [10.0.0.0/8]",
    ] {
        assert_eq!(gateway(more), [""; 0], "{more}");
    }
    assert_eq!(gateway("trusted_proxies: [127.0.0.1]"), ["S0310 gateway.trusted_proxies"]);
    assert_eq!(gateway("bind_address: 192.168.1.10, trusted_proxies: [\"::/0\"]"), ["S0310 gateway.trusted_proxies[0]"]);
    // Whoever is on a loopback address of the target is a proxy there, on each of them.
    let nginx = file(&rendered("gateway: { bind_address: 127.0.0.2 }\n"), "gateway", "/etc/nginx/nginx.conf");
    assert!(nginx.contains("set_real_ip_from 172.16.0.0/12;"), "{nginx}");
}

#[test]
fn a_service_on_the_target_is_reached_by_a_name_that_the_manifest_gives() {
    let with_mail = rendered("email: { smtp_host: host.docker.internal, smtp_port: 25, enable_tls: false, notif_from: noreply@example.org }\n");
    assert_eq!(asks_target(&with_mail), ["synapse"]);
    let in_capitals = rendered("synapse: { settings: { http_proxy: \"http://Host.Docker.Internal:3128\" } }\n");
    assert_eq!(asks_target(&in_capitals), ["synapse"]);
    let workers = "workers: { generic: 1 }\nsynapse: { settings: { http_proxy: \"http://host.docker.internal:3128\" } }\n";
    let with_proxy = rendered(workers);
    assert_eq!(asks_target(&with_proxy), ["synapse", "synapse-generic-worker-1"]);
    let without = rendered("workers: { generic: 1 }\n");
    assert_eq!(asks_target(&without), [""; 0]);
    for host in ["host.containers.internal", "gateway.docker.internal", "host.lima.internal"] {
        assert_eq!(
            found(&format!("email: {{ smtp_host: \"{host}\", smtp_port: 25, notif_from: noreply@example.org }}\n")),
            ["S0442 email.smtp_host"],
            "{host}"
        );
    }
    for host in ["localhost", "127.0.1.1", "\"::1\"", "\"::ffff:127.0.0.1\"", "LOCALHOST", "0.0.0.0", "ip6-localhost", "localhost.localdomain"] {
        let found = found(&format!("email: {{ smtp_host: {host}, smtp_port: 25, notif_from: noreply@example.org }}\n"));
        assert!(found == ["S0501 email.smtp_host"] || found == ["S0005 email.smtp_host"], "{host}: {found:?}");
    }
}

/// A site with a bridge at that address.
fn registered(dir: &std::path::Path, url: &str) -> Loaded {
    let service =
        format!("id: irc\nurl: {url}\nas_token: {{ _secret: irc_as }}\nhs_token: {{ _secret: irc_hs }}\nsender_localpart: irc\nnamespaces: {{ users: [] }}\n");
    std::fs::write(dir.join("irc.yaml"), service).expect("written");
    let file = dir.join("site.yaml");
    std::fs::write(&file, text("app_services: [irc.yaml]\n")).expect("written");
    load::load(&file).expect("a site")
}

#[test]
fn what_a_registration_holds_is_not_repeated() {
    let dir = tempfile::tempdir().expect("a directory");
    for url in ["\"http://u:Zq7Xv9KtWm3Rb8Lp@h.example:80/\"", "\"731946280572\"", "Zq7Xv9KtWm3Rb8Lp"] {
        let found = rules::apply(&registered(dir.path(), url)).to_string();
        assert!(found.contains("app_services") && !found.contains("Zq7Xv9") && !found.contains("7319462"), "{url}: {found}");
    }
}

#[test]
fn a_bridge_on_the_target_is_reached_so_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let registration = |url: &str| registered(dir.path(), url);
    let loaded = registration("http://host.docker.internal:9993");
    assert_eq!(rules::apply(&loaded).list, []);
    assert_eq!(asks_target(&common::deployment(&loaded)), ["synapse"]);
    let codes: Vec<_> = rules::apply(&registration("http://host.containers.internal:9993")).list.into_iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["S0442"]);
}

/// A site whose people another service logs in.
fn delegated(endpoint: &str, issuer: &str) -> String {
    format!(
        "authentication: {{ method: none }}\ngateway: {{ tls: files, http_port: 80 }}\nmatrix_authentication_service: {{ endpoint: \"{endpoint}\", issuer: \"{issuer}\", allow: [192.0.2.10] }}\n"
    )
}

fn nginx(endpoint: &str, issuer: &str) -> String {
    file(&rendered(&delegated(endpoint, issuer)), "gateway", "/etc/nginx/nginx.conf")
}

#[test]
fn a_service_below_a_path_is_asked_below_it() {
    let conf = nginx("http://mas.internal.example.org:8080/auth/", "https://chat.example.org/auth/");
    assert!(conf.contains("set $delegated mas.internal.example.org:8080;"), "{conf}");
    assert_eq!(conf.matches("proxy_pass http://$delegated/auth$request_uri;").count(), 1, "{conf}");
    // Its own pages are below the same path, and go as they come.
    assert!(conf.contains("location ^~ /auth/ {"), "{conf}");
    assert_eq!(conf.matches("proxy_pass http://$delegated$request_uri;").count(), 1, "{conf}");
    assert!(conf.contains("\"~^/auth/\" 0;"), "{conf}");
    // At its root it is asked as before.
    let conf = nginx("http://mas.internal.example.org:8080/", "https://account.example.org/");
    assert!(conf.contains("proxy_pass http://$delegated;") && !conf.contains("location ^~"), "{conf}");
    // Another path outside than inside.
    let conf = nginx("http://mas.internal.example.org:8080/", "https://chat.example.org/account.service/");
    assert!(conf.contains(r#""~^/account\.service(?<issued>/.*)$" "$issued";"#), "{conf}");
    assert!(conf.contains("proxy_pass http://$delegated$below_issuer;") && conf.contains("proxy_pass http://$delegated;"), "{conf}");
}

#[test]
fn an_issuer_that_nobody_answers_for_is_told() {
    for issuer in ["https://chat.example.org/", "https://chat.example.org/_matrix/auth/", "https://example.org/"] {
        assert_eq!(found(&delegated("http://mas.example.net:8080/", issuer)), ["S0139 matrix_authentication_service.issuer"], "{issuer}");
    }
    let elsewhere = delegated("http://mas.example.net:8080/", "https://example.org/");
    assert_eq!(found(&format!("{elsewhere}well_known: {{ serve: false }}\n")), [""; 0]);
}

#[test]
fn a_service_on_the_target_that_logs_people_in_is_found_without_the_engines_resolver() {
    let rendered = rendered(&delegated("http://host.docker.internal:8080/", "https://account.example.org/"));
    let conf = file(&rendered, "gateway", "/etc/nginx/nginx.conf");
    assert!(conf.contains("upstream delegated {\n        server host.docker.internal:8080;\n    }"), "{conf}");
    assert!(conf.contains("set $delegated delegated;") && conf.contains("proxy_set_header Host host.docker.internal:8080;"), "{conf}");
    assert_eq!(asks_target(&rendered), ["gateway", "synapse", "well-known"]);
}

/// What help says to a description, all of it.
fn helped(more: &str) -> Vec<String> {
    let findings = match loaded(more) {
        Ok(loaded) => rules::apply(&loaded).list,
        Err(Error::Site(findings)) => findings.list,
        Err(other) => panic!("{other}"),
    };
    findings.into_iter().map(|finding| format!("{} {}: {}", finding.code, finding.option, finding.remedy.unwrap_or_default())).collect()
}

/// What cannot be said is told so, with what is done instead.
fn not_offered(more: &str, place: &str, way_out: &str) {
    let helped = helped(more);
    let told = helped.iter().find(|told| told.starts_with(&format!("{place}: "))).unwrap_or_else(|| panic!("{more}: {helped:?}"));
    assert!(told.contains("not offered: ") && told.contains(way_out), "{told}");
}

#[test]
fn a_forest_of_directories_is_not_offered() {
    let ldap = |more: &str| {
        format!("authentication: {{ method: ldap }}\nldap: {{ uri: \"ldaps://dc1.corp.example.com\", base: \"dc=corp,dc=example,dc=com\", {more} }}\n")
    };
    for (option, value) in [("active_directory", "true"), ("default_domain", "corp.example.com")] {
        not_offered(&ldap(&format!("{option}: {value}")), &format!("S0001 ldap.{option}"), "oidc.oidc_providers");
    }
    assert_eq!(found(&ldap("attributes: { uid: sAMAccountName }")), [""; 0]);
}

#[test]
fn tls_to_redis_is_not_offered_and_never_silently_left_out() {
    for option in ["use_tls: true", "ca_file: /x.pem", "ca_path: /x", "certificate_file: /x.pem", "private_key_file: /x.pem"] {
        let name = option.split(':').next().expect("a name");
        not_offered(&format!("redis: {{ source: external, host: cache.example.net, port: 6380, {option} }}\n"), &format!("S0001 redis.{name}"), "stunnel");
        let whole = helped(&format!("synapse: {{ settings: {{ redis: {{ enabled: true, host: cache.example.net, {option} }} }} }}\n"));
        assert!(whole[0].starts_with("S0401") && whole[0].contains(&format!("{name} is not offered")) && whole[0].contains("write redis: {"), "{whole:?}");
    }
}

#[test]
fn members_of_blocks_that_follow_from_nothing_are_told() {
    for (more, place, way_out) in [
        ("redis: { path: /run/redis.sock }", "S0001 redis.path", "redis.host"),
        ("presence: { presence_router: { module: theirs.Router } }", "S0001 presence.presence_router", "synapse.settings.modules"),
        ("media: { media_store_path: /srv/media }", "S0001 media.media_store_path", "docs/running.md"),
        ("synapse: { settings: { enable_media_repo: false } }", "S0407 synapse.settings.enable_media_repo", "matrix-media-repo"),
        ("workers: { enable_media_repo: false }", "S0001 workers.enable_media_repo", "matrix-media-repo"),
        (
            "authentication: { method: none }\nsynapse: { settings: { saml2_config: { sp_config: { metadata: {} } } } }",
            "S0407 synapse.settings.saml2_config",
            "oidc.oidc_providers",
        ),
        (
            "workers: { generic: 4 }\nsynapse: { settings: { stream_writers: { events: [persister1] } } }",
            "S0407 synapse.settings.stream_writers",
            "workers.generic",
        ),
        ("workers: { stream_writers: { events: [persister1] } }", "S0001 workers.stream_writers", "workers.generic"),
    ] {
        not_offered(&format!("{more}\n"), place, way_out);
    }
    for (more, way_out) in [
        (
            "email: { smtp_host: m.example.org, notif_from: n@example.org, template_dir: /x }",
            "S0001 email.template_dir: write it as templates.custom_template_directory",
        ),
        (
            "email: { smtp_host: m.example.org, notif_from: n@example.org, notif_template_html: x.html }",
            "S0001 email.notif_template_html: write it as templates.custom_template_directory",
        ),
        (
            "email: { smtp_host: m.example.org, notif_from: n@example.org, riot_base_url: \"https://app.example.org\" }",
            "S0001 email.riot_base_url: write it as email.client_base_url",
        ),
    ] {
        assert_eq!(helped(&format!("{more}\n")), [way_out], "{more}");
    }
}

#[test]
fn a_directory_and_local_passwords_together_are_not_offered() {
    let ldap = "authentication: { method: ldap }\nldap: { uri: \"ldaps://ldap.example.com\", base: \"dc=example,dc=com\" }\n";
    let helped = helped(&format!("{ldap}synapse: {{ settings: {{ password_config: {{ localdb_enabled: true }} }} }}\n"));
    assert_eq!(helped.len(), 1, "{helped:?}");
    assert!(helped[0].starts_with("S0401 synapse.settings.password_config: localdb_enabled is not offered"), "{helped:?}");
    assert!(helped[0].contains("authentication.method") && helped[0].contains("app_services"), "{helped:?}");
    not_offered(&ldap.replace("method: ldap", "method: ldap, localdb_enabled: true"), "S0001 authentication.localdb_enabled", "app_services");
}

#[test]
fn another_name_for_other_servers_is_told_with_its_way() {
    let site = |tls: &str| format!("gateway: {{ {tls} }}\nwell_known: {{ server_host: federation.example.com, server_port: 443 }}\n");
    let helped = helped(&site("tls: files, http_port: 80"));
    assert!(helped.len() == 1 && helped[0].starts_with("S0306 well_known.server_host") && helped[0].contains("gateway.tls: off"), "{helped:?}");
    // That way is a warning to accept, and no circle.
    assert_eq!(found(&site("tls: off")), ["S0307 well_known.server_host"]);
}

/// Rules look at what is sound, also where the site's very name is not.
#[test]
fn open_registration_is_told_beside_a_name_that_is_none() {
    let sites = |server: &str| {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("site.yaml");
        let more = "registration: { enable_registration: true }\nsynapse: { settings: { recaptcha_private_key: x } }\n";
        std::fs::write(&file, format!("{server}{more}")).expect("written");
        let Err(Error::Site(findings)) = load::load(&file) else { panic!("{server} was taken") };
        let mut found: Vec<String> = findings.list.into_iter().map(|finding| format!("{} {}", finding.code, finding.option)).collect();
        found.sort();
        found
    };
    let rules = ["S0107 registration.enable_registration", "S0402 synapse.settings.recaptcha_private_key"];
    for (server, types) in [
        ("server: { server_name: 5, public_baseurl: \"https://chat.example.org/\" }\n", vec!["S0002 server.server_name"]),
        ("server: { server_name: example.org, public_baseurl: [] }\n", vec!["S0002 server.public_baseurl"]),
        ("server: { server_name: example.org }\n", vec!["S0006 server.public_baseurl"]),
        ("server: {}\n", vec!["S0006 server.public_baseurl", "S0006 server.server_name"]),
        ("server: example.org\n", vec!["S0002 server"]),
        ("server:\n", vec!["S0002 server"]),
        ("", vec!["S0006 server"]),
        (
            "server: { server_name: 5, public_baseurl: 7 }\nemail: { smtp_host: 5 }\n",
            vec!["S0002 email.smtp_host", "S0002 server.public_baseurl", "S0002 server.server_name", "S0006 email.notif_from"],
        ),
    ] {
        assert_eq!(sites(server), [types.as_slice(), rules.as_slice()].concat(), "{server}");
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).expect("a directory").map(|entry| entry.expect("an entry").path()) {
        let target = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            std::fs::create_dir(&target).expect("a directory");
            copy(&entry, &target);
        } else {
            std::fs::copy(&entry, &target).expect("copied");
        }
    }
}

/// A finding that depends on a value waits for it: with every bad site, and the server's name or address taken away, nothing is found that
/// is not found with them.
#[test]
fn what_needs_a_broken_value_waits() {
    let mut compared = 0;
    for directory in std::fs::read_dir("tests/rules").expect("the rules").map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()) {
        for name in ["bad.yaml", "good.yaml"] {
            let (Ok(text), whole) = (std::fs::read_to_string(directory.join(name)), load::load(&directory.join(name))) else { continue };
            let Ok(whole) = whole else { continue };
            let before: Vec<String> = rules::apply(&whole).list.into_iter().map(|finding| format!("{} {}", finding.code, finding.option)).collect();
            for option in ["server_name", "public_baseurl"] {
                let broken: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with(&format!("{option}:"))).collect();
                // The files that it names lie beside it.
                let beside = tempfile::tempdir().expect("a directory");
                copy(&directory, beside.path());
                let file = beside.path().join(name);
                std::fs::write(&file, broken.join("\n")).expect("written");
                let found = load::load(&file);
                let Err(Error::Site(findings)) = found else { continue };
                let more: Vec<String> =
                    findings.list.into_iter().filter(|finding| finding.code != "S0006").map(|finding| format!("{} {}", finding.code, finding.option)).collect();
                compared += 1;
                let invented: Vec<&String> = more.iter().filter(|found| !before.contains(found)).collect();
                assert!(invented.is_empty(), "{}/{name} without {option}: {invented:?}", directory.display());
            }
        }
    }
    assert!(compared > 300, "{compared}");
}
