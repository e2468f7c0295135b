"""What the template's alarms and dashboard watch: each metric with the dimensions that CloudWatch looks it up by."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from settled import of_type

from backdrop_cli.cloudformation import Resolver

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STACK = "shop"


@dataclass(frozen=True)
class Watched:
    """One metric that is watched; `where` says by whom. A resource stands in `dimensions` by its logical id."""

    where: str
    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


def watched(template: Mapping[str, Any]) -> Iterator[Watched]:
    """Every metric of every alarm and every row of the dashboard, for a stack named STACK."""
    pseudo = {"AWS::StackName": STACK, "AWS::Region": "eu-central-1"}
    resolver = Resolver(template, {}, pseudo, lambda name, _: name if name in template["Resources"] else None)
    for name, alarm in of_type(template["Resources"], "AWS::CloudWatch::Alarm").items():
        dimensions = resolver.value(alarm["Dimensions"], name)
        pairs = frozenset((one["Name"], one["Value"]) for one in dimensions)
        yield Watched(name, alarm["Namespace"], alarm["MetricName"], pairs)
    for name, dashboard in of_type(template["Resources"], "AWS::CloudWatch::Dashboard").items():
        body = json.loads(resolver.value(dashboard["DashboardBody"], name))
        for widget in body["widgets"]:
            title = f"{name}: {widget['properties']['title']}"
            for namespace, metric, *rest in _rows(widget["properties"]["metrics"]):
                yield Watched(title, namespace, metric, frozenset(zip(rest[::2], rest[1::2], strict=True)))


def _rows(rows: list[list[Any]]) -> Iterator[list[str]]:
    """The rows of a widget written out: `.` is what stands above, `...` all above but the last.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
    """
    above: list[str] = []
    for row in rows:
        given = [part for part in row if isinstance(part, str)]
        if given[0] == "...":
            given = [*above[: len(above) - len(given) + 1], *given[1:]]
        above = [above[place] if part == "." else part for place, part in enumerate(given)]
        yield above
