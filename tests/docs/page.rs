//! A page of Markdown, as far as tests look at it: its blocks of code, its headings and its links.

use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A block of code.
#[derive(Debug, Clone)]
pub struct Block {
    /// `docs/email.md:12`.
    pub place: String,
    /// `yaml`, `nix`; empty for an indented block.
    pub language: String,
    /// What is in it.
    pub text: String,
    /// What a comment right before it adds to make a whole description of it: `<!-- with {turn: {source: none}} -->`.
    pub with: Option<String>,
    /// Whether it follows another block with nothing between.
    pub follows: bool,
}

/// One page.
#[derive(Debug)]
pub struct Page {
    /// Where it lies.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// Every page for people.
pub fn all() -> Vec<Page> {
    let docs = std::fs::read_dir("docs").expect("docs").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> =
        docs.chain(["README.md", "examples/README.md"].map(PathBuf::from)).filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    paths.sort();
    paths.into_iter().map(|path| Page { text: std::fs::read_to_string(&path).expect("text"), path }).collect()
}

impl Page {
    /// Its blocks of code, in order.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        let mut with = None;
        let mut follows = false;
        for (event, range) in Parser::new_ext(&self.text, Options::ENABLE_TABLES).into_offset_iter() {
            match event {
                Event::Start(Tag::CodeBlock(kind)) => {
                    let line = self.text[..range.start].lines().count() + 1;
                    let language = if let CodeBlockKind::Fenced(language) = kind { language.to_string() } else { String::new() };
                    open = Some(Block { place: format!("{}:{line}", self.path.display()), language, text: String::new(), with: with.take(), follows });
                }
                Event::End(TagEnd::CodeBlock) => {
                    blocks.extend(open.take());
                    follows = true;
                }
                Event::Text(text) if open.is_some() => open.iter_mut().for_each(|block| block.text.push_str(&text)),
                Event::Html(text) => {
                    if let Some(added) = text.trim().strip_prefix("<!-- with ").and_then(|rest| rest.strip_suffix("-->")) {
                        with = Some(added.trim().to_owned());
                    }
                }
                Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => {}
                _ => follows = false,
            }
        }
        blocks
    }

    /// The names that links into it can end with.
    pub fn anchors(&self) -> Vec<String> {
        let mut anchors = Vec::new();
        let mut heading: Option<String> = None;
        for event in Parser::new_ext(&self.text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => anchors.extend(heading.take().map(|text| slug(&text))),
                Event::InlineHtml(html) => anchors.extend(html.strip_prefix("<a id=\"").and_then(|rest| rest.split('"').next()).map(str::to_owned)),
                Event::Text(text) | Event::Code(text) => heading.iter_mut().for_each(|heading| heading.push_str(&text)),
                _ => {}
            }
        }
        anchors
    }

    /// The targets of its links.
    pub fn links(&self) -> Vec<String> {
        Parser::new_ext(&self.text, Options::ENABLE_TABLES)
            .filter_map(|event| if let Event::Start(Tag::Link { dest_url, .. }) = event { Some(dest_url.to_string()) } else { None })
            .collect()
    }

    /// The file that a link leads to from here, and its anchor.
    pub fn target(&self, link: &str) -> (PathBuf, String) {
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let here = self.path.parent().unwrap_or(Path::new(""));
        (if file.is_empty() { self.path.clone() } else { here.join(file) }, anchor.to_owned())
    }
}

/// How forges make an anchor of a heading: small letters, hyphens for spaces, and no other signs but `-` and `_`.
fn slug(heading: &str) -> String {
    heading.to_lowercase().chars().filter_map(|c| if c == ' ' { Some('-') } else { (c.is_alphanumeric() || c == '-' || c == '_').then_some(c) }).collect()
}
