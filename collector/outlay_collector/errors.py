"""What can go wrong, as few kinds as a caller can act on.

OutlayError
├── BadRequest            400  the sender must change what it sends
│   └── UnreadableBody    400  the body does not decode; nothing of it was stored
├── Unauthorised          401  no key, or one that is not ours, expired or revoked
├── Forbidden             403  the key lacks the scope or the project
├── NotFound              404
├── TooSlow               408  the body did not arrive in time
├── Conflict              409  it exists already, or changed meanwhile
├── TooLarge              413  over a limit; do not send again
├── UnsupportedMedia      415
├── Unavailable           503  try again in ``retry_after_seconds``
└── NotReady              503  database missing, or migrations pending
    ├── TooOld            503  a Postgres that waiting will not make young enough
    └── OtherCurrency     503  costs are in another currency than this process was told
"""

from __future__ import annotations


class OutlayError(Exception):
    """Base of every error that Outlay raises on purpose. The text is one sentence a person can act on."""

    status = 500


class BadRequest(OutlayError):
    status = 400


class UnreadableBody(BadRequest):
    pass


class Unauthorised(OutlayError):
    status = 401


class Forbidden(OutlayError):
    status = 403


class NotFound(OutlayError):
    status = 404


class TooSlow(OutlayError):
    status = 408


class Conflict(OutlayError):
    status = 409


class TooLarge(OutlayError):
    status = 413


class UnsupportedMedia(OutlayError):
    status = 415


class Unavailable(OutlayError):
    status = 503
    retry_after_seconds = 1


class NotReady(OutlayError):
    status = 503


class TooOld(NotReady):
    pass


class OtherCurrency(NotReady):
    pass
