"""What can be reached from outside the engine: the gateway and the TURN server on the ports that the site names, and
nothing else; data stores have no way out either."""

import description
import engine
from stack import Stack


def test_only_gateway_and_turn_publish_ports(running: Stack) -> None:
    published = {container.service: container.published for container in running.compose.containers() if container.published}
    ports = running.ports
    relays = {(port, "udp") for port in range(ports.relay_first, ports.relay_last + 1)}
    turn = {(ports.turn, "udp"), (ports.turn, "tcp"), (ports.turn_tls, "tcp")}
    assert published == {"gateway": {(ports.gateway, "tcp")}, "coturn": relays | turn}
    assert set(published) == set(description.PUBLISHING)


def test_nobody_shares_a_namespace_with_the_host(running: Stack) -> None:
    for container in running.compose.containers():
        host = container.details["HostConfig"]
        modes = {kind: host[kind] for kind in ("NetworkMode", "PidMode", "IpcMode", "UTSMode", "UsernsMode")}
        assert "host" not in modes.values(), f"{container.service}: {modes}"


def test_only_what_must_has_a_way_out(running: Stack) -> None:
    networks = {container.service: set(container.networks) for container in running.compose.containers()}
    names = sorted(set().union(*networks.values()))
    internal = {details["Name"] for details in engine.inspect("network", names) if details["Internal"]}
    assert internal, "no network is internal"
    routed = {service for service, attached in networks.items() if attached - internal}
    assert routed <= set(description.ROUTED_OUT), f"not in internal networks only: {routed - set(description.ROUTED_OUT)}"


def test_turn_server_shares_no_network_with_the_stores(running: Stack) -> None:
    # It forwards packets for strangers.
    networks = {container.service: set(container.networks) for container in running.compose.containers()}
    for store in ("postgres", "redis"):
        assert not networks["coturn"] & networks[store], store
        assert not networks["gateway"] & networks[store], store
