//! Whose word the gateway takes for a client's address, in the configuration that nginx gets.

use crate::common;
use synapse_site::site::load;

fn nginx(gateway: &str) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("site.yaml");
    let text = format!("server: {{server_name: example.com, public_baseurl: 'https://matrix.example.com/'}}\ngateway: {gateway}\n");
    std::fs::write(&file, text).expect("written");
    let loaded = load::load(&file).unwrap_or_else(|error| panic!("{error}"));
    let rendered = common::deployment(&loaded);
    String::from_utf8(rendered.images["gateway"]["/etc/nginx/nginx.conf"].clone()).expect("text")
}

#[test]
fn a_proxy_on_the_target_is_believed_only_what_it_has_seen_itself() {
    for gateway in ["{}", "{bind_address: 127.0.0.1}", "{bind_address: '::1'}"] {
        let config = nginx(gateway);
        assert!(config.contains("set_real_ip_from 172.16.0.0/12;"), "{gateway}");
        // Otherwise a client on a private network could name any address, because its own would be skipped.
        assert!(config.contains("real_ip_recursive off;"), "{gateway}");
    }
}

#[test]
fn listed_proxies_are_believed_about_each_other() {
    let config = nginx("{bind_address: 0.0.0.0, trusted_proxies: [192.0.2.0/24]}");
    assert_eq!(config.matches("set_real_ip_from").count(), 1, "the list replaces the default");
    assert!(config.contains("set_real_ip_from 192.0.2.0/24;") && config.contains("real_ip_recursive on;"));
}

#[test]
fn clients_themselves_are_believed_nothing() {
    for gateway in ["{bind_address: 0.0.0.0}", "{tls: files, http_port: 80}"] {
        let config = nginx(gateway);
        assert!(!config.contains("set_real_ip_from") && !config.contains("real_ip_header"), "{gateway}");
        assert!(config.contains("proxy_set_header X-Forwarded-For $remote_addr;"), "{gateway}");
    }
}
