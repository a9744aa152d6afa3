"""Previews of links: a page at the address that the site allows is shown, with its picture; nothing of the private networks is, by
whatever way somebody asks for it. What was asked of the web server tells a refusal from a failure."""

import ipaddress
import socket
import urllib.parse
from collections.abc import Iterator

import pytest

import engine
import ports
from campus import METRICS_PORT, PAGES_HOST, Campus
from matrix import MatrixError, Session, call
from pages import DESCRIPTION, SIDE, TITLE, Pages, picture


@pytest.fixture(scope="module")
def nora(campus: Campus) -> Session:
    """Somebody whose client shows previews."""
    return campus.person("nora")


@pytest.fixture(scope="module")
def private(campus: Campus) -> Iterator[Pages]:
    """The same web server on another private address, one that Synapse's container reaches as well: this machine's in the site's
    own network."""
    gateways = {
        details["Gateway"] for details in campus.compose.container("synapse").details["NetworkSettings"]["Networks"].values() if details["Gateway"]
    }
    address = next(address for address in sorted(gateways) if address != campus.pages.address)
    assert ipaddress.ip_address(address).is_private
    pages = Pages(address, ports.choose().peer)
    pages.start()
    try:
        yield pages
    finally:
        pages.stop()


def preview(session: Session, url: str) -> dict[str, object]:
    """What a client gets to show."""
    return call(session.server, "GET", f"/_matrix/client/v1/media/preview_url?{urllib.parse.urlencode({'url': url})}", token=session.token)


def refused(session: Session, url: str) -> MatrixError:
    """The refusal of a preview."""
    with pytest.raises(MatrixError) as error:
        preview(session, url)
    return error.value


def allowed(campus: Campus, path: str) -> str:
    """An address on the web server that the site allows."""
    return f"http://{PAGES_HOST}:{campus.pages.port}{path}"


def test_a_page_at_the_allowed_address_is_shown_with_its_picture(campus: Campus, nora: Session) -> None:
    shown = preview(nora, allowed(campus, "/page"))
    assert (shown["og:title"], shown["og:description"]) == (TITLE, DESCRIPTION)
    assert (shown["og:image:width"], shown["og:image:height"]) == (SIDE, SIDE)
    kept = nora.download(str(shown["og:image"]))
    assert (kept.status, kept.body) == (200, picture())
    assert campus.pages.asked == ["/page", "/picture.png"]


def test_a_private_address_is_refused(nora: Session, private: Pages) -> None:
    error = refused(nora, f"{private.url}/secret")
    assert (error.status, error.content["error"]) == (403, "IP address blocked")
    assert private.asked == []


def test_an_allowed_page_does_not_lead_to_a_private_address(campus: Campus, nora: Session, private: Pages) -> None:
    way = f"/redirect?{urllib.parse.quote(f'{private.url}/secret')}"
    assert refused(nora, allowed(campus, way)).status == 403
    assert campus.pages.asked[-1] == way, "the first step of it is allowed"
    assert private.asked == []


def test_a_picture_at_a_private_address_is_left_out(campus: Campus, nora: Session, private: Pages) -> None:
    shown = preview(nora, allowed(campus, f"/page?{urllib.parse.quote(f'{private.url}/picture.png')}"))
    assert shown["og:title"] == TITLE
    assert "mxc://" not in str(shown)
    assert private.asked == []


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(f"http://synapse:{METRICS_PORT}/_synapse/metrics", id="the metrics"),
        pytest.param("http://well-known:8080/.well-known/matrix/client", id="the documents"),
        pytest.param("http://redis:6379/", id="the bus"),
    ],
)
def test_a_name_of_a_private_address_is_refused(campus: Campus, nora: Session, url: str) -> None:
    """The neighbours in the site's own network, which Synapse finds by name and strangers do not."""
    host, port = urllib.parse.urlsplit(url).hostname, urllib.parse.urlsplit(url).port
    assert host is not None and port is not None
    addresses = [address for address in campus.compose.container(host).networks.values() if address]
    assert addresses and all(ipaddress.ip_address(address).is_private for address in addresses)
    socket.create_connection((addresses[0], port), timeout=10).close()
    error = refused(nora, url)
    assert (error.status, error.content["error"]) == (502, "DNS resolution failure during URL preview generation")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1"])
def test_loopback_is_refused_however_it_is_written(nora: Session, host: str) -> None:
    error = refused(nora, f"http://{host}:{METRICS_PORT}/_synapse/metrics")
    assert error.content["error"] in ("IP address blocked", "DNS resolution failure during URL preview generation"), error


def test_refused_patterns_are_refused_though_their_address_is_allowed(campus: Campus, nora: Session) -> None:
    before = list(campus.pages.asked)
    for host in (f"nora:secret@{PAGES_HOST}", f"deeply.hidden.{PAGES_HOST}"):
        error = refused(nora, f"http://{host}:{campus.pages.port}/page")
        assert (error.status, error.content["error"]) == (403, "URL blocked by url pattern blocklist entry"), host
    assert campus.pages.asked == before
