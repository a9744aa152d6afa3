"""The three well-known documents of the server name, as other servers and browsers read them."""

from typing import Any

import pytest

import description
from stack import Stack

DOCUMENTS: dict[str, dict[str, Any]] = {
    "server": {"m.server": f"{description.MATRIX_HOST}:443"},
    "client": {"m.homeserver": {"base_url": description.PUBLIC_BASEURL.rstrip("/")}},
    "support": {"contacts": [{"role": "m.role.admin", "email_address": description.SUPPORT_ADDRESS}]},
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document(running: Stack, name: str) -> None:
    response = running.well_known.request("GET", f"/.well-known/matrix/{name}")
    assert response.status == 200, response
    document = response.json()
    if name == "client":
        # The specification allows the slash at the end of a base URL.
        document["m.homeserver"]["base_url"] = document["m.homeserver"]["base_url"].rstrip("/")
    assert document == DOCUMENTS[name]
    assert response.headers.get_content_type() == "application/json"
    # Twice the same header is as bad as none: browsers refuse it.
    assert response.headers.get_all("Access-Control-Allow-Origin") == ["*"], str(response.headers)
    # Files of an image all have one date, so what follows from it would make a new document look like the old one.
    assert response.headers["ETag"] is None and response.headers["Last-Modified"] is None, str(response.headers)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_output_has_the_same_document(running: Stack, name: str) -> None:
    response = running.well_known.request("GET", f"/.well-known/matrix/{name}")
    assert response.body == (running.target / "well-known" / name).read_bytes()


@pytest.mark.parametrize("path", ["/", "/.well-known/matrix/", "/.well-known/matrix/other", "/_matrix/client/versions"])
def test_nothing_else(running: Stack, path: str) -> None:
    assert running.well_known.request("GET", path).status == 404


def test_unknown_host_gets_nothing(running: Stack) -> None:
    stranger = type(running.gateway)(running.gateway.address, running.gateway.port, "other.test")
    assert stranger.request("GET", "/_matrix/client/versions").status in (404, 421)
