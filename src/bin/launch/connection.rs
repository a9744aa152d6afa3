//! Ways to a PostgreSQL server: over its socket, in the clear, or encrypted, in the order in which libpq tries them for an `sslmode`.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use synapse_site::launch::Tls;
use synapse_site::site::database::SslMode;

use crate::certificate::end_point;
use crate::probe::{self, failed};
use crate::tls::{self, Secured};

/// Why something did not come about on a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server says so before anybody is logged in. libpq then tries another way, if there is one.
    Server(String),
    /// It agrees to TLS, and this program and it find no common way. Other programs may.
    Handshake(String),
    /// Anything else.
    Other(String),
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self::Other(reason)
    }
}

impl From<&str> for Failure {
    fn from(reason: &str) -> Self {
        Self::Other(reason.to_owned())
    }
}

impl Failure {
    /// The reason, as the end of a sentence.
    pub fn reason(self) -> String {
        let (Self::Server(reason) | Self::Handshake(reason) | Self::Other(reason)) = self;
        reason
    }
}

/// A socket of either kind.
trait Socket: Read + Write + AsFd {}
impl Socket for TcpStream {}
impl Socket for UnixStream {}

/// A socket that gives up at a moment, however slowly the other side goes on.
pub struct Timed {
    socket: Box<dyn Socket>,
    until: Option<Instant>,
}

impl Timed {
    fn arm(&self) -> io::Result<()> {
        let Some(until) = self.until else { return Ok(()) };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { self.limit(left) }
    }

    fn limit(&self, limit: Duration) -> io::Result<()> {
        for direction in [Timeout::Recv, Timeout::Send] {
            set_socket_timeout(self.socket.as_fd(), direction, Some(limit))?;
        }
        Ok(())
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.arm()?;
        self.socket.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.arm()?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// A connection on which a session can begin.
pub enum Connection {
    /// As it is.
    Plain(Timed),
    /// Encrypted.
    Secured(Box<Secured>),
}

impl Connection {
    /// From now on there is no moment at which all has to be done, but every answer has so much time.
    pub fn answer_within(&mut self, limit: Duration) -> io::Result<()> {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Secured(secured) => &mut secured.sock,
        };
        socket.until = None;
        socket.limit(limit)
    }

    /// What ties a login to this connection, where it is encrypted.
    pub fn end_point(&self) -> Option<Vec<u8>> {
        match self {
            Self::Plain(_) => None,
            Self::Secured(secured) => end_point(secured.conn.peer_certificates()?.first()?),
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Secured(stream) => stream.read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Secured(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Secured(stream) => stream.flush(),
        }
    }
}

/// Does something on a connection to one host, or to the socket in a directory. Each try has so much time, for connecting and for the
/// work, unless the work says otherwise.
pub fn reach<T>(host: &str, port: u16, tls: Option<&Tls>, limit: Duration, mut work: impl FnMut(Connection) -> Result<T, Failure>) -> Result<T, Failure> {
    let Some(tls) = tls.filter(|tls| !host.starts_with('/') && tls.mode != SslMode::Disable) else {
        return work(Connection::Plain(connect(host, port, limit)?));
    };
    let (first, second) = match tls.mode {
        SslMode::Allow => match work(Connection::Plain(connect(host, port, limit)?)) {
            Err(Failure::Server(reason)) => (reason, secured(host, port, tls, limit, &mut work)),
            other => return other,
        },
        SslMode::Prefer => match secured(host, port, tls, limit, &mut work) {
            Err(Failure::Server(reason) | Failure::Handshake(reason)) => (reason, work(Connection::Plain(connect(host, port, limit)?))),
            other => return other,
        },
        SslMode::Disable | SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => return secured(host, port, tls, limit, &mut work),
    };
    second.map_err(|second| match second.reason() {
        second if second == first => Failure::Other(first),
        second => Failure::Other(format!("{first}; and in another try: {second}")),
    })
}

/// The same on an encrypted connection, or where that may be on the one on which the server does not want to encrypt.
fn secured<T>(host: &str, port: u16, tls: &Tls, limit: Duration, work: &mut impl FnMut(Connection) -> Result<T, Failure>) -> Result<T, Failure> {
    let mut stream = connect(host, port, limit)?;
    if offers_tls(&mut stream)? {
        let secured = tls::secure(stream, host, tls)?;
        return work(Connection::Secured(Box::new(secured)));
    }
    match tls.mode {
        SslMode::Allow | SslMode::Prefer => work(Connection::Plain(stream)).map_err(|failure| Failure::Other(failure.reason())),
        mode => Err(format!("it offers no TLS, and `database.sslmode` is {}", mode.as_str()).into()),
    }
}

fn connect(host: &str, port: u16, limit: Duration) -> Result<Timed, String> {
    let until = Instant::now() + limit;
    let socket: Box<dyn Socket> =
        if host.starts_with('/') { Box::new(probe::connect_socket(host, port, limit)?) } else { Box::new(probe::connect(host, port, limit)?) };
    Ok(Timed { socket, until: Some(until) })
}

/// Whether the server would go on with TLS (`SSLRequest`); if not, the connection is as new.
fn offers_tls(stream: &mut Timed) -> Result<bool, String> {
    stream.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).map_err(failed)?;
    let mut answer = [0];
    stream.read_exact(&mut answer).map_err(failed)?;
    match answer {
        [b'S'] => Ok(true),
        [b'N'] => Ok(false),
        // Nobody knows yet who says it, so it is not repeated.
        [b'E'] => Err("it answered with an error before TLS was agreed on".into()),
        _ => Err("what answers there is not PostgreSQL".into()),
    }
}
