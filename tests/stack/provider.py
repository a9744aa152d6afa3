"""An OpenID Connect provider of an organisation: canaille, a real one, with one person and one client, over HTTPS with a certificate
of a private authority. And a browser without scripts that walks through its pages and the site's."""

from __future__ import annotations

import html.parser
import http.client
import json
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from certificates import Authority
from commands import program, run
from directory import private
from waiting import eventually

PERSON = "jane"
ADDRESS = "jane@campus.test"
FULL_NAME = "Jane Doe"
CLIENT = "matrix"


@dataclass
class Provider:
    """The provider, its address and what only the person or the client know."""

    home: Path
    host: str
    address: str
    port: int
    authority: Authority
    callback: str
    password: str = field(default_factory=lambda: f"Aa1{secrets.token_urlsafe(15)}", repr=False)
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(30), repr=False)
    process: subprocess.Popen[bytes] | None = None

    @property
    def issuer(self) -> str:
        """Its address, as its tokens say it."""
        return f"https://{self.host}:{self.port}"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.home / "provider.log"

    def start(self) -> None:
        """Makes its database with the person and the client, and starts it."""
        self.home.mkdir(parents=True)
        key = self.home / "token.key"
        run([program("openssl", "openssl"), "genrsa", "-out", key, "2048"])
        certificate = self.authority.issue(self.host)
        # TOML; strings as JSON writes them.
        config = [
            f"SECRET_KEY = {json.dumps(secrets.token_urlsafe(30))}",
            f"SERVER_NAME = {json.dumps(f'{self.host}:{self.port}')}",
            'PREFERRED_URL_SCHEME = "https"',
            "[CANAILLE]",
            'DATABASE = "sql"',
            "JAVASCRIPT = false",
            "[CANAILLE_SQL]",
            f"DATABASE_URI = {json.dumps(f'sqlite:///{self.home}/provider.sqlite')}",
            "[CANAILLE_OIDC]",
            f"ACTIVE_JWKS = [{json.dumps(key.read_text())}]",
            # Whoever comes from here is not asked whether the client may know who they are.
            f"TRUSTED_DOMAINS = [{json.dumps(urllib.parse.urlsplit(self.callback).hostname)}]",
        ]
        private(self.home / "config.toml", "\n".join(config))
        self.do("install")
        person = ["--user-name", PERSON, "--password", self.password, "--emails", ADDRESS]
        self.do("create", "user", *person, "--given-name", "Jane", "--family-name", "Doe", "--formatted-name", FULL_NAME)
        client = ["--client-id", CLIENT, "--client-secret", self.client_secret, "--client-name", "Matrix"]
        # Beside the one scope that has to be there, those that the site asks for.
        scopes = [part for scope in ("openid", "profile", "email") for part in ("--scope", scope)]
        flow = ["--grant-types", "authorization_code", "--response-types", "code", "--redirect-uris", self.callback]
        way = ["--token-endpoint-auth-method", "client_secret_basic", "--client-uri", self.callback]
        self.do("create", "client", *client, *scopes, *flow, *way)
        bind = ["--bind", f"{self.address}:{self.port}", "--certfile", certificate.certificate, "--keyfile", certificate.key]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self.command("run", *bind), env=self.environment(), stdout=log, stderr=log)
        eventually("the provider answers", lambda: Browser(self, {}).get(f"{self.issuer}/.well-known/openid-configuration"), seconds=90)

    def command(self, *arguments: str | Path) -> list[str | Path]:
        """A command line of the program, which lies beside this interpreter."""
        return [Path(sys.executable).with_name("canaille"), *arguments]

    def environment(self) -> dict[str, str]:
        """Where its configuration is."""
        return {"CANAILLE_CONFIG": str(self.home / "config.toml"), "PATH": "/usr/bin:/bin", "HOME": str(self.home)}

    def do(self, *arguments: str) -> None:
        """Runs a command of the program to its end."""
        run(self.command(*arguments), env=self.environment(), cwd=self.home)

    def stop(self) -> None:
        """Ends it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None
        shutil.rmtree(self.home, ignore_errors=True)


@dataclass
class Page:
    """What came back."""

    url: str
    status: int
    location: str | None
    text: str


class Browser:
    """Cookies, links and forms. Plain HTTP for the hosts of the site stands for its proxy with TLS in front of the gateway."""

    def __init__(self, provider: Provider, gateways: Mapping[str, int]) -> None:
        self.provider = provider
        self.gateways = gateways
        self.cookies: dict[str, dict[str, str]] = {}
        self.visited: list[str] = []

    def get(self, url: str) -> Page:
        """Follows a link, but not where it leads on to."""
        return self._ask("GET", url, None)

    def submit(self, page: Page, answers: Mapping[str, str]) -> Page:
        """Fills in the one form of a page and presses its button."""
        form = Form(page.text)
        assert form.count == 1, f"{page.url} has {form.count} forms:\n{page.text}"
        fields = form.fields | {name: value for name, value in answers.items() if name in form.fields}
        return self._ask("POST", urllib.parse.urljoin(page.url, form.action), urllib.parse.urlencode(fields))

    def walk(self, page: Page, answers: Mapping[str, str], until: str, pages: int = 15) -> str:
        """Follows redirections and fills in forms until an address begins as said; gives that address."""
        for _ in range(pages):
            if page.location is not None:
                target = urllib.parse.urljoin(page.url, page.location)
                if target.startswith(until):
                    return target
                page = self.get(target)
            else:
                assert page.status == 200, f"{page.url}: {page.status}\n{page.text}"
                onward = link(page.text, until)
                if onward is not None:
                    return onward
                page = self.submit(page, answers)
        raise AssertionError(f"it does not end: {self.visited}")

    def _ask(self, method: str, url: str, body: str | None) -> Page:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
        connection: http.client.HTTPConnection
        if host == self.provider.host:
            context = ssl.create_default_context(cafile=self.provider.authority.certificate)
            raw = socket.create_connection((self.provider.address, self.provider.port), timeout=20)
            connection = http.client.HTTPConnection(host)
            connection.sock = context.wrap_socket(raw, server_hostname=host)
        else:
            assert host in self.gateways, f"a way out of the site: {url}"
            connection = http.client.HTTPConnection("127.0.0.1", self.gateways[host], timeout=20)
        jar = self.cookies.setdefault(host, {})
        headers = {"Host": parts.netloc, "Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
        if body is not None:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Referer": url, "Origin": f"https://{parts.netloc}"}
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        finally:
            connection.close()
        for cookie in response.msg.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            jar[name] = value
        self.visited.append(f"{method} {host}{parts.path} {response.status}")
        return Page(url, response.status, response.getheader("Location"), text)


def link(text: str, until: str) -> str | None:
    """The first link of a page that begins as said."""
    return next((target for target in Form(text).links if target.startswith(until)), None)


class Form(html.parser.HTMLParser):
    """The forms and links of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.count = 0
        self.action = ""
        self.fields: dict[str, str] = {}
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form":
            self.count += 1
            self.action = values.get("action") or ""
        elif tag in ("input", "button") and values.get("name"):
            self.fields[str(values["name"])] = values.get("value") or ""
        elif tag == "a" and values.get("href"):
            self.links.append(str(values["href"]))
