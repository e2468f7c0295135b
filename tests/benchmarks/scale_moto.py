"""moto, quicker: two of its looks at things that never change, which cost a third of every reply.

Promises the same replies. The methods of a class are listed once, and the one member of a DynamoDB value is taken by
its name instead of being looked for under every name that it might have.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS = frozenset({"S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"})


@contextmanager
def quicker() -> Iterator[None]:
    """While inside."""
    from moto.core import responses, serialize, utils  # noqa: PLC0415 - a second of imports

    pick = serialize.AttributePicker.__call__

    def picked(self: Any, context: Any) -> Any:
        value = context.obj
        if context.key in _KINDS and type(value) is dict and len(value) == 1:
            ((kind, member),) = value.items()
            if kind in _KINDS:
                return member if kind == context.key else None
        return pick(self, context)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serialize.AttributePicker, "__call__", picked)
        patch.setattr(responses, "method_names_from_class", cache(utils.method_names_from_class))
        yield
