"""The page of figures is made of what was measured."""

import report


def test_the_page_is_what_was_measured() -> None:
    """docs/performance.md is made of docs/performance.json and the texts beside the benchmarks; no plot is missing."""
    kept = report.read()
    assert report.PAGE.read_text(encoding="utf-8") == report.page(kept)
    assert all((report.DOCS / plot.file).is_file() for one in kept.values() for plot in one.section.plots)
