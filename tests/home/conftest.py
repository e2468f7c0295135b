"""The fixtures of a journey home; what they can do stands in `bench` and `journeys`."""

from journeys import journey, outdoors

__all__ = ["journey", "outdoors"]
