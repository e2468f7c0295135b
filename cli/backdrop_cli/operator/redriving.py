"""`backdrop redrive`: FAILED jobs run again, dead letters go back to their queues.

Promises to say how many jobs, what they will cost and which may have been paid already, before anything is done; each
job is run again by the library's own verb, on the very bytes it was made for, or left alone with the reason.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backdrop import jobs
from backdrop.errors import Problem
from backdrop.workflow import redriving
from backdrop_cli.operator import letters, prices, selecting
from backdrop_cli.operator.admission import spending
from backdrop_cli.operator.failures import BAD_INPUT, PERSON
from backdrop_cli.operator.reach import Found
from backdrop_cli.operator.rows import Line
from backdrop_cli.operator.screen import agreed, counted, progress, say, show_json, show_table
from backdrop_cli.operator.selecting import Wanted
from backdrop_cli.operator.sending import each

_SHOWN_REFUSALS = 10


@dataclass(frozen=True)
class Plan:
    """What would be run again, and what cannot be, with its reason."""

    lines: tuple[Line, ...]
    refused: tuple[tuple[Line, Problem], ...]
    cost: prices.Cost
    more: bool

    @property
    def perhaps_paid(self) -> dict[str, int]:
        """How many of those that would run may have been paid for already, by their reason."""
        return dict(Counter(line.code for line in self.lines if prices.perhaps_paid(line.code, line.reposts)))


def redrive(found: Found, wanted: Wanted, *, dead_letters: bool, yes: bool, dry_run: bool, as_json: bool) -> int:
    """Run what is meant again, after asking; 3 when something was left alone."""
    if not wanted.anything and not dead_letters:
        return _overview(found, as_json=as_json)
    plan = _plan(found, wanted, quiet=as_json) if wanted.anything else None
    dead = letters.dead(found) if dead_letters else {}
    facts: dict[str, Any] = {"stack": found.name, "dry_run": dry_run}
    if plan:
        facts |= _plan_facts(plan)
    if dead_letters:
        facts["dead_letters"] = {name.removesuffix("Url"): count for name, count in dead.items()}
    if not as_json:
        _show_plan(found, plan, dead)
    nothing = not (plan and plan.lines) and not any(dead.values())
    left = bool(plan and plan.refused)
    if dry_run or nothing:
        if as_json:
            show_json(facts | {"redriven": 0})
        return PERSON if left else 0
    if not agreed(_question(plan, dead), yes=yes, as_json=as_json):
        say("Nothing was done.")
        return 0
    done, refused = _carry_out(found, plan.lines if plan else (), quiet=as_json)
    facts["redriven"] = done
    facts["refused"] = facts.get("refused", []) + [_refusal_facts(line, why) for line, why in refused]
    if any(dead.values()):
        facts["moved"] = letters.move_back(found, quiet=as_json)
    if as_json:
        show_json(facts)
    else:
        _show_done(facts, refused, asked=bool(plan))
    return PERSON if left or refused else 0


def _overview(found: Found, *, as_json: bool) -> int:
    """Nothing was named: what there is to name."""
    lines, more = selecting.failed(found, Wanted(), quiet=as_json)
    groups = selecting.by_reason(lines)
    if as_json:
        reasons = {code: len(members) for code, members in groups.items()}
        show_json({"stack": found.name, "failed": len(lines), "at_least": more, "reasons": reasons})
        return BAD_INPUT
    if not lines:
        say(f"No job has failed in the last {selecting.DEFAULT_DAYS} days.")
    else:
        _show_reasons(found, groups)
    say("Say which to run again: --key KEY_OR_FOLDER/, --reason CODE, --since 2h, --until 1h, or --dead-letters.")
    return BAD_INPUT


def _plan(found: Found, wanted: Wanted, *, quiet: bool) -> Plan:
    lines, more = selecting.failed(found, wanted, quiet=quiet)
    world = found.world
    _ = world.aws.s3, world.aws.dynamodb  # made here: two threads would make two

    def refusal(line: Line) -> Problem | None:
        job = jobs.get(world, line.job_id)
        return redriving.refusal(world, job) if job else Problem("JOB_GONE", "its row is gone", "")

    with progress("checking", len(lines), quiet=quiet) as tick:
        reasons = list(each(refusal, lines, tick))
    good = [line for line, why in zip(lines, reasons, strict=True) if why is None]
    refused = tuple((line, why) for line, why in zip(lines, reasons, strict=True) if why is not None)
    cost = prices.cost(world, ((line.model, line.input) for line in good))
    return Plan(tuple(good), refused, cost, more)


def _carry_out(found: Found, lines: Sequence[Line], *, quiet: bool) -> tuple[int, list[tuple[Line, Problem]]]:
    done = 0
    refused = []
    with progress("running again", len(lines), quiet=quiet) as tick:
        for line in lines:  # one after the other: whoever interrupts knows that no more is begun
            made = redriving.redrive(found.world, line.job_id)
            if isinstance(made, Problem):
                refused.append((line, made))
            else:
                done += 1
            tick(1)
    return done, refused


def _plan_facts(plan: Plan) -> dict[str, Any]:
    return {
        "jobs": [
            {"job_id": line.job_id, "key": line.key, "model": line.model, "code": line.code} for line in plan.lines
        ],
        "at_least": plan.more,
        "reasons": {code: len(members) for code, members in selecting.by_reason(plan.lines).items()},
        "cost": plan.cost.as_dict(),
        "perhaps_paid": plan.perhaps_paid,
        "refused": [_refusal_facts(line, why) for line, why in plan.refused],
    }


def _refusal_facts(line: Line, why: Problem) -> dict[str, Any]:
    return {"job_id": line.job_id, "key": line.key, **why.as_dict()}


def _show_reasons(found: Found, groups: Mapping[str, Sequence[Line]]) -> None:
    rows = []
    for code, members in groups.items():
        cost = prices.cost(found.world, ((line.model, line.input) for line in members))
        paid = "perhaps" if prices.perhaps_paid(code) else ""
        usd = f"${cost.dollars}" + (f" + {cost.unpriced} unknown" if cost.unpriced else "")
        rows.append([code, len(members), usd, paid, members[-1].key])
    show_table(["reason", "jobs", "to run again", "paid already", "last of them"], rows, right=(1,))


def _show_plan(found: Found, plan: Plan | None, dead: Mapping[str, int]) -> None:
    if plan:
        if plan.lines:
            _show_reasons(found, selecting.by_reason(plan.lines))
        else:
            say("No failed job that can run again is meant by that.")
        if plan.more:
            say("There are more than one search reads: narrow it with --since and --until, or run it again afterwards.")
        _show_refused(plan.refused)
        if plan.lines:
            say(f"Cost: {plan.cost.sentence()}.")
            today = spending(found.world)
            if today.limit is not None:
                say(f"Of today's budget of ${today.limit}, ${today.spent} is spent; what exceeds it is held.")
        for sentence in _paid_sentences(plan):
            say(sentence)
    if dead:
        total = sum(dead.values())
        told = ", ".join(f"{count} in {name.removesuffix('Url')}" for name, count in dead.items())
        say(f"Dead letters: {told}." if total else "The dead-letter queues are empty.")
        if total:
            say("A message only names a job or a drop: what has run stays as it is, what never ran does, at its price.")


def _paid_sentences(plan: Plan) -> list[str]:
    paid = plan.perhaps_paid
    if not paid:
        return []
    told = ", ".join(f"{code} {count}" for code, count in paid.items())
    count = counted(sum(paid.values()), "of them was", "of them were")
    return [f"! {count} perhaps paid already ({told}): to run them again may pay twice. The provider's console tells."]


def _show_refused(refused: Sequence[tuple[Line, Problem]]) -> None:
    if not refused:
        return
    say(f"{counted(len(refused), 'job')} cannot run again:")
    for line, why in refused[:_SHOWN_REFUSALS]:
        say(f"  {line.key} ({line.label}): {why.message}; {why.action}")
    if len(refused) > _SHOWN_REFUSALS:
        say(f"  … and {len(refused) - _SHOWN_REFUSALS} more; --json tells all")


def _question(plan: Plan | None, dead: Mapping[str, int]) -> str:
    parts = []
    if plan and plan.lines:
        parts.append(f"run {counted(len(plan.lines), 'job')} again")
        if plan.perhaps_paid:
            parts[0] += f" ({sum(plan.perhaps_paid.values())} perhaps paid already)"
    if sum(dead.values()):
        parts.append(f"move {counted(sum(dead.values()), 'dead letter')} back")
    sentence = " and ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}?"


def _show_done(facts: Mapping[str, Any], refused: Sequence[tuple[Line, Problem]], *, asked: bool) -> None:
    if asked:
        say(f"{counted(facts['redriven'], 'job')} queued for another attempt; backdrop status tells how they fare.")
    if "moved" in facts:
        say(f"{counted(facts['moved'], 'message')} moved back.")
    _show_refused(refused)
