"""The providers' fixtures; what they can do stands in `asking` and `wire`."""

from asking import _sandbox, line, photo, sandbox, shelf, wire

__all__ = ["_sandbox", "line", "photo", "sandbox", "shelf", "wire"]
