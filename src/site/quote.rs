//! The quotation mark that somebody forgot to close. To a reader it is closed by the next one, some lines below, and what follows makes no sense;
//! to people the text ends where its line does.

use std::sync::LazyLock;

use regex::Regex;

/// Line and column, both from 1, of the first quotation mark that is not closed before an option begins in a later line, or before the end.
pub fn unclosed(text: &str) -> Option<(usize, usize)> {
    let mut lines = text.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        if begins_block(line) {
            let depth = indent(line);
            while lines.next_if(|(_, line)| line.trim().is_empty() || indent(line) > depth).is_some() {}
            continue;
        }
        let mut rest = open(line, None);
        let Some((column, mark)) = rest else { continue };
        // A text may go on in the next lines; one that holds an option's name with its colon hardly does.
        loop {
            match lines.next() {
                None => return Some((at + 1, column + 1)),
                Some((_, line)) if begins_option(line) => return Some((at + 1, column + 1)),
                Some((_, line)) => {
                    rest = open(line, Some(mark));
                    match rest {
                        Some((_, again)) if again == mark => {}
                        _ => break,
                    }
                }
            }
        }
    }
    None
}

/// Line and column, both from 1, of the first text that ends too early, at a mark of its own kind in it: `'don't care'`.
pub fn ended_early(text: &str) -> Option<(usize, usize)> {
    static EARLY: LazyLock<Regex> = LazyLock::new(|| {
        let before = r"(?:^\s*(?:-\s+)*(?:[\w.-]+:\s+)?|[\[{,]\s*(?:[\w.-]+:\s+)?)";
        Regex::new(&format!(r#"{before}(?:(?P<single>'(?:[^']|'')*')\w|(?P<double>"(?:[^"\\]|\\.)*")\w)"#)).expect("an expression")
    });
    text.lines().enumerate().find_map(|(at, line)| {
        let found = EARLY.captures(line)?;
        let mark = found.name("single").or_else(|| found.name("double"))?;
        Some((at + 1, line[..mark.start()].chars().count() + 1))
    })
}

/// The mark that is open at the end of a line, and its column from 0, in characters.
fn open(line: &str, mut inside: Option<char>) -> Option<(usize, char)> {
    let mut begun = 0;
    let mut before = ' ';
    let mut begins = true;
    let mut chars = line.chars().enumerate().peekable();
    while let Some((at, c)) = chars.next() {
        match inside {
            Some('"') if c == '\\' => drop(chars.next()),
            Some('\'') if c == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') => drop(chars.next()),
            Some(mark) if c == mark => inside = None,
            Some(_) => {}
            None if c == '#' && before.is_whitespace() => return None,
            None if begins && matches!(c, '"' | '\'') => {
                inside = Some(c);
                begun = at;
            }
            None => {}
        }
        // Only where a value can begin: it's is no quotation.
        begins = inside.is_none()
            && (matches!(c, '[' | '{' | ',') || c.is_whitespace() && begins || c.is_whitespace() && matches!(before, ':' | '-') || c == ':' && before == '"');
        before = c;
    }
    inside.map(|mark| (begun, mark))
}

/// Whether a text of several lines begins, with | or >.
fn begins_block(line: &str) -> bool {
    let last = line.split_whitespace().next_back().unwrap_or_default();
    last.starts_with(['|', '>']) && last.len() <= 3 && line.contains([':', '-'])
}

fn begins_option(line: &str) -> bool {
    let Some((name, rest)) = line.trim_start().trim_start_matches("- ").split_once(':') else { return false };
    let name = name.trim_matches(['"', '\'']);
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) && (rest.is_empty() || rest.starts_with([' ', '\t']))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}
