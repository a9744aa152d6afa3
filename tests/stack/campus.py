"""The second site of the stack test: passwords of its own and accounts of an OpenID Connect provider, mail to a real SMTP server,
registration by token, a policy that people agree to, notices, previews of links, a bridge, logs in files. Takes a run of the stack
test, gives a running site and what tests do with it: make people, let them agree, ask the admin API, change the description and
bring the change up."""

from __future__ import annotations

import copy
import html.parser
import itertools
import json
import secrets
import shutil
import urllib.parse
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import compose
import description
import engine
import ports
from bridge import TOKENS, Bridge, secret_name
from certificates import Authority
from commands import run
from compose import Compose
from directory import private
from mail import MailServer
from matrix import MatrixError, Response, Server, Session, call, quote
from pages import Pages
from provider import CLIENT, Provider
from stack import Stack
from waiting import eventually

SERVER_NAME = "campus.test"
MATRIX_HOST = "matrix.campus.test"
SMTP_HOST = "smtp.campus.test"
SMTP_USER = "matrix@campus.test"
SMTP_SECRET = "smtp_password"
ID_HOST = "id.campus.test"
PAGES_HOST = "pages.campus.test"
BRIDGE_HOST = "bridge.campus.test"
CALLBACK = f"https://{MATRIX_HOST}/_synapse/client/oidc/callback"
OIDC_SECRET = "oidc_client_secret_house"
CALLS = "https://matrix-rtc.campus.test/livekit/jwt"
ADMINISTRATOR = "admin"
BOT = "moderator"
NOTICES = "notices"
SYNAPSE_SERVICES = ("synapse", "synapse-generic-worker-1")
SERVICES = (*SYNAPSE_SERVICES, "postgres", "redis", "gateway", "well-known")

POLICY = "House rules"
FIRST_VERSION = """# House rules

Be kind to each other. These are the rules of *campus.test* in their **first** version.

- What you write is yours.
- {{ 7 * 7 }} is not computed, and <script>this</script> is not run.
"""
ERROR = "You have to agree to the house rules before you write, 100 % of them: %(consent_uri)s"
NOTICE = "Welcome! Please read the house rules and agree to them: %(consent_uri)s"

# In place of Synapse's own: the part of a mail about a forgotten password that is for those who see no markup.
OWN_MAIL = """Hello!

Somebody, we hope you, forgot the password of an account at {{ app_name }}. The caretaker's lodge is open from 8 to 16 o'clock.

{{ link }}
"""
# Wrong passwords that may be tried on an account, one after the other.
GUESSES = 3
METRICS_PORT = 9000
WEB_CLIENT = "https://chat.campus.test/"
LOG_DAYS = 2

_numbers = itertools.count(1)


def site(gateway: int, smtp: int, issuer: str, pages: str) -> dict[str, Any]:
    """The description of the site."""
    often = {"per_second": 1000, "burst_count": 1000}
    return {
        "server": {
            "server_name": SERVER_NAME,
            "public_baseurl": f"https://{MATRIX_HOST}/",
            "report_stats": False,
            "trusted_key_servers": [],
            "web_client_location": WEB_CLIENT,
            # The organisation's own: its mail server and its provider have certificates of it.
            "ca_certificates": ["authority.pem"],
        },
        "administrators": [ADMINISTRATOR],
        # Its image is somebody else's, and not here; its account is.
        "draupnir": {"image": "docker.io/gnuxie/draupnir:v2.7.0", "management_room": f"#moderators:{SERVER_NAME}", "localpart": BOT},
        "authentication": {
            "method": "local",
            "policy": {
                "enabled": True,
                "minimum_length": 10,
                "require_digit": True,
                "require_lowercase": True,
                "require_uppercase": True,
            },
        },
        "oidc": {
            "oidc_providers": [
                {
                    "idp_id": "house",
                    "idp_name": "House accounts",
                    "issuer": issuer,
                    "client_id": CLIENT,
                    "scopes": ["openid", "profile", "email"],
                    "user_mapping_provider": {
                        "localpart_template": "{{ user.sub }}",
                        "display_name_template": "{{ user.name }}",
                    },
                }
            ]
        },
        # LiveKit would be somebody else's.
        "rtc": {"source": "external", "livekit_service_url": CALLS},
        "registration": {"enable_registration": True, "registration_requires_token": True, "request_token_inhibit_3pid_errors": True},
        "email": {
            "smtp_host": SMTP_HOST,
            "smtp_port": smtp,
            "smtp_user": SMTP_USER,
            "notif_from": f"%(app)s <{SMTP_USER}>",
            "app_name": "Campus chat",
            "enable_notifs": True,
            "notif_delay_before_mail": "2s",
            "subjects": {"password_reset": "A new password for %(server_name)s, 100 % by yourself"},
        },
        "consent": {
            "policy_name": POLICY,
            "version": "1.0",
            "documents": {"1.0": {"file": "policy/1.0.md"}},
            "require_at_registration": True,
            "block_events_error": ERROR,
            "server_notice_content": {"body": NOTICE},
        },
        "server_notices": {
            "system_mxid_localpart": NOTICES,
            "system_mxid_display_name": "Campus",
            "room_name": "News of the server",
            "auto_join": True,
        },
        "templates": {"custom_template_directory": "templates"},
        "app_services": ["bridges/heisenbridge.yaml"],
        "media": {
            "url_preview_enabled": True,
            # The one private address that people may show each other pages of.
            "url_preview_ip_range_whitelist": [f"{pages}/32"],
            "url_preview_url_blacklist": [{"username": "*"}, {"hostname": f"*.hidden.{PAGES_HOST}"}],
        },
        "presence": {"enabled": False},
        "rooms": {"retention": {"enabled": True, "purge_jobs": [{"interval": "2s"}]}},
        "listeners": {"metrics": True},
        "logging": {"format": "json", "files": {"keep_days": LOG_DAYS}},
        "gateway": {"http_port": gateway, "tls": "off"},
        "workers": {"generic": 1},
        # The tests do these more often than people; what they test is not the rate limits.
        "rate_limits": {
            "rc_login": {"address": often, "account": often, "failed_attempts": {"per_second": 0.01, "burst_count": GUESSES}},
            "rc_registration": often,
            "rc_registration_token_validity": often,
            "rc_3pid_validation": often,
            "rc_message": often,
        },
    }


def password() -> str:
    """A password that the site's policy accepts, new each time."""
    return f"Aa1{secrets.token_urlsafe(12)}"


@dataclass
class Campus:
    """The running site."""

    stack: Stack
    home: Path
    compose: Compose
    gateway: Server
    mail: MailServer
    provider: Provider
    pages: Pages
    bridge: Bridge
    authority: Authority
    # The description as it is deployed.
    site: dict[str, Any]
    files: dict[str, str] = field(default_factory=dict)
    administrator: Session = field(init=False)

    @property
    def target(self) -> Path:
        """The directory on the target."""
        return self.home / "target"

    @property
    def well_known(self) -> Server:
        """The host of the server name."""
        return Server(self.gateway.address, self.gateway.port, SERVER_NAME)

    def build(self) -> None:
        """Writes the description with its files, builds it, and carries the result to the target."""
        for name, content in self.files.items():
            path = self.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        (self.home / "site.json").write_text(json.dumps(self.site, indent=2))
        out = self.home / f"built{next(_numbers)}"
        done = run(description.build_command(self.stack.tool, self.home / "site.json", out), cwd=self.home, seconds=900)
        self.stack.said[f"build {out.name} of the campus"] = done.stdout + done.stderr
        before = engine.image_names()
        self.stack.loaded |= set(engine.load(str(out / "images.tar"))) - before
        shutil.copytree(out, self.target, dirs_exist_ok=True)
        shutil.rmtree(out)

    def bring(self) -> None:
        """Brings what only an administrator has, and makes the rest, which leaves alone what is there."""
        directory = self.target / description.SECRETS_DIR
        directory.mkdir(mode=0o700)
        brought = {SMTP_SECRET: self.mail.password, OIDC_SECRET: self.provider.client_secret}
        brought |= {secret_name(token): self.bridge.tokens[token] for token in TOKENS}
        for name, value in brought.items():
            private(directory / name, value)
            (directory / name).chmod(0o444)
        self.stack.make_secrets(self.target)

    def up(self) -> None:
        """Starts or changes the running services."""
        self.stack.timings["campus up"] = self.compose.up(SERVICES)

    def change(self, **sections: Any) -> None:
        """Changes sections of the description, builds, and brings the change up."""
        self.site = copy.deepcopy(self.site) | sections
        self.build()
        self.up()

    def make_administrator(self) -> None:
        """The first administrator, logged in with the password that was made, who has agreed to the policy."""
        self.compose.run("--profile", "admin", "run", "--rm", "-T", "admin", seconds=90)
        secret = self.target / description.SECRETS_DIR / f"administrator_password_{ADMINISTRATOR}"
        self.administrator = self.gateway.login(ADMINISTRATOR, secret.read_text().strip())
        self.agree(self.administrator)

    def admin(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The admin API, which the gateway does not pass on: from a neighbour's place, below `/_synapse/admin`."""
        inside = self.inside("synapse")
        return call(inside, method, f"/_synapse/admin{path}", content, token=self.administrator.token)

    def inside(self, service: str) -> Server:
        """A service of Synapse as its neighbours reach it."""
        addresses = self.compose.container(service).networks.values()
        return Server(next(address for address in addresses if address), description.SYNAPSE_PORT, MATRIX_HOST)

    def account(self, name: str, chosen: str, address: str | None = None) -> None:
        """Makes an account through the admin API."""
        content: dict[str, Any] = {"password": chosen}
        if address is not None:
            content["threepids"] = [{"medium": "email", "address": address}]
        # PUT gives 201 for a new account.
        user = f"@{name}:{SERVER_NAME}"
        answer = self.inside("synapse").request(
            "PUT",
            f"/_synapse/admin/v2/users/{quote(user)}",
            body=json.dumps(content).encode(),
            headers={"Authorization": f"Bearer {self.administrator.token}", "Content-Type": "application/json"},
        )
        assert answer.status == 201, answer

    def person(self, name: str, *, agreed: bool = True, address: str | None = None) -> Session:
        """Makes an account and logs in; such an account has not agreed to the policy by itself."""
        made = password()
        self.account(name, made, address)
        session = self.gateway.login(name, made)
        if agreed:
            self.agree(session)
        return session

    def register(self, name: str, chosen: str, stages: Mapping[str, Mapping[str, Any]]) -> Session:
        """Registers as a client does: stage by stage, with what `stages` has for each; the policy is agreed to."""
        request: dict[str, Any] = {"username": name, "password": chosen, "inhibit_login": False}
        answers = {"m.login.terms": {}, "m.login.dummy": {}} | dict(stages)
        path = "/_matrix/client/v3/register"
        for _ in range(10):
            body = json.dumps(request).encode()
            response = self.gateway.request("POST", path, body=body, headers={"Content-Type": "application/json"})
            if response.status == 200:
                made = response.json()
                return Session(self.gateway, made["user_id"], made["access_token"], made["device_id"])
            offered = response.json()
            if response.status != 401 or "errcode" in offered:
                raise MatrixError(f"POST {path}", response)
            done = set(offered.get("completed", []))
            missing = [[stage for stage in flow["stages"] if stage not in done] for flow in offered["flows"]]
            able = [flow for flow in missing if flow and set(flow) <= set(answers)]
            if not able:
                raise MatrixError(f"POST {path}", response)
            request["auth"] = {"type": able[0][0], "session": offered["session"], **answers[able[0][0]]}
        raise AssertionError(f"registration of {name} does not end")

    def consent_uri(self, session: Session) -> str:
        """The person's own link to the policy, as it is told to who wants to write without having agreed."""
        try:
            session.create_room("refused")
        except MatrixError as refused:
            assert refused.errcode == "M_CONSENT_NOT_GIVEN", refused
            return str(refused.content["consent_uri"])
        raise AssertionError(f"{session.user_id} may write")

    def agree(self, session: Session) -> None:
        """Agrees to the policy by its form, as a browser does."""
        uri = self.consent_uri(session)
        page = self.get(uri)
        assert page.status == 200, page
        answer = self.submit(uri, page)
        assert answer.status == 200, answer
        # Each process learns of it in its own time.
        for service in SYNAPSE_SERVICES:
            self.may_write(service, session)

    def agree_if_asked(self, session: Session) -> None:
        """Agrees to the policy unless the person has done so already, as somebody who came through the provider's pages has."""
        try:
            session.create_room("agreed before")
        except MatrixError as refused:
            assert refused.errcode == "M_CONSENT_NOT_GIVEN", refused
            self.agree(session)

    def may_write(self, service: str, session: Session) -> None:
        """Waits until a process of Synapse lets the person write."""
        direct = Session(self.inside(service), session.user_id, session.token, session.device_id)
        eventually(f"{session.user_id} may write at {service}", lambda: direct.create_room("agreed"))

    def get(self, uri: str) -> Response:
        """Follows a link of the site, which stands for the site's proxy with TLS in front of the gateway."""
        parts = urllib.parse.urlsplit(uri)
        assert (parts.scheme, parts.hostname) == ("https", MATRIX_HOST), uri
        return self.gateway.request("GET", f"{parts.path}?{parts.query}")

    def submit(self, uri: str, page: Response) -> Response:
        """Presses the button of the one form on a page."""
        form = Form(page.body.decode())
        assert form.action is not None, f"there is no form on {uri}:\n{page.body.decode()}"
        target = urllib.parse.urlsplit(urllib.parse.urljoin(uri, form.action))
        assert target.hostname == MATRIX_HOST, form.action
        return self.gateway.request(
            form.method,
            target.path,
            body=urllib.parse.urlencode(form.fields).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )

    def remove(self) -> None:
        """Takes everything away."""
        with ExitStack() as steps:
            # Each step runs even when one before it fails; the last one pushed is the first.
            steps.callback(self.compose.remove)
            for helper in (self.mail, self.provider, self.pages, self.bridge):
                steps.callback(helper.stop)


class Form(html.parser.HTMLParser):
    """The form of a page: where it goes and its hidden fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.method = "GET"
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form":
            assert self.action is None, "there is more than one form"
            self.action = values.get("action") or ""
            self.method = (values.get("method") or "get").upper()
        elif tag == "input" and values.get("name"):
            self.fields[str(values["name"])] = values.get("value") or ""


def start(stack: Stack) -> Campus:
    """Builds the site and brings it up. What fails on the way leaves nothing behind; `Campus.remove` ends the site."""
    chosen = ports.choose()
    address = engine.bridge_address()
    home = stack.home / "campus"
    authority = Authority(home / "authority")
    mail = MailServer(address, chosen.peer, authority.issue(SMTP_HOST), SMTP_USER)
    provider = Provider(home / "provider", ID_HOST, address, chosen.ldap, authority, CALLBACK)
    pages = Pages(address, chosen.turn)
    bridge = Bridge(home / "bridge", address, chosen.turn_tls, chosen.relay_first, BRIDGE_HOST)
    override = home / "override.yaml"
    # This machine is the mail server, the provider and what else the site talks to, as DNS would have it.
    hosts = (SMTP_HOST, ID_HOST, PAGES_HOST, f"deeply.hidden.{PAGES_HOST}", BRIDGE_HOST, description.LDAP_HOST)
    service = {"extra_hosts": [f"{host}:{address}" for host in hosts]}
    services = {name: service for name in SYNAPSE_SERVICES} | {"draupnir": {"profiles": ["others"]}}
    override.write_text(json.dumps({"services": services}))
    project = Compose(compose.classic(), home / "target", f"{stack.project}campus", (override,))
    server = Server("127.0.0.1", chosen.gateway, MATRIX_HOST)
    files = {
        "policy/1.0.md": FIRST_VERSION,
        "authority.pem": authority.certificate.read_text(),
        "templates/password_reset.txt": OWN_MAIL,
        "bridges/heisenbridge.yaml": bridge.register(),
    }
    described = site(chosen.gateway, chosen.peer, provider.issuer, address)
    campus = Campus(stack, home, project, server, mail, provider, pages, bridge, authority, described, files)
    mail.start()
    try:
        pages.start()
        provider.start()
        campus.build()
        campus.bring()
        campus.up()
        campus.make_administrator()
    except BaseException:
        campus.remove()
        raise
    return campus
