"""A real SMTP server in this process: STARTTLS before anything else, then a login, then mail, which it keeps. Takes an address
that containers can reach, a certificate and an account; gives the mails of each recipient."""

from __future__ import annotations

import asyncio
import email
import email.policy
import secrets
import ssl
import threading
from dataclasses import dataclass
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from certificates import Certificate
from waiting import eventually


@dataclass(frozen=True)
class Mail:
    """A mail that was delivered, and how it came."""

    recipient: str
    sender: str
    encrypted: bool
    message: EmailMessage

    @property
    def text(self) -> str:
        """The part without markup."""
        return self._part("plain")

    @property
    def markup(self) -> str:
        """The part with markup."""
        return self._part("html")

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        assert part is not None, self.message
        return part.get_content()


class MailServer:
    """The server, from `start` to `stop`."""

    def __init__(self, address: str, port: int, certificate: Certificate, user: str) -> None:
        self.address = address
        self.port = port
        self.user = user
        self.password = secrets.token_urlsafe(18)
        # Every name that tried to log in, whether it was let in, and whether the connection was encrypted then.
        self.logins: list[tuple[str, bool, bool]] = []
        self._mails: list[Mail] = []
        self._lock = threading.Lock()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate.certificate, certificate.key)
        server = self

        class Smtp(Controller):
            def factory(self) -> SMTP:
                return SMTP(
                    server,
                    hostname="smtp.campus.test",
                    tls_context=context,
                    require_starttls=True,
                    auth_required=True,
                    authenticator=server._authenticate,
                    loop=self.loop,
                )

        self._controller = Smtp(self, hostname=address, port=port, loop=asyncio.new_event_loop())

    def start(self) -> None:
        """Listens."""
        self._controller.start()

    def stop(self) -> None:
        """Ends the server."""
        self._controller.stop()

    def to(self, recipient: str) -> list[Mail]:
        """What was delivered to an address so far."""
        with self._lock:
            return [mail for mail in self._mails if mail.recipient == recipient]

    def wait_for(self, recipient: str, subject: str, *, seconds: float = 30.0) -> Mail:
        """The newest mail to an address with words in its subject, waited for."""

        def look() -> Mail | None:
            found = [mail for mail in self.to(recipient) if subject in str(mail.message["Subject"])]
            assert found, f"there are {[str(mail.message['Subject']) for mail in self.to(recipient)]}"
            return found[-1]

        return eventually(f"a mail to {recipient} about {subject!r}", look, seconds=seconds)

    def _authenticate(self, server: object, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword) -> AuthResult:
        right = (data.login.decode(), data.password.decode()) == (self.user, self.password)
        self.logins.append((data.login.decode(), right, session.ssl is not None))
        return AuthResult(success=right, handled=right)

    async def handle_DATA(self, server: object, session: Session, envelope: Envelope) -> str:
        """Keeps a mail: the name is aiosmtpd's."""
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        with self._lock:
            for recipient in envelope.rcpt_tos:
                self._mails.append(Mail(recipient, envelope.mail_from or "", session.ssl is not None, message))
        return "250 kept"
