"""Every sentence of the dashboard, in English and Korean, side by side.

    words = Words("ko")
    words("trace.calls", n=3)      # "{n}" and other placeholders are filled; English picks ``one`` for n == 1

Placeholders come formatted (``formats``), except ``n``, which is a whole number and is written with separators.
"""

from __future__ import annotations

from dataclasses import dataclass

from outlay_dashboard import formats

LANGUAGES = {formats.ENGLISH: "English", formats.KOREAN: "한국어"}


@dataclass(frozen=True, slots=True)
class Entry:
    en: str
    ko: str
    one: str | None = None  # English for n == 1


@dataclass(frozen=True, slots=True)
class Words:
    """The catalogue in one language."""

    language: str = formats.ENGLISH

    def __call__(self, key: str, /, *, n: int | None = None, **values: object) -> str:
        entry = CATALOGUE[key]
        text = entry.ko if self.language == formats.KOREAN else entry.one if n == 1 and entry.one else entry.en
        if n is not None:
            values["n"] = formats.count(n)
        return text.format(**values) if values else text

    def dimension(self, name: str) -> str:
        """The word for a dimension; one the catalogue lacks (a tag) is shown by its own name."""
        key = f"dimension.{name}"
        return self(key) if key in CATALOGUE else name.removeprefix("tag:")

    def known(self, key: str, fallback: str) -> str:
        """The word for a code that comes from the API; a code from a newer collector is shown as it is."""
        return self(key) if key in CATALOGUE else fallback


def language_for(locale: str | None) -> str:
    """The catalogue's language for a browser's locale."""
    return formats.KOREAN if (locale or "").lower().startswith("ko") else formats.ENGLISH


CATALOGUE: dict[str, Entry] = {
    # Pages and the frame around them.
    "page.overview": Entry("Overview", "개요"),
    "page.traces": Entry("Traces", "트레이스"),
    "page.explore": Entry("Explore", "탐색"),
    "page.models": Entry("Models", "모델"),
    "page.units": Entry("Customers and units", "고객과 단위 비용"),
    "page.alerts": Entry("Alerts", "알림"),
    "page.budgets": Entry("Budgets", "예산"),
    "page.service": Entry("My service", "내 서비스"),
    "page.latency": Entry("Latency", "지연 시간"),
    "page.health": Entry("Health", "상태"),
    "page.quality": Entry("Data quality", "데이터 품질"),
    "page.settings": Entry("Settings", "설정"),
    "nav.money": Entry("Money", "비용"),
    "nav.work": Entry("Work", "작업"),
    "nav.operation": Entry("Operation", "운영"),
    "nav.language": Entry("Language", "언어"),
    # Controls.
    "control.project": Entry("Project", "프로젝트"),
    "control.window": Entry("Window", "기간"),
    "control.by": Entry("Group by", "묶음 기준"),
    "control.all_projects": Entry("All projects", "모든 프로젝트"),
    "control.without_demo": Entry("All but demo", "데모 제외 전체"),
    "control.is": Entry("{dimension}: {value}", "{dimension}: {value}"),
    "control.is_not": Entry("{dimension}: not {value}", "{dimension}: {value} 제외"),
    "control.is_there": Entry("any {dimension}", "{dimension} 있음"),
    "control.filter": Entry("Filter", "필터"),
    "control.dimension": Entry("Dimension", "기준"),
    "control.value": Entry("Value", "값"),
    "control.measure": Entry("Measure", "지표"),
    "control.shape": Entry("Shape", "형태"),
    "control.across": Entry("Across", "교차 기준"),
    "control.across_dimension": Entry("across {dimension}", "{dimension} 교차"),
    "control.across_none": Entry("one dimension", "한 기준만"),
    "shape.time": Entry("Over time", "추이"),
    "shape.ranking": Entry("Ranking", "순위"),
    "shape.pivot": Entry("Pivot", "피벗"),
    "shape.table": Entry("Table", "표"),
    "measure.cost": Entry("Spend", "지출"),
    "measure.calls": Entry("Calls", "호출"),
    "measure.tokens": Entry("Tokens", "토큰"),
    "measure.input_tokens": Entry("Input tokens", "입력 토큰"),
    "measure.output_tokens": Entry("Output tokens", "출력 토큰"),
    "measure.errors": Entry("Failed calls", "실패한 호출"),
    "measure.cost_per_call": Entry("Per call", "호출당 비용"),
    "measure.cost_per_million": Entry("Per 1 M tokens", "100만 토큰당"),
    "measure.error_rate": Entry("Error rate", "오류율"),
    "control.days": Entry("Days", "날짜"),
    "control.clear": Entry("Remove filter {filter}", "{filter} 필터 해제"),
    "window.24h": Entry("Last 24 hours", "최근 24시간"),
    "window.7d": Entry("Last 7 days", "최근 7일"),
    "window.30d": Entry("Last 30 days", "최근 30일"),
    "window.90d": Entry("Last 90 days", "최근 90일"),
    "window.month": Entry("This month", "이번 달"),
    "window.last_month": Entry("Last month", "지난달"),
    "window.custom": Entry("Custom days", "직접 지정"),
    "before.24h": Entry("the 24 hours before", "직전 24시간"),
    "before.7d": Entry("the 7 days before", "직전 7일"),
    "before.30d": Entry("the 30 days before", "직전 30일"),
    "before.90d": Entry("the 90 days before", "직전 90일"),
    "before.month": Entry("the same part of last month", "지난달 같은 기간"),
    "before.last_month": Entry("the month before", "그 전달"),
    "before.custom": Entry("the same time before", "직전 같은 기간"),
    "interval.hour": Entry("hour", "시간"),
    "interval.day": Entry("day", "일"),
    "interval.week": Entry("week", "주"),
    "interval.month": Entry("month", "월"),
    # Dimensions.
    "dimension.project": Entry("project", "프로젝트"),
    "dimension.environment": Entry("environment", "환경"),
    "dimension.service": Entry("service", "서비스"),
    "dimension.release": Entry("release", "릴리스"),
    "dimension.team": Entry("team", "팀"),
    "dimension.cost_center": Entry("cost center", "비용 센터"),
    "dimension.owner": Entry("owner", "담당자"),
    "dimension.feature": Entry("feature", "기능"),
    "dimension.provider": Entry("provider", "제공사"),
    "dimension.model": Entry("model", "모델"),
    "dimension.request_model": Entry("requested model", "요청 모델"),
    "dimension.operation": Entry("operation", "작업"),
    "dimension.service_tier": Entry("service tier", "서비스 등급"),
    "dimension.customer": Entry("customer", "고객"),
    "dimension.user": Entry("user", "사용자"),
    "dimension.session": Entry("session", "세션"),
    "dimension.step": Entry("step", "단계"),
    "dimension.agent": Entry("agent", "에이전트"),
    "dimension.tool": Entry("tool", "도구"),
    "list.and": Entry("{first} and {last}", "{first}, {last}"),
    "not_set": Entry("no {dimension}", "{dimension} 없음"),
    "other": Entry("Other ({n})", "기타 ({n})"),
    "not_priced": Entry("not priced", "가격 미정"),
    "total": Entry("Total", "합계"),
    # Overview.
    "overview.label": Entry("Spend, {window}", "지출 · {window}"),
    "overview.in_project": Entry("Spend in {project}, {window}", "{project} 지출 · {window}"),
    "overview.change": Entry(
        "{before} → {after}, <b>{change}</b> against {base}", "{before} → {after}, {base} 대비 <b>{change}</b>"
    ),
    "overview.no_before": Entry("Nothing was spent in {base}.", "{base}에는 지출이 없었습니다."),
    "overview.too_new": Entry(
        "Recorded since {day}: too short to compare with {base}.", "{day}부터 기록되어 {base}과 비교하기에는 이릅니다."
    ),
    "overview.complete": Entry("Complete to {until}.", "{until}까지 집계되었습니다."),
    "overview.all_priced": Entry("Every call has a price.", "모든 호출에 가격이 있습니다."),
    "overview.unpriced": Entry(
        "{n} calls ({share}) have no known price, so the total is at least this.",
        "호출 {n}건({share})은 가격이 없어, 실제 합계는 이 금액 이상입니다.",
        one="{n} call ({share}) has no known price, so the total is at least this.",
    ),
    "overview.none_priced": Entry(
        "None of the {n} calls has a price yet.",
        "호출 {n}건 모두 아직 가격이 없습니다.",
        one="The one call here has no price yet.",
    ),
    "overview.estimated": Entry(
        "Usage of {n} calls is estimated.",
        "호출 {n}건의 사용량은 추정치입니다.",
        one="Usage of {n} call is estimated.",
    ),
    "overview.missing": Entry(
        "{n} calls reported no usage.",
        "호출 {n}건은 사용량을 보고하지 않았습니다.",
        one="{n} call reported no usage.",
    ),
    "stat.calls": Entry("Calls", "호출"),
    "stat.tokens": Entry("Tokens", "토큰"),
    "stat.errors": Entry("Error rate", "오류율"),
    "stat.p95": Entry("p95 duration", "p95 소요 시간"),
    "stat.was": Entry("was {value}", "이전 {value}"),
    "stat.in_out": Entry("{input} in, {output} out", "입력 {input} · 출력 {output}"),
    "overview.all_of_it": Entry("{name} is all {what}", "{what} 전부가 {name}"),
    "overview.top_one": Entry("{name} is {share} of {what}", "{what} 중 {name} 비중이 {share}"),
    "overview.top_two": Entry(
        "{first} and {second} are {share} of {what}", "{what} 중 {first}, {second} 비중이 {share}"
    ),
    "of.cost": Entry("the spend", "지출"),
    "of.calls": Entry("the calls", "호출"),
    "of.tokens": Entry("the tokens", "토큰"),
    "of.input_tokens": Entry("the input", "입력"),
    "of.output_tokens": Entry("the output", "출력"),
    "of.errors": Entry("the failures", "실패"),
    "overview.no_money": Entry("Calls without a price", "가격 없는 호출"),
    "overview.measure": Entry(
        "{currency} per {interval}, by {dimension} · {range} · {zone}",
        "{interval}별 {currency}, {dimension} 기준 · {range} · {zone}",
    ),
    "overview.moved": Entry("{name} moved most: {difference}", "가장 크게 변한 항목: {name}, {difference}"),
    "overview.moved_measure": Entry(
        "Change in {currency} by {dimension}, against {base}", "{base} 대비 {dimension}별 변화({currency})"
    ),
    "bridge.measure": Entry(
        "{currency}, from {base} to now, by what changed", "{base}에서 지금까지 {currency} 변화의 원인"
    ),
    "bridge.cut": Entry("ends cut below", "양 끝 막대의 아래는 생략"),
    "bridge.before": Entry("before", "이전"),
    "bridge.now": Entry("now", "현재"),
    "effect.volume": Entry("calls", "호출 수"),
    "effect.mix": Entry("mix", "구성"),
    "effect.size": Entry("size", "크기"),
    "effect.retries": Entry("retries", "재시도"),
    "effect.cache": Entry("caching", "캐시"),
    "effect.price": Entry("prices", "단가"),
    "effect.other": Entry("other costs", "기타 비용"),
    "effect.unknown": Entry("unpriced", "가격 미정"),
    "why.volume_up": Entry("More calls cost {amount} more", "호출이 늘어 {amount} 더 썼습니다"),
    "why.volume_down": Entry("Fewer calls cost {amount} less", "호출이 줄어 {amount} 덜 썼습니다"),
    "why.mix_up": Entry(
        "Calls moved to dearer models or features: {amount} more", "비싼 모델·기능으로 옮겨 가 {amount} 더 썼습니다"
    ),
    "why.mix_down": Entry(
        "Calls moved to cheaper models or features: {amount} less", "싼 모델·기능으로 옮겨 가 {amount} 덜 썼습니다"
    ),
    "why.size_up": Entry("Longer calls cost {amount} more", "호출당 토큰이 늘어 {amount} 더 썼습니다"),
    "why.size_down": Entry("Shorter calls cost {amount} less", "호출당 토큰이 줄어 {amount} 덜 썼습니다"),
    "why.retries_up": Entry("More attempts failed: {amount} more", "실패한 시도가 늘어 {amount} 더 썼습니다"),
    "why.retries_down": Entry("Fewer attempts failed: {amount} less", "실패한 시도가 줄어 {amount} 덜 썼습니다"),
    "why.cache_up": Entry("Less came from the cache: {amount} more", "캐시 사용이 줄어 {amount} 더 썼습니다"),
    "why.cache_down": Entry("More came from the cache: {amount} less", "캐시 사용이 늘어 {amount} 덜 썼습니다"),
    "why.price_up": Entry("Prices rose: {amount} more", "단가가 올라 {amount} 더 썼습니다"),
    "why.price_down": Entry("Prices fell: {amount} less", "단가가 내려 {amount} 덜 썼습니다"),
    "why.other_up": Entry("Other costs and corrections: {amount} more", "기타 비용과 정정으로 {amount} 증가"),
    "why.other_down": Entry("Other costs and corrections: {amount} less", "기타 비용과 정정으로 {amount} 감소"),
    "why.unknown_up": Entry(
        "{amount} more, from calls that had no price before", "이전에 가격이 없던 호출로 {amount} 증가"
    ),
    "why.unknown_down": Entry(
        "{amount} less, from calls that lost their price", "가격을 알 수 없게 된 호출로 {amount} 감소"
    ),
    "download.title": Entry("Download", "내려받기"),
    "overview.nothing_moved": Entry("Nothing moved", "변화가 없습니다"),
    "column.spend": Entry("Spend", "지출"),
    "column.share": Entry("Share", "비중"),
    "column.change": Entry("Change", "변화"),
    "column.calls": Entry("Calls", "호출"),
    "column.new": Entry("new", "신규"),
    "chart.weeks_before": Entry("{n} weeks before", "{n}주 전", one="a week before"),
    "chart.grey_line": Entry("grey line: {label}", "회색 선: {label}"),
    "control.by_dimension": Entry("by {dimension}", "{dimension}별"),
    "chart.of_total": Entry("{share} of {total} · {period}", "{total} 중 {share} · {period}"),
    "chart.unpriced_calls": Entry("calls not priced", "가격 미정 호출"),
    "chart.unpriced_lane": Entry("calls not priced", "가격 미정 호출"),
    "chart.alt_spend": Entry("Spend per {interval} by {dimension}", "{interval}별 {dimension} 지출"),
    # Empty and error states.
    "empty.first_run": Entry("Your first call will appear here", "첫 호출이 여기에 나타납니다"),
    "empty.first_run_do": Entry(
        "Put the decorator on a function that calls a model and run it once. This page is listening.",
        "모델을 호출하는 함수에 데코레이터를 붙이고 한 번 실행하세요. 이 페이지가 기다리고 있습니다.",
    ),
    "empty.waiting": Entry("Waiting for the first span at {endpoint}", "{endpoint}에서 첫 스팬을 기다리는 중"),
    "empty.key": Entry(
        "An ingest key was printed by <code>outlay up</code>; <code>outlay key create</code> makes another.",
        "수집 키는 <code>outlay up</code>이 출력했습니다. <code>outlay key create</code>로 새로 만들 수 있습니다.",
    ),
    "empty.window": Entry("No calls in this window", "이 기간에는 호출이 없습니다"),
    "empty.window_do": Entry(
        "There is data at other times or under other filters. Choose a longer window or remove a filter.",
        "다른 기간이나 다른 필터에는 데이터가 있습니다. 기간을 늘리거나 필터를 해제하세요.",
    ),
    "empty.show_longer": Entry("Show the last 90 days", "최근 90일 보기"),
    "error.unreachable": Entry(
        "The collector does not answer at {endpoint}", "{endpoint}의 수집기가 응답하지 않습니다"
    ),
    "error.unreachable_do": Entry(
        "Start it with outlay up, or point OUTLAY_ENDPOINT at one that runs. This page tries again every few seconds.",
        "outlay up으로 시작하거나 OUTLAY_ENDPOINT를 실행 중인 수집기로 지정하세요. 몇 초마다 다시 시도합니다.",
    ),
    "error.slow": Entry("The collector is taking too long", "수집기의 응답이 늦습니다"),
    "error.slow_do": Entry(
        "It may be busy. Try again, or choose a shorter window.",
        "바쁜 상태일 수 있습니다. 다시 시도하거나 기간을 줄이세요.",
    ),
    "error.not_allowed": Entry("This key may not read that", "이 키로는 읽을 수 없습니다"),
    "error.not_allowed_do": Entry(
        "Set OUTLAY_API_KEY to a key with the scope read: outlay key create --scope read.",
        "읽기 권한이 있는 키를 OUTLAY_API_KEY에 지정하세요: outlay key create --scope read.",
    ),
    "error.refused": Entry("The collector could not answer", "수집기가 답하지 못했습니다"),
    "error.refused_do": Entry(
        "Nothing is lost; this concerns only what is shown. outlay doctor says what is wrong.",
        "데이터는 그대로이며 표시에만 문제가 있습니다. outlay doctor로 원인을 확인하세요.",
    ),
    "error.details": Entry("Details", "자세히"),
    "settings.as_reader": Entry("your own login", "내 로그인"),
    "login.title": Entry("Log in to see what LLM calls cost", "로그인하면 LLM 호출 비용을 볼 수 있습니다"),
    "login.text": Entry(
        "You log in where your organisation does. What you see is what your groups may see.",
        "조직의 계정으로 로그인합니다. 속한 그룹에 허용된 내용만 표시됩니다.",
    ),
    "login.button": Entry("Log in", "로그인"),
    "login.out": Entry("Log out", "로그아웃"),
    "error.again": Entry("Try again", "다시 시도"),
    # Traces.
    "traces.search": Entry("Trace id", "트레이스 ID"),
    "traces.search_hint": Entry("Paste a trace id", "트레이스 ID 붙여넣기"),
    "traces.title_newest": Entry("The newest {n} calls", "최근 호출 {n}건", one="The newest call"),
    "traces.view": Entry("Show", "보기"),
    "traces.calls": Entry("Calls", "호출"),
    "traces.sessions": Entry("Sessions", "세션"),
    "traces.agents": Entry("Agents", "에이전트"),
    "sessions.title": Entry(
        "{n} sessions, {mean} each on average", "세션 {n}개, 평균 {mean}", one="One session, {mean}"
    ),
    "sessions.one": Entry(
        "{n} calls in {duration}: {cost}", "호출 {n}건, {duration}: {cost}", one="One call, {duration}: {cost}"
    ),
    "sessions.newest_only": Entry("Only its newest {n} calls are shown.", "최근 호출 {n}건만 표시합니다."),
    "sessions.turn": Entry("Call", "호출"),
    "sessions.so_far": Entry("so far", "누적"),
    "sessions.none": Entry("No call names its session", "세션이 기록된 호출이 없습니다"),
    "sessions.none_do": Entry(
        'Name it with outlay.context(session="…") or the attribute gen_ai.conversation.id.',
        'outlay.context(session="…") 또는 gen_ai.conversation.id 속성으로 지정하세요.',
    ),
    "agents.title": Entry("{agent} is {share} of what agents spent", "에이전트 지출의 {share}는 {agent}"),
    "agents.by_step": Entry("By step", "단계별"),
    "agents.by_tool": Entry("By tool", "도구별"),
    "agents.none": Entry("No call names its agent", "에이전트가 기록된 호출이 없습니다"),
    "agents.none_do": Entry(
        'Decorate it with @outlay.observe(kind="agent") or set the attribute gen_ai.agent.name.',
        '@outlay.observe(kind="agent")를 붙이거나 gen_ai.agent.name 속성을 지정하세요.',
    ),
    "traces.order": Entry("Order", "정렬"),
    "traces.newest": Entry("Newest", "최신순"),
    "traces.costliest": Entry("Costliest", "비용순"),
    "traces.slowest": Entry("Slowest", "느린 순"),
    "traces.failed": Entry("Failed", "실패"),
    "traces.title_costliest": Entry(
        "The {n} costliest of the newest {found} calls", "최근 호출 {found}건 중 비용 상위 {n}건"
    ),
    "traces.title_slowest": Entry("The {n} slowest of the newest {found} calls", "최근 호출 {found}건 중 느린 {n}건"),
    "traces.title_failed": Entry("{n} of the newest {found} calls failed", "최근 호출 {found}건 중 {n}건 실패"),
    "traces.none_failed": Entry("None of the newest {n} calls failed.", "최근 호출 {n}건 중 실패가 없습니다."),
    "traces.pick": Entry("Choose a row to see its trace.", "행을 선택하면 트레이스가 열립니다."),
    "traces.back": Entry("All calls", "전체 호출"),
    "traces.more": Entry("Show more", "더 보기"),
    "traces.not_found": Entry("No trace {trace_id}", "트레이스 {trace_id} 없음"),
    "traces.not_found_do": Entry(
        "It may belong to a project this key cannot see, or be older than what is kept.",
        "이 키로 볼 수 없는 프로젝트이거나 보관 기간이 지났을 수 있습니다.",
    ),
    "stat.per_call": Entry("Per call", "호출당 비용"),
    "stat.ttft": Entry("First token, p95", "첫 토큰 p95"),
    "stat.p95_short": Entry("p95", "p95"),
    "stat.ttft_short": Entry("First token p95", "첫 토큰 p95"),
    "column.errors": Entry("Errors", "오류"),
    "column.error": Entry("Error", "오류"),
    "explore.per": Entry("per {interval}", "{interval}별"),
    "explore.and_more": Entry(
        "{n} more are in the download.", "나머지 {n}개는 내려받기에 있습니다.", one="{n} more is in the download."
    ),
    # My service.
    "service.last_call": Entry("Last call {age} ago.", "마지막 호출 {age} 전."),
    "service.sent_as": Entry("Sent as {dialects}.", "전송 규격: {dialects}."),
    "service.all_reported": Entry("Every call reported its usage.", "모든 호출이 사용량을 보고했습니다."),
    "service.cost_title": Entry("Spend per {interval}", "{interval}별 지출"),
    "service.p95_title": Entry("p95 duration per {interval}", "{interval}별 p95 소요 시간"),
    "service.endpoints": Entry("What each {dimension} costs and takes", "{dimension}별 비용과 소요 시간"),
    "service.costliest": Entry("Costliest calls", "가장 비싼 호출"),
    "service.of_newest": Entry("of the newest {n} calls", "최근 호출 {n}건 중", one="of the newest call"),
    "service.failed": Entry("{share} failed", "{share} 실패"),
    # Health.
    "health.ready": Entry("Acknowledging; sums {behind} behind", "수신 중이며 집계는 {behind} 뒤처져 있습니다"),
    "health.current": Entry("Acknowledging; sums are up to date", "수신 중이며 집계가 최신입니다"),
    "health.late": Entry("Acknowledging, but sums are {behind} behind", "수신 중이지만 집계가 {behind} 뒤처졌습니다"),
    "health.not_ready": Entry("The collector is not ready: {status}", "수집기가 준비되지 않았습니다: {status}"),
    "health.not_ready_do": Entry("Run outlay doctor on its machine.", "해당 서버에서 outlay doctor를 실행하세요."),
    "health.nothing_yet": Entry("Nothing was received yet.", "아직 받은 것이 없습니다."),
    "health.clock": Entry("The collector's clock is off by {off}", "수집기의 시계가 {off} 어긋나 있습니다"),
    "health.clock_do": Entry(
        "Calls near midnight land on the wrong day. Synchronise it, by NTP for instance.",
        "자정 무렵의 호출이 다른 날로 기록됩니다. NTP 등으로 맞추세요.",
    ),
    "health.endpoint": Entry("collector", "수집기"),
    "health.version": Entry("version", "버전"),
    "health.revision": Entry("schema", "스키마"),
    "health.uptime": Entry("running for", "가동 시간"),
    "health.round_trip": Entry("answers in", "응답 시간"),
    "health.behind": Entry("sums behind by", "집계 지연"),
    "health.newest": Entry("newest call", "최근 호출"),
    "health.clock_difference": Entry("clock differs by", "시계 차이"),
    "health.received": Entry("{calls} calls received in a day", "하루 동안 호출 {calls}건 수신"),
    "health.received_measure": Entry("Calls per hour, by service", "시간당 호출, 서비스별"),
    # Latency.
    "latency.answer": Entry("95 of 100 calls take at most {p95}", "호출 100건 중 95건은 {p95} 이내"),
    "latency.about": Entry(
        "Over {n} calls that did not fail", "실패하지 않은 호출 {n}건 기준", one="Over {n} call that did not fail"
    ),
    "latency.ttft_p": Entry("First token, p{p}", "첫 토큰 p{p}"),
    "latency.duration_title": Entry("Duration per {interval}", "{interval}별 소요 시간"),
    "latency.ttft_title": Entry("Time to first token per {interval}", "{interval}별 첫 토큰까지 시간"),
    "latency.slowest": Entry("{name} is slowest", "가장 느린 항목: {name}"),
    "latency.by_measure": Entry("p50, p95 and p99 by {dimension}", "{dimension}별 p50·p95·p99"),
    "latency.calls": Entry("{n} calls", "호출 {n}건", one="{n} call"),
    "latency.all_faster": Entry(
        "Every model writes faster than people read", "모든 모델이 사람이 읽는 속도보다 빠릅니다"
    ),
    "latency.slower_than_reading": Entry(
        "{n} models write slower than people read",
        "모델 {n}개는 사람이 읽는 속도보다 느립니다",
        one="{n} model writes slower than people read",
    ),
    "latency.pace_measure": Entry(
        "Output tokens per second of call; shaded: reading, {low} to {high} tok/s",
        "호출 1초당 출력 토큰. 음영: 읽는 속도 {low}~{high} tok/s",
    ),
    "latency.worst_hour": Entry("Slowest hour: {when}, p95 {p95}", "가장 느린 시간: {when}, p95 {p95}"),
    "latency.hours_measure": Entry("p95 duration by day and hour · {zone}", "날짜·시간별 p95 소요 시간 · {zone}"),
    # Models.
    "models.front": Entry(
        "Nothing beats {names} on both price and speed", "가격과 속도 모두 앞서는 대안이 없는 모델: {names}"
    ),
    "models.front_measure": Entry(
        "{currency} per million tokens against p95 duration, both on a log scale",
        "100만 토큰당 {currency}와 p95 소요 시간(로그 눈금)",
    ),
    "models.x": Entry("{currency} per 1 M tokens, as used", "실사용 100만 토큰당 {currency}"),
    "models.y": Entry("p95 duration", "p95 소요 시간"),
    "models.table": Entry("{n} models in use", "사용 중인 모델 {n}개", one="{n} model in use"),
    "models.spend": Entry("Spend", "지출"),
    "models.calls": Entry("Calls", "호출"),
    "models.per_call": Entry("Per call", "호출당"),
    "models.per_million": Entry("Per 1 M", "100만당"),
    "models.cached": Entry("Cached", "캐시"),
    "models.reasoning": Entry("Reasoning", "추론"),
    "models.ratio": Entry("Out : in", "출력:입력"),
    "models.p95": Entry("p95", "p95"),
    "models.ttft": Entry("First token", "첫 토큰"),
    "models.errors": Entry("Errors", "오류"),
    "models.history": Entry("How the price of {model} went", "{model} 가격 변화"),
    "models.history_measure": Entry("List price per million tokens, standard tier", "100만 토큰당 정가, 표준 등급"),
    "models.changed": Entry("last changed {day}", "{day} 마지막 변경"),
    "models.blended": Entry("8 in : 2 out", "입력 8 : 출력 2"),
    "models.no_price": Entry("Nobody has a price for {model}", "{model}의 가격을 아는 곳이 없습니다"),
    "models.no_price_do": Entry(
        "Set one with outlay price override; its calls are priced by outlay reprice.",
        "outlay price override로 가격을 지정하면 outlay reprice로 지난 호출에도 적용됩니다.",
    ),
    # Customers and units.
    "units.note": Entry(
        "What one request, user, customer and success costs", "요청·사용자·고객·성공 한 건에 드는 비용"
    ),
    "units.per_request": Entry("Per request", "요청당"),
    "units.per_user": Entry("Per user", "사용자당"),
    "units.per_customer": Entry("Per customer", "고객당"),
    "units.per_success": Entry("Per success", "성공당"),
    "units.of_request": Entry("{n} requests", "요청 {n}건", one="{n} request"),
    "units.of_user": Entry("{n} users", "사용자 {n}명", one="{n} user"),
    "units.of_customer": Entry("{n} customers", "고객 {n}곳", one="{n} customer"),
    "units.of_success": Entry("{n} successes", "성공 {n}건", one="{n} success"),
    "units.no_request": Entry("no requests", "요청 없음"),
    "units.no_user": Entry("how many is not known", "사용자 수를 알 수 없음"),
    "units.no_customer": Entry("how many is not known", "고객 수를 알 수 없음"),
    "units.no_success": Entry("no outcomes are recorded", "기록된 결과 없음"),
    "units.unpriced": Entry(
        "{n} requests without a price are in no cost here.",
        "가격 없는 요청 {n}건은 이 비용에 들어 있지 않습니다.",
        one="{n} request without a price is in no cost here.",
    ),
    "units.success_course": Entry(
        "A success of “{name}” cost {low} to {high}", "‘{name}’ 성공 한 건의 비용은 {low}~{high}입니다"
    ),
    "units.request_course": Entry("A request cost {low} to {high}", "요청 한 건의 비용은 {low}~{high}입니다"),
    "units.measure": Entry("{currency} per unit, by {interval}", "단위당 {currency}, {interval}별"),
    "units.no_outcomes": Entry(
        "What a success costs is shown once outlay.score or outlay outcome import says which work succeeded.",
        "outlay.score나 outlay outcome import로 성공한 작업을 알려 주면 성공당 비용이 표시됩니다.",
    ),
    "units.largest": Entry(
        "{name} costs most: {cost}, {share} of the spend", "가장 큰 비용은 {name}: {cost}, 지출의 {share}"
    ),
    "units.nobody": Entry("No call names a {dimension}", "{dimension} 정보가 있는 호출이 없습니다"),
    "units.who": Entry("By whom", "대상"),
    "units.rest": Entry("All others", "나머지"),
    "units.spend": Entry("Spend", "지출"),
    "units.requests": Entry("Requests", "요청"),
    "units.successes": Entry("Successes", "성공"),
    "units.revenue": Entry("Revenue", "매출"),
    "units.margin": Entry("Margin", "마진"),
    "units.centers": Entry(
        "{n} cost centers bear {total}", "비용 센터 {n}곳이 {total}을 부담합니다", one="{n} cost center bears {total}"
    ),
    "units.centers_shared": Entry("of it {shared} shared", "그중 공동 비용 {shared}"),
    "units.direct": Entry("Direct", "직접"),
    "units.shared": Entry("Shared", "공동"),
    "units.total": Entry("Total", "합계"),
    "units.share": Entry("Share", "비중"),
    # Data quality.
    "quality.perfect": Entry("Everything is priced and reported", "모든 호출에 가격과 사용량이 있습니다"),
    "quality.answer": Entry(
        "{priced} of the calls have a price, {reported} reported their usage",
        "호출 중 {priced}에 가격이 있고 {reported}가 사용량을 보고했습니다",
    ),
    "quality.calls_priced": Entry("Calls priced", "가격 있는 호출"),
    "quality.tokens_priced": Entry("Tokens priced", "가격 있는 토큰"),
    "quality.reported": Entry("Usage reported", "사용량 보고"),
    "quality.estimated": Entry("Estimated", "추정"),
    "quality.missing": Entry("Missing", "누락"),
    "quality.dropped": Entry("Dropped by clients", "클라이언트 유실"),
    "quality.nearest": Entry("nearest known: {model}", "가장 가까운 모델: {model}"),
    "quality.at_stake": Entry("about {cost} as that", "그 가격으로 약 {cost}"),
    "quality.not": Entry("{n} are not", "아닌 호출 {n}건", one="{n} is not"),
    "quality.unpriced": Entry(
        "{n} models have calls without a price",
        "모델 {n}개에 가격 없는 호출이 있습니다",
        one="{n} model has calls without a price",
    ),
    "quality.unpriced_measure": Entry("Calls and tokens that are in no total", "합계에 들어가지 않는 호출과 토큰"),
    "quality.unpriced_do": Entry(
        "This prices the first of them; calls of the past get it by <code>outlay reprice</code>:",
        "첫 번째 모델에 가격을 지정하는 명령입니다. 지난 호출은 <code>outlay reprice</code>로 적용됩니다:",
    ),
    "quality.column_calls": Entry("Not priced", "가격 미정"),
    "quality.column_share": Entry("Of its calls", "호출 중 비중"),
    "quality.column_tokens": Entry("Tokens", "토큰"),
    "quality.poor_usage": Entry("Services whose usage is not all reported", "사용량을 모두 보고하지 않는 서비스"),
    "quality.poor_usage_do": Entry(
        "Streams often need an option to report usage, such as stream_options.include_usage.",
        "스트리밍은 stream_options.include_usage 같은 옵션이 필요할 때가 많습니다.",
    ),
    "quality.owners": Entry("Spend that knows whose it is", "주인이 밝혀진 지출"),
    "quality.owners_measure": Entry("Share of the spend that carries each dimension", "각 기준이 붙은 지출의 비중"),
    "quality.dimension": Entry("Dimension", "기준"),
    "quality.has": Entry("Has it", "있음"),
    "quality.without": Entry("Without", "없음"),
    "quality.left_out": Entry("Spans that describe calls and are not counted", "호출을 기술하지만 집계하지 않는 스팬"),
    "quality.left_out_measure": Entry(
        "Of the newest {n}, by reason; counting them would bill a call twice",
        "최근 {n}건의 사유별 수. 세면 이중 청구가 됩니다",
    ),
    "quality.reason": Entry("Reason", "사유"),
    "quality.spans": Entry("Spans", "스팬"),
    "quality.refused": Entry("{n} spans were refused", "스팬 {n}건이 거부되었습니다", one="{n} span was refused"),
    "quality.refused_measure": Entry(
        "Received in this window and not stored; their senders were told why",
        "이 기간에 받았지만 저장하지 않은 스팬. 보낸 쪽에 사유를 알렸습니다",
    ),
    "quality.accepted_since": Entry("Accepted since", "이후 수락"),
    "quality.refused_do": Entry(
        "Look at them, mend the cause, and send them again:", "확인하고 원인을 고친 뒤 다시 보내세요:"
    ),
    "refused.malformed": Entry("not a valid span", "올바른 스팬이 아님"),
    "refused.future": Entry("a start time in the future", "시작 시각이 미래"),
    "refused.too_old": Entry("older than the retention", "보관 기간보다 오래됨"),
    "refused.project": Entry("a project the key may not write to", "키로 쓸 수 없는 프로젝트"),
    "refused.unread": Entry("it could not be understood", "해석할 수 없음"),
    "refused.unstorable": Entry("the database did not take it", "데이터베이스가 받지 않음"),
    # Settings.
    "settings.note": Entry("What is set, and the command that changes it", "현재 설정과 바꾸는 명령"),
    "settings.projects": Entry("Projects", "프로젝트"),
    "settings.projects_note": Entry(
        "Spend of different projects is never mixed up", "프로젝트별 지출은 섞이지 않습니다"
    ),
    "settings.content": Entry("Prompts kept", "프롬프트 보관"),
    "settings.since": Entry("Since", "생성"),
    "settings.keys": Entry("API keys", "API 키"),
    "settings.keys_note": Entry(
        "Only their names are kept, never the secrets", "이름만 보관하며 비밀값은 저장하지 않습니다"
    ),
    "settings.keys_hidden": Entry("Only an admin key may see keys", "관리자 키만 볼 수 있습니다"),
    "settings.keys_hidden_do": Entry(
        "Nothing is wrong; this dashboard reads with less.", "문제가 아닙니다. 이 대시보드는 더 적은 권한으로 읽습니다."
    ),
    "settings.key": Entry("Key", "키"),
    "settings.last_used": Entry("Last used", "마지막 사용"),
    "settings.never_used": Entry("never", "없음"),
    "settings.revoked": Entry("revoked", "폐기됨"),
    "settings.expired": Entry("expired", "만료됨"),
    "settings.tags": Entry("Cost allocation tags", "비용 배분 태그"),
    "settings.tags_note": Entry(
        "Have sums of their own; any other tag is answered from calls",
        "별도 합계로 빠르게 조회됩니다. 다른 태그는 호출에서 계산합니다",
    ),
    "settings.tag": Entry("Tag", "태그"),
    "settings.tag_days_to_go": Entry("{days} days still to be summed", "합산 대기 {days}일"),
    "settings.instance": Entry("This instance", "이 인스턴스"),
    "settings.instance_note": Entry("Set by the environment of the dashboard", "대시보드의 환경 변수로 지정"),
    "settings.zone": Entry("time zone", "시간대"),
    "settings.endpoint": Entry("collector", "수집기"),
    "settings.your_key": Entry("reads with", "사용 중인 키"),
    "settings.no_key": Entry("no key", "키 없음"),
    "settings.prices": Entry("Price book", "가격표"),
    "settings.prices_note": Entry("What changed it, newest first", "변경 내역, 최신순"),
    "settings.version": Entry("version {version}, {kind}", "버전 {version}, {kind}"),
    "settings.change": Entry("Change", "변경"),
    "settings.when": Entry("When", "시각"),
    "content.none": Entry("no", "안 함"),
    "content.masked": Entry("masked", "가림"),
    "content.full": Entry("in full", "전체"),
    "call.repriced": Entry(
        "Today's prices would give {cost}; closed charges keep theirs.",
        "현재 가격으로는 {cost}이며, 확정된 비용은 그대로 둡니다.",
    ),
    "call.discount": Entry("less {percent}", "{percent} 할인"),
    "column.time": Entry("Time", "시각"),
    "column.what": Entry("What", "작업"),
    "column.model": Entry("Model", "모델"),
    "column.where": Entry("Where", "위치"),
    "column.duration": Entry("Duration", "소요 시간"),
    "column.tokens": Entry("Tokens", "토큰"),
    "column.cost": Entry("Cost", "비용"),
    "column.status": Entry("Status", "상태"),
    "trace.summary": Entry("{cost} over {calls}, {duration}, {when}", "{calls}에 {cost}, {duration}, {when}"),
    "trace.calls": Entry("{n} counted calls", "집계된 호출 {n}건", one="{n} counted call"),
    "trace.no_calls": Entry("no counted call", "집계된 호출 없음"),
    "trace.at_least": Entry("at least {cost}", "{cost} 이상"),
    "trace.measure": Entry(
        "Cost and duration per step. Hatched steps are not counted: they describe a call that is counted elsewhere.",
        "단계별 비용과 소요 시간. 빗금 친 단계는 다른 곳에서 이미 집계된 호출이라 세지 않습니다.",
    ),
    "trace.measure_plain": Entry("Cost and duration per step", "단계별 비용과 소요 시간"),
    "trace.first_spans": Entry("The first {n} of {all} steps are drawn.", "{all}단계 중 처음 {n}단계를 표시합니다."),
    "trace.show_all": Entry("Draw all", "모두 표시"),
    "trace.alt": Entry("Waterfall of the trace's steps", "트레이스 단계별 워터폴"),
    "trace.not_counted": Entry("not counted: {reason}", "집계 제외: {reason}"),
    "trace.error": Entry("failed: {error}", "실패: {error}"),
    "trace.still_failed": Entry("failed", "실패"),
    "call.charge": Entry("Charge", "비용 내역"),
    "call.usage": Entry("Usage", "사용량"),
    "call.source": Entry("Source", "출처"),
    "call.checked": Entry("checked {date}", "{date} 확인"),
    "call.times": Entry("{quantity} × {amount} per {per}", "{quantity} × {per}당 {amount}"),
    "call.reported": Entry("The emitter reported {cost}", "발신 측 보고 비용 {cost}"),
    "call.usage_missing": Entry("No usage was reported for this call.", "이 호출은 사용량이 보고되지 않았습니다."),
    "call.usage_estimated": Entry("Estimated, not reported by the provider.", "제공사 보고가 아닌 추정치입니다."),
    "call.content": Entry("What was said ({n})", "대화 내용 ({n})"),
    "call.content_cut": Entry("{n} more characters: the API has them all", "나머지 {n}자는 API에서 볼 수 있습니다"),
    "call.attributes": Entry("Other attributes ({n})", "기타 속성 ({n})"),
    "fact.start": Entry("started", "시작"),
    "fact.duration": Entry("took", "소요"),
    "fact.ttft": Entry("first token", "첫 토큰"),
    "fact.request_model": Entry("asked for", "요청 모델"),
    "fact.finish": Entry("finished by", "종료 사유"),
    "fact.streaming": Entry("streamed", "스트리밍"),
    "fact.dialect": Entry("dialect", "규격"),
    "fact.span": Entry("span", "스팬"),
    "yes": Entry("yes", "예"),
    "no": Entry("no", "아니요"),
    "status.ok": Entry("ok", "정상"),
    "charge.priced": Entry("priced", "가격 적용"),
    "charge.partly_priced": Entry("partly priced", "일부만 가격 적용"),
    "charge.unpriced": Entry("no price is known for this model", "이 모델의 가격을 모릅니다"),
    "charge.invalid": Entry("its usage contradicts itself", "사용량 수치가 서로 모순됩니다"),
    "charge.pending": Entry("waiting for GPU allocation", "GPU 배분 대기 중"),
    "charge.missing_usage": Entry("no usage was reported", "사용량이 보고되지 않았습니다"),
    "charge.not_counted": Entry("this span is not counted", "집계하지 않는 스팬입니다"),
    "reason.aggregate": Entry("it sums up its steps", "하위 단계의 합계"),
    "reason.duplicate": Entry("another span describes the same call", "같은 호출을 다른 스팬이 기술"),
    "reason.not_a_call": Entry("it calls no model", "모델 호출이 아님"),
    "reason.tool": Entry("a tool, not a model", "모델이 아닌 도구"),
    "bucket.input": Entry("input", "입력"),
    "bucket.input_tokens": Entry("input", "입력"),
    "bucket.cache_read": Entry("input read from cache", "캐시에서 읽은 입력"),
    "bucket.cache_read_tokens": Entry("of which read from cache", "그중 캐시에서 읽음"),
    "bucket.cache_write": Entry("input written to cache", "캐시에 쓴 입력"),
    "bucket.cache_write_tokens": Entry("of which written to cache", "그중 캐시에 씀"),
    "bucket.cache_write_5m_tokens": Entry("of which written to cache for 5 minutes", "그중 5분 캐시에 씀"),
    "bucket.cache_write_1h_tokens": Entry("of which written to cache for 1 hour", "그중 1시간 캐시에 씀"),
    "bucket.input_audio": Entry("audio input", "오디오 입력"),
    "bucket.input_audio_tokens": Entry("of which audio", "그중 오디오"),
    "bucket.output": Entry("output", "출력"),
    "bucket.output_tokens": Entry("output", "출력"),
    "bucket.reasoning": Entry("reasoning", "추론"),
    "bucket.reasoning_tokens": Entry("of which reasoning", "그중 추론"),
    "bucket.output_audio": Entry("audio output", "오디오 출력"),
    "bucket.output_audio_tokens": Entry("of which audio", "그중 오디오"),
    # Alerts.
    "alerts.show": Entry("Show", "보기"),
    "alerts.alerts": Entry("Alerts", "알림"),
    "alerts.unusual": Entry("Unusual spend", "이례적 지출"),
    "alerts.deliveries": Entry("Deliveries", "전달 기록"),
    "alerts.stand": Entry("{n} alerts stand", "진행 중인 알림 {n}건", one="1 alert stands"),
    "alerts.none_stand": Entry("Nothing needs attention", "지금 살펴볼 알림이 없습니다"),
    "alerts.calendar": Entry(
        "{n} alerts opened in this window", "이 기간에 알림 {n}건 발생", one="1 alert opened in this window"
    ),
    "alerts.calendar_measure": Entry(
        "By day; the colour is the gravest of the day", "일별, 색은 그날 가장 심각한 알림"
    ),
    "alerts.past": Entry("Before", "지난 알림"),
    "alerts.past_measure": Entry("Alerts of this window that are over", "이 기간에 해결된 알림"),
    "alerts.column": Entry("alert", "알림"),
    "alerts.opened": Entry("opened", "발생"),
    "alerts.lasted": Entry("lasted", "지속"),
    "alerts.severity": Entry("severity", "심각도"),
    "alerts.since": Entry("since {when}", "{when}부터"),
    "alerts.acknowledged_by": Entry("{who} looks after it", "{who} 담당"),
    "alerts.muted_until": Entry("muted until {when}", "{when}까지 음소거"),
    "alerts.muted": Entry("muted", "음소거됨"),
    "alerts.acknowledge": Entry("I look after it", "확인"),
    "alerts.mute": Entry("Mute for a day", "하루 음소거"),
    "alerts.unmute": Entry("Unmute", "음소거 해제"),
    "alerts.resolve": Entry("It is over", "해결됨"),
    "alerts.open": Entry("Look", "살펴보기"),
    "alerts.useful": Entry("Good to know", "유용함"),
    "alerts.not_useful": Entry("No need to tell", "불필요함"),
    "alerts.thanks": Entry("Noted.", "기록했습니다."),
    "alerts.failed": Entry("That did not work: {why}", "처리하지 못했습니다: {why}"),
    "alerts.severity.info": Entry("info", "정보"),
    "alerts.severity.warning": Entry("warning", "경고"),
    "alerts.severity.critical": Entry("critical", "심각"),
    "alerts.no_unusual": Entry("No unusual spend in this window", "이 기간에 이례적 지출이 없습니다"),
    "alerts.no_unusual_do": Entry(
        "Hours and days are compared with the weeks before, as soon as there is a week of them.",
        "한 주 이상의 기록이 쌓이면 시간과 날을 지난 몇 주와 비교합니다.",
    ),
    "alerts.unusual_title": Entry("Spend was unusual {n} times", "이례적 지출 {n}건", one="Spend was unusual once"),
    "alerts.unusual_measure": Entry("Spend above or below its habit, by money", "평소와 다른 지출, 금액순"),
    "alerts.kind.high": Entry("more than usual", "평소보다 많음"),
    "alerts.kind.low": Entry("less than usual", "평소보다 적음"),
    "alerts.kind.drift": Entry("drifting up", "서서히 증가"),
    "alerts.kind.runaway": Entry("running away", "급격한 반복 지출"),
    "alerts.actual": Entry("spent", "지출"),
    "alerts.expected": Entry("usual", "평소"),
    "alerts.impact": Entry("difference", "차이"),
    "alerts.calls": Entry("calls", "호출"),
    "alerts.hours": Entry("over", "기간"),
    "alerts.n_hours": Entry("{n} hours", "{n}시간", one="1 hour"),
    "alerts.cause": Entry("where from", "원인 위치"),
    "alerts.cause_of": Entry("{dimension} {value}, {share} of it", "{dimension} {value}, 차이의 {share}"),
    "alerts.everywhere": Entry("everywhere alike", "전반적"),
    "alerts.why": Entry("why", "이유"),
    "alerts.effect.volume": Entry("number of calls", "호출 수"),
    "alerts.effect.retries": Entry("attempts per success", "성공당 시도 수"),
    "alerts.effect.mix": Entry("other models", "모델 구성"),
    "alerts.effect.size": Entry("length of prompts and answers", "프롬프트·응답 길이"),
    "alerts.effect.cache": Entry("caching", "캐시"),
    "alerts.effect.price": Entry("prices", "단가"),
    "alerts.effect.other": Entry("charges that are no calls", "호출 외 비용"),
    "alerts.effect.unknown": Entry("calls without a price", "단가 없는 호출"),
    "alerts.no_deliveries": Entry("Nobody was told of anything yet", "아직 전달한 알림이 없습니다"),
    "alerts.no_deliveries_do": Entry(
        "Add a receiver: outlay webhook add https://… --kind slack, then outlay webhook test ID.",
        "수신처 추가: outlay webhook add https://… --kind slack, 이후 outlay webhook test ID.",
    ),
    "alerts.deliveries_title": Entry(
        "{n} deliveries, {failed} failed", "전달 {n}건, 실패 {failed}건", one="1 delivery, {failed} failed"
    ),
    "alerts.deliveries_measure": Entry("The newest 100, newest first", "최근 100건"),
    "alerts.message": Entry("message", "메시지"),
    "alerts.to": Entry("to", "수신처"),
    "alerts.state": Entry("state", "상태"),
    "alerts.attempts": Entry("attempts", "시도"),
    "alerts.at": Entry("at", "시각"),
    "alerts.state.pending": Entry("waiting", "대기"),
    "alerts.state.delivered": Entry("delivered", "전달됨"),
    "alerts.state.failed": Entry("failed", "실패"),
    "alerts.state.muted": Entry("muted", "음소거"),
    "alerts.replay": Entry("Deliver again", "다시 전달"),
    "alerts.replay_which": Entry("Which one to deliver again", "다시 전달할 항목"),
    "budgets.note": Entry("Likeliest to break first.", "초과 가능성이 높은 순서입니다."),
    "budgets.none": Entry("No budgets yet", "아직 예산이 없습니다"),
    "budgets.none_do": Entry(
        "Write them into budgets.yaml and run: outlay budget apply budgets.yaml",
        "budgets.yaml에 작성한 뒤 outlay budget apply budgets.yaml 명령을 실행하세요",
    ),
    "budgets.unknown": Entry("There is no budget {name} here.", "예산 {name}이(가) 없습니다."),
    "budgets.column": Entry("Budget", "예산"),
    "budgets.spent": Entry("Spent", "사용액"),
    "budgets.of": Entry("Of", "한도"),
    "budgets.used": Entry("Used", "사용률"),
    "budgets.likely": Entry("Likely at the end", "기말 예상"),
    "budgets.period": Entry("Period", "기간"),
    "budgets.summing": Entry("being summed", "집계 중"),
    "budgets.too_early": Entry("too early to say", "예측하기 이릅니다"),
    "budgets.each": Entry("each {dimension}, furthest: {name}", "{dimension}별, 최대: {name}"),
    "budgets.rolling": Entry("Last {n} days", "최근 {n}일"),
    "budgets.breaks": Entry("{name} is likely to be spent on {day}", "{name} 예산은 {day}에 소진될 것으로 보입니다"),
    "budgets.is_spent": Entry("{name} is spent since {day}", "{name} 예산은 {day}에 소진되었습니다"),
    "budgets.holds": Entry(
        "{name} is likely to hold: {likely} of {amount} at the end",
        "{name} 예산은 유지될 것으로 보입니다: 기말 {amount} 중 {likely}",
    ),
    "budgets.no_outlook": Entry("{name}: {spent} of {amount} spent", "{name}: {amount} 중 {spent} 사용"),
    "budgets.measure": Entry(
        "{currency} since the period began · {range} · {zone}", "기간 시작부터 누적 {currency} · {range} · {zone}"
    ),
    "budgets.measure_band": Entry("dashed: likely, pale: p10 to p90", "점선: 예상, 옅은 띠: p10~p90"),
    "budgets.line": Entry("Budget {amount}", "예산 {amount}"),
    "budgets.left": Entry("Left", "잔액"),
    "budgets.over": Entry("Over", "초과"),
    "budgets.a_day": Entry("{amount} a day until it ends", "기말까지 하루 {amount}"),
    "budgets.range": Entry("{low} to {high}", "{low} ~ {high}"),
    "budgets.error": Entry(
        "Forecasts at half of past periods were off by {error}, the run-rate by {run_rate}; the band held {coverage}.",
        "과거 기간 중반의 예측 오차 {error}, 단순 추세 {run_rate}; 범위 적중률 {coverage}.",
    ),
    "budgets.low": Entry(
        "Too little history for weekdays: this is the run-rate only.", "이력이 부족하여 단순 추세만 보여 줍니다."
    ),
    "budgets.at_least": Entry(
        "{n} calls have no known price, so it is at least that much.",
        "호출 {n}건은 가격을 알 수 없어 실제 금액은 더 클 수 있습니다.",
        one="1 call has no known price, so it is at least that much.",
    ),
    "budgets.told": Entry("What was told", "알림 내역"),
    "budgets.told_measure": Entry("Thresholds of this period", "이번 기간의 임계값"),
    "budgets.nothing_told": Entry("Nothing was told in this period.", "이번 기간에는 알림이 없습니다."),
    "budgets.threshold": Entry("Threshold", "임계값"),
    "budgets.at": Entry("At", "시각"),
    "budgets.figure": Entry("Figure then", "당시 금액"),
    "budgets.corrected": Entry("corrected {at}", "{at} 정정됨"),
    "budgets.forecast_of": Entry("{at} (forecast)", "{at} (예측)"),
    "budgets.instances": Entry("Furthest of {n}", "{n}개 중 상위"),
    "budgets.instances_measure": Entry("{currency} spent; each has {amount}", "사용액 {currency}; 각각 {amount}"),
    "overview.budget": Entry(
        "Budget {name}: {spent} of {amount} ({share}) in {period}, likely {likely} at the end.",
        "예산 {name}: {period} {amount} 중 {spent}({share}) 사용, 기말 예상 {likely}.",
    ),
    "overview.budget_now": Entry(
        "Budget {name}: {spent} of {amount} ({share}) in {period}.",
        "예산 {name}: {period} {amount} 중 {spent}({share}) 사용.",
    ),
    "overview.budget_line": Entry("Budget {name} per day", "예산 {name} (하루)"),
}
