//! Whether Python's `re.compile` takes an expression (Python 3.11 to 3.13, Lib/re/_parser.py and the widths of _compiler.py). Takes the
//! expression, gives what Python stumbles over. What it matches is not looked at.

use std::collections::BTreeMap;

/// What Python cannot read in an expression; none if it takes it.
pub fn broken(expression: &str) -> Option<String> {
    let parse = |verbose| {
        let mut parser = Parser { chars: expression.chars().collect(), verbose, ..Parser::default() };
        (parser.whole(), parser.asks_for_verbose)
    };
    match parse(false) {
        // `(?x)` at the beginning holds for the whole expression, which Python then reads again.
        (_, true) => parse(true).0.err(),
        (read, false) => read.err(),
    }
}

/// The lengths that an expression can match: least and most.
type Width = (u64, u64);

/// What an item is to a quantifier after it.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Other,
    Place,
    Repeated,
}

/// How many groups may be in each other. Python's parser ends at its limit of recursion, with three calls or more for each.
const DEEPEST: usize = 250;

#[derive(Default)]
struct Parser {
    chars: Vec<char>,
    at: usize,
    verbose: bool,
    asks_for_verbose: bool,
    /// Each group's width; none while it is open.
    groups: Vec<Option<Width>>,
    names: BTreeMap<String, usize>,
    /// Groups that conditions name, which may come later.
    conditions: Vec<usize>,
    /// How many groups are open.
    depth: usize,
    /// How many groups there were where the outermost look-behind began.
    behind: Option<usize>,
}

impl Parser {
    fn whole(&mut self) -> Result<(), String> {
        self.branches(true)?;
        if self.peek().is_some() {
            return Err("unbalanced parenthesis".to_owned());
        }
        match self.conditions.iter().find(|group| **group > self.groups.len()) {
            Some(group) => Err(format!("invalid group reference {group}")),
            None => Ok(()),
        }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += usize::from(next.is_some());
        next
    }

    fn skip(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, wanted: char, otherwise: &str) -> Result<(), String> {
        if self.skip(wanted) { Ok(()) } else { Err(otherwise.to_owned()) }
    }

    fn digits(&mut self) -> String {
        let mut digits = String::new();
        while let Some(digit) = self.peek().filter(char::is_ascii_digit) {
            digits.push(digit);
            self.at += 1;
        }
        digits
    }

    fn until(&mut self, end: char, what: &str) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(if text.is_empty() { format!("missing {what}") } else { format!("missing {end}, unterminated name") }),
                Some(c) if c == end && text.is_empty() => return Err(format!("missing {what}")),
                Some(c) if c == end => return Ok(text),
                Some(c) => text.push(c),
            }
        }
    }

    fn branches(&mut self, first: bool) -> Result<Width, String> {
        let mut width = self.sequence(first)?;
        while self.skip('|') {
            let other = self.sequence(false)?;
            width = (width.0.min(other.0), width.1.max(other.1));
        }
        Ok(width)
    }

    fn sequence(&mut self, first: bool) -> Result<Width, String> {
        if self.depth > DEEPEST {
            return Err(format!("more than {DEEPEST} groups in each other"));
        }
        self.depth += 1;
        let mut items: Vec<(Kind, Width)> = Vec::new();
        while let Some(c) = self.peek().filter(|c| !"|)".contains(*c)) {
            self.at += 1;
            if self.verbose && (" \t\n\r\u{b}\u{c}".contains(c)) {
                continue;
            }
            if self.verbose && c == '#' {
                while self.next().is_some_and(|c| c != '\n') {}
                continue;
            }
            match c {
                '\\' => items.push(self.escape()?),
                '[' => items.push((Kind::Other, self.set()?)),
                '^' | '$' => items.push((Kind::Place, (0, 0))),
                '(' => items.extend(self.group(first && items.is_empty())?.map(|width| (Kind::Other, width))),
                '*' | '+' | '?' | '{' => {
                    let Some((least, most)) = self.repeat(c)? else {
                        items.push((Kind::Other, (1, 1)));
                        continue;
                    };
                    match items.last_mut() {
                        None | Some((Kind::Place, _)) => return Err("nothing to repeat".to_owned()),
                        Some((Kind::Repeated, _)) => return Err("multiple repeat".to_owned()),
                        Some((kind, width)) => {
                            *kind = Kind::Repeated;
                            *width = (width.0.saturating_mul(least), width.1.saturating_mul(most));
                        }
                    }
                    let _ = self.skip('?') || self.skip('+');
                }
                _ => items.push((Kind::Other, (1, 1))),
            }
        }
        self.depth -= 1;
        Ok(items.iter().fold((0, 0), |sum: Width, (_, width)| (sum.0.saturating_add(width.0), sum.1.saturating_add(width.1))))
    }

    /// The numbers of a quantifier; none for a brace that is only a character.
    fn repeat(&mut self, sign: char) -> Result<Option<Width>, String> {
        const ANY: u64 = u32::MAX as u64;
        match sign {
            '?' => return Ok(Some((0, 1))),
            '*' => return Ok(Some((0, ANY))),
            '+' => return Ok(Some((1, ANY))),
            _ => {}
        }
        let start = self.at;
        if self.peek() == Some('}') {
            return Ok(None);
        }
        let least = self.digits();
        let most = if self.skip(',') { self.digits() } else { least.clone() };
        if !self.skip('}') {
            self.at = start;
            return Ok(None);
        }
        let number = |digits: &str, otherwise| match digits {
            "" => Ok(otherwise),
            digits => digits.parse().ok().filter(|number| *number < ANY).ok_or("the repetition number is too large"),
        };
        let (least, most) = (number(&least, 0)?, number(&most, ANY)?);
        if most < least { Err("min repeat greater than max repeat".to_owned()) } else { Ok(Some((least, most))) }
    }

    fn escape(&mut self) -> Result<(Kind, Width), String> {
        let one = Ok((Kind::Other, (1, 1)));
        let Some(c) = self.next() else { return Err("bad escape (end of pattern)".to_owned()) };
        match c {
            'A' | 'b' | 'B' | 'Z' => Ok((Kind::Place, (0, 0))),
            'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'a' | 'f' | 'n' | 'r' | 't' | 'v' => one,
            'x' | 'u' | 'U' | 'N' => self.code(c).and(one),
            '0' => {
                self.octal(2);
                one
            }
            '1'..='9' => {
                let mut digits = String::from(c);
                if let Some(second) = self.peek().filter(char::is_ascii_digit) {
                    digits.push(second);
                    self.at += 1;
                    let is_octal = |c: char| ('0'..='7').contains(&c);
                    if let Some(third) = self.peek().filter(|third| is_octal(c) && is_octal(second) && is_octal(*third)) {
                        self.at += 1;
                        return if c > '3' { Err(format!("octal escape value \\{digits}{third} outside of range 0-0o377")) } else { one };
                    }
                }
                let group = digits.parse().unwrap_or(usize::MAX);
                if group > self.groups.len() { Err(format!("invalid group reference {group}")) } else { Ok((Kind::Other, self.reference(group)?)) }
            }
            c if c.is_ascii_alphabetic() => Err(format!("bad escape \\{c}")),
            _ => one,
        }
    }

    fn octal(&mut self, most: usize) -> String {
        let mut digits = String::new();
        while digits.len() < most {
            let Some(digit) = self.peek().filter(|c| ('0'..='7').contains(c)) else { break };
            digits.push(digit);
            self.at += 1;
        }
        digits
    }

    /// What `\x`, `\u`, `\U` and `\N` have after them, as a character where that is known.
    fn code(&mut self, kind: char) -> Result<Option<char>, String> {
        if kind == 'N' {
            self.expect('{', "missing {")?;
            return self.until('}', "character name").map(|_| None);
        }
        let length = match kind {
            'x' => 2,
            'u' => 4,
            _ => 8,
        };
        let digits: String = self.chars[self.at..].iter().take(length).take_while(|c| c.is_ascii_hexdigit()).collect();
        self.at += digits.len();
        let value = u32::from_str_radix(&digits, 16).ok().filter(|value| digits.len() == length && *value <= 0x10_ffff);
        // Python has lone surrogates, too.
        value.map(char::from_u32).ok_or_else(|| format!("incomplete or bad escape \\{kind}{digits}"))
    }

    fn set(&mut self) -> Result<Width, String> {
        const OPEN: &str = "unterminated character set";
        self.skip('^');
        let mut first = true;
        loop {
            let c = self.next().ok_or(OPEN)?;
            if c == ']' && !first {
                return Ok((1, 1));
            }
            first = false;
            let low = self.member(c)?;
            if !self.skip('-') {
                continue;
            }
            let c = self.next().ok_or(OPEN)?;
            if c == ']' {
                return Ok((1, 1));
            }
            match (low, self.member(c)?) {
                (Member::One(Some(low)), Member::One(Some(high))) if high < low => return Err(format!("bad character range {low}-{high}")),
                (Member::One(_), Member::One(_)) => {}
                _ => return Err("bad character range".to_owned()),
            }
        }
    }

    /// One character of a set, or a class of them.
    fn member(&mut self, c: char) -> Result<Member, String> {
        if c != '\\' {
            return Ok(Member::One(Some(c)));
        }
        let Some(c) = self.next() else { return Err("bad escape (end of pattern)".to_owned()) };
        Ok(match c {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => Member::Class,
            'a' => Member::One(Some('\u{7}')),
            'b' => Member::One(Some('\u{8}')),
            'f' => Member::One(Some('\u{c}')),
            'n' => Member::One(Some('\n')),
            'r' => Member::One(Some('\r')),
            't' => Member::One(Some('\t')),
            'v' => Member::One(Some('\u{b}')),
            'x' | 'u' | 'U' | 'N' => Member::One(self.code(c)?),
            '0'..='7' => {
                let digits = format!("{c}{}", self.octal(2));
                let value = u32::from_str_radix(&digits, 8).ok().filter(|value| *value <= 0o377);
                Member::One(Some(value.and_then(char::from_u32).ok_or_else(|| format!("octal escape value \\{digits} outside of range 0-0o377"))?))
            }
            c if c.is_ascii_alphanumeric() => return Err(format!("bad escape \\{c}")),
            c => Member::One(Some(c)),
        })
    }

    /// A reference to a group, which has to be closed.
    fn reference(&mut self, group: usize) -> Result<Width, String> {
        let Some(Some(width)) = self.groups.get(group - 1) else { return Err("cannot refer to an open group".to_owned()) };
        if self.behind.is_some_and(|before| group > before) {
            return Err("cannot refer to group defined in the same lookbehind subpattern".to_owned());
        }
        Ok(*width)
    }

    fn name(&mut self, end: char) -> Result<String, String> {
        let name = self.until(end, "group name")?;
        let begins = name.starts_with(|c: char| c == '_' || c.is_alphabetic());
        if begins && name.chars().all(|c| c == '_' || c.is_alphanumeric()) { Ok(name) } else { Err(format!("bad character in group name {name:?}")) }
    }

    /// What is in parentheses; none for what is no item, such as a comment.
    fn group(&mut self, first: bool) -> Result<Option<Width>, String> {
        const OPEN: &str = "missing ), unterminated subpattern";
        const END: &str = "unexpected end of pattern";
        if !self.skip('?') {
            return self.captured(None).map(Some);
        }
        let outer = self.verbose;
        match self.next().ok_or(END)? {
            'P' => match self.next().ok_or(END)? {
                '<' => {
                    let name = self.name('>')?;
                    return self.captured(Some(name)).map(Some);
                }
                '=' => {
                    let name = self.name(')')?;
                    let group = *self.names.get(&name).ok_or_else(|| format!("unknown group name {name:?}"))?;
                    return self.reference(group).map(Some);
                }
                other => return Err(format!("unknown extension ?P{other}")),
            },
            '#' => {
                while let Some(c) = self.next() {
                    match c {
                        ')' => return Ok(None),
                        // An escaped parenthesis does not end it.
                        '\\' => drop(self.next()),
                        _ => {}
                    }
                }
                return Err("missing ), unterminated comment".to_owned());
            }
            sign @ ('=' | '!' | '<') => {
                let behind = sign == '<';
                if behind {
                    match self.next().ok_or(END)? {
                        '=' | '!' => {}
                        other => return Err(format!("unknown extension ?<{other}")),
                    }
                }
                let before = self.behind;
                if behind && before.is_none() {
                    self.behind = Some(self.groups.len());
                }
                let (least, most) = self.branches(false)?;
                self.behind = before;
                self.expect(')', OPEN)?;
                if behind && least != most {
                    return Err("look-behind requires fixed-width pattern".to_owned());
                }
                return Ok(Some((0, 0)));
            }
            '(' => return self.condition().map(Some),
            ':' | '>' => {}
            flag => {
                if self.flags(flag)? {
                    if first {
                        return Ok(None);
                    }
                    self.asks_for_verbose = false;
                    return Err("global flags not at the start of the expression".to_owned());
                }
            }
        }
        let width = self.branches(false)?;
        self.verbose = outer;
        self.expect(')', OPEN)?;
        Ok(Some(width))
    }

    fn captured(&mut self, name: Option<String>) -> Result<Width, String> {
        self.groups.push(None);
        let group = self.groups.len();
        if let Some(name) = name
            && self.names.insert(name.clone(), group).is_some()
        {
            return Err(format!("redefinition of group name {name:?}"));
        }
        let width = self.branches(false)?;
        self.expect(')', "missing ), unterminated subpattern")?;
        self.groups[group - 1] = Some(width);
        Ok(width)
    }

    fn condition(&mut self) -> Result<Width, String> {
        let name = self.until(')', "group name")?;
        let group = if name.chars().all(|c| c.is_ascii_digit()) {
            let group = name.parse().ok().filter(|group| *group > 0).ok_or("bad group number")?;
            self.conditions.push(group);
            group
        } else {
            *self.names.get(&name).ok_or_else(|| format!("unknown group name {name:?}"))?
        };
        if self.behind.is_some() && group <= self.groups.len() {
            self.reference(group)?;
        }
        let yes = self.sequence(false)?;
        let no = if self.skip('|') { self.sequence(false)? } else { (0, 0) };
        if self.peek() == Some('|') {
            return Err("conditional backref with more than two branches".to_owned());
        }
        self.expect(')', "missing ), unterminated subpattern")?;
        Ok((yes.0.min(no.0), yes.1.max(no.1)))
    }

    /// Reads flags, and says whether they are for the whole expression.
    fn flags(&mut self, begin: char) -> Result<bool, String> {
        let (mut on, mut off, mut c) = (String::new(), String::new(), begin);
        if c != '-' {
            while on.is_empty() || !")-:".contains(c) {
                if !"imsxau".contains(c) {
                    return Err(if on.is_empty() { format!("unknown extension ?{c}") } else { "unknown flag".to_owned() });
                }
                on.push(c);
                c = self.next().ok_or("missing -, : or )")?;
            }
        }
        if on.contains('a') && on.contains('u') {
            return Err("bad inline flags: flags 'a' and 'u' are incompatible".to_owned());
        }
        if c == ')' {
            self.asks_for_verbose |= on.contains('x') && !self.verbose;
            return Ok(true);
        }
        if c == '-' {
            loop {
                c = self.next().ok_or("missing flag")?;
                match c {
                    ':' if !off.is_empty() => break,
                    'i' | 'm' | 's' | 'x' => off.push(c),
                    _ => return Err("unknown flag, or one that cannot be turned off".to_owned()),
                }
            }
        }
        if on.contains(|flag| off.contains(flag)) {
            return Err("bad inline flags: flag turned on and off".to_owned());
        }
        self.verbose = (self.verbose || on.contains('x')) && !off.contains('x');
        Ok(false)
    }
}

enum Member {
    /// A character; none where its code is not known.
    One(Option<char>),
    Class,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_takes_passes() {
        let good = r"@irc_.*|@a\Z|(?P<x>a)(?P=x)|a(?# a word)|@a{b}|a{,3}|{|[]a]|[^]]|[a-]|[\w-]|@(?!admin).*|(?i)a|(?i:a)b|(?<=@)a|a++|(?>a)|(a)\1|\x41\u0041|\-\_|(?x) a # (|@[a-z0-9._=\-/]+:example\.com|(?:^a)*|x*?";
        for good in good.split('|').chain(["", "(?<!ab|cd)e", "(a)?(?(1)b|c)"]) {
            assert_eq!(broken(good), None, "{good}");
        }
    }

    #[test]
    fn what_python_refuses_is_found() {
        let bad = r"( ) @(irc_.* [ [b-a] [\w-a] \p{L} \P \z \Q \h (?<n>a) *a a** ^* a{3,2} (?<=a*)b \2 (a\1) (?P=x) a(?i) (?P<1>a) (?P<a>b)(?P<a>c) (? (?) (?L)a \ \x4 (?(1)a) (?#";
        for bad in bad.split(' ') {
            assert!(broken(bad).is_some(), "{bad}");
        }
        for nested in ["(", "(?:", "(?=", "(?(1)"] {
            assert!(broken(&nested.repeat(100_000)).is_some());
        }
    }
}
