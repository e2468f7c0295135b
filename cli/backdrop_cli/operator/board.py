"""What `status` found, on one screen. Prints; decides nothing."""

from collections.abc import Mapping
from typing import Any

from backdrop.states import OPEN, TERMINAL, State
from backdrop_cli.operator.screen import counted, say, show_table, span


def show(facts: Mapping[str, Any]) -> None:
    """Print what `status.gather` found."""
    place = " ".join(filter(None, (facts["region"], facts["endpoint"])))
    say(f"{facts['stack']} ({place}) at {facts['at'][:19]}Z")
    say()
    _show_counts(facts)
    least = [
        word for word, cut in (("open", facts["open"]["at_least"]), ("finished", facts["finished"]["at_least"])) if cut
    ]
    if least:
        say(f"There are more {' and '.join(least)} jobs than were counted: read each figure as at least that many.")
    say(f"Finished: of the jobs that came since {facts['finished']['since']} (UTC).")
    say()
    if facts["oldest"]:
        oldest = facts["oldest"]
        age = span(oldest["age_seconds"])
        say(f"oldest open job  {oldest['key']} ({oldest['label']}), {oldest['state']} for {age} since its drop")
    if facts["open"]["drops_waiting"]:
        say(f"drops waiting    {facts['open']['drops_waiting']} for their photo, their spec or the pairing time")
    spent = facts["spending"]
    budget = f" of ${spent['budget_usd']}" if spent["budget_usd"] else ", no budget set"
    unpriced = (
        f", and {counted(spent['unpriced_attempts'], 'attempt')} of unknown price" if spent["unpriced_attempts"] else ""
    )
    say(f"spent today      ${spent['spent_usd']}{budget}{unpriced}")
    queues = facts["queues"]
    say(
        f"messages         {queues['drops']} drops, {queues['work']} work; dead letters: {queues['drop_dead_letters']} "
        f"drops, {queues['work_dead_letters']} work, {queues['sweep_dead_letters']} sweeps"
    )
    if facts["last_failures"]:
        say()
        say("Last failures:")
        for one in facts["last_failures"]:
            say(f"  {one['at'][:19]}Z  {one['key']} ({one['label']})  {one['code']}: {one['message']}")
    say()
    if not facts["attention"]:
        say("All is well.")
    for sentence in facts["attention"]:
        say(f"! {sentence}")


def _show_counts(facts: Mapping[str, Any]) -> None:
    """A row a state and a column a provider: it fits the narrowest screen."""
    providers = facts["providers"]
    rows: list[list[object]] = []
    for state in sorted(State, key=lambda state: state in TERMINAL):
        part = "open" if state in OPEN else "finished"
        counts = [told[part][state] for told in providers.values()]
        rows.append([state.lower(), *(count or "" for count in counts), facts[part]["states"][state]])
    rows.append(
        ["places taken", *(f"{told['places']['taken']} of {told['places']['of']}" for told in providers.values())]
    )
    breakers = [told["breaker"]["code"] if told["breaker"] else "" for told in providers.values()]
    pauses = [f"{told['not_before'][11:19]}Z" if told["not_before"] else "" for told in providers.values()]
    rows += [[title, *words] for title, words in (("breaker open", breakers), ("pause until", pauses)) if any(words)]
    show_table(["", *providers, "all"], rows, right=range(1, 2 + len(providers)))
