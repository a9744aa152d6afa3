//! Sites as people write them who run a server: each has one mistake that somebody made, or one thing that works only where everything
//! fits together. What `check` says about them, and what is written for them.

use std::collections::BTreeMap;

use synapse_site::check::rules;
use synapse_site::deploy::compose::{ImageFacts, manifest};
use synapse_site::error::Error;
use synapse_site::render::{Rendered, render};
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

fn rendered(more: &str) -> (Loaded, Rendered) {
    let loaded = loaded(more).expect("a site");
    assert_eq!(rules::apply(&loaded).list, [], "{more}");
    let rendered = render(&loaded);
    (loaded, rendered)
}

fn file(rendered: &Rendered, image: &str, path: &str) -> String {
    String::from_utf8(rendered.images[image][path].clone()).expect("text")
}

/// The manifest's services that know the target by its name.
fn asks_target(loaded: &Loaded, rendered: &Rendered) -> Vec<String> {
    let facts = |image: &str| (image.to_owned(), ImageFacts { reference: format!("{image}:1"), user: 10_001 });
    let images: BTreeMap<String, ImageFacts> = ["synapse", "postgres", "redis", "gateway", "coturn"].map(facts).into();
    let manifest: serde_json::Value = serde_yaml::from_str(&manifest(&loaded.site, rendered, &images)).expect("YAML");
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
    let nginx = file(&rendered("gateway: { bind_address: 127.0.0.2 }\n").1, "gateway", "/etc/nginx/nginx.conf");
    assert!(nginx.contains("set_real_ip_from 172.16.0.0/12;"), "{nginx}");
}

#[test]
fn a_service_on_the_target_is_reached_by_a_name_that_the_manifest_gives() {
    let (loaded, with_mail) = rendered("email: { smtp_host: host.docker.internal, smtp_port: 25, enable_tls: false, notif_from: noreply@example.org }\n");
    assert_eq!(asks_target(&loaded, &with_mail), ["synapse"]);
    let workers = "workers: { generic: 1 }\nsynapse: { settings: { http_proxy: \"http://host.docker.internal:3128\" } }\n";
    let (loaded, with_proxy) = rendered(workers);
    assert_eq!(asks_target(&loaded, &with_proxy), ["synapse", "synapse-generic-worker-1"]);
    let (loaded, without) = rendered("workers: { generic: 1 }\n");
    assert_eq!(asks_target(&loaded, &without), [""; 0]);
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

#[test]
fn a_bridge_on_the_target_is_reached_so_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let registration = |url: &str| {
        let service = format!(
            "id: irc\nurl: {url}\nas_token: {{ _secret: irc_as }}\nhs_token: {{ _secret: irc_hs }}\nsender_localpart: irc\nnamespaces: {{ users: [] }}\n"
        );
        std::fs::write(dir.path().join("irc.yaml"), service).expect("written");
        let file = dir.path().join("site.yaml");
        std::fs::write(&file, text("app_services: [irc.yaml]\n")).expect("written");
        load::load(&file).expect("a site")
    };
    let loaded = registration("http://host.docker.internal:9993");
    assert_eq!(rules::apply(&loaded).list, []);
    assert_eq!(asks_target(&loaded, &render(&loaded)), ["synapse"]);
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
    file(&rendered(&delegated(endpoint, issuer)).1, "gateway", "/etc/nginx/nginx.conf")
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
    let (loaded, rendered) = rendered(&delegated("http://host.docker.internal:8080/", "https://account.example.org/"));
    let conf = file(&rendered, "gateway", "/etc/nginx/nginx.conf");
    assert!(conf.contains("upstream delegated {\n        server host.docker.internal:8080;\n    }"), "{conf}");
    assert!(conf.contains("set $delegated delegated;") && conf.contains("proxy_set_header Host host.docker.internal:8080;"), "{conf}");
    assert_eq!(asks_target(&loaded, &rendered), ["gateway", "synapse", "well-known"]);
}
