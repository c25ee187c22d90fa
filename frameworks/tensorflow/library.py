"""Which library TensorFlow computes with, and how many threads its pools have: read off a convolution that it runs."""

from __future__ import annotations

import time

from frameworks.worker.blas import switches
from frameworks.worker.threads import NAME_PATIENCE_S, named_threads, task_names, tasks

INTER_OP_POOL, XLA_POOL, OWN_NAMES = "tf_Compute", "tf_XLAEigen", "tf_"
COMPILED = "_XlaMustCompile"
ONEDNN_KERNELS = "_Mkl"
"""What TensorFlow's own rewriter puts before the names of operations that it hands to oneDNN."""


def start(tf) -> "frozenset[str]":
    """Let TensorFlow make its pools; the numbers of the threads that came with them."""
    before = tasks()
    tf.constant(0.0)
    return tasks() - before


def describe(tf, asked: "str | None", wanted: dict, pool: "frozenset[str]") -> dict:
    """`library` as in `Adapter.describe`, and `threads` as counted.

    Args:
        asked: the profile's `blas`.
        wanted: the profile's `threads`.
        pool: what `start` returned. The threads of the pool inside operations have no name of their own.
    """
    name, kernel = _of_a_convolution(tf, asked == "xla")
    count = wanted["intra_op"]
    intra_op = named_threads(XLA_POOL, count) if asked == "xla" else _unnamed(pool, count)
    unknown = {"version": "it is part of TensorFlow's own binary, which does not tell"}
    if kernel is None:
        unknown["kernel"] = "XLA compiles its own for this processor"
    library = {"name": name, "version": None, "kernel": kernel, "switches": switches(), "unknown": unknown}
    inter_op = named_threads(INTER_OP_POOL, wanted.get("inter_op") or 1)
    return {"library": library, "threads": {"intra_op": intra_op, "inter_op": inter_op}}


def _of_a_convolution(tf, compiled: bool) -> "tuple[str, str | None]":
    """(library, operation that ran) of a convolution of 64 images."""
    images, kernels = tf.ones([64, 28, 28, 8]), tf.ones([5, 5, 8, 16])

    @tf.function(jit_compile=compiled or None, autograph=False)
    def convolve(images, kernels):
        return tf.nn.conv2d(images, kernels, 1, "VALID")

    operations = operations_run(lambda: convolve(images, kernels))
    if is_compiled(convolve.get_concrete_function(images, kernels)):
        return "xla", None
    convolutions = sorted(name for name in operations if "Conv2D" in name)
    return ("onednn" if any(name.startswith(ONEDNN_KERNELS) for name in convolutions) else "eigen"), convolutions[0]


def operations_run(work) -> "set[str]":
    """Kinds of the operations that TensorFlow's executor really ran, after its rewriters."""
    from tensorflow.python.eager import context

    context.enable_run_metadata()
    try:
        work()
        metadata = context.export_run_metadata()
    finally:
        context.disable_run_metadata()
    graphs = [graph for function in metadata.function_graphs for graph in function.partition_graphs]
    return {node.op for graph in [*graphs, *metadata.partition_graphs] for node in graph.node}


def is_compiled(function) -> bool:
    """Whether a concrete function is one that runs compiled by XLA or not at all."""
    return bool(function.function_def.attr[COMPILED].b)


def _unnamed(pool: "frozenset[str]", wanted: int) -> "int | None":
    """Threads among `pool` without a name of TensorFlow's; a thread gets its name a moment after its start."""
    deadline = time.monotonic() + NAME_PATIENCE_S
    while True:
        found = sum(not name.startswith(OWN_NAMES) for name in task_names(pool))
        if found == wanted or time.monotonic() > deadline:
            return found or None
        time.sleep(0.01)
