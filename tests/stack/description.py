"""The site that the stack test builds: every verb, option name, service name, secret name and path of the tool's
interface that the tests rely on stands in this file and nowhere else. Takes the ports and addresses of a run, gives a
plain value for `site.json`."""

from __future__ import annotations

import os
from pathlib import Path

from ports import Ports

SERVER_NAME = "stack.test"
MATRIX_HOST = "matrix.stack.test"
LDAP_HOST = "ldap.stack.test"
TURN_HOST = "turn.stack.test"
EXTERNAL_ADDRESS = "192.0.2.10"
PUBLIC_BASEURL = f"https://{MATRIX_HOST}/"
SUPPORT_ADDRESS = "admin@stack.test"

# Services of compose.yaml that run for as long as the site does.
WORKERS = ("synapse-generic-worker-1", "synapse-federation-sender-1")
SERVICES = ("synapse", *WORKERS, "postgres", "redis", "coturn", "gateway", "well-known")
# Those that run Synapse, and so ask the directory when somebody logs in.
SYNAPSE_SERVICES = ("synapse", *WORKERS)
# The one-shot service and the profile of the same name.
ADMIN = "admin"
# The other one-shot service, which makes secrets on a target without the tool.
ONE_SHOT = {ADMIN, "secrets"}
# Only these may be reached from outside the engine.
PUBLISHING = ("coturn", "gateway")
# Only these may have a way out: Synapse federates, fetches previews and asks the directory; coturn relays.
ROUTED_OUT = (*SYNAPSE_SERVICES, "coturn", "gateway", ADMIN)
# The only image with a shell: initdb calls its helpers through one. Images of a Nix closure have more, see tests/nix/by_nix.py.
WITH_SHELL = ("postgres", *os.environ.get("STACK_SHELLS", "").split())

# Synapse's client listener inside its container, and the interpreter of its image.
SYNAPSE_PORT = 8008
PYTHON = os.environ.get("STACK_PYTHON", "/usr/bin/python3.13")

# Secrets that the administrator brings.
LDAP_BIND_SECRET = "ldap_bind_password"
TURN_CERTIFICATE_SECRET = "turn_tls_certificate"
TURN_KEY_SECRET = "turn_tls_certificate_key"
# What Synapse and the relay share, made by the tool.
TURN_SECRET = "turn_shared_secret"
SECRETS_DIR = "secrets"
# What `build` writes beside the images.
OUTPUTS = (".env", "images.tar", "compose.yaml", "site.json", "secrets.example", "well-known", "sbom")

ADMINISTRATOR = "dave"
MAX_UPLOAD = "1M"
LARGER_UPLOAD = "3M"


def build_command(tool: Path, site: Path, out: Path) -> list[str | Path]:
    """Builds a site into a new directory."""
    return [tool, "build", site, "--out", out]


def secrets_command(tool: Path, directory: Path) -> list[str | Path]:
    """Makes the secrets of the site whose site.json lies in a directory, in `secrets/` beside it."""
    return [tool, "secrets", "init", directory]


def site(
    ports: Ports,
    *,
    ldap_ca: Path,
    ldap_base: str,
    ldap_users: str,
    ldap_bind_dn: str,
    ldap_filter: str,
    peer_address: str,
    server_name: str = SERVER_NAME,
    max_upload_size: str = MAX_UPLOAD,
) -> dict[str, object]:
    """The description of the site. The two arguments with defaults are what a later step changes."""
    return {
        "server": {
            "server_name": server_name,
            "public_baseurl": PUBLIC_BASEURL,
            "report_stats": False,
            "trusted_key_servers": [],
        },
        "administrators": [ADMINISTRATOR],
        "authentication": {"method": "ldap"},
        "ldap": {
            "mode": "search",
            "uri": f"ldap://{LDAP_HOST}:{ports.ldap}",
            "start_tls": True,
            "ca_certificate": str(ldap_ca),
            "base": ldap_users,
            "bind_dn": ldap_bind_dn,
            "filter": ldap_filter,
            "attributes": {"uid": "uid", "mail": "mail", "name": "cn"},
        },
        "media": {"max_upload_size": max_upload_size},
        "turn": {
            "source": "bundled",
            "host": TURN_HOST,
            # What clients are told; the relay takes a peer of this address for itself, so it is not the echo service's.
            "external_ip": EXTERNAL_ADDRESS,
            "port": ports.turn,
            "tls": True,
            "tls_port": ports.turn_tls,
            "min_port": ports.relay_first,
            "max_port": ports.relay_last,
            # The echo service of the relay test is on this machine; private addresses are refused otherwise.
            "allowed_peer_ip": [peer_address],
        },
        "well_known": {
            "support": {"contacts": [{"role": "m.role.admin", "email_address": SUPPORT_ADDRESS}]},
        },
        "gateway": {"http_port": ports.gateway, "tls": "off"},
        "workers": {"generic": 1, "federation_senders": 1},
        # The tests log in and out more often than people do; what they test is not the rate limits.
        "rate_limits": {
            "rc_login": {kind: {"per_second": 1000, "burst_count": 1000} for kind in ("address", "account", "failed_attempts")},
            "rc_message": {"per_second": 1000, "burst_count": 1000},
        },
    }
