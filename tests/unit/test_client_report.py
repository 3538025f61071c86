"""The terminal client shows the rate of each stage during a run, and a report at the end."""

from rich.progress import Progress

from client.report import report
from client.runs import Run
from client.watch import Rate
from tests.unit.fakes import Clock
from tests.unit.test_terminal_client import LOST, RUN, STAGE


def test_the_rate_of_a_stage_falls_while_it_takes_nothing():
    clock = Clock()
    rate = Rate(clock)
    progress = Progress(disable=True)
    progress.add_task("pong_received", total=1_000_000)
    [task] = progress.tasks
    for second in range(11):
        progress.update(task.id, completed=20_000 * second)
        assert rate.render(task).plain in ("", "   20,000 msg/s")
        clock.advance(1)
    clock.advance(9)

    assert rate.render(task).plain == "   10,000 msg/s"
    clock.advance(30)
    assert rate.render(task).plain == "        0 msg/s"


def test_the_report_has_a_row_for_each_figure_and_a_column_for_each_stage(capsys):
    report(Run.from_json(LOST))
    printed = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in printed.splitlines() if line.strip()}

    assert rows["messages"] == ["1,200", "0"]
    assert rows["MB/s"] == ["1.23", "-"]
    assert rows["msg/s"] == ["12,346", "-"]
    assert rows["p50"] == ["ms", "1.2", "-"]
    assert printed.splitlines()[-1] == "1,000 messages of 100 bytes, done after 2.2 s; 1,000 lost."
    assert max(map(len, printed.splitlines())) <= 80


def test_the_report_of_a_paced_run_has_its_rate_and_says_if_the_sending_was_behind(capsys):
    for behind, said in [(0.05, "0 lost.\n"), (12.34, "0 lost. The sending ended 12.3 s behind its schedule.\n")]:
        stages = RUN["stages"] | {"sent": STAGE | {"behind_seconds": behind}}
        report(Run.from_json(RUN | {"rate": 1000, "stages": stages}))
        printed = capsys.readouterr().out
        assert "1,000 messages of 100 bytes at 1,000 per second, done after" in printed
        assert printed.endswith(said)
