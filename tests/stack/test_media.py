"""Media through the gateway: what goes up comes down byte by byte, strangers get nothing, and a file that is too large is
refused in a way that a browser lets the application see."""

import pytest

from conftest import Upload
from matrix import Session
from uploads import WAYS, Way, assert_too_large, upload as send

LIMIT = 1024 * 1024


def test_download_is_what_was_uploaded(bob: Session, upload: Upload) -> None:
    response = bob.download(upload.uri)
    assert response.status == 200, response
    assert response.body == upload.content


def test_download_needs_a_login(bob: Session, upload: Upload) -> None:
    response = bob.download(upload.uri, authenticated=False)
    assert response.status == 401, response
    assert response.json()["errcode"] == "M_MISSING_TOKEN"


def test_limit_is_announced(alice: Session) -> None:
    assert alice.call("GET", "/v1/media/config")["m.upload.size"] == 1024 * 1024


def test_too_large_upload_is_refused_readably(alice: Session) -> None:
    response = alice.upload(b"\0" * (2 * 1024 * 1024), "application/octet-stream")
    assert response.status == 413, response
    # Without this header a browser hides the status, and the application can only say "network error".
    assert response.headers.get_all("Access-Control-Allow-Origin") == ["*"], str(response.headers)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_whatever_is_larger_is_told_so(alice: Session, way: Way) -> None:
    # The largest body of any other request is 12.5 MiB: what Synapse does beyond that is another thing than before it.
    for size in (LIMIT + 1, LIMIT + 4096, 2 * LIMIT, 10 * LIMIT, 14 * LIMIT):
        assert_too_large(send(alice, size, way), f"{size} bytes")


def test_upload_of_the_largest_size(alice: Session) -> None:
    response = alice.upload(b"\0" * (1024 * 1024), "application/octet-stream")
    assert response.status == 200, response
