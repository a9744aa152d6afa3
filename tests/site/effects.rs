//! Options do what their documentation says, where that is more than a line of the same name in Synapse's configuration: what
//! clients are told, and what the gateway lets through.

use crate::common;
use synapse_site::deployment::Deployment;
use synapse_site::site::load;

fn rendered(more: &str) -> Deployment {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("site.yaml");
    std::fs::write(&file, format!("server:\n  server_name: example.com\n  public_baseurl: https://matrix.example.com/\n{more}")).expect("written");
    common::deployment(&load::load(&file).unwrap_or_else(|error| panic!("{error}")))
}

fn nginx(rendered: &Deployment) -> String {
    String::from_utf8(rendered.images["gateway"]["/etc/nginx/nginx.conf"].clone()).expect("text")
}

/// Synapse serves no document here, so what it would write into its own has to stand in the site's (rest/well_known.py).
#[test]
fn clients_are_told_the_identity_server() {
    let document = |more: &str| -> serde_json::Value { serde_json::from_slice(&rendered(more).well_known["client"]).expect("JSON") };
    assert_eq!(
        document("registration: { default_identity_server: 'https://identity.example.com/' }\n")["m.identity_server"]["base_url"],
        "https://identity.example.com"
    );
    assert!(document("").get("m.identity_server").is_none());
}

/// Synapse sends whoever opens its address on to the client (app/homeserver.py); the gateway has to let that request through.
#[test]
fn a_browser_at_the_servers_address_is_sent_to_the_web_client() {
    let sent = nginx(&rendered("  web_client_location: https://chat.example.com/\n"));
    assert_eq!(sent.matches("location = / {").count(), 1, "under the host of public_baseurl alone");
    assert!(sent.contains(r#""~^/(\?|$)" 0;"#));
    let closed = nginx(&rendered(""));
    assert!(!closed.contains("location = / {") && !closed.contains(r#""~^/(\?|$)" 0;"#));
}

/// An answer that is kept goes to everybody, also to those who cannot read what is compressed.
#[test]
fn what_the_gateway_keeps_is_not_compressed() {
    let line = "proxy_set_header Accept-Encoding $accepted;";
    let compressed = nginx(&rendered("listeners: { compress: true }\n"));
    assert!(compressed.contains(line) && compressed.contains("/_matrix/client/versions \"\";"));
    assert!(!nginx(&rendered("")).contains(line));
}
