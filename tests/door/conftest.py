"""The door's fixtures; what they can do stands in `bench` and `doorway`."""

from doorway import door

__all__ = ["door"]
