"""What the demo drops by itself: every way in, every model, every sample photo."""

from __future__ import annotations

from backdrop import keys, spec
from backdrop.catalogue import MODELS
from backdrop.pictures import describe
from backdrop_cli import photos
from backdrop_cli.samples import samples


def test_the_samples_show_everything() -> None:
    """All six models and seven photos, photo first and spec first, YAML and JSON, a default, two looks, a reference."""
    entries = samples()
    steps = [[step.key for step in entry.steps] for entry in entries]
    assert {model for entry in entries for _, model in entry.drop.wanted} == set(MODELS)
    assert {entry.drop.key.rpartition("/")[2] for entry in entries} == {one.filename for one in photos.SAMPLES}
    assert any(names[0] == entry.drop.key for names, entry in zip(steps, entries, strict=True))
    assert any(names[-1] == entry.drop.key for names, entry in zip(steps, entries, strict=True))
    flat = [key for names in steps for key in names]
    assert {key.rpartition(".")[2] for key in flat} >= {"yaml", "json"}
    assert {keys.classify(key) for key in flat} >= {keys.Kind.DEFAULT, keys.Kind.SIDECAR, keys.Kind.SUPPORT}
    assert any(len(entry.drop.wanted) == 2 for entry in entries)


def test_the_samples_are_what_they_say() -> None:
    """A sample's photo and spec can be read, and name the jobs that the demo waits for."""
    entry = samples()[1]
    (sidecar, photo) = entry.steps
    parsed = spec.parse(sidecar.data(), sidecar.key)
    assert tuple((job.label, job.model) for job in parsed.jobs) == entry.drop.wanted
    picture = describe(photo.data())
    assert picture.width * picture.height > 1_000_000
    assert entry.photo() == photo.data()
