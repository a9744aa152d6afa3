"""The first administrator: made by the one-shot service, again and again without harm, a person of the directory, and able
to use the admin API from inside the site and from nowhere else."""

import json

import pytest

import description
from commands import CommandFailed
from handbook import CommandLines, block, commands, do, mode
from matrix import MatrixError, Session, call
from stack import Stack


def run_admin(stack: Stack, name: str) -> None:
    done = stack.compose.run("--profile", description.ADMIN, "run", "--rm", "-T", description.ADMIN, seconds=90)
    stack.said[name] = done.stdout + done.stderr
    assert description.ADMINISTRATOR in stack.said[name], f"it does not say whom it made: {stack.said[name]}"


@pytest.fixture(scope="module")
def dave(running: Stack) -> Session:
    run_admin(running, "first admin run")
    return running.gateway.login(description.ADMINISTRATOR, running.directory.people[description.ADMINISTRATOR].password)


def account(stack: Stack, session: Session, user: str) -> dict[str, object]:
    inside = stack.inside("synapse", description.SYNAPSE_PORT)
    return call(inside, "GET", f"/_synapse/admin/v2/users/@{user}:{description.SERVER_NAME}", token=session.token)


def test_administrator_logs_in_with_the_directory_password(dave: Session) -> None:
    assert dave.whoami() == "@dave:stack.test"


def test_administrator_may_use_the_admin_api(running: Stack, dave: Session) -> None:
    assert account(running, dave, "dave")["admin"] is True
    assert account(running, dave, "dave")["deactivated"] is False


def test_a_token_for_the_admin_api_is_nobody_elses(running: Stack, dave: Session) -> None:
    """By the commands of the page: the file is private, and no command line shows the password or the token."""
    page = commands("administrators.md", "Calls to the admin API").replace('"alice"', f'"{description.ADMINISTRATOR}"')
    before, after = page.split("rm admin.token")
    assert not after
    logging_in, *calls = before.split("unset password\n")
    password = running.directory.people[description.ADMINISTRATOR].password
    token = running.target / "admin.token"
    command = "docker compose exec -T synapse"
    who, end = (command + call for call in calls[0].split(command)[1:])
    with CommandLines() as visible:
        do(running, logging_in, input=password + "\n")
        assert mode(token) == 0o600
        value = token.read_text().strip()
        assert f"@{description.ADMINISTRATOR}:{description.SERVER_NAME}" in do(running, who)
        # Another page's call by the same file.
        made = json.loads(do(running, block("registration.md", "registration_tokens/new")))
        do(running, end)
    assert made["uses_allowed"] == 5
    assert value.startswith("syt_") and any("docker" in line or "compose" in line for line in visible.seen)
    shown = [line for line in visible.seen if password in line or value in line]
    assert not shown, "a command line shows the password or the token"
    with pytest.raises(CommandFailed):
        do(running, who)
    token.unlink()


def test_second_run_changes_nothing(running: Stack, dave: Session) -> None:
    before = account(running, dave, "dave")
    run_admin(running, "second admin run")
    after = account(running, dave, "dave")
    volatile = ("last_seen_ts",)
    assert {k: v for k, v in before.items() if k not in volatile} == {k: v for k, v in after.items() if k not in volatile}
    assert dave.whoami() == "@dave:stack.test"


def test_no_other_account_is_an_administrator(running: Stack, dave: Session, alice: Session, bob: Session) -> None:
    inside = running.inside("synapse", description.SYNAPSE_PORT)
    users = call(inside, "GET", "/_synapse/admin/v2/users?deactivated=true&guests=false", token=dave.token)["users"]
    assert [user["name"] for user in users if user["admin"] and not user["deactivated"]] == ["@dave:stack.test"]


def test_others_may_not_use_the_admin_api(running: Stack, alice: Session) -> None:
    with pytest.raises(MatrixError) as refused:
        account(running, alice, "alice")
    assert (refused.value.status, refused.value.errcode) == (403, "M_FORBIDDEN")


@pytest.mark.parametrize(
    "path",
    [
        "/_synapse/admin/v1/server_version",
        "/_synapse/admin/v2/users/@dave:stack.test",
        "/_synapse/admin/v1/register",
        "/_synapse/metrics",
        "/_synapse/replication/",
        "/_synapse/replication/get_streams",
        "/_synapse/mas/",
        "/health",
        # The same by another spelling, which a proxy may read differently from what is behind it.
        "//_synapse/admin/v1/server_version",
        "/_synapse//admin/v1/server_version",
        "/%5fsynapse/admin/v1/server_version",
        "/_synapse/%61dmin/v1/server_version",
        "/_synapse%2fadmin/v1/server_version",
        "/_synapse%2Fadmin%2Fv1%2Fserver_version",
        "/_SYNAPSE/admin/v1/server_version",
        "/_matrix/../_synapse/admin/v1/server_version",
        "/_matrix/%2e%2e/_synapse/admin/v1/server_version",
        "/_matrix/client/..%2f..%2f_synapse/admin/v1/server_version",
        "/_synapse/client/../admin/v1/server_version",
        "/./_synapse/admin/v1/server_version",
        "/_matrix;/../_synapse/admin/v1/server_version",
        "/_synapse/admin/v1/server_version?/_matrix/client",
        "/_matrix\\..\\_synapse/admin/v1/server_version",
    ],
)
def test_gateway_hides_what_is_internal(running: Stack, dave: Session, path: str) -> None:
    # With the administrator's own token: nothing but the gateway stands between the request and the answer.
    response = running.gateway.request("GET", path, headers={"Authorization": f"Bearer {dave.token}"})
    assert response.status in (400, 403, 404), f"{path}: status {response.status}, {response.body[:300]!r}"
    assert b"server_version" not in response.body and b"is_guest" not in response.body
