"""What all tests share: AWS credentials that open nothing, and the rule that a skipped test fails the run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["bench_fixtures"]  # one AWS and one sandbox for all that ask for them

INERT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "POWERTOOLS_SERVICE_NAME": "backdrop",
    "POWERTOOLS_METRICS_NAMESPACE": "Backdrop",
}


@pytest.fixture(autouse=True, scope="session")
def _inert_credentials() -> Iterator[None]:
    """Nothing a test does may reach an account: the credentials open nothing, and none are read from the machine."""
    before = {name: os.environ.get(name) for name in [*INERT, "AWS_PROFILE"]}
    os.environ.update(INERT)
    os.environ.pop("AWS_PROFILE", None)
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What may take long begins first, so that nobody waits for it alone at the end; the rest stays in random order."""

    def most(item: pytest.Item) -> float:
        marker = item.get_closest_marker("timeout")
        return float(marker.args[0]) if marker and marker.args else 0.0

    items.sort(key=most, reverse=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A skipped test proves nothing: the run fails."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and exitstatus == 0 and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
