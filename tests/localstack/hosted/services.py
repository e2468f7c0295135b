"""LocalStack's plug-ins beside the executor: tables in the moto that it brings along, and a known id for the API.

Its own choice for DynamoDB is a Java program that it would download first. An API's id is otherwise random, and the
URL under which LocalStack serves it could only be told to the functions by a second deploy.
"""

from localstack.aws.api.dynamodb import DynamodbApi
from localstack.runtime import hooks
from localstack.services.moto import MotoFallbackDispatcher
from localstack.services.plugins import Service, aws_provider
from localstack.utils.id_generator import localstack_id_manager
from moto.apigateway.utils import ApigwRestApiIdentifier

from hosted.server import ACCOUNT, API_ID, REGION, STACK


@hooks.on_infra_start()
def name_callback_api() -> None:
    """Found by LocalStack when it starts."""
    api = ApigwRestApiIdentifier(ACCOUNT, REGION, f"{STACK}-callbacks")
    localstack_id_manager.set_custom_id(api, API_ID)


class DynamodbProvider(DynamodbApi):
    """Every call is moto's."""


@aws_provider(api="dynamodb", name="moto")
def dynamodb() -> Service:
    """Found by LocalStack as PROVIDER_OVERRIDE_DYNAMODB=moto."""
    return Service.for_provider(DynamodbProvider(), dispatch_table_factory=MotoFallbackDispatcher)
