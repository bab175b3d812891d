"""What a report says, in English and Korean."""

from __future__ import annotations

from datetime import date, timedelta

from outlay_collector.reports.period import Period

LANGUAGES = ("en", "ko")

_CATALOGUE: dict[str, tuple[str, str]] = {
    "title": ("Spend, {period}", "{period} 지출"),
    "of": ("of {scope}", "{scope}"),
    "so_far": ("so far", "현재까지"),
    "calls": ("calls", "호출"),
    "tokens": ("tokens", "토큰"),
    "per_1000": ("per 1,000 calls", "호출 1,000건당"),
    "failed": ("failed", "실패"),
    "none": ("Nothing was recorded.", "기록된 호출이 없습니다."),
    "not_priced": ("not priced", "가격 없음"),
    "before": ("{before} in the period before", "이전 기간 {before}"),
    "no_before": ("Nothing was recorded in the period before.", "이전 기간에는 기록이 없습니다."),
    "by_day": ("By day", "일별"),
    "why": ("What changed", "변화 요인"),
    "by_project": ("By project", "프로젝트별"),
    "by_team": ("By team", "팀별"),
    "by_feature": ("By feature", "기능별"),
    "by_model": ("By model", "모델별"),
    "no_project": ("no project", "프로젝트 없음"),
    "no_team": ("no team", "팀 없음"),
    "no_feature": ("no feature", "기능 없음"),
    "no_model": ("no model", "모델 없음"),
    "others": ("{n} others", "그 외 {n}개"),
    "new": ("new", "신규"),
    "was": ("before", "이전"),
    "now": ("now", "이번"),
    "effect.volume": ("Number of calls", "호출 수"),
    "effect.mix": ("Who calls what", "호출 구성"),
    "effect.size": ("Tokens per call", "호출당 토큰"),
    "effect.price": ("Prices", "단가"),
    "effect.cache": ("Caching", "캐시"),
    "effect.retries": ("Failed attempts", "실패한 시도"),
    "effect.other": ("Other costs and corrections", "기타 비용과 정정"),
    "effect.unknown": ("Not priced on one side", "한쪽에 가격 없음"),
    "unpriced": ("Without a price", "가격이 없는 호출"),
    "unpriced_row": ("{model}: {calls} calls, {tokens} tokens", "{model}: 호출 {calls}건, 토큰 {tokens}"),
    "about": ("about {money} as {model}", "{model} 기준 약 {money}"),
    "outlook": ("Where the month will end", "월말 예상"),
    "outlook_is": ("{middle}, probably between {low} and {high}", "{middle}, {low}–{high} 사이일 가능성이 큽니다"),
    "outlook_young": ("little history: a rough guess", "이력이 짧아 대략적인 추정입니다"),
    "sure": ("How surely", "집계 상태"),
    "complete": ("Complete to {until}", "{until}까지 집계됨"),
    "all_priced": ("every call has usage and a price", "모든 호출에 사용량과 가격이 있습니다"),
    "n_estimated": ("{n} calls estimated", "추정 {n}건"),
    "n_missing": ("{n} without usage", "사용량 없음 {n}건"),
    "n_unpriced": ("{n} not priced", "가격 없음 {n}건"),
    "n_refused": ("{n} spans refused", "거부된 스팬 {n}건"),
    "n_dropped": ("{n} spans dropped by clients", "클라이언트에서 유실된 스팬 {n}건"),
    "at_least": ("so the total is at least this", "실제 총액은 이 값 이상입니다"),
    "open": ("Open in Outlay", "Outlay에서 보기"),
}

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Words:
    """``words("by_day")``: a phrase of the catalogue, with its gaps filled."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._column = LANGUAGES.index(language)

    def __call__(self, name: str, **gaps: str) -> str:
        return _CATALOGUE[name][self._column].format(**gaps)

    def name_of(self, part: str | None, dimension: str) -> str:
        return part if part is not None else self(f"no_{dimension}")

    def day(self, day: date) -> str:
        return f"{_MONTHS[day.month - 1]} {day.day}" if self.language == "en" else f"{day.month}월 {day.day}일"

    def period(self, period: Period) -> str:
        """``Nov 9 – Nov 15, 2026``, or one day."""
        last = period.end - timedelta(days=1)
        if period.first == last:
            return self._with_year(self.day(last), last)
        if self.language == "en":
            return f"{self.day(period.first)} – {self._with_year(self.day(last), last)}"
        return f"{self._with_year(self.day(period.first), period.first)} – {self.day(last)}"

    def _with_year(self, text: str, day: date) -> str:
        return f"{text}, {day.year}" if self.language == "en" else f"{day.year}년 {text}"
