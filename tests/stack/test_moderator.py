"""The account of a moderating bot: made with the administrators', and free of what slows people down. The bot itself is an image of
others, which is not here."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest

import description
from campus import ADMINISTRATOR, BOT, SERVER_NAME, Campus
from matrix import Session

USER = f"@{BOT}:{SERVER_NAME}"
ACCOUNT, LIMITS = f"/v2/users/{quote(USER)}", f"/v1/users/{quote(USER)}/override_ratelimit"
NO_LIMIT = {"messages_per_second": 0, "burst_count": 0}


@pytest.fixture(scope="module")
def bot(campus: Campus) -> Iterator[Session]:
    secret = campus.target / description.SECRETS_DIR / f"administrator_password_{BOT}"
    yield campus.gateway.login(BOT, secret.read_text().strip())


def test_the_bot_is_an_administrator_without_limits(campus: Campus, bot: Session) -> None:
    account = campus.admin("GET", ACCOUNT)
    assert (account["admin"], account["user_type"]) == (True, "bot")
    assert campus.admin("GET", LIMITS) == NO_LIMIT
    assert campus.admin("GET", LIMITS.replace(BOT, ADMINISTRATOR)) == {}


def test_the_bot_agrees_to_no_policy(bot: Session) -> None:
    room = bot.create_room("Moderators")
    assert bot.send(room, "m.room.message", {"msgtype": "m.notice", "body": "Good morning"})


def test_another_run_gives_back_what_somebody_took_away(campus: Campus, bot: Session) -> None:
    campus.admin("PUT", ACCOUNT, {"admin": False, "user_type": None})
    campus.admin("DELETE", LIMITS)
    assert (campus.admin("GET", ACCOUNT)["admin"], campus.admin("GET", LIMITS)) == (False, {})
    done = campus.compose.run("--profile", "admin", "run", "--rm", "-T", "admin", seconds=90)
    campus.stack.said["admin of the campus again"] = done.stdout + done.stderr
    account = campus.admin("GET", ACCOUNT)
    assert (account["admin"], account["user_type"], campus.admin("GET", LIMITS)) == (True, "bot", NO_LIMIT)
    users = campus.admin("GET", "/v2/users?deactivated=true&guests=false")["users"]
    administrators = {user["name"] for user in users if user["admin"] and not user["deactivated"]}
    assert administrators == {USER, f"@{ADMINISTRATOR}:{SERVER_NAME}"}, "a temporary one is left"
