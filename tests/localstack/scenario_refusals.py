"""Drops that are wrong: told in an error file, paid for by nobody, mended by dropping again."""

from hosted.stage import Stage


def test_a_bad_spec_is_answered_with_an_error_file_which_goes_when_it_is_mended(stage: Stage) -> None:
    """A misspelt field is told with its line and what was meant; the mended spec brings the result."""
    key = stage.key("refused", "bottle")
    error = f"{key}.error.json"
    stage.drop(key, stage.photo("bottle"))
    stage.drop(f"{key}.yaml", "model: runflow/background-color\ninput:\n  colour_red: 240\n")
    stage.wait("the error file comes", lambda: error in stage.results("refused/"))
    told = stage.document(error)
    assert told["paid"] is False
    assert any("color_red" in problem["message"] + problem["action"] for problem in told["problems"])
    assert any("line 3" in problem["where"] for problem in told["problems"]), told
    assert stage.jobs(key) == []
    stage.drop(
        f"{key}.yaml", "model: runflow/background-color\ninput: {color_red: 240, color_green: 0, color_blue: 0}\n"
    )
    (job,) = stage.succeeded(key)
    assert stage.paid(job["job_id"]) == 1
    stage.wait("the error file goes", lambda: error not in stage.results("refused/"))


def test_a_photo_that_is_none_is_answered_with_an_error_file(stage: Stage) -> None:
    """A file that only calls itself a photo is refused before anything is paid."""
    stage.drop("not/photo.jpg", "this is no photo")
    stage.drop("not/photo.jpg.yaml", "model: bria/background/remove\n")
    stage.wait("the error file comes", lambda: "not/photo.jpg.error.json" in stage.results("not/"))
    assert stage.jobs("not/photo.jpg") == []


def test_a_photo_that_is_deleted_is_waited_for_no_longer(stage: Stage) -> None:
    """Deleting a photo that waits for its spec takes its row away, by S3's own event."""
    key = stage.key("deleted", "bottle")
    stage.drop(key, stage.photo("bottle"))
    stage.wait("it waits", lambda: _waiting(stage, key))
    stage.s3.delete_object(Bucket=stage.deployed.outputs["InputBucketName"], Key=key)
    stage.wait("it is forgotten", lambda: not _waiting(stage, key))


def _waiting(stage: Stage, key: str) -> bool:
    return any(row.get("key") == key for row in stage.rows() if row["job_id"].startswith("drop#"))
