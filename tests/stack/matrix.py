"""A small Matrix client over http.client: just the calls of the client-server API that the stack test makes. It connects
to an address and names the virtual host itself, and sends paths exactly as given, so that a test can say `/../`."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from waiting import eventually

# How long one request may take. Synapse's slowest answer here is a login on a loaded machine.
REQUEST_SECONDS = 30.0
# How long a client obeys "429, come back later" before it gives up.
PATIENCE_SECONDS = 20.0

Found = TypeVar("Found")

_transactions = itertools.count(1)


@dataclass(frozen=True)
class Response:
    """An HTTP answer, whole."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; anything else is an AssertionError that shows it."""
        try:
            value = json.loads(self.body)
        except ValueError:
            raise AssertionError(f"status {self.status}, and the body is no JSON: {self.body[:300]!r}") from None
        assert isinstance(value, dict), f"status {self.status}, and the body is no JSON object: {self.body[:300]!r}"
        return value


class MatrixError(AssertionError):
    """The server refused: the status and the standard error code."""

    def __init__(self, doing: str, response: Response) -> None:
        self.status = response.status
        self.content: dict[str, Any] = {}
        with contextlib.suppress(ValueError):
            content = json.loads(response.body)
            self.content = content if isinstance(content, dict) else {}
        self.errcode = str(self.content.get("errcode", "none"))
        super().__init__(f"{doing}: status {response.status}, {response.body[:500].decode('utf-8', 'replace')}")


@dataclass(frozen=True)
class Server:
    """Where to connect, and which virtual host to ask for."""

    address: str
    port: int
    host: str

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = REQUEST_SECONDS,
    ) -> Response:
        """One request on a connection of its own. The path goes out unchanged."""
        connection = http.client.HTTPConnection(self.address, self.port, timeout=seconds)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", self.host)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            # A server that refuses a large body answers before it has read all of it: the answer counts.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.endheaders(body)
            answer = connection.getresponse()
            return Response(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def login(self, user: str, password: str, device: str | None = None) -> Session:
        """Logs a user in with a password; MatrixError when refused."""
        request: dict[str, Any] = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": user},
            "password": password,
            "initial_device_display_name": "stack test",
        }
        if device is not None:
            request["device_id"] = device
        answer = call(self, "POST", "/_matrix/client/v3/login", request)
        return Session(self, answer["user_id"], answer["access_token"], answer["device_id"])


def call(
    server: Server,
    method: str,
    path: str,
    content: Mapping[str, Any] | None = None,
    *,
    token: str | None = None,
    seconds: float = REQUEST_SECONDS,
) -> dict[str, Any]:
    """One call of the API: JSON there and back; MatrixError for anything but 200. Waits when told to come back later."""
    headers = {"Accept": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    body = None
    if content is not None or method in ("POST", "PUT"):
        headers["Content-Type"] = "application/json"
        body = json.dumps(content or {}).encode()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        response = server.request(method, path, body=body, headers=headers, seconds=seconds)
        if response.status == 200:
            return response.json()
        if response.status == 429 and time.monotonic() < deadline:
            time.sleep(min(5.0, float(response.headers.get("Retry-After") or 1)))
            continue
        raise MatrixError(f"{method} {path.partition('?')[0]}", response)


def quote(part: str) -> str:
    """One component of a path: room and user IDs hold `!`, `@`, `:` and `/`."""
    return urllib.parse.quote(part, safe="")


@dataclass(frozen=True)
class Session:
    """A logged-in device."""

    server: Server
    user_id: str
    token: str
    device_id: str

    def call(self, method: str, path: str, content: Mapping[str, Any] | None = None, *, seconds: float = 60.0) -> dict[str, Any]:
        """A call with this device's token; the path begins after `/_matrix/client`."""
        return call(self.server, method, f"/_matrix/client{path}", content, token=self.token, seconds=seconds)

    def whoami(self) -> str:
        """Whom the server takes this token for."""
        return self.call("GET", "/v3/account/whoami")["user_id"]

    def logout(self) -> None:
        """Ends this device's session."""
        self.call("POST", "/v3/logout")

    def create_room(self, name: str, *, encrypted: bool = False) -> str:
        """Makes a private room and returns its ID."""
        content: dict[str, Any] = {"name": name, "preset": "private_chat"}
        if encrypted:
            content["initial_state"] = [
                {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
            ]
        return self.call("POST", "/v3/createRoom", content)["room_id"]

    def invite(self, room: str, user_id: str) -> None:
        """Invites a user."""
        self.call("POST", f"/v3/rooms/{quote(room)}/invite", {"user_id": user_id})

    def join(self, room: str) -> str:
        """Joins a room by its ID, which the server repeats."""
        return self.call("POST", f"/v3/join/{quote(room)}")["room_id"]

    def state(self, room: str, kind: str) -> dict[str, Any]:
        """The content of a state event with an empty key."""
        return self.call("GET", f"/v3/rooms/{quote(room)}/state/{kind}/")

    def send(self, room: str, kind: str, content: Mapping[str, Any]) -> str:
        """Sends an event and returns its ID."""
        transaction = f"stack{next(_transactions)}.{time.time_ns()}"
        return self.call("PUT", f"/v3/rooms/{quote(room)}/send/{kind}/{transaction}", content)["event_id"]

    def send_state(self, room: str, kind: str, content: Mapping[str, Any]) -> str:
        """Sends a state event with an empty key and returns its ID."""
        return self.call("PUT", f"/v3/rooms/{quote(room)}/state/{kind}/", content)["event_id"]

    def event(self, room: str, event_id: str) -> dict[str, Any]:
        """One event by its ID."""
        return self.call("GET", f"/v3/rooms/{quote(room)}/event/{quote(event_id)}")

    def sync(self, since: str | None = None, *, timeout_ms: int = 1000) -> dict[str, Any]:
        """One sync; with `since` the server holds the answer back until there is news or the time is up."""
        query = {"timeout": str(timeout_ms)} | ({"since": since} if since else {})
        return self.call("GET", f"/v3/sync?{urllib.parse.urlencode(query)}")

    def syncs(self, since: str | None = None) -> Iterator[dict[str, Any]]:
        """Sync after sync, each going on where the last one ended."""
        while True:
            answer = self.sync(since)
            since = answer["next_batch"]
            yield answer

    def watch(self, what: str, look: Callable[[dict[str, Any]], Found | None], *, seconds: float = 20.0) -> Found:
        """Syncs until `look` finds something in an answer. The same sync asked twice gets the same answer for two minutes (Synapse's
        `sync_response_cache_duration`), so each goes on where the last one ended."""
        answers = self.syncs()
        return eventually(f"{what} in a sync of {self.user_id}", lambda: look(next(answers).get("rooms", {})), seconds=seconds)

    def wait_for_invite(self, room: str, *, seconds: float = 20.0) -> None:
        """Syncs until an invitation to the room has come."""
        self.watch(f"the invitation to {room}", lambda rooms: room in rooms.get("invite", {}) or None, seconds=seconds)

    def wait_for_event(self, room: str, event_id: str, *, seconds: float = 20.0) -> dict[str, Any]:
        """Syncs until an event has come, and returns it."""

        def look(rooms: dict[str, Any]) -> dict[str, Any] | None:
            events = rooms.get("join", {}).get(room, {}).get("timeline", {}).get("events", [])
            return next((event for event in events if event["event_id"] == event_id), None)

        return self.watch(event_id, look, seconds=seconds)

    def wait_for_words(self, sender: str, words: str, *, seconds: float = 45.0) -> str:
        """Syncs until somebody has said something with these words in it, in whatever room, and returns what was said."""

        def look(rooms: dict[str, Any]) -> str | None:
            events = [event for room in rooms.get("join", {}).values() for event in room["timeline"]["events"]]
            said = [str(event["content"]["body"]) for event in events if event["sender"] == sender and "body" in event["content"]]
            return next((text for text in said if words in text), None)

        return self.watch(f"{words!r} of {sender}", look, seconds=seconds)

    def upload(self, content: bytes, kind: str) -> Response:
        """Uploads media; the caller looks at the status."""
        return self.server.request(
            "POST",
            "/_matrix/media/v3/upload?filename=stack.bin",
            body=content,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": kind, "Origin": "https://app.stack.test"},
        )

    def download(self, uri: str, *, authenticated: bool = True) -> Response:
        """Fetches media by its `mxc://` URI."""
        headers = {"Authorization": f"Bearer {self.token}"} if authenticated else {}
        path = uri.removeprefix("mxc://")
        return self.server.request("GET", f"/_matrix/client/v1/media/download/{path}", headers=headers)
