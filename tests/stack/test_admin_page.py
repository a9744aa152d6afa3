"""Who gets what under the name of the administrators' page, when another service logs people in. A gateway without anything behind
it: for each request that it would pass on, its log names the service it looked for."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import engine
from commands import run
from matrix import Server
from stack import Built, Stack
from waiting import eventually

HOST, PUBLIC_HOST = "admin.example.org", "matrix.example.org"
# Requests come from the container engine's networks, and from nowhere else.
ADMINISTRATORS, OTHERS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"), ("192.0.2.0/24",)


@dataclass(frozen=True)
class Gateway:
    """A gateway that nothing is behind."""

    container: str
    port: int

    def status(self, host: str, method: str, path: str) -> int:
        """What it answers."""
        return Server("127.0.0.1", self.port, host).request(method, path).status

    def looked_for(self, host: str, method: str, path: str) -> str:
        """The name that it could not find for a request."""
        # 502 where it may have been done already, and 503 otherwise.
        assert self.status(host, method, path) in (502, 503)
        line = re.compile(rf'(\S+) could not be resolved .*, server: {re.escape(host)}, request: "{method} {re.escape(path)} ')
        found = eventually(f"a line about {path}", lambda: line.search(engine.logs(self.container)))
        return found[1]


def start(stack: Stack, built: Built, home: Path, allow: tuple[str, ...]) -> Gateway:
    site = {
        "server": {"server_name": "example.org", "public_baseurl": f"http://{PUBLIC_HOST}/"},
        "gateway": {"tls": "off", "bind_address": "127.0.0.1"},
        "authentication": {"method": "none"},
        "matrix_authentication_service": {
            "endpoint": "http://mas.internal.example.org:8080/",
            "issuer": "https://account.example.org/",
            "allow": OTHERS,
        },
        "admin_ui": {"image": "ghcr.io/etkecc/ketesa:v1.0.0", "host": HOST, "allow": allow},
    }
    (home / "site.json").write_text(json.dumps(site))
    run([stack.tool, "render", home / "site.json", "--out", home / "rendered"])
    files = home / "rendered/gateway/etc/nginx"
    # A real gateway keeps quiet about requests that fail, since such lines hold access tokens; here they name the service.
    quiet, config = "    error_log stderr crit;", files / "nginx.conf"
    assert config.read_text().count(quiet) == 1
    config.write_text(config.read_text().replace(quiet, "    error_log stderr error;"))
    mounts = [word for name in ("nginx.conf", "admin-ui") for word in ("-v", f"{files / name}:/etc/nginx/{name}:ro")]
    image = next(name for image in built.archive.images() for name in image.names if "/gateway:" in name)
    network = f"{stack.project}-page"
    run(["docker", "network", "create", network])
    command = ["docker", "run", "--detach", "--name", network, "--network", network, "-p", f"127.0.0.1:{stack.ports.peer}:8080"]
    program = ["--tmpfs", "/tmp:mode=1777", "--entrypoint", "/usr/sbin/nginx", image, "-e", "stderr", "-c", "/etc/nginx/nginx.conf"]
    run([*command, *mounts, *program])
    gateway = Gateway(network, stack.ports.peer)
    eventually("an answer", lambda: gateway.status("nobody.example.org", "GET", "/") == 404)
    return gateway


@pytest.fixture(params=[ADMINISTRATORS, OTHERS], ids=["for us", "for others"])
def page(request: pytest.FixtureRequest, deployed: Stack, built: Built, tmp_path: Path) -> Iterator[tuple[Gateway, bool]]:
    """A gateway, and whether its page is for us."""
    name = f"{deployed.project}-page"
    try:
        yield start(deployed, built, tmp_path, request.param), request.param == ADMINISTRATORS
    finally:
        run(["docker", "rm", "--force", name], expect=None)
        run(["docker", "network", "rm", name], expect=None)


def test_administrators_get_the_page_the_login_and_the_admin_api(page: tuple[Gateway, bool]) -> None:
    gateway, ours = page
    routes = {
        ("GET", "/"): "admin-ui",
        ("GET", "/_synapse/admin/v2/users"): "synapse",
        ("GET", "/_matrix/client/v3/account/whoami"): "synapse",
        # Where the page finds the other service, when people log in there and not here.
        ("GET", "/_matrix/client/v1/auth_metadata"): "synapse",
        ("GET", "/_matrix/client/v3/login"): "mas.internal.example.org",
        ("POST", "/_matrix/client/v3/login"): "mas.internal.example.org",
        ("POST", "/_matrix/client/v3/logout/all"): "mas.internal.example.org",
    }
    if ours:
        assert {route: gateway.looked_for(HOST, *route) for route in routes} == routes
        configuration = Server("127.0.0.1", gateway.port, HOST).request("GET", "/config.json")
        assert configuration.status == 200 and configuration.headers["Content-Type"] == "application/json"
        assert json.loads(configuration.body) == {"restrictBaseUrl": f"http://{HOST}", "wellKnownDiscovery": False}
        assert configuration.headers["ETag"] is None and configuration.headers["Last-Modified"] is None
    else:
        assert {gateway.status(HOST, *route) for route in [*routes, ("GET", "/config.json")]} == {403}


def test_the_public_name_has_no_admin_api(page: tuple[Gateway, bool]) -> None:
    gateway, _ = page
    assert gateway.status(PUBLIC_HOST, "GET", "/_synapse/admin/v2/users") == 404
    assert gateway.looked_for(PUBLIC_HOST, "POST", "/_matrix/client/v3/login") == "mas.internal.example.org"
