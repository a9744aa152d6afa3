//! The RECORD file of a wheel (PEP 376, PEP 427): a CSV of path, hash and size. Takes the text and gives the hashes by path.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::path;

/// What RECORD says of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The SHA-256; RECORD itself and its signatures have none.
    pub sha256: Option<[u8; 32]>,
}

/// Reads a RECORD file that may name so many files.
///
/// # Errors
/// The reason: more files than `most`, a line that cannot be read, a path given twice, a hash that is no SHA-256. PEP 427 asks for SHA-256 or
/// better; no wheel on the index uses another than SHA-256.
pub fn parse(text: &str, most: usize) -> Result<BTreeMap<String, Record>, String> {
    let mut records = BTreeMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let fail = |what: &str| format!("line {}: {what}", number + 1);
        let fields = fields(line).ok_or_else(|| fail("its quotes do not match"))?;
        let [name, hash, _size] = &fields[..] else {
            return Err(fail("it has not three fields"));
        };
        let name = path::member(name.as_bytes()).map_err(|reason| fail(&reason))?;
        let sha256 = match hash.as_str() {
            "" => None,
            hash => {
                let digest = hash.strip_prefix("sha256=").ok_or_else(|| fail("its hash is no SHA-256"))?;
                let digest = URL_SAFE_NO_PAD.decode(digest.trim_end_matches('='));
                Some(digest.ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| fail("its hash is no SHA-256"))?)
            }
        };
        if records.len() == most {
            return Err(fail("it names more files than the wheel has"));
        }
        if records.insert(name, Record { sha256 }).is_some() {
            return Err(fail("it names a file that another line names"));
        }
    }
    Ok(records)
}

/// The fields of one CSV line, four at most, since a line has three; a quoted field may hold commas and doubled quotes, and no line break, which no path has.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let full = fields.len() == 4;
        let field = fields.last_mut()?;
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if quoted || field.is_empty() => quoted = !quoted,
            ',' if !quoted && full => return Some(fields),
            ',' if !quoted => fields.push(String::new()),
            character => field.push(character),
        }
    }
    (!quoted).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

    #[test]
    fn reads_plain_and_quoted_lines() {
        let text = format!("a/b.py,sha256={HASH},0\r\n\"a,\"\"c\"\".py\",sha256={HASH}=,0\nx/RECORD,,\n");
        assert!(parse(&text, 2).unwrap_err().contains("line 3: it names more files"));
        let records = parse(&text, 3).unwrap();
        assert_eq!(records.keys().collect::<Vec<_>>(), ["a,\"c\".py", "a/b.py", "x/RECORD"]);
        assert_eq!(records["a/b.py"].sha256.unwrap()[..2], [0xe3, 0xb0]);
        assert_eq!(records["x/RECORD"].sha256, None);
    }

    #[test]
    fn refuses_what_cannot_be_trusted() {
        for text in ["a", "a,,,", "\"a,,", "a,md5=AAAA,1", "a,sha256=AAAA,1", "/a,,", "a/../b,,", "a,,\na,,", "a,sha256=***,"] {
            assert!(parse(text, 9).is_err(), "{text}");
        }
    }
}
