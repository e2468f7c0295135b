"""Where a result may lie, as the job sees it: with the exempt origins empty, from drop to FAILED."""

from __future__ import annotations

import hashlib
import hmac
import json
from functools import partial
from typing import TYPE_CHECKING

from bench import Call
from homecoming import PNG
from hostile import redirect, reply, serving

from backdrop import callbacks
from backdrop.states import State
from backdrop.workflow import receiving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from journeys import Journey, Outdoors

    from backdrop.jobs import Job

PUBLIC = "93.184.216.34"
QUERY = "?X-Amz-Signature=deadbeef"

FORBIDDEN = [
    "http://cdn.example.test/a.png",
    "https://127.0.0.1/a.png",
    "https://localhost/a.png",
    "https://10.0.0.7/a.png",
    "https://192.168.1.1/a.png",
    "https://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "https://2852039166/latest/meta-data/",
    "https://0251.0376.0251.0376/latest/meta-data/",
    "https://0xa9fea9fe/latest/meta-data/",
    "https://[::1]/a.png",
    "https://[fe80::1]/a.png",
    "https://[fd00:ec2::254]/latest/meta-data/",
    "https://[::ffff:169.254.169.254]/latest/meta-data/",
    "https://[::ffff:a9fe:a9fe]/latest/meta-data/",
    "https://[::169.254.169.254]/latest/meta-data/",
    "https://[2002:a9fe:a9fe::1]/latest/meta-data/",
    "https://[64:ff9b::a9fe:a9fe]/latest/meta-data/",
    "https://user:pass@cdn.example.test/a.png",
    "https://cdn.example.test@169.254.169.254/a.png",
    "https://private.example.test/a.png",
    "https://mixed.example.test/a.png",
]
NAMES: dict[str, list[Sequence[str]]] = {
    "cdn.example.test": [[PUBLIC]],
    "private.example.test": [["10.0.0.7"]],
    "mixed.example.test": [[PUBLIC, "169.254.169.254"]],
}


def test_a_result_that_lies_at_a_forbidden_address_fails_the_job(journey: Journey, outdoors: Outdoors) -> None:
    """Private, loopback, link-local (IPv6 forms, decimal and octal spellings), http://: FAILED with the reason."""
    outdoors.answers.update(NAMES)
    found = {}
    with serving(lambda _: [reply(PNG)]) as inside:
        urls = [*FORBIDDEN, f"http://127.0.0.1:{inside.port}/a.png", f"http://localhost:{inside.port}/a.png"]
        for url in urls:
            journey.provider.url = url + QUERY
            found[url], told = journey.failure(journey.end(journey.begin()))
            assert "is refused" in told
    assert found == dict.fromkeys(urls, "RESULT_URL_REFUSED")
    assert outdoors.dialled == []
    assert inside.requests == []


def moved(url: str) -> list[bytes]:
    """A redirect to a URL with a query that must not be told."""
    return [redirect(url + QUERY if url else "")]


def test_a_redirect_to_a_forbidden_address_fails_the_job(journey: Journey, outdoors: Outdoors) -> None:
    """Redirects to any of these, from the provider's own server: FAILED with the reason, and nobody is dialled."""
    outdoors.answers.update(NAMES)
    found = {}
    with serving(lambda _: [reply(PNG)]) as inside:
        urls = [FORBIDDEN[0], *FORBIDDEN[5::3], f"http://127.0.0.1:{inside.port}/a.png"]
        for url in [*urls, "file:///etc/passwd", "data:image/png;base64,AAAA", ""]:
            journey.provider.serve("a.png", partial(moved, url))
            found[url], _ = journey.failure(journey.end(journey.begin()))
    assert set(found.values()) == {"RESULT_URL_REFUSED"}
    assert outdoors.dialled == []
    assert inside.requests == []


def test_a_name_whose_address_changes_after_the_check_fails_the_job(journey: Journey, outdoors: Outdoors) -> None:
    """DNS that changes between check and connect: only the checked address is dialled, and the job ends FAILED."""
    outdoors.answers["turning.example.test"] = [[PUBLIC], ["127.0.0.1"]]
    journey.provider.url = f"https://turning.example.test/a.png{QUERY}"
    assert journey.failure(journey.end(journey.begin()))[0] == "RESULT_URL_REFUSED"
    assert outdoors.dialled == [(PUBLIC, 443)]
    assert outdoors.asked == ["turning.example.test"] * 2


def test_a_public_address_where_nobody_is_fails_the_job_in_the_end(journey: Journey, outdoors: Outdoors) -> None:
    """An address that the rules let through is dialled, several times, before the job is FAILED for that."""
    outdoors.answers.update(NAMES)
    journey.provider.url = f"https://cdn.example.test/a.png{QUERY}"
    code, told = journey.failure(journey.end(journey.begin()))
    assert (code, "could not be reached" in told) == ("RESULT_UNREACHABLE", True)
    assert set(outdoors.dialled) == {(PUBLIC, 443)}
    assert len(outdoors.dialled) > 1


def called(journey: Journey, job: Job, url: str) -> receiving.Reply:
    """Bring a signed callback that says the job's result lies at `url`."""
    output = {"outputs": [{"url": url, "type": "image"}]}
    told = {"event": "run.completed", "run_id": job.run_id, "status": "succeeded", "output": output}
    body = json.dumps(told).encode()
    signature = hmac.new(b"whsec_sandbox", body, hashlib.sha256).hexdigest()
    path = callbacks.mint(journey.bench.world, "runflow", job.job_id, 1).removeprefix(journey.bench.door.url)
    return journey.bench.answer(Call(path, {"runflow-signature": signature}, body))


def test_a_signed_callback_leads_to_no_forbidden_address_either(journey: Journey, outdoors: Outdoors) -> None:
    """A provider's signature makes no address public: the webhook refuses what the poll refuses, and tells why."""
    outdoors.answers.update(NAMES)
    for url in (FORBIDDEN[0], *FORBIDDEN[5::5]):
        job = journey.begin()
        assert called(journey, job, url + QUERY) == receiving.TAKEN
        assert journey.failure(journey.now(job))[0] == "RESULT_URL_REFUSED"
    assert outdoors.dialled == []


def test_the_providers_own_origin_is_excused(journey: Journey) -> None:
    """What all this refuses it does not refuse for nothing: the same picture from the provider itself is delivered."""
    journey.provider.serve("a.png", lambda: [reply(PNG, content_type="image/png")])
    job = journey.end(journey.begin())
    assert job.state is State.SUCCEEDED
    assert journey.bench.output(job.outputs[0]["key"]) == PNG
