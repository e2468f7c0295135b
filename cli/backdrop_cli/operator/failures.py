"""What AWS refuses, as one sentence that says what to do.

Promises never to repeat what a reply quotes: its message may hold a key id or a signed request.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from backdrop.catalogue import closest

ERROR, BAD_INPUT, PERSON, INTERRUPTED = 1, 2, 3, 130


class Stopped(Exception):
    """The command ends with this sentence and this exit status."""

    def __init__(self, message: str, status: int = ERROR) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Where:
    """Where the user says the stack is; empty is what the environment and the AWS configuration say."""

    stack: str = "backdrop"
    region: str = ""
    profile: str = ""
    endpoint_url: str = ""

    def told(self) -> str:
        """The place in words, for a message."""
        place = f"region {self.region}" if self.region else "no region"
        return f"{place} at {self.endpoint_url}" if self.endpoint_url else place


_NOT_LET_IN = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "IncompleteSignature",
    }
)
_NOT_ALLOWED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AllAccessDisabled", "403"})
_MISSING = frozenset(
    {
        "ResourceNotFoundException",
        "NoSuchBucket",
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
    }
)
_BUSY = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "ServiceUnavailable",
        "InternalError",
        "InternalServerError",
        "500",
        "503",
    }
)


@contextmanager
def told(where: Where) -> Iterator[None]:
    """Raise whatever AWS's client raises as `Stopped`."""
    from botocore import exceptions, parsers  # noqa: PLC0415 - 100 ms, only when a command runs

    try:
        yield
    except exceptions.ClientError as error:
        raise Stopped(refused(where, error.response["Error"].get("Code", "?"), error.operation_name)) from None
    except exceptions.ProfileNotFound:
        raise Stopped(_no_profile(where.profile)) from None
    except exceptions.NoRegionError:
        raise Stopped("no AWS region is set: add --region NAME, or set AWS_DEFAULT_REGION") from None
    except (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.CredentialRetrievalError,
        exceptions.TokenRetrievalError,
        exceptions.SSOError,
        exceptions.UnauthorizedSSOTokenError,
    ):
        message = (
            "no AWS credentials that can be used were found: log in (aws configure, aws sso login), or name --profile"
        )
        raise Stopped(message) from None
    except (exceptions.HTTPClientError, exceptions.ConnectionError):
        place = where.endpoint_url or f"AWS in {where.told()}"
        hint = "is the stack running (backdrop up), and is --endpoint-url right?" if where.endpoint_url else ""
        raise Stopped(f"cannot reach {place}: {hint or 'is the region right, and is there a network?'}") from None
    except parsers.ResponseParserError:
        place = where.endpoint_url or f"AWS in {where.told()}"
        raise Stopped(f"{place} does not answer that question as AWS does: is --endpoint-url right?") from None
    except exceptions.BotoCoreError as error:
        raise Stopped(f"AWS's client gave up: {type(error).__name__}; see aws configure list") from None
    except ValueError as error:
        if "endpoint" not in str(error).lower():
            raise
        message = f"{where.endpoint_url} is not a URL: --endpoint-url takes one such as http://127.0.0.1:4599"
        raise Stopped(message, BAD_INPUT) from None


def refused(where: Where, code: str, operation: str) -> str:
    """The sentence for an error code of one of AWS's operations."""
    if code in _NOT_LET_IN:
        return f"AWS does not accept the credentials ({code}): log in again, or name another --profile"
    if code in _NOT_ALLOWED:
        return f"these credentials may not {operation} ({code}): ask for that permission, or name another --profile"
    if code in _MISSING:
        return (
            f"something that the stack {where.stack} names is not there ({operation}: {code}), in {where.told()}: "
            "was it deleted by hand? Deploy the stack again"
        )
    if code in _BUSY:
        return f"AWS is busy ({operation}: {code}): run the same command again in a minute"
    return f"AWS refused {operation} ({code}), in {where.told()}"


def _no_profile(name: str) -> str:
    import botocore.session  # noqa: PLC0415 - as above

    known = sorted(botocore.session.Session(profile=None).available_profiles)
    meant = closest(name, known)
    found = f"did you mean {meant}?" if meant else f"there are: {', '.join(known) or 'none'}"
    return f"there is no AWS profile {name or '(AWS_PROFILE)'}; {found}"
