"""``python -m tests.mutants [WORD...]``: make each mistake of the table in a copy, and see the tests named for it fail.

Words choose mutants by their names. Exit code 1 when a mutant survives, when its place is not found any more, or when
the tests are not green without any.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.mutants.table import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("collector", "sdk", "dashboard")
PATIENCE_SECONDS = 300
"""For the tests of one mutant: some only notice by waiting in vain."""

PASSED, FAILED = 0, 1  # exit codes of pytest; every other one means that nothing was tested


def main(words: list[str]) -> int:
    chosen = [mutant for mutant in MUTANTS if not words or any(word in mutant.name for word in words)]
    console = Console()
    table = Table("mutant", "verdict", "seconds", "killed by", title=f"{len(chosen)} mutants")
    survived = 0
    with tempfile.TemporaryDirectory(prefix="outlay-mutants-") as folder:
        copy = Path(folder) / "outlay"
        copy_of_the_tree(copy)
        every_test = list(dict.fromkeys(test for mutant in chosen for test in mutant.killed_by))
        console.print(f"Without any mutant: {len(every_test)} tests …")
        if (problem := unmutated(copy, every_test)) is not None:
            console.print(problem, markup=False)
            return 1
        for mutant in chosen:
            began = time.monotonic()
            verdict = try_out(copy, mutant)
            survived += verdict != "killed"
            names = ", ".join(test.rpartition("::")[2] for test in mutant.killed_by)
            table.add_row(mutant.name, verdict, f"{time.monotonic() - began:.0f}", re.sub(r"\[", r"\\[", names))
            console.print(f"{verdict:10} {mutant.name}", markup=False)
    console.print(table)
    console.print(f"{len(chosen) - survived} of {len(chosen)} killed")
    return 1 if survived else 0


def copy_of_the_tree(copy: Path) -> None:
    """All files that git knows of or would, as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():  # a file that was deleted is still listed until that is committed
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)


def unmutated(copy: Path, tests: list[str]) -> str | None:
    """What is wrong without any mutant; ``None`` when all is well."""
    where = "import outlay, outlay_collector as c; print(outlay.__file__, c.__file__)"
    imported = subprocess.run(
        [sys.executable, "-c", where], cwd=copy, env=environment(copy), check=True, capture_output=True, text=True
    )
    if any(not place.startswith(str(copy)) for place in imported.stdout.split()):
        return f"The tests would not import the copy but {imported.stdout}."
    code, said = run(copy, tests, patience=20 * 60)
    return None if code == PASSED else f"Not green without any mutant:\n{said}"


def try_out(copy: Path, mutant: Mutant) -> str:
    """``killed``, or what is wrong."""
    path = copy / mutant.file
    before = path.read_text(encoding="utf-8")
    found = before.count(mutant.instead_of)
    if found != 1:
        return f"its place was found {found} times in {mutant.file}: correct the table"
    path.write_text(before.replace(mutant.instead_of, mutant.now), encoding="utf-8")
    try:
        for test in mutant.killed_by:
            code, said = run(copy, [test], patience=PATIENCE_SECONDS)
            if code == PASSED:
                return f"SURVIVED {test}"
            if code != FAILED:
                return f"could not be tried (exit code {code}): {said[-2000:]}"
    finally:
        path.write_text(before, encoding="utf-8")
    return "killed"


def run(copy: Path, tests: list[str], *, patience: float) -> tuple[int, str]:
    """pytest's exit code and what it said. Too slow counts as failed: a test that waits in vain has noticed."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=copy, env=environment(copy), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = FAILED
        output.seek(0)
        return code, output.read().decode(errors="replace")[-6000:]


def environment(copy: Path) -> dict[str, str]:
    """The copy's packages come before those of the environment; no compiled file may survive a change."""
    paths = os.pathsep.join(str(copy / package) for package in PACKAGES)
    return os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
