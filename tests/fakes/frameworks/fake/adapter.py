"""A framework that misbehaves on request (`FAKE_BEHAVIOUR`), for tests of the harness; trains a softmax regression.

With `FAKE_JOB` only that one of several jobs side by side does, and the others as `FAKE_OTHERS` says.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np

from frameworks.worker.adapter import Adapter as Base
from frameworks.worker.adapter import Unsupported


class Adapter(Base):
    def start(self):
        self.behaviour, _, self.argument = self.asked().partition("=")
        self.images, self.labels, self.step = {}, {}, 0
        if self.behaviour == "import_error":
            raise ImportError("libfake.so.1: cannot open shared object file")
        if self.behaviour == "silent_start":
            os._exit(0)

    def asked(self):
        job = os.environ.get("FAKE_JOB")
        if job is not None:
            with open("trial.json") as file:
                if json.load(file)["job"] != int(job):
                    return os.environ.get("FAKE_OTHERS", "")
        return os.environ.get("FAKE_BEHAVIOUR", "")

    def describe(self):
        threads = dict(self.profile["threads"])
        if self.behaviour == "other_threads":
            threads = {"intra_op": threads["intra_op"] + 1, "inter_op": None}
        return {"version": "1.0", "devices": [], "threads": threads, "packages": {}, "compile_cache": None}

    def stage(self, split, images, labels):
        self.images[split], self.labels[split] = images.reshape(len(images), -1), labels

    def build(self, network, loss, setting, weights):
        if self.behaviour == "unsupported":
            raise Unsupported("layer kind 'lrn'", "fake has none")
        self.matrix = np.zeros((self.images["train"].shape[1], 10), np.float32)

    def built(self):
        return {} if self.behaviour == "unknown_precision" else {"precision": self.matrix.dtype.name}

    def train_step(self, indices, learning_rate, masks):
        return self.train_on(self.images["train"][indices], self.labels["train"][indices], learning_rate, masks)

    def train_on(self, images, labels, learning_rate, masks):
        self.step += 1
        if self.step == int(self.argument or 5):
            getattr(self, "do_" + self.behaviour, lambda: None)()
        if self.behaviour == "slow":
            time.sleep(0.02)
        loss, gradient = self.loss_and_gradient(images.reshape(len(images), -1), labels)
        self.rate = np.float32(learning_rate)
        self.matrix -= self.rate * gradient
        return float("nan") if self.behaviour == "diverge" and self.step == 7 else float(loss)

    def applied_rate(self):
        return float(self.rate)

    def predict(self, split, indices):
        if self.behaviour == "late_ready" and self.step == 1:
            time.sleep(1.5)  # the one prediction of the warm-up
        return softmax(self.images[split][indices] @ self.matrix)

    def weights(self):
        return {}

    def activations(self, split, indices):
        return {}

    def gradients(self, indices, masks):
        return {}

    def loss_and_gradient(self, x, y):
        errors = softmax(x @ self.matrix)
        loss = -np.log(errors[np.arange(len(y)), y]).mean()
        errors[np.arange(len(y)), y] -= 1
        return loss, x.T @ errors / len(y)

    def do_raise(self):
        raise RuntimeError("the framework is unhappy")

    def do_exit(self):
        sys.stderr.write("giving up\n")
        sys.stderr.flush()
        os._exit(3)

    def do_segfault(self):
        os.kill(os.getpid(), signal.SIGSEGV)

    def do_killed(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def do_hang(self):
        time.sleep(3600)

    def do_garbage(self):
        with open("events.jsonl", "ab") as file:
            file.write(b"\xff\xfenot json at all\n")

    def do_memory(self):
        self.eaten = [np.ones(1 << 24, np.float32) for _ in range(200)]

    def do_child_memory(self):
        """As a framework whose compiler is ended by the kernel, and who then tells only that it failed."""
        eat = "x = [bytearray(b'x') * (1 << 26) for _ in range(200)]"
        if subprocess.run([sys.executable, "-c", eat]).returncode:
            raise RuntimeError("the compiler failed")

    def do_orphan(self):
        subprocess.Popen(["sleep", "3600"], start_new_session=True)

    def do_double_fork(self):
        subprocess.Popen(["sh", "-c", "setsid sleep 3600 & exit 0"]).wait()


def softmax(logits):
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
