"""Senders that are quick and that let anything through: requests as bytes on connections that are kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import grpc
import grpc.aio

from tests.fuzz.cases import Request

ANSWER_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """``status`` 0: the connection ended without an answer. gRPC's codes come as the HTTP status of the same meaning."""

    status: int
    detail: str = ""


class HttpSender:
    """One connection, made anew when the server closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, request: Request) -> Answer:
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        line = f"{request.method} {request.path} HTTP/1.1\r\nhost: fuzz\r\ncontent-length: {len(request.body)}\r\n"
        message = f"{line}{head}\r\n".encode() + request.body
        kept = self._writer is not None
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await self._exchange(message)
            if answer.status == 0 and kept:
                # A kept connection may be closed by the server at any moment; a new one may not.
                answer = await self._exchange(message)
        return answer

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _exchange(self, message: bytes) -> Answer:
        try:
            if self._reader is None or self._writer is None:
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._writer.write(message)
            await self._writer.drain()
            return await self._read(self._reader)
        except (OSError, asyncio.IncompleteReadError) as error:
            await self.close()
            return Answer(0, repr(error))

    async def _read(self, reader: asyncio.StreamReader) -> Answer:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status = int(head[9:12])
        size = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)
        body = await reader.readexactly(size) if size else b""
        if status == 100:
            return await self._read(reader)
        if "connection: close" in head:
            await self.close()
        return Answer(status, body[:500].decode("latin-1"))


_STATUS_OF = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 413,
    grpc.StatusCode.UNAVAILABLE: 503,
}


class GrpcSender:
    """One channel. Messages are bytes, so they need not be messages."""

    def __init__(self, port: int) -> None:
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")

    async def send(self, request: Request) -> Answer:
        export = self._channel.unary_unary(request.path)
        try:
            await export(request.body, metadata=tuple(request.headers.items()), timeout=ANSWER_SECONDS)
        except grpc.aio.AioRpcError as error:
            return Answer(_STATUS_OF.get(error.code(), 500), f"{error.code().name}: {error.details()}"[:500])
        return Answer(200)

    async def close(self) -> None:
        await self._channel.close()
