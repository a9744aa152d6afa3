"""What the examples ask of programs that read what was rendered, where nothing of theirs can run here: nginx reads the gateway's
configuration of each, and both Composes read the manifest with images of others."""

import shutil
from pathlib import Path

import pytest

import compose
from commands import run
from stack import Built, Stack

EXAMPLES = Path(__file__).resolve().parents[1] / "snapshots"
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def certificate(stack: Stack) -> Path:
    """A certificate and its key under the names of the gateway's secrets."""
    home = stack.home / "others"
    home.mkdir()
    out = ["-keyout", home / "tls_certificate_key", "-out", home / "tls_certificate"]
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=others", *out])
    (home / "tls_certificate_key").chmod(0o444)
    return home


@pytest.mark.parametrize("name", NAMES)
def test_nginx_takes_the_gateway_of_every_example(deployed: Stack, built: Built, certificate: Path, name: str) -> None:
    image = next(name for image in built.archive.images() for name in image.names if "/gateway:" in name)
    rendered = EXAMPLES / name / "gateway/etc/nginx/nginx.conf"
    mounts = ["-v", f"{certificate}:/run/secrets:ro", "-v", f"{rendered}:/etc/nginx/nginx.conf:ro", "--tmpfs", "/tmp", "--tmpfs", "/run/synapse-site"]
    command = ["docker", "run", "--rm", "--network", "none", *mounts, "--entrypoint", "/usr/sbin/nginx", image]
    done = run([*command, "-e", "stderr", "-t", "-c", "/etc/nginx/nginx.conf"])
    assert "test is successful" in done.stderr


@pytest.mark.parametrize("program", [compose.classic, compose.plugin], ids=["classic", "v2"])
def test_both_composes_take_images_of_others(stack: Stack, tmp_path: Path, program: object) -> None:
    shutil.copy(EXAMPLES / "everything/compose.yaml", tmp_path / "compose.yaml")
    (tmp_path / "secrets").mkdir()
    services = run([*program(), "-f", tmp_path / "compose.yaml", "config", "--services"], cwd=tmp_path).stdout.split()  # type: ignore[operator]
    assert {"livekit", "livekit-authorisation", "draupnir", "admin-ui"} <= set(services)
