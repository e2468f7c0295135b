"""LocalStack with the deployed template on it and the provider sandbox beside it, once for all scenarios.

They attach with pytest-localstack: to the process that `hosted` starts, or with --localstack-docker, where there is a
Docker engine, to its own container session. When a scenario fails, what each function logged meanwhile is shown.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_localstack
from pytest_localstack.constants import DEFAULT_LOCALSTACK_VERSION
from pytest_localstack.session import RunningSession

from hosted import children, containers, deployment, readme, server
from hosted.deployment import BIN, PROVIDER_URLS, ROOT
from hosted.server import STACK
from hosted.stage import Stage, sandbox

SERVICES = (
    *("apigateway", "cloudformation", "cloudwatch", "dynamodb", "iam", "lambda", "logs"),
    *("s3", "secretsmanager", "sns", "sqs", "sts"),
)
FUNCTIONS = ("submit", "webhook", "reconcile")

# What a scenario would have to wait for; that the template's defaults are longer is for the tests of the template.
SHORTENED = {
    "PairingSeconds": "3",
    "NoSpecSeconds": "6",
    "DropBatchingSeconds": "0",
    "PollAfterSeconds": "5",
    "HoldRetrySeconds": "5",
    "DropVisibilitySeconds": "5",
    "WorkVisibilitySeconds": "12",
    "MaxReceiveCount": "2",
}

UNREADABLE = '{"nonsense": true}'
AFTER = "seconds after the drop"  # told of scenarios whose drop was made before they began
_SHOWN_LINES = 200
_DRAWING_SECONDS = 120.0
_STAGE = pytest.StashKey[Stage]()
_took: list[tuple[str, float]] = []  # the steps before the first scenario


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where LocalStack runs."""
    parser.addoption("--localstack-docker", action="store_true", help="LocalStack in a container instead of a process")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse the container where there is none to be had."""
    if config.getoption("--localstack-docker") and not containers.there():
        raise pytest.UsageError("--localstack-docker needs a Docker engine: `docker info` fails here. Leave it out")


# ----------------------------------------------------------------------------------------------------- what is told


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Say each scenario's time beside its name."""
    if report.when == "call" and report.passed:
        after = "".join(f", {value} s after its drop" for name, value in report.user_properties if name == AFTER)
        return "passed", ".", f"{report.duration:6.1f} s{after}"
    return None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how long the steps before the first scenario took."""
    for what, seconds in _took:
        terminalreporter.write_line(f"{what:<40} {seconds:6.1f} s")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A skipped scenario proves nothing: the run fails, as in tests/conftest.py."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and exitstatus == 0 and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@contextmanager
def _timed(what: str) -> Iterator[None]:
    begun = time.monotonic()
    yield
    _took.append((what, time.monotonic() - begun))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Show what was logged while a scenario failed: by each function, by LocalStack, by the sandbox."""
    report = yield
    stage = item.config.stash.get(_STAGE, None)
    if report.failed and stage:
        for name, lines in stage.heard(FUNCTIONS).items():
            report.sections.append((f"log of {name}", "\n".join(lines[-_SHOWN_LINES:])))
    return report


@pytest.fixture(autouse=True)
def _listening(stage: Stage) -> None:
    """What is logged from here on belongs to this scenario."""
    stage.listen()


# --------------------------------------------------------------------------------------------------- what they stand on


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for everything that runs, gone afterwards."""
    folder = tmp_path_factory.mktemp("localstack")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def photos(work: Path) -> "Iterator[Future[dict[str, bytes]]]":
    """The sample photos, which are drawn in the project's own environment while the template is deployed."""

    def draw() -> dict[str, bytes]:
        folder = work / "photos"
        folder.mkdir()
        with _timed("sample photos are drawn"):
            drawing = ROOT / "tests" / "localstack" / "hosted" / "drawing.py"
            subprocess.run([BIN / "python", drawing, folder], check=True, timeout=_DRAWING_SECONDS)
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(draw)


container = pytest_localstack.session_fixture(
    scope="session",
    services=list(SERVICES),
    docker_client=containers.Client(),
    region_name=server.REGION,
    localstack_version=DEFAULT_LOCALSTACK_VERSION,
    container_env=containers.ENVIRONMENT,
)


@dataclass(frozen=True)
class Ground:
    """pytest-localstack's session, how the functions reach the sandbox, and what it must be told of S3."""

    session: RunningSession
    logs: Path | None  # of LocalStack as a process of this machine
    sandbox_host: str
    image_origins: tuple[str, ...]


@pytest.fixture(scope="session")
def ground(request: pytest.FixtureRequest, work: Path) -> Iterator[Ground]:
    """LocalStack, as a process or in a container."""
    with ExitStack() as closing:
        with _timed("LocalStack starts"):
            if request.config.getoption("--localstack-docker"):
                session = request.getfixturevalue("container")
                found = Ground(session, None, containers.HOST, tuple(containers.image_origins(session)))
            else:
                python = ROOT / ".venv-localstack" / "lambda" / "bin" / "python"
                localstack = closing.enter_context(server.running(work, functions_python=python))
                ports = dict.fromkeys(SERVICES, localstack.port)
                attached = RunningSession("127.0.0.1", services=ports, region_name=server.REGION)
                session = closing.enter_context(attached)
                found = Ground(session, localstack.logs, "127.0.0.1", (localstack.url,))
        yield found


@dataclass(frozen=True)
class Providers:
    """The sandbox as the tests reach it, and as the functions do."""

    origin: str
    url: str


@pytest.fixture(scope="session")
def providers(ground: Ground, work: Path) -> Iterator[Providers]:
    """The sandbox, as all three providers."""
    port = children.free_port()
    url = f"http://{ground.sandbox_host}:{port}"
    with ExitStack() as closing:
        origin = closing.enter_context(sandbox(port, work, ground.image_origins, url))
        if ground.sandbox_host == containers.HOST:
            closing.enter_context(containers.relay(port))
        yield Providers(origin, url)


@pytest.fixture(scope="session")
def walk(ground: Ground, providers: Providers, work: Path) -> Iterator[readme.Walk]:
    """A reader of the README, who has built and deployed, and has put the keys into the secret."""
    endpoint = ground.session.endpoint_url("s3")
    answers = {
        **SHORTENED,
        **dict.fromkeys(PROVIDER_URLS, providers.url),
        "CallbackBaseUrl": deployment.expected_callback_url(endpoint),
        "AlarmEmail": readme.ALARM_EMAIL,
    }
    change = containers.widened if ground.sandbox_host == containers.HOST else str
    with readme.walking(work, endpoint, answers, change) as walking:
        for step in ("build and deploy", "outputs", "keys"):
            with _timed(f"README: {step}"):
                walking.step(step)
        yield walking


@pytest.fixture(scope="session")
def stage(  # noqa: PLR0917 - pytest gives each by its name
    request: pytest.FixtureRequest,
    walk: readme.Walk,
    ground: Ground,
    providers: Providers,
    photos: "Future[dict[str, bytes]]",
    work: Path,
) -> Iterator[Stage]:
    """The template as the reader deployed it."""
    session = ground.session
    endpoint = session.endpoint_url("s3")
    client: Callable[[str], Any] = session.boto3.session(region_name=session.region_name).client
    deployed = deployment.find(client("cloudformation"), name=STACK, endpoint_url=endpoint)
    if deployed.callback_base_url != walk.answers["CallbackBaseUrl"]:  # a container has no plug-in that names the API
        with _timed("sam deploy, with the API's URL"):
            deployed = deployment.deploy(
                client("cloudformation"),
                name=STACK,
                endpoint_url=endpoint,
                built=walk.folder / ".aws-sam" / "build",
                home=work,
                parameters={**walk.answers, "CallbackBaseUrl": deployed.callback_base_url},
            )
    found = Stage(client, deployed, providers.origin, ground.logs, photos.result())
    request.config.stash[_STAGE] = found
    yield found
    del request.config.stash[_STAGE]


@dataclass(frozen=True)
class LeftAlone:
    """Keys of drops made at `since`: one whose callback is lost, a photo without a spec, a spec's missing photo."""

    since: float
    callback: str
    photo: str
    spec: str


@pytest.fixture(scope="session", autouse=True)
def left_alone(stage: Stage) -> LeftAlone:
    """What takes long by itself, begun before all else: drops that only the schedule sees to, work nobody can read."""
    since = time.time()
    stage.sqs.send_message(QueueUrl=stage.deployed.outputs["WorkQueueUrl"], MessageBody=UNREADABLE)
    keys = {"callback": stage.key("left/callback", "vase"), "photo": stage.key("left/photo", "vase")}
    stage.control("PUT", "trouble", {"callback_lost": [{"times": 1, "provider": "imagepipeline"}]})
    stage.drop(keys["callback"], stage.photo("vase"))
    stage.drop(keys["callback"] + ".yaml", "model: imagepipeline/background-remove\n")
    stage.drop(keys["photo"], stage.photo("vase"))
    stage.drop("left/spec/nothing.jpg.yaml", "model: bria/background/remove\n")
    stage.wait("the provider's callback is lost", lambda: stage.control("GET", "status")["callbacks_lost"])
    stage.control("PUT", "trouble", {})
    return LeftAlone(since, **keys, spec="left/spec/nothing.jpg")
