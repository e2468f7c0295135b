"""BackgroundCut's AI Cut: what the points pick, and what is refused, charged and remembered."""

import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import cv2
import httpx
import numpy as np
import numpy.typing as npt
import pytest
from desk import BACKGROUNDCUT, NO_TLS, Desk, draw_photo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from backdrop_cli.sandbox.accounts import Account
from backdrop_cli.sandbox.server import running

SEGMENT = "/v3/tools/ai/ai-cut/segment/"
TOKEN = "/v3/auth/access-token/"
DISC, YELLOW, ORANGE, GROUND = (60, 80), (150, 80), (190, 80), (105, 20)

type Mask = npt.NDArray[np.bool_]


def draw_shapes() -> tuple[npt.NDArray[np.uint8], dict[tuple[int, int], Mask]]:
    """A red disc and a block half yellow, half orange on a pale ground, 240 x 160, and what each point should pick."""
    y, x = np.mgrid[0:160, 0:240]
    block = (x >= 130) & (x < 210) & (y >= 40) & (y < 120)
    shapes = {DISC: (x - 60) ** 2 + (y - 80) ** 2 < 35**2, YELLOW: block & (x < 170), ORANGE: block & (x >= 170)}
    picture = np.full((160, 240, 3), (236, 232, 224), np.float32)
    for where, colour in zip(shapes.values(), ((190, 40, 40), (230, 180, 40), (196, 96, 30)), strict=True):
        picture[where] = colour
    grainy = picture + np.random.default_rng(3).normal(0, 2, picture.shape).astype(np.float32)
    shapes[GROUND] = ~np.logical_or.reduce(list(shapes.values()))
    return np.clip(cv2.GaussianBlur(grainy, (0, 0), 0.6), 0, 255).astype(np.uint8), shapes


PICTURE, SHAPES = draw_shapes()


def as_jpeg(picture: npt.NDArray[np.uint8], orientation: int = 1) -> bytes:
    """The picture as a JPEG file with an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    made = io.BytesIO()
    Image.fromarray(picture).save(made, "JPEG", quality=92, exif=exif.tobytes())
    return made.getvalue()


def spots(*points: tuple[float, float]) -> list[dict[str, float]]:
    """Points as the API takes them."""
    return [{"x": x, "y": y} for x, y in points]


def segment(desk: Desk, **changes: Any) -> httpx.Response:
    """POST a segmentation of the disc, but for `changes`; a field that is None is left out."""
    body = {
        "input_key": "in/photo.jpg",
        "output_key": "out/mask.jpg",
        "foreground_points": spots(DISC),
        "background_points": [],
        **changes,
    }
    sent = {name: value for name, value in body.items() if value is not None}
    return desk.http.post(SEGMENT, headers=BACKGROUNDCUT, json=sent)


def mask_under(desk: Desk, key: str = "out/mask.jpg") -> Mask:
    """Download what lies under a key, and check that it is a JPEG of two tones."""
    fetched = httpx.get(desk.public_url(key).json()["url"], trust_env=False, verify=NO_TLS)
    assert fetched.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(fetched.content)) as opened:
        assert opened.format == "JPEG"
        grey = np.asarray(opened.convert("L"))
    assert ((grey < 20) | (grey > 235)).mean() > 0.9
    return grey > 127


def picked(desk: Desk, wanted: Sequence[tuple[float, float]], unwanted: Sequence[tuple[float, float]] = ()) -> Mask:
    """The mask for these points on the photo that lies under in/photo.jpg."""
    reply = segment(desk, foreground_points=spots(*wanted), background_points=spots(*unwanted))
    assert (reply.status_code, reply.json()) == (200, {"output_key": "out/mask.jpg"})
    return mask_under(desk)


def overlap(one: Mask, other: Mask) -> float:
    """Intersection over union."""
    return float((one & other).sum() / (one | other).sum())


@pytest.fixture
def shapes(desk: Desk) -> Desk:
    """A desk with the shapes under in/photo.jpg."""
    assert desk.upload("in/photo.jpg", as_jpeg(PICTURE)).status_code == 200
    return desk


@pytest.mark.parametrize("point", [DISC, GROUND])
def test_a_point_picks_what_it_is_on(shapes: Desk, point: tuple[int, int]) -> None:
    """A click on the disc gives the disc, a click beside it the ground, and nothing else."""
    assert overlap(picked(shapes, [point]), SHAPES[point]) > 0.95


def test_a_point_on_another_object_picks_that_object(shapes: Desk) -> None:
    """A click on the block gives the whole of it, both its colours, and none of the disc."""
    block = SHAPES[YELLOW] | SHAPES[ORANGE]
    for point in (YELLOW, ORANGE):
        assert overlap(picked(shapes, [point]), block) > 0.9


def test_points_add_up(shapes: Desk) -> None:
    """A further foreground point adds its object to the first one's."""
    everything = ~SHAPES[GROUND]
    assert overlap(picked(shapes, [DISC, YELLOW]), everything) > 0.95


def test_a_background_point_takes_its_region_away(shapes: Desk) -> None:
    """On the orange half of the block it leaves the yellow half; beside the object it changes nothing."""
    assert overlap(picked(shapes, [YELLOW], [ORANGE]), SHAPES[YELLOW]) > 0.95
    assert overlap(picked(shapes, [DISC], [ORANGE, GROUND]), SHAPES[DISC]) > 0.95


def test_a_background_point_within_one_colour_divides_it(shapes: Desk) -> None:
    """Where no edge lies between the points, each keeps its side."""
    mask = picked(shapes, [(42, 80)], [(80, 80)])
    assert mask[80, 42]
    assert not mask[80, 80]
    assert 0.1 < mask[SHAPES[DISC]].mean() < 0.9


def test_another_photo_gives_another_mask(shapes: Desk) -> None:
    """The same points on another input, kept under another key, give another output; the first stays."""
    picked(shapes, [DISC])
    shapes.upload("in/other.jpg", as_jpeg(PICTURE[:, ::-1].copy()))
    assert segment(shapes, input_key="in/other.jpg", output_key="out/other.jpeg").status_code == 200
    mirrored = SHAPES[YELLOW][:, ::-1] | SHAPES[ORANGE][:, ::-1]
    assert overlap(mask_under(shapes, "out/other.jpeg"), mirrored) > 0.9
    assert overlap(mask_under(shapes), SHAPES[DISC]) > 0.95


def test_points_and_mask_are_upright(shapes: Desk) -> None:
    """Of a photo stored on its side the points count in the picture as it is looked at, and so lies the mask."""
    shapes.upload("in/photo.jpg", as_jpeg(np.rot90(PICTURE).copy(), orientation=6))
    assert overlap(picked(shapes, [DISC]), SHAPES[DISC]) > 0.95
    assert segment(shapes, foreground_points=spots((239, 159))).status_code == 200
    assert segment(shapes, foreground_points=spots((159, 239))).status_code == 400


def test_a_call_costs_a_credit_and_is_remembered(shapes: Desk) -> None:
    """One line in the ledger, one request in the log, one run on the page with both its pictures."""
    assert segment(shapes, background_points=None).status_code == 200
    (line,) = shapes.sandbox.ledger()["entries"]
    assert (line["model"], line["reference"]) == ("backgroundcut/ai-cut", "out/mask.jpg")
    assert (line["price"], line["unit"]) == ("1", "credits")
    assert Decimal(shapes.sandbox.status()["balances"]["backgroundcut space_sandbox"]) == 9999
    seen = shapes.http.get("/_sandbox/requests").json()["requests"][-1]
    assert (seen["kind"], seen["route"], seen["status"]) == ("submit", SEGMENT, 200)
    assert seen["body"]["foreground_points"] == spots(DISC)
    assert "backgroundcut/ai-cut" in shapes.http.get("/").text
    for which in ("before", "after"):
        assert shapes.http.get(f"/_sandbox/thumbnails/{line['run_id']}/{which}.webp").status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"input_key": None},
        {"output_key": None},
        {"foreground_points": None},
        {"input_key": "in/photo.png"},
        {"output_key": "out/mask.png"},
        {"output_key": "out/mask.JPG"},
        {"output_key": "jpg"},
        {"output_key": "k" * 1021 + ".jpg"},
        {"foreground_points": []},
        {"foreground_points": spots(*[DISC] * 201)},
        {"background_points": spots(*[DISC] * 201)},
        {"foreground_points": [[60, 80]]},
        {"foreground_points": [{"x": 60}]},
        {"foreground_points": [{"x": "60", "y": 80}]},
        {"foreground_points": [{"x": True, "y": 80}]},
        {"foreground_points": [{"x": 60, "y": 80, "z": 1}]},
        {"foreground_points": spots((-1, 80))},
        {"foreground_points": spots((240, 80))},
        {"background_points": spots((60, 160))},
        {"background_points": None, "points": []},
    ],
)
def test_a_wrong_field_is_400(shapes: Desk, changes: dict[str, Any]) -> None:
    """Every field is checked, the detail is a sentence, and nothing is charged."""
    reply = segment(shapes, **changes)
    assert reply.status_code == 400
    assert isinstance(reply.json()["detail"], str)
    assert shapes.sandbox.ledger()["count"] == 0


@pytest.mark.parametrize(("data", "part"), [(draw_photo(), "JPEG"), (draw_photo("JPEG")[:200], "cannot be read")])
def test_a_photo_that_is_no_good_jpeg_is_400(desk: Desk, data: bytes, part: str) -> None:
    """A PNG under a .jpg key and a torn JPEG are refused without a charge."""
    desk.upload("in/photo.jpg", data)
    reply = segment(desk)
    assert reply.status_code == 400
    assert part in reply.json()["detail"]
    assert Decimal(desk.sandbox.status()["balances"]["backgroundcut space_sandbox"]) == 10_000


def test_checks_come_in_their_order() -> None:
    """401 comes before 400, 400 before 404, 404 before 402, and a refusal is not in the ledger."""
    poor = [Account("backgroundcut", "bc_poor", "poor", balance=Decimal("0.9"))]
    with (
        running(accounts=poor) as sandbox,
        httpx.Client(base_url=sandbox.url, trust_env=False, verify=NO_TLS) as http,
    ):
        key = {"authorization": "Token bc_poor"}
        assert http.post(SEGMENT, content=b"{").status_code == 401
        assert http.post(SEGMENT, headers=key, content=b"{").status_code == 400
        body: dict[str, Any] = {"input_key": "a.jpg", "output_key": "b.jpg", "foreground_points": []}
        assert http.post(SEGMENT, headers=key, json=body).status_code == 400
        body["foreground_points"] = spots(DISC)
        unknown = http.post(SEGMENT, headers=key, json=body)
        assert (unknown.status_code, unknown.json()) == (404, {"detail": "input_key not found."})
        http.post("/v3/file-ops/upload/", headers=key, files={"file": as_jpeg(PICTURE)}, data={"key": "a.jpg"})
        broke = http.post(SEGMENT, headers=key, json=body)
        assert (broke.status_code, broke.json()) == (402, {"detail": "Insufficient credits."})
        assert sandbox.ledger()["count"] == 0


def test_a_token_is_limited_to_the_route_and_the_path(shapes: Desk) -> None:
    """It segments where both keys lie below its path, 403 elsewhere and for a token of another route."""

    def token(*endpoints: str) -> dict[str, str]:
        asked = {"endpoints": list(endpoints), "path": "in/"}
        told = shapes.http.post(TOKEN, headers=BACKGROUNDCUT, json=asked).json()
        return {"authorization": f"AccessToken {told['access_token']}"}

    body = {"input_key": "in/photo.jpg", "output_key": "in/mask.jpg", "foreground_points": spots(DISC)}
    assert shapes.http.post(SEGMENT, headers=token(SEGMENT), json=body).status_code == 200
    assert shapes.http.post(SEGMENT, headers=token(TOKEN), json=body).status_code == 403
    body["output_key"] = "out/mask.jpg"
    assert shapes.http.post(SEGMENT, headers=token(SEGMENT), json=body).status_code == 403


def test_files_are_gone_in_two_hours_and_in_another_region(shapes: Desk) -> None:
    """The photo is 404 where the caller is moved to, and everywhere when it is old."""
    shapes.sandbox.trouble(regional_404=1)
    assert segment(shapes).status_code == 404
    assert segment(shapes).status_code == 200
    shapes.sandbox.advance(7201)
    assert segment(shapes).status_code == 404
    assert shapes.public_url("out/mask.jpg").status_code == 404


@pytest.mark.parametrize(
    ("trouble", "status", "accepted"),
    [
        ({"rate_limited": 1}, 429, 0),
        ({"no_credits": 1}, 402, 0),
        ({"server_error_before": 1}, 500, 0),
        ({"server_error_after": 1}, 500, 1),
        ({"run_fails": {"times": 1, "model": "backgroundcut/ai-cut"}}, 500, 1),
        ({"run_fails": {"times": 1, "retryable": False}}, 400, 0),
        ({"run_fails": {"times": 1, "model": "backgroundcut/remove-bg"}}, 200, 1),
    ],
)
def test_the_switches_work_here(shapes: Desk, trouble: dict[str, Any], status: int, accepted: int) -> None:
    """Trouble before, in and after the work answers and is counted as at the other routes; then all is well."""
    shapes.sandbox.trouble(**trouble)
    assert segment(shapes).status_code == status
    assert shapes.sandbox.ledger()["count"] == accepted
    assert segment(shapes).status_code == 200


def test_work_that_breaks_is_not_charged(shapes: Desk) -> None:
    """The credit comes back, and there is no output."""
    shapes.sandbox.trouble(run_fails=1)
    assert segment(shapes).status_code == 500
    assert Decimal(shapes.sandbox.status()["balances"]["backgroundcut space_sandbox"]) == 10_000
    assert shapes.public_url("out/mask.jpg").status_code == 404


@pytest.mark.parametrize("header", ["", "Bearer bc_sandbox", "Token wrong", "AccessToken none"])
def test_keys_are_checked(desk: Desk, header: str) -> None:
    """Only `Token` with a key of this provider opens the route; without its slash or by GET there is none."""
    reply = desk.http.post(SEGMENT, headers={"authorization": header} if header else {})
    assert (reply.status_code, list(reply.json())) == (401, ["detail"])
    assert desk.http.post(SEGMENT.rstrip("/"), headers=BACKGROUNDCUT).status_code == 404
    assert desk.http.get(SEGMENT, headers=BACKGROUNDCUT).status_code == 405


numbers = st.integers(-5, 300) | st.floats(allow_nan=False, allow_infinity=False)
values = st.none() | st.booleans() | numbers | st.text(max_size=8)
points = st.fixed_dictionaries({"x": numbers | values, "y": numbers | values}) | values
hostile = st.dictionaries(
    st.sampled_from(["input_key", "output_key", "foreground_points", "background_points", "other"]),
    st.lists(points, max_size=4) | st.sampled_from(["in/photo.jpg", "out/a.jpeg", "", ".jpg"]) | values,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(body=hostile)
def test_any_body_gets_a_documented_answer(shapes: Desk, body: dict[str, Any]) -> None:
    """Fields of any type and points anywhere never end in a fault, and the ledger counts the good calls only."""
    before = shapes.sandbox.ledger()["count"]
    reply = shapes.http.post(SEGMENT, headers=BACKGROUNDCUT, json=body)
    assert reply.status_code in {200, 400, 404}, reply.text
    assert shapes.sandbox.ledger()["count"] - before == (reply.status_code == 200)


@pytest.mark.parametrize("size", [(1, 1), (1, 60), (300, 3), (16, 16)])
def test_any_size_of_photo_can_be_clicked_on(desk: Desk, size: tuple[int, int]) -> None:
    """A single pixel, a line and a flat square get a mask of their size that holds the point."""
    desk.upload("in/photo.jpg", as_jpeg(np.full((*size, 3), 120, np.uint8)))
    centre = (size[1] / 2, size[0] / 2)
    mask = picked(desk, [centre])
    assert mask.shape == size
    assert mask[int(centre[1]), int(centre[0])]
