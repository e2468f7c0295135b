"""The least that brings a photo to a provider and its result home, with the client libraries that Backdrop uses.

`bare`: read the spec, post it, fetch the result, store it; no table. With `rules` the writes that the rules of
section 4 of the design require, each conditional and each named in WRITES. Neither checks the photo, the spec, the
callback or the result, neither keeps a record beside the result, and neither could go on after a crash.
"""

from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from backdrop_cli.stack import SANDBOX_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backdrop.world import World

WRITES: Mapping[str, str] = {
    "admit": "a place in the provider's item: no more jobs at a time than allowed",
    "charge": "the day's spend: every attempt is within the budget",
    "claim": "the row with the lease of the one paid POST, unless it is there: one drop is one job, and in `open`",
    "accept": "the run id, which a callback must name and the sweep asks about",
    "finish": "the lease under which the result is brought home",
    "leave": "the place, given back",
    "deliver": "SUCCEEDED, after the bytes; the row leaves `open`",
}
_SECONDS = 30.0


@dataclass(frozen=True)
class Way:
    """How a model is asked: the paid POST's path, and how its photo gets there."""

    provider: str
    path: str
    photo: str  # "url", "zip" or "upload"


WAYS: Mapping[str, Way] = {
    "runflow/background-color": Way("runflow", "/v1/models/runflow/background-color/runs", "url"),
    "runflow/background-replace": Way("runflow", "/v1/models/runflow/background-replace/runs", "zip"),
    "backgroundcut/remove-bg": Way("backgroundcut", "/v3/tools/ai/remove-bg/process/", "upload"),
    "imagepipeline/background-change": Way("imagepipeline", "/background/change/image/v1", "url"),
    "imagepipeline/background-remove": Way("imagepipeline", "/background/remove/image/v1", "url"),
    "bria/background/remove": Way("runflow", "/v1/models/bria/background/remove/runs", "url"),
}


@dataclass
class Floor:
    """One job of it: `begin`, then `finish`. `rules`: with the writes."""

    world: World
    base: str
    callback: str
    rules: bool
    job_id: str = ""
    provider: str = ""
    state: str = ""

    def begin(self, key: str) -> str:
        """Take a photo to its provider; the result's URL if the answer holds it, else empty: a callback will."""
        s3, bucket = self.world.aws.s3, self.world.settings.input_bucket
        spec = json.loads(s3.get_object(Bucket=bucket, Key=f"{key}.json")["Body"].read())
        way = WAYS[spec["model"]]
        self.job_id, self.provider, self.state = uuid.uuid4().hex, way.provider, "SUBMITTING"
        if self.rules:
            self._admit(way.provider)
            self._charge()
            self._claim(key, spec["model"])
        with httpx.Client(base_url=self.base, headers=_headers(way), verify=False, trust_env=False) as http:  # noqa: S501 - the loopback's plain http
            if way.photo == "upload":
                return self._at_once(http, way, key, spec)
            fields = {name: value for name, value in spec.get("input", {}).items() if name != "reference"}
            given = {**fields, **self._photo(way, key, spec)}
            body = {"input": given} if way.provider == "runflow" else given
            reply = http.post(way.path, json={**body, "callback_url": self.callback}, timeout=_SECONDS)
        told = reply.raise_for_status().json()
        if self.rules:
            self._move("SUBMITTING", "RUNNING", "open_at = :now, runs.a1 = :run", run={"S": _run(told)})  # accept
            self.state = "RUNNING"
        return ""

    def finish(self, key: str, url: str) -> str:
        """Bring the result home; its key."""
        if self.rules:
            self._move(self.state, "DELIVERING")  # finish
            self._leave(self.provider)
        with httpx.Client(verify=False, trust_env=False) as http:  # noqa: S501 - the loopback's plain http
            reply = http.get(url, timeout=_SECONDS).raise_for_status()
        name = f"floor/{key}"
        self.world.aws.s3.put_object(
            Bucket=self.world.settings.output_bucket,
            Key=name,
            Body=reply.content,
            ContentType=reply.headers["content-type"],
        )
        if self.rules:
            self._move("DELIVERING", "SUCCEEDED", "delivered_at = :now REMOVE open_at")  # deliver
        return name

    def _photo(self, way: Way, key: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        if way.photo == "zip":
            return self._zipped(key, spec["input"]["reference"])
        return {"image_url" if way.provider == "runflow" else "input_image": self._signed(self._bucket, key)}

    @property
    def _bucket(self) -> str:
        return self.world.settings.input_bucket

    def _signed(self, bucket: str, key: str) -> str:
        told: str = self.world.aws.s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
        return told

    def _read(self, key: str) -> bytes:
        return self.world.aws.s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()

    def _zipped(self, key: str, reference: str) -> dict[str, Any]:
        target, staging = io.BytesIO(), self.world.settings.staging_bucket
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as bundle:
            bundle.writestr("image.png", self._read(key))
            bundle.writestr("reference.png", self._read(f"{key.rpartition('/')[0]}/{reference}"))
        self.world.aws.s3.put_object(Bucket=staging, Key=f"{self.job_id}.zip", Body=target.getvalue())
        url = self._signed(staging, f"{self.job_id}.zip")
        return {"zip_url": url, "file_image": "image.png", "file_reference": "reference.png"}

    def _at_once(self, http: httpx.Client, way: Way, key: str, spec: Mapping[str, Any]) -> str:
        photo, name = self._read(key), f"floor/{self.job_id}.png"
        files = {"file": ("image.png", photo, "image/png")}
        http.post("/v3/file-ops/upload/", files=files, data={"key": name}, timeout=_SECONDS).raise_for_status()
        wanted = [{**one, "output_key": f"{name}.out"} for one in spec["input"]["output_variants"]]
        asked = {"input_key": name, "output_variants": wanted}
        http.post(way.path, json=asked, timeout=_SECONDS).raise_for_status()
        reply = http.post("/v3/file-ops/get-public-url/", json={"key": f"{name}.out"}, timeout=_SECONDS)
        return str(reply.raise_for_status().json()["url"])

    @property
    def _table(self) -> str:
        return self.world.settings.job_table

    def _claim(self, key: str, model: str) -> None:
        row = {"job_id": self.job_id, "state": self.state, "model": model, "key": key, "bucket": self._bucket}
        row |= {"source": f"{self._bucket}/{key}", "open": "due#floor", "lease": uuid.uuid4().hex}
        item: Any = {name: {"S": value} for name, value in row.items()} | {"open_at": _now(), "runs": {"M": {}}}
        self.world.aws.dynamodb.put_item(
            TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(job_id)"
        )

    def _update(
        self, key: str, expression: str, names: Mapping[str, str], *, condition: str = "", **bound: Any
    ) -> None:
        """One update; `bound` are the values of `:name` in expression and condition, as DynamoDB writes them."""
        asked: dict[str, Any] = {
            "TableName": self._table,
            "Key": {"job_id": {"S": key}},
            "UpdateExpression": expression,
            "ExpressionAttributeNames": dict(names),
            "ReturnValues": "ALL_NEW",
        }
        if condition:
            asked["ConditionExpression"] = condition
        if bound:
            asked["ExpressionAttributeValues"] = {f":{name}": value for name, value in bound.items()}
        self.world.aws.dynamodb.update_item(**asked)

    def _admit(self, provider: str) -> None:
        names, limit = {"#job": self.job_id}, {"N": "10"}
        self._update(
            gate(provider), "SET places.#job = :now", names, condition="size(places) < :limit", now=_now(), limit=limit
        )

    def _leave(self, provider: str) -> None:
        names = {"#job": self.job_id}
        self._update(gate(provider), "REMOVE places.#job", names, condition="attribute_exists(places.#job)")

    def _charge(self) -> None:
        self._update("floor#spend", "ADD spent :one, posts :one", {}, one={"N": "1"})

    def _move(self, state: str, to: str, more: str = "open_at = :now", **bound: Any) -> None:
        """One move of the row, with a lease of its own."""
        told = {"was": {"S": state}, "to": {"S": to}, "lease": {"S": uuid.uuid4().hex}, **bound}
        if ":now" in more:
            told["now"] = _now()
        expression = f"SET #state = :to, lease = :lease, {more}"
        self._update(self.job_id, expression, {"#state": "state"}, condition="#state = :was", **told)


def prepare(world: World) -> None:
    """Make the providers' items, which stand before any job comes."""
    for provider in {way.provider for way in WAYS.values()}:
        item: Any = {"job_id": {"S": gate(provider)}, "places": {"M": {}}}
        world.aws.dynamodb.put_item(TableName=world.settings.job_table, Item=item)


def gate(provider: str) -> str:
    """The key of a provider's item in the table: not the stack's own."""
    return f"floor#{provider}"


def result_url(body: bytes) -> str:
    """Where a callback says that the result lies."""
    told = json.loads(body)
    if "result_url" in told:
        return str(told["result_url"])
    output = told["output"]
    return str(output["image_urls"][0] if "image_urls" in output else output["outputs"][0]["url"])


def _run(told: Mapping[str, Any]) -> str:
    return str(told.get("id") or told.get("run_id") or told["job_id"])


def _now() -> dict[str, str]:
    return {"N": str(int(time.time() * 1000))}


def _headers(way: Way) -> dict[str, str]:
    key = SANDBOX_KEYS[f"{way.provider}_api_key"]
    return {
        "runflow": {"Authorization": f"Bearer {key}"},
        "backgroundcut": {"Authorization": f"Token {key}"},
        "imagepipeline": {"X-API-Key": key},
    }[way.provider]
