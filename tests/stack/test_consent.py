"""The policy: nobody writes before agreeing, a browser shows it and takes the answer, notices bring the link, and a new version asks
again while the old one stays readable."""

import pytest

from browser import Browser
from campus import FIRST_VERSION, MATRIX_HOST, NOTICES, POLICY, SERVER_NAME, Campus
from leftovers import KEPT
from matrix import MatrixError, Session

SECOND_VERSION = FIRST_VERSION.replace("first", "second") + "\nAnd wash the dishes.\n"


@pytest.fixture(scope="module")
def judy(campus: Campus) -> Session:
    """Somebody whom an administrator made an account for, and who has not agreed yet."""
    return campus.person("judy", agreed=False)


def wait_for_notice(session: Session, words: str) -> str:
    """The first notice with these words, waited for."""
    return session.wait_for_words(f"@{NOTICES}:{SERVER_NAME}", words)


def test_who_has_not_agreed_does_not_write(campus: Campus, judy: Session) -> None:
    with pytest.raises(MatrixError) as refused:
        judy.create_room("too early")
    assert (refused.value.status, refused.value.errcode) == (403, "M_CONSENT_NOT_GIVEN")
    uri = refused.value.content["consent_uri"]
    assert uri.startswith(f"https://{MATRIX_HOST}/_matrix/consent?")
    assert refused.value.content["error"] == f"You have to agree to the house rules before you write, 100 % of them: {uri}"


def test_the_notice_brings_the_same_link(campus: Campus, judy: Session) -> None:
    assert campus.consent_uri(judy) in wait_for_notice(judy, "Please read the house rules")


def test_somebody_elses_link_is_refused(campus: Campus, judy: Session) -> None:
    forged = campus.get(campus.consent_uri(judy).replace("judy", "admin"))
    assert forged.status == 403, forged


def test_a_browser_shows_the_policy_and_agrees(campus: Campus, judy: Session) -> None:
    uri = campus.consent_uri(judy)
    with Browser(MATRIX_HOST, campus.gateway.port) as browser:
        browser.open(uri.replace("https://", "http://"))
        text = browser.text
        assert "These are the rules of campus.test in their first version." in text
        # What looks like a template or a script in the policy is shown, not done.
        assert "{{ 7 * 7 }} is not computed, and <script>this</script> is not run." in text
        assert browser.evaluate("document.title") == POLICY
        assert browser.evaluate("document.scripts.length") == 0
        # A telephone shows it without scrolling sideways.
        assert browser.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        browser.picture(KEPT / "consent.png")
        browser.press("button")
        assert "Thank you" in browser.text
        browser.picture(KEPT / "consent-thanks.png")
        browser.open(uri.replace("https://", "http://"))
        assert "You have agreed to this version." in browser.text
        assert browser.evaluate("document.forms.length") == 0
    for service in ("synapse", "synapse-generic-worker-1"):
        campus.may_write(service, judy)
    assert judy.create_room("now")


def test_everybody_can_read_the_policy(campus: Campus) -> None:
    page = campus.get(f"https://{MATRIX_HOST}/_matrix/consent?v=1.0")
    assert page.status == 200, page
    assert b"<form" not in page.body
    assert campus.get(f"https://{MATRIX_HOST}/_matrix/consent?v=7.0").status == 404


def test_an_administrator_sends_a_notice(campus: Campus, judy: Session) -> None:
    content = {"user_id": judy.user_id, "content": {"msgtype": "m.text", "body": "The server rests tonight."}}
    assert campus.admin("POST", "/v1/send_server_notice", content)["event_id"]
    assert wait_for_notice(judy, "rests") == "The server rests tonight."


def test_a_new_version_asks_again_and_the_old_one_stays(campus: Campus, judy: Session) -> None:
    before = campus.get(f"https://{MATRIX_HOST}/_matrix/consent?v=1.0").body
    campus.files["policy/1.1.md"] = SECOND_VERSION
    documents = campus.site["consent"]["documents"] | {"1.1": {"file": "policy/1.1.md"}}
    campus.change(consent=campus.site["consent"] | {"version": "1.1", "documents": documents})

    uri = campus.consent_uri(judy)
    page = campus.get(uri)
    assert b"And wash the dishes." in page.body
    old = campus.get(f"{uri}&v=1.0")
    assert b"in their <strong>first</strong> version" in old.body
    assert b"dishes" not in old.body and b"<form" not in old.body
    # But for the link to the version in force, which it had not, the page is what it was.
    article = before.partition(b"<article>")[2].partition(b"</article>")[0]
    assert article and article in old.body
    campus.agree(judy)
    campus.agree(campus.administrator)
