//! A STUN binding request over UDP (RFC 8489, sections 5 and 6): the one question that a TURN server answers without
//! credentials.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::probe::{self, Answer};

const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const HEADER_BYTES: usize = 20;
/// The initial retransmission time-out of RFC 8489, section 6.2.1.
const RETRANSMIT: Duration = Duration::from_millis(500);

/// Asks until the answer to this very request comes. The host `auto` is this container's own address.
pub fn ask(host: &str, port: u16, limit: Duration) -> Answer {
    let begun = Instant::now();
    let address = match host {
        "auto" => SocketAddr::new(own_address(limit)?, port),
        _ => probe::resolve(host, port, limit)?[0],
    };
    let mut request = [0; HEADER_BYTES];
    request[..2].copy_from_slice(&BINDING_REQUEST);
    request[4..8].copy_from_slice(&MAGIC_COOKIE);
    getrandom::fill(&mut request[8..]).map_err(|error| error.to_string())?;

    let describe = |error: std::io::Error| format!("{address}: {error}");
    let socket = bind_towards(address.ip()).map_err(describe)?;
    socket.connect(address).map_err(describe)?;
    socket.set_read_timeout(Some(RETRANSMIT)).map_err(describe)?;
    let mut last = "no answer to a STUN binding request".to_owned();
    while begun.elapsed() < limit {
        socket.send(&request).map_err(describe)?;
        let mut answer = [0; 1500];
        match socket.recv(&mut answer) {
            Ok(length) if is_answer(&request, &answer[..length]) => {
                let success = answer[..2] == BINDING_SUCCESS;
                return if success { Ok(()) } else { Err(format!("{address} refused a STUN binding request")) };
            }
            Ok(_) => last = "what answers there is not STUN".into(),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(describe(error)),
        }
    }
    Err(format!("{address}: {last}"))
}

/// Success or error response with the magic cookie and the transaction of the request.
fn is_answer(request: &[u8; HEADER_BYTES], answer: &[u8]) -> bool {
    answer.len() >= HEADER_BYTES && answer[0] == BINDING_SUCCESS[0] && answer[4..20] == request[4..20]
}

fn bind_towards(ip: IpAddr) -> std::io::Result<UdpSocket> {
    UdpSocket::bind(if ip.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })
}

/// The address that this container sends from. Connecting a UDP socket sends nothing but makes the kernel choose the
/// source address of the default route; without one (an internal network), the engine's entry for the container's own host
/// name in /etc/hosts says it. The remote addresses are those of the documentation ranges (RFC 5737, RFC 3849).
pub fn own_address(limit: Duration) -> Result<IpAddr, String> {
    for remote in ["192.0.2.1:9", "[2001:db8::1]:9"] {
        let remote: SocketAddr = remote.parse().map_err(|error| format!("{remote}: {error}"))?;
        let chosen = bind_towards(remote.ip()).and_then(|socket| {
            socket.connect(remote)?;
            socket.local_addr()
        });
        if let Ok(address) = chosen {
            return Ok(address.ip());
        }
    }
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Ok(probe::resolve(&name, 0, limit)?[0].ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers each request with what `reply` makes of it.
    fn server(reply: fn(&[u8]) -> Vec<u8>) -> u16 {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let mut buffer = [0; 100];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                socket.send_to(&reply(&buffer[..length]), from).unwrap();
            }
        });
        port
    }

    fn with_type(kind: [u8; 2], request: &[u8]) -> Vec<u8> {
        [&kind, &request[2..]].concat()
    }

    #[test]
    fn only_a_success_for_this_request_counts() {
        const SHORT: Duration = Duration::from_millis(700);
        let port = server(|request| with_type(BINDING_SUCCESS, request));
        assert_eq!(ask("127.0.0.1", port, SHORT), Ok(()));
        let port = server(|request| with_type([0x01, 0x11], request));
        assert!(ask("127.0.0.1", port, SHORT).unwrap_err().contains("refused"));
        let port = server(|request| {
            let mut other = with_type(BINDING_SUCCESS, request);
            other[19] ^= 1;
            other
        });
        assert!(ask("127.0.0.1", port, SHORT).unwrap_err().contains("not STUN"));
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert!(ask("127.0.0.1", port, SHORT).is_err());
    }
}
