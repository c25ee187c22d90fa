"""Starts a worker and stays above it: the parent of every orphan, the witness of every exit.

Run as a file with `python -S -E`, standard library only, in a venv's session or as the first process of a container:
`launcher.py TRIAL_FOLDER`, with `launch.json` in that folder:

    {"argv": [...], "environment": {...}, "cpus": [0, 1], "join": [cgroup files], "deadline_s": 3630}

and, for a command of the user's in a worker's place, optionally: `cwd`; `inherit_streams` (the launcher's own in place
of log files); `stdout_to_stderr`; `left_behind`: `kill` or `wait` for the processes the worker leaves; and
`forward_signals`, see `Forwarding`. An `environment` or a `deadline_s` of null is the launcher's own, and none.

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
KILL_SIGNAL = signal.SIGUSR1


def main(argv: list) -> int:
    """Run the launch described in the folder; returns the worker's exit status (128 + signal when it was killed)."""
    os.chdir(argv[1])
    with open("launch.json") as file:
        launch = json.load(file)
    log = os.open(LAUNCHER_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    forward = launch.get("forward_signals")
    stop = Forwarding() if forward else StopRequest(launch["deadline_s"])
    become_subreaper(launch.get("parent"), KILL_SIGNAL if forward else signal.SIGTERM)
    worker, t_ns = spawn(launch, stop)
    stop.worker = worker
    write(log, event="started", pid=worker, t_ns=t_ns)
    if stop.reason:
        kill(worker)  # asked to stop before there was a worker that could be told
    status = reap_until_gone(worker, log, stop)
    stop.worker_is_gone = True
    while launch.get("left_behind") == "wait" and not stop.reason and reap(log, left_behind=True):
        pass
    kill_the_rest(log)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = resource.getrusage(resource.RUSAGE_SELF)
    write(
        log,
        event="finished",
        children_user_s=children.ru_utime,
        children_system_s=children.ru_stime,
        children_resident_peak_bytes=children.ru_maxrss * 1024,
        own_resident_peak_bytes=own_resident_peak_bytes(own.ru_maxrss * 1024),
        own_cpu_s=own.ru_utime + own.ru_stime,
        stopped_by=stop.reason or None,
    )
    return status


def own_resident_peak_bytes(otherwise: int) -> int:
    """What this process held at most since its exec, which is where its children's peaks begin.

    Not its `ru_maxrss`: the kernel hands that on through fork and exec, so it begins at what the harness held.
    """
    try:
        with open("/proc/self/status") as file:
            lines = [line.split() for line in file if line.startswith("VmHWM:")]
        return int(lines[0][1]) * 1024
    except (OSError, IndexError, ValueError):
        return otherwise


class StopRequest:
    """Notes a request to stop (SIGTERM, the parent's death, the deadline) and kills the children at once."""

    forwards = False
    heard = ()  # type: tuple

    def __init__(self, deadline_s: "float | None") -> None:
        self.reason = ""
        self.worker = None  # type: "int | None"
        self.worker_is_gone = False
        signal.signal(signal.SIGTERM, lambda *_: self._stop("SIGTERM"))
        signal.signal(signal.SIGALRM, lambda *_: self._stop("deadline"))
        # Ctrl-C goes to the harness, which decides.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if deadline_s is not None:
            signal.alarm(max(1, int(deadline_s)))

    def _stop(self, reason: str) -> None:
        self.reason = self.reason or reason
        for pid in children_of_self():
            kill(pid)


class Forwarding(StopRequest):
    """As a shell's job: the terminal's signals reach the worker once, and `KILL_SIGNAL` alone kills the children.

    A signal to the whole process group (Ctrl-C) has reached the worker already; one to the harness alone has not. The
    harness cannot tell, so it sends `SIGRTMIN + number`, and what this process has not got itself is passed on. (Of
    signals that wait together Python handles the one with the lowest number first, so the order is right.)
    """

    forwards = True

    def __init__(self) -> None:
        self.reason = ""
        self.worker = None  # type: "int | None"
        self.worker_is_gone = False
        self._unanswered = {}  # type: dict
        signal.signal(KILL_SIGNAL, lambda *_: self._stop("killed"))
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        # What is ignored stays so, here and in the worker: that is how `nohup` keeps a command alive.
        self.heard = tuple(number for number in numbers if signal.getsignal(number) != signal.SIG_IGN)
        for number in self.heard:
            self._unanswered[number] = 0
            signal.signal(number, self._seen)
            signal.signal(signal.SIGRTMIN + number, self._asked)

    def _seen(self, number: int, _frame) -> None:
        self._unanswered[number] += 1
        self._end_what_is_left(number)

    def _asked(self, number: int, _frame) -> None:
        number -= signal.SIGRTMIN
        if self._unanswered[number]:
            self._unanswered[number] -= 1
        elif self.worker is not None and not self.worker_is_gone:
            kill(self.worker, number)
        self._end_what_is_left(number)

    def _end_what_is_left(self, number: int) -> None:
        self.reason = self.reason or signal.Signals(number).name
        if self.worker_is_gone:
            self._stop(self.reason)


def become_subreaper(parent: "int | None", death_signal: int = signal.SIGTERM) -> None:
    """Adopt all orphans below this process; end with the parent (a harness), where there is one."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    if parent is not None:
        prctl(PR_SET_PDEATHSIG, death_signal)
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


def spawn(launch: dict, stop: StopRequest) -> "tuple[int, int]":
    """Start the worker, in its cgroup and on its CPUs before its first instruction; returns its pid and that moment.

    Joining a cgroup can take the kernel 20 ms: that is not the worker's time.
    """
    told, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.close(tell)
        text = os.read(told, 32)  # the worker's end of the pipe closes by itself when the worker's program begins
        os.close(told)
        return pid, int(text or time.monotonic_ns())
    try:
        # Should this launcher be killed outright, the worker does not outlive it.
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        for path in launch.get("join") or []:
            with open(path, "w") as file:
                file.write(str(os.getpid()))
        if launch.get("cpus"):
            os.sched_setaffinity(0, launch["cpus"])
        if stop.forwards:
            for number in stop.heard + (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these two, a shell does not
                signal.signal(number, signal.SIG_DFL)
        else:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.alarm(0)
        set_streams(launch)
        os.chdir(launch.get("cwd") or ".")
        environment = os.environ if launch["environment"] is None else launch["environment"]
        os.write(tell, str(time.monotonic_ns()).encode())
        os.execve(launch["argv"][0], launch["argv"], environment)
    except OSError as error:
        os.write(2, ("cannot start %s: %s\n" % (launch["argv"], error)).encode())
    os._exit(127)
    return 0


def set_streams(launch: dict) -> None:
    """Standard input, output and error of the worker: empty and two log files, or the launcher's own."""
    if not launch.get("inherit_streams"):
        redirect(os.devnull, os.O_RDONLY, 0)
        redirect("stdout.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 1)
        redirect("stderr.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 2)
    if launch.get("stdout_to_stderr"):
        os.dup2(2, 1)


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
        if stop.reason and not stop.forwards:
            # An orphan adopted after the first round of kills.
            kill(worker)


def reap(log: int, left_behind: bool) -> bool:
    """Wait for any child's end and write it down. Returns whether there was a child."""
    try:
        pid, status, usage = os.wait4(-1, 0)
    except ChildProcessError:
        return False
    write_exit(log, pid, status, usage, left_behind)
    return True


def kill_the_rest(log: int) -> None:
    """Kill and reap what the worker left behind; children of killed ones are adopted and killed in turn."""
    while True:
        for pid in children_of_self():
            kill(pid)
        if not reap(log, left_behind=True):
            return


def children_of_self() -> "list[int]":
    """Pids of this process's children, adopted ones included."""
    try:
        with open("/proc/self/task/%d/children" % os.getpid()) as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """A signal, to a process that may be gone already."""
    try:
        os.kill(pid, number)
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
    os.write(log, json.dumps(dict({"t_ns": time.monotonic_ns()}, **fields)).encode("utf-8") + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv))
