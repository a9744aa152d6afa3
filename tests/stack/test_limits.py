"""What the site limits holds on the running site: wrong passwords, the room directory, who is shown as online, how long messages are
kept, and what a browser finds."""

import json
import time

import pytest

from campus import GUESSES, WEB_CLIENT, Campus, password
from matrix import MatrixError, Response, Session, quote
from waiting import eventually

LIFETIME_MS = 2000


@pytest.fixture(scope="module")
def oscar(campus: Campus) -> Session:
    """Somebody with a room."""
    return campus.person("oscar")


def guess(campus: Campus, name: str, word: str) -> Response:
    """One try at an account, which does not wait when told to."""
    identifier = {"type": "m.id.user", "user": name}
    body = json.dumps({"type": "m.login.password", "identifier": identifier, "password": word}).encode()
    return campus.gateway.request("POST", "/_matrix/client/v3/login", body=body, headers={"Content-Type": "application/json"})


def test_guessing_a_password_ends_soon(campus: Campus, oscar: Session) -> None:
    right = password()
    campus.account("peggy", right)
    tried = [guess(campus, "peggy", f"Wrong{number}") for number in range(GUESSES + 2)]
    assert [answer.status for answer in tried] == [403] * GUESSES + [429] * 2
    assert tried[-1].json()["errcode"] == "M_LIMIT_EXCEEDED"
    assert int(str(tried[-1].headers["Retry-After"])) > 10
    # Who guesses right now learns nothing, and nobody else is locked out.
    assert guess(campus, "peggy", right).status == 429
    assert oscar.whoami() == "@oscar:campus.test"
    assert guess(campus, "oscar", "wrong").status == 403


def test_a_room_is_not_listed_where_no_rule_allows_it(campus: Campus, oscar: Session) -> None:
    room = oscar.create_room("Staff only")
    with pytest.raises(MatrixError) as refused:
        oscar.call("PUT", f"/v3/directory/list/room/{quote(room)}", {"visibility": "public"})
    assert (refused.value.status, refused.value.content["error"]) == (403, "Not allowed to publish room")
    assert oscar.call("GET", "/v3/publicRooms")["chunk"] == []


def test_strangers_do_not_see_the_room_directory(campus: Campus) -> None:
    answer = campus.gateway.request("GET", "/_matrix/client/v3/publicRooms")
    assert (answer.status, answer.json()["errcode"]) == (401, "M_MISSING_TOKEN")


def test_nobody_is_shown_as_online(campus: Campus, oscar: Session) -> None:
    rupert = campus.person("rupert")
    room = rupert.create_room("who is there")
    rupert.invite(room, oscar.user_id)
    oscar.wait_for_invite(room)
    eventually("oscar's join", lambda: oscar.join(room))
    rupert.call("PUT", f"/v3/presence/{quote(rupert.user_id)}/status", {"presence": "online", "status_msg": "at tea"})
    since = oscar.sync()["next_batch"]
    sent = rupert.send(room, "m.room.message", {"msgtype": "m.text", "body": "here I am"})
    oscar.wait_for_event(room, sent)
    assert oscar.sync(since).get("presence", {}).get("events", []) == []
    shown = oscar.call("GET", f"/v3/presence/{quote(rupert.user_id)}/status")
    assert shown.get("presence") == "offline" and "status_msg" not in shown, shown


def test_what_a_room_keeps_for_seconds_is_gone_from_the_database_after_them(campus: Campus, oscar: Session) -> None:
    room = oscar.create_room("Shift notes")
    oscar.send_state(room, "m.room.retention", {"max_lifetime": LIFETIME_MS})
    old = oscar.send(room, "m.room.message", {"msgtype": "m.text", "body": "the boiler is loud"})
    path = f"/v1/fetch_event/{quote(old)}"
    assert campus.admin("GET", path)["event"]["content"]["body"] == "the boiler is loud"
    time.sleep(LIFETIME_MS / 1000)
    # The last event of a room stays whatever its age, so there is a later one.
    oscar.send(room, "m.room.message", {"msgtype": "m.text", "body": "the boiler is quiet"})
    with pytest.raises(MatrixError) as refused:
        oscar.event(room, old)
    assert refused.value.status == 404

    def purged() -> bool:
        try:
            campus.admin("GET", path)
        except MatrixError as error:
            return error.status == 404
        return False

    eventually("the message gone from the database", purged, seconds=30)


def test_a_browser_is_sent_to_the_web_client(campus: Campus) -> None:
    for path in ("/", "/?from=elsewhere"):
        answer = campus.gateway.request("GET", path)
        assert (answer.status, answer.headers["Location"]) == (302, WEB_CLIENT)
    for path in ("/index.html", "//", "/./", "/%2e%2e/"):
        assert campus.gateway.request("GET", path).status in (400, 404), path
