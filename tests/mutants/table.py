"""Mistakes that must not go unnoticed, each as a change of our own code and the tests that must then fail.

A mutant is one thought a maintainer might have ("why wait for the commit?"), not one operator swapped for another.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """In ``file``, the one place that reads ``instead_of`` reads ``now``; each of ``killed_by`` must then fail."""

    name: str
    file: str
    instead_of: str
    now: str
    killed_by: tuple[str, ...]


_LEDGER = "tests/integration/test_ledger.py::"
_ROUNDS = "tests/integration/test_settle_rounds.py::"
_SIGNALS = "tests/integration/test_signals.py::"
_POSTGRES = "tests/faults/test_postgres_fails.py::"
_BAD_INPUT = "tests/faults/test_bad_input.py::"
_CLIENTS = "tests/faults/test_clients.py::"
_WORKERS = "tests/faults/test_partitions_and_workers.py::"
_LATER = "tests/integration/test_later_sums.py::"
_ALERTS = "tests/integration/test_alerts.py::"
_DELIVERIES = "tests/faults/test_deliveries.py::"
_FAILED_COMMIT = f"{_POSTGRES}test_fault_11_whatever_the_database_fails_with_the_sender_comes_again[53100]"

MUTANTS = (
    # What 200 means.
    Mutant(
        "acknowledge before the commit",
        "collector/outlay_collector/receive/door.py",
        "            receipts = await asyncio.gather(*waiting)\n",
        "            receipts = [Receipt(len(batch.rows), len(batch.refused)) for batch in batches]\n",
        (_FAILED_COMMIT,),
    ),
    Mutant(
        "acknowledge what failed",
        "collector/outlay_collector/receive/committer.py",
        '        pending.future.set_exception(Unavailable("The database does not take spans at the moment; send again."))',
        "        pending.future.set_result(_receipt(pending.batch))",
        (_FAILED_COMMIT,),
    ),
    Mutant(
        "no Retry-After",
        "collector/outlay_collector/receive/api.py",
        '{"Retry-After": str(Unavailable.retry_after_seconds)} if error.status == 503 else {}',
        "{}",
        (_FAILED_COMMIT,),
    ),
    Mutant(
        "partial_success left out",
        "collector/outlay_collector/receive/api.py",
        "    if receipt.rejected or receipt.message:\n",
        "    if False:\n",
        (f"{_BAD_INPUT}test_fault_17_one_poisoned_span_of_a_thousand_is_refused_alone[no-trace]",),
    ),
    # Counted once.
    Mutant(
        "no ON CONFLICT",
        "collector/outlay_collector/receive/store.py",
        "SELECT {_COLUMN_LIST} FROM span_stage\nON CONFLICT DO NOTHING\n",
        "SELECT {_COLUMN_LIST} FROM span_stage\n",
        (f"{_LEDGER}test_sending_again_adds_nothing",),
    ),
    Mutant(
        "the last payload wins",
        "collector/outlay_collector/receive/store.py",
        "SELECT {_COLUMN_LIST} FROM span_stage\nON CONFLICT DO NOTHING\n",
        "SELECT {_COLUMN_LIST} FROM span_stage\n"
        "ON CONFLICT (project_id, trace_id, span_id, start_time) DO UPDATE SET input_tokens = excluded.input_tokens\n",
        (f"{_LEDGER}test_the_first_payload_under_an_id_stays_and_the_other_is_counted",),
    ),
    Mutant(
        "an id seen at two start times is two calls",
        "collector/outlay_collector/calls/store.py",
        "    OR count(DISTINCT span_id) < count(*)\n",
        "",
        (f"{_BAD_INPUT}test_fault_14_one_span_id_on_two_days_is_one_call",),
    ),
    Mutant(
        "twins are found in the same trace only",
        "collector/outlay_collector/calls/store.py",
        "    related = _closure(connection, traces, within)\n",
        "    related: set[UUID] = set()\n",
        (f"{_ROUNDS}test_one_response_told_in_two_traces_is_one_call",),
    ),
    # Sums follow, always.
    Mutant(
        "what was touched is told after the commit",
        "collector/outlay_collector/receive/store.py",
        "        _touch(cursor, batches)\n        for batch in batches:\n            _refuse(cursor, batch)\n"
        "    connection.commit()\n",
        "        for batch in batches:\n            _refuse(cursor, batch)\n"
        "    connection.commit()\n    with connection.cursor() as cursor:\n        _touch(cursor, batches)\n"
        "    connection.commit()\n",
        (_FAILED_COMMIT,),
    ),
    Mutant(
        "what was touched is forgotten before it is settled",
        "collector/outlay_collector/calls/store.py",
        "    taken = connection.execute(_TAKE, (project_id, COMMITS_PER_ROUND, traces)).fetchall()\n",
        "    taken = connection.execute(_TAKE, (project_id, COMMITS_PER_ROUND, traces)).fetchall()\n"
        "    connection.commit()\n",
        (f"{_LEDGER}test_a_crash_in_the_middle_of_settlement_changes_nothing",),
    ),
    Mutant(
        "roll up by the last id seen",
        "collector/outlay_collector/calls/store.py",
        "    taken = connection.execute(_TAKE, (project_id, COMMITS_PER_ROUND, traces)).fetchall()\n",
        "    seen = settle_round.__dict__\n"
        "    newest = connection.execute('SELECT max(id) FROM touched WHERE project_id = %s', (project_id,)).fetchone()\n"
        "    after = f'id > {seen.get(str(project_id)) or 0} AND project_id = %s'\n"
        "    seen[str(project_id)] = newest[0] or seen.get(str(project_id))\n"
        "    statement = _TAKE.replace('project_id = %s', after)\n"
        "    taken = connection.execute(statement, (project_id, COMMITS_PER_ROUND, traces)).fetchall()\n",
        (f"{_ROUNDS}test_a_commit_that_was_overtaken_is_settled_too",),
    ),
    Mutant(
        "only the newest minute is summed again",
        "collector/outlay_collector/calls/store.py",
        "    minutes = {minute for row in taken for minute in row[3]}\n",
        "    minutes = {max(row[3]) for row in taken[-1:]}\n",
        (f"{_LEDGER}test_late_data_is_summed_under_its_own_hour",),
    ),
    Mutant(
        "sums are added to, not made again",
        "collector/outlay_collector/ledger/store.py",
        "        self.execute(rollup_sql.delete(table, column), window)\n",
        "",
        (f"{_LEDGER}test_sums_follow_when_spans_come_one_after_another",),
    ),
    Mutant(
        "settle without the project's lock",
        "collector/outlay_collector/ledger/store.py",
        '    row = connection.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", (_LOCK_CLASS, project_id)).fetchone()\n',
        "    row = (True,)\n",
        (f"{_LEDGER}test_one_worker_at_a_time_settles_a_project",),
    ),
    # Unknown is not zero.
    Mutant(
        "an unknown price is zero",
        "collector/outlay_collector/pricing/book.py",
        '_UNKNOWN = Charge(None, "USD", UNPRICED)',
        '_UNKNOWN = Charge(Decimal(0), "USD", UNPRICED)',
        (f"{_LEDGER}test_a_model_without_a_price_is_unknown_and_never_zero",),
    ),
    Mutant(
        "usage that contradicts itself costs nothing",
        "collector/outlay_collector/pricing/book.py",
        "        except (InvalidUsageError, TypeError):\n            return Charge(None,",
        "        except (InvalidUsageError, TypeError):\n            return Charge(Decimal(0),",
        (f"{_LEDGER}test_usage_that_contradicts_itself_has_no_cost",),
    ),
    Mutant(
        "a sum of unknown costs is zero",
        "collector/outlay_collector/ledger/rollup_sql.py",
        '       sum(cost) AS cost,\n       sum(reported_cost) AS reported_cost"""\n',
        '       coalesce(sum(cost), 0) AS cost,\n       sum(reported_cost) AS reported_cost"""\n',
        (f"{_LEDGER}test_a_model_without_a_price_is_unknown_and_never_zero",),
    ),
    Mutant(
        "money by floating point",
        "collector/outlay_collector/pricing/price.py",
        "    whole, rest = divmod(amount, _ONE)\n",
        "    return Decimal(repr(amount / _ONE))\n    whole, rest = divmod(amount, _ONE)\n",
        ("tests/unit/pricing/test_price.py::test_more_digits_than_floating_point_holds_are_kept",),
    ),
    # Nothing that should not get in, and nobody kept out.
    Mutant(
        "secrets are not masked",
        "collector/outlay_collector/receive/ingest.py",
        '        mask_call(call, personal=keep == "masked")\n',
        "",
        (f"{_SIGNALS}test_a_secret_in_any_attribute_is_masked",),
    ),
    Mutant(
        "one span that cannot be stored refuses its neighbours",
        "collector/outlay_collector/receive/committer.py",
        "        except errors.DataError:\n            self._write_apart(group)\n",
        "",
        (f"{_LEDGER}test_a_span_is_refused_alone_when_postgres_will_not_take_it",),
    ),
    Mutant(
        "no bound on what is in flight",
        "collector/outlay_collector/receive/traffic.py",
        "        if others and traffic.bytes_in_flight + size > traffic.max_bytes:\n",
        "        if False:\n",
        (f"{_CLIENTS}test_fault_23_whoever_is_told_to_come_again_comes_again_and_loses_nothing",),
    ),
    Mutant(
        "a head may be as long as it likes",
        "collector/outlay_collector/connections.py",
        "        if in_head and self.head_bytes > MAX_HEAD_BYTES:\n",
        "        if False:\n",
        (f"{_CLIENTS}test_fault_22_a_head_without_end_is_refused",),
    ),
    # What heals by itself.
    Mutant(
        "a partition that went away stays away",
        "collector/outlay_collector/receive/committer.py",
        "_STALE = (errors.CheckViolation, errors.UndefinedTable)\n",
        "_STALE = ()\n",
        (f"{_WORKERS}test_fault_32_partitions_dropped_behind_a_running_collector_are_made_again",),
    ),
    Mutant(
        "an interrupted removal is not finished",
        "collector/outlay_collector/db/store.py",
        "        _finish(connection)\n",
        "",
        (
            f"{_WORKERS}test_fault_33_a_removal_interrupted_half_way_holds_up_nobody_and_is_finished_by_the_next_run"
            "[killed]",
        ),
    ),
    Mutant(
        "a connection that failed is used again",
        "collector/outlay_collector/receive/committer.py",
        "                # In what state the session is nobody knows; a new one is certain.\n                self.close()\n",
        "",
        (f"{_POSTGRES}test_fault_11_whatever_the_database_fails_with_the_sender_comes_again[XX000]",),
    ),
    # The SDK.
    Mutant(
        "a torn request is sent as it is",
        "sdk/outlay/spool.py",
        "            if zlib.crc32(body) != crc:\n",
        "            if False:\n",
        ("tests/unit/sdk/test_spool.py::test_damaged_frame_is_left_out_and_those_before_it_are_not[flipped]",),
    ),
    Mutant(
        "half a request stays in the spool of a full disk",
        "sdk/outlay/spool.py",
        "            os.ftruncate(self._descriptor, self.size)\n",
        "",
        (f"{_CLIENTS}test_fault_12_with_a_full_disk_the_sdk_keeps_the_rest_in_memory_and_delivers_all",),
    ),
    Mutant(
        "the SDK takes 503 for an answer",
        "sdk/outlay/transport.py",
        "_RETRYABLE = frozenset({429, 502, 503, 504})",
        "_RETRYABLE = frozenset({429, 502, 504})",
        (f"{_CLIENTS}test_fault_23_whoever_is_told_to_come_again_comes_again_and_loses_nothing",),
    ),
    # What is told, and to whom.
    Mutant(
        "an event is told each time that it is noticed",
        "collector/outlay_collector/alerts/store.py",
        "    if connection.execute(_EVENT, row).fetchone() is None:\n        return\n",
        "    connection.execute(_EVENT, row)\n",
        (f"{_ALERTS}test_an_event_goes_once_to_every_webhook_of_its_project",),
    ),
    Mutant(
        "a message that is repeated gets a new id",
        "collector/outlay_collector/alerts/webhooks/jobs.py",
        'f"evt_{parcel.event_id.hex}"',
        'f"evt_{parcel.event_id.hex}{parcel.attempt}"',
        (f"{_DELIVERIES}test_fault_24_a_receiver_that_is_away_is_tried_ten_times_in_75_hours_then_replayed",),
    ),
    Mutant(
        "addresses are looked at when they are saved only",
        "collector/outlay_collector/alerts/webhooks/sender.py",
        "self.sender.addresses(self.wanted)",
        "self.sender.resolve(self.wanted.host, self.wanted.port)",
        (f"{_DELIVERIES}test_fault_27_a_name_that_answers_differently_a_moment_later_gains_nothing",),
    ),
    Mutant(
        "who is gone for good is called again",
        "collector/outlay_collector/alerts/webhooks/schedule.py",
        'return "gone" if self.status == 410 else "again"',
        'return "again"',
        (f"{_DELIVERIES}test_fault_26_redirects_are_not_followed_and_codes_mean_what_they_say",),
    ),
    # Money of other currencies, and money that is no call's.
    Mutant(
        "use an exchange rate however old it is",
        "collector/outlay_collector/pricing/currencies/rates.py",
        "        return row if at < row.ends else None\n",
        "        return row\n",
        ("tests/unit/pricing/test_currencies.py::TestLookingUp::test_one_that_is_too_old_is_none",),
    ),
    Mutant(
        "book a late cost in the month that was closed",
        "collector/outlay_collector/costs/store.py",
        "            booked = open_from if _within(at, closed) else at\n",
        "            booked = at\n",
        ("tests/integration/test_costs.py::test_a_closed_month_stands_and_reversals_are_booked_in_the_open_one",),
    ),
    Mutant(
        "what is stale already need not be touched",
        "collector/outlay_collector/ledger/later/store.py",
        "ON CONFLICT (name, bucket, project_id, dimension) DO UPDATE SET touches = stale_sum.touches + 1",
        "ON CONFLICT DO NOTHING",
        (f"{_LATER}test_what_is_committed_while_a_bucket_is_made_is_in_it_or_makes_it_stale_again",),
    ),
    # GPU hours.
    Mutant(
        "leftovers of a split are lost",
        "collector/outlay_collector/gpu/allocate.py",
        "        result[index] += 1\n",
        "        result[index] += 0\n",
        ("tests/unit/gpu/test_allocate.py::test_shares_sum_to_the_whole",),
    ),
    Mutant(
        "a restart turns counters negative",
        "collector/outlay_collector/gpu/deltas.py",
        "    if restarted:\n",
        "    if False:\n",
        ("tests/unit/gpu/test_samples.py::test_a_counter_that_falls_began_again_even_where_no_start_is_told",),
    ),
    Mutant(
        "late calls leave their window as it was",
        "collector/outlay_collector/gpu/allocation/store.py",
        "    starts = sorted({window_of(minute) for minute in minutes})\n",
        "    starts = []\n",
        ("tests/integration/test_gpus.py::test_late_calls_late_scrapes_and_other_rates_have_windows_run_again",),
    ),
)
