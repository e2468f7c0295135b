"""Nothing secret escapes: what was used on the wires is looked for in everything that was written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from bench import BRIA, CUT, VARIANTS, picture
from eavesdropping import KINDS

from backdrop import catalogue

if TYPE_CHECKING:
    from apart import Scene

SYNC: dict[str, Any] = {**BRIA, "input": {"sync_mode": True}}
COLOR: dict[str, Any] = {
    "model": "runflow/background-color",
    "input": {"color_red": 1, "color_green": 2, "color_blue": 3},
}
REPLACE: dict[str, Any] = {"model": "runflow/background-replace", "input": {"reference": "_scene.png"}}
CHANGE: dict[str, Any] = {"model": "imagepipeline/background-change", "input": {"prompt": "on slate"}}
MODELS = {"color": COLOR, "replace": REPLACE, "bria": BRIA, "variants": VARIANTS, "change": CHANGE, "cut": CUT}
BOTH = {"bria": BRIA, "cut": CUT}
BUSY = "QUEUED SUBMITTING RUNNING DELIVERING"


def drop(scene: Scene, family: str, specs: dict[str, dict[str, Any]], *, step: float = 60) -> None:
    """Drop a photo for each spec, wait for what becomes of them, and end whatever trouble there was.

    The clock goes on by `step` seconds at a time; with 0 nothing is polled, callbacks finish what can be.
    """
    for number, (name, spec) in enumerate(specs.items()):
        seed = sum(family.encode()) + number
        scene.drop(f"{family}/{name}.png", picture(seed=seed, size=(120, 90)), spec)
    scene.turn(200, until=BUSY, step=step)
    assert not set(scene.states()) & set(BUSY.split()), scene.states()
    scene.trouble()


def all_goes_well(scene: Scene) -> None:
    """All six models by callback, one in sync_mode and one by the flat form; all but one again by poll."""
    for family in ("callback", "poll"):
        scene.drop(f"{family}/_scene.png", picture(seed=9))
    drop(scene, "callback", {**MODELS, "sync": SYNC}, step=0)
    assert len([line for line in scene.remotes["WebhookFunction"].invocations if "taken" in line]) >= 5
    scene.trouble(runs_route_missing={"times": 1}, result_base64_below=4_000_000)
    drop(scene, "other", {"flat": COLOR, "inline": CUT})
    scene.trouble(callback_lost=True)
    drop(scene, "poll", {name: spec for name, spec in MODELS.items() if name != "variants"})
    assert scene.states() == ["SUCCEEDED"] * 14


def drops_are_refused(scene: Scene) -> None:
    """A wrong spec, no photo, a missing reference, a photo without a spec."""
    photo = picture(seed=3)
    scene.drop("refused/spec.png", photo, b"model: [bria")
    scene.drop("refused/photo.png", b"no photo", BRIA)
    scene.drop("refused/reference.png", photo, {**REPLACE, "input": {"reference": "_none.png"}})
    scene.drop("refused/alone.png", photo)
    scene.turn(4)


def results_are_bad(scene: Scene, quoted: str) -> None:
    """Runs that fail with a message that quotes secrets; results that are expired, no picture, or lead elsewhere."""
    scene.trouble(run_fails={"retryable": False, "message": f"could not fetch {quoted}"})
    drop(scene, "failed", BOTH)
    for switch in ("expired_result", "html_result", "truncated_result"):
        scene.trouble(**{switch: {"times": 1}})
        drop(scene, switch, {"bria": BRIA})
    scene.trouble(redirected_result={"to": f"http://169.254.169.254/?{quoted}"})
    drop(scene, "redirected", {"bria": BRIA})


def replies_are_lost(scene: Scene) -> None:
    """POSTs that may have been accepted: found by asking, by their callback, or posted once more."""
    scene.trouble(dropped_after={"times": 2}, server_error_before={"route": "status", "times": 2})
    drop(scene, "dropped", BOTH)
    scene.trouble(server_error_after={"times": 2}, callback_lost=True)
    drop(scene, "unknown", {"bria": BRIA})
    scene.trouble(rate_limited={"times": 2, "route": "submit"})
    drop(scene, "busy", {"variants": VARIANTS})


def callbacks_are_forged(scene: Scene) -> None:
    """Callbacks forged, unsigned and signed over other bytes by the sandbox; and strangers at the gateway."""
    for switch in ("callback_forged", "callback_unsigned", "callback_reserialised"):
        scene.trouble(**{switch: {"times": 2}})
        drop(scene, switch, BOTH if switch == "callback_forged" else {"bria": BRIA})
    paths = [asked.target for asked in scene.taps["callbacks"].requests()]
    for path in {paths[0], paths[-1]}:
        head, _, token = path.rpartition("/")
        strange = f"k1.{token[:2:-1].replace('.', '-'):A<43.43}"[:-1] + "A"
        for tried in (path, f"{head}/{strange}", f"{head}/k9{token[2:]}", f"{path}x", f"/callbacks/runflow/{token}"):
            for headers in ({}, {"Runflow-Signature": "0" * 64}):
                assert 400 <= scene.call(tried, b'{"event": "run.completed", "run_id": "x"}', headers) < 500


def accounts_are_out_of_order(scene: Scene) -> None:
    """No credits and refused keys: jobs are HELD."""
    scene.trouble(no_credits={"provider": "runflow"}, refused_key=[{"provider": "imagepipeline"}])
    scene.drop("held/bria.png", picture(seed=21), BRIA)
    scene.drop("held/cut.png", picture(seed=22), CUT)
    scene.turn(3)
    assert scene.states().count("HELD") == 2


def everything_breaks(scene: Scene, keys: dict[str, Any]) -> None:
    """A provider secret that is no JSON but holds the keys; messages nobody sent; at last, no table: handlers raise."""
    manager, secret = scene.client("secretsmanager"), scene.template.name("ProviderSecret")
    manager.put_secret_value(SecretId=secret, SecretString=f"runflow_api_key={keys['runflow_api_key']}, {keys}")
    scene.ahead[0] += 2000  # past the age at which a secret is read again
    scene.drop("broken/bria.png", picture(seed=31), {**BRIA, "revision": 2})
    scene.turn(2)
    url = f"{scene.endpoint}/{scene.template.place.account}/{scene.template.name('WorkQueue')}"
    for body in ("not JSON", "{}", '{"drop": {"bucket": "nowhere", "key": "x.png"}}'):
        scene.client("sqs").send_message(QueueUrl=url, MessageBody=body)
    scene.turn(1)


def the_table_is_gone(scene: Scene) -> None:
    """Without its table each handler raises, and the runtime logs what it raised."""
    scene.client("dynamodb").delete_table(TableName=scene.template.name("JobTable"))
    scene.drop("gone/bria.png", picture(seed=41), BRIA)
    called = scene.taps["callbacks"].requests()[0]
    headers = {name: value for name, value in called.headers.items() if name.startswith("runflow")}
    assert scene.call(called.target, called.body, headers) >= 500
    scene.drain()
    raised = [line for remote in scene.remotes.values() for line in remote.invocations if '"error"' in line]
    assert raised


@pytest.mark.timeout(300)
def test_nothing_secret_escapes(scene: Scene) -> None:
    """Nothing secret escapes: no key, token, signature or presigned query that was used stands in anything written.

    All six models by callback and by poll, refusals, held, unknown, forged callbacks, error paths, at DEBUG; searched
    are the logs of every process, the access logs, error files, records, table items, queue messages and events.
    """
    manager = scene.client("secretsmanager")
    keys = json.loads(manager.get_secret_value(SecretId=scene.template.name("ProviderSecret"))["SecretString"])
    assert {spec["model"] for spec in MODELS.values()} == set(catalogue.MODELS)
    all_goes_well(scene)
    scene.secrets.overhear(*scene.taps.values())
    quoted = " ".join([secret for secret, kind in scene.secrets.known.items() if kind in QUOTED][-40:])
    drops_are_refused(scene)
    results_are_bad(scene, f"https://x.test/a?X-Amz-Signature={'ab' * 32}&y={keys['runflow_api_key']} {quoted}")
    replies_are_lost(scene)
    callbacks_are_forged(scene)
    accounts_are_out_of_order(scene)
    everything_breaks(scene, keys)
    assert scene.leaks() == []
    written = scene.written()
    assert set(scene.secrets.known.values()) >= KINDS
    assert {place for place in written if place.endswith(".error.json")}
    the_table_is_gone(scene)
    logs = {file.name: file.read_text(errors="replace") for file in scene.folder.glob("*.log")}
    assert "every logger speaks" in logs["WebhookFunction.err.log"]
    assert "Traceback" in logs["WebhookFunction.err.log"]
    scene.secrets.overhear(*scene.taps.values())
    assert scene.secrets.leaks(logs) == []


QUOTED = {"a presigned credential", "a callback's token"}


def test_a_planted_leak_is_found(scene: Scene) -> None:
    """The search fails on a planted leak: one in a log line, one in a table item, one in an error file."""
    scene.drop("a.png", picture(), BRIA)
    scene.turn(200, until=BUSY, step=0)
    assert scene.leaks() == []
    token = scene.taps["callbacks"].requests()[0].target.rpartition("/")[2]
    (query,) = {one for one in scene.secrets.known if scene.secrets.known[one] == "a presigned signature"}
    manager = scene.client("secretsmanager")
    key = json.loads(manager.get_secret_value(SecretId=scene.template.name("ProviderSecret"))["SecretString"])
    scene.remotes["WebhookFunction"].order(say=f"called with {token}")
    row = {"job_id": {"S": "x"}, "error": {"S": f"https://h.test/?X-Amz-Signature={query}"}}
    scene.client("dynamodb").put_item(TableName=scene.template.name("JobTable"), Item=row)
    said = json.dumps({"message": f"Bearer {key['runflow_api_key']}"}).encode()
    bucket = scene.template.name("OutputBucket")
    scene.client("s3").put_object(Bucket=bucket, Key="b.png.error.json", Body=said)
    assert scene.leaks() == [
        "OutputBucket/b.png.error.json: an API key",
        "WebhookFunction.out.log: a callback's token",
        "table items: a presigned signature",
    ]
