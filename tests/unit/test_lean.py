"""The functions' clients are boto3's, less what the library does not ask for."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import DataNotFoundError, UnknownServiceError

import backdrop
from backdrop import lean
from backdrop.world import Clients, LeanClients
from backdrop_cli import service_models

LIBRARY = Path(backdrop.__file__).parent
SERVICES = {"s3": "s3", "dynamodb": "dynamodb", "sqs": "sqs", "secrets": "secretsmanager"}  # by the name in Clients


def test_the_models_are_those_of_the_installed_botocore() -> None:
    """The committed files are what `make docs` would write, and there is no other."""
    found = {str(path.relative_to(lean.MODELS)): path.read_text() for path in lean.MODELS.rglob("*") if path.is_file()}
    assert found == service_models.files()


def test_the_models_hold_what_the_library_asks_for() -> None:
    """Every operation of the library is there, and none that it does not name."""
    whole = botocore.session.get_session()
    named = {
        xform_name(operation): (service, operation)
        for service in lean.OPERATIONS
        for operation in whole.get_service_model(service).operation_names
    }
    asked = {
        named[node.func.attr]
        for file in LIBRARY.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in named
    }
    assert asked == {(service, name) for service, names in lean.OPERATIONS.items() for name in names}


@pytest.mark.parametrize("region", ["eu-central-1", "us-east-1", "cn-north-1", "us-gov-west-1", "xx-new-9"])
@pytest.mark.parametrize("name", SERVICES)
def test_they_ask_where_boto3_asks(monkeypatch: pytest.MonkeyPatch, region: str, name: str) -> None:
    """In every partition, and in a region that nobody has heard of, a client has the endpoint that boto3's has."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    ours: Any = getattr(LeanClients(), name)
    whole: Any = getattr(Clients(), name)
    assert ours.meta.endpoint_url == whole.meta.endpoint_url
    assert ours.meta.region_name == whole.meta.region_name
    assert ours.meta.partition == whole.meta.partition


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "cn-north-1"])
@pytest.mark.parametrize("bucket", ["photos", "photos.of.dots"])
def test_they_presign_as_boto3_does(monkeypatch: pytest.MonkeyPatch, region: str, bucket: str) -> None:
    """A presigned URL has the host, the path and the fields of boto3's."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    asked = {"Bucket": bucket, "Key": "a b.png", "VersionId": "v1"}
    ours, whole = (
        urlsplit(kind().s3.generate_presigned_url("get_object", Params=asked)) for kind in (LeanClients, Clients)
    )
    assert (ours.netloc, ours.path) == (whole.netloc, whole.path)
    assert [part.partition("=")[0] for part in ours.query.split("&")] == [
        part.partition("=")[0] for part in whole.query.split("&")
    ]


def test_what_is_not_there_is_read_where_botocore_has_it() -> None:
    """A file that a newer botocore asks for is found in its own folder."""
    loader = lean.Session().core.get_component("data_loader")
    assert loader.load_data("_retry") == botocore.session.get_session().get_component("data_loader").load_data("_retry")
    with pytest.raises(DataNotFoundError):
        loader.load_data("no such file")


def test_another_service_is_unknown() -> None:
    """A service that the library does not speak to is refused by name."""
    with pytest.raises(UnknownServiceError, match="ec2"):
        lean.Session().client("ec2")


def test_an_operation_that_botocore_does_not_know_is_refused() -> None:
    """A misspelt operation is not written into a model."""
    with pytest.raises(KeyError, match="GetThing"):
        service_models.model({"operations": {}, "shapes": {}}, ("GetThing",))
