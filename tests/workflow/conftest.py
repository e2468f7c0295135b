"""The workflow's bench as a fixture; what it can do stands in `bench`."""

from bench import _aws, _sandbox, bench

__all__ = ["_aws", "_sandbox", "bench"]
