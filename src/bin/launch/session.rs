//! A session with PostgreSQL for one question: does it take what is written? Logs in with a password (PostgreSQL documentation, "Message
//! Flow" and "SASL Authentication"; RFC 5802, RFC 7677), writes, and leaves. Takes an open connection, gives nothing or the server's reason.

use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::probe::{Answer, failed, field, message, start_up_packet};
use crate::scram;

/// A quarter of a megabyte goes into a temporary file, since the memory for them is too small, which takes room on the disk of the data; and a record
/// goes to the log and is on disk before the answer comes. Neither is kept: no table is touched.
const STATEMENTS: &str = "SET work_mem = '64kB'; SELECT count(*) FROM generate_series(1, 20000); SELECT pg_logical_emit_message(true, 'launch', '')";

/// Logs in and writes.
pub fn write(mut stream: impl Read + Write, user: &str, database: &str, password: &str) -> Answer {
    stream.write_all(&start_up_packet(user, database)).map_err(failed)?;
    log_in(&mut stream, password)?;
    send(&mut stream, b'Q', format!("{STATEMENTS}\0").as_bytes())?;
    let mut answer = Ok(());
    loop {
        let (kind, body) = message(&mut stream).map_err(failed)?;
        match kind {
            b'E' => answer = Err(field(&body, b'M')),
            b'Z' => break,
            _ => {}
        }
    }
    send(&mut stream, b'X', b"")?;
    answer
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
