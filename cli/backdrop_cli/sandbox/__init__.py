"""The provider sandbox: a twin of the three providers on one origin.

Promises every route, field, status, error body, limit, expiry, signature and retry of the providers' pages, real work
on real pixels, and switches for trouble that are all off by default. Refuses to listen anywhere but on loopback.
`server.running()` starts it inside a process, `python -m backdrop_cli.sandbox` as one of its own.
"""
