//! The bundled coturn. Options are from coturn's README.turnserver; the peers it refuses are those that Synapse's
//! documentation ("coturn") and coturn's own security advisories name.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::checked::{CheckedSite, Turn};
use crate::deployment::{Network, Part, Port, Service, Transport};
use crate::launch::{ADDRESS, Escape, Health, Make, RUN_DIR, Role, SCRATCH_DIR, Secret, Template, placeholder, secret_path};
use crate::site::rtc::Relay;
use crate::site::turn;

const IMAGE: &str = "coturn";
const SHARED_SECRET: &str = "turn_shared_secret";
const CERTIFICATE: &str = "turn_tls_certificate";
const CERTIFICATE_KEY: &str = "turn_tls_certificate_key";

/// Ranges in which a relay reaches what it should not: the site's own containers, the operator's network, the target itself.
const DENIED_PEERS: &[&str] = &[
    "0.0.0.0-0.255.255.255",
    "10.0.0.0-10.255.255.255",
    "100.64.0.0-100.127.255.255",
    "127.0.0.0-127.255.255.255",
    "169.254.0.0-169.254.255.255",
    "172.16.0.0-172.31.255.255",
    "192.0.0.0-192.0.0.255",
    "192.0.2.0-192.0.2.255",
    "192.88.99.0-192.88.99.255",
    "192.168.0.0-192.168.255.255",
    "198.18.0.0-198.19.255.255",
    "198.51.100.0-198.51.100.255",
    "203.0.113.0-203.0.113.255",
    "240.0.0.0-255.255.255.255",
    "::1",
    "64:ff9b::-64:ff9b::ffff:ffff",
    "::ffff:0.0.0.0-::ffff:255.255.255.255",
    "100::-100::ffff:ffff:ffff:ffff",
    "2001::-2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2002::-2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fc00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fe80::-febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];

pub(super) fn resolve(checked: &CheckedSite<'_>) -> Option<Part> {
    let Turn::Bundled { host, external_ip: external } = checked.turn else { return None };
    let (site, turn) = (checked.site, &checked.site.turn);
    // The relay has to know its own address beside the public one, or two people who both need it cannot reach each other.
    let mut config = format!(
        "# The relay of {server}.\n\
         listening-port={port}\n\
         listening-ip=0.0.0.0\n\
         relay-ip={ADDRESS}\n\
         min-port={min}\n\
         max-port={max}\n\
         external-ip={external}/{ADDRESS}\n\
         realm={host}\n\
         use-auth-secret\n\
         static-auth-secret={secret}\n\
         fingerprint\n\
         stale-nonce=600\n\
         no-dtls\n\
         no-cli\n\
         no-multicast-peers\n\
         no-tcp-relay\n\
         no-rfc5780\n\
         no-software-attribute\n\
         userdb=/tmp/turndb\n\
         pidfile=/tmp/turnserver.pid\n\
         log-file=stdout\n\
         simple-log\n\
         user-quota=12\n\
         total-quota=1200\n",
        server = site.server.server_name,
        port = turn.port,
        min = turn.min_port,
        max = turn.max_port,
        secret = placeholder(SHARED_SECRET),
    );
    if turn.tls {
        let _ = write!(config, "tls-listening-port={}\ncert={}\npkey={}\n", turn.tls_port, secret_path(CERTIFICATE), secret_path(CERTIFICATE_KEY));
    } else {
        config.push_str("no-tls\n");
    }
    for range in DENIED_PEERS {
        let _ = writeln!(config, "denied-peer-ip={range}");
    }
    for network in &turn.denied_peer_ip {
        let _ = writeln!(config, "denied-peer-ip={}", span(network.as_str()));
    }
    // Two people behind one relay reach each other through its public address.
    let _ = writeln!(config, "allowed-peer-ip={external}");
    // LiveKit, where this relay is its own, too.
    if let Some(address) = site.rtc.external_ip.as_ref().filter(|address| site.rtc.relay == Relay::Turn && *address != external) {
        let _ = writeln!(config, "allowed-peer-ip={address}");
    }
    for network in &turn.allowed_peer_ip {
        let _ = writeln!(config, "allowed-peer-ip={}", span(network.as_str()));
    }
    let mut part = Part::default();
    part.add(IMAGE, "/etc/coturn/turnserver.conf", config);
    let completed = format!("{RUN_DIR}/turnserver.conf");
    let role = Role {
        secrets: [CERTIFICATE, CERTIFICATE_KEY].iter().filter(|_| turn.tls).chain(&[SHARED_SECRET]).map(|name| (*name).to_owned()).collect(),
        files: vec![Template { source: "/etc/coturn/turnserver.conf".to_owned(), target: completed.clone(), escape: Escape::Plain }],
        writable: vec![SCRATCH_DIR.to_owned()],
        exec: vec!["turnserver".to_owned(), "-c".to_owned(), completed],
        health: Some(Health::Stun { host: "127.0.0.1".to_owned(), port: turn.port }),
        ..Role::default()
    };
    part.services.push(Service {
        name: IMAGE.to_owned(),
        image: IMAGE,
        command: vec!["run".to_owned(), "coturn".to_owned()],
        role: Some(("coturn".to_owned(), role)),
        networks: vec![Network::Edge],
        ports: ports(turn),
        // As process 1 it would ignore the signal to end.
        init: true,
        stop_grace_seconds: 5,
        ..Service::default()
    });
    part.secrets.push(Secret::new(SHARED_SECRET, "lets Synapse make credentials for the bundled coturn", Make::Random));
    if turn.tls {
        part.secrets.push(Secret::new(CERTIFICATE, "the relay's certificate with its chain, PEM", Make::Bring));
        part.secrets.push(Secret::new(CERTIFICATE_KEY, "the private key of the relay's certificate, PEM", Make::Bring));
    }
    Some(part)
}

fn ports(turn: &turn::Turn) -> Vec<Port> {
    let port = |option, first, last, transport, purpose| Port { service: IMAGE, option, address: None, first, last, transport, purpose, inside: None };
    let mut ports = vec![
        port("turn.port", turn.port, turn.port, Transport::Tcp, "calls of two: TURN"),
        port("turn.port", turn.port, turn.port, Transport::Udp, "calls of two: TURN and STUN"),
    ];
    if turn.tls {
        ports.push(port("turn.tls_port", turn.tls_port, turn.tls_port, Transport::Tcp, "calls of two: TURN over TLS"));
    }
    ports.push(port("turn.min_port", turn.min_port, turn.max_port, Transport::Udp, "calls of two: relayed media"));
    ports
}

/// coturn knows ranges from address to address only.
fn span(network: &str) -> String {
    let Some((address, prefix)) = network.split_once('/') else { return network.to_owned() };
    let length: u32 = prefix.parse().unwrap_or(128);
    match address.parse() {
        Ok(IpAddr::V4(first)) => {
            let hosts = u32::MAX.checked_shr(length).unwrap_or(0);
            format!("{first}-{}", std::net::Ipv4Addr::from(u32::from(first) | hosts))
        }
        Ok(IpAddr::V6(first)) => {
            let hosts = u128::MAX.checked_shr(length).unwrap_or(0);
            format!("{first}-{}", std::net::Ipv6Addr::from(u128::from(first) | hosts))
        }
        Err(_) => network.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn networks_become_ranges() {
        assert_eq!(super::span("10.1.0.0/16"), "10.1.0.0-10.1.255.255");
        assert_eq!(super::span("192.0.2.1/32"), "192.0.2.1-192.0.2.1");
        assert_eq!(super::span("fd00::/120"), "fd00::-fd00::ff");
        assert_eq!(super::span("0.0.0.0/0"), "0.0.0.0-255.255.255.255");
    }
}
