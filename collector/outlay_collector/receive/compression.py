"""Inflate request bodies without ever holding more than the limit: the cap is on what comes out."""

from __future__ import annotations

import zlib

import zstandard

from outlay_collector.errors import TooLarge, UnreadableBody, UnsupportedMedia

_MAX_MEMBERS = 100
"""Compressed pieces one after another in a body. Each makes the rest be copied, so very many would take for ever."""

_ZSTD_STEP = 256
"""Bytes given to the inflater at once: it has no limit of its own, and each byte may become thousands."""

_MAX_WINDOW = 2**25
"""Bytes of history a zstd body may ask for; the inflated limit leaves no use for more."""


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """The body as it was before compression. TooLarge past ``limit`` bytes, UnreadableBody when it is damaged."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name in ("gzip", "x-gzip"):
        return _zlib(body, 31, limit)
    if name == "deflate":
        # RFC 9110 means the zlib format; some clients send raw deflate all the same.
        return _zlib(body, 15 if body[:1] == b"\x78" else -15, limit)
    if name == "zstd":
        return _zstd(body, limit)
    raise UnsupportedMedia(f"Content-Encoding {encoding!r:.40} is not supported; send gzip, deflate, zstd or none.")


def _zlib(body: bytes, window_bits: int, limit: int) -> bytes:
    parts: list[bytes] = []
    room = limit + 1
    try:
        for _ in range(_MAX_MEMBERS):
            inflater = zlib.decompressobj(window_bits)
            part = inflater.decompress(body, room)
            parts.append(part)
            room -= len(part)
            if room <= 0:
                raise _too_large(limit)
            if not inflater.eof:
                raise _truncated()
            # A gzip body may be several members, one after another.
            body = inflater.unused_data
            if not body:
                return b"".join(parts)
    except zlib.error as error:
        raise UnreadableBody(f"The body does not inflate ({error}); nothing of it was stored.") from error
    raise _too_many()


def _zstd(body: bytes, limit: int) -> bytes:
    """Frame by frame: the length of a frame's content is checked before and after, and its end must be there."""
    parts: list[bytes] = []
    room = limit + 1
    try:
        for _ in range(_MAX_MEMBERS):
            inflater = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).decompressobj()
            for start in range(0, len(body), _ZSTD_STEP):
                part = inflater.decompress(body[start : start + _ZSTD_STEP])
                parts.append(part)
                room -= len(part)
                if room <= 0:
                    raise _too_large(limit)
                if inflater.eof:
                    body = inflater.unused_data + body[start + _ZSTD_STEP :]
                    break
            else:
                raise _truncated()
            if not body:
                return b"".join(parts)
    except zstandard.ZstdError as error:
        raise UnreadableBody(f"The body does not inflate ({error}); nothing of it was stored.") from error
    raise _too_many()


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body inflates to more than {limit} bytes; send smaller batches.")


def _truncated() -> UnreadableBody:
    return UnreadableBody("The compressed body ends in the middle; nothing of it was stored.")


def _too_many() -> UnreadableBody:
    return UnreadableBody(f"The body is more than {_MAX_MEMBERS} compressed pieces; nothing of it was stored.")
