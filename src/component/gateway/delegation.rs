//! What the gateway passes to the service that logs people in: the requests of old clients for logging in, and, where its issuer lies
//! below a path of a host that the gateway answers for, everything below that path. The service serves all that it has below the path
//! of its endpoint (Matrix Authentication Service, `http.listeners[].prefix`; Synapse's api/auth/mas.py keeps that path, too).

use serde_json::{Value, json};

use crate::component::authorities;
use crate::deployment::Facts;
use crate::site::Site;
use crate::site::delegation::MatrixAuthenticationService;

/// Paths that have other answers.
const TAKEN: [&str; 4] = ["/_matrix", "/_synapse", "/.well-known", "/livekit"];

/// Where the service's issuer is, seen from the gateway.
#[derive(Debug, PartialEq, Eq)]
pub enum Issuer<'a> {
    /// Under another host or port, where somebody else answers.
    Elsewhere,
    /// Below that path of a host of the gateway's, which passes it on: `/auth`.
    Below {
        /// The host.
        host: &'a str,
        /// The path, without a slash at its end.
        path: &'a str,
    },
    /// Under a host of the gateway's, where that answers otherwise.
    Shadowed,
}

/// Where the issuer is; `hosts` are those that the gateway answers for.
fn issuer<'a>(site: &'a Site, service: &'a MatrixAuthenticationService, hosts: &[&str]) -> Issuer<'a> {
    let (issuer, base) = (&service.issuer, &site.server.public_baseurl);
    let ours = hosts.iter().any(|host| host.eq_ignore_ascii_case(issuer.host()));
    if !ours || issuer.is_https() != base.is_https() || port(issuer.authority(), issuer.is_https()) != base.port() {
        return Issuer::Elsewhere;
    }
    let path = path(issuer.path());
    let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._~-".contains(&byte)) && !path.contains("//") && !path.contains("/.");
    let taken = TAKEN.iter().any(|taken| path == *taken || path.strip_prefix(taken).is_some_and(|rest| rest.starts_with('/')));
    if path.is_empty() || !plain || taken { Issuer::Shadowed } else { Issuer::Below { host: issuer.host(), path } }
}

/// Where the issuer of a site is, if another service logs people in.
pub fn issuer_of(site: &Site) -> Option<Issuer<'_>> {
    Some(issuer(site, site.matrix_authentication_service.as_ref()?, &super::people(site)))
}

fn port(authority: &str, https: bool) -> u16 {
    crate::site::text::split_port(authority).1.unwrap_or(if https { 443 } else { 80 })
}

/// The path of an address, without a query and without a slash at its end.
fn path(text: &str) -> &str {
    text.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/')
}

/// What the template needs to know; the service's address may be that of a proxy, which goes by the name.
pub(super) fn variables(site: &Site, facts: &Facts) -> Option<Value> {
    let service = site.matrix_authentication_service.as_ref()?;
    let endpoint = &service.endpoint;
    let prefix = path(endpoint.path());
    let below = match issuer(site, service, &super::people(site)) {
        Issuer::Below { path, .. } => Some(json!({ "path": path, "pattern": path.replace('.', "\\."), "moved": path != prefix })),
        Issuer::Elsewhere | Issuer::Shadowed => None,
    };
    let server = format!("{}:{}", endpoint.host(), port(endpoint.authority(), endpoint.is_https()));
    Some(json!({
        "scheme": if endpoint.is_https() { "https" } else { "http" },
        "authority": endpoint.authority(),
        "host": endpoint.host(),
        "prefix": prefix,
        "below": below,
        // The engine's resolver does not know the name that the manifest gives to the target; the container's own list does.
        "server": (endpoint.host() == facts.own_name).then_some(server),
        "allow": service.allow,
        "authorities": authorities::bundle(site),
    }))
}

/// What one host passes on: a comment, the location, and what follows the service's address.
pub(super) fn passed(site: &Site, host: &str, logs_in: bool) -> Vec<Value> {
    let Some(service) = &site.matrix_authentication_service else { return Vec::new() };
    let prefix = path(service.endpoint.path());
    let mut passed = Vec::new();
    if logs_in {
        passed.push(json!({
            "about": "Another service logs people in, those with old clients, too.",
            "location": "~ ^/_matrix/client/[^/]+/(login|logout|refresh)(/|$)",
            "target": if prefix.is_empty() { String::new() } else { format!("{prefix}$request_uri") },
        }));
    }
    if let Issuer::Below { host: at, path } = issuer(site, service, &super::people(site))
        && at.eq_ignore_ascii_case(host)
    {
        passed.push(json!({
            "about": "Its pages, and what clients ask it.",
            "location": format!("^~ {path}/"),
            "target": if path == prefix { "$request_uri" } else { "$below_issuer" },
        }));
    }
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(issuer: &str) -> String {
        let site = serde_json::json!({
            "server": { "server_name": "example.com", "public_baseurl": "https://matrix.example.com/" },
            "authentication": { "method": "none" },
            "matrix_authentication_service": { "endpoint": "http://mas.example.org:8080/", "issuer": issuer },
        });
        let loaded = crate::site::load::of_value(site, std::collections::BTreeMap::default()).expect("a site");
        format!("{:?}", issuer_of(&loaded.site).expect("a service"))
    }

    #[test]
    fn an_issuer_is_elsewhere_below_a_path_or_shadowed() {
        for (issuer, expected) in [
            ("https://account.example.com/", "Elsewhere"),
            ("https://matrix.example.com:8443/auth/", "Elsewhere"),
            ("http://matrix.example.com/auth/", "Elsewhere"),
            ("https://matrix.example.com/auth/", "Below { host: \"matrix.example.com\", path: \"/auth\" }"),
            ("https://matrix.example.com:443/a/b", "Below { host: \"matrix.example.com\", path: \"/a/b\" }"),
            ("https://example.com/auth/", "Below { host: \"example.com\", path: \"/auth\" }"),
            ("https://matrix.example.com/", "Shadowed"),
            ("https://matrix.example.com", "Shadowed"),
            ("https://matrix.example.com/_matrix/auth/", "Shadowed"),
        ] {
            assert_eq!(of(issuer), expected, "{issuer}");
        }
    }
}
