"""Exact token counts of o200k, by tiktoken and the ranks that are on this machine; nothing is ever fetched.

Asked for by ``configure(tokenizer="tiktoken")`` and loaded there: it takes half a second and some 60 MB, which no call and
no background thread shall pay.
"""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, cast

from outlay.safety import notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# tiktoken keeps a vocabulary under the SHA-1 of the address it comes from; this is o200k's.
RANKS = "fb374d419588a4632f3f557e76b4b70aebbca790"
_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"  # of the file's content
_WHERE = "TIKTOKEN_CACHE_DIR"


def load(environ: Mapping[str, str]) -> Callable[[str], int] | None:
    """What counts a text's tokens; None, with a notice that says how to get it, where that is not possible."""
    folder = next((place for place in _folders(environ) if _is_whole(os.path.join(place, RANKS))), None)
    if folder is None:
        notice(
            "outlay: the vocabulary o200k is not on this machine, so tokens are estimated from characters. Put tiktoken's"
            f" file {RANKS} into a folder and name it in {_WHERE}."
        )
        return None
    before = os.environ.get(_WHERE)
    os.environ[_WHERE] = folder
    try:
        import tiktoken  # type: ignore[reportMissingImports,unused-ignore]

        encoding = tiktoken.get_encoding("o200k_base")
        encode = cast("Callable[[str], list[int]]", encoding.encode_ordinary)
        return lambda text: len(encode(text))
    except ImportError:
        notice(
            "outlay: tiktoken is not installed (pip install 'outlay[tokens]'); tokens are estimated from characters."
        )
    except Exception as error:  # noqa: BLE001 (a damaged file, another version: no reason not to start)
        notice(f"outlay: tiktoken cannot load o200k ({error}); tokens are estimated from characters.")
    finally:
        if before is None:
            del os.environ[_WHERE]
        else:
            os.environ[_WHERE] = before
    return None


def _is_whole(path: str) -> bool:
    """Whether the file is there and undamaged; tiktoken would go and fetch another otherwise."""
    import hashlib

    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest() == _SHA256
    except OSError:
        return False


def _folders(environ: Mapping[str, str]) -> Iterator[str]:
    """Where tiktoken looks, then where LiteLLM's package brings the same files."""
    for variable in (_WHERE, "DATA_GYM_CACHE_DIR"):
        if environ.get(variable):
            yield environ[variable]
    yield os.path.join(tempfile.gettempdir(), "data-gym-cache")
    from importlib.util import find_spec

    litellm = find_spec("litellm")
    for package in (litellm.submodule_search_locations or ()) if litellm is not None else ():
        yield os.path.join(package, "litellm_core_utils", "tokenizers")
