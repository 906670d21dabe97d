"""What deploy/ promises: its units start, its figures exist, its commands are commands."""

from __future__ import annotations

import json
import os
import plistlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from promtool import promtool

from qqdiag.cli import cli
from qqdiag.watch.metrics import Figures

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "qqdiag-watch@.service"


def options(command: list[str]) -> None:
    """Fails where `qqdiag` with these words is no command line that it takes."""
    name, *arguments = command
    cli.commands[name].make_context(name, arguments)


def test_the_unit_runs_a_command_line_that_is_one() -> None:
    (line,) = re.findall(r"^ExecStart=(.+)$", UNIT.read_text(), re.MULTILINE)
    program, *command = shlex.split(line)
    assert program.endswith("/qqdiag")
    options(command)


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze: apt-get install systemd")
    text = UNIT.read_text().replace("/usr/local/bin/qqdiag", "/bin/true")
    (tmp_path / "qqdiag-watch@.service").write_text(text)
    (tmp_path / "hermes.service").write_text("[Service]\nExecStart=/bin/true\n")
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "qqdiag-watch@hermes.service")]
    (tmp_path / "qqdiag-watch@hermes.service").write_text(text)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    about_it = [line for line in done.stderr.splitlines() if "qqdiag-watch" in line]
    assert (done.returncode, about_it) == (0, [])


@pytest.mark.parametrize("names", [("hermes-restart.conf",), ("hermes-restart.conf", "hermes-watchdog.conf")])
def test_systemd_takes_the_drop_ins(names: tuple[str, ...], tmp_path: Path) -> None:
    """On a unit like the one that hermes installs; none of their words is unknown or of the wrong section."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze: apt-get install systemd")
    unit = tmp_path / "hermes-gateway.service"
    unit.write_text("[Service]\nType=simple\nExecStart=/bin/true\nRestart=always\nKillMode=mixed\n")
    (tmp_path / f"{unit.name}.d").mkdir()
    for name in names:
        shutil.copy(DEPLOY / name, tmp_path / f"{unit.name}.d")
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    searched = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=searched)
    about_it = [line for line in done.stderr.splitlines() if "hermes" in line]
    assert (done.returncode, about_it) == (0, [])
    (tmp_path / f"{unit.name}.d" / "wrong.conf").write_text("[Service]\nWatchdogSeconds=1\n")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=searched)
    assert "WatchdogSeconds" in done.stderr, "the drop-ins are read"


def test_launchd_restarts_the_job_that_hermes_installs() -> None:
    job = plistlib.loads((DEPLOY / "qqdiag.hermes-restart.plist").read_bytes())
    assert job["Label"] == "qqdiag.hermes-restart"
    *shell, command = job["ProgramArguments"]
    assert shell == ["/bin/sh", "-c"]
    assert command == 'exec /bin/launchctl kickstart -k "gui/$(id -u)/ai.hermes.gateway"'
    assert all(set(time) == {"Hour", "Minute"} for time in job["StartCalendarInterval"])


def test_what_compose_runs() -> None:
    """The watcher's is a command line of ours; `timeout` ends a gateway that does not take SIGTERM."""
    gateway, watch = (
        json.loads(words)
        for words in re.findall(r"^    command: (\[.+\])$", (DEPLOY / "compose.yaml").read_text(), re.M)
    )
    options(watch)
    assert gateway[3:] == ["hermes", "gateway", "run"]
    deaf = ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]
    assert gateway[:3] == ["timeout", "--kill-after=90s", "12h"]
    done = subprocess.run(["timeout", "--kill-after=0.5s", "0.5", *deaf], timeout=60)
    assert done.returncode == -9


def test_the_daemonset_and_the_image_run_command_lines_that_are_ones() -> None:
    (args,) = re.findall(r"^ +args: \[(.+)\]$", (DEPLOY / "daemonset.yaml").read_text(), re.MULTILINE)
    options([word.strip().strip('"') for word in args.split(",")])
    image = (DEPLOY / "Containerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (.+) \S+$", image, re.MULTILINE) for word in line.split()]
    assert copied
    assert all((DEPLOY.parent / name).exists() for name in copied)
    (words,) = re.findall(r"^CMD (\[.+\])$", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
    options(json.loads(words))


@pytest.mark.parametrize("name", ["alerts.yml", "dashboard.json"])
def test_every_figure_that_is_asked_for_is_served(name: str) -> None:
    served = {metric.name for metric in Figures("127.0.0.1", 0).registry.collect()}
    asked = set(re.findall(r"qqdiag_[a-z_]+", (DEPLOY / name).read_text()))
    assert asked
    assert {figure.removesuffix("_total") for figure in asked} <= served


def test_each_alert_fires_when_it_should_and_not_before() -> None:
    """The rules are tried on figures by Prometheus' own tool, those of a watcher that has ended too."""
    tool = promtool()
    if tool is None:
        pytest.skip("no promtool: run the tests as root, or apt-get install prometheus")
    rules = Path(__file__).with_name("alerts_test.yml")
    done = subprocess.run([tool, "test", "rules", rules.name], cwd=rules.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    tried = set(re.findall(r"alertname: (\w+)", rules.read_text()))
    assert tried == set(re.findall(r"alert: (\w+)", (DEPLOY / "alerts.yml").read_text()))


def test_the_dashboard_is_json_with_a_panel_for_each_figure() -> None:
    panels = json.loads((DEPLOY / "dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["targets"][0]["expr"] for panel in panels)


def test_the_readme_names_every_file() -> None:
    told = (DEPLOY / "README.md").read_text()
    assert all(f"`{path.name}`" in told for path in DEPLOY.iterdir() if path.name != "README.md")
