"""The serverless rules for cfn-lint as published, two of them mended where they misread this template.

ES6000 means to spare dead-letter queues (https://github.com/awslabs/serverless-rules/issues/79), but reads the target
of a redrive policy only where it is one long text, and knows no target of a schedule, a subscription or a function.
WS1004 knows a function's log group only by a name that holds the function's, not from its LoggingConfig. Neither is
skipped: a queue that is nobody's dead-letter queue, or a log group without retention, is a finding as before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cfn_lint_serverless import rules as published
from cfn_lint_serverless.rules.lambda_ import LambdaLogRetentionRule as PublishedLogRetention
from cfn_lint_serverless.rules.sqs import SqsNoRedrivePolicyRule as PublishedRedrivePolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEAD_LETTERS = {"deadLetterTargetArn", "DeadLetterConfig", "DeadLetterQueue", "OnFailure"}

# cfn-lint takes every rule that this module names.
globals().update({name: rule for name, rule in vars(published).items() if isinstance(rule, type)})


class SqsNoRedrivePolicyRule(PublishedRedrivePolicy):
    """Every queue has a redrive policy but those where dead letters end."""

    def match(self, cfn: Any) -> list[Any]:
        """The published rule's findings but for the targets of dead letters."""
        targets = set(_targets(cfn.template["Resources"], inside=False))
        return [found for found in super().match(cfn) if found.path[1] not in targets]


class LambdaLogRetentionRule(PublishedLogRetention):
    """Every function has a log group that ends."""

    def match(self, cfn: Any) -> list[Any]:
        """The published rule's findings but for functions whose LoggingConfig names such a group of the template."""
        groups = cfn.get_resources(["AWS::Logs::LogGroup"])
        ending = {name for name, group in groups.items() if group["Properties"].get("RetentionInDays")}
        resources = cfn.template["Resources"]

        def ends(name: str) -> bool:
            group = resources[name]["Properties"].get("LoggingConfig", {}).get("LogGroup", {})
            return isinstance(group, dict) and group.get("Ref") in ending

        return [found for found in super().match(cfn) if not ends(found.path[1])]


def _targets(node: Any, *, inside: bool) -> Iterator[str]:
    """Logical ids whose ARN stands below a property that says where dead letters go."""
    if isinstance(node, dict):
        if inside and "Fn::GetAtt" in node:
            yield node["Fn::GetAtt"][0]
        for name, member in node.items():
            yield from _targets(member, inside=inside or name in _DEAD_LETTERS)
    elif isinstance(node, list):
        for member in node:
            yield from _targets(member, inside=inside)


del PublishedLogRetention, PublishedRedrivePolicy
