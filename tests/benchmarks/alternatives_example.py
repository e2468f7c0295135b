"""The job as the providers' own examples do it, as one function: post, ask until it is done, fetch, store.

What the pages of Runflow show (POST /v1/models/bria/background/remove/runs, then GET /v1/runs/{id}), put behind an S3
event and nothing more. Promises nothing: a crash between the POST and the upload has been paid for in vain, the same
event twice is paid for twice, and nobody counts how many run at a time. It is here to be compared with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

MODEL = "bria/background/remove"
POLL_SECONDS = 2.0
MOST_POLLS = 120
LINK_SECONDS = 3600


def handle(
    event: dict[str, Any],
    *,
    s3: Any,
    http: httpx.Client,
    api: str,
    key: str,
    bucket: str,
    sleep: Callable[[float], None],
) -> str:
    """Take an S3 event; the key of the result in `bucket`.

    Raises:
        httpx.HTTPError: the provider refused, or could not be reached.
        TimeoutError: the run did not end.
    """
    dropped = event["Records"][0]["s3"]
    source = {"Bucket": dropped["bucket"]["name"], "Key": dropped["object"]["key"]}
    link = s3.generate_presigned_url("get_object", Params=source, ExpiresIn=LINK_SECONDS)
    headers = {"Authorization": f"Bearer {key}"}
    created = http.post(f"{api}/v1/models/{MODEL}/runs", headers=headers, json={"input": {"image_url": link}})
    run_id = created.raise_for_status().json()["id"]
    for _ in range(MOST_POLLS):
        sleep(POLL_SECONDS)
        run = http.get(f"{api}/v1/runs/{run_id}", headers=headers).raise_for_status().json()
        if run["status_code"] in {"succeeded", "failed", "cancelled"}:
            break
    else:
        raise TimeoutError(run_id)
    picture = http.get(run["output"]["outputs"][0]["url"]).raise_for_status()
    target = f"{source['Key']}.cutout.png"
    s3.put_object(Bucket=bucket, Key=target, Body=picture.content, ContentType=picture.headers["content-type"])
    return target
