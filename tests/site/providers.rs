//! Providers of OpenID Connect: what Synapse takes is not refused, and each mistake is found once. One site after the other, as a user's editor would have it.

use synapse_site::check::Finding;
use synapse_site::check::rules;
use synapse_site::error::Error;
use synapse_site::site::load;

/// What is found in a site with this provider, and more options of the section.
fn found(provider: &str, section: &str) -> Vec<Finding> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("site.yaml");
    let text = format!(
        "server: {{server_name: example.com, public_baseurl: 'https://matrix.example.com/'}}\noidc: {{oidc_providers: [{{idp_id: k, idp_name: K, client_id: m, {provider}}}], {section}}}\n"
    );
    std::fs::write(&file, text).expect("written");
    match load::load(&file) {
        Ok(loaded) => rules::apply(&loaded).list,
        Err(Error::Site(findings)) => findings.list,
        Err(other) => panic!("{other}"),
    }
}

fn codes(provider: &str) -> Vec<&'static str> {
    found(provider, "").into_iter().map(|finding| finding.code).collect()
}

/// The codes that a provider is found to break, with more options than those that it needs.
fn with(more: &str) -> Vec<&'static str> {
    codes(&format!("issuer: 'https://id.example.com/', {more}"))
}

#[test]
fn a_template_for_a_name_takes_a_claim_only_within_its_braces() {
    let template = |name: &str, text: &str| with(&format!("user_mapping_provider: {{{name}_template: '{text}'}}"));
    for bad in ["user.name", "{ user.preferred_username }", "{{ name }} user", "{{ username }}", "{# user #}"] {
        assert_eq!(template("localpart", bad), ["S0129"], "{bad}");
    }
    for good in [
        "{{ user.preferred_username }}",
        "{{user.email.split(\"@\")[0]}}",
        "{% if user.nick %}{{ user.nick }}{% endif %}",
        "{{ user.sub[:8] }}",
        "{{ user.email[0:5]|lower }}",
        "{{-user.x[::-1]-}}",
        "{{ \"}}\" ~ user.x }}",
    ] {
        assert_eq!(template("localpart", good), Vec::<&str>::new(), "{good}");
    }
    // Synapse takes one display name for all.
    assert_eq!(template("display_name", "Member"), Vec::<&str>::new());
    assert_eq!(template("email", "all@example.com"), ["S0129"]);
    // The program's own reader of templates knows less than Jinja2.
    for text in ["{{ user[\"a\"], 1 }}", "{{ user.name | }}"] {
        assert_eq!(template("localpart", text), ["S0148"], "{text}");
    }
    for text in ["{{ user.name }", "{{ user.name", "{% if user.name }}", "{{ user.name }}{# user.nick"] {
        assert_eq!(template("display_name", text), ["S0129"], "{text}");
    }
}

#[test]
fn what_names_a_person_is_looked_at_claim_by_claim() {
    let subject = |text: &str| with(&format!("user_mapping_provider: {{subject_template: '{text}'}}"));
    for bad in ["{{ user.email }}", "{{ user[\"email\"] }}", "{{ user [ \"upn\" ]|lower }}", "{{ user.name }}"] {
        assert_eq!(subject(bad), ["S0130"], "{bad}");
    }
    for good in ["{{ user.nameid }}", "{{ user[\"email_id\"] }}", "{{ other_user.email }}{{ user.sub }}"] {
        assert_eq!(subject(good), Vec::<&str>::new(), "{good}");
    }
    let logout = |text: &str| with(&format!("backchannel_logout_enabled: true, user_mapping_provider: {{subject_template: '{text}'}}"));
    for good in ["{{ user.sub }}", "{{ user.sub | string }}", "{{- user[\"sub\"] -}}", "{{ user.sub.strip() }}"] {
        assert_eq!(logout(good), Vec::<&str>::new(), "{good}");
    }
    for bad in ["{{ user.oid }}", "{{ user.sub }}@k", "{{ user.sub | upper }}"] {
        assert_eq!(logout(bad), ["S0123"], "{bad}");
    }
}

#[test]
fn a_provider_that_tells_nothing_needs_its_keys_where_it_gives_a_token() {
    let told =
        |more: &str| with(&format!("discover: false, authorization_endpoint: 'https://id.example.com/a', token_endpoint: 'https://id.example.com/t', {more}"));
    let (keys, userinfo) = ("jwks_uri: 'https://id.example.com/k'", "userinfo_endpoint: 'https://id.example.com/u'");
    assert_eq!(told(&format!("user_profile_method: userinfo_endpoint, {userinfo}")), ["S0121"]);
    assert_eq!(told(&format!("user_profile_method: userinfo_endpoint, {keys}")), ["S0121"]);
    assert_eq!(told(&format!("scopes: [read], {keys}")), ["S0121"]);
    for good in [keys.to_owned(), format!("user_profile_method: userinfo_endpoint, {keys}, {userinfo}"), format!("scopes: ['read:user'], {userinfo}")] {
        assert_eq!(told(&good), Vec::<&str>::new(), "{good}");
    }
}

#[test]
fn an_address_without_tls_is_an_error_only_where_synapse_refuses_it() {
    let known = "discover: false, jwks_uri: 'https://id.example.com/k', token_endpoint: 'https://id.example.com/t'";
    let all = format!("{known}, authorization_endpoint: 'https://id.example.com/a'");
    for (more, expected) in [
        ("jwks_uri: 'http://id.example.com/'", "S0124"),
        ("token_endpoint: 'http://id.example.com/'", "S0124"),
        ("authorization_endpoint: 'http://id.example.com/'", "S0124"),
        ("userinfo_endpoint: 'http://id.example.com/'", "S0149"),
        ("jwks_uri: 'http://id.example.com/', user_profile_method: userinfo_endpoint", "S0149"),
    ] {
        assert_eq!(with(more), [expected], "{more}");
    }
    // What a provider says of itself counts more than what is written here.
    assert_eq!(codes("issuer: 'http://id.example.com/'"), ["S0149"]);
    assert_eq!(codes(&format!("issuer: 'http://id.example.com/', {all}")), ["S0124"]);
    assert_eq!(with("skip_verification: true, userinfo_endpoint: 'http://id.example.com/'"), ["S0125"]);
}

#[test]
fn people_are_sent_back_to_a_page_or_to_an_app() {
    let found = |client: &str| found("issuer: 'https://id.example.com/'", &format!("client_whitelist: ['{client}']"));
    for good in ["https://app.example.com/", "https://app.example.com:8443/x", "element://connect", "io.element.app:/callback", "https://app.example.com#"] {
        assert_eq!(found(good).len(), 0, "{good}: {:?}", found(good));
    }
    for (bad, another) in [
        ("https://app.example.com", "https://app.example.com.evil.example"),
        ("https://app.example.com:8443", "https://app.example.com:8443@evil.example"),
        ("http://[2001:db8::1]", "http://[2001:db8::1]@evil.example"),
    ] {
        let found = found(bad);
        assert_eq!((found.len(), found[0].code), (1, "S0126"), "{bad}");
        assert!(found[0].message.contains(another), "{}", found[0].message);
    }
    for (bad, remedy) in [
        ("app.example.com", "write \"https://app.example.com/\""),
        ("app.example.com:8443", "write \"https://app.example.com:8443/\""),
        ("element://con nect", "write for example \"https://app.example.com/\""),
        ("https://", "write for example \"https://app.example.com/\""),
    ] {
        let found = found(bad);
        assert_eq!((found.len(), found[0].code, found[0].remedy.as_deref()), (1, "S0005", Some(remedy)), "{bad}");
    }
}
