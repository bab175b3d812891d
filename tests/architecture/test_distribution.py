"""Tests run on several processes; those that share a server stay on one."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("distribution")
def test_a_group_of_tests_is_sent_to_one_process(request: pytest.FixtureRequest) -> None:
    """xdist tells groups by what it adds to a test's id, which not every version of pytest lets it do."""
    by_group = getattr(request.config.option, "loadgroup", False)  # as `make test` does
    assert request.node.nodeid.endswith("@distribution") == by_group
