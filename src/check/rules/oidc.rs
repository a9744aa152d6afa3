//! S012x: logging in with OpenID Connect, and the certificate authorities that a site brings. What Synapse 1.163 does with each
//! is in its config/oidc.py, config/sso.py and handlers/oidc.py.

use serde_json::Value;

use super::claims;
use super::mail::is_local;
use super::{Rule, Violation};
use crate::check::Severity::{Error, Warning};
use crate::site::authentication::Method;
use crate::site::load::Loaded;
use crate::site::oidc::{ClientAuth, OidcProvider};
use crate::site::text::HttpUrl;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0120",
        severity: Error,
        options: &["oidc.oidc_providers"],
        reason: "People's accounts are tied to idp_id; of two providers with one, Synapse could not tell whose somebody is, and refuses to start (config/oidc.py).",
        violations: |loaded| {
            let providers = &loaded.site.oidc.oidc_providers;
            each(loaded, |at, provider| {
                providers[..at].iter().any(|other| other.idp_id == provider.idp_id).then(|| {
                    Violation::at(
                        &path(at, "idp_id"),
                        format!("{:?} is another provider's, too", provider.idp_id.as_str()),
                        "give each provider an idp_id of its own",
                    )
                })
            })
        },
    },
    Rule {
        code: "S0121",
        severity: Error,
        options: &[
            "oidc.oidc_providers.discover",
            "oidc.oidc_providers.authorization_endpoint",
            "oidc.oidc_providers.token_endpoint",
            "oidc.oidc_providers.jwks_uri",
            "oidc.oidc_providers.userinfo_endpoint",
            "oidc.oidc_providers.user_profile_method",
            "oidc.oidc_providers.scopes",
        ],
        reason: "Without discovery Synapse knows only the endpoints that it is given; it starts all the same, and every login fails: with the scope openid there is a token, which it tries with the provider's keys, wherever the person's attributes come from (handlers/oidc.py, load_metadata, handle_oidc_callback).",
        violations: |loaded| {
            let missing = |at: usize, provider: &OidcProvider| {
                let needed = [
                    ("authorization_endpoint", provider.authorization_endpoint.is_none()),
                    ("token_endpoint", provider.token_endpoint.is_none()),
                    ("jwks_uri", provider.jwks_uri.is_none() && provider.has_token()),
                    ("userinfo_endpoint", provider.userinfo_endpoint.is_none() && provider.uses_userinfo()),
                ];
                let names: Vec<&str> = needed.iter().filter(|(_, missing)| *missing).map(|(name, _)| *name).collect();
                let without_token =
                    if names == ["jwks_uri"] && provider.uses_userinfo() { "; of a provider that gives no token, ask no openid in scopes" } else { "" };
                (!provider.discover && !names.is_empty()).then(|| {
                    Violation::at(
                        &path(at, "discover"),
                        format!("is false, and {} is not set", names.join(", ")),
                        format!("set {}, or let the provider tell: discover: true{without_token}", names.join(", ")),
                    )
                })
            };
            each(loaded, missing)
        },
    },
    Rule {
        code: "S0122",
        severity: Error,
        options: &["oidc.oidc_providers.client_secret_jwt_key", "oidc.oidc_providers.client_auth_method"],
        reason: "A signed client secret says in its header how it is signed, and is of no use to a client that does not prove itself (config/oidc.py).",
        violations: |loaded| {
            each(loaded, |at, provider| {
                let key = provider.client_secret_jwt_key.as_ref()?;
                if !key.jwt_header.contains_key("alg") {
                    return Some(Violation::at(&path(at, "client_secret_jwt_key.jwt_header"), "has no member alg", "jwt_header: { alg: ES256, kid: KEY_ID }"));
                }
                (provider.client_auth_method == ClientAuth::None).then(|| {
                    Violation::at(
                        &path(at, "client_auth_method"),
                        "is \"none\", so the signed secret would not be used",
                        "client_auth_method: client_secret_post",
                    )
                })
            })
        },
    },
    Rule {
        code: "S0123",
        severity: Warning,
        options: &[
            "oidc.oidc_providers.backchannel_logout_enabled",
            "oidc.oidc_providers.backchannel_logout_ignore_sub",
            "oidc.oidc_providers.user_mapping_provider.subject_template",
        ],
        reason: "A logout names the person by the claim sub; where accounts are tied to something else it finds nobody (handlers/oidc.py, handle_backchannel_logout, _validate_metadata).",
        violations: |loaded| {
            each(loaded, |at, provider| {
                let template = provider.user_mapping_provider.subject_template.as_ref()?;
                let sub = || claims::gives_sub(template.as_str());
                (provider.backchannel_logout_enabled && !provider.backchannel_logout_ignore_sub && !sub()).then(|| {
                    Violation::at(
                        &path(at, "backchannel_logout_enabled"),
                        "is true, but people are known by something else than the claim sub",
                        "backchannel_logout_ignore_sub: true",
                    )
                })
            })
        },
    },
    Rule {
        code: "S0124",
        severity: Error,
        options: &[
            "oidc.oidc_providers.issuer",
            "oidc.oidc_providers.authorization_endpoint",
            "oidc.oidc_providers.token_endpoint",
            "oidc.oidc_providers.jwks_uri",
            "oidc.oidc_providers.user_profile_method",
            "oidc.oidc_providers.scopes",
        ],
        reason: "Who can change what a provider says can be anybody here; without TLS in these addresses Synapse refuses its metadata at every login (handlers/oidc.py, _validate_metadata).",
        violations: |loaded| in_clear(loaded).filter(|address| address.refused).map(|address| without_tls(&address)).collect(),
    },
    Rule {
        code: "S0125",
        severity: Warning,
        options: &["oidc.oidc_providers.skip_verification"],
        reason: "Without the check a provider without TLS, or one whose metadata contradict themselves, is believed about who somebody is (Synapse documentation, oidc_providers).",
        violations: |loaded| {
            each(loaded, |at, provider| {
                provider
                    .skip_verification
                    .then(|| Violation::at(&path(at, "skip_verification"), "is true: the provider's metadata are not checked", "skip_verification: false"))
            })
        },
    },
    Rule {
        code: "S0126",
        severity: Error,
        options: &["oidc.client_whitelist"],
        reason: "Synapse compares the beginning of an address: without a slash after the host, login tokens go to another host whose address merely begins like it (Synapse documentation, sso; handlers/auth.py).",
        violations: |loaded| {
            let clients = loaded.site.oidc.client_whitelist.iter().enumerate();
            clients
                .filter_map(|(at, client)| {
                    // After a port no name goes on, and what stands before an @ is a user.
                    let another = if client.open_authority()?.contains(':') { "@evil.example" } else { ".evil.example" };
                    let option = format!("oidc.client_whitelist.{at}");
                    Some(Violation::at(&option, format!("{client} matches {client}{another}, too"), format!("write {client}/")))
                })
                .collect()
        },
    },
    Rule {
        code: "S0127",
        severity: Error,
        options: &["authentication.method", "oidc.oidc_providers", "matrix_authentication_service"],
        reason: "Without passwords people need another way in.",
        violations: |loaded| {
            let site = &loaded.site;
            // What each is without `enabled`: config/jwt.py, config/cas.py.
            let enabled = |name: &str, unsaid: bool| {
                let options = site.synapse.settings.get(name).and_then(Value::as_object).filter(|options| !options.is_empty());
                options.is_some_and(|options| options.get("enabled").map_or(unsaid, |enabled| *enabled == Value::Bool(true)))
            };
            let listed = |name: &str| site.synapse.settings.get(name).and_then(Value::as_array).is_some_and(|modules| !modules.is_empty());
            // SAML cannot be said in this version, which S0407 says.
            let saml = site.synapse.settings.contains_key("saml2_config");
            let elsewhere = enabled("jwt_config", false) || enabled("cas_config", true) || saml || listed("modules") || listed("password_providers");
            if site.authentication.method != Method::None || !site.oidc.oidc_providers.is_empty() || elsewhere || site.matrix_authentication_service.is_some() {
                return Vec::new();
            }
            vec![Violation::at(
                "authentication.method",
                "is \"none\", and there is no other way to log in",
                "describe a provider in oidc.oidc_providers, or set authentication.method to \"local\" or \"ldap\"",
            )]
        },
    },
    Rule {
        code: "S0128",
        severity: Warning,
        options: &["administrators", "oidc.oidc_providers.allow_existing_users"],
        reason: "An account that was made beforehand is nobody's at the provider: its person gets a second one, named admin1 or by choice (handlers/sso.py).",
        violations: |loaded| {
            let site = &loaded.site;
            let reachable = site.oidc.oidc_providers.iter().any(|provider| provider.allow_existing_users);
            if site.administrators.is_empty() || site.authentication.method != Method::None || site.oidc.oidc_providers.is_empty() || reachable {
                return Vec::new();
            }
            vec![Violation::at(
                "administrators",
                "people can log in through a provider only, and none may take an existing account over",
                "allow_existing_users: true in the administrators' provider; or accept this, let them log in once, and make them administrators after that",
            )]
        },
    },
    Rule {
        code: "S0129",
        severity: Error,
        options: &["oidc.oidc_providers.user_mapping_provider"],
        reason: "Synapse refuses a broken template at start, and takes one without a claim, which gives everybody the same where people have to differ (handlers/oidc.py, JinjaOidcMappingProvider).",
        violations: |loaded| {
            let providers = loaded.site.oidc.oidc_providers.iter().enumerate();
            let templates = providers.flat_map(|(at, provider)| claims::templates(provider).into_iter().map(move |template| (at, template)));
            let wrong = templates.filter_map(|(at, (name, text, personal))| Some((at, name, claims::mistake(text, personal)?)));
            wrong.map(|(at, name, why)| wrong_template(at, &name, &why)).collect()
        },
    },
    Rule {
        code: "S0130",
        severity: Warning,
        options: &["oidc.oidc_providers.user_mapping_provider.subject_template"],
        reason: "What names a person must never be another's: e-mail addresses and login names are given to somebody else, who then gets the account (OpenID Connect Core 1.0, section 5.7).",
        violations: |loaded| {
            each(loaded, |at, provider| {
                let template = provider.user_mapping_provider.subject_template.as_ref()?.as_str();
                let reused = ["email", "preferred_username", "name", "upn"].into_iter().find(|claim| claims::takes(template, claim))?;
                Some(Violation::at(
                    &path(at, "user_mapping_provider.subject_template"),
                    format!("takes user.{reused}, which another person may have one day"),
                    "remove it: the claim sub is what the standard has for this",
                ))
            })
        },
    },
    Rule {
        code: "S0131",
        severity: Error,
        options: &["server.ca_certificates"],
        reason: "Certificate authorities are PEM files with certificates, and without a key: what a description names ends up in an image.",
        violations: |loaded| {
            let files = loaded.site.server.ca_certificates.iter().enumerate();
            files
                .filter_map(|(at, file)| {
                    let text = String::from_utf8_lossy(loaded.files.get(file.as_str()).map(Vec::as_slice).unwrap_or_default());
                    let option = format!("server.ca_certificates.{at}");
                    if text.contains("PRIVATE KEY-----") {
                        return Some(Violation::at(&option, format!("{file} holds a private key"), "name a file with certificates only"));
                    }
                    let whole = text.contains("-----BEGIN CERTIFICATE-----") && text.contains("-----END CERTIFICATE-----");
                    (!whole).then(|| {
                        Violation::at(&option, format!("{file} holds no PEM certificate"), "convert it: openssl x509 -inform der -in FILE -out FILE.pem")
                    })
                })
                .collect()
        },
    },
];

/// The option of a provider.
pub(super) fn path(at: usize, member: &str) -> String {
    format!("oidc.oidc_providers.{at}.{member}")
}

/// The addresses that Synapse itself asks, by option; people's browsers go to `authorization_endpoint`.
pub(super) fn asked(provider: &OidcProvider) -> Vec<(&'static str, &HttpUrl)> {
    let addresses = [
        ("issuer", Some(&provider.issuer).filter(|_| provider.discover)),
        ("token_endpoint", provider.token_endpoint.as_ref()),
        ("jwks_uri", provider.jwks_uri.as_ref()),
        ("userinfo_endpoint", provider.userinfo_endpoint.as_ref()),
    ];
    addresses.into_iter().filter_map(|(name, address)| Some((name, address?))).collect()
}

fn each(loaded: &Loaded, look: impl Fn(usize, &OidcProvider) -> Option<Violation>) -> Vec<Violation> {
    loaded.site.oidc.oidc_providers.iter().enumerate().filter_map(|(at, provider)| look(at, provider)).collect()
}

/// An address of a provider that begins with `http://`.
pub(super) struct InClear<'a> {
    at: usize,
    name: &'static str,
    address: &'a HttpUrl,
    /// Whether Synapse refuses it.
    pub(super) refused: bool,
}

/// The addresses without TLS of providers whose metadata are checked.
pub(super) fn in_clear(loaded: &Loaded) -> impl Iterator<Item = InClear<'_>> {
    let providers = loaded.site.oidc.oidc_providers.iter().enumerate().filter(|(_, provider)| !provider.skip_verification);
    providers.flat_map(|(at, provider)| {
        let addresses = [
            // The issuer that the provider's own metadata name comes before this one.
            ("issuer", Some(&provider.issuer), !provider.discover),
            ("authorization_endpoint", provider.authorization_endpoint.as_ref(), true),
            ("token_endpoint", provider.token_endpoint.as_ref(), true),
            ("jwks_uri", provider.jwks_uri.as_ref(), !provider.uses_userinfo()),
            ("userinfo_endpoint", provider.userinfo_endpoint.as_ref(), false),
        ];
        // Synapse's own localhost is wrong with TLS, too: S0213 says so.
        let astray = |name: &str, address: &HttpUrl| is_local(address.host()) && asked(provider).iter().any(|(other, _)| *other == name);
        addresses.into_iter().filter_map(move |(name, address, checked)| {
            let address = address.filter(|address| !address.is_https() && !astray(name, address))?;
            Some(InClear { at, name, address, refused: checked && !is_loopback(address.host()) })
        })
    })
}

pub(super) fn without_tls(found: &InClear) -> Violation {
    let InClear { at, name, address, .. } = found;
    let remedy = if is_local(address.host()) {
        format!("{name}: the https:// address that other machines know it by")
    } else {
        format!("{name}: {}", address.as_str().replacen("http://", "https://", 1))
    };
    Violation::at(&path(*at, name), "is http://", remedy)
}

/// Whether authlib takes `http://` with this host (common/security.py, is_secure_transport).
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

fn wrong_template(at: usize, name: &str, why: &str) -> Violation {
    let claim = match name {
        "subject_template" => "sub",
        "display_name_template" => "name",
        "email_template" => "email",
        "picture_template" => "picture",
        _ => "preferred_username",
    };
    let option = path(at, &format!("user_mapping_provider.{name}"));
    Violation::at(&option, why, format!("{}: \"{{{{ user.{claim} }}}}\"", name.rsplit('.').next().unwrap_or(name)))
}
