"""Names that are derived from others: what a key is, what is called after it, and that different things differ."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backdrop import keys
from backdrop.errors import Rejected
from backdrop.keys import Kind, classify

# How long one example takes depends on who else uses the machine.
PATIENT = settings(deadline=None)
# What S3 takes as a key: any characters but surrogates.
CHARACTERS = st.characters(exclude_categories=["Cs"])
KEYS = st.text(CHARACTERS, min_size=1, max_size=60)
NORMALISED = {"model": "m", "label": "l", "input": {"a": 1, "b": [1.5, None, True, "é"]}}


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        *((f"shoes/red{extension}", Kind.IMAGE) for extension in (".png", ".jpg", ".jpeg", ".webp", ".gif")),
        *((f"red{extension}", Kind.IMAGE) for extension in (".heic", ".heif", ".avif", ".tif", ".tiff", ".bmp")),
        ("red.psd", Kind.IMAGE),
        ("red.svg", Kind.IMAGE),
        ("Red.JPG", Kind.IMAGE),
        ("a b+c%/ü.JpEg", Kind.IMAGE),
        ("a.front.png", Kind.IMAGE),
        (".jpg", Kind.IMAGE),
        ("/red.jpg", Kind.IMAGE),
        ("a_/b_c.png", Kind.IMAGE),
        ("red.jpg.yaml", Kind.SIDECAR),
        ("shoes/red.jpg.yml", Kind.SIDECAR),
        ("shoes/RED.JPG.JSON", Kind.SIDECAR),
        ("red.heic.Yaml", Kind.SIDECAR),
        ("_backdrop.yaml", Kind.DEFAULT),
        ("shoes/_backdrop.yml", Kind.DEFAULT),
        ("shoes/left/_backdrop.JSON", Kind.DEFAULT),
        ("_Backdrop.yaml", Kind.SUPPORT),
        ("_backdrop.txt", Kind.SUPPORT),
        ("_backdrop", Kind.SUPPORT),
        ("_backdrop.jpg.yaml", Kind.SUPPORT),
        ("_marble.jpg", Kind.SUPPORT),
        ("shoes/_marble.jpg.yaml", Kind.SUPPORT),
        ("_refs/red.jpg", Kind.SUPPORT),
        ("a/_refs/b/red.jpg", Kind.SUPPORT),
        ("_refs/_backdrop.yaml", Kind.SUPPORT),
        ("shoes/", Kind.SUPPORT),
        ("red.jpg/", Kind.SUPPORT),
        ("", Kind.SUPPORT),
        ("red.yaml", Kind.OTHER),
        ("red.json", Kind.OTHER),
        ("red", Kind.OTHER),
        ("jpg", Kind.OTHER),
        ("yaml", Kind.OTHER),
        ("red.jpg.error.json", Kind.OTHER),
        ("red.jpg.yaml.yaml", Kind.OTHER),
        ("red.jpg.txt", Kind.OTHER),
        ("red.mp4", Kind.OTHER),
        ("red.jpg ", Kind.OTHER),
        ("red.jpg.", Kind.OTHER),
        ("backdrop.yaml", Kind.OTHER),
        ("jpg/red", Kind.OTHER),
        ("red.jpg/yaml", Kind.OTHER),
    ],
)
def test_a_key_is_known_by_its_name(key: str, kind: Kind) -> None:
    """Extensions count in any case; a name or folder that begins with _ is never a job."""
    assert classify(key) is kind


@PATIENT
@given(KEYS)
def test_every_key_is_something(key: str) -> None:
    """No key is without a kind, and a sidecar always has an image."""
    kind = classify(key)

    assert kind in Kind
    if kind is Kind.SIDECAR:
        assert classify(keys.image_of(key)) is Kind.IMAGE
    if kind is Kind.IMAGE:
        assert classify(key + ".yaml") is Kind.SIDECAR


@pytest.mark.parametrize(
    ("sidecar", "image"),
    [("red.jpg.yaml", "red.jpg"), ("a.b/Red 1.JPG.JSON", "a.b/Red 1.JPG"), ("a.jpg.png.yml", "a.jpg.png")],
)
def test_the_image_of_a_sidecar_is_its_name_without_the_last_extension(sidecar: str, image: str) -> None:
    """In the image's own spelling."""
    assert keys.image_of(sidecar) == image


@pytest.mark.parametrize("key", ["red.jpg", "red.yaml", "_backdrop.yaml", "_red.jpg.yaml"])
def test_what_is_no_sidecar_has_no_image(key: str) -> None:
    """Asking for it is a mistake of the caller."""
    with pytest.raises(ValueError, match="not the key of a sidecar"):
        keys.image_of(key)


@pytest.mark.parametrize(
    ("key", "folders"),
    [
        ("red.jpg", [""]),
        ("shoes/red.jpg", ["shoes", ""]),
        ("a/b c/d/red.jpg", ["a/b c/d", "a/b c", "a", ""]),
        ("/red.jpg", [""]),
        ("a//red.jpg", ["a/", "a", ""]),
    ],
)
def test_the_folders_of_a_key_are_told_nearest_first(key: str, folders: list[str]) -> None:
    """The root of the bucket comes last and once."""
    assert keys.folders_up(key) == folders


@pytest.mark.parametrize(
    ("image", "reference", "key"),
    [
        ("red.jpg", "_marble.jpg", "_marble.jpg"),
        ("shoes/red.jpg", "_marble.jpg", "shoes/_marble.jpg"),
        ("shoes/red.jpg", "_refs/a b.png", "shoes/_refs/a b.png"),
        ("shoes/red.jpg", "-/!.png", "shoes/-/!.png"),
        ("shoes/left/red.jpg", "../_marble.jpg", "shoes/_marble.jpg"),
        ("shoes/left/red.jpg", "../../_refs/marble.jpg", "_refs/marble.jpg"),
        ("shoes/left/red.jpg", "a/../_marble.jpg", "shoes/left/_marble.jpg"),
        ("/red.jpg", "_marble.jpg", "/_marble.jpg"),
    ],
)
def test_a_reference_is_relative_to_the_photo(image: str, reference: str, key: str) -> None:
    """As a path is; `..` goes one folder up."""
    assert keys.reference_key(image, reference) == key


@pytest.mark.parametrize(
    ("image", "reference"), [("red.jpg", "../x.jpg"), ("a/red.jpg", "../../x.jpg"), ("a/red.jpg", "b/../../../x.jpg")]
)
def test_a_reference_does_not_leave_the_bucket(image: str, reference: str) -> None:
    """There is nothing above the root."""
    with pytest.raises(Rejected) as caught:
        keys.reference_key(image, reference)

    (problem,) = caught.value.problems
    assert problem.code == "REFERENCE_OUTSIDE"
    assert problem.message == f"the reference {reference!r} leads out of the bucket"
    assert problem.where == "input.reference"
    assert "relative to the photo" in problem.action


@pytest.mark.parametrize(
    ("template", "image", "number", "key"),
    [
        ("{folder}/{name}.{label}.{ext}", "shoes/red.jpg", None, "shoes/red.jpg.cut.png"),
        ("{folder}/{name}.{label}.{ext}", "a/b/red.jpg", None, "a/b/red.jpg.cut.png"),
        ("{folder}/{name}.{label}.{ext}", "red.jpg", None, "red.jpg.cut.png"),
        ("{folder}/{name}.{label}.{ext}", "/red.jpg", None, "/red.jpg.cut.png"),
        ("{folder}/{name}.{label}.{ext}", "shoes/red.jpg", 1, "shoes/red.jpg.cut.1.png"),
        ("{folder}/{name}.{label}.{ext}", "red.jpg", 12, "red.jpg.cut.12.png"),
        ("done/{folder}/{name}.{ext}", "shoes/red.jpg", None, "done/shoes/red.jpg.png"),
        ("done/{folder}/{name}.{ext}", "red.jpg", None, "done/red.jpg.png"),
        ("{folder}/{label}/{folder}/x.{ext}", "red.jpg", None, "cut/x.png"),
        ("done-{folder}/{name}.{ext}", "red.jpg", None, "done-/red.jpg.png"),
        ("{folder}-{name}.{ext}", "red.jpg", None, "-red.jpg.png"),
        ("{label}.{ext}", "shoes/red.jpg", 2, "cut.2.png"),
        ("{folder}/{name}.{ext}", "{ext}/{label}.jpg", None, "{ext}/{label}.jpg.png"),
        ("{stem}/{name}.{ext}", "red.jpg", None, "{stem}/red.jpg.png"),
    ],
)
def test_an_output_is_called_as_its_template_says(template: str, image: str, number: int | None, key: str) -> None:
    """{name} keeps its extension, no folder leaves no slash, and what a placeholder brings in is not filled again."""
    assert keys.output_key(template, image, "cut", "png", number) == key


@PATIENT
@given(KEYS, KEYS)
def test_outputs_of_different_photos_differ(one: str, other: str) -> None:
    """The default template keeps folder and full name, so no two photos share a result."""
    template = "{folder}/{name}.{label}.{ext}"
    found = [keys.output_key(template, key, "cut", "png") for key in (one, other)]

    assert (found[0] == found[1]) == (one == other)
    assert found[0] == f"{one}.cut.png"


def test_every_format_has_its_extension() -> None:
    """The usual one: jpg for jpeg."""
    assert keys.EXTENSIONS == {"png": "png", "jpeg": "jpg", "webp": "webp", "gif": "gif"}


def test_a_record_lies_beside_its_result() -> None:
    """The result's key plus .json."""
    assert keys.record_key("shoes/red.jpg.cut.png") == "shoes/red.jpg.cut.png.json"


def test_an_error_file_is_called_after_the_photo() -> None:
    """The photo's key plus .error.json, as long as S3 takes that."""
    assert keys.error_key("shoes/red.jpg") == "shoes/red.jpg.error.json"
    longest = "x" * (1024 - len(".error.json"))
    assert keys.error_key(longest) == longest + ".error.json"


@pytest.mark.parametrize("image", ["x" * 1014, "é" * 507, "a" + "é" * 511, "x" * 1024, "🙂" * 256])
def test_the_error_file_of_a_long_key_can_be_written(image: str) -> None:
    """It is cut at a whole character, fits exactly, and a digest keeps it apart from others."""
    key = keys.error_key(image)

    digest = hashlib.sha256(json.dumps(image).encode()).hexdigest()[:32]
    assert key.endswith(f".{digest}.error.json")
    assert image.startswith(key.removesuffix(f".{digest}.error.json"))
    assert 1024 - 4 < len(key.encode()) <= 1024
    assert keys.error_key(image[:-1] + "y") != key


@PATIENT
@given(KEYS)
def test_an_error_file_is_never_a_result(image: str) -> None:
    """Results end in the extension of a picture, records in that and .json."""
    assert keys.error_key(image).endswith(".error.json")
    assert classify(keys.error_key("red.jpg")) is Kind.OTHER


def test_the_job_id_is_the_same_for_ever() -> None:
    """An id that changes with a release would pay for every job a second time."""
    expected = hashlib.sha256(
        b'["in","shoes/\\u00fc.jpg","abc",{"a":[1,2.5,null],"b":"x"},"def"]'
    ).hexdigest()  # fmt: skip

    found = keys.job_id("in", "shoes/ü.jpg", "abc", {"b": "x", "a": [1, 2.5, None]}, "def")

    assert found == expected[:32]
    assert len(found) == 32


def test_quotes_of_an_etag_do_not_count() -> None:
    """S3's events name an ETag without them, its API with them."""
    bare = keys.job_id("b", "k", "abc", NORMALISED, "def")

    assert keys.job_id("b", "k", '"abc"', NORMALISED, '"def"') == bare


def test_the_order_of_fields_does_not_count() -> None:
    """Two spellings of one spec are one job."""
    turned = dict(reversed(NORMALISED.items()))

    assert keys.job_id("b", "k", "e", turned, "") == keys.job_id("b", "k", "e", NORMALISED, "")


def test_everything_a_job_depends_on_is_in_its_id() -> None:
    """A change of bucket, key, bytes, spec or reference is another job; nothing flows from one part into the next."""
    parts: list[tuple[str, str, str, dict[str, Any], str]] = [
        ("b", "k", "e", {"x": 1}, "r"),
        ("B", "k", "e", {"x": 1}, "r"),
        ("b", "K", "e", {"x": 1}, "r"),
        ("b", "k", "E", {"x": 1}, "r"),
        ("b", "k", "e", {"x": 2}, "r"),
        ("b", "k", "e", {"x": "1"}, "r"),
        ("b", "k", "e", {"x": True}, "r"),
        ("b", "k", "e", {"x": 1.0}, "r"),
        ("b", "k", "e", {"x": 1}, ""),
        ("b", "ke", "", {"x": 1}, "r"),
        ("bk", "", "e", {"x": 1}, "r"),
        ("b", 'k","e', "", {"x": 1}, "r"),
        ("", "bk", "e", {"x": 1}, "r"),
    ]

    assert len({keys.job_id(*each) for each in parts}) == len(parts)


@PATIENT
@given(KEYS, KEYS, KEYS)
@example("é", "e\u0301", "\x00")
def test_ids_are_safe_names(bucket: str, key: str, etag: str) -> None:
    """32 lower-case hex digits whatever the key; two keys never share a row."""
    found = keys.job_id(bucket, key, etag, NORMALISED, "")

    assert len(found) == 32
    assert set(found) <= set("0123456789abcdef")
    assert (keys.drop_row_id(bucket, key) == keys.drop_row_id(bucket, etag)) == (key == etag)


def test_a_number_that_json_does_not_know_has_no_id() -> None:
    """It would have one, and another elsewhere."""
    with pytest.raises(ValueError, match="JSON"):
        keys.job_id("b", "k", "e", {"x": float("nan")}, "")


def test_a_drop_that_is_no_job_has_a_row_of_its_own() -> None:
    """Its name is fixed in length and cannot be a job's."""
    digest = hashlib.sha256(b'["in","shoes/red.jpg"]').hexdigest()[:32]

    assert keys.drop_row_id("in", "shoes/red.jpg") == f"drop#{digest}"
    assert keys.drop_row_id("in/shoes", "red.jpg") != keys.drop_row_id("in", "shoes/red.jpg")


def test_jobs_spread_over_all_shards() -> None:
    """Every shard gets about its share, and a job always the same."""
    found = [keys.due_shard(hashlib.sha256(str(number).encode()).hexdigest()[:32]) for number in range(800)]

    assert set(found) == set(range(keys.DUE_SHARDS))
    assert all(60 < found.count(shard) < 140 for shard in range(8))
    assert keys.due_shard("0000000f" + "f" * 24) == 7
    assert keys.due_shard("00000010" + "f" * 24) == 0
    assert keys.due_shard("abcdef12" + "0" * 24) == 2


def test_an_attempt_is_called_after_its_job() -> None:
    """The same text for every repost of one attempt."""
    assert keys.attempt_reference("ab" * 16, 3) == "ab" * 16 + "-3"


DEFAULTS = "The default of a folder is called _backdrop.yaml; a name that begins with _ is left alone."
SPECS = "a spec is named like its photo plus .yaml, .yml or .json. A name that begins with _ is left alone."


@pytest.mark.parametrize(
    ("key", "message", "action"),
    [
        (
            "shoes/red.yaml",
            "by its name, red.yaml is a spec without a photo",
            f"Name a spec like its photo, with the photo's extension: red.jpg.yaml for red.jpg. {DEFAULTS}",
        ),
        (
            "apple.json",
            "by its name, apple.json is a spec without a photo",
            f"Name a spec like its photo, with the photo's extension: apple.jpg.json for apple.jpg. {DEFAULTS}",
        ),
        (
            "shoes/backdrop.yml",
            "by its name, backdrop.yml is a spec without a photo",
            "For the default of its folder, name it _backdrop.yml.",
        ),
        (
            "Backdrop .JSON",
            "by its name, Backdrop .JSON is a spec without a photo",
            "For the default of its folder, name it _backdrop.json.",
        ),
        (
            "shoes/red.jpg.txt",
            "by its name, red.jpg.txt is neither a photo nor a spec",
            "For the spec of red.jpg, name it red.jpg.yaml or red.jpg.json.",
        ),
        (
            "notes.txt",
            "by its name, notes.txt is neither a photo nor a spec",
            f"Photos end in .png, .jpg, .jpeg, .webp, .gif; {SPECS}",
        ),
    ],
)
def test_a_key_that_is_nothing_is_told_what_it_probably_was(key: str, message: str, action: str) -> None:
    """A misnamed spec is no silence but a reason."""
    problem = keys.probable_intent(key)

    assert (problem.code, problem.message, problem.action, problem.where) == ("NOT_A_DROP", message, action, "")


@PATIENT
@given(KEYS)
def test_every_key_has_an_answer(key: str) -> None:
    """Whatever the name."""
    assert keys.probable_intent(key).action
