"""What the functions' AWS clients are made by: botocore with service models that hold only what this library asks for.

Promises the requests and replies of boto3's clients, made in a third of their time: reading AWS's whole service models
and looking through four hundred folders for them is most of what a client costs, in every cold start. The models are
botocore's own, less what is not asked for; whatever is not among them is read where botocore has it. Refuses every
other service by its name; another operation is not there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, override

import botocore.loaders
import botocore.session

if TYPE_CHECKING:
    from botocore.config import Config

MODELS = Path(__file__).parent / "service_models"  # written by `make docs` out of the botocore that is installed
OPERATIONS = {
    "dynamodb": ("BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"),
    "s3": (
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "CreateMultipartUpload",
        "DeleteObject",
        "GetObject",
        "HeadObject",
        "ListObjectsV2",
        "PutObject",
        "UploadPart",
    ),
    "secretsmanager": ("GetSecretValue",),
    "sqs": ("SendMessage", "SendMessageBatch"),
}


class _Loader(botocore.loaders.Loader):
    """Finds the models here first."""

    def __init__(self) -> None:
        super().__init__(extra_search_paths=[str(MODELS)])

    @override
    def list_available_services(self, type_name: str) -> list[str]:
        return list(OPERATIONS)

    @override
    def is_builtin_path(self, path: str) -> bool:
        """Whether it is AWS's own: botocore would believe a user's endpoints more than the services' rules."""
        return path.startswith(str(MODELS)) or bool(super().is_builtin_path(path))


class Session:
    """Makes clients as boto3's session does; `core` is botocore's."""

    def __init__(self) -> None:
        self.core = botocore.session.Session()
        self.core.register_component("data_loader", _Loader())

    def client(self, service: str, *, config: Config | None = None) -> Any:
        """A client of one of OPERATIONS' services."""
        return self.core.create_client(service, config=config)
