"""Who may make an account: those whom an administrator gave a token, with a password that the policy accepts. And what a person may
change the password to."""

from typing import Any

import pytest

from campus import SERVER_NAME, Campus, password
from matrix import MatrixError, Session, call

STAGE = "m.login.registration_token"
# What the policy refuses, and the code that says why (client-server API, "Password Management").
WEAK = [
    pytest.param("Aa1" + "x" * 6, "M_PASSWORD_TOO_SHORT", id="too short"),
    pytest.param("Aabcdefghijk", "M_PASSWORD_NO_DIGIT", id="no digit"),
    pytest.param("abcdefghijk1", "M_PASSWORD_NO_UPPERCASE", id="no capital"),
    pytest.param("ABCDEFGHIJK1", "M_PASSWORD_NO_LOWERCASE", id="no small letter"),
]


@pytest.fixture(scope="module")
def token(campus: Campus) -> str:
    """A token for two accounts, made by an administrator."""
    return str(campus.admin("POST", "/v1/registration_tokens/new", {"uses_allowed": 2})["token"])


@pytest.fixture(scope="module")
def karl(campus: Campus, token: str) -> tuple[Session, str]:
    """The first who registers with it, and his password."""
    chosen = password()
    return campus.register("karl", chosen, {STAGE: {"token": token}}), chosen


def exists(campus: Campus, name: str) -> bool:
    """Whether there is an account, as the administrator sees it."""
    return bool(campus.admin("GET", f"/v2/users?guests=false&name={name}")["total"])


def test_without_a_token_nobody_registers(campus: Campus) -> None:
    with pytest.raises(MatrixError) as refused:
        campus.register("mallory", password(), {})
    assert refused.value.status == 401
    assert all(STAGE in flow["stages"] for flow in refused.value.content["flows"]), refused.value
    assert not exists(campus, "mallory")


def test_a_made_up_token_is_refused(campus: Campus) -> None:
    with pytest.raises(MatrixError) as refused:
        campus.register("mallory", password(), {STAGE: {"token": "madeup"}})
    assert (refused.value.status, refused.value.errcode) == (401, "M_UNAUTHORIZED")
    assert not exists(campus, "mallory")


def test_a_token_of_the_administrator_gives_an_account(campus: Campus, karl: tuple[Session, str]) -> None:
    session, chosen = karl
    assert session.whoami() == f"@karl:{SERVER_NAME}"
    # The policy was a stage of it, so he may write at once.
    session.create_room("first")
    assert campus.gateway.login("karl", chosen).whoami() == session.user_id


def test_a_used_up_token_is_refused(campus: Campus, token: str, karl: tuple[Session, str]) -> None:
    campus.register("lena", password(), {STAGE: {"token": token}})
    with pytest.raises(MatrixError) as refused:
        campus.register("mallory", password(), {STAGE: {"token": token}})
    assert (refused.value.status, refused.value.errcode) == (401, "M_UNAUTHORIZED")
    assert not exists(campus, "mallory")
    counted = campus.admin("GET", f"/v1/registration_tokens/{token}")
    assert (counted["completed"], counted["pending"]) == (2, 0)


def test_anybody_can_ask_whether_a_token_is_good(campus: Campus, token: str, karl: tuple[Session, str]) -> None:
    """The page of a client does, before it shows the rest of the form."""
    fresh = campus.admin("POST", "/v1/registration_tokens/new", {"uses_allowed": 1})["token"]
    path = "/_matrix/client/v1/register/m.login.registration_token/validity?token="
    assert call(campus.gateway, "GET", path + fresh) == {"valid": True}
    assert call(campus.gateway, "GET", path + "madeup") == {"valid": False}


@pytest.mark.parametrize(("weak", "errcode"), WEAK)
def test_a_weak_password_gives_no_account(campus: Campus, weak: str, errcode: str) -> None:
    fresh = campus.admin("POST", "/v1/registration_tokens/new", {"uses_allowed": 1})["token"]
    with pytest.raises(MatrixError) as refused:
        campus.register("mallory", weak, {STAGE: {"token": fresh}})
    assert (refused.value.status, refused.value.errcode) == (400, errcode)
    assert not exists(campus, "mallory")


@pytest.mark.parametrize(("weak", "errcode"), WEAK)
def test_a_password_is_not_changed_to_a_weak_one(campus: Campus, karl: tuple[Session, str], weak: str, errcode: str) -> None:
    session, chosen = karl
    proof = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "karl"}, "password": chosen}
    wanted: dict[str, Any] = {"auth": proof, "logout_devices": False}
    with pytest.raises(MatrixError) as refused:
        session.call("POST", "/v3/account/password", wanted | {"new_password": weak})
    assert (refused.value.status, refused.value.errcode) == (400, errcode)
    assert campus.gateway.login("karl", chosen).whoami() == session.user_id


def test_guests_are_refused(campus: Campus) -> None:
    with pytest.raises(MatrixError) as refused:
        call(campus.gateway, "POST", "/_matrix/client/v3/register?kind=guest", {})
    assert (refused.value.status, refused.value.content["error"]) == (403, "Guest access is disabled")
