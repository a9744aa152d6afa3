"""An administrator changes one option, builds, carries and starts again: only the images that the option concerns change,
the option is in force in every process, and the data is there."""

import time

import pytest

import description
from conftest import Conversation, Upload
from matrix import Session
from stack import Stack

# What an upload limit does not concern.
UNCHANGED = ("postgres", "redis", "coturn")


@pytest.fixture(scope="module")
def images(running: Stack, conversation: Conversation, upload: Upload) -> tuple[dict[str, str], dict[str, str]]:
    """The image of each service before and after the change."""
    before = {container.service: container.image for container in running.compose.containers()}
    began = time.monotonic()
    built = running.build(running.describe("changed", max_upload_size=description.LARGER_UPLOAD), "changed")
    running.timings["build with one changed option"] = time.monotonic() - began
    running.deploy(built)
    running.timings["up with one changed option"] = running.compose_v2.up(description.SERVICES)
    return before, {container.service: container.image for container in running.compose.containers()}


def test_only_what_the_option_concerns_has_a_new_image(images: tuple[dict[str, str], dict[str, str]]) -> None:
    before, after = images
    assert set(before) == set(after) == set(description.SERVICES)
    for service in UNCHANGED:
        assert after[service] == before[service], service
    for service in description.SYNAPSE_SERVICES:
        assert after[service] != before[service], service
        assert after[service] == after["synapse"], f"{service} runs another image than the main process"


def test_option_is_in_force(images: object, alice: Session) -> None:
    assert alice.call("GET", "/v1/media/config")["m.upload.size"] == 3 * 1024 * 1024
    response = alice.upload(b"\0" * (2 * 1024 * 1024), "application/octet-stream")
    assert response.status == 200, response


def test_data_is_kept(images: object, bob: Session, conversation: Conversation, upload: Upload) -> None:
    assert bob.whoami() == "@bob:stack.test"
    assert bob.event(conversation.room, conversation.event_id)["content"] == conversation.content
    assert bob.download(upload.uri).body == upload.content
