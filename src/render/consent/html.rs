//! What there is to know about a policy in HTML: where its body ends, and what has no place on a page that asks for consent.
//! The tokenizer is that of the HTML standard, so that a comment or a title cannot pass for markup.

use html5gum::emitters::default::{DefaultEmitter, StartTag, Token};
use html5gum::{Span, Tokenizer};

/// Elements that run something, ask for something, or show somebody else's page.
const FORBIDDEN: [&str; 13] = ["script", "form", "input", "button", "textarea", "select", "iframe", "frame", "frameset", "object", "embed", "base", "noscript"];
/// Attributes that hold an address of something that the browser fetches by itself.
const FETCHED: [&str; 6] = ["src", "srcset", "background", "poster", "data", "action"];

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
    for token in tokens(html) {
        let Token::StartTag(tag) = token else { continue };
        let element = name(&tag.name);
        if FORBIDDEN.contains(&element) {
            found.push(format!("has the element <{element}>"));
        }
        attributes(&tag, element, &mut found);
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
        } else if FETCHED.contains(&attribute) && !address.starts_with("data:image/") || element == "link" && attribute == "href" {
            found.push(format!("has <{element}> fetch {value:?}, and the page has nothing beside it"));
        } else if element == "meta" && attribute == "http-equiv" && address == "refresh" {
            found.push("has <meta http-equiv=\"refresh\">, which leaves the page".to_owned());
        }
    }
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
        ] {
            assert!(strangers(good).is_empty(), "{good}: {:?}", strangers(good));
        }
    }
}
