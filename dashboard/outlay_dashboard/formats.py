"""Numbers as people read them. Pure; every function returns text with its unit, and ``DASH`` for what is unknown."""

from __future__ import annotations

from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal

DASH = "–"
MINUS = "−"
ARROW = "→"

ENGLISH = "en"
KOREAN = "ko"

_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "KRW": "₩", "JPY": "¥", "INR": "₹", "CNY": "CN¥"}
_WITHOUT_CENTS = {"KRW", "JPY"}
_ENGLISH_STEPS = ((10**12, " T"), (10**9, " B"), (10**6, " M"), (10**3, " k"))
# Korean groups by ten thousands: 만, 억, 조. "12.3 M" reads as 1,230만.
_KOREAN_STEPS = ((10**12, "조"), (10**8, "억"), (10**4, "만"))


def money(amount: Decimal | None, currency: str = "USD") -> str:
    """``$1,234.50`` from one unit up, three significant digits below (``$0.00312``), never scientific."""
    if amount is None:
        return DASH
    return _signed(amount, _sign_of(currency) + _digits_of_money(abs(amount), currency))


def exact_money(amount: Decimal | None, currency: str = "USD") -> str:
    """Every digit of the amount, for hover texts and exports."""
    if amount is None:
        return DASH
    return _signed(amount, f"{_sign_of(currency)}{abs(amount):,f}")


def short_money(amount: Decimal, currency: str = "USD") -> str:
    """For axis ticks: ``$0``, ``$1.2k``, ``$40``, ``$0.05``."""
    size = abs(amount)
    for step, unit in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if size >= step:
            return _signed(amount, f"{_sign_of(currency)}{trimmed(size / step)}{unit}")
    return _signed(amount, _sign_of(currency) + trimmed(size))


def money_change(before: Decimal, after: Decimal, currency: str = "USD") -> str:
    """The difference with its sign: ``+$820.00``, ``−$12.40``."""
    difference = after - before
    return ("+" if difference >= 0 else "") + money(difference, currency)


def count(number: int | None) -> str:
    return DASH if number is None else _signed(Decimal(number), f"{abs(number):,}")


def tokens(number: int | Decimal | None, language: str = ENGLISH, *, exact: bool = False) -> str:
    """Three significant digits with a scale: ``840``, ``12.3 k``, ``12.3 M``; in Korean ``1,230만``, ``1.23억``.

    ``exact`` is for round numbers such as the unit of a price: ``1 M``, not ``1.00 M``.
    """
    if number is None:
        return DASH
    value = Decimal(number)
    for step, unit in _KOREAN_STEPS if language == KOREAN else _ENGLISH_STEPS:
        if abs(value) >= step:
            return _signed(value, (trimmed if exact else _three_digits)(abs(value) / step) + unit)
    return _signed(value, f"{abs(value):,.0f}")


def duration(milliseconds: float | None) -> str:
    """``0.4 ms``, ``840 ms``, ``2.4 s``, ``3 min 20 s``, ``1 h 04 min``."""
    if milliseconds is None:
        return DASH
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 9.995:
        return f"{seconds:.2f} s" if seconds < 2 else f"{seconds:.1f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def rate(tokens_per_second: float | None) -> str:
    if tokens_per_second is None:
        return DASH
    return f"{tokens_per_second:.0f} tok/s" if tokens_per_second >= 10 else f"{tokens_per_second:.1f} tok/s"


def share(part: float | Decimal | None, whole: float | Decimal | None = 1) -> str:
    """``12.4 %``; a part that is there but tiny is ``<0.1 %``, never ``0.0 %``."""
    if part is None or whole is None or whole == 0:
        return DASH
    percent = float(part) / float(whole) * 100
    if percent == 0:
        return "0 %"
    if abs(percent) < 0.1:
        return "<0.1 %"
    if 99.9 < percent < 100:
        return ">99.9 %"
    return f"{percent:.1f} %".replace("100.0 %", "100 %").replace("-", MINUS)


def change(before: Decimal | float | None, after: Decimal | float | None) -> str | None:
    """Relative change, ``+19.5 %`` or ``×12`` when it grew more than tenfold; None when there is no base."""
    if not before or after is None or before < 0:
        return None
    ratio = float(after) / float(before)
    if ratio >= 10:
        return f"×{ratio:,.0f}"
    percent = (ratio - 1) * 100
    if abs(percent) < 0.05:
        return "±0 %"
    return f"{'+' if percent > 0 else MINUS}{abs(percent):.1f} %"


def size_of_change(before: Decimal | float | None, after: Decimal | float | None) -> float | None:
    return float(after) / float(before) - 1 if before and after is not None else None


def day(moment: date, language: str = ENGLISH, *, year: bool = False) -> str:
    """``Nov 21`` or ``11월 21일``, with the year where asked."""
    if language == KOREAN:
        return (f"{moment.year}년 " if year else "") + f"{moment.month}월 {moment.day}일"
    return f"{_MONTHS[moment.month - 1]} {moment.day}" + (f", {moment.year}" if year else "")


def short_day(moment: date, language: str = ENGLISH) -> str:
    """For axis ticks: ``Nov 21`` or ``11/21``."""
    return f"{moment.month}/{moment.day}" if language == KOREAN else day(moment, language)


def month(moment: date, language: str = ENGLISH) -> str:
    if language == KOREAN:
        return f"{moment.year}년 {moment.month}월"
    return f"{_MONTHS[moment.month - 1]} {moment.year}"


def weekday(moment: date, language: str = ENGLISH) -> str:
    return (_WEEKDAYS_KO if language == KOREAN else _WEEKDAYS)[moment.weekday()]


def clock(moment: datetime) -> str:
    return f"{moment:%H:%M}"


def day_and_clock(moment: datetime, language: str = ENGLISH, *, seconds: bool = False) -> str:
    return f"{day(moment, language)} {moment:%H:%M:%S}" if seconds else f"{day(moment, language)} {moment:%H:%M}"


# Spelled out here because the C locale of a server must not decide what a reader sees.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEKDAYS_KO = ("월", "화", "수", "목", "금", "토", "일")


def _sign_of(currency: str) -> str:
    return _SIGNS.get(currency, f"{currency} ")


def _digits_of_money(size: Decimal, currency: str) -> str:
    if size == 0 or size >= 1:
        return f"{size:,.0f}" if currency in _WITHOUT_CENTS else f"{size:,.2f}"
    # One significant digit stands at 10^adjusted; two more follow it.
    rounded = size.quantize(Decimal(1).scaleb(size.adjusted() - 2), rounding=ROUND_HALF_EVEN)
    return f"{rounded:f}" if rounded < 1 else f"{rounded:.2f}"


def _three_digits(value: Decimal) -> str:
    """``1.23``, ``12.3``, ``123``, ``1,230``: three significant digits, the rest of the integer part as zeros."""
    if value >= 1000:
        unit = 10 ** (value.adjusted() - 2)
        return f"{round(value / unit) * unit:,}"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def trimmed(value: Decimal) -> str:
    """Three significant digits at most, without zeros at the end."""
    text = f"{Decimal(f'{value:.3g}'):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _signed(value: Decimal, text: str) -> str:
    return MINUS + text if value < 0 else text
