"""What `--localstack-docker` needs otherwise: said where there is no engine, accepted by the template where one is."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hosted import containers
from hosted.deployment import PROVIDER_URLS, ROOT

_SECONDS = 60.0


def test_without_an_engine_the_option_says_so(tmp_path: Path) -> None:
    """Where `docker info` fails, or there is no docker, the option is refused at once, with what it needs."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--localstack-docker", "--collect-only", "-q"],
        cwd=Path(__file__).parent,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--localstack-docker needs a Docker engine" in done.stderr


@pytest.mark.parametrize("name", PROVIDER_URLS)
def test_the_sandbox_has_a_url_that_a_container_can_use(name: str) -> None:
    """A base URL on the host is refused by the template and accepted by the container's, which takes no other more."""
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    before, after = _pattern(template, name), _pattern(containers.widened(template), name)
    ours = f"http://{containers.HOST}:8080"
    assert not re.fullmatch(before, ours)
    assert re.fullmatch(after, ours)
    for url in ("http://example.com", f"http://{containers.HOST}.example.com", f"http://x{containers.HOST}:80"):
        assert not re.fullmatch(after, url)
    for url in ("https://api.example.com", "http://127.0.0.1:80"):
        assert re.fullmatch(after, url)


def _pattern(template: str, parameter: str) -> str:
    found = re.search(rf"^  {parameter}:\n(?:    .*\n)*?    AllowedPattern: (.*)$", template, re.MULTILINE)
    assert found
    return found[1]
