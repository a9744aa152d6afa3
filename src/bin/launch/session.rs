//! A session with PostgreSQL: logs in with a password (PostgreSQL documentation, "Message Flow" and "SASL Authentication"; RFC 5802,
//! RFC 7677), asks in the simple query protocol, and leaves. Takes an open connection, gives rows as text, or the server's reason.

use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::probe::{Answer, failed, field, message, start_up_packet};
use crate::scram;

/// A quarter of a megabyte goes into a temporary file, since the memory for them is too small, which takes room on the disk of the data; and a record
/// goes to the log and is on disk before the answer comes. Neither is kept: no table is touched.
const STATEMENTS: &str = "SET work_mem = '64kB'; SELECT count(*) FROM generate_series(1, 20000); SELECT pg_logical_emit_message(true, 'launch', '')";

/// A row of an answer; none is NULL.
pub type Row = Vec<Option<String>>;

/// Somebody who answers questions in SQL: this program's own session, or another program's.
pub trait Ask {
    /// Runs statements in one transaction and gives the rows of all of them, or the server's reason.
    fn ask(&mut self, statements: &str) -> Result<Vec<Row>, String>;
}

/// Somebody logged in.
pub struct Session<S: Read + Write> {
    stream: S,
}

impl<S: Read + Write> Session<S> {
    /// Logs in.
    pub fn open(mut stream: S, user: &str, database: &str, password: &str) -> Result<Self, String> {
        stream.write_all(&start_up_packet(user, database)).map_err(failed)?;
        log_in(&mut stream, password)?;
        Ok(Self { stream })
    }
}

impl<S: Read + Write> Ask for Session<S> {
    fn ask(&mut self, statements: &str) -> Result<Vec<Row>, String> {
        send(&mut self.stream, b'Q', format!("{statements}\0").as_bytes())?;
        let mut rows = Vec::new();
        let mut problem = None;
        loop {
            let (kind, body) = message(&mut self.stream).map_err(failed)?;
            match kind {
                b'D' => rows.push(row(&body).ok_or("a row of its answer cannot be understood")?),
                b'E' => problem = Some(field(&body, b'M')),
                b'Z' => break,
                _ => {}
            }
        }
        problem.map_or(Ok(rows), Err)
    }
}

/// The server is told, so that it writes nothing about a lost connection into its log.
impl<S: Read + Write> Drop for Session<S> {
    fn drop(&mut self) {
        let _gone_already = send(&mut self.stream, b'X', b"");
    }
}

/// Whether the server would go on with TLS (`SSLRequest`); if not, the connection is as new.
pub fn offers_tls(stream: &mut (impl Read + Write)) -> Result<bool, String> {
    stream.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).map_err(failed)?;
    let mut answer = [0];
    stream.read_exact(&mut answer).map_err(failed)?;
    match answer {
        [b'S'] => Ok(true),
        [b'N'] => Ok(false),
        _ => Err("what answers there is not PostgreSQL".into()),
    }
}

/// Logs in and writes.
pub fn write(stream: impl Read + Write, user: &str, database: &str, password: &str) -> Answer {
    Session::open(stream, user, database, password)?.ask(STATEMENTS).map(drop)
}

/// A value as a constant in a statement, whatever `standard_conforming_strings` is.
pub fn literal(value: &str) -> String {
    let quoted = value.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// DataRow: the number of its columns, and each with its length before it; -1 is NULL.
fn row(body: &[u8]) -> Option<Row> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    (0..u16::from_be_bytes(*count))
        .map(|_| {
            let (length, after) = rest.split_first_chunk::<4>()?;
            rest = after;
            let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else { return Some(None) };
            let (value, after) = rest.split_at_checked(length)?;
            rest = after;
            Some(Some(String::from_utf8_lossy(value).into_owned()))
        })
        .collect()
}

/// From the start-up packet to the first "ready for query".
fn log_in(stream: &mut (impl Read + Write), password: &str) -> Answer {
    let mut nonce = [0; 18];
    getrandom::fill(&mut nonce).map_err(|error| error.to_string())?;
    let bare = format!("n=,r={}", STANDARD.encode(nonce));
    loop {
        let (kind, body) = message(stream).map_err(failed)?;
        match (kind, body.get(..4), body.get(4..).unwrap_or_default()) {
            // AuthenticationSASL: the mechanisms, each with a zero at its end.
            (b'R', Some([0, 0, 0, 10]), mechanisms) => {
                if !mechanisms.split(|byte| *byte == 0).any(|name| name == b"SCRAM-SHA-256") {
                    return Err("it does not take passwords by SCRAM-SHA-256".into());
                }
                let first = format!("n,,{bare}");
                let length = (first.len() as u32).to_be_bytes();
                send(stream, b'p', &[b"SCRAM-SHA-256\0", &length[..], first.as_bytes()].concat())?;
            }
            // AuthenticationSASLContinue.
            (b'R', Some([0, 0, 0, 11]), challenge) => {
                let answer = answer(&bare, challenge, password).ok_or("its question for the password cannot be understood")?;
                send(stream, b'p', answer.as_bytes())?;
            }
            // AuthenticationSASLFinal and AuthenticationOk.
            (b'R', Some([0, 0, 0, 12 | 0]), _) => {}
            (b'R', ..) => return Err("it asks for a password in a way that is not expected".into()),
            (b'E', ..) => return Err(field(&body, b'M')),
            (b'Z', ..) => return Ok(()),
            _ => {}
        }
    }
}

/// The client's last message: `client-final-message` of RFC 5802.
fn answer(bare: &str, challenge: &[u8], password: &str) -> Option<String> {
    let challenge = std::str::from_utf8(challenge).ok()?;
    let part = |name: &str| challenge.split(',').find_map(|part| part.strip_prefix(name));
    let (nonce, salt, iterations) = (part("r=")?, STANDARD.decode(part("s=")?).ok()?, part("i=")?.parse().ok()?);
    let without_proof = format!("c=biws,r={nonce}");
    let proof = scram::proof(password, &salt, iterations, &format!("{bare},{challenge},{without_proof}"));
    Some(format!("{without_proof},p={proof}"))
}

fn send(stream: &mut impl Write, kind: u8, body: &[u8]) -> Answer {
    let length = (body.len() as u32 + 4).to_be_bytes();
    stream.write_all(&[&[kind], &length[..], body].concat()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_cut_ones_are_not_understood() {
        let body = b"\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(row(body), Some(vec![Some("ab".into()), None, Some(String::new())]));
        assert_eq!(row(b"\0\0"), Some(vec![]));
        for length in 0..body.len() {
            assert_eq!(row(&body[..length]), None, "{length}");
        }
    }

    #[test]
    fn constants_end_where_they_should() {
        for (value, expected) in [("a", "'a'"), ("a'b", "'a''b'"), (r"a\'b", r"E'a\\''b'"), ("", "''")] {
            assert_eq!(literal(value), expected);
        }
    }
}
