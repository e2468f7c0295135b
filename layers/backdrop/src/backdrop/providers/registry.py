"""Which class speaks to which provider. A new provider is its own file and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backdrop.providers.base import Provider


def make(
    name: str, *, base_url: str, key: str, callback_secrets: tuple[str, ...] = (), flat_input: str = "zip"
) -> Provider:
    """The client of a provider, named as in the model catalogue; makes no connection.

    `callback_secrets` and `flat_input` ("zip" or "image") are Runflow's.

    Raises:
        KeyError: no such provider.
    """
    # Imported when made: an invocation speaks to one provider.
    if name == "runflow":
        from backdrop.providers.runflow import Runflow  # noqa: PLC0415 - as above

        return Runflow(base_url=base_url, key=key, callback_secrets=callback_secrets, flat_input=flat_input)
    if name == "backgroundcut":
        from backdrop.providers.backgroundcut import BackgroundCut  # noqa: PLC0415 - as above

        return BackgroundCut(base_url=base_url, key=key)
    if name == "imagepipeline":
        from backdrop.providers.imagepipeline import ImagePipeline  # noqa: PLC0415 - as above

        return ImagePipeline(base_url=base_url, key=key)
    raise KeyError(name)
