"""The models: who runs them, what they cost, which photos they take, and what a misspelt name was meant to be."""

from __future__ import annotations

from decimal import Decimal

import pytest

from backdrop.catalogue import MODELS, closest, closest_model, price
from backdrop.fields import INPUTS

USUAL = {"png", "jpeg", "webp"}


@pytest.mark.parametrize(
    ("name", "provider", "label", "dollars", "formats", "most"),
    [
        ("runflow/background-color", "runflow", "background-color", "0.12", USUAL, 52_428_800),
        ("runflow/background-replace", "runflow", "background-replace", "0.35", USUAL, 52_428_800),
        ("bria/background/remove", "runflow", "remove", "0.018", USUAL, 52_428_800),
        ("backgroundcut/remove-bg", "backgroundcut", "remove-bg", None, USUAL, 12_000_000),
        ("imagepipeline/background-change", "imagepipeline", "background-change", None, {*USUAL, "gif"}, None),
        ("imagepipeline/background-remove", "imagepipeline", "background-remove", None, {*USUAL, "gif"}, None),
    ],
)
def test_each_model_is_as_its_provider_says(
    name: str, provider: str, label: str, dollars: str | None, formats: set[str], *, most: int | None
) -> None:
    """The figures are those of the providers' pages."""
    model = MODELS[name]

    assert (model.name, model.provider, model.label) == (name, provider, label)
    assert model.price_usd == (Decimal(dollars) if dollars else None)
    assert price(name, {}) == model.price_usd
    assert model.photo_formats == formats
    assert model.max_photo_bytes == most
    assert ("no price in dollars is published" in model.price_note) == (dollars is None)


def test_every_model_has_an_input_and_no_other_does() -> None:
    """What can be named can be filled in."""
    assert list(MODELS) == list(INPUTS)
    assert len(MODELS) == 6


def test_labels_tell_models_apart() -> None:
    """Jobs of different models from one drop need no labels of their own."""
    assert len({model.label for model in MODELS.values()}) == len(MODELS)


def test_a_model_that_is_not_there_has_no_price() -> None:
    """Rather than none that is known."""
    with pytest.raises(KeyError):
        price("runflow/headshots", {})


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("colour", "color"),
        ("COLOR", "color"),
        (" color ", "color"),
        ("out_put", "out-put"),
        ("zzz", ""),
        ("", ""),
        ("color" + "x" * 300, ""),
    ],
)
def test_the_closest_choice_is_found_or_none(word: str, meant: str) -> None:
    """Case, dashes and spaces are forgiven; what is like nothing is not."""
    assert closest(word, ["color", "out-put", "seed"]) == meant


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("background-change", "imagepipeline/background-change"),
        ("remove", "bria/background/remove"),
        ("x/y/z/remove-bg", "backgroundcut/remove-bg"),
        ("removebg", "backgroundcut/remove-bg"),
        ("openai/gpt-image", ""),
        ("", ""),
    ],
)
def test_the_closest_model_is_found_by_its_whole_name_or_its_last_part(word: str, meant: str) -> None:
    """People leave out whose model it is."""
    assert closest_model(word) == meant
