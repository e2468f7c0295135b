"""What cfn-lint with the serverless rules, and checkov on the template as written and as SAM translates it, find.

Promises that nothing is found but what `SKIPPED` names with its reason, that each of those reasons is still needed,
and that both tools really looked. Runs in .venv-checks, offline. Usage: findings.py TEMPLATE
"""

import contextlib
import io
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "cli")]

SKIPPED = {  # five at most
    # The token in the path is the credential; a trace of the stage would hold it. The functions are traced.
    "CKV_AWS_73": "tracing of the API's stage would write the callback token down",
    "WS2002": "tracing of the API's stage would write the callback token down",
    # A callback is a POST: there is nothing to cache, and a cache costs from $14 a month.
    "CKV_AWS_120": "the API's one route is a POST, which no cache answers",
    # They call the three providers on the internet and AWS's own endpoints, nothing private: a VPC would add a NAT
    # gateway at $33 a month and no wall, since results are fetched from any public address anyway.
    "CKV_AWS_117": "the functions reach nothing private; a VPC would cost a NAT gateway",
    # It is for asynchronous invocations. Two functions have none: queue and API Gateway call them and wait. What the
    # schedule could not get done goes to the destination OnFailure, which says more than a DLQ, and AWS advises it.
    "CKV_AWS_116": "queues keep what failed in their own dead-letter queues, the schedule in its failure destination",
}
MOST_SKIPPED = 5
LEAST_PASSED = 30  # checks of checkov: fewer, and it did not read the template


@dataclass(frozen=True, order=True)
class Finding:
    """One finding of one tool; `where` is a resource, or a line."""

    tool: str
    rule: str
    where: str
    says: str


def of_cfn_lint(template: Path) -> Iterator[Finding]:
    """Errors, warnings and remarks of cfn-lint's own rules and the serverless ones."""
    from cfnlint.api import lint_file  # noqa: PLC0415 - a second of imports each: what is timed is what is used
    from cfnlint.config import ManualArgs  # noqa: PLC0415 - the same

    for match in lint_file(template, ManualArgs(append_rules=["serverless_rules"], include_checks=["I"])):
        yield Finding("cfn-lint", match.rule.id, f"line {match.linenumber}", match.message)


def of_checkov(tool: str, template: Path) -> Iterator[Finding]:
    """What fails in checkov, and that it passed enough to have read the template."""
    from checkov.cloudformation.runner import Runner  # noqa: PLC0415 - the same
    from checkov.runner_filter import RunnerFilter  # noqa: PLC0415 - the same

    wanted = RunnerFilter(framework=["cloudformation"], show_progress_bar=False)
    report: Any = Runner().run(None, files=[str(template)], runner_filter=wanted)
    for error in report.parsing_errors:
        yield Finding(tool, "unread", str(error), "could not be parsed")
    if len(report.passed_checks) < LEAST_PASSED:
        yield Finding(tool, "unread", template.name, f"only {len(report.passed_checks)} checks passed")
    for record in [*report.failed_checks, *report.skipped_checks]:
        yield Finding(tool, record.check_id, record.resource, record.check_name)


def translated(template: Path) -> dict[str, Any]:
    """The template as SAM makes CloudFormation of it: every generated resource is there."""
    from samtranslator.parser.parser import Parser  # noqa: PLC0415 - the same
    from samtranslator.translator.translator import Translator  # noqa: PLC0415 - the same

    from backdrop_cli import cloudformation  # noqa: PLC0415 - the same

    os.environ["AWS_DEFAULT_REGION"] = "eu-central-1"
    document = cloudformation.parse(template.read_text(encoding="utf-8"))
    for resource in document["Resources"].values():
        for place in {"CodeUri", "ContentUri"} & set(resource.get("Properties", {})):
            resource["Properties"][place] = "s3://bucket/what-sam-deploy-uploads"
    made: dict[str, Any] = Translator({}, Parser()).translate(document, {})
    return made


def judge(found: list[Finding]) -> list[str]:
    """What is wrong: findings that no reason covers, and reasons that cover nothing."""
    open_ones = sorted({one for one in found if one.rule not in SKIPPED})
    told = [f"{one.tool}: {one.rule} {one.where}: {one.says}" for one in open_ones]
    needless = sorted(set(SKIPPED) - {one.rule for one in found})
    told += [f"{rule} finds nothing any more: take it out of SKIPPED" for rule in needless]
    if len(SKIPPED) > MOST_SKIPPED:
        told.append(f"{len(SKIPPED)} rules are skipped; {MOST_SKIPPED} at most")
    return told


def main(template: Path) -> int:
    """Run all three; 0 when nothing is left to say."""
    logging.disable(logging.WARNING)
    found: list[Finding] = []
    with tempfile.TemporaryDirectory() as folder:
        as_deployed = Path(folder) / "translated.json"
        runs: dict[str, Callable[[], Iterator[Finding]]] = {
            "cfn-lint": lambda: of_cfn_lint(template),
            "checkov": lambda: of_checkov("checkov", template),
            "checkov, translated": lambda: of_checkov("checkov, translated", as_deployed),
        }
        as_deployed.write_text(json.dumps(translated(template), indent=1), encoding="utf-8")
        for name, run in runs.items():
            begun = time.monotonic()
            with contextlib.redirect_stdout(io.StringIO()):  # checkov draws its progress
                here = list(run())
            found += here
            skipped = sum(one.rule in SKIPPED for one in here)
            say(f"{name:<20} {time.monotonic() - begun:5.1f} s  {len(here) - skipped} findings, {skipped} skipped")
    for rule, reason in SKIPPED.items():
        say(f"  {rule:<12} skipped: {reason}")
    wrong = judge(found)
    for line in wrong:
        say(line)
    return 1 if wrong else 0


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
