"""moto's server, botocore and Python's collector without what they work out anew for each request, or for nothing.

Promises moto's own answers over the same HTTP, only sooner: what is left out here is work whose outcome cannot change
(the names of a class's methods, the way through a service's one route, the wire form of an attribute that is in it
already) or that is thrown away (the sorting of a whole table before a query picks a few of its rows). `tests/faults`
holds moto's answers with and without against each other.
"""

from __future__ import annotations

import copy
import gc
import http.client
import inspect
import io
import json
import pickle
import re
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import botocore.useragent
import pytest

from backdrop_cli.sandbox import state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PLAIN = {"S": str, "N": str, "BOOL": bool, "NULL": bool}
AGENTS = 1000
TEXTS = 1000
DRAWINGS = 200
LONGEST_LINE = 65_537
MOST_HEADERS = 100
PLAIN_HEADER = re.compile(rb"[A-Za-z0-9-]+:[^\r\n]*\r\n")
RUBBISH = 50_000  # objects made before the youngest are looked through

_inside: list[bool] = []


def plain(attribute: Any) -> bool:
    """Whether a DynamoDB attribute is in its wire form: texts, numbers as texts, lists and maps of those."""
    if type(attribute) is not dict or len(attribute) != 1:
        return False
    ((kind, value),) = attribute.items()
    if kind == "M":
        return type(value) is dict and all(map(plain, value.values()))
    if kind == "L":
        return type(value) is list and all(map(plain, value))
    return type(value) is PLAIN.get(kind)


@contextmanager
def quickened() -> Iterator[None]:
    """While inside, moto and botocore are so."""
    from moto.core import responses, serialize  # noqa: PLC0415 - a second of imports
    from moto.dynamodb.models.table import Table  # noqa: PLC0415 - with moto
    from moto.dynamodb.parsing import ast_nodes, expressions, validators  # noqa: PLC0415 - with moto

    if _inside:
        yield  # by whoever came first
        return
    parser: Any = vars(expressions)["UpdateExpressionParser"]  # which moto does not type
    walker: Any = vars(ast_nodes)["DepthFirstTraverser"]
    with pytest.MonkeyPatch.context() as patch:

        def put(place: Any, name: str, make: Callable[[Any], Any]) -> None:
            patch.setattr(place, name, make(getattr(place, name)))

        put(responses, "method_names_from_class", lru_cache)
        put(serialize.JSONSerializer, "_serialize", _serializing)
        put(Table, "query", _narrowed)
        # The tree of an update's text is read where it is made, and copied where it is changed.
        put(parser, "make", lambda make: staticmethod(lru_cache(TEXTS)(make)))
        put(validators, "deepcopy", _copying)
        put(walker, "traverse_node_recursively", _walking(vars(ast_nodes)["Node"]))
        put(http.client, "parse_headers", headers)
        put(state, "draw", remembered)
        put(botocore.useragent, "sanitize_user_agent_string_component", lru_cache(AGENTS))
        _inside.append(True)
        try:
            yield
        finally:  # else whoever came after an error would think it done
            _inside.clear()


def _copying(_: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The copies of an update's tree, from bytes: `copy.deepcopy` takes longer."""
    pickled = lru_cache(TEXTS)(lambda tree: pickle.dumps(tree, pickle.HIGHEST_PROTOCOL))
    return lambda tree: pickle.loads(pickled(tree))  # noqa: S301 - our own bytes


def _walking(node_class: type[Any]) -> Callable[[Any], Callable[..., Any]]:
    """A walk of moto through such a tree; what each class of walker does with each class of node is asked once."""

    def walk(self: Any, node: Any, child_id: int = -1) -> Any:
        is_node, processed = known(type(self), type(node), self)
        if not is_node:
            return node
        parent = node.parent
        for number, child in enumerate(node.children or ()):
            self.pre_processing_of_child(node, number)
            self.traverse_node_recursively(child, number)
        if processed:
            node = self.process(node)
            node.parent = parent
            if parent:
                parent.children[child_id] = node
        return node

    found: dict[tuple[type, type], tuple[bool, bool]] = {}

    def known(walker: type, kind: type, one: Any) -> tuple[bool, bool]:
        key = walker, kind
        if key not in found:
            found[key] = issubclass(kind, node_class), issubclass(kind, one.nodes_to_be_processed())
        return found[key]

    return lambda _: walk


def headers(whole: Callable[..., Any]) -> Callable[..., Any]:
    """The headers of a message, of which each has a line: what is not so plain goes to the parser of e-mails."""

    def parse(fp: Any, _class: type[Any] = http.client.HTTPMessage) -> Any:
        lines = []
        while (line := fp.readline(LONGEST_LINE)) not in {b"\r\n", b"\n", b""}:
            lines.append(line)
            if len(lines) > MOST_HEADERS:
                raise http.client.HTTPException(f"got more than {MOST_HEADERS} headers")
        parts = [line.decode("latin-1").partition(":") for line in lines]
        if not all(PLAIN_HEADER.fullmatch(line) for line in lines):
            return whole(io.BytesIO(b"".join([*lines, b"\r\n"])), _class)
        message = _class()
        message._headers = [(name, value.lstrip(" \t").rstrip("\r\n")) for name, _, value in parts]  # noqa: SLF001 - as it does
        message.set_payload("")
        return message

    return parse


def _serializing(whole: Callable[..., None]) -> Callable[..., None]:
    """An attribute that is in its wire form goes out as it is: moto looks for each of its ten types by six names."""

    def serialize(self: Any, serialized: dict[str, Any], value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue" and key and plain(value):
            serialized[self.get_serialized_name(shape, key)] = value
        else:
            whole(self, serialized, value, shape, key)

    return serialize


def _narrowed(whole: Callable[..., Any]) -> Callable[..., Any]:
    """A query of an index sees the rows of its partition alone: moto sorts the whole table first, and each time."""
    signature = inspect.signature(whole)

    def query(*given: Any, **named: Any) -> Any:
        asked = signature.bind(*given, **named).arguments
        table, conditions = asked["self"], asked.get("hash_key_conditions")
        if asked.get("index_name") and conditions and not table.range_key_attr and conditions[0][1].type == "S":
            name, text = conditions[0][0], conditions[0][1].value
            narrow = copy.copy(table)
            narrow.items = {
                key: item
                for key, item in table.items.items()
                if (there := item.attrs.get(name)) and there.value == text and there.type == "S"
            }
            return whole(narrow, *given[1:], **named)
        return whole(*given, **named)

    return query


def remembered(draw: Callable[..., Any]) -> Callable[..., Any]:
    """`draw` of the sandbox, which is a pure function of bytes and fields: the same picture is drawn once."""
    known: dict[tuple[str, bytes, str, bytes], Any] = {}

    def drawn(model: str, photo: bytes, fields: Mapping[str, Any], reference: bytes = b"") -> Any:
        told = {name: value for name, value in fields.items() if not name.endswith("url")}  # where the bytes came from
        key = model, photo, json.dumps(told, sort_keys=True, default=str), reference
        if key not in known:
            made = draw(model, photo, fields, reference)
            while len(known) >= DRAWINGS:
                del known[next(iter(known))]
            known[key] = made
        return known[key]

    return drawn


@contextmanager
def moto() -> Iterator[None]:
    """While inside, servers of moto that are begun are so, and little rubbish is looked for."""
    from moto.moto_server import werkzeug_app  # noqa: PLC0415 - a second of imports

    with quickened(), uncollected(), pytest.MonkeyPatch.context() as patch:
        quick = direct(werkzeug_app.DomainDispatcherApplication)
        patch.setattr(werkzeug_app, "DomainDispatcherApplication", quick)
        yield


@contextmanager
def keeping_connections() -> Iterator[None]:
    """While inside, servers of moto that are begun keep connections."""
    from moto.moto_server import werkzeug_app  # noqa: PLC0415 - a second of imports

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(werkzeug_app, "MotoRequestHandler", kept_alive(werkzeug_app.MotoRequestHandler))
        yield


@contextmanager
def uncollected() -> Iterator[None]:
    """While inside, what was there before is not looked through for rubbish each time."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(RUBBISH, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def direct(base: type[Any]) -> type[Any]:
    """A WSGI application like `base` (moto's) whose services with one route are not looked for along Flask's."""
    from moto.dynamodb.responses import DynamoHandler  # noqa: PLC0415 - a second of imports
    from moto.moto_server.werkzeug_app import BackendRequest  # noqa: PLC0415 - the same
    from moto.secretsmanager.responses import SecretsManagerResponse  # noqa: PLC0415 - the same
    from moto.sqs.responses import SQSResponse  # noqa: PLC0415 - the same
    from werkzeug.exceptions import HTTPException  # noqa: PLC0415 - with moto
    from werkzeug.wrappers import Response  # noqa: PLC0415 - the same

    handlers: dict[str, Any] = {
        "DynamoDB_20120810": DynamoHandler,
        "secretsmanager": SecretsManagerResponse,
        "AmazonSQS": SQSResponse,
    }

    class Direct(base):  # type: ignore[misc] # moto's, which has no types
        def __call__(self, environ: Any, start_response: Any) -> Any:
            """Answer one request."""
            handler = handlers.get(environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[0])
            if handler is None or environ["PATH_INFO"] != "/":
                return super().__call__(environ, start_response)
            request = BackendRequest(environ)
            try:
                status, headers, body = handler.dispatch(request, request.raw_url, dict(request.headers))
            except HTTPException as error:
                return error.get_response(environ)(environ, start_response)
            return Response(body, status, headers)(environ, start_response)

    return Direct


def kept_alive(base: type[Any]) -> type[Any]:
    """A request handler like `base` (moto's, on werkzeug) that keeps connections.

    werkzeug ends each, and what a connection and its thread cost is half of a life.
    """

    class Handler(base):  # type: ignore[misc] # moto's, which has no types
        def run_wsgi(self) -> None:
            """Answer one request, in one write."""
            if "Transfer-Encoding" in self.headers:
                super().run_wsgi()
                self.close_connection = True
                return
            if self.headers.get("Expect", "").lower() == "100-continue":
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                self.wfile.flush()
            environ = self.make_environ()
            environ["wsgi.input"] = io.BytesIO(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            told: list[Any] = []
            body = b"".join(self.server.app(environ, lambda *given: told.extend(given)))
            self.send_response(int(told[0].split(None, 1)[0]), told[0].partition(" ")[2])
            for name, value in told[1]:
                self.send_header(name, value)
            if "content-length" not in {name.lower() for name, _ in told[1]}:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        wbufsize = -1

    return Handler
