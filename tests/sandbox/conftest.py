"""The fixtures of the sandbox's tests: see `desk`."""

from desk import _sandbox, _web, desk, web

__all__ = ["_sandbox", "_web", "desk", "web"]
