"""Headless Chromium, driven over its DevTools protocol: opens a page of the site through the gateway, presses what a person would
press, takes pictures. Takes the gateway's port and the host name that is to lead there."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import websocket

from commands import program
from waiting import eventually

# Chromium starts several processes, on a machine that builds other things.
START_SECONDS = 60.0
ANSWER_SECONDS = 30.0


class Browser:
    """A browser with one window, for as long as the `with` block lasts."""

    def __init__(self, host: str, port: int, size: tuple[int, int] = (390, 844)) -> None:
        self.host = host
        self.port = port
        self.size = size
        self._numbers = itertools.count(1)

    def __enter__(self) -> Browser:
        self._profile = Path(tempfile.mkdtemp(prefix="browser"))
        # As root in a container Chromium has no sandbox of its own; it only sees pages of the tests.
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [
            program("chromium", "chromium"),
            "--headless=new",
            *root,
            f"--user-data-dir={self._profile}",
            "--remote-debugging-port=0",
            "--remote-allow-origins=*",
            "--no-first-run",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            # The proxy with TLS in front of the gateway is not there; the name leads to the gateway.
            "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable",
            f"--host-resolver-rules=MAP {self.host}:80 127.0.0.1:{self.port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            f"--window-size={self.size[0]},{self.size[1]}",
            "about:blank",
        ]
        self._log = (self._profile / "log").open("wb")
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            self._connect()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the browser with all of its processes."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(timeout=10)
        self._log.close()
        shutil.rmtree(self._profile, ignore_errors=True)

    def open(self, url: str) -> None:
        """Goes to a page and waits until it is there."""
        self._call("Page.navigate", {"url": url})
        self._loaded()

    def evaluate(self, expression: str) -> Any:
        """What a JavaScript expression gives on the page."""
        answer = self._call("Runtime.evaluate", {"expression": expression, "returnByValue": True})
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    @property
    def text(self) -> str:
        """What a person reads on the page."""
        return str(self.evaluate("document.body.innerText"))

    def press(self, selector: str) -> None:
        """Clicks the middle of an element, as a finger does, and waits for the page that follows."""
        box = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); if (!e) return null; e.scrollIntoView({{block: 'center'}});"
            "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        assert box, f"{selector} is not on the page:\n{self.text}"
        self.evaluate("window.before = true")
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", {"type": kind, "x": box[0], "y": box[1], "button": "left", "clickCount": 1})
        eventually("the page after the button", lambda: self.evaluate("window.before !== true"), seconds=ANSWER_SECONDS)
        self._loaded()

    def picture(self, path: Path) -> None:
        """A PNG of the whole page."""
        shot = self._call("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True})
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _loaded(self) -> None:
        eventually("a complete page", lambda: self.evaluate("document.readyState") == "complete", seconds=ANSWER_SECONDS)

    def _connect(self) -> None:
        told = self._profile / "DevToolsActivePort"

        def port() -> int | None:
            assert self._process.poll() is None, f"chromium ended:\n{(self._profile / 'log').read_text(errors='replace')[-2000:]}"
            return int(told.read_text().split()[0]) if told.is_file() and told.read_text().strip() else None

        number = eventually("chromium's DevTools port", port, seconds=START_SECONDS)

        def page() -> str | None:
            connection = http.client.HTTPConnection("127.0.0.1", number, timeout=ANSWER_SECONDS)
            try:
                connection.request("GET", "/json/list")
                targets = json.loads(connection.getresponse().read())
            finally:
                connection.close()
            return next((target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page"), None)

        self._socket = websocket.create_connection(eventually("chromium's window", page), timeout=ANSWER_SECONDS)
        self._call("Page.enable", {})

    def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        deadline = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline:
            message = json.loads(self._socket.recv())
            if message.get("id") == number:
                assert "error" not in message, f"{method}: {message['error']}"
                return dict(message["result"])
        raise AssertionError(f"{method}: no answer within {ANSWER_SECONDS:g} s")
