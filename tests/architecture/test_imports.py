"""The rules that keep the tree readable: what a file's name says it may touch, and which folder may know which."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COLLECTOR = ROOT / "collector" / "outlay_collector"
DASHBOARD = ROOT / "dashboard" / "outlay_dashboard"
SDK = ROOT / "sdk" / "outlay"

# Names of files that stand at an edge; every other module is pure.
EDGES = {
    "store",
    "api",
    "jobs",
    "app",
    "worker",
    "serving",
    "connections",
    "state",
    "process",
    "settings",
    "engine",
    "migrate",
    "embedded",
    "committer",
    "grpc_api",
    "sender",
}
EDGE_FOLDERS = {"cli", "up", "doctor", "demo", "tables"}
IO = {
    "sqlalchemy",
    "psycopg",
    "psycopg_pool",
    "fastapi",
    "starlette",
    "uvicorn",
    "httpcore",
    "httpx",
    "smtplib",
    "procrastinate",
    "requests",
    "socket",
    "subprocess",
    "alembic",
    "grpc",
}

# Each folder may import those after it, never one before.
ORDER = ("receive", "calls", "pricing", "ledger", "db")
ABOVE_THE_LEDGER = {"units", "gpu", "budgets", "alerts", "suggestions", "bills", "costs", "export", "access"}


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imported_by(path: Path) -> set[str]:
    """Absolute names of everything a module imports at any depth of its code."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def tops(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def folder_of(path: Path) -> str:
    parts = path.relative_to(COLLECTOR).parts
    return parts[0] if len(parts) > 1 else ""


def is_pure(path: Path) -> bool:
    parts = path.relative_to(COLLECTOR).parts
    return path.stem not in EDGES and not EDGE_FOLDERS.intersection(parts[:-1])


@pytest.mark.parametrize(
    "path", [p for p in modules(COLLECTOR) if is_pure(p)], ids=lambda p: str(p.relative_to(COLLECTOR))
)
def test_plain_modules_do_no_io(path: Path) -> None:
    assert tops(imported_by(path)).isdisjoint(IO)


@pytest.mark.parametrize(
    "path", [p for p in modules(COLLECTOR) if p.stem == "store"], ids=lambda p: str(p.relative_to(COLLECTOR))
)
def test_stores_know_the_database_and_not_the_web(path: Path) -> None:
    assert tops(imported_by(path)).isdisjoint({"fastapi", "starlette", "httpx", "procrastinate"})


@pytest.mark.parametrize(
    "path", [p for p in modules(COLLECTOR) if p.stem == "api"], ids=lambda p: str(p.relative_to(COLLECTOR))
)
def test_apis_hold_no_sql(path: Path) -> None:
    strings = [
        n.value
        for n in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    ]
    assert not [
        text for text in strings if text.lstrip().upper().startswith(("SELECT ", "INSERT ", "UPDATE ", "DELETE "))
    ]


@pytest.mark.parametrize(
    "path", [p for p in modules(COLLECTOR) if folder_of(p) in ORDER], ids=lambda p: str(p.relative_to(COLLECTOR))
)
def test_folders_depend_downward(path: Path) -> None:
    """``receive`` → ``calls`` → ``pricing`` → ``ledger`` → ``db``. The edges may also ask ``access`` who is there."""
    mine = folder_of(path)
    forbidden = set(ORDER[: ORDER.index(mine)]) | ABOVE_THE_LEDGER
    if path.stem in ("api", "grpc_api", "door"):
        forbidden -= {"access"}
    # The day partitions' columns are the tables' own business, wherever they are used.
    found = {
        name.split(".")[1] for name in imported_by(path) if name.startswith("outlay_collector.") and name.count(".") > 1
    }
    assert found.isdisjoint(forbidden)


@pytest.mark.parametrize("path", modules(SDK), ids=lambda p: str(p.relative_to(SDK)))
def test_the_sdk_imports_nothing_of_the_server(path: Path) -> None:
    assert tops(imported_by(path)).isdisjoint({"outlay_collector", "outlay_dashboard"})


@pytest.mark.parametrize("path", modules(DASHBOARD), ids=lambda p: str(p.relative_to(DASHBOARD)))
def test_the_dashboard_knows_the_api_only(path: Path) -> None:
    assert tops(imported_by(path)).isdisjoint({"outlay_collector", "outlay", "sqlalchemy", "psycopg"})


@pytest.mark.parametrize(
    "path", [p for p in modules(COLLECTOR) if folder_of(p) != "demo"], ids=lambda p: str(p.relative_to(COLLECTOR))
)
def test_the_server_imports_nothing_of_the_sdk(path: Path) -> None:
    """But for the demo, which is a user of it."""
    assert "outlay" not in tops(imported_by(path))


def starts_processes(path: Path) -> bool:
    """Whoever starts a process makes its environment, and so touches the own one."""
    return bool(EDGE_FOLDERS.intersection(path.relative_to(COLLECTOR).parts)) or path.stem == "embedded"


@pytest.mark.parametrize(
    "path",
    [p for p in modules(COLLECTOR) if p.name != "settings.py" and not starts_processes(p)],
    ids=lambda p: str(p.relative_to(COLLECTOR)),
)
def test_settings_are_read_in_one_place(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "os.environ" not in text
    assert "getenv" not in text
