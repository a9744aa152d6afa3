"""Logging in with an account of a real OpenID Connect provider, whose certificate is from the organisation's own authority; and what
clients are told about calls."""

import time
import urllib.parse

import pytest

from campus import CALLS, MATRIX_HOST, SERVER_NAME, Campus
from matrix import MatrixError, Session, call
from provider import FULL_NAME, PERSON, Browser
from waiting import eventually

CLIENT = "https://app.campus.test/"
REDIRECT = "/_matrix/client/v3/login/sso/redirect"


def login_page(campus: Campus, browser: Browser, client: str = f"{CLIENT}#/login") -> str:
    """Where the site sends somebody who wants to log in with the provider."""
    query = urllib.parse.urlencode({"redirectUrl": client})
    page = browser.get(f"https://{MATRIX_HOST}{REDIRECT}/oidc-house?{query}")
    assert page.status == 302 and page.location is not None, page
    return page.location


def through_the_provider(campus: Campus, browser: Browser, password: str) -> str:
    """All pages from the client's button back to the client; gives the login token."""
    answers = {"login": PERSON, "password": password}
    # The provider's tokens for one person differ by the second they are made in, and it fails when two are the same.
    time.sleep(1 - time.time() % 1)
    page = browser.get(login_page(campus, browser))
    target = browser.walk(page, answers, CLIENT)
    return urllib.parse.parse_qs(urllib.parse.urlsplit(target).query)["loginToken"][0]


def log_in(campus: Campus, token: str) -> Session:
    """Exchanges the login token for a session, as the client does."""
    made = call(campus.gateway, "POST", "/_matrix/client/v3/login", {"type": "m.login.token", "token": token})
    return Session(campus.gateway, made["user_id"], made["access_token"], made["device_id"])


def visitor(campus: Campus) -> Browser:
    """A browser with no cookies."""
    return Browser(campus.provider, {MATRIX_HOST: campus.gateway.port})


@pytest.fixture(scope="module")
def jane(campus: Campus) -> Session:
    """A person of the provider, in for the first time."""
    return log_in(campus, through_the_provider(campus, visitor(campus), campus.provider.password))


def test_the_button_is_offered_beside_the_password(campus: Campus) -> None:
    flows = call(campus.gateway, "GET", "/_matrix/client/v3/login")["flows"]
    offered = {flow["type"]: flow for flow in flows}
    assert {"m.login.sso", "m.login.token", "m.login.password"} <= set(offered)
    [provider] = offered["m.login.sso"]["identity_providers"]
    assert (provider["id"], provider["name"]) == ("oidc-house", "House accounts")


def test_people_are_sent_to_the_provider_with_a_code_that_only_this_login_can_use(campus: Campus) -> None:
    target = urllib.parse.urlsplit(login_page(campus, visitor(campus)))
    assert f"{target.scheme}://{target.netloc}" == campus.provider.issuer
    query = urllib.parse.parse_qs(target.query)
    assert query["redirect_uri"] == [campus.provider.callback]
    assert query["code_challenge_method"] == ["S256"], "PKCE, because the provider says that it can"


def test_a_person_of_the_provider_gets_an_account(campus: Campus, jane: Session) -> None:
    assert jane.user_id == f"@{PERSON}:{SERVER_NAME}"
    path = f"/_matrix/client/v3/profile/{urllib.parse.quote(jane.user_id)}/displayname"
    assert call(campus.gateway, "GET", path, token=jane.token) == {"displayname": FULL_NAME}


def test_a_second_login_is_the_same_account_and_writes(campus: Campus, jane: Session) -> None:
    again = log_in(campus, through_the_provider(campus, visitor(campus), campus.provider.password))
    assert again.user_id == jane.user_id and again.token != jane.token
    campus.agree_if_asked(again)
    room = eventually("a room of hers", lambda: again.create_room("house"))
    again.send(room, "m.room.message", {"msgtype": "m.text", "body": "in by the house's own door"})


def test_a_wrong_password_at_the_provider_is_no_way_in(campus: Campus) -> None:
    browser = visitor(campus)
    answers = {"login": PERSON, "password": "not the password"}
    with pytest.raises(AssertionError, match="it does not end"):
        browser.walk(browser.get(login_page(campus, browser)), answers, campus.provider.callback, pages=7)
    assert any("/auth/password" in page for page in browser.visited), browser.visited


def test_a_login_that_began_in_another_browser_is_refused(campus: Campus) -> None:
    first = visitor(campus)
    answers = {"login": PERSON, "password": campus.provider.password}
    callback = first.walk(first.get(login_page(campus, first)), answers, campus.provider.callback)
    stolen = visitor(campus).get(callback)
    assert stolen.status == 400 and stolen.location is None, stolen


def test_a_login_token_is_good_once(campus: Campus) -> None:
    token = through_the_provider(campus, visitor(campus), campus.provider.password)
    log_in(campus, token)
    with pytest.raises(MatrixError) as refused:
        log_in(campus, token)
    assert refused.value.status == 403


def test_the_client_secret_is_in_no_image_and_no_log(campus: Campus) -> None:
    secret = campus.provider.client_secret.encode()
    assert secret not in (campus.target / "compose.yaml").read_bytes()
    assert secret not in (campus.target / "site.json").read_bytes()
    assert campus.provider.client_secret not in campus.compose.report(lines=2000)


def test_clients_are_told_where_calls_are(campus: Campus, jane: Session) -> None:
    transports = call(campus.gateway, "GET", "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports", token=jane.token)
    assert transports == {"rtc_transports": [{"type": "livekit", "livekit_service_url": CALLS}]}
    client = call(campus.well_known, "GET", "/.well-known/matrix/client")
    assert client["org.matrix.msc4143.rtc_foci"] == transports["rtc_transports"]


def test_an_event_for_later_is_taken_and_sent(campus: Campus, jane: Session) -> None:
    """A client in a call asks that its leaving be sent unless it says otherwise."""
    campus.agree_if_asked(jane)
    room = eventually("a room of hers", lambda: jane.create_room("call"))
    path = f"/_matrix/client/v3/rooms/{urllib.parse.quote(room)}/send/m.room.message/later1?org.matrix.msc4140.delay=300"
    delayed = call(campus.gateway, "PUT", path, {"msgtype": "m.text", "body": "gone"}, token=jane.token)
    assert delayed["delay_id"]

    def sent() -> bool:
        listed = call(campus.gateway, "GET", f"/_matrix/client/v3/rooms/{urllib.parse.quote(room)}/messages?dir=b&limit=10", token=jane.token)
        return any(event["content"].get("body") == "gone" for event in listed["chunk"])

    eventually("the event that was asked for", lambda: sent() or None)
