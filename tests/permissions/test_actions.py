"""What IAM asks for each call, where its words are not the API's; and how its patterns are read."""

from __future__ import annotations

from typing import Any

import pytest
from iam_actions import Unmapped, asked
from iam_policies import fits

from backdrop_cli.parts import Place

PLACE = Place("https://aws.example.test", region="eu-central-1", account="123456789012")
THERE = {"Bucket": "b", "Key": "k/ä b"}
ROWS = "arn:aws:dynamodb:eu-central-1:123456789012:table/t"
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:q"
URL = {"QueueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/q"}
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:s-AbCdEf"


def of(action: str, resource: str = "arn:aws:s3:::b/k/ä b") -> tuple[str, str]:
    """One thing that is asked for, of the object unless told otherwise."""
    return action, resource


@pytest.mark.parametrize(
    ("service", "operation", "params", "expected"),
    [
        ("s3", "GetObject", THERE, [of("s3:GetObject")]),
        ("s3", "HeadObject", THERE, [of("s3:GetObject")]),
        ("s3", "GetObject", {**THERE, "VersionId": "v1"}, [of("s3:GetObjectVersion")]),
        ("s3", "HeadObject", {**THERE, "VersionId": "v1"}, [of("s3:GetObjectVersion")]),
        ("s3", "DeleteObject", THERE, [of("s3:DeleteObject")]),
        ("s3", "DeleteObject", {**THERE, "VersionId": "v1"}, [of("s3:DeleteObjectVersion")]),
        (
            "s3",
            "DeleteObjects",
            {"Bucket": "b", "Delete": {"Objects": [{"Key": "x"}, {"Key": "y", "VersionId": "v1"}]}},
            [of("s3:DeleteObject", "arn:aws:s3:::b/x"), of("s3:DeleteObjectVersion", "arn:aws:s3:::b/y")],
        ),
        ("s3", "PutObject", THERE, [of("s3:PutObject")]),
        ("s3", "PutObject", {**THERE, "Tagging": "a=b"}, [of("s3:PutObject"), of("s3:PutObjectTagging")]),
        ("s3", "PutObject", {**THERE, "ACL": "private"}, [of("s3:PutObject"), of("s3:PutObjectAcl")]),
        ("s3", "CreateMultipartUpload", THERE, [of("s3:PutObject")]),
        ("s3", "UploadPart", {**THERE, "PartNumber": 1, "UploadId": "u"}, [of("s3:PutObject")]),
        ("s3", "CompleteMultipartUpload", {**THERE, "UploadId": "u"}, [of("s3:PutObject")]),
        ("s3", "AbortMultipartUpload", {**THERE, "UploadId": "u"}, [of("s3:AbortMultipartUpload")]),
        (
            "s3",
            "CopyObject",
            {**THERE, "CopySource": "src/x%20y?versionId=v1", "TaggingDirective": "REPLACE"},
            [of("s3:GetObjectVersion", "arn:aws:s3:::src/x y"), of("s3:PutObject")],
        ),
        (
            "s3",
            "CopyObject",
            {**THERE, "CopySource": {"Bucket": "src", "Key": "x"}},
            [
                of("s3:GetObject", "arn:aws:s3:::src/x"),
                of("s3:PutObject"),
                of("s3:GetObjectTagging", "arn:aws:s3:::src/x"),
                of("s3:PutObjectTagging"),
            ],
        ),
        ("s3", "ListObjectsV2", {"Bucket": "b", "Prefix": "k"}, [of("s3:ListBucket", "arn:aws:s3:::b")]),
        ("s3", "ListObjectVersions", {"Bucket": "b"}, [of("s3:ListBucketVersions", "arn:aws:s3:::b")]),
        ("dynamodb", "GetItem", {"TableName": "t"}, [of("dynamodb:GetItem", ROWS)]),
        ("dynamodb", "Query", {"TableName": "t"}, [of("dynamodb:Query", ROWS)]),
        ("dynamodb", "Query", {"TableName": "t", "IndexName": "i"}, [of("dynamodb:Query", f"{ROWS}/index/i")]),
        ("dynamodb", "BatchGetItem", {"RequestItems": {"t": {}}}, [of("dynamodb:BatchGetItem", ROWS)]),
        (
            "dynamodb",
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"TableName": "t"}}, {"ConditionCheck": {"TableName": ROWS}}]},
            [of("dynamodb:PutItem", ROWS), of("dynamodb:ConditionCheckItem", ROWS)],
        ),
        ("sqs", "SendMessageBatch", URL, [of("sqs:SendMessage", QUEUE)]),
        ("sqs", "DeleteMessageBatch", URL, [of("sqs:DeleteMessage", QUEUE)]),
        ("secretsmanager", "GetSecretValue", {"SecretId": SECRET}, [of("secretsmanager:GetSecretValue", SECRET)]),
    ],
)
def test_what_iam_asks_for(
    service: str, operation: str, params: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """Versions, tags, parts, copies, indexes, batches and transactions are asked about as IAM names them."""
    assert sorted(asked(service, operation, params, PLACE)) == sorted(expected)


@pytest.mark.parametrize(("service", "operation"), [("s3", "PutBucketPolicy"), ("kms", "Decrypt")])
def test_nobody_guesses(service: str, operation: str) -> None:
    """An operation that is not known is refused by name, until somebody says what IAM asks for it."""
    with pytest.raises(Unmapped, match=f"{service}:{operation}"):
        asked(service, operation, {}, PLACE)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/a/b.png", True),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b", False),
        ("arn:aws:s3:::b", "arn:aws:s3:::b/a", False),
        ("arn:aws:s3:::b/?.png", "arn:aws:s3:::b/a.png", True),
        ("arn:aws:s3:::b/[a].png", "arn:aws:s3:::b/a.png", False),
        ("arn:aws:s3:::B", "arn:aws:s3:::b", False),
        ("*", "anything", True),
    ],
)
def test_patterns(pattern: str, text: str, *, expected: bool) -> None:
    """A star is anything, a question mark any one character; nothing else is special, and case counts."""
    assert fits(pattern, text) is expected


def test_actions_have_no_case() -> None:
    """IAM compares actions without regard to case."""
    assert fits("S3:getObject", "s3:GetObject", case=False)
