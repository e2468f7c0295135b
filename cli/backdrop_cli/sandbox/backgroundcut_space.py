"""What every BackgroundCut route does: who calls, where the caller's files lie, what a body says, what work costs.

Promises the order of checks of backgroundcut.md section 9 (401, then 400, then 404, then 402, then the work) to a route
that calls `find_caller`, `read_object`, `check`, `allow`, `open_store`, `lookup` and `carry_out` in turn; that a file
lies only in the region that took it; that credits are taken only for work that succeeded. A call that breaks in the
work answers 500 and stands in the ledger without having been charged; one that is refused there answers 400 and does
not.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from backdrop_cli.sandbox.accounts import Account, require_backgroundcut
from backdrop_cli.sandbox.bodies import NotJson, parse_json
from backdrop_cli.sandbox.files import File
from backdrop_cli.sandbox.replies import BACKGROUNDCUT, Refusal, backgroundcut_error
from backdrop_cli.sandbox.state import Shown, State, current, keep
from backdrop_cli.sandbox.work import BadPhoto, Drawn

REGIONS = ("eu1", "us1")
FILE_SECONDS = 7200.0
LONGEST_KEY = 1024

Here = Annotated[State, Depends(current)]
type Store = dict[str, File]


def find_caller(request: Request, state: State) -> tuple[Account, Mapping[str, Any]]:
    """The account, and what an access token limits it to (empty for an API key). Raises 401 or 403."""
    header = request.headers.get("authorization", "")
    scheme, _, value = header.partition(" ")
    if scheme != "AccessToken":
        return require_backgroundcut(state.books, header), {}
    account, until, limits = state.tokens.get(value.strip(), (None, 0.0, {}))
    if account is None or state.now() >= until:
        raise backgroundcut_error(401, "The access token is invalid or has expired.")
    if request.url.path not in limits["endpoints"]:
        raise backgroundcut_error(403, "The access token does not allow this endpoint.")
    return account, limits


async def read_object(request: Request) -> dict[str, Any]:
    """The body, a JSON object. Raises 400."""
    try:
        body = parse_json(await request.body())
    except NotJson as error:
        raise backgroundcut_error(400, f"Malformed JSON: {error}.") from None
    if not isinstance(body, dict):
        raise backgroundcut_error(400, "Malformed JSON: expected an object.")
    return body


def check[M: BaseModel](model: type[M], value: Any) -> M:
    """`value` as `model`. Raises 400 with what is wrong first, as a sentence."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        text = first["msg"].removeprefix("Value error, ")
        raise backgroundcut_error(400, text if text.startswith("Invalid ") else f"{where}: {text}") from None


def allow(limits: Mapping[str, Any], *keys: str) -> None:
    """Hold keys against what `find_caller` said of the token. Raises 403."""
    if limits and not all(key.startswith(limits["path"]) for key in keys):
        raise backgroundcut_error(403, "The access token does not allow this path.")


def open_store(state: State, account: Account, kind: str, model: str) -> Store:
    """The caller's files where the request arrives; the `regional_404` switch sends it elsewhere."""
    home = state.region_of.get(account.org, REGIONS[0])
    moved = state.board.fires(state.board.trouble.regional_404, BACKGROUNDCUT, kind, model)
    region = home if moved is None else REGIONS[1 - REGIONS.index(home)]
    if moved is not None and moved.stays:
        state.region_of[account.org] = region
    return state.regions.setdefault((account.org, region), {})


def lookup(state: State, store: Store, key: str, what: str) -> File:
    """The file under a key; `what` names the field that gave it. Raises 404."""
    file = store.get(key)
    if file is None or state.files.get(file.id) is None:
        store.pop(key, None)
        raise backgroundcut_error(404, f"{what} not found.")
    return file


def put(state: State, store: Store, key: str, data: bytes, media_type: str) -> None:
    """Store a file for two hours in the place of what lay under its key."""
    file = state.files.put(
        data, provider=BACKGROUNDCUT, name=key, media_type=media_type, gone_at=state.now() + FILE_SECONDS
    )
    former = store.pop(key, None)
    if former is not None:
        state.files.drop(former.id)
    keep(store, key, file)


@dataclass(frozen=True, slots=True)
class Order:
    """Paid work: `body` as it was posted, `reference` the first output key, `fields` what `work.draw` takes."""

    model: str
    reference: str
    price: Decimal
    body: dict[str, Any]
    photo: bytes
    fields: Mapping[str, Any]


async def carry_out(state: State, account: Account, order: Order) -> Drawn:
    """Charge an order, do it and write it down. Raises 402, or what the work raises after giving the credits back."""
    if not state.books.take(account, order.price):
        raise backgroundcut_error(402, "Insufficient credits.")
    line: dict[str, Any] = {
        "at": state.now(),
        "provider": BACKGROUNDCUT,
        "model": order.model,
        "reference": order.reference,
        "run_id": f"bc_{secrets.token_hex(8)}",
        "body": order.body,
        "price": order.price,
    }
    shown = state.show(
        Shown(
            line["run_id"],
            BACKGROUNDCUT,
            order.model,
            order.reference,
            line["at"],
            "running",
            f"{order.price} credit{'' if order.price == 1 else 's'}",
        )
    )
    try:
        drawn = await _work(state, order, shown)
    except BaseException as error:
        state.books.give_back(account, order.price)
        shown.price = "not charged"
        if not isinstance(error, Refusal) or error.status >= 500:  # noqa: PLR2004 - a 400 was not accepted
            state.ledger.accept(**line)
        raise
    state.ledger.accept(**line)
    return drawn


async def _work(state: State, order: Order, shown: Shown) -> Drawn:
    fails = state.board.fires(state.board.trouble.run_fails, BACKGROUNDCUT, "submit", order.model)
    shown.status = "failed"
    if fails is not None:
        shown.note = fails.message
        raise backgroundcut_error(500 if fails.retryable else 400, fails.message)
    try:
        drawn = await state.draw(order.model, order.photo, order.fields)
    except BadPhoto as error:
        shown.note = error.reason
        raise unreadable(error) from None
    shown.status, shown.ms = "succeeded", round((state.now() - shown.began) * 1000)
    shown.before, shown.after = drawn.before, drawn.after
    return drawn


def unreadable(error: BadPhoto) -> Refusal:
    """The 400 of a photo that cannot be read."""
    return backgroundcut_error(400, f"The image cannot be read: {error.reason}.")
