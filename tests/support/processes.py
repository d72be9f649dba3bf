"""Processes of a test: started, waited for by what they answer, and always ended.

A process writes its output to a file; the conftest puts the end of that file into the report of a failed test. All
waiting is polling with a deadline, so that a test takes as long as the thing it waits for and no longer.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

import httpx

__all__ = [
    "ROOT",
    "ProcessFactory",
    "TestProcess",
    "clean_environment",
    "free_port",
    "refused_port",
    "run_python",
    "silent_port",
    "wait_until",
]

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
_POLL_SECONDS = 0.03
_REPORTED_CHARACTERS = 4_000


def free_port() -> int:
    """A loopback TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def refused_port() -> Iterator[int]:
    """A port that refuses connections for as long as the context lasts: bound, so that nobody else takes it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """A port that accepts connections (the kernel does) and never answers: the worst kind of dead collector."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(512)
        yield int(listening.getsockname()[1])


def wait_until(probe: Callable[[], T], what: str, *, seconds: float = 20.0) -> T:
    """Poll until ``probe`` gives something true and return it; an AssertionError says what never came.

    Connection errors count as "not yet". The error shows the last answer.
    """
    deadline = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            answer = probe()
        except httpx.TransportError as error:
            last = error
        else:
            if answer:
                return answer
            last = answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s for {what}; last answer: {last!r}")
        time.sleep(_POLL_SECONDS)


def clean_environment(**variables: str) -> dict[str, str]:
    """This process's environment without OTEL_*, OTEL_EXT_* and proxies, plus ``variables``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "SHOP_")) and not name.lower().endswith("_proxy")
    }
    return {**kept, "PYTHONUNBUFFERED": "1", **variables}


class TestProcess:
    """A child process in a process group of its own.

    Args:
        name: shown in reports.
        command: program and arguments.
        output: file that receives stdout and stderr, in the order they were written.
        env: whole environment; see ``clean_environment``.
    """

    __test__ = False
    known: ClassVar[list[TestProcess]] = []

    def __init__(
        self, name: str, command: Sequence[str | Path], output: Path, *, env: Mapping[str, str], cwd: Path | None = None
    ) -> None:
        self.name = name
        self.output_file = output
        with output.open("ab") as sink:
            self._popen = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        TestProcess.known.append(self)

    @property
    def pid(self) -> int:
        """Process id, also the id of its group."""
        return self._popen.pid

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._popen.poll()

    def output(self) -> str:
        """Everything written so far."""
        return self.output_file.read_text(errors="replace")

    def report(self) -> str:
        """The end of the output, with the exit code where there is one."""
        state = "running" if self.poll() is None else f"exit code {self.poll()}"
        return f"{state}\n{self.output()[-_REPORTED_CHARACTERS:]}"

    def wait_ready(self, url: str, *, seconds: float = 30.0, accept: Sequence[int] = (200,)) -> None:
        """Poll ``url`` until it answers with an accepted status; a process that ends meanwhile is an error."""

        def ready() -> bool:
            if self.poll() is not None:
                raise AssertionError(f"{self.name} ended before it was ready: {self.report()}")
            return httpx.get(url, timeout=5, trust_env=False).status_code in accept

        try:
            wait_until(ready, f"{self.name} to answer {url}", seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.report()}") from error

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone, as a supervisor does."""
        self._popen.send_signal(number)

    def wait(self, *, seconds: float) -> int:
        """Wait for the end and return the exit code; an AssertionError when it takes longer."""
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {seconds:g} s\n{self.report()}") from None

    def kill(self) -> None:
        """End the whole group at once; safe to call twice."""
        _kill_group(self.pid)
        self._popen.wait(10)


class ProcessFactory:
    """Starts processes with their output under ``folder``; ``kill_all`` ends them and forgets them in reports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[TestProcess] = []

    def __call__(
        self, name: str, command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path | None = None
    ) -> TestProcess:
        """Start one; see ``TestProcess``."""
        output = self.folder / f"{name}-{len(self._started)}.log"
        process = TestProcess(name, command, output, env=env, cwd=cwd)
        self._started.append(process)
        return process

    def kill_all(self) -> None:
        """End all of them."""
        for process in self._started:
            process.kill()
            TestProcess.known.remove(process)
        self._started.clear()


def run_python(
    code: str, *arguments: str, env: Mapping[str, str], cwd: Path | None = None, seconds: float = 30.0
) -> subprocess.CompletedProcess[str]:
    """Run a script in an interpreter of its own and return its exit code, stdout and stderr.

    What it started and left behind ends with it. An AssertionError when it takes longer than ``seconds``.
    """
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(env),
        cwd=cwd,
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            _kill_group(process.pid)
            stdout, stderr = process.communicate()
            raise AssertionError(f"the script still ran after {seconds:g} s\n{stdout}\n{stderr}") from None
        finally:
            _kill_group(process.pid)
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
