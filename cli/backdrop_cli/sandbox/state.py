"""Everything one sandbox holds, and the few things all three providers do with it.

Promises that memory stays bounded: records are kept to a number, pictures lie on disk, thumbnails are small. Used from
the server's event loop only; the picture work alone runs in threads. Refuses nothing itself.
"""

import asyncio
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from fastapi import Request

from backdrop_cli.sandbox.accounts import Account, Books
from backdrop_cli.sandbox.callbacks import ANSWER_SECONDS, RUNFLOW_BACKOFF, Outbox
from backdrop_cli.sandbox.files import File, Files
from backdrop_cli.sandbox.images import Fetcher
from backdrop_cli.sandbox.ledger import Ledger, Requests
from backdrop_cli.sandbox.trouble import Switchboard
from backdrop_cli.sandbox.work import Drawn, draw

if TYPE_CHECKING:
    from backdrop_cli.sandbox.imagepipeline_jobs import Job
    from backdrop_cli.sandbox.runflow_batches import Batch
    from backdrop_cli.sandbox.runflow_records import Asset, Secret, Subscription
    from backdrop_cli.sandbox.runflow_runs import Run

KEPT = 20_000
SHOWN = 60
WORKERS = 2
_READ_SECONDS = 20.0
_TICK = 0.01


@dataclass(slots=True)
class Shown:
    """One run as the page shows it; `before` and `after` are WebP thumbnails, empty until there are some."""

    id: str
    provider: str
    model: str
    reference: str
    began: float
    status: str = "queued"
    price: str = ""
    ms: int | None = None
    note: str = ""
    before: bytes = b""
    after: bytes = b""


@dataclass(frozen=True)
class Setup:
    """What a sandbox is started with. `clock` gives unix seconds; the times of URLs, files and records are its."""

    url: str
    folder: Path
    image_origins: tuple[str, ...]
    accounts: tuple[Account, ...]
    clock: Callable[[], float] = time.time
    callback_backoff: tuple[float, ...] = RUNFLOW_BACKOFF
    workers: int = WORKERS


class Places:
    """So many at a time, by name; the number may change while some wait."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def one(self, name: str, limit: Callable[[], int]) -> AsyncIterator[None]:
        """Wait for a place under `name` and hold it."""
        async with self._freed:
            await self._freed.wait_for(lambda: self._taken[name] < limit())
            self._taken[name] += 1
        try:
            yield
        finally:
            self._taken[name] -= 1
            async with self._freed:
                self._freed.notify_all()


@dataclass
class State:
    """One sandbox at work."""

    setup: Setup
    client: httpx.AsyncClient
    pool: ThreadPoolExecutor
    books: Books
    files: Files
    outbox: Outbox
    fetcher: Fetcher
    board: Switchboard
    offset: list[float]
    ledger: Ledger = field(default_factory=Ledger)
    requests: Requests = field(default_factory=Requests)
    places: Places = field(default_factory=Places)
    shown: OrderedDict[str, Shown] = field(default_factory=OrderedDict)
    runs: OrderedDict[str, "Run"] = field(default_factory=OrderedDict)
    replies: OrderedDict[tuple[str, str], tuple[str, str]] = field(default_factory=OrderedDict)
    batches: OrderedDict[str, "Batch"] = field(default_factory=OrderedDict)
    assets: OrderedDict[str, "Asset"] = field(default_factory=OrderedDict)
    secrets: list["Secret"] = field(default_factory=list)
    subscriptions: OrderedDict[str, "Subscription"] = field(default_factory=OrderedDict)
    jobs: OrderedDict[str, "Job"] = field(default_factory=OrderedDict)
    regions: dict[tuple[str, str], dict[str, File]] = field(default_factory=dict)
    region_of: dict[str, str] = field(default_factory=dict)
    tokens: OrderedDict[str, tuple[Account, float, Mapping[str, Any]]] = field(default_factory=OrderedDict)
    windows: dict[str, tuple[float, int]] = field(default_factory=dict)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    asleep: list[float] = field(default_factory=list)  # until when runs wait, by the sandbox's clock
    most_at_once: dict[str, int] = field(default_factory=dict)  # by provider: open jobs at their most

    def now(self) -> float:
        """Unix seconds by the sandbox's clock, plus what it was advanced."""
        return self.setup.clock() + self.offset[0]

    async def sleep(self, seconds: float) -> None:
        """Wait so long by the sandbox's clock, which may be put on or be another than the machine's."""
        until = self.now() + seconds
        self.asleep.append(until)
        try:
            while (left := until - self.now()) > 0:  # noqa: ASYNC110 - nobody says when another's clock has gone on
                await asyncio.sleep(min(left, _TICK))
        finally:
            self.asleep.remove(until)

    def open_jobs(self, provider: str, count: int) -> None:
        """Note how many jobs of a provider are open now."""
        self.most_at_once[provider] = max(count, self.most_at_once.get(provider, 0))

    def url_of(self, file: File) -> str:
        """A freshly signed URL of a result, good for as long as its provider's URLs are."""
        seconds: int = getattr(self.board.trouble, f"{file.provider}_url_seconds")
        return self.setup.url + self.files.path_for(file, seconds)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` in the background for as long as the sandbox lives."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def draw(self, model: str, photo: bytes, fields: Mapping[str, Any], reference: bytes = b"") -> Drawn:
        """The picture work, in a worker thread. Raises `BadPhoto`."""
        return await self.in_thread(partial(draw, model, photo, fields, reference))

    async def in_thread[T](self, work: Callable[[], T]) -> T:
        """Call `work` in a worker thread: at most `Setup.workers` at a time."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, work)

    def show(self, shown: Shown) -> Shown:
        """Put a run on the page; the oldest beyond `SHOWN` leave it."""
        self.shown[shown.id] = shown
        while len(self.shown) > SHOWN:
            self.shown.popitem(last=False)
        return shown

    async def reset(self) -> None:
        """Begin anew, but for the trouble in force; running work and pending callbacks are dropped."""
        await cancel_all(self.tasks)
        await self.outbox.close()
        self.offset[0] = 0.0
        for kept in (self.shown, self.runs, self.replies, self.batches, self.assets, self.jobs, self.regions):
            kept.clear()
        self.subscriptions.clear()
        self.region_of.clear()
        self.tokens.clear()
        self.windows.clear()
        self.most_at_once.clear()
        self.ledger.clear()
        self.requests.clear()
        self.files.clear()
        self.books.reset()


def keep[K, V](kept: MutableMapping[K, V], key: K, value: V, most: int = KEPT) -> None:
    """Add to an ordered mapping and drop its oldest beyond `most`."""
    kept[key] = value
    while len(kept) > most:
        del kept[next(iter(kept))]


async def cancel_all(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


@asynccontextmanager
async def opened(setup: Setup) -> AsyncIterator[State]:
    """A State with its client, pool and store, closed afterwards."""
    offset = [0.0]
    board = Switchboard()
    books = Books(setup.accounts)

    def clock() -> float:
        return setup.clock() + offset[0]

    files = Files(setup.folder, clock)
    pool = ThreadPoolExecutor(max_workers=setup.workers, thread_name_prefix="sandbox-pixels")
    timeout = httpx.Timeout(_READ_SECONDS, connect=5.0, pool=ANSWER_SECONDS)
    try:
        async with httpx.AsyncClient(timeout=timeout, trust_env=False, follow_redirects=False) as client:
            state = State(
                setup=setup,
                client=client,
                pool=pool,
                books=books,
                files=files,
                outbox=Outbox(client, board, clock),
                fetcher=Fetcher(client, files, setup.image_origins, setup.url),
                board=board,
                offset=offset,
            )
            try:
                yield state
            finally:
                await cancel_all(state.tasks)
                await state.outbox.close()
                files.clear()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def current(request: Request) -> State:
    """The State behind a request: a FastAPI dependency."""
    state: State = request.app.state.sandbox
    return state


def uuid7(now: float) -> str:
    """A UUID version 7 (RFC 9562) of the given unix seconds: Runflow's ids."""
    milliseconds = int(now * 1000) & (2**48 - 1)
    value = milliseconds << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def iso(at: float | None, zone: str = "Z") -> str | None:
    """Unix seconds as ISO 8601 with microseconds; `zone` is "Z" in records, "+00:00" in callbacks."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + zone
