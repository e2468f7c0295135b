"""`backdrop backfill`: photos that lay in the input bucket before the stack did are run.

Promises to touch only photos that have no job, no row and no result beside which a record lies (rows end after
RetentionDays, results stay), and to say how many and what they cost before anything is sent. It sends the same message
that a drop would; run again, it skips what has been done. Refuses photos without a spec and with one that does not
hold: each would only earn an error file. A result is known by the default place of its record, `<photo>.….json`.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backdrop import jobs, keys, work
from backdrop.errors import Rejected
from backdrop_cli.operator import prices
from backdrop_cli.operator.admission import spending
from backdrop_cli.operator.failures import BAD_INPUT, PERSON, Stopped
from backdrop_cli.operator.reach import Found
from backdrop_cli.operator.screen import agreed, counted, progress, say, show_json, show_table
from backdrop_cli.operator.sending import each, send_all
from backdrop_cli.operator.specs import Specs

MOST_LISTED = 1_000_000
_SHOWN = 10


@dataclass
class Plan:
    """What a backfill would do. `images` are those to send, with the spec of each."""

    listed: int = 0
    known: int = 0  # have a job, a row or a result
    images: list[tuple[str, str]] = field(default_factory=list)
    without: list[str] = field(default_factory=list)  # no spec
    refused: dict[str, tuple[str, int]] = field(default_factory=dict)  # spec (or photo) -> why, how many photos
    models: Counter[str] = field(default_factory=Counter)
    cost: prices.Cost | None = None
    more: bool = False  # the limit left some for another run


def backfill(found: Found, prefix: str, *, limit: int, yes: bool, dry_run: bool, as_json: bool) -> int:
    """Send what has not been run under the prefix; 3 when some photos have no spec that holds."""
    plan = _plan(found, prefix, limit=limit, quiet=as_json)
    facts = _facts(found, prefix, plan) | {"dry_run": dry_run, "sent": 0}
    person = bool(plan.without or plan.refused)
    if not as_json:
        _show(found, prefix, plan)
    if plan.images and not dry_run:
        question = f"Run {counted(len(plan.images), 'photo')}?"
        if not agreed(question, yes=yes, as_json=as_json):
            say("Nothing was sent.")
            return 0
        messages = [work.drop(found.world.settings.input_bucket, key) for key, _ in plan.images]
        with progress("sending", len(messages), quiet=as_json) as tick:
            send_all(found.world, messages, tick)
        facts["sent"] = len(messages)
        if not as_json:
            say(f"{counted(len(messages), 'photo')} on the way; backdrop status tells how they fare.")
    if as_json:
        show_json(facts)
    return PERSON if person else 0


def _plan(found: Found, prefix: str, *, limit: int, quiet: bool) -> Plan:
    plan = Plan()
    there = _list(found, prefix, quiet=quiet)
    images = [key for key in there if keys.classify(key) is keys.Kind.IMAGE]
    plan.listed = len(images)
    specs = Specs(found, there, prefix)
    dealt_with = _known(found, _records(found, prefix, quiet=quiet))
    chosen: list[str] = []
    with progress("looking for jobs", len(images), quiet=quiet) as tick:
        for key, known in zip(images, each(dealt_with, images, tick), strict=False):
            if known:
                plan.known += 1
                continue
            try:
                spec_key = specs.of(key)
                wanted = specs.jobs(spec_key) if spec_key else ()
            except Rejected as refusal:
                what = specs.of_or_photo(key)
                told = refusal.problems[0]
                _, count = plan.refused.get(what, ("", 0))
                where = f"{told.where}: " if told.where else ""
                plan.refused[what] = (f"{where}{told.message}; {told.action}", count + 1)
                continue
            if not spec_key:
                plan.without.append(key)
                continue
            if len(plan.images) >= limit:
                plan.more = True
                break
            plan.images.append((key, spec_key))
            chosen.append(spec_key)
            plan.models.update(job.model for job in wanted)
    plan.cost = prices.cost(found.world, ((job.model, job.input) for key in chosen for job in specs.jobs(key)))
    return plan


def _list(found: Found, prefix: str, *, quiet: bool) -> list[str]:
    pages = found.world.aws.s3.get_paginator("list_objects_v2").paginate(
        Bucket=found.world.settings.input_bucket, Prefix=prefix
    )
    there: list[str] = []
    with progress("listing", None, quiet=quiet) as tick:
        for page in pages:
            there += [entry["Key"] for entry in page.get("Contents", [])]
            tick(len(page.get("Contents", [])))
            if len(there) > MOST_LISTED:
                raise Stopped(f"more than {MOST_LISTED} objects lie under {prefix!r}: name one folder after the other")
    if not there:
        raise Stopped(
            f"nothing lies under {prefix!r} in {found.world.settings.input_bucket}{_meant(found, prefix)}", BAD_INPUT
        )
    return there


def _meant(found: Found, prefix: str) -> str:
    from backdrop.catalogue import closest  # noqa: PLC0415 - only for a mistake

    parent = prefix.rstrip("/").rpartition("/")[0]
    parent = f"{parent}/" if parent else ""
    reply = found.world.aws.s3.list_objects_v2(
        Bucket=found.world.settings.input_bucket, Prefix=parent, Delimiter="/", MaxKeys=1000
    )
    folders = [entry["Prefix"] for entry in reply.get("CommonPrefixes", [])]
    meant = closest(prefix, folders)
    return f"; did you mean {meant}?" if meant else ""


def _records(found: Found, prefix: str, *, quiet: bool) -> list[str]:
    """The keys of records in the output bucket, in order."""
    world = found.world
    pages = world.aws.s3.get_paginator("list_objects_v2").paginate(Bucket=world.settings.output_bucket, Prefix=prefix)
    there: list[str] = []
    with progress("listing results", None, quiet=quiet) as tick:
        for page in pages:
            names = [entry["Key"] for entry in page.get("Contents", [])]
            there += [name for name in names if name.endswith(".json") and not name.endswith(".error.json")]
            tick(len(names))
            if len(there) > MOST_LISTED:
                raise Stopped(f"more than {MOST_LISTED} results lie under {prefix!r}: name one folder after the other")
    return sorted(there)


def _known(found: Found, records: Sequence[str]) -> Callable[[str], bool]:
    """Whether a photo has a result, a job or a row, as a question for several threads."""
    world = found.world
    _ = world.aws.dynamodb  # made here: two threads would make two
    bucket = world.settings.input_bucket

    def known(key: str) -> bool:
        place = bisect_left(records, f"{key}.")
        has_result = place < len(records) and records[place].startswith(f"{key}.")
        return has_result or jobs.known(world, bucket, key)

    return known


def _facts(found: Found, prefix: str, plan: Plan) -> dict[str, Any]:
    return {
        "stack": found.name,
        "prefix": prefix,
        "images": plan.listed,
        "already_known": plan.known,
        "to_send": [{"key": key, "spec": spec_key} for key, spec_key in plan.images],
        "without_spec": plan.without,
        "refused": [{"spec": key, "why": why, "images": count} for key, (why, count) in plan.refused.items()],
        "models": dict(plan.models),
        "cost": plan.cost.as_dict() if plan.cost else None,
        "more": plan.more,
    }


def _show(found: Found, prefix: str, plan: Plan) -> None:
    say(f"{counted(plan.listed, 'photo')} under {prefix!r}, of which {plan.known} have been dealt with already.")
    _show_left_out(plan)
    if not plan.images:
        say("There is nothing to run.")
        return
    by_spec = Counter(spec_key for _, spec_key in plan.images)
    rows: list[Sequence[object]] = [[key, count] for key, count in by_spec.most_common(_SHOWN)]
    show_table(["spec", "photos"], rows, right=(1,))
    if len(by_spec) > _SHOWN:
        say(f"… and {len(by_spec) - _SHOWN} more specs")
    jobs_of = ", ".join(f"{model} {count}" for model, count in plan.models.items())
    say(f"{counted(len(plan.images), 'photo')} would run: {jobs_of}.")
    if plan.cost:
        say(f"Cost: {plan.cost.sentence()}.")
    limit = spending(found.world).limit
    if limit is not None:
        say(f"The daily budget is ${limit}: what exceeds it is held and goes on the next day (UTC).")
    if plan.more:
        say("There are more than --limit; run the same command again afterwards, it goes on where this one ends.")


def _show_left_out(plan: Plan) -> None:
    if plan.without:
        say(f"{counted(len(plan.without), 'photo')} left out for want of a spec, such as {plan.without[0]}.")
    for key, (why, count) in _first(plan.refused):
        say(f"{counted(count, 'photo')} left out, {key} is refused: {why}")


def _first(refused: Mapping[str, tuple[str, int]]) -> list[tuple[str, tuple[str, int]]]:
    return list(refused.items())[:_SHOWN]
