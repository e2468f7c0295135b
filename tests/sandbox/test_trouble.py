"""The switches for trouble: what each does, to whom, and how often."""

import email.utils
import time
from typing import Any

import httpx
import pytest
from desk import RUNFLOW, Desk

from backdrop_cli.sandbox.trouble import Switchboard, Trouble


def test_everything_is_off_by_default(desk: Desk) -> None:
    """Without trouble nothing is said to be in force, and putting none ends what there was."""
    assert desk.sandbox.trouble()["fired"] == {}
    assert desk.sandbox.trouble(rate_limited=True)["fired"] == {"rate_limited": 0}
    assert desk.sandbox.trouble()["fired"] == {}
    switches = [value for value in dict(Trouble()).values() if isinstance(value, list)]
    assert len(switches) > 25
    assert not any(switches)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate_limitted": True},
        {"latency": {"ms": -1}},
        {"latency": {"chance": 1.5}},
        {"latency": {"times": 1, "chance": 0.5}},
        {"latency": {"provider": "other"}},
        {"server_error_before": {"status": 404}},
        {"queued_status_code": 204},
        {"run_fails": "yes"},
    ],
)
def test_a_misspelt_switch_is_refused(desk: Desk, wrong: dict[str, Any]) -> None:
    """An unknown name or a value out of range is 422, and what was in force stays."""
    desk.sandbox.trouble(callback_lost=True)
    with pytest.raises(ValueError, match="loc"):
        desk.sandbox.trouble(**wrong)
    assert desk.http.get("/_sandbox/trouble").json()["fired"] == {"callback_lost": 0}
    assert desk.http.put("/_sandbox/trouble", content=b"{").status_code == 400


@pytest.mark.parametrize(
    ("given", "pattern"),
    [
        (True, [True] * 5),
        (2, [True, True, False, False, False]),
        ({"times": 1, "skip": 2}, [False, False, True, False, False]),
        ([{"times": 1}, {"times": 1, "skip": 1}], [True, False, True, False, False]),
        (False, [False] * 5),
        (0, [False] * 5),
        (1.0, [True] * 5),
    ],
)
def test_the_ways_of_counting(given: Any, pattern: list[bool]) -> None:
    """Always, the next N, after a number of skips, several in turn, never."""
    board = Switchboard()
    board.put(Trouble.model_validate({"dropped_before": given}))
    happened = [board.fires(board.trouble.dropped_before, "runflow", "status") is not None for _ in range(5)]
    assert happened == pattern


def test_chance_is_the_same_for_the_same_seed() -> None:
    """A seeded probability gives the same trouble again, another seed another, in about the share asked for."""

    def happened(seed: int) -> list[bool]:
        board = Switchboard()
        board.put(Trouble.model_validate({"seed": seed, "dropped_before": 0.3}))
        return [board.fires(board.trouble.dropped_before, "runflow", "status") is not None for _ in range(400)]

    assert happened(1) == happened(1) != happened(2)
    assert 80 < sum(happened(1)) < 160


def test_a_switch_can_be_meant_for_one(desk: Desk) -> None:
    """Provider, route kind and model limit it."""
    desk.sandbox.trouble(
        unavailable={"provider": "runflow", "route": "status"}, run_fails={"model": "bria/background/remove"}
    )
    assert desk.http.get("/v1/runs", headers=RUNFLOW).status_code == 503
    assert desk.http.get("/v1/auth/me", headers=RUNFLOW).status_code == 200
    assert desk.post_job().status_code == 200
    run = desk.create(given={"image_url": desk.photo}, model="bria/background/remove").json()
    other = desk.create().json()
    desk.sandbox.trouble(run_fails={"model": "bria/background/remove"})
    assert desk.ended(run["id"])["status_code"] == "failed"
    assert desk.ended(other["id"])["status_code"] == "succeeded"


BEFORE: list[tuple[dict[str, Any], int, str]] = [
    ({"server_error_before": {"status": 502}}, 502, "INTERNAL_ERROR"),
    ({"rate_limited": True}, 429, "RATE_LIMITED"),
    ({"unavailable": True}, 503, "MODEL_UNAVAILABLE"),
    ({"refused_key": True}, 401, "UNAUTHORIZED"),
    ({"forbidden": {"code": "EMAIL_NOT_VERIFIED"}}, 403, "EMAIL_NOT_VERIFIED"),
    ({"no_credits": True}, 402, "INSUFFICIENT_CREDIT"),
]


@pytest.mark.parametrize(("switches", "status", "code"), BEFORE)
def test_trouble_before_acceptance(desk: Desk, switches: dict[str, Any], status: int, code: str) -> None:
    """Each answers in its provider's words and leaves no line in the ledger."""
    desk.sandbox.trouble(**switches)
    runflow, job, cut = desk.create(), desk.post_job(), desk.process()
    assert [one.status_code for one in (runflow, job, cut)] == [status] * 3
    assert runflow.json()["code"] == code
    assert set(runflow.json()) == {"code", "message", "errors"}
    assert set(job.json()) == {"error", "error_code", "message"}
    assert list(cut.json()) == ["detail"]
    assert "x-ratelimit-limit" in runflow.headers
    assert desk.sandbox.ledger()["count"] == 0
    assert [one["trouble"] for one in desk.sandbox.requests()] == [next(iter(switches))] * 3


def test_retry_after_has_its_forms(desk: Desk) -> None:
    """Seconds by default, an HTTP date or nothing when asked for; BackgroundCut documents none."""
    desk.sandbox.trouble(
        rate_limited=[{"times": 1, "retry_after": 7}, {"times": 1, "retry_after": 90, "http_date": True}]
    )
    assert desk.create().headers["retry-after"] == "7"
    date = email.utils.parsedate_to_datetime(desk.create().headers["retry-after"])
    assert 80 < date.timestamp() - time.time() < 100
    desk.sandbox.trouble(rate_limited={"retry_after": None})
    assert "retry-after" not in desk.create().headers
    desk.sandbox.trouble(rate_limited=True)
    assert desk.create().headers["retry-after"] == "1"
    assert "retry-after" not in desk.upload().headers
    desk.sandbox.trouble(rate_limited={"retry_after": 2})
    assert desk.upload().headers["retry-after"] == "2"


def test_trouble_after_acceptance_is_paid_for(desk: Desk) -> None:
    """The answer is a 500 or none at all, the run is in the ledger, goes on, and can be found."""
    desk.sandbox.trouble(server_error_after={"times": 1, "status": 504}, dropped_after={"times": 1, "skip": 1})
    assert desk.create(client_ref="a").status_code == 504
    with pytest.raises(httpx.RemoteProtocolError):
        desk.create(client_ref="b")
    assert desk.sandbox.ledger()["by_reference"] == {"a": 1, "b": 1}
    for reference in ("a", "b"):
        (row,) = desk.http.get("/v1/runs", headers=RUNFLOW, params={"q": reference, "fields": "client_ref"}).json()[
            "items"
        ]
        assert desk.ended(row["id"])["status_code"] == "succeeded"
    assert [one["status"] for one in desk.sandbox.requests()[:2]] == [504, 0]


def test_a_connection_dropped_before_acceptance_costs_nothing(desk: Desk) -> None:
    """No answer, no line in the ledger; the next request is served."""
    desk.sandbox.trouble(dropped_before=1)
    with pytest.raises(httpx.TransportError):
        desk.create()
    assert desk.sandbox.ledger()["count"] == 0
    assert desk.create().status_code == 201


def test_trouble_after_acceptance_spares_refusals(desk: Desk) -> None:
    """What was refused anyway is not spoilt: nothing was accepted."""
    desk.sandbox.trouble(server_error_after=True)
    assert desk.create(given={}).status_code == 422
    desk.upload()
    assert desk.process().status_code == 500
    assert desk.post_job().status_code == 500
    assert desk.sandbox.ledger()["by_provider"] == {"backgroundcut": 1, "imagepipeline": 1}


@pytest.mark.parametrize("after", [False, True])
def test_latency(desk: Desk, *, after: bool) -> None:
    """The answer takes at least its milliseconds, before or after the work."""
    desk.sandbox.trouble(latency={"ms": 250, "times": 1, "after": after})
    began = time.monotonic()
    assert desk.create().status_code == 201
    assert time.monotonic() - began >= 0.25


@pytest.mark.parametrize("status", [404, 405])
def test_the_runs_route_can_be_missing(desk: Desk, status: int) -> None:
    """The /runs route answers 404 or 405 and the flat form still works."""
    desk.sandbox.trouble(runs_route_missing={"status": status})
    assert desk.create().status_code == status
    flat = desk.http.post("/v1/run/runflow/background-color", headers=RUNFLOW, json=desk.color_input())
    assert flat.status_code == 200


def test_stuck_runs_never_end(desk: Desk) -> None:
    """The status stays at work, and no callback comes."""
    desk.sandbox.trouble(run_stuck=True)
    run = desk.create(callback_url=desk.hook).json()["id"]
    job = desk.post_job(callback_url=desk.hook).json()["job_id"]
    time.sleep(0.3)
    assert desk.run(run)["status_code"] == "running"
    assert desk.job(job)["status"] == "pending"
    assert not desk.ground.calls


def test_a_forged_webhook_claims_another_result(desk: Desk) -> None:
    """Where nothing is signed the forged event names a URL that serves no picture."""
    desk.sandbox.trouble(callback_forged={"provider": "imagepipeline"})
    job_id = desk.post_job(callback_url=desk.hook, recolor="#ffffff").json()["job_id"]
    told = desk.ground.wait()[0].body
    assert b"forged.png" in told
    genuine = desk.job_ended(job_id)["result_url"]
    assert genuine.encode() not in told
    assert desk.http.get("/results/forged.png").status_code == 404


@pytest.fixture
def picture(desk: Desk) -> str:
    """The URL of a finished picture."""
    url: str = desk.ended(desk.create().json()["id"])["output"]["image_urls"][0]
    return url


@pytest.mark.parametrize(
    ("switches", "status", "kind"),
    [
        ({"expired_result": True}, 403, "application/xml"),
        ({"expired_result": {"status": 410}}, 410, "application/xml"),
        ({"html_result": True}, 200, "text/html; charset=utf-8"),
    ],
)
def test_a_result_that_is_no_picture(
    desk: Desk, picture: str, switches: dict[str, Any], status: int, kind: str
) -> None:
    """Expired, gone, or a page in place of the image."""
    desk.sandbox.trouble(**switches)
    reply = desk.http.get(picture)
    assert (reply.status_code, reply.headers["content-type"]) == (status, kind)
    desk.sandbox.trouble()
    assert desk.http.get(picture).headers["content-type"] == "image/png"


def test_a_truncated_result_announces_more_than_it_sends(desk: Desk, picture: str) -> None:
    """The length is the whole picture's, the connection ends half way."""
    whole = desk.http.get(picture)
    desk.sandbox.trouble(truncated_result=1)
    with desk.http.stream("GET", picture) as reply:
        assert reply.headers["content-length"] == whole.headers["content-length"]
        with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|without sending complete"):
            reply.read()
    assert desk.http.get(picture).content == whole.content


def test_a_slow_result_is_whole(desk: Desk, picture: str) -> None:
    """The bytes trickle and are all there."""
    whole = desk.http.get(picture).content
    desk.sandbox.trouble(slow_result={"bytes_per_second": len(whole) * 3})
    began = time.monotonic()
    assert desk.http.get(picture).content == whole
    assert time.monotonic() - began > 0.2


def test_a_redirected_result_points_elsewhere(desk: Desk, picture: str) -> None:
    """302 to whatever the switch names."""
    desk.sandbox.trouble(redirected_result={"to": "http://10.0.0.1/x"})
    reply = desk.http.get(picture)
    assert (reply.status_code, reply.headers["location"]) == (302, "http://10.0.0.1/x")


def test_trouble_with_results_can_be_one_providers(desk: Desk, picture: str) -> None:
    """A switch for another provider's results leaves this one's alone."""
    desk.sandbox.trouble(html_result={"provider": "backgroundcut"})
    assert desk.http.get(picture).headers["content-type"] == "image/png"
    desk.upload()
    url = desk.public_url("in/photo.png").json()["url"]
    assert desk.http.get(url).headers["content-type"].startswith("text/html")
