"""The second site moves its people to the directory, in simple mode: the name of an entry is built of the login name, and no service
account is needed. Last, because it takes local passwords away."""

import pytest

import description
from campus import SERVER_NAME, Campus
from directory import PLUS, USERS
from matrix import MatrixError, Session, call, quote
from stack import Stack

# What has a meaning in the name of an entry (RFC 4514, section 2.4), and in a search.
NO_NAMES = ["alice,ou=users", "al*", "ali\\63e", 'ali"ce', "alice;", "<alice>", "alice)(uid=*", "alice\0", "#alice"]

# The same in names that an account can have: the directory is asked, about an entry of that very name.
NAMES = ["alice+sn=Example", "uid=alice"]


@pytest.fixture(scope="module")
def moved(campus: Campus, stack: Stack) -> Campus:
    """The site with the directory, up again."""
    campus.files["ldap-ca.pem"] = stack.directory.ca.read_text()
    campus.change(
        authentication={"method": "ldap"},
        registration={},
        ldap={
            "mode": "simple",
            "uri": f"ldap://{description.LDAP_HOST}:{stack.ports.ldap}",
            "start_tls": True,
            "ca_certificate": "ldap-ca.pem",
            "base": USERS,
        },
    )
    return campus


@pytest.fixture(scope="module")
def alice(moved: Campus, stack: Stack) -> Session:
    """A person of the directory, in for the first time."""
    return moved.gateway.login("alice", stack.directory.people["alice"].password)


def test_a_person_of_the_directory_logs_in_without_a_search(moved: Campus, stack: Stack, alice: Session) -> None:
    assert alice.user_id == f"@alice:{SERVER_NAME}"
    said = stack.directory.logged()
    assert f'BIND dn="uid=alice,{USERS}" mech=SIMPLE' in said
    # The directory lets nobody but its service account search, which this site does not know.
    profile = call(moved.gateway, "GET", f"/_matrix/client/v3/profile/{quote(alice.user_id)}", token=alice.token)
    assert profile.get("displayname", "alice") == "alice", profile


def test_a_wrong_password_is_refused(moved: Campus, stack: Stack) -> None:
    for user, password in (("alice", stack.directory.people["bob"].password), ("alice", ""), ("nobody", "no password of anybody")):
        with pytest.raises(MatrixError) as refused:
            moved.gateway.login(user, password)
        assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN"), user


def test_names_that_no_account_has_never_reach_the_directory(moved: Campus, stack: Stack) -> None:
    password = stack.directory.people["alice"].password
    before = len(stack.directory.logged())
    for name in NO_NAMES:
        with pytest.raises(MatrixError) as refused:
            moved.gateway.login(name, password)
        assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN"), name
    assert stack.directory.asked(before) == [], "the directory was asked"


@pytest.mark.parametrize("name", NAMES)
def test_a_name_means_itself_in_the_name_of_an_entry(moved: Campus, stack: Stack, name: str) -> None:
    with pytest.raises(MatrixError) as refused:
        moved.gateway.login(name, stack.directory.people["alice"].password)
    assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")


def test_every_name_that_an_account_can_have_logs_in(moved: Campus, stack: Stack) -> None:
    session = moved.gateway.login(PLUS, stack.directory.people[PLUS].password)
    assert session.user_id == f"@{PLUS}:{SERVER_NAME}"


def test_who_was_in_stays_in_and_local_passwords_are_gone(moved: Campus) -> None:
    assert moved.administrator.whoami() == f"@admin:{SERVER_NAME}"
    secret = moved.target / description.SECRETS_DIR / "administrator_password_admin"
    with pytest.raises(MatrixError) as refused:
        moved.gateway.login("admin", secret.read_text().strip())
    assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")
