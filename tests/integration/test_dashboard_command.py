"""How the dashboard may be started."""

from __future__ import annotations

import pytest
from outlay_dashboard.run import command_line

from tests.servers import outlay


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.1.2.3", "cost.internal"])
def test_a_dashboard_that_others_can_reach_needs_a_login_in_front_of_it(address: str) -> None:
    done = outlay("dashboard", "--address", address, "--port", "1")
    assert done.returncode == 1
    assert "--login-in-front" in done.stderr


def test_a_dashboard_below_a_path_is_told_so_without_slashes() -> None:
    assert "--server.baseUrlPath=cost/llm" in command_line(base_path="/cost/llm/")
    assert not any("baseUrlPath" in argument for argument in command_line())
