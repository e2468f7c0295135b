"""BackgroundCut: upload, process, public URL, token, and what is refused in which order."""

import io
from decimal import Decimal
from typing import Any

import httpx
import pytest
from desk import BACKGROUNDCUT, NO_TLS, Desk, Ground, draw_photo
from PIL import Image

from backdrop_cli.sandbox.accounts import Account, credits_for
from backdrop_cli.sandbox.server import running

UPLOAD = "/v3/file-ops/upload/"
PROCESS = "/v3/tools/ai/remove-bg/process/"
PUBLIC = "/v3/file-ops/get-public-url/"
TOKEN = "/v3/auth/access-token/"


def test_the_whole_chain(desk: Desk) -> None:
    """Upload, process into several variants in order, mint, download without a key; each in its own format."""
    assert desk.upload().json() == {"success": True}
    variants: list[dict[str, Any]] = [
        {"output_key": "out/blue.jpg", "format": "jpeg", "background_color": "#1A01FF", "output_compression": 90},
        {"output_key": "out/cut.png"},
        {"output_key": "out/half.webp", "format": "webp", "background_color": "#ffffff80", "max_resolution": 4800},
        {"output_key": "out/crop.png", "autocrop": True, "quality": "high"},
    ]
    reply = desk.process(*variants)
    assert reply.json() == {"output_keys": [one["output_key"] for one in variants]}
    pictures = []
    for key in reply.json()["output_keys"]:
        fetched = httpx.get(desk.public_url(key).json()["url"], trust_env=False, verify=NO_TLS)
        pictures.append(Image.open(io.BytesIO(fetched.content)))
        assert fetched.headers["content-type"] == Image.MIME[pictures[-1].format or ""]
    assert [one.format for one in pictures] == ["JPEG", "PNG", "WEBP", "PNG"]
    assert pictures[0].size == (160, 120)
    assert pictures[1].mode == "RGBA"
    assert pictures[2].size == (80, 60)
    assert pictures[3].width < 160
    (line,) = desk.sandbox.ledger()["entries"]
    assert (line["model"], line["reference"]) == ("backgroundcut/remove-bg", "out/blue.jpg")
    assert line["price"] == "1.75"


def test_an_upload_serves_again_until_it_is_two_hours_old(desk: Desk) -> None:
    """The same key can be processed again with another colour; after two hours it is gone, and so are the outputs."""
    desk.upload()
    assert desk.process({"output_key": "a"}).status_code == 200
    url = desk.public_url("a").json()["url"]
    desk.sandbox.advance(7100)
    assert desk.process({"output_key": "b"}).status_code == 200
    assert desk.public_url("a").status_code == 200
    assert desk.http.get(url).status_code == 403
    desk.sandbox.advance(101)
    gone = desk.process({"output_key": "c"})
    assert (gone.status_code, gone.json()) == (404, {"detail": "input_key not found."})
    assert desk.public_url("a").status_code == 404
    assert desk.public_url("b").status_code == 200


def test_a_public_url_is_short_lived_and_never_outlives_the_file(desk: Desk) -> None:
    """It opens for its seconds; one minted just before the file's end ends with it."""
    desk.upload()
    desk.sandbox.advance(7100)
    url = desk.public_url("in/photo.png").json()["url"]
    assert desk.http.get(url).status_code == 200
    desk.sandbox.advance(101)
    assert desk.http.get(url).status_code == 403


def test_a_caller_who_is_moved_finds_nothing(desk: Desk) -> None:
    """Routed elsewhere once, the key is 404 there and still here afterwards; moved for good, a re-upload helps."""
    desk.upload()
    desk.sandbox.trouble(regional_404=1)
    assert desk.process().status_code == 404
    assert desk.process().status_code == 200
    desk.sandbox.trouble(regional_404={"times": 1, "stays": True, "route": "public-url"})
    assert desk.public_url("out/cut.png").status_code == 404
    assert desk.process().status_code == 404
    desk.upload()
    assert desk.process().status_code == 200
    assert desk.public_url("out/cut.png").status_code == 200


def test_checks_come_in_their_order(desk: Desk, web: Ground) -> None:
    """401 comes before 400, 400 before 404, 404 before 402, and a refusal is not in the ledger."""
    poor = [Account("backgroundcut", "bc_poor", "poor", balance=Decimal("0.1"))]
    with (
        running(accounts=poor) as sandbox,
        httpx.Client(base_url=sandbox.url, trust_env=False, verify=NO_TLS) as http,
    ):
        key = {"authorization": "Token bc_poor"}
        assert http.post(PROCESS, content=b"{").status_code == 401
        assert http.post(PROCESS, headers=key, content=b"{").status_code == 400
        body = {"input_key": "none", "output_variants": [{"output_key": "x", "background_color": "red"}]}
        assert http.post(PROCESS, headers=key, json=body).status_code == 400
        body["output_variants"] = [{"output_key": "x"}]
        assert http.post(PROCESS, headers=key, json=body).status_code == 404
        http.post(UPLOAD, headers=key, files={"file": web.files["/photo.png"]}, data={"key": "none"})
        broke = http.post(PROCESS, headers=key, json=body)
        assert (broke.status_code, broke.json()) == (402, {"detail": "Insufficient credits."})
        assert sandbox.ledger()["count"] == 0
    assert desk.sandbox.ledger()["count"] == 0


@pytest.mark.parametrize(
    "variant",
    [
        {"output_key": "x", "background_color": "red"},
        {"output_key": "x", "background_color": "#fff"},
        {"output_key": "x", "format": "jpg"},
        {"output_key": "x", "format": "jpeg"},
        {"output_key": "x", "format": "jpeg", "background_color": "#ffffff80"},
        {"output_key": "x", "quality": "High"},
        {"output_key": "x", "output_compression": 101},
        {"output_key": "x", "max_resolution": 0},
        {"output_key": "x", "autocrop": "yes"},
        {"output_key": "x", "colour": "#ffffff"},
        {"format": "png"},
        {"output_key": ""},
    ],
)
def test_a_wrong_variant_is_400(desk: Desk, variant: dict[str, Any]) -> None:
    """Every field is checked, and the detail is a sentence."""
    reply = desk.process(variant)
    assert reply.status_code == 400
    assert isinstance(reply.json()["detail"], str)
    if variant.get("background_color") == "red":
        assert reply.json()["detail"] == "Invalid background_color. Expected hex string like #ffffff."


def test_variants_are_one_to_twenty_with_keys_of_their_own(desk: Desk) -> None:
    """None, twenty-one, or two with one key are 400."""
    for variants in ([], [{"output_key": str(n)} for n in range(21)], [{"output_key": "a"}] * 2):
        body = {"input_key": "k", "output_variants": variants}
        assert desk.http.post(PROCESS, headers=BACKGROUNDCUT, json=body).status_code == 400


def test_what_an_upload_may_be(desk: Desk) -> None:
    """No file, no key, no picture or no multipart is 400, more than 12 MB is 413."""
    photo = {"file": ("a.png", draw_photo(), "image/png")}
    post = desk.http.post
    assert post(UPLOAD, headers=BACKGROUNDCUT, data={"key": "a"}).status_code == 400
    assert post(UPLOAD, headers=BACKGROUNDCUT, files=photo).status_code == 400
    assert post(UPLOAD, headers=BACKGROUNDCUT, files=photo, data={"key": "k" * 1025}).status_code == 400
    assert desk.upload(data=b"no picture").status_code == 400
    torn = {**BACKGROUNDCUT, "content-type": "multipart/form-data; boundary=x"}
    assert post(UPLOAD, headers=torn, content=b"--x\r\nnonsense").status_code == 400
    assert desk.upload(data=draw_photo() + bytes(12_000_001)).status_code == 413
    assert desk.upload(data=draw_photo("WEBP")).status_code == 200


def test_a_picture_that_cannot_be_read_is_400_and_not_charged(desk: Desk) -> None:
    """A torn file with a good beginning is refused when it is processed."""
    desk.upload(data=draw_photo()[:60])
    reply = desk.process()
    assert reply.status_code == 400
    assert desk.sandbox.ledger()["count"] == 0
    assert float(desk.sandbox.status()["balances"]["backgroundcut space_sandbox"]) == 10_000


def test_paths_end_with_a_slash(desk: Desk) -> None:
    """Without it there is nothing, and a wrong method is 405, both with a detail."""
    for reply, status in (
        (desk.http.post(PROCESS.rstrip("/"), headers=BACKGROUNDCUT), 404),
        (desk.http.get(PROCESS, headers=BACKGROUNDCUT), 405),
    ):
        assert reply.status_code == status
        assert list(reply.json()) == ["detail"]


@pytest.mark.parametrize("header", ["", "Bearer bc_sandbox", "Token wrong", "token bc_sandbox", "AccessToken none"])
@pytest.mark.parametrize("path", [UPLOAD, PROCESS, PUBLIC, TOKEN])
def test_keys_are_checked(desk: Desk, header: str, path: str) -> None:
    """Only `Token` with a key of this provider opens a route."""
    reply = desk.http.post(path, headers={"authorization": header} if header else {})
    assert reply.status_code == 401
    assert list(reply.json()) == ["detail"]


def test_an_access_token_is_limited_to_endpoints_path_and_time(desk: Desk) -> None:
    """It works where it may, 403 elsewhere, 401 when it is old, and mints no further tokens."""
    asked = {"endpoints": [PUBLIC, TOKEN], "path": "out/", "ttl_seconds": 60}
    desk.upload("out/a.png")
    desk.upload("in/b.png")
    told = desk.http.post(TOKEN, headers=BACKGROUNDCUT, json=asked).json()
    assert told["expires_in"] == 60
    limited = {"authorization": f"AccessToken {told['access_token']}"}
    assert desk.http.post(PUBLIC, headers=limited, json={"key": "out/a.png"}).status_code == 200
    assert desk.http.post(PUBLIC, headers=limited, json={"key": "in/b.png"}).status_code == 403
    assert desk.http.post(PROCESS, headers=limited, json={}).status_code == 403
    assert desk.http.post(TOKEN, headers=limited, json=asked).status_code == 403
    assert desk.http.post(TOKEN, headers=BACKGROUNDCUT, json={"endpoints": []}).status_code == 400
    desk.sandbox.advance(61)
    assert desk.http.post(PUBLIC, headers=limited, json={"key": "out/a.png"}).status_code == 401


@pytest.mark.parametrize(("retryable", "status", "accepted"), [(True, 500, 1), (False, 400, 0)])
def test_work_that_breaks_is_not_charged(desk: Desk, *, retryable: bool, status: int, accepted: int) -> None:
    """A break in the work answers 500 and stands in the ledger, a refusal 400 and does not; neither costs credits."""
    desk.upload()
    desk.sandbox.trouble(run_fails={"retryable": retryable})
    assert desk.process().status_code == status
    assert desk.sandbox.ledger()["count"] == accepted
    assert float(desk.sandbox.status()["balances"]["backgroundcut space_sandbox"]) == 10_000


@pytest.mark.parametrize(
    ("pixels", "variants", "credits_"),
    [
        (500_000, [{}], "0.50"),
        (12_000_000, [{}], "1.10"),
        (90_000_000, [{}], "1.10"),
        (1_000_000, [{}, {}, {"autocrop": True}], "1.50"),
    ],
)
def test_credits(pixels: int, variants: list[dict[str, Any]], credits_: str) -> None:
    """Half a credit below a megapixel, 1.1 at twelve, a quarter for each further variant, a half for autocrop."""
    assert credits_for(pixels, variants) == Decimal(credits_)
