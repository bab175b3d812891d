"""``outlay up``, wired: each part in order, then watching until somebody asks to stop."""

from __future__ import annotations

import contextlib
import http.client
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from rich.markup import escape

from outlay_collector.db.embedded import EmbeddedPostgres, make_home
from outlay_collector.db.engine import connect
from outlay_collector.errors import NotReady
from outlay_collector.settings import Settings
from outlay_collector.up import home as homes
from outlay_collector.up import store
from outlay_collector.up.child import Child, how_it_ended
from outlay_collector.up.plan import Plan
from outlay_collector.up.ports import claim
from outlay_collector.up.steps import Steps
from outlay_collector.up.supervisor import Signals, Stop, Supervisor


def up(settings: Settings, *, dashboard_port: int, demo: bool) -> None:
    """Run everything until SIGINT, SIGTERM or SIGHUP; then all that was started here is gone within ten seconds."""
    steps = Steps()
    home = Path(os.path.expanduser(settings.home)).absolute()
    make_home(home)
    with contextlib.suppress(Stop), Signals() as signals, ExitStack() as stack:
        try:
            _run(settings, home, dashboard_port, demo=demo, steps=steps, stack=stack, signals=signals)
        finally:
            signals.ignore()  # stopping is bounded, and must not be interrupted halfway
    steps.say("Outlay has stopped; its data are kept.")


def _run(
    settings: Settings,
    home: Path,
    dashboard_port: int,
    *,
    demo: bool,
    steps: Steps,
    stack: ExitStack,
    signals: Signals,
) -> None:
    """The parts in order. What must be ended goes on ``stack``, and is ended in the opposite order."""
    stack.enter_context(homes.held(home))
    if left := homes.end_leftovers(home):
        steps.say(f"Ended what an earlier run left behind: {', '.join(left)}.")
    asked = {"--port": settings.port, "--grpc-port": settings.grpc_port, "--dashboard-port": dashboard_port}
    ports = claim(asked)
    url, keep_database = stack.enter_context(_database(settings, home, steps))
    plan = Plan(
        home=home,
        database_url=url,
        port=ports["--port"],
        grpc_port=ports["--grpc-port"],
        dashboard_port=ports["--dashboard-port"],
        environment=os.environ,
    )
    with steps.step("Preparing schema and prices"):
        store.prepare(url, currency=settings.currency)
    with connect(url) as connection:
        owner_key, ingest_key = store.owner_key(connection, home), store.ingest_key(connection, home)
    supervisor = Supervisor(home, steps, signals)
    stack.callback(supervisor.stop)
    stack.callback(steps.say, "Stopping …")
    with steps.step("Starting collector, worker and dashboard"):
        _start(supervisor, plan, owner_key)
    if demo:
        _send_demo(supervisor, plan, steps)
    _invite(plan, steps, ingest_key)
    supervisor.watch(also=keep_database)


@contextlib.contextmanager
def _database(settings: Settings, home: Path, steps: Steps) -> Iterator[tuple[str, Callable[[], None]]]:
    """The database's URL, and what to call now and then to keep it running."""
    if settings.database_url:
        with steps.step("Connecting to the database of OUTLAY_DATABASE_URL"):
            connect(settings.database_url).close()
        yield settings.database_url, lambda: None
        return
    postgres = EmbeddedPostgres(home, bound=True)

    def keep_running() -> None:
        if not postgres.is_running():
            steps.warn(f"Postgres ended: starting it again. Log: {postgres.log}")
            try:
                postgres.start()
            except NotReady as error:  # tried again a second later
                steps.warn(str(error))

    try:
        with steps.step("Starting Postgres"):
            postgres.start()
        yield postgres.url, keep_running
    finally:
        postgres.stop()


def _start(supervisor: Supervisor, plan: Plan, owner_key: str) -> None:
    with connect(plan.database_url, autocommit=True) as connection:
        begun = store.now(connection)
        collector = Child(
            "collector",
            plan.collector,
            env=plan.server_environment,
            log=plan.home / "collector.log",
            is_ready=lambda: _answers(f"{plan.collector_url}/readyz"),
        )
        worker = Child(
            "worker",
            plan.worker,
            env=plan.server_environment,
            log=plan.home / "worker.log",
            is_ready=lambda: store.worker_was_alive_after(connection, begun),
        )
        dashboard = Child(
            "dashboard",
            plan.dashboard,
            env=plan.dashboard_environment(owner_key),
            log=plan.home / "dashboard.log",
            is_ready=lambda: _answers(plan.dashboard_health_url),
        )
        supervisor.start([collector, worker, dashboard])


def _send_demo(supervisor: Supervisor, plan: Plan, steps: Steps) -> None:
    """The demo's telemetry, through the collector like anybody's. Its own process shows its progress on our output."""
    demo = Child("demo", plan.demo, env=plan.server_environment, log=None, is_ready=lambda: True)
    if code := supervisor.run_to_the_end(demo):
        steps.warn(f"The demo data are not complete ({how_it_ended(code)}). Again: {escape(' '.join(plan.demo[1:]))}")


def _invite(plan: Plan, steps: Steps, ingest_key: str) -> None:
    steps.say("")
    steps.say("[bold]Outlay is ready.[/bold] Ctrl-C stops it; its data are kept.")
    steps.say(f"  Dashboard   [link]{plan.dashboard_url}[/link]")
    steps.say(f"  Collector   [link]{plan.collector_url}[/link] (OTLP over HTTP and the API; gRPC on {plan.grpc_port})")
    steps.say(f"  Ingest key  {ingest_key}")
    steps.say(f"  Home        {escape(str(plan.home))}")
    steps.say("")
    steps.say("Paste this into an application:")
    steps.say("")
    steps.say(escape(plan.snippet(ingest_key)))


def _answers(url: str) -> bool:
    """Whether ``url`` answers 200; without a client library, to be quick on the way up."""
    address, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", f"/{path}")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
