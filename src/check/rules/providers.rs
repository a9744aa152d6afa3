//! S0148 and S0149: what is doubtful about an OpenID Connect provider, and what Synapse takes all the same.

use super::claims;
use super::oidc::{in_clear, path, without_tls};
use super::{Rule, Violation};
use crate::check::Severity::Warning;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "S0148",
        severity: Warning,
        options: &["oidc.oidc_providers.user_mapping_provider"],
        reason: "These are Jinja2 templates, and one that Jinja2 cannot read keeps Synapse from starting (handlers/oidc.py, JinjaOidcMappingProvider).",
        violations: |loaded| {
            let providers = loaded.site.oidc.oidc_providers.iter().enumerate();
            let templates = providers.flat_map(|(at, provider)| claims::templates(provider).into_iter().map(move |template| (at, template)));
            templates
                // Of one that is wrong in any case S0129 says more.
                .filter(|(_, (_, text, personal))| claims::mistake(text, *personal).is_none())
                .filter_map(|(at, (name, text, _))| {
                    let option = path(at, &format!("user_mapping_provider.{name}"));
                    if let Some(shown) = claims::shown_as_it_stands(text) {
                        return Some(Violation::at(
                            &option,
                            format!("gives everybody the text `{shown}`"),
                            "remove what keeps Jinja2 from reading it: {% raw %} and {% endraw %}, or the quotes",
                        ));
                    }
                    let why = claims::doubt(text)?;
                    Some(Violation::at(&option, format!("may be no Jinja2 template: {why}"), "mend it; Jinja2 itself may know more than this check"))
                })
                .collect()
        },
    },
    Rule {
        code: "S0149",
        severity: Warning,
        options: &[
            "oidc.oidc_providers.issuer",
            "oidc.oidc_providers.authorization_endpoint",
            "oidc.oidc_providers.jwks_uri",
            "oidc.oidc_providers.userinfo_endpoint",
            "oidc.oidc_providers.token_endpoint",
            "oidc.oidc_providers.user_profile_method",
            "oidc.oidc_providers.scopes",
        ],
        reason: "Synapse does not demand TLS of the userinfo endpoint, of keys beside it, of localhost, nor of an issuer whose metadata name another; who can change what comes from there can be anybody here (handlers/oidc.py, _load_metadata, _validate_metadata).",
        violations: |loaded| in_clear(loaded).filter(|address| !address.refused).map(|address| without_tls(&address)).collect(),
    },
];
