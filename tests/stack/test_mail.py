"""Mail that Synapse sends is really delivered, over TLS and after a login, and its links do what they promise."""

import html
import re
import secrets

import pytest

from campus import SERVER_NAME, SMTP_USER, Campus, password
from matrix import MatrixError, call
from waiting import eventually


def link_in(text: str) -> str:
    """The one address of the site in a mail."""
    found = re.findall(r"https://matrix\.campus\.test/\S+", text)
    assert len(found) == 1, text
    return found[0]


def test_a_forgotten_password_is_set_anew_by_mail(campus: Campus) -> None:
    address = "grace@people.test"
    grace = campus.person("grace", address=address)
    secret = secrets.token_hex(16)
    asked = {"client_secret": secret, "email": address, "send_attempt": 1}
    answer = call(campus.gateway, "POST", "/_matrix/client/v3/account/password/email/requestToken", asked)

    mail = campus.mail.wait_for(address, "password")
    assert mail.encrypted
    assert mail.message["Subject"] == f"A new password for {SERVER_NAME}, 100 % by yourself"
    assert mail.message["From"] == f"Campus chat <{SMTP_USER}>"
    # The site's own words in one part, Synapse's in the other, which the site has no file for.
    assert "an account at Campus chat. The caretaker's lodge is open from 8 to 16 o'clock." in mail.text
    assert "caretaker" not in mail.markup and link_in(mail.text) in html.unescape(mail.markup)
    # Synapse logged in, and only after the connection was encrypted.
    assert campus.mail.logins
    assert all(login == (SMTP_USER, True, True) for login in campus.mail.logins), campus.mail.logins

    proof = {"type": "m.login.email.identity", "threepid_creds": {"sid": answer["sid"], "client_secret": secret}}
    chosen = {"new_password": password(), "auth": proof}
    with pytest.raises(MatrixError):
        call(campus.gateway, "POST", "/_matrix/client/v3/account/password", chosen)

    link = link_in(mail.text)
    page = campus.get(link)
    assert page.status == 200, page
    confirmed = campus.submit(link, page)
    assert confirmed.status == 200, confirmed

    call(campus.gateway, "POST", "/_matrix/client/v3/account/password", chosen)
    assert campus.gateway.login("grace", chosen["new_password"]).whoami() == grace.user_id
    with pytest.raises(MatrixError):
        grace.whoami()


def test_nobody_learns_who_has_an_account(campus: Campus) -> None:
    campus.person("frank", address="frank@people.test")

    def ask(address: str) -> dict[str, object]:
        asked = {"client_secret": secrets.token_hex(16), "email": address, "send_attempt": 1}
        return call(campus.gateway, "POST", "/_matrix/client/v3/account/password/email/requestToken", asked)

    stranger, frank = ask("stranger@people.test"), ask("frank@people.test")
    assert stranger.keys() == frank.keys() == {"sid"}
    # His mail was asked for later, so the stranger's would be there.
    campus.mail.wait_for("frank@people.test", "password")
    assert not campus.mail.to("stranger@people.test")


def test_a_missed_message_is_mailed(campus: Campus) -> None:
    address = "heidi@people.test"
    heidi, ivan = campus.person("heidi", address=address), campus.person("ivan")
    # An invitation would be mailed, too, and the next mail about its room has to wait ten minutes.
    room = heidi.create_room("Tea kitchen")
    heidi.invite(room, ivan.user_id)
    ivan.wait_for_invite(room)
    eventually("ivan's join", lambda: ivan.join(room))
    ivan.send(room, "m.room.message", {"msgtype": "m.text", "body": "heidi, the kettle boils"})
    # The room of notices may be mailed about first.
    eventually("the message in a mail", lambda: any("the kettle boils" in mail.text for mail in campus.mail.to(address)), seconds=60)
    assert all(mail.encrypted and "Campus chat" in mail.message["Subject"] for mail in campus.mail.to(address))
