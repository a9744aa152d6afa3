//! What there is to know about a policy in HTML: where its body ends, and what has no place on a page that asks for consent.
//! The tokenizer is that of the HTML standard, so that a comment or a title cannot pass for markup.

use std::sync::LazyLock;

use html5gum::emitters::default::{DefaultEmitter, StartTag, Token};
use html5gum::{Span, Tokenizer};
use regex::Regex;

/// Elements that run something, ask for something, or show somebody else's page.
const FORBIDDEN: [&str; 13] = ["script", "form", "input", "button", "textarea", "select", "iframe", "frame", "frameset", "object", "embed", "base", "noscript"];
/// Attributes that hold an address of something that the browser fetches by itself.
const FETCHED: [&str; 6] = ["src", "srcset", "background", "poster", "data", "action"];

/// Kinds of links that only tell of another page.
const TELLING: [&str; 10] = ["alternate", "author", "bookmark", "canonical", "help", "license", "me", "next", "prev", "shortlink"];

/// The address of a namespace is only a name, and is found before it could pass for one to fetch.
static FETCH: LazyLock<Regex> = LazyLock::new(|| {
    let parts = [r#"(?<import>@import[^;{}]*)"#, r#"url\(\s*["']?(?<address>[^"')]*)"#, r#"image-set\(\s*["'](?<set>[^"']*)"#, r"@namespace[^;]*"];
    Regex::new(&format!("(?i){}", parts.join("|"))).expect("a constant expression")
});

fn tokens(html: &str) -> impl Iterator<Item = Token<usize>> + '_ {
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(html, emitter).map(|token| match token {
        Ok(token) => token,
        Err(never) => match never {},
    })
}

/// Where the body of a whole document ends; none when the text is only a part of one.
pub fn end_of_body(html: &str) -> Option<usize> {
    let mut whole = false;
    let mut end = None;
    for token in tokens(html) {
        match token {
            Token::Doctype(_) => whole = true,
            Token::StartTag(tag) if matches!(name(&tag.name), "html" | "head" | "body") => whole = true,
            Token::EndTag(tag) if name(&tag.name) == "body" => end = Some(tag.span),
            Token::EndTag(tag) if name(&tag.name) == "html" && end.is_none() => end = Some(tag.span),
            _ => {}
        }
    }
    whole.then(|| end.and_then(|Span { start, .. }| html.get(start..).map(|_| start)).unwrap_or(html.len()))
}

/// Whether there is a first-level heading.
pub fn has_heading(html: &str) -> bool {
    tokens(html).any(|token| matches!(token, Token::StartTag(tag) if name(&tag.name) == "h1"))
}

/// Everything that has no place on the page, in words.
pub fn strangers(html: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_style = false;
    for token in tokens(html) {
        match token {
            Token::StartTag(tag) => {
                let element = name(&tag.name);
                in_style = element == "style";
                if FORBIDDEN.contains(&element) {
                    found.push(format!("has the element <{element}>"));
                }
                attributes(&tag, element, &mut found);
            }
            Token::EndTag(_) => in_style = false,
            Token::String(text) if in_style => found.extend(css_fetches(&String::from_utf8_lossy(&text)).map(|what| format!("has a <style> fetch {what:?}"))),
            _ => {}
        }
    }
    found.dedup();
    found
}

/// The first mark of a Jinja2 template that people would see, or a browser would follow.
pub fn mark(html: &str) -> Option<&'static str> {
    let in_text = |text: &[u8]| ["{%", "{{"].into_iter().find(|mark| text.windows(2).any(|two| two == mark.as_bytes()));
    tokens(html).find_map(|token| match token {
        Token::String(text) => in_text(&text),
        Token::StartTag(tag) => tag.attributes.values().find_map(|value| in_text(value)),
        _ => None,
    })
}

fn attributes(tag: &StartTag<usize>, element: &str, found: &mut Vec<String>) {
    for (attribute, value) in &tag.attributes {
        let (attribute, value) = (name(attribute), String::from_utf8_lossy(value));
        // Blanks and control characters before and in a scheme do not stop a browser.
        let address: String = value.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect::<String>().to_ascii_lowercase();
        if attribute.starts_with("on") {
            found.push(format!("has the attribute {attribute} in <{element}>, which is a script"));
        } else if address.starts_with("javascript:") || address.starts_with("vbscript:") {
            found.push(format!("has a script in {attribute} of <{element}>"));
        } else if attribute == "style" {
            found.extend(css_fetches(&value).map(|what| format!("has a style of <{element}> fetch {what:?}")));
        } else if FETCHED.contains(&attribute) && !address.starts_with("data:image/") || is_fetched_by_href(tag, element, attribute, &address) {
            found.push(format!("has <{element}> fetch {value:?}, and the page has nothing beside it"));
        } else if element == "meta" && attribute == "http-equiv" && address == "refresh" {
            found.push("has <meta http-equiv=\"refresh\">, which leaves the page".to_owned());
        }
    }
}

/// Whether a browser fetches an `href` by itself: a link's, unless it only tells of another page, and those of SVG's pictures and parts.
fn is_fetched_by_href(tag: &StartTag<usize>, element: &str, attribute: &str, address: &str) -> bool {
    let is_here = address.starts_with("data:") || address.starts_with('#');
    match (element, attribute) {
        ("link", "href") => {
            let kinds =
                tag.attributes.iter().find(|(attribute, _)| name(attribute) == "rel").map(|(_, kinds)| String::from_utf8_lossy(kinds).to_ascii_lowercase());
            let tells = kinds.is_some_and(|kinds| !kinds.trim().is_empty() && kinds.split_ascii_whitespace().all(|kind| TELLING.contains(&kind)));
            !is_here && !tells
        }
        ("image" | "feimage" | "use", "href" | "xlink:href") => !is_here,
        _ => false,
    }
}

/// What a style has a browser fetch: `@import`, and every address that is neither in the page nor in the address itself.
fn css_fetches(css: &str) -> impl Iterator<Item = String> {
    let css = uncommented(css);
    let found: Vec<String> = FETCH
        .captures_iter(&css)
        .filter(|found| {
            let address = found.name("address").or(found.name("set")).map_or("", |address| address.as_str()).to_ascii_lowercase();
            let is_elsewhere = !(address.is_empty() || address.starts_with("data:") || address.starts_with('#'));
            found.name("import").is_some() || is_elsewhere
        })
        .map(|found| found[0].trim().to_owned())
        .collect();
    found.into_iter()
}

fn uncommented(css: &str) -> String {
    let mut kept = String::new();
    let mut rest = css;
    while let Some((before, comment)) = rest.split_once("/*") {
        kept.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    kept + rest
}

/// Names of elements and attributes are in lower case after the tokenizer.
fn name(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_body_is_not_in_a_comment() {
        assert_eq!(end_of_body("<p>part</p>"), None);
        assert_eq!(end_of_body("<!-- <body> --><p>part</p>"), None);
        let whole = "<html><body>\u{e9}<!-- </body> --><p>a</p></body></html>";
        assert_eq!(end_of_body(whole), whole.rfind("</body>"));
        let open = "<body><p>a";
        assert_eq!(end_of_body(open), Some(open.len()));
        let short = "<!doctype html>\u{1f600}<p>a</html>\n";
        assert_eq!(end_of_body(short), short.find("</html>"));
    }

    #[test]
    fn a_mark_of_a_template_is_one_that_somebody_sees() {
        assert_eq!(mark("<p>{% if has_consented %}<b>Thanks</b>{% endif %}</p>"), Some("{%"));
        assert_eq!(mark("<p>Dear {{ user }}</p>"), Some("{{"));
        assert_eq!(mark("<a href='{{ url }}'>b</a>"), Some("{{"));
        assert_eq!(mark("<!-- {% if x %} --><style>p{a:b}</style><p>{ 100 % }</p>"), None);
    }

    #[test]
    fn what_has_no_place() {
        for bad in [
            "<SCRIPT>x</SCRIPT>",
            "<p onclick='x'>",
            "<a href=' java\nscript:x'>",
            "<img src=https://elsewhere.example/x.png>",
            "<link rel=stylesheet href=x.css>",
            "<form action=x>",
            "<meta http-equiv=Refresh content=0>",
            "<svg><a onload=x>",
            "<svg><image href='https://elsewhere.example/x.png'/></svg>",
            "<svg><use xlink:href='https://elsewhere.example/x.svg#a'/></svg>",
            "<style>@IMPORT 'https://elsewhere.example/x.css';</style>",
            "<style>p { background: URL( \"https://elsewhere.example/x.png\" ) }</style>",
            "<style>/* a */ p { background: url(x.png) }</style>",
            "<style>p { background: image-set('x.png' 1x) }</style>",
            "<p style='background: url(//elsewhere.example/x.png)'>",
            "<link rel='canonical stylesheet' href='https://elsewhere.example/'>",
            "<link rel=preconnect href='https://elsewhere.example/'>",
            "<link rel='alternate stylesheet' href=x.css>",
        ] {
            assert!(!strangers(bad).is_empty(), "{bad}");
        }
        for good in [
            "<p style='color: red'>a</p>",
            "<a href='https://example.com/'>b</a>",
            "<img alt='' src='data:image/png;base64,AA=='>",
            "<!-- <script> -->",
            "&lt;script&gt;",
            "<style>p{}</style>",
            "<link rel=canonical href='https://example.com/policy'>",
            "<link rel=icon href='data:,'>",
            "<style>/* url(x.png) */ p { background: url(data:image/png;base64,AA==); fill: url(#a) }</style>",
            "<style>@namespace url(http://www.w3.org/1999/xhtml); p{}</style>",
            "<svg><image href='data:image/png;base64,AA=='/><use href='#a'/></svg>",
            "<p>@import 'x.css'; url(x.png)</p>",
        ] {
            assert!(strangers(good).is_empty(), "{good}: {:?}", strangers(good));
        }
    }
}
