"""Runflow's account, assets and batches."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from desk import NO_TLS, RUNFLOW, Desk, Ground, draw_photo, wait_for

from backdrop_cli.sandbox.accounts import Account
from backdrop_cli.sandbox.callbacks import sign
from backdrop_cli.sandbox.server import running

COLOR = "runflow/background-color"


def test_the_account_can_be_asked(desk: Desk) -> None:
    """Health needs no key; the key check and the balance say whose key it is and what is left."""
    assert desk.http.get("/v1/health").json() == desk.http.get("/v1/readiness").json() == {"status": "ok"}
    assert desk.http.get("/v1/auth/me", headers=RUNFLOW).json()["org_id"] == "org_sandbox"
    desk.ended(desk.create().json()["id"])
    for path in ("/v1/billing/balance", "/v1/credit-balances"):
        assert desk.http.get(path, headers=RUNFLOW).json()["balance"] == "9999.88"
    assert "/v1/runs/{run_id}" in desk.http.get("/v1/openapi.json").json()["paths"]


def test_accounts_limit_what_is_paid(web: Ground) -> None:
    """A poor account is refused with 402, a forbidden one with its 403, a foreign one sees no runs of others."""
    accounts = [
        Account("runflow", "rf_live_poor", "poor", balance=Decimal("0.13")),
        Account("runflow", "rf_live_new", "new", refuses="EMAIL_NOT_VERIFIED"),
        Account("runflow", "rf_live_rich", "rich"),
    ]
    with (
        running(image_origins=[web.origin], accounts=accounts) as sandbox,
        httpx.Client(base_url=sandbox.url, trust_env=False, verify=NO_TLS) as http,
    ):
        desk = Desk(sandbox, web, http)
        body = {"input": desk.color_input(), "callback_url": desk.hook}

        def post(key: str) -> httpx.Response:
            return http.post(f"/v1/models/{COLOR}/runs", headers={"authorization": f"Bearer {key}"}, json=body)

        first = post("rf_live_poor")
        assert first.status_code == 201
        assert "runflow-signature" not in web.wait()[0].headers
        broke = post("rf_live_poor")
        assert (broke.status_code, broke.json()["code"]) == (402, "INSUFFICIENT_CREDIT")
        assert post("rf_live_new").json()["code"] == "EMAIL_NOT_VERIFIED"
        foreign = http.get(f"/v1/runs/{first.json()['id']}", headers={"authorization": "Bearer rf_live_rich"})
        assert foreign.status_code == 404
        assert sandbox.ledger()["count"] == 1


def test_an_input_is_uploaded_in_three_steps(desk: Desk) -> None:
    """Announce, PUT without a key, confirm: then the asset can be read and used as an input."""
    data = draw_photo()
    announced = {"filename": "a.png", "mime_type": "image/png", "size_bytes": len(data)}
    reply = desk.http.post("/v1/asset-uploads", headers=RUNFLOW, json=announced)
    assert reply.status_code == 201
    asset, url = reply.json()["asset_id"], reply.json()["upload_url"]
    confirm = f"/v1/asset-uploads/{asset}/confirmations"
    assert desk.http.post(confirm, headers=RUNFLOW).status_code == 422
    assert desk.http.get(f"/v1/assets/{asset}", headers=RUNFLOW).status_code == 404
    assert desk.http.put(url, content=data[:-1], headers={"content-type": "image/png"}).status_code == 400
    assert desk.http.put(url, content=data, headers={"content-type": "image/jpeg"}).status_code == 400
    assert desk.http.put(url + "0", content=data, headers={"content-type": "image/png"}).status_code == 403
    assert desk.http.put(url, content=data, headers={"content-type": "image/png"}).status_code == 200
    confirmed = desk.http.post(confirm, headers=RUNFLOW, json={"folder_id": None})
    assert confirmed.status_code == 201
    assert desk.http.get(confirmed.json()["url"]).content == data
    assert desk.http.get(f"/v1/assets/{asset}", headers=RUNFLOW).json()["size_bytes"] == len(data)
    run = desk.create(given=desk.color_input(image_url=f"runflow://assets/{asset}")).json()
    assert desk.ended(run["id"])["status_code"] == "succeeded"


def test_an_upload_url_runs_out(desk: Desk) -> None:
    """After fifteen minutes the PUT is 403."""
    announced = {"filename": "a.png", "mime_type": "image/png", "size_bytes": 3}
    url = desk.http.post("/v1/asset-uploads", headers=RUNFLOW, json=announced).json()["upload_url"]
    desk.sandbox.advance(901)
    assert desk.http.put(url, content=b"abc", headers={"content-type": "image/png"}).status_code == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"size_bytes": 0},
        {"size_bytes": 52_428_801},
        {"filename": ""},
        {"filename": "a" * 501},
        {"mime_type": "text/html"},
    ],
)
def test_upload_limits(desk: Desk, changes: dict[str, Any]) -> None:
    """A size, name or type outside the page's limits is 422."""
    announced = {"filename": "a.png", "mime_type": "image/png", "size_bytes": 52_428_800, **changes}
    assert desk.http.post("/v1/asset-uploads", headers=RUNFLOW, json=announced).status_code == 422
    types = desk.http.get("/v1/assets/types", headers=RUNFLOW).json()
    assert "image/png" in {one["mime_type"] for one in types}


def test_a_batch_runs_all_its_items(desk: Desk) -> None:
    """201 with the items in order; each is a run of its own, and one callback tells the sums."""
    items = [{**desk.color_input(color_red=red), "client_ref": f"item-{red}"} for red in (1, 2)]
    items.append(desk.color_input(image_url=f"{desk.ground.origin}/text.txt"))
    body = {"input": items, "callback_url": desk.hook, "metadata": {"of": "batch"}}
    reply = desk.http.post(f"/v1/models/{COLOR}/batches", headers=RUNFLOW, json=body)
    made = reply.json()
    assert (reply.status_code, made["items_total"], made["output"]) == (201, 3, None)
    assert [one["client_ref"] for one in made["items"]] == ["item-1", "item-2", None]
    told = json.loads(desk.ground.wait()[0].body)
    assert (told["event"], told["batch_id"]) == ("batch.partial_succeeded", made["id"])
    assert {name: told["output"][name] for name in ("succeeded", "failed", "cancelled", "total")} == {
        "succeeded": 2,
        "failed": 1,
        "cancelled": 0,
        "total": 3,
    }
    path = f"/v1/batches/{made['id']}"
    ended = desk.http.get(path, headers=RUNFLOW).json()
    assert (ended["status_code"], ended["cost"]) == ("partial_succeeded", "0.24")
    assert len(desk.http.get(f"{path}/items", headers=RUNFLOW).json()) == 3
    assert desk.run(made["items"][0]["run_id"])["batch_id"] == made["id"]
    wait_for(
        lambda: {"all": desk.http.get(f"{path}/callback", headers=RUNFLOW).json()},
        lambda one: one["all"][0]["completed_at"] is not None,
    )
    assert desk.http.post(f"{path}/callback-redeliveries", headers=RUNFLOW).status_code == 201
    assert desk.sandbox.ledger()["count"] == 3


@pytest.mark.parametrize(("switches", "status"), [({}, "succeeded"), ({"run_fails": True}, "failed")])
def test_a_batch_of_one_kind_ends_so(desk: Desk, switches: dict[str, Any], status: str) -> None:
    """All succeeded or all failed is the batch's own status."""
    desk.sandbox.trouble(**switches)
    body = {"input": [desk.color_input()] * 2, "callback_url": desk.hook}
    desk.http.post(f"/v1/models/{COLOR}/batches", headers=RUNFLOW, json=body)
    assert json.loads(desk.ground.wait()[0].body)["event"] == f"batch.{status}"


def test_batches_are_refused_whole(desk: Desk) -> None:
    """A wrong item, too many, none, a model without templates or an unknown one: nothing is created."""
    path = f"/v1/models/{COLOR}/batches"
    good = desk.color_input()
    for items in ([good, {}], [good] * 101, []):
        assert desk.http.post(path, headers=RUNFLOW, json={"input": items}).status_code == 422
    plain = {"input": [{"image_url": desk.photo}]}
    assert desk.http.post("/v1/models/bria/background/remove/batches", headers=RUNFLOW, json=plain).status_code == 422
    assert desk.http.post("/v1/models/other/batches", headers=RUNFLOW, json=plain).status_code == 404
    assert desk.http.get("/v1/batches/none", headers=RUNFLOW).status_code == 404
    assert desk.sandbox.ledger()["count"] == 0


def test_an_organisation_can_hear_of_every_run(desk: Desk) -> None:
    """A subscription gets the events it asked for, signed with its own secret, until it is deleted."""
    path = "/v1/webhooks"
    asked = {"url": f"{desk.ground.origin}/all", "secret": "own", "events": ["run.failed"]}
    made = desk.http.post(path, headers=RUNFLOW, json=asked)
    one = f"{path}/{made.json()['id']}"
    assert made.status_code == 201
    assert [row["id"] for row in desk.http.get(path, headers=RUNFLOW).json()] == [made.json()["id"]]
    assert desk.http.get(one, headers=RUNFLOW).json() == made.json()
    desk.ended(desk.create().json()["id"])
    desk.sandbox.trouble(run_fails=True)
    failed = desk.create().json()["id"]
    (call,) = desk.ground.wait()
    assert (call.path, json.loads(call.body)["run_id"]) == ("/all", failed)
    assert call.headers["runflow-signature"] == sign("own", call.body)
    (delivery,) = desk.http.get(f"{one}/deliveries", headers=RUNFLOW).json()
    assert delivery["run_id"] == failed
    assert desk.http.delete(one, headers=RUNFLOW).status_code == 204
    assert desk.http.get(one, headers=RUNFLOW).status_code == 404
    for wrong in ({}, {"url": "http://example.test/"}, {**asked, "events": ["run.started"]}):
        assert desk.http.post(path, headers=RUNFLOW, json=wrong).status_code == 422
