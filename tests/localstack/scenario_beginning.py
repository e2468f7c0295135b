"""The README's first half: deployed as it says, checked, a first drop fetched. All other scenarios use what it made."""

import json
import os
import re
import subprocess
from typing import Any

from hosted import readme
from hosted.deployment import BIN, ROOT
from hosted.server import CREDENTIALS, STACK
from hosted.stage import Stage

_CHECK_SECONDS = 120.0


def test_a_guided_deployment_asks_for_what_a_person_can_answer(walk: readme.Walk) -> None:
    """`sam deploy --guided` asks once for each parameter, and keeps the answers for the next time."""
    asked = re.findall(r"Parameter (\w+) \[", "\n".join(walk.asked))
    declared = re.findall(
        r"^  (\w+):\n    Type: (?:String|Number)$", (ROOT / "template.yaml").read_text(), re.MULTILINE
    )
    assert sorted(asked) == sorted(declared)
    kept = (walk.folder / "samconfig.toml").read_text(encoding="utf-8")
    assert readme.ALARM_EMAIL in kept
    assert not [key for key in readme.KEYS.values() if key in kept]


def test_after_the_deployment_all_is_well(walk: readme.Walk) -> None:
    """The README's `backdrop check` ends well on a stack that was deployed as it says."""
    assert "All is well." in walk.step("check")


def test_check_names_what_a_role_lacks(stage: Stage) -> None:
    """A statement taken out of one role is the one thing that is wrong, with what it no longer allows."""
    iam, role = stage.client("iam"), stage.function("SubmitRole")
    policy = iam.get_role_policy(RoleName=role, PolicyName="submit")["PolicyDocument"]
    less = [statement for statement in policy["Statement"] if statement["Sid"] != "ReadDrops"]
    try:
        _put(iam, role, {**policy, "Statement": less})
        told = _check(stage, status=3)
    finally:
        _put(iam, role, policy)
    assert {what for what, one in told.items() if one["verdict"] not in {"good", "unused"}} == {"submit permissions"}
    assert "s3:GetObject on" in told["submit permissions"]["message"]
    assert role in told["submit permissions"]["action"]


def test_the_first_drop_comes_back(stage: Stage, walk: readme.Walk) -> None:
    """The README's photo and spec bring the result and its record to the reader's own disk."""
    (walk.folder / "red.jpg").write_bytes(stage.photo("bottle"))
    walk.step("drop")
    walk.step("fetch")
    fetched = {path.name: path.read_bytes() for path in (walk.folder / "results").iterdir()}
    assert set(fetched) == {"red.jpg.background-color.png", "red.jpg.background-color.png.json"}
    assert fetched["red.jpg.background-color.png"].startswith(b"\x89PNG")
    assert json.loads(fetched["red.jpg.background-color.png.json"])["model"] == "runflow/background-color"


def _check(stage: Stage, *, status: int) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [BIN / "python", "-m", "backdrop_cli", "check", STACK, "--json", "--endpoint-url", stage.deployed.endpoint_url],
        env={**CREDENTIALS, **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}},
        capture_output=True,
        text=True,
        check=False,
        timeout=_CHECK_SECONDS,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert not [key for key in readme.KEYS.values() if key in done.stdout + done.stderr]
    return {one["what"]: one for one in json.loads(done.stdout)["checks"]}


def _put(iam: Any, role: str, policy: Any) -> None:
    iam.put_role_policy(RoleName=role, PolicyName="submit", PolicyDocument=json.dumps(policy))
