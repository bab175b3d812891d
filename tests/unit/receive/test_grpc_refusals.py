"""What a gRPC sender is told when it is refused: to come again, and when; or nothing of the kind."""

from __future__ import annotations

from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from outlay_collector.errors import BadRequest, Unavailable
from outlay_collector.receive.grpc_api import when_to_retry


def test_overload_says_when_to_come_again() -> None:
    told = dict(when_to_retry(Unavailable("as much in flight as it may hold")))
    status = Status.FromString(told["grpc-status-details-bin"])
    wait = RetryInfo()
    assert status.details[0].Unpack(wait)
    assert (status.code, status.message) == (14, "as much in flight as it may hold")
    assert wait == RetryInfo.FromString(told["google.rpc.retryinfo-bin"])
    assert wait.retry_delay.seconds == Unavailable.retry_after_seconds


def test_what_is_final_says_nothing_of_it() -> None:
    assert when_to_retry(BadRequest("no such project")) == ()
