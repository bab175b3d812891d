"""What `outlay up` hands to its parts."""

from pathlib import Path

from outlay_collector.up.plan import Plan


def a_plan(**environment: str) -> Plan:
    return Plan(
        home=Path("/home/outlay"),
        database_url="postgresql://secret@/outlay",
        port=4318,
        grpc_port=4317,
        dashboard_port=8501,
        environment={"PATH": "/usr/bin"} | environment,
    )


def test_the_dashboard_learns_the_collector_and_a_key_but_never_the_database():
    plan = a_plan(
        OUTLAY_DATABASE_URL="postgresql://secret@/outlay", OUTLAY_READ_DATABASE_URL="postgresql://secret@/copy"
    )
    environment = plan.dashboard_environment("out_key")
    assert environment["OUTLAY_ENDPOINT"] == "http://127.0.0.1:4318"
    assert environment["OUTLAY_API_KEY"] == "out_key"
    assert not [value for value in environment.values() if "secret" in value]


def test_servers_are_not_handed_the_key_of_an_application_on_the_same_machine():
    environment = a_plan(OUTLAY_API_KEY="out_other", OUTLAY_ENDPOINT="https://other").server_environment
    assert "OUTLAY_API_KEY" not in environment
    assert "OUTLAY_ENDPOINT" not in environment


def test_everything_listens_on_loopback_only():
    plan = a_plan()
    assert plan.collector[plan.collector.index("--host") + 1] == "127.0.0.1"
    assert "--server.address=127.0.0.1" in plan.dashboard


def test_the_snippet_is_python_that_can_be_pasted():
    snippet = a_plan().snippet("out_key")
    compile(snippet, "snippet", "exec")
    assert 'endpoint="http://127.0.0.1:4318", api_key="out_key"' in snippet


def test_libraries_find_a_home_folder_even_for_a_user_without_one():
    assert a_plan().server_environment["HOME"] == "/home/outlay"
    assert a_plan(HOME="/home/ann").dashboard_environment("out_key")["HOME"] == "/home/ann"
