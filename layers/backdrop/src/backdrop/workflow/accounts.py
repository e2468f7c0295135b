"""The provider clients of this environment, with the keys from the secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backdrop import keyring
from backdrop.providers import registry
from backdrop.providers.base import Posted

if TYPE_CHECKING:
    from backdrop.jobs import Job
    from backdrop.providers.base import Provider
    from backdrop.world import World


def provider(world: World, name: str, *, refresh: bool = False) -> Provider:
    """The client of one provider. `refresh` after its keys let somebody down: the secret may have changed.

    Raises:
        Parked: the secret holds no key for it.
        Later: the secret could not be read just now.
    """
    secret = keyring.provider_keys(world, refresh=refresh)
    return registry.make(
        name,
        base_url=world.settings.base_url(name),
        key=secret.key_for(name),
        callback_secrets=secret.runflow_callback_secrets,
        flat_input=world.settings.flat_input,
    )


def posted(job: Job, attempt: int) -> Posted:
    """What is known of one attempt, for asking the provider about it."""
    from backdrop import keys  # noqa: PLC0415 - beside its one use

    return Posted(
        model=job.model,
        form=job.form,
        input=job.spec["input"],
        reference=keys.attempt_reference(job.job_id, attempt),
        run_id=job.run_of(attempt),
        posted_at=job.posted_at / 1000,
    )
