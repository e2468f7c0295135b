"""What IAM asks for when an AWS API is called: the action under its own name, and the ARN that it is asked about.

Promises IAM's view where it differs from the API's: a HEAD is a read, a read by version is an action of its own, the
parts of an upload are writes, a tag or an ACL given along is an action more, an index has its own ARN, a transaction is
its members. Refuses an operation that it does not know (`Unmapped`): nobody may guess what a role needs. Pure.

The names are those of the Service Authorization Reference and of each operation's own page:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from backdrop_cli.parts import Place

type Asked = tuple[str, str]  # action, ARN


class Unmapped(LookupError):
    """An operation of which this module does not know what IAM asks."""


_READS = {  # operation -> the action for the current version, and for a version that is named
    "GetObject": ("s3:GetObject", "s3:GetObjectVersion"),
    "HeadObject": ("s3:GetObject", "s3:GetObjectVersion"),
    "DeleteObject": ("s3:DeleteObject", "s3:DeleteObjectVersion"),
    "GetObjectTagging": ("s3:GetObjectTagging", "s3:GetObjectVersionTagging"),
    "PutObjectTagging": ("s3:PutObjectTagging", "s3:PutObjectVersionTagging"),
}
_WRITES = {
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "ListParts": "s3:ListMultipartUploadParts",
}
_ALONG = {  # what may be given along with a write
    "Tagging": "s3:PutObjectTagging",
    "ACL": "s3:PutObjectAcl",
    "GrantFullControl": "s3:PutObjectAcl",
    "GrantRead": "s3:PutObjectAcl",
    "GrantReadACP": "s3:PutObjectAcl",
    "GrantWriteACP": "s3:PutObjectAcl",
    "ObjectLockMode": "s3:PutObjectRetention",
    "ObjectLockLegalHoldStatus": "s3:PutObjectLegalHold",
}
_OF_BUCKETS = {
    "ListObjects": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "HeadBucket": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
}
_OF_TABLES = {"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "DescribeTable"}
_IN_TRANSACTIONS = {
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
_OF_QUEUES = {
    "SendMessage": "sqs:SendMessage",
    "SendMessageBatch": "sqs:SendMessage",
    "ReceiveMessage": "sqs:ReceiveMessage",
    "DeleteMessage": "sqs:DeleteMessage",
    "DeleteMessageBatch": "sqs:DeleteMessage",
    "ChangeMessageVisibility": "sqs:ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "GetQueueAttributes": "sqs:GetQueueAttributes",
    "PurgeQueue": "sqs:PurgeQueue",
}
_OF_SECRETS = {"GetSecretValue", "DescribeSecret", "PutSecretValue"}


def asked(service: str, operation: str, params: Mapping[str, Any], place: Place) -> tuple[Asked, ...]:
    """What IAM asks for one call with these parameters, as boto3 takes them.

    Raises:
        Unmapped: the operation is not among those known here.
    """
    known: dict[str, Callable[[str, Mapping[str, Any], Place], Iterator[Asked]]] = {
        "s3": _s3,
        "dynamodb": _dynamodb,
        "sqs": _sqs,
        "secretsmanager": _secrets,
    }
    found = tuple(known[service](operation, params, place)) if service in known else ()
    if not found:
        raise Unmapped(f"{service}:{operation}")
    return found


def _s3(operation: str, params: Mapping[str, Any], _: Place) -> Iterator[Asked]:
    bucket = f"arn:aws:s3:::{params.get('Bucket', '')}"
    there = f"{bucket}/{params.get('Key', '')}"
    if operation in _OF_BUCKETS:
        yield _OF_BUCKETS[operation], bucket
    elif operation in _READS:
        yield _READS[operation][bool(params.get("VersionId"))], there
    elif operation in _WRITES:
        yield _WRITES[operation], there
        yield from _along(params, there)
    elif operation in {"CopyObject", "UploadPartCopy"}:
        yield from _copied(params, there)
        yield from _along(params, there)
    elif operation == "DeleteObjects":
        for one in params["Delete"]["Objects"]:
            yield _READS["DeleteObject"][bool(one.get("VersionId"))], f"{bucket}/{one['Key']}"


def _along(params: Mapping[str, Any], there: str) -> Iterator[Asked]:
    yield from dict.fromkeys((action, there) for name, action in _ALONG.items() if params.get(name))


def _copied(params: Mapping[str, Any], to: str) -> Iterator[Asked]:
    """Reading a copy's source and writing it; its tags go along unless they are replaced."""
    source = params["CopySource"]
    if isinstance(source, str):
        parts = urlsplit(f"//{source.lstrip('/')}")
        version = parse_qs(parts.query).get("versionId", [""])[0]
        source = {"Bucket": parts.netloc, "Key": unquote(parts.path[1:]), "VersionId": version}
    there, named = f"arn:aws:s3:::{source['Bucket']}/{source['Key']}", bool(source.get("VersionId"))
    yield _READS["GetObject"][named], there
    yield "s3:PutObject", to
    if "PartNumber" not in params and params.get("TaggingDirective") != "REPLACE":
        yield _READS["GetObjectTagging"][named], there
        yield "s3:PutObjectTagging", to


def _dynamodb(operation: str, params: Mapping[str, Any], place: Place) -> Iterator[Asked]:
    def of(name: str) -> str:
        return name if name.startswith("arn:") else place.arn("dynamodb", f"table/{name}")

    if operation in _OF_TABLES:
        index = f"/index/{params['IndexName']}" if params.get("IndexName") else ""
        yield f"dynamodb:{operation}", of(params["TableName"]) + index
    elif operation in {"BatchGetItem", "BatchWriteItem"}:
        for name in params["RequestItems"]:
            yield f"dynamodb:{operation}", of(name)
    elif operation in {"TransactWriteItems", "TransactGetItems"}:
        for member in params["TransactItems"]:
            ((verb, one),) = member.items()
            yield f"dynamodb:{_IN_TRANSACTIONS[verb]}", of(one["TableName"])


def _sqs(operation: str, params: Mapping[str, Any], place: Place) -> Iterator[Asked]:
    if operation in _OF_QUEUES:
        yield _OF_QUEUES[operation], place.arn("sqs", params["QueueUrl"].rpartition("/")[2])


def _secrets(operation: str, params: Mapping[str, Any], place: Place) -> Iterator[Asked]:
    if operation in _OF_SECRETS:
        name = params["SecretId"]
        arn = name if name.startswith("arn:") else place.arn("secretsmanager", f"secret:{name}")
        yield f"secretsmanager:{operation}", arn
