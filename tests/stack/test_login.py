"""People of the directory log in through the gateway, and nobody else does. Each refusal is the ordinary one of the
specification, so that a stranger does not learn which accounts exist."""

from pathlib import Path
from typing import Any

import pytest

import description
from certificates import Authority
from directory import PLUS
from matrix import MatrixError, call
from stack import Stack


def test_active_user_logs_in(running: Stack) -> None:
    alice = running.directory.people["alice"]
    session = running.gateway.login(alice.uid, alice.password)
    assert session.user_id == "@alice:stack.test"
    assert session.whoami() == session.user_id
    profile = session.call("GET", "/v3/profile/@alice:stack.test/displayname")
    assert profile["displayname"] == alice.name
    session.logout()
    with pytest.raises(MatrixError) as refused:
        session.whoami()
    assert refused.value.errcode == "M_UNKNOWN_TOKEN"


def test_full_user_id_logs_in_too(running: Stack) -> None:
    running.gateway.login("@bob:stack.test", running.directory.people["bob"].password).logout()


@pytest.mark.parametrize(
    ("user", "whose_password"),
    [
        pytest.param("alice", "bob", id="password of another user"),
        pytest.param("carol", "carol", id="inactive account"),
        pytest.param("nobody", "alice", id="unknown user"),
        pytest.param("al*", "alice", id="pattern in the name"),
        pytest.param("alice)(uid=*", "alice", id="filter in the name"),
    ],
)
def test_refused(running: Stack, user: str, whose_password: str) -> None:
    with pytest.raises(MatrixError) as refused:
        running.gateway.login(user, running.directory.people[whose_password].password)
    assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")


def test_the_log_says_whose_login_it_was(running: Stack) -> None:
    running.gateway.login("alice", running.directory.people["alice"].password).logout()
    with pytest.raises(MatrixError):
        running.gateway.login("carol", running.directory.people["carol"].password)
    said = [line for service in description.SYNAPSE_SERVICES for line in running.compose.logs(service).splitlines()]
    assert [line for line in said if "from sentinel context" in line] == []
    # Lines of the module, which come after the directory has answered.
    mine = [line for line in said if " - ldap_auth_provider - " in line]
    assert mine and all(" - POST-" in line for line in mine), mine


def login_by_address(running: Stack, address: str, password: str) -> dict[str, Any]:
    identifier = {"type": "m.id.thirdparty", "medium": "email", "address": address}
    return call(running.gateway, "POST", "/_matrix/client/v3/login", {"type": "m.login.password", "identifier": identifier, "password": password})


# What has a meaning in a search of a directory (RFC 4515, section 3), and in the name of an entry.
NO_NAMES = ["*", "al*", "alice)(uid=*", "alice)(|(uid=*", "ali\\63e", "alice\0", "@al*:stack.test", "alice,ou=users", "alice "]
# The same in addresses, which may have it, and what the directory is asked instead.
ADDRESSES = {
    "*@stack.test": r"mail=\2A@stack.test",
    "a*@stack.test": r"mail=a\2A@stack.test",
    "alice)(mail=*@stack.test": r"mail=alice\29\28mail=\2A@stack.test",
    "alice\\40@stack.test": r"mail=alice\5C40@stack.test",
}


def test_names_that_no_account_has_never_reach_the_directory(running: Stack) -> None:
    password = running.directory.people["alice"].password
    before = len(running.directory.logged())
    for name in NO_NAMES:
        with pytest.raises(MatrixError) as refused:
            running.gateway.login(name, password)
        assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN"), name
    assert running.directory.asked(before) == [], "the directory was asked"
    # A name that an account has is asked for, so the silence before means something.
    running.gateway.login("alice", password).logout()
    assert "(uid=alice)" in running.directory.logged()[before:]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_means_itself_in_a_search(running: Stack, address: str) -> None:
    before = len(running.directory.logged())
    with pytest.raises(MatrixError) as refused:
        login_by_address(running, address, running.directory.people["alice"].password)
    assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")
    assert f"({ADDRESSES[address]})".lower() in running.directory.logged()[before:].lower()


def test_every_name_that_an_account_can_have_is_asked_for(running: Stack) -> None:
    session = running.gateway.login(PLUS, running.directory.people[PLUS].password)
    assert session.whoami() == f"@{PLUS}:stack.test"
    session.logout()


def test_address_of_the_directory_logs_in(running: Stack) -> None:
    bob = running.directory.people["bob"]
    answer = login_by_address(running, f"{bob.uid}@{description.SERVER_NAME}", bob.password)
    assert answer["user_id"] == "@bob:stack.test"


def test_empty_password_is_refused(running: Stack) -> None:
    # RFC 4513 5.1.2: a directory takes a bind with a name and no password for an anonymous one, and lets it succeed.
    with pytest.raises(MatrixError) as refused:
        running.gateway.login("alice", "")
    assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")


def test_another_servers_name_gives_no_other_account(running: Stack) -> None:
    # The LDAP module looks at the localpart only. That is harmless as long as the account is the local one.
    try:
        session = running.gateway.login("@alice:other.test", running.directory.people["alice"].password)
    except MatrixError as refused:
        assert (refused.status, refused.errcode) == (403, "M_FORBIDDEN")
    else:
        assert session.whoami() == "@alice:stack.test"
        session.logout()


def test_directory_was_asked_over_tls_with_the_filter(running: Stack) -> None:
    said = running.directory.logged()
    # The host's own check at the start came first; what counts is a search for a user.
    searches = [line for line in said.splitlines() if "SRCH base=" in line and "uid=alice" in line]
    assert searches, "no login searched the directory"
    assert all("accountStatus=active" in line for line in searches), searches
    assert "TLS established" in said


def test_who_poses_as_the_directory_learns_no_password(running: Stack, tmp_path: Path) -> None:
    # The right name in a certificate of an authority that is not the site's.
    alice = running.directory.people["alice"]
    forged = Authority(tmp_path / "authority").issue(description.LDAP_HOST)
    with running.directory.posing(forged.certificate, forged.key):
        before = len(running.directory.logged())
        with pytest.raises(MatrixError) as refused:
            running.gateway.login(alice.uid, alice.password)
        assert refused.value.status in (403, 500), refused.value
        said = running.directory.logged()[before:]
        assert "STARTTLS" in said, said
        assert "BIND" not in said, said
    # It was the certificate.
    running.gateway.login(alice.uid, alice.password).logout()
