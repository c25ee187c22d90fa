"""Starts a worker and stays above it: the parent of every orphan, the witness of every exit.

Run as a file with `python -S -E`, standard library only, in a venv's session or as the first process of a container:
`launcher.py TRIAL_FOLDER`, with `launch.json` in that folder:

    {"argv": [...], "environment": {...}, "cpus": [0, 1], "join": [cgroup files], "deadline_s": 3630}

It makes itself the subreaper of all its descendants (`PR_SET_CHILD_SUBREAPER`), so that no process of the trial can
leave the tree; writes every exit with its resource use to `launcher.jsonl`; and when the worker ends, or it is told to
stop (SIGTERM), or its parent dies, or the deadline passes, kills whatever is left.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LAUNCHER_FILE = "launcher.jsonl"
SIGNAL_EXIT_BASE = 128


def main(argv: list) -> int:
    """Run the launch described in the folder; returns the worker's exit status (128 + signal when it was killed)."""
    os.chdir(argv[1])
    with open("launch.json") as file:
        launch = json.load(file)
    log = os.open(LAUNCHER_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    become_subreaper(launch.get("parent"))
    stop = StopRequest(launch["deadline_s"])
    worker = spawn(launch)
    write(log, event="started", pid=worker)
    status = reap_until_gone(worker, log, stop)
    kill_the_rest(log)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = resource.getrusage(resource.RUSAGE_SELF)
    write(
        log,
        event="finished",
        children_user_s=children.ru_utime,
        children_system_s=children.ru_stime,
        own_cpu_s=own.ru_utime + own.ru_stime,
        stopped_by=stop.reason or None,
    )
    return status


class StopRequest:
    """Notes a request to stop (SIGTERM, the parent's death, the deadline) and kills the children at once."""

    def __init__(self, deadline_s: float) -> None:
        self.reason = ""
        signal.signal(signal.SIGTERM, lambda *_: self._stop("SIGTERM"))
        signal.signal(signal.SIGALRM, lambda *_: self._stop("deadline"))
        # Ctrl-C goes to the harness, which decides.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.alarm(max(1, int(deadline_s)))

    def _stop(self, reason: str) -> None:
        self.reason = self.reason or reason
        for pid in children_of_self():
            kill(pid)


def become_subreaper(parent: "int | None") -> None:
    """Adopt all orphans below this process; die with the parent (a harness), where there is one."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    if parent is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit(SIGNAL_EXIT_BASE + signal.SIGTERM)


def prctl(option: int, value: int) -> None:
    """Call prctl(2).

    Raises:
        OSError: the kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(%d, %d)" % (option, value))


def spawn(launch: dict) -> int:
    """Start the worker, in its cgroup and on its CPUs before its first instruction; returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        # Should this launcher be killed outright, the worker does not outlive it.
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        for path in launch.get("join") or []:
            with open(path, "w") as file:
                file.write(str(os.getpid()))
        if launch.get("cpus"):
            os.sched_setaffinity(0, launch["cpus"])
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.alarm(0)
        redirect(os.devnull, os.O_RDONLY, 0)
        redirect("stdout.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 1)
        redirect("stderr.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 2)
        os.execve(launch["argv"][0], launch["argv"], launch["environment"])
    except OSError as error:
        os.write(2, ("cannot start the worker %s: %s\n" % (launch["argv"], error)).encode())
    os._exit(127)
    return 0


def redirect(path: str, flags: int, descriptor: int) -> None:
    """Make a file descriptor of the worker a file."""
    opened = os.open(path, flags, 0o644)
    os.dup2(opened, descriptor)
    os.close(opened)


def reap_until_gone(worker: int, log: int, stop: StopRequest) -> int:
    """Reap every child until the worker itself has been reaped; returns its exit status."""
    while True:
        try:
            pid, status, usage = os.wait4(-1, 0)
        except InterruptedError:
            continue
        write_exit(log, pid, status, usage)
        if pid == worker:
            return exit_status(status)
        if stop.reason:
            # An orphan adopted after the first round of kills.
            kill(worker)


def kill_the_rest(log: int) -> None:
    """Kill and reap what the worker left behind; children of killed ones are adopted and killed in turn."""
    while True:
        for pid in children_of_self():
            kill(pid)
        try:
            pid, status, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return
        write_exit(log, pid, status, usage, left_behind=True)


def children_of_self() -> "list[int]":
    """Pids of this process's children, adopted ones included."""
    try:
        with open("/proc/self/task/%d/children" % os.getpid()) as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def kill(pid: int) -> None:
    """SIGKILL, to a process that may be gone already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def exit_status(status: int) -> int:
    """A shell's exit status for a wait status."""
    return SIGNAL_EXIT_BASE + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def write_exit(log: int, pid: int, status: int, usage, left_behind: bool = False) -> None:
    """One line about one reaped process."""
    killed = os.WIFSIGNALED(status)
    write(
        log,
        event="exit",
        pid=pid,
        status=None if killed else os.WEXITSTATUS(status),
        signal=os.WTERMSIG(status) if killed else None,
        user_s=usage.ru_utime,
        system_s=usage.ru_stime,
        left_behind=left_behind,
    )


def write(log: int, **fields) -> None:
    """Append one JSON line."""
    os.write(log, json.dumps(dict(fields, t_ns=time.monotonic_ns())).encode("utf-8") + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv))
