"""What `sam build` makes without Docker: by uv or by pip the same bytes, nothing but what the functions import."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from arriving import without_the_internet
from building import FUNCTIONS, KINDS, LAYER, SAM, build_all, contents, files

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 9_000_000
MACHINES = {"aarch64": 0xB7, "x86_64": 0x3E}  # e_machine of ELF
NEVER_SHIPPED = {"boto3", "botocore", "s3transfer", "pytest", "moto", "pip", "setuptools", "bin", "tests", "test"}
# What a package of the layer needs only now and then, and is not imported by importing everything of ours.
IMPORTED_LATER = {
    "_yaml": "the name that yaml's compiled part had in older versions; a file of PyYAML",
}
IMPORTS_EVERYTHING = """
import importlib, json, pkgutil, sys
from importlib.util import module_from_spec, spec_from_file_location
import backdrop
for found in pkgutil.walk_packages(backdrop.__path__, "backdrop."):
    importlib.import_module(found.name)
for number, path in enumerate(sys.argv[1:]):
    spec = spec_from_file_location(f"handler_{number}", path)
    spec.loader.exec_module(module_from_spec(spec))
from backdrop import spec
import httpx
spec.parse(b"model: bria/background/remove", "a.png.yaml")
httpx.Client().close()
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The builds by kind; parallel workers of one run share them."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return build_all(shared / "builds")


@pytest.mark.timeout(500)
@pytest.mark.parametrize("kind", KINDS)
def test_a_function_holds_its_handler_alone(root: Path, built: dict[str, Path], kind: str) -> None:
    """Each function's zip is one file, as it stands in the checkout: everything else is the layer's."""
    for name in FUNCTIONS:
        folder = built[kind] / name
        assert list(contents(folder)) == ["app.py"]
        source = root / "functions" / name.removesuffix("Function").lower() / "app.py"
        assert (folder / "app.py").read_bytes() == source.read_bytes()


@pytest.mark.timeout(500)
def test_uv_and_pip_build_the_same_bytes(built: dict[str, Path]) -> None:
    """Two builds of one commit, in two folders, by two installers: every file the same, so that nothing is uploaded."""
    by_uv, by_pip = contents(built["uv"]), contents(built["pip"])
    assert {name for name in by_uv.keys() | by_pip.keys() if by_uv.get(name) != by_pip.get(name)} == set()
    assert len(by_uv) > 500


@pytest.mark.timeout(500)
@pytest.mark.parametrize("kind", KINDS)
def test_the_layer_is_small(built: dict[str, Path], tmp_path: Path, kind: str) -> None:
    """Under 9 MB zipped: what a cold start loads and what an upload costs."""
    folder = built[kind] / LAYER
    archive = tmp_path / "layer.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in files(folder):
            target.write(path, path.relative_to(folder))
    assert 1_000_000 < archive.stat().st_size < MOST_BYTES


@pytest.mark.timeout(500)
@pytest.mark.parametrize("kind", KINDS)
def test_the_layer_is_compiled_for_its_architecture(built: dict[str, Path], kind: str) -> None:
    """Every compiled library in it is for the processor that it is built for, whatever built it."""
    libraries = [path for path in files(built[kind] / LAYER) if path.suffix == ".so"]
    assert libraries
    for path in libraries:
        head = path.read_bytes()[:20]
        assert head[:4] == b"\x7fELF"
        assert struct.unpack("<H", head[18:20])[0] == MACHINES[KINDS[kind].architecture], path.name


@pytest.mark.timeout(500)
def test_the_layer_holds_only_what_the_functions_import(root: Path, built: dict[str, Path]) -> None:
    """No tests, no boto3, no tools: each package in it is imported by the library or a handler, or has its reason."""
    python = built["uv"] / LAYER / "python"
    assert [path.name for path in (built["uv"] / LAYER).iterdir()] == ["python"]
    packages = {
        path.name.removesuffix(".py")
        for path in python.iterdir()
        if path.suffix != ".dist-info" and path.name != "__pycache__"
    }
    assert not packages & NEVER_SHIPPED
    handlers = [str(root / "functions" / name.removesuffix("Function").lower() / "app.py") for name in FUNCTIONS]
    environment = {**os.environ, "PYTHONPATH": str(root / "layers" / "backdrop" / "src")}
    run = [sys.executable, "-c", IMPORTS_EVERYTHING, *handlers]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert packages - set(json.loads(done.stdout)) <= set(IMPORTED_LATER)


@pytest.mark.timeout(500)
def test_the_library_is_whole_and_has_no_tests(root: Path, built: dict[str, Path]) -> None:
    """Every module of the library is in the layer, compiled too, and no file that is none of it."""
    source = root / "layers" / "backdrop" / "src" / "backdrop"
    folder = built["uv"] / LAYER / "python" / "backdrop"
    there = {str(path.relative_to(folder)): path for path in files(folder)}
    wanted = {str(path.relative_to(source)): path for path in files(source) if path.suffix != ".pyc"}
    assert {name for name in there if not name.endswith(".pyc")} == set(wanted)
    assert all(there[name].read_bytes() == wanted[name].read_bytes() for name in wanted)
    compiled = [path.name.split(".")[0] for path in there.values() if path.suffix == ".pyc"]
    assert len(compiled) == len([name for name in wanted if name.endswith(".py")])


def test_sam_validates_the_template(root: Path, tmp_path: Path) -> None:
    """`sam validate --lint` finds nothing, without an account and without a region."""
    run: list[str | Path] = [SAM, "validate", "--lint"]
    environment = without_the_internet(tmp_path)
    done = subprocess.run(run, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is a valid SAM Template" in done.stdout
