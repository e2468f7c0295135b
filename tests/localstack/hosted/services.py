"""LocalStack's plug-in that keeps DynamoDB's tables in the moto it brings along.

Its own choice, DynamoDB Local, is a Java program that it would download first.
"""

from localstack.aws.api.dynamodb import DynamodbApi
from localstack.services.moto import MotoFallbackDispatcher
from localstack.services.plugins import Service, aws_provider


class DynamodbProvider(DynamodbApi):
    """Every call is moto's."""


@aws_provider(api="dynamodb", name="moto")
def dynamodb() -> Service:
    """Found by LocalStack as PROVIDER_OVERRIDE_DYNAMODB=moto."""
    return Service.for_provider(DynamodbProvider(), dispatch_table_factory=MotoFallbackDispatcher)
