//! A session with PostgreSQL: logs in with a password (PostgreSQL documentation, "Message Flow" and "SASL Authentication"; RFC 5802,
//! RFC 7677), asks in the simple query protocol, and leaves. Takes an open connection, gives rows as text, or the server's reason.

use std::io::{Read, Write};
use std::ops::RangeInclusive;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use synapse_site::launch::Database;

use crate::connection::{Connection, Failure, reach};
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

impl Session<Connection> {
    /// Logs in at one of the database's hosts. Connecting has so much time, and then each answer.
    pub fn open(at: &Database, host: &str, password: &str, connect: Duration, answer: Duration) -> Result<Self, String> {
        let session = reach(host, at.port, at.tls.as_ref(), connect, |mut stream| {
            stream.answer_within(answer).map_err(failed)?;
            let end_point = stream.end_point();
            stream.write_all(&start_up_packet(&at.user, &at.database)).map_err(failed)?;
            log_in(&mut stream, password, end_point)?;
            Ok(Self { stream })
        });
        session.map_err(Failure::reason)
    }
}

impl<S: Read + Write> Ask for Session<S> {
    fn ask(&mut self, statements: &str) -> Result<Vec<Row>, String> {
        send(&mut self.stream, b'Q', format!("{statements}\0").as_bytes())?;
        let mut rows = Vec::new();
        let mut problem = None;
        loop {
            // After some errors the server closes the connection: the error is the reason, not that it closed.
            let (kind, body) = match message(&mut self.stream) {
                Ok(next) => next,
                Err(error) => return Err(problem.unwrap_or_else(|| failed(error))),
            };
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

/// Logs in and writes; connecting and each answer have so much time.
pub fn write(at: &Database, password: &str, limit: Duration) -> Answer {
    Session::open(at, &at.host, password, limit, limit)?.ask(STATEMENTS).map(drop)
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

const SCRAM: &str = "SCRAM-SHA-256";
/// The same, and tied to the connection: nobody between both ends can pass it on.
const SCRAM_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// From the start-up packet to the first "ready for query". Where the connection can be tied to the login, it is, or the server is
/// told that it could have been: somebody between both ends who takes the offer away is found out.
fn log_in(stream: &mut (impl Read + Write), password: &str, end_point: Option<Vec<u8>>) -> Result<(), Failure> {
    let mut nonce = [0; 18];
    getrandom::fill(&mut nonce).map_err(|error| error.to_string())?;
    let nonce = STANDARD.encode(nonce);
    let bare = format!("n=,r={nonce}");
    // RFC 5802: gs2-header, and with it what the connection is known by.
    let mut channel = Vec::new();
    // What the server has to sign to show that it knows the password, too.
    let mut expected = None;
    loop {
        let (kind, body) = message(stream).map_err(failed)?;
        match (kind, body.get(..4), body.get(4..).unwrap_or_default()) {
            // AuthenticationSASL: the mechanisms, each with a zero at its end.
            (b'R', Some([0, 0, 0, 10]), mechanisms) => {
                let offers = |wanted: &str| mechanisms.split(|byte| *byte == 0).any(|name| name == wanted.as_bytes());
                let (mechanism, header, bound) = match &end_point {
                    Some(end_point) if offers(SCRAM_PLUS) => (SCRAM_PLUS, "p=tls-server-end-point,,", end_point.as_slice()),
                    Some(_) => (SCRAM, "y,,", &[][..]),
                    None => (SCRAM, "n,,", &[][..]),
                };
                if !offers(mechanism) {
                    return Err("it does not take passwords by SCRAM-SHA-256".into());
                }
                channel = [header.as_bytes(), bound].concat();
                let first = format!("{header}{bare}");
                let length = (first.len() as u32).to_be_bytes();
                send(stream, b'p', &[mechanism.as_bytes(), b"\0", &length[..], first.as_bytes()].concat())?;
            }
            // AuthenticationSASLContinue.
            (b'R', Some([0, 0, 0, 11]), challenge) => {
                let answered = answer(&bare, &nonce, challenge, password, &channel);
                let (answer, signature) = answered.ok_or("its question for the password cannot be understood")?;
                expected = Some(signature);
                send(stream, b'p', answer.as_bytes())?;
            }
            // AuthenticationSASLFinal.
            (b'R', Some([0, 0, 0, 12]), signature) if expected.as_ref().is_some_and(|expected| signature == format!("v={expected}").as_bytes()) => {
                expected = None;
            }
            (b'R', Some([0, 0, 0, 12]), _) => {
                return Err("it does not know the password: it is not the server that the password belongs to".into());
            }
            // AuthenticationOk.
            (b'R', Some([0, 0, 0, 0]), _) if expected.is_none() => {}
            (b'R', ..) => return Err("it asks for a password in a way that is not expected".into()),
            (b'E', ..) => return Err(Failure::Server(field(&body, b'M'))),
            (b'Z', ..) => return Ok(()),
            _ => {}
        }
    }
}

/// Rounds of hashing that a server may ask for: PostgreSQL's default (`scram_iterations`) and far more. With fewer, whoever stands in for the
/// server could try out passwords against the proof.
const ROUNDS: RangeInclusive<u32> = 4096..=1_000_000;

/// The client's last message and the server's signature after it: `client-final-message` and `server-final-message` of RFC 5802.
fn answer(bare: &str, own_nonce: &str, challenge: &[u8], password: &str, channel: &[u8]) -> Option<(String, String)> {
    let challenge = std::str::from_utf8(challenge).ok()?;
    let part = |name: &str| challenge.split(',').find_map(|part| part.strip_prefix(name));
    let nonce = part("r=").filter(|nonce| nonce.len() > own_nonce.len() && nonce.starts_with(own_nonce))?;
    let (salt, rounds) = (STANDARD.decode(part("s=")?).ok()?, part("i=")?.parse().ok().filter(|rounds| ROUNDS.contains(rounds))?);
    let without_proof = format!("c={},r={nonce}", STANDARD.encode(channel));
    let exchange = format!("{bare},{challenge},{without_proof}");
    let proof = scram::proof(password, &salt, rounds, &exchange);
    Some((format!("{without_proof},p={proof}"), scram::server_signature(password, &salt, rounds, &exchange)))
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
    fn a_question_that_is_not_about_this_login_or_too_cheap_to_try_out_gets_no_answer() {
        let asked = |challenge: &str| answer("n=,r=own", "own", challenge.as_bytes(), "a password", b"n,,");
        assert!(asked("r=ownserver,s=c2FsdA==,i=4096").is_some());
        for challenge in [
            "r=own,s=c2FsdA==,i=4096",
            "r=other,s=c2FsdA==,i=4096",
            "r=ownserver,s=c2FsdA==,i=1",
            "r=ownserver,s=c2FsdA==,i=4294967295",
            "r=ownserver,s=c2FsdA==",
        ] {
            assert_eq!(asked(challenge), None, "{challenge}");
        }
    }

    /// Somebody who answers a login with these messages, whatever it is told.
    struct StandIn(std::io::Cursor<Vec<u8>>);

    impl Read for StandIn {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(to)
        }
    }

    impl Write for StandIn {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn stand_in(messages: &[(u8, &[u8])]) -> StandIn {
        let whole = |(kind, body): &(u8, &[u8])| [&[*kind], &(body.len() as u32 + 4).to_be_bytes()[..], body].concat();
        StandIn(std::io::Cursor::new(messages.iter().flat_map(whole).collect()))
    }

    #[test]
    fn the_reason_before_a_closed_connection_is_told() {
        let mut session = Session { stream: stand_in(&[(b'E', b"SFATAL\0MIt is shutting down\0\0")]) };
        assert_eq!(session.ask("SELECT 1"), Err("It is shutting down".to_owned()));
    }

    #[test]
    fn who_cannot_sign_is_not_the_server() {
        let signature = [&[0, 0, 0, 12][..], b"v=AAAA"].concat();
        let told = log_in(&mut stand_in(&[(b'R', &signature), (b'Z', b"I")]), "a password", None);
        assert!(told.is_err_and(|why| why.reason().contains("does not know the password")));
    }

    #[test]
    fn constants_end_where_they_should() {
        for (value, expected) in [("a", "'a'"), ("a'b", "'a''b'"), (r"a\'b", r"E'a\\''b'"), ("", "''")] {
            assert_eq!(literal(value), expected);
        }
    }
}
