//! A policy's file as the page that people agree on: Markdown or HTML in, a Jinja2 template for Synapse's consent resource out, with
//! the form in it and without a script. Whatever the policy says is text to Jinja. Sources: Synapse 1.163,
//! rest/consent/consent_resource.py (`v`, `u`, `h`; `user`, `userhmac`, `version`, `has_consented`, `public_version`).

pub mod html;

use pulldown_cmark::{Event, Options, Parser};

use crate::site::consent::Consent;
use crate::site::text::PolicyVersion;

/// How a policy is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Markdown (CommonMark with tables, footnotes and crossed-out text).
    Markdown,
    /// HTML, a whole document or a part of a body.
    Html,
}

/// The form that a file's name tells.
pub fn form(file: &str) -> Option<Form> {
    let ending = file.rsplit_once('.')?.1.to_ascii_lowercase();
    match ending.as_str() {
        "md" | "markdown" => Some(Form::Markdown),
        "html" | "htm" => Some(Form::Html),
        _ => None,
    }
}

/// The policy's text as HTML.
pub fn text(form: Form, source: &str) -> String {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source).replace("\r\n", "\n");
    if form == Form::Html {
        return source;
    }
    let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
    // Who wants markup of his own writes the policy in HTML; in Markdown a `<` is mostly one that is meant to be read.
    let events = Parser::new_ext(&source, options).map(|event| match event {
        Event::Html(markup) | Event::InlineHtml(markup) => Event::Text(markup),
        other => other,
    });
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, events);
    html
}

/// The template for one version of the policy, of which `html` is the text.
pub fn page(consent: &Consent, version: &PolicyVersion, html: &str) -> String {
    let form = form_for(consent, version);
    if let Some(at) = html::end_of_body(html) {
        // A document of its own keeps its looks.
        return format!("{}{form}{}", literal(&html[..at]), literal(&html[at..]));
    }
    let title = escape(consent.policy_name.as_str());
    let heading = if html::has_heading(html) { String::new() } else { format!("<h1>{}</h1>\n", literal(&title)) };
    frame(consent, &title, &format!("<article>\n{heading}{}</article>\n{form}", literal(html)))
}

/// The page that is shown after the button.
pub fn success(consent: &Consent) -> String {
    let page = &consent.page;
    let thanks = escape(page.thanks.as_str());
    let body = format!("<h1>{}</h1>\n<p role=\"status\">{}</p>\n", literal(&thanks), literal(&escape(page.close.as_str())));
    frame(consent, &thanks, &body)
}

fn form_for(consent: &Consent, version: &PolicyVersion) -> String {
    let page = &consent.page;
    let say = |line: &crate::site::text::Line| literal(&escape(line.as_str()));
    if *version != consent.version {
        // Agreeing to an old version would leave people as refused as before.
        let who = "{% if not public_version %}?u={{ user | urlencode }}&amp;h={{ userhmac | urlencode }}{% endif %}";
        return format!("<p><a href=\"consent{who}\">{}</a></p>\n", say(&page.superseded));
    }
    format!(
        "{{% if not public_version %}}{{% if has_consented %}}<p role=\"status\"><strong>{}</strong></p>\n{{% else %}}<form method=\"post\" action=\"consent\">\n\
         <input type=\"hidden\" name=\"v\" value=\"{{{{ version }}}}\">\n<input type=\"hidden\" name=\"u\" value=\"{{{{ user }}}}\">\n\
         <input type=\"hidden\" name=\"h\" value=\"{{{{ userhmac }}}}\">\n<button type=\"submit\">{}</button>\n</form>\n{{% endif %}}{{% endif %}}",
        say(&page.accepted),
        say(&page.accept)
    )
}

/// Plain, legible on a small screen and in the dark, without anything from elsewhere.
const STYLE: &str = "\
:root { color-scheme: light dark; }
body { margin: 0; font: 1.0625rem/1.6 system-ui, sans-serif; color: #1b1d22; background: #ffffff; }
main { max-width: 42rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; overflow-wrap: break-word; }
h1, h2, h3 { line-height: 1.25; }
a { color: #0b57d0; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
td, th { border: 1px solid #767676; padding: 0.3rem 0.6rem; text-align: start; vertical-align: top; }
button { font: inherit; font-weight: 600; padding: 0.75rem 1.5rem; border: 0; border-radius: 0.5rem; color: #ffffff; background: #0b57d0; cursor: pointer; }
button:focus-visible, a:focus-visible { outline: 3px solid #e8710a; outline-offset: 2px; }
@media (prefers-color-scheme: dark) {
  body { color: #e8eaed; background: #16181d; }
  a { color: #8ab4f8; }
  button { color: #0b1d3a; background: #8ab4f8; }
}
";

fn frame(consent: &Consent, title: &str, body: &str) -> String {
    let language = &consent.page.language;
    format!(
        "<!DOCTYPE html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"robots\" content=\"noindex\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        literal(title)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A text that Jinja2 gives out as it is: a brace that would begin one of its marks is written as an expression for that brace.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '{' && matches!(chars.peek(), Some('{' | '%' | '#')) {
            out.push_str("{{ '{' }}");
        } else {
            out.push(c);
        }
    }
    // What follows is not ours to join with.
    if text.ends_with('{') {
        out.truncate(out.len() - 1);
        out.push_str("{{ '{' }}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consent() -> Consent {
        serde_json::from_value(serde_json::json!({
            "version": "2", "documents": {"1": {"file": "1.md"}, "2": {"file": "2.html"}}, "policy_name": "Rules & <rights>"
        }))
        .expect("a section")
    }

    fn rendered(page: &str, consented: bool, public: bool) -> String {
        let mut environment = minijinja::Environment::new();
        environment.add_filter("urlencode", |text: String| text.replace('@', "%40"));
        environment.add_template("page.html", page).expect("a template");
        let context = minijinja::context! { user => "@a<b", userhmac => "abc", version => "2", has_consented => consented, public_version => public };
        environment.get_template("page.html").expect("there").render(context).expect("renders")
    }

    #[test]
    fn a_policy_is_text_to_jinja() {
        let evil = "{{ 7 * 7 }} {% for %} {# gone #} {{{% {{{{ {% endraw %} a{";
        let version = PolicyVersion::try_from("2".to_owned()).expect("a version");
        let shown = rendered(&page(&consent(), &version, evil), false, true);
        assert!(shown.contains(evil), "{shown}");
        for form in [Form::Markdown, Form::Html] {
            let shown = rendered(&page(&consent(), &version, &text(form, evil)), false, false);
            assert!(shown.contains("{{ 7 * 7 }} {% for %} {# gone #} {{{% {{{{ {% endraw %} a{"), "{shown}");
        }
    }

    #[test]
    fn markdown_shows_html_as_it_is_written() {
        let html = text(Form::Markdown, "# Title\n\n<script>alert(1)</script>\n\na <b>bold</b> word, 1 < 2\n\n| a | b |\n|---|---|\n| 1 | 2 |\n");
        assert!(!html.contains("<script") && !html.contains("<b>") && html.contains("&lt;script&gt;"), "{html}");
        assert!(html.contains("<h1>Title</h1>") && html.contains("<table>"), "{html}");
    }

    #[test]
    fn the_form_is_there_for_those_who_have_to_answer() {
        let version = PolicyVersion::try_from("2".to_owned()).expect("a version");
        let page = page(&consent(), &version, "<p>text</p>");
        let asked = rendered(&page, false, false);
        assert!(asked.contains("<form method=\"post\" action=\"consent\">") && asked.contains("name=\"u\" value=\"@a&lt;b\""), "{asked}");
        assert!(asked.contains("<h1>Rules &amp; &lt;rights&gt;</h1>") && asked.contains("name=\"viewport\""), "{asked}");
        let agreed = rendered(&page, true, false);
        assert!(!agreed.contains("<form") && agreed.contains("You have agreed"), "{agreed}");
        assert!(!rendered(&page, false, true).contains("<form"));
    }

    #[test]
    fn an_old_version_leads_to_the_current_one() {
        let version = PolicyVersion::try_from("1".to_owned()).expect("a version");
        let old = rendered(&page(&consent(), &version, "<h1>Old</h1>"), false, false);
        assert!(!old.contains("<form") && old.contains("href=\"consent?u=%40a&lt;b&amp;h=abc\"") && !old.contains("Rules &amp; &lt;rights&gt;</h1>"), "{old}");
    }

    #[test]
    fn a_whole_document_keeps_its_looks() {
        let version = PolicyVersion::try_from("2".to_owned()).expect("a version");
        let source = "<!doctype html><html><head><title></body></title><style>a{{}}</style></head><body class=x><p>text</p></body></html>";
        let shown = rendered(&page(&consent(), &version, source), false, false);
        assert!(shown.starts_with("<!doctype html><html><head><title></body></title><style>a{{}}</style></head><body class=x><p>text</p><form"), "{shown}");
        assert!(shown.ends_with("</form>\n</body></html>"), "{shown}");
    }

    #[test]
    fn the_page_of_thanks_is_whole() {
        assert!(rendered(&success(&consent()), true, false).contains("<h1>Thank you</h1>"));
    }
}
