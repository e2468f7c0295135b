"""The README's deploy section, walked by a person at a terminal: its command blocks, word for word and in their order.

Promises that nothing is typed but what stands there: what a reader sets is in the environment, what a reader answers
is answered at the terminal. Refuses a README whose section has other steps than those named here.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hosted import deployment
from hosted.deployment import BIN, ROOT, SANDBOX_KEYS
from hosted.server import CREDENTIALS
from hosted.terminal import Terminal

STEPS = ("build and deploy", "outputs", "keys", "check", "drop", "fetch", "remove")
ALARM_EMAIL = "someone@example.com"
# What a reader sets before the keys.
KEYS = {
    "RUNFLOW_API_KEY": SANDBOX_KEYS["runflow_api_key"],
    "BACKGROUNDCUT_API_KEY": SANDBOX_KEYS["backgroundcut_api_key"],
    "IMAGEPIPELINE_API_KEY": SANDBOX_KEYS["imagepipeline_api_key"],
    "RUNFLOW_CALLBACK_SECRET": SANDBOX_KEYS["runflow_callback_secrets"][0],
}
# The questions that the README says are answered with y; all others are answered with Enter, or a parameter's value.
_YES = ("Deploy this changeset", "Are you sure you want to delete")
_PARAMETER = re.compile(r"Parameter (\w+) \[")
_SECONDS = {"build and deploy": 480.0, "remove": 240.0}
_USUAL_SECONDS = 150.0


def blocks(text: str) -> list[str]:
    """The command blocks of the section `Deploy`."""
    section = text.partition("\n## Deploy\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE)


@dataclass
class Walk:
    """A reader's way through the section, in a copy of the checkout."""

    folder: Path
    terminal: Terminal
    answers: Mapping[str, str]  # to the questions after parameters, by name
    commands: Mapping[str, str]
    asked: list[str] = field(default_factory=list)

    def step(self, name: str) -> str:
        """Type one block; what was on the screen.

        Raises:
            terminal.Failed: a command of it failed.
        """
        return self.terminal.run(self.commands[name], self._answer, seconds=_SECONDS.get(name, _USUAL_SECONDS))

    def _answer(self, question: str) -> str:
        self.asked.append(question)
        parameter = _PARAMETER.search(question)
        if parameter:
            return self.answers.get(parameter[1], "")
        return "y" if any(word in question for word in _YES) else ""


@contextmanager
def walking(
    folder: Path, endpoint_url: str, answers: Mapping[str, str], change: Callable[[str], str] = str
) -> Iterator[Walk]:
    """A terminal in a copy of the checkout in `folder`, with the tools that the README asks for on its PATH.

    `change` is made to the copy's template: what a container needs otherwise.
    """
    found = blocks((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(found) == len(STEPS), f"the README has {len(found)} blocks for {', '.join(STEPS)}"
    checkout, tools = folder / "checkout", folder / "tools"
    _copy(checkout, change)
    tools.mkdir()
    programs = {
        "sam": ROOT / ".venv-sam" / "bin" / "sam",
        "aws": ROOT / ".venv-localstack" / "bin" / "aws",
        "uv": BIN / "uv",
        "python3.13": BIN / "python",
    }
    for name, program in programs.items():
        (tools / name).symlink_to(program)
    environment = {
        # The reader's own way to the package registry, but nothing of an account.
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv")),
        **CREDENTIALS,
        **KEYS,
        **deployment.PATIENT,
        "PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_PAGER": "",
        "BACKDROP_ARCHITECTURE": deployment.architecture(),
    }
    terminal = Terminal(checkout, environment)
    try:
        yield Walk(checkout, terminal, answers, dict(zip(STEPS, found, strict=True)))
    finally:
        terminal.close()


def _copy(checkout: Path, change: Callable[[str], str]) -> None:
    """What a clone has of what is deployed, with the environment that `make setup` made."""
    checkout.mkdir()
    for name in ("functions", "layers"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "samconfig.toml", checkout)
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    (checkout / "template.yaml").write_text(change(template), encoding="utf-8")
    (checkout / ".venv").symlink_to(ROOT / ".venv")
