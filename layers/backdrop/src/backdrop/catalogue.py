"""The six models: who runs them, what they cost, which photos they take.

Promises one entry for each model that a spec may name, with figures from the providers' public pages; refuses to guess
a price that nobody publishes. A new model is one entry here, its input in `fields`, and its provider's file.
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple


class Model(NamedTuple):
    """One look that can be bought. Formats are "png", "jpeg", "webp", "gif"; a limit of None is not documented."""

    name: str
    provider: str
    label: str  # the default label of its jobs
    price_usd: Decimal | None
    price_note: str
    photo_formats: frozenset[str]
    max_photo_bytes: int | None = None


_USUAL = frozenset({"png", "jpeg", "webp"})
_NO_PRICE = "no price in dollars is published; the run's reply tells the balance that remains"
# docs.runflow.io/guides/upload-large-files: an asset has at most 52,428,800 bytes.
_RUNFLOW_BYTES = 52_428_800
# backgroundcut.co/api/docs/v1 and v2: more than 12 MB is answered 413; v3 names no figure.
_BACKGROUNDCUT_BYTES = 12_000_000

_MODELS = (
    Model(
        "runflow/background-color",
        "runflow",
        "background-color",
        Decimal("0.12"),
        "per request",
        _USUAL,
        _RUNFLOW_BYTES,
    ),
    Model(
        "runflow/background-replace",
        "runflow",
        "background-replace",
        Decimal("0.35"),
        "per request",
        _USUAL,
        _RUNFLOW_BYTES,
    ),
    Model("bria/background/remove", "runflow", "remove", Decimal("0.018"), "per request", _USUAL, _RUNFLOW_BYTES),
    Model(
        "backgroundcut/remove-bg",
        "backgroundcut",
        "remove-bg",
        None,
        "no price in dollars is published; in credits: 0.5 (below 1 megapixel) to 1.1 (12 megapixels) a removal, "
        "0.25 for each further variant, 0.5 for autocrop",
        _USUAL,
        _BACKGROUNDCUT_BYTES,
    ),
    Model(
        "imagepipeline/background-change",
        "imagepipeline",
        "background-change",
        None,
        _NO_PRICE,
        _USUAL | {"gif"},
    ),
    Model(
        "imagepipeline/background-remove",
        "imagepipeline",
        "background-remove",
        None,
        _NO_PRICE,
        _USUAL | {"gif"},
    ),
)

MODELS: Mapping[str, Model] = MappingProxyType({model.name: model for model in _MODELS})


def price(
    model: str,
    input: Mapping[str, Any],  # noqa: A002 - the spec's own word
    agreed: tuple[str, ...] = (),
) -> Decimal | None:
    """What one attempt costs in US dollars, or None when the provider publishes no such price.

    `agreed` are an operator's own prices, each "<model>=<dollars>"; they go before the published ones.
    No provider's dollar price depends on the input today; the input is taken so that callers need not change.

    Raises:
        KeyError: `model` is not in the catalogue.
    """
    del input
    own = dict(entry.split("=", 1) for entry in agreed)
    return Decimal(own[model]) if model in own else MODELS[model].price_usd


def closest(word: str, choices: Mapping[str, Any] | list[str]) -> str:
    """The choice that `word` was probably meant to be, in any case, with `-` for `_`; empty when none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a misspelt word needs it

    plain = {_plain(choice): choice for choice in choices}
    found = get_close_matches(_plain(word[:100]), list(plain), n=1, cutoff=0.6)
    return plain[found[0]] if found else ""


def closest_model(word: str) -> str:
    """The model that `word` was probably meant to be: near the whole name or its last part; empty when none is."""
    tails = {_plain(name.rsplit("/", 1)[-1]): name for name in MODELS}
    tail = _plain(word[:100].rsplit("/", 1)[-1])
    return closest(word, MODELS) or tails.get(tail, "") or tails.get(closest(tail, tails), "")


def _plain(word: str) -> str:
    return word.casefold().replace("_", "-").strip()
