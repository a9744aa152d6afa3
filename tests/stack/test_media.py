"""Media through the gateway: what goes up comes down byte by byte, strangers get nothing, and a file that is too large is
refused in a way that a browser lets the application see."""

from conftest import Upload
from matrix import Session


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


def test_upload_of_the_largest_size(alice: Session) -> None:
    response = alice.upload(b"\0" * (1024 * 1024), "application/octet-stream")
    assert response.status == 200, response
