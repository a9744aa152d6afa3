//! Questions to services that need no credentials: does it accept connections, does it answer HTTP, has PostgreSQL come up.
//! Takes an address and a time limit, gives nothing or the reason why not, in a form that ends a sentence.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use synapse_site::launch::{Probe, Tls};

use crate::connection::{Failure, reach};

/// Nothing when the service answered as it should; otherwise what happened instead.
pub type Answer = Result<(), String>;

/// Asks once.
pub fn ask(probe: &Probe, limit: Duration) -> Answer {
    match probe {
        Probe::Tcp { host, port } => connect(host, *port, limit).map(drop),
        Probe::Postgres { host, port, user, database, tls } => postgres(host, *port, user, database, tls.as_ref(), limit),
        Probe::Http { host, port, path } => http(host, *port, path, limit),
    }
}

/// What is asked, for people: `tcp redis:6379`.
pub fn describe(probe: &Probe) -> String {
    match probe {
        Probe::Tcp { host, port } => format!("tcp {}", authority(host, *port)),
        Probe::Postgres { host, port, .. } if host.starts_with('/') => format!("socket {host}/.s.PGSQL.{port}"),
        Probe::Postgres { host, port, .. } => {
            let hosts: Vec<String> = host.split(',').map(|host| authority(host, *port)).collect();
            format!("postgres {}", hosts.join(", "))
        }
        Probe::Http { host, port, path } => format!("http://{}{path}", authority(host, *port)),
    }
}

/// Host and port as they stand in a URL, with brackets around an IPv6 address.
pub fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Looks a name up. The C library has time limits of its own, longer than ours, so it is asked in a thread that is left
/// behind when it is too slow.
pub fn resolve(host: &str, port: u16, limit: Duration) -> Result<Vec<SocketAddr>, String> {
    let (sender, receiver) = mpsc::channel();
    let name = host.to_owned();
    std::thread::Builder::new()
        .spawn(move || {
            let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            // Nobody listens any more when the limit has passed.
            let _late = sender.send(found);
        })
        .map_err(|error| format!("cannot start a thread: {error}"))?;
    match receiver.recv_timeout(limit) {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        Ok(Ok(_)) => Err(format!("the name {host} has no address")),
        Ok(Err(error)) => Err(format!("the name {host} cannot be looked up: {error}")),
        Err(_) => Err(format!("looking up the name {host} takes too long")),
    }
}

/// Connects to the first address that accepts; reading and writing have the same limit.
pub fn connect(host: &str, port: u16, limit: Duration) -> Result<TcpStream, String> {
    let begun = Instant::now();
    let mut last = String::new();
    for address in resolve(host, port, limit)? {
        let left = limit.saturating_sub(begun.elapsed());
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&address, left).and_then(|stream| {
            stream.set_read_timeout(Some(limit))?;
            stream.set_write_timeout(Some(limit))?;
            Ok(stream)
        }) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    Err(if last.is_empty() { "no answer in time".into() } else { last })
}

/// An agent for the containers' own network: no proxy, no redirects, statuses are answers and not errors.
pub fn agent(limit: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(limit))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent("synapse-site-launch")
        .build()
        .into()
}

/// A GET that has to give status 200.
pub fn http(host: &str, port: u16, path: &str, limit: Duration) -> Answer {
    let url = format!("http://{}{path}", authority(host, port));
    match agent(limit).get(&url).call() {
        Ok(answer) if answer.status() == 200 => Ok(()),
        Ok(answer) => Err(format!("it answered with status {}", answer.status().as_u16())),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether PostgreSQL accepts connections. The host is a socket directory when it starts with `/`; of several, with commas between
/// them, one is enough, and each has its share of the time.
pub fn postgres(host: &str, port: u16, user: &str, database: &str, tls: Option<&Tls>, limit: Duration) -> Answer {
    let hosts: Vec<&str> = host.split(',').collect();
    if hosts.len() > 1 {
        let share = limit / hosts.len() as u32;
        let mut reasons = Vec::new();
        for host in hosts {
            match postgres(host, port, user, database, tls, share) {
                Ok(()) => return Ok(()),
                Err(reason) => reasons.push(format!("{host}: {reason}")),
            }
        }
        return Err(reasons.join("; "));
    }
    match reach(host, port, tls, limit, |stream| start_up(stream, user, database).map_err(Failure::Other)) {
        // It is up: that it agrees to TLS says so, and libpq knows ways that this program does not.
        Ok(()) | Err(Failure::Handshake(_)) => Ok(()),
        Err(failure) => Err(failure.reason()),
    }
}

/// Connects to PostgreSQL's socket in a directory.
pub fn connect_socket(directory: &str, port: u16, limit: Duration) -> Result<UnixStream, String> {
    let path = Path::new(directory).join(format!(".s.PGSQL.{port}"));
    let stream = UnixStream::connect(&path).and_then(|stream| {
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        Ok(stream)
    });
    stream.map_err(|error| format!("{}: {error}", path.display()))
}

/// The longest message that is worth reading; an event has 64 KiB at most, and some more with the escapes of JSON.
const MAX_MESSAGE: usize = 1024 * 1024;
/// `cannot_connect_now`: starting up, shutting down, in recovery.
const CANNOT_CONNECT_NOW: &str = "57P03";

/// What a failed conversation means.
pub fn failed(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it closed the connection without an answer".to_owned(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it accepted the connection and does not answer".to_owned(),
        _ => error.to_string(),
    }
}

/// The first packet of a session.
pub fn start_up_packet(user: &str, database: &str) -> Vec<u8> {
    let mut body = 196_608_i32.to_be_bytes().to_vec(); // protocol 3.0
    body.extend_from_slice(format!("user\0{user}\0database\0{database}\0application_name\0launch\0\0").as_bytes());
    let mut packet = (body.len() as u32 + 4).to_be_bytes().to_vec();
    packet.extend_from_slice(&body);
    packet
}

/// A field of an error: its code (`C`), its message (`M`).
pub fn field(body: &[u8], code: u8) -> String {
    let found = body.split(|byte| *byte == 0).find(|field| field.first() == Some(&code));
    found.map(|field| String::from_utf8_lossy(&field[1..]).into_owned()).unwrap_or_default()
}

/// Sends a start-up packet and reads until it is clear whether the server takes sessions (PostgreSQL documentation,
/// "Message Flow", 54.2.1). Any demand for authentication shows that it does, and so does any error but 57P03. The user is
/// one that the server expects: `postgres` may log in by peer authentication on our own socket; elsewhere the server asks for a
/// password, and ending the connection then leaves no line in its log.
fn start_up(mut stream: impl Read + Write, user: &str, database: &str) -> Answer {
    stream.write_all(&start_up_packet(user, database)).map_err(failed)?;
    loop {
        let (kind, body) = message(&mut stream).map_err(failed)?;
        match kind {
            // AuthenticationOk: go on to ReadyForQuery, and leave properly.
            b'R' if body == [0; 4] => {}
            b'R' => return Ok(()),
            b'Z' => return stream.write_all(b"X\0\0\0\x04").map_err(failed),
            b'E' => return if field(&body, b'C') == CANNOT_CONNECT_NOW { Err(field(&body, b'M')) } else { Ok(()) },
            // ParameterStatus, BackendKeyData, notices.
            b'S' | b'K' | b'N' | b'v' => {}
            _ => return Err("what answers there is not PostgreSQL".into()),
        }
    }
}

/// One message of PostgreSQL: its kind and its body.
pub fn message(stream: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if !(4..=MAX_MESSAGE).contains(&length) {
        return Err(io::Error::other("what answers there is not PostgreSQL"));
    }
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body)?;
    Ok((head[0], body))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two directions of a connection to a server that says what it says.
    struct Scripted(io::Cursor<Vec<u8>>, Vec<u8>);
    impl Read for Scripted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }
    impl Write for Scripted {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            self.1.write(data)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn said(messages: &[(u8, &[u8])]) -> Answer {
        let mut bytes = Vec::new();
        for (kind, body) in messages {
            bytes.push(*kind);
            bytes.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
            bytes.extend_from_slice(body);
        }
        start_up(Scripted(io::Cursor::new(bytes), Vec::new()), "postgres", "postgres")
    }

    #[test]
    fn postgres_is_up_unless_it_says_57p03() {
        assert_eq!(said(&[(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0")]), Ok(()));
        assert_eq!(said(&[(b'R', &[0; 4]), (b'S', b"a\0b\0"), (b'Z', b"I")]), Ok(()));
        assert_eq!(said(&[(b'E', b"SFATAL\0C28000\0Mno entry\0\0")]), Ok(()));
        assert_eq!(said(&[(b'E', b"SFATAL\0C57P03\0Mthe database system is starting up\0\0")]), Err("the database system is starting up".into()));
    }

    #[test]
    fn of_several_databases_one_is_enough() {
        let limit = Duration::from_secs(4);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = |hosts: &str| postgres(hosts, port, "synapse", "synapse", None, limit);
        // Nobody listens at the other addresses of the loopback network.
        let refused = asked("127.0.0.2,127.0.0.3").unwrap_err();
        assert!(refused.contains("127.0.0.2: ") && refused.contains("127.0.0.3: "), "{refused}");
        let server = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let mut packet = [0; 8];
            stream.read_exact(&mut packet).unwrap();
            stream.write_all(b"R\0\0\0\x08\0\0\0\x03").unwrap();
            // Until the other end has gone.
            let _all = stream.read_to_end(&mut Vec::new());
        });
        assert_eq!(asked("127.0.0.2,127.0.0.1"), Ok(()));
        server.join().unwrap();
        let probe = Probe::Postgres { host: "pg1,pg2".into(), port: 5432, user: "u".into(), database: "d".into(), tls: None };
        assert_eq!(describe(&probe), "postgres pg1:5432, pg2:5432");
    }

    #[test]
    fn other_services_are_not_taken_for_postgres() {
        for bytes in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"-ERR unknown command\r\n", b""] {
            assert!(start_up(Scripted(io::Cursor::new(bytes.to_vec()), vec![]), "postgres", "postgres").is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn addresses_are_written_as_in_a_url() {
        assert_eq!(authority("db", 5432), "db:5432");
        assert_eq!(authority("::1", 5432), "[::1]:5432");
    }
}
