"""A real bridge and the site: Synapse tells it what happens in its rooms, it makes people of its namespace and speaks for them, and
nobody else may have their names."""

from collections.abc import Iterator
from typing import Any

import pytest

import archive
from bridge import PUPPETS, SENDER, Bridge, word
from campus import SERVER_NAME, Campus, password
from matrix import MatrixError, Session, call, quote
from waiting import eventually

NETWORK = "lodge"
CHANNEL = "#tea"
NICK = "mia"


@pytest.fixture(scope="module")
def bridge(campus: Campus) -> Iterator[Bridge]:
    """The bridge, which asks Synapse from the place of a neighbour; the administrator is its owner."""
    inside = campus.inside("synapse")
    campus.bridge.start(f"http://{inside.address}:{inside.port}", campus.administrator.user_id)
    yield campus.bridge
    campus.bridge.stop()


BOT = f"@{SENDER}:{SERVER_NAME}"


def wait_for_room(session: Session, name: str) -> str:
    """The room whose name begins so that a person is invited to, waited for, and joined."""

    def look(rooms: dict[str, Any]) -> str | None:
        for room, content in rooms.get("invite", {}).items():
            events = content["invite_state"]["events"]
            if any(event["type"] == "m.room.name" and event["content"]["name"].startswith(name) for event in events):
                return str(room)
        return None

    room = session.watch(f"an invitation to {name}", look, seconds=30)
    return eventually("the join", lambda: session.join(room))


@pytest.fixture(scope="module")
def control(campus: Campus, bridge: Bridge) -> str:
    """The room in which its owner tells the bridge what to do."""
    owner = campus.administrator
    content = {"is_direct": True, "preset": "trusted_private_chat", "invite": [BOT]}
    return str(owner.call("POST", "/v3/createRoom", content)["room_id"])


def test_the_bridge_hears_of_an_invitation_and_answers(campus: Campus, control: str) -> None:
    assert campus.administrator.wait_for_words(BOT, "Howdy")


def test_messages_go_both_ways_and_the_people_are_of_its_namespace(campus: Campus, bridge: Bridge, control: str) -> None:
    owner = campus.administrator

    def tell(room: str, text: str) -> None:
        owner.send(room, "m.room.message", {"msgtype": "m.text", "body": text})

    visitor = bridge.visitor(NICK, CHANNEL)
    try:
        tell(control, f"ADDNETWORK {NETWORK}")
        tell(control, f"ADDSERVER {NETWORK} {bridge.address} {bridge.irc_port}")
        tell(control, f"OPEN {NETWORK}")
        network = wait_for_room(owner, NETWORK)
        tell(network, "NICK caretaker")
        tell(network, "CONNECT")
        owner.wait_for_words(BOT, "Welcome")
        tell(network, f"JOIN {CHANNEL}")
        channel = wait_for_room(owner, CHANNEL)
        there, back = word(), word()
        puppet = f"@{PUPPETS}{NETWORK}_{NICK}:{SERVER_NAME}"
        visitor.say(f"the kettle boils, {there}")
        assert owner.wait_for_words(puppet, there) == f"the kettle boils, {there}"
        assert puppet in owner.call("GET", f"/v3/rooms/{quote(channel)}/joined_members")["joined"]
        tell(channel, f"coming, {back}")
        assert visitor.read(back).startswith(":caretaker!")
    finally:
        visitor.leave()


def test_the_bridges_token_is_good_for_its_namespace_only(campus: Campus, bridge: Bridge) -> None:
    def register(name: str, token: str) -> str:
        content = {"type": "m.login.application_service", "username": name, "inhibit_login": True}
        return str(call(campus.gateway, "POST", "/_matrix/client/v3/register", content, token=token)["user_id"])

    right = bridge.tokens["as_token"]
    assert register(f"{PUPPETS}elsewhere_sam", right) == f"@{PUPPETS}elsewhere_sam:{SERVER_NAME}"
    with pytest.raises(MatrixError) as outside:
        register("sam", right)
    assert (outside.value.status, outside.value.errcode) == (400, "M_EXCLUSIVE")
    with pytest.raises(MatrixError) as stranger:
        register(f"{PUPPETS}elsewhere_eve", "notoken")
    assert (stranger.value.status, stranger.value.errcode) == (401, "M_UNKNOWN_TOKEN")
    # The other way, too: who has a token for registering takes no name of the bridge's.
    fresh = campus.admin("POST", "/v1/registration_tokens/new", {"uses_allowed": 1})["token"]
    with pytest.raises(MatrixError) as taken:
        campus.register(f"{PUPPETS}{NETWORK}_eve", password(), {"m.login.registration_token": {"token": fresh}})
    assert (taken.value.status, taken.value.errcode) == (400, "M_EXCLUSIVE")


def test_the_bridges_tokens_are_in_no_image_and_no_log(campus: Campus, bridge: Bridge) -> None:
    images = archive.Archive(campus.target / "images.tar")
    assert images.search({"its namespace": f"@{PUPPETS}".encode()}), "a search that finds nothing must be able to find something"
    assert images.search({name: token.encode() for name, token in bridge.tokens.items()}) == set()
    said = campus.compose.report(lines=2000)
    assert "synapse.access.http" in said
    for token in bridge.tokens.values():
        for name in ("compose.yaml", "site.json"):
            assert token not in (campus.target / name).read_text(), name
        assert token not in said
