"""What runs on a Mac as it comes: its make is 3.81, its tools are BSD's, its sh is no bash.

Nobody here has one, so plainness is what can be tested: nothing that only GNU has.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

MAKEFILES = ("Makefile", "layers/backdrop/Makefile")
GNU_ONLY = {
    r"\bsed\b[^|;&]*\s-i(?!\s*'')": "sed -i wants a suffix on a Mac",
    r"\bsed\b[^|;&]*\s-r\b": "sed -E is the plain one",
    r"(?<!implementation )\b(cp|mv|ln)\b[^|;&]*\s(--\w|-t\b|-T\b|-r?a\b)": "no long options, no -a, no -t",
    r"\breadlink\s+-f": "older Macs have no readlink -f",
    r"\brealpath\b": "older Macs have none",
    r"\bgrep\b[^|;&]*\s-\w*P": "no Perl expressions",
    r"\bdate\b[^|;&]*\s(-d|--date)": "BSD's date has another -d",
    r"\bfind\b[^|;&]*\s-(printf|regextype|readable|executable)\b": "GNU find's",
    r"\bfind\s+-": "BSD's find wants a folder first",
    r"\bxargs\b[^|;&]*\s(-r|-d|--\w)": "GNU xargs's",
    r"\b(sha256sum|md5sum|nproc|timeout|tac|stat\s+-c|mktemp\s+-p|seq|setsid|flock)\b": "not on a Mac",
    r"\bsort\b[^|;&]*\s-\w*V": "sort -V",
    r"\b(head|tail)\s+(-n\s*-\d|--\w)": "GNU's",
    r"\btouch\b[^|;&]*\s(-d|--date)": "touch -t is the plain one",
    r"\becho\s+-[en]": "printf is the plain one",
}
BASH_ONLY = {
    r"\[\[": "[[ … ]] is bash's",
    r"(?<!\$)\$\$\{\w+(\^\^?|,,?|//?[^}])": "bash's expansions",
    r"<\(": "process substitution is bash's",
    r"<<<": "a here-string is bash's",
    r"&>": "&> is bash's",
    r"\bfunction\s+\w+\s*\{": "name() is the plain one",
    r"\bsource\s": ". is the plain one",
    r"\bset\s+-\w*o\s+pipefail": "bash's",
}
AFTER_3_81 = {
    r"^\.ONESHELL": "3.82",
    r"^\s*\w+\s*!=": "4.0",
    r"\$\(file\s": "4.0",
    r"\$\(guile\s": "4.0",
    r"^\s*\w+\s*:::?=": "4.0",
    r"^\s*undefine\s": "3.82",
    r"^\s*private\s": "3.82",
    r"&:": "grouped targets, 4.3",
    r"\$\(let\s|\$\(intcmp\s": "4.4",
    r"^\s*define\s+\w+\s*=": "3.82",
    r"^\.NOTPARALLEL:\s*\w": "4.4",
    r"\.EXTRA_PREREQS|\.SHELLFLAGS|\.WAIT\b": "3.82 and later",
    r"--output-sync|-O\b(?=.*\$\(MAKE\))": "4.0",
}
RULES = GNU_ONLY | BASH_ONLY | AFTER_3_81
BREAKS = [  # a line for each that a rule must see
    "sed -i s/a/b/ file",
    "cp --parents a b",
    "cp -a a b",
    "readlink -f .",
    "grep -oP 'x' file",
    "date -d yesterday",
    "find . -printf %p",
    "find -name x",
    "ls | xargs -r rm",
    "sha256sum file",
    "echo -n x",
    "if [[ -f x ]]; then",
    "set -euo pipefail",
    ".ONESHELL:",
    "NOW != date",
    "$(file >x,y)",
    "a b &: c",
]


def broken(text: str) -> list[str]:
    """Each rule that a line breaks, with the line; comments are let be."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [f"{line.strip()}: {why}" for line in lines for rule, why in RULES.items() if re.search(rule, line)]


@pytest.mark.parametrize("name", MAKEFILES)
def test_the_makefiles_are_plain(root: Path, name: str) -> None:
    """No option that only GNU's tools know, nothing of bash, nothing that make 3.81 does not know."""
    assert broken((root / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("line", BREAKS)
def test_what_is_not_plain_is_seen(line: str) -> None:
    """Each of these would fail on a Mac, and is found."""
    assert broken(line)


def test_recipes_run_in_any_sh(root: Path) -> None:
    """What make hands to sh is read by one that is not bash (dash, where there is one), without running it."""
    shell = shutil.which("dash") or "sh"
    make = shutil.which("make") or "make"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    for folder, target in ((root, "help"), (root, "clean"), (root, "findings"), (root / "layers/backdrop", "install")):
        command = [make, "-n", "-B", "-o", ".venv/.ready", target, "ARTIFACTS_DIR=/tmp/nowhere"]
        told = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stderr
        read = subprocess.run([shell, "-n"], input=told.stdout, capture_output=True, text=True, check=False)
        assert read.returncode == 0, read.stderr
