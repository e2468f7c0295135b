"""The fields of a spec as pydantic models: one for what every look has, one for each model's `input`.

Promises every field of the providers' pages with its type, default and limits, and nothing else; types are strict (true
is no number, "240" is no number). Limits which no page documents are marked so in the field's description. Refuses what
would be paid for and then be wrong, such as a JPEG without a background.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from backdrop.catalogue import closest
from backdrop.jobspec import DEFAULT_OUTPUT

PLACEHOLDERS = ("{folder}", "{name}", "{label}", "{ext}")
MAX_WHOLE = 2**53 - 1  # the largest whole number that every JSON reader keeps exactly

# What Backdrop puts into the request by itself, in any provider's words.
FILLED = frozenset(
    {
        "callback_url",
        "file_image",
        "file_input",
        "file_reference",
        "image_url",
        "input_image",
        "input_key",
        "key",
        "output_key",
        "zip_url",
    }
)


def wrong(code: str, reason: str, action: str, field: str = "") -> PydanticCustomError:
    """An error of our own for a validator to raise; `reason` reads on from the field's name."""
    return PydanticCustomError("wrong", "{reason}", {"code": code, "reason": reason, "action": action, "field": field})


# --- Colours ---------------------------------------------------------------------------------------------------------

_NAMED = {
    "black": "#000000",
    "blue": "#0000ff",
    "gray": "#808080",
    "green": "#008000",
    "grey": "#808080",
    "red": "#ff0000",
    "white": "#ffffff",
    "yellow": "#ffff00",
}


def _colour(text: str, *, pattern: str, allowed: str) -> str:
    if re.fullmatch(pattern, text):
        return "#" + text.lstrip("#").lower()
    digits = text.strip().lstrip("#").lower()
    if re.fullmatch("[0-9a-f]{3}", digits):
        digits = "".join(digit * 2 for digit in digits)
    meant = _NAMED.get(digits) or (f"#{digits[:6]}" if re.fullmatch("[0-9a-f]{6}(?:[0-9a-f]{2})?", digits) else "")
    action = f'Did you mean "{meant}"? Keep the quotes.' if meant else f"Write a colour {allowed}, in quotes."
    raise wrong("FIELD_COLOUR", f"must be a colour, {allowed}", action)


_PLAIN = "#[0-9A-Fa-f]{6}"
_ALPHA = "#[0-9A-Fa-f]{6}(?:[0-9A-Fa-f]{2})?"
_BARE = "#?[0-9A-Fa-f]{6}"

Colour = Annotated[
    str,
    AfterValidator(lambda text: _colour(text, pattern=_PLAIN, allowed='such as "#f0f0f0"')),
    WithJsonSchema({"type": "string", "pattern": f"^{_PLAIN}$"}),
]
ColourWithAlpha = Annotated[
    str,
    AfterValidator(lambda text: _colour(text, pattern=_ALPHA, allowed='such as "#f0f0f0" or "#f0f0f080"')),
    WithJsonSchema({"type": "string", "pattern": f"^{_ALPHA}$"}),
]
BareColour = Annotated[
    str,
    AfterValidator(lambda text: _colour(text, pattern=_BARE, allowed='such as "#f0f0f0" or "f0f0f0"')),
    WithJsonSchema({"type": "string", "pattern": f"^{_BARE}$"}),
]


# --- Texts -----------------------------------------------------------------------------------------------------------


def _some_text(text: str) -> str:
    if text.strip():
        return text
    raise wrong("FIELD_BLANK", "must not be blank", "Describe it in a few words.")


def _controls(text: str) -> bool:
    return any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in text)  # noqa: PLR2004 - C0, C1


def _reference(text: str) -> str:
    if "://" in text:
        action = (
            "Upload it to the input bucket, with a name that begins with _, and give its key relative to the photo."
        )
        raise wrong("REFERENCE_NAME", "must be a key, not a URL", action)
    parts = text.split("/")
    if _controls(text) or any(part in {"", "."} for part in parts) or parts[-1] == "..":
        action = "Write it relative to the photo: _marble.jpg lies beside it, ../_marble.jpg one folder up."
        raise wrong("REFERENCE_NAME", "must be the key of a picture, relative to the photo", action)
    return text


def _label(text: str) -> str:
    if re.fullmatch("[a-z0-9][a-z0-9_-]{0,63}", text):
        return text
    meant = re.sub("[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:64]
    action = f"Did you mean {meant}?" if meant else "Write a short word, such as cutout."
    raise wrong(
        "LABEL_CHARACTERS", "may hold a-z, 0-9, - and _ only, at most 64, and begins with a letter or digit", action
    )


def _template(text: str) -> str:
    for found in re.findall(r"\{[^{}]*\}?|\}", text):
        if found not in PLACEHOLDERS:
            meant = closest(found, list(PLACEHOLDERS))
            action = f"Did you mean {meant}?" if meant else f"The placeholders are {' '.join(PLACEHOLDERS)}."
            raise wrong("OUTPUT_PLACEHOLDER", f"holds {found[:60]}, which is no placeholder", action)
    if not text.endswith(".{ext}") or text.count("{ext}") != 1:
        action = f"Let it end in .{{ext}}, for example {DEFAULT_OUTPUT}."
        raise wrong("OUTPUT_EXTENSION", "must end in .{ext}, so that the extension fits the picture", action)
    if text.startswith("/") or "//" in text or ".." in text or text.rpartition("/")[2] == ".{ext}" or _controls(text):
        action = "Name a file of the output bucket, without / at its start, // and .. and control characters."
        raise wrong("OUTPUT_KEY", "is no key that can be written", action)
    return text


Prompt = Annotated[str, AfterValidator(_some_text)]
Reference = Annotated[str, AfterValidator(_reference), WithJsonSchema({"type": "string", "minLength": 1})]
Label = Annotated[
    str, AfterValidator(_label), WithJsonSchema({"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"})
]
Template = Annotated[
    str, AfterValidator(_template), WithJsonSchema({"type": "string", "pattern": r"^[^/].*\.\{ext\}$"})
]
Format = Literal["webp", "jpeg", "png"]
Fraction = Annotated[float, Field(ge=0, le=1)]
Shift = Annotated[float, Field(ge=-1, le=1)]
Channel = Annotated[int, Field(ge=0, le=255)]
_UNDOCUMENTED = "its limits are Backdrop's, the provider documents none"


class _Fields(BaseModel):
    # Built when first used: a spec names one model, most often, and a cold start waits for none of the others.
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


class Look(_Fields):
    """What every look has, whichever its model."""

    model: str = Field(description="Which model makes the picture.")
    input: dict[str, Any] = Field(default={}, description="The model's own fields.")
    output: Template = Field(default=DEFAULT_OUTPUT, description="The result's key in the output bucket.")
    metadata: dict[str, Any] = Field(default={}, description="Your own facts, kept in the record; 4 KB at most.")
    revision: int = Field(default=1, ge=1, le=MAX_WHOLE, description="Raise it to run the same image and spec again.")
    label: Label = Field(default="", description="Tells the looks of one photo apart; defaults from the model.")


class Input(_Fields):
    """The fields that one model takes."""

    model: ClassVar[str]


class BackgroundColor(Input):
    """runflow/background-color: a flat colour, shaded at the subject."""

    model = "runflow/background-color"
    color_red: Channel = Field(description="Red, 0 to 255.")
    color_green: Channel = Field(description="Green, 0 to 255.")
    color_blue: Channel = Field(description="Blue, 0 to 255.")


class BackgroundReplace(Input):
    """runflow/background-replace: a scene given by a reference picture."""

    model = "runflow/background-replace"
    reference: Reference = Field(description="The background's key in the input bucket, relative to the photo.")
    prompt: str = Field(default="", description="The scene in words; empty takes the provider's own text.")


class BriaRemove(Input):
    """bria/background/remove: cut out, on transparency."""

    model = "bria/background/remove"
    sync_mode: bool = Field(default=False, description="Take the picture as a data URI; the provider keeps no copy.")


class Variant(_Fields):
    """One picture of a cut-out."""

    format: Literal["png", "jpeg", "webp"] = Field(default="png", description="The file format.")
    max_resolution: int = Field(default=12_000_000, ge=1, le=12_000_000, description="The most pixels it may have.")
    quality: Literal["low", "medium", "high"] = Field(default="medium", description="How finely it is cut out.")
    background_color: ColourWithAlpha | None = Field(default=None, description="The background; none is transparent.")
    output_compression: int = Field(
        default=85, ge=1, le=100, description=f"Quality of JPEG and WebP, 1 to 100 ({_UNDOCUMENTED})."
    )
    autocrop: bool = Field(default=False, description="Crop to the subject.")

    @model_validator(mode="after")
    def _jpeg_is_opaque(self) -> "Variant":
        _refuse_transparent_jpeg(self.format, self.background_color, "background_color", "format")
        return self


class RemoveBg(Input):
    """backgroundcut/remove-bg: cut out, in any number of variants."""

    model = "backgroundcut/remove-bg"
    output_variants: list[Variant] = Field(
        min_length=1, max_length=100, description=f"The pictures to make of it, 1 to 100 ({_UNDOCUMENTED})."
    )


class BackgroundChange(Input):
    """imagepipeline/background-change: a scene drawn from words."""

    model = "imagepipeline/background-change"
    prompt: Prompt = Field(description="The new background.")
    use_segmentation: bool = Field(default=True, description="Isolate the subject first.")
    subject_description: Prompt | None = Field(default=None, description="The subject to keep, in words.")
    tone_correction: Fraction | None = Field(default=None, description="How far the tones are blended, 0 to 1.")
    has_text: bool | None = Field(default=None, description="Whether the photo holds text; unset, it is looked for.")
    seed: int = Field(default=-1, ge=-1, le=MAX_WHOLE, description="The same seed draws the same scene; -1 is random.")
    output_format: Format = Field(default="webp", description="The file format.")
    palette: Annotated[list[Colour], Field(min_length=1)] | None = Field(
        default=None, description="The scene's colours."
    )
    num_inference_steps: int = Field(default=8, ge=1, le=1000, description=f"Steps of drawing ({_UNDOCUMENTED}).")
    true_cfg_scale: float = Field(default=4.0, ge=0, le=100, description=f"How closely it follows ({_UNDOCUMENTED}).")
    faster_inference: bool = Field(default=True, description="Draw faster.")
    harmonize_strength: Fraction | None = Field(default=None, description="How far the subject is matched, 0 to 1.")


class BackgroundRemove(Input):
    """imagepipeline/background-remove: cut out, on transparency or a colour, with a shadow if wished."""

    model = "imagepipeline/background-remove"
    recolor: BareColour | None = Field(default=None, description="The background; without it, transparent.")
    drop_shadow: bool = Field(default=False, description="Lay a soft shadow; without recolor it lies in the alpha.")
    shadow_opacity: Fraction = Field(default=0.38, description="How dark the shadow is, 0 to 1.")
    shadow_blur: Fraction = Field(default=0.018, description="Its blur, as a fraction of the width.")
    shadow_dy: Shift = Field(default=0.022, description="How far down it lies, as a fraction of the height.")
    shadow_dx: Shift = Field(default=0.004, description="How far right it lies, as a fraction of the width.")
    output_format: Format = Field(default="webp", description="The file format.")

    @model_validator(mode="after")
    def _jpeg_is_opaque(self) -> "BackgroundRemove":
        _refuse_transparent_jpeg(self.output_format, self.recolor, "recolor", "output_format")
        return self


def _refuse_transparent_jpeg(format_asked: str, colour: str | None, colour_field: str, format_field: str) -> None:
    if format_asked != "jpeg":
        return
    if colour is None:
        action = f'Add {colour_field}, for example "#ffffff", or ask for png or webp.'
        raise wrong(
            "JPEG_NEEDS_COLOUR", "is jpeg, which cannot be transparent, and there is no colour", action, format_field
        )
    if len(colour) == len("#rrggbbaa") and not colour.endswith("ff"):
        action = f'Write "{colour[:7]}" without its alpha, or ask for png or webp.'
        raise wrong("JPEG_NEEDS_COLOUR", "is partly transparent, which jpeg cannot be", action, colour_field)


_ALL: tuple[type[Input], ...] = (
    BackgroundColor,
    BackgroundReplace,
    BriaRemove,
    RemoveBg,
    BackgroundChange,
    BackgroundRemove,
)
INPUTS: Mapping[str, type[Input]] = {input_class.model: input_class for input_class in _ALL}
