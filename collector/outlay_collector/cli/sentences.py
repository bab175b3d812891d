"""Errors as one sentence that says what to do; ``None`` for what nobody expected, which deserves its traceback."""

from __future__ import annotations

import httpx
import psycopg
from pydantic import ValidationError

from outlay_collector.errors import OutlayError


def sentence(error: Exception) -> str | None:
    """What to tell the user at the command line about ``error``."""
    match error:
        case OutlayError():
            return str(error)
        case ValidationError():
            return "; ".join(_setting(problem) for problem in error.errors())
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn():
            return "The database has not this version's schema: run `outlay migrate`."
        case psycopg.OperationalError():
            return f"The database does not answer ({_first_line(error)}): check OUTLAY_DATABASE_URL and that it runs."
        case psycopg.Error():
            return f"The database refuses: {_first_line(error)}."
        case httpx.HTTPStatusError():
            return f"{error.request.url} answers {error.response.status_code}: {error.response.text[:200]}"
        case httpx.HTTPError():
            return f"No answer from the collector ({error}): check OUTLAY_ENDPOINT and that it runs."
        case OSError() if error.filename:
            return f"{error.filename}: {error.strerror}."
        case _:
            return None


def _setting(problem: object) -> str:
    """One refused setting, by the name of its environment variable."""
    assert isinstance(problem, dict)
    if not problem["loc"]:  # of several settings together; what they hold may be secret
        return str(problem["msg"]).removeprefix("Value error, ")
    name = "OUTLAY_" + "_".join(str(part) for part in problem["loc"]).upper()
    return f"{name} cannot be {problem['input']!r}: {problem['msg']}"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
