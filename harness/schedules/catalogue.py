"""What there is to know about each of the 34 functions, for lists and documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

Group = Literal["fixed", "decaying", "cyclic", "restart"]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function: what it means and which values it may have."""

    meaning: str
    range: str


@dataclass(frozen=True)
class Function:
    """One of the 34 functions.

    Attributes:
        name: as in files.
        title: in words.
        formula: the learning rate at step t as text; `low` and `high` are the lower and the higher one of k0 and k1.
        formula_latex: the same, without the dollar signs.
        parameters: name -> what it is, in the order in which they are written.
        in_table: whether it is one of the 13 of the paper's table.
        example: parameters for a training of about 2,000 steps, without the name.
        lrbench: how LRBench's code differs, which `compat: lrbench` follows; None where it does not.
        lrbench_example: with `compat: lrbench`, where `example` does not do for it.
    """

    name: str
    title: str
    group: Group
    formula: str
    formula_latex: str
    parameters: Mapping[str, Parameter]
    in_table: bool
    example: Mapping[str, Any]
    lrbench: str | None = None
    lrbench_example: Mapping[str, Any] | None = None


_RANGES = {
    "k0": Parameter("one of the two rates between which it moves", "at least 0; k0 and k1 not both 0"),
    "k1": Parameter("the other one", "at least 0; k0 and k1 not both 0"),
    "gamma": Parameter("factor on the height of each step", "greater than 0, at most 1"),
    "l": Parameter("", "a whole number, at least 1"),
}
_START = Parameter("the rate at the start", "greater than 0")
_BASE = Parameter("factor of every decay", "greater than 0, at most 1")
_LOW_LATEX = r"|k_0-k_1|\,{g}+\min(k_0,k_1)"


def _range(
    name: str, title: str, g: str, latex: str, length: str, *, group: Group = "cyclic", lrbench: str | None = None
) -> Function:
    """A function between two rates; `EXP` at the end of its name means a `gamma`."""
    damped = name.endswith("EXP")
    parameters = {"k0": _RANGES["k0"], "k1": _RANGES["k1"]}
    example: dict[str, Any] = {"k0": 0.001, "k1": 0.06}
    if damped:
        parameters["gamma"] = _RANGES["gamma"]
        example["gamma"] = 0.999
    parameters["l"] = Parameter(length, _RANGES["l"].range)
    return Function(
        name=name,
        title=title,
        group=group,
        formula=f"(high - low) * {g} + low",
        formula_latex=_LOW_LATEX.replace("{g}", latex),
        parameters=MappingProxyType(parameters),
        in_table=name in _IN_TABLE,
        example=MappingProxyType({**example, "l": 500 if name == "COS" else 250}),
        lrbench=lrbench,
    )


_IN_TABLE = ("FIX", "STEP", "NSTEP", "EXP", "INV", "POLY", "TRI", "TRI2", "TRIEXP", "SIN", "SIN2", "SINEXP", "COS")
_HALF = "half a period, in steps"
_PERIOD = "the period, in steps"
_TRI, _TRI_LATEX = "2/pi * |asin(sin(pi*{t}/(2*l)))|", r"\frac{2}{\pi}\left|\arcsin\sin\frac{\pi {t}}{2l}\right|"
_SIN, _SIN_LATEX = "|sin(pi*{t}/(2*l))|", r"\left|\sin\frac{\pi {t}}{2l}\right|"
_SAW, _SAW_LATEX = "frac(-t/l)", r"\mathrm{frac}\!\left(-\frac{t}{l}\right)"


def _family(
    name: str, title: str, g: str, latex: str, cycle: tuple[str, str], length: str, group: Group = "cyclic"
) -> list[Function]:
    """A wave, the same halved after every `cycle`, and the same falling with `gamma ** t`."""
    text, text_latex = cycle
    return [
        _range(name, title, g, latex, length, group=group),
        _range(
            f"{name}2",
            f"{title}, halved every cycle",
            f"{g} / 2^floor({text})",
            rf"{latex}\,2^{{-\lfloor {text_latex}\rfloor}}",
            length,
            group=group,
        ),
        _range(
            f"{name}EXP",
            f"{title}, falling exponentially",
            f"{g} * gamma^t",
            rf"{latex}\,\gamma^t",
            length,
            group=group,
        ),
    ]


def _waves() -> list[Function]:
    plain = ("t/(2*l)", "t/(2l)")
    ahead = ("(t+l)/(2*l)", "(t+l)/(2l)")
    cosine, cosine_latex = "(1 + cos(pi*t/l))/2", r"\frac{1+\cos(\pi t/l)}{2}"
    functions: list[Function] = []
    for name, title, g, latex in (
        ("TRI", "triangular", _TRI, _TRI_LATEX),
        ("SIN", "sine", _SIN, _SIN_LATEX),
    ):
        functions += _family(name, title, g.replace("{t}", "t"), latex.replace("{t}", "t"), plain, _HALF)
        shifted = g.replace("{t}", "(t+l)"), latex.replace("{t}", "(t+l)")
        functions += _family(f"D{name}", f"{title} from the top", *shifted, ahead, _HALF)
    cos = _family("COS", "cosine", cosine, cosine_latex, ahead, _HALF)
    cos[0] = _range(
        "COS",
        "cosine",
        "(1 + cos(2*pi*t/l))/2",
        r"\frac{1+\cos(2\pi t/l)}{2}",
        _PERIOD,
        lrbench="(k1 - k0) * (1 + cos(pi*t/l))/2 + k0: l is half a period",
    )
    functions += cos
    functions += _family(
        "UPCOS",
        "cosine from the bottom",
        "(1 + cos(pi*(t/l + 1)))/2",
        r"\frac{1+\cos(\pi(t/l+1))}{2}",
        plain,
        _HALF,
    )
    saw = ("t/l", "t/l")
    functions += _family("RSW", "sawtooth with restarts", _SAW, _SAW_LATEX, saw, _PERIOD, "restart")
    functions += _family(
        "SINRSW",
        "sine with restarts",
        f"sin(pi/2 * {_SAW})",
        rf"\sin\left(\frac{{\pi}}{{2}}{_SAW_LATEX}\right)",
        saw,
        _PERIOD,
        "restart",
    )
    functions += _family(
        "COSRSW",
        "cosine with restarts",
        f"(1 - cos(pi * {_SAW}))/2",
        rf"\frac{{1-\cos\left(\pi {_SAW_LATEX}\right)}}{{2}}",
        saw,
        _PERIOD,
        "restart",
    )
    return functions


def _decays() -> list[Function]:
    steps = Parameter("steps between two decays", _RANGES["l"].range)

    def decay(
        name: str,
        title: str,
        formula: tuple[str, str],
        parameters: dict[str, Parameter],
        example: dict[str, Any],
        lrbench: str | None = None,
        lrbench_example: dict[str, Any] | None = None,
    ) -> Function:
        return Function(
            name=name,
            title=title,
            group="fixed" if name == "FIX" else "decaying",
            formula=formula[0],
            formula_latex=formula[1],
            parameters=MappingProxyType(parameters),
            in_table=name in _IN_TABLE,
            example=MappingProxyType(example),
            lrbench=lrbench,
            lrbench_example=MappingProxyType(lrbench_example) if lrbench_example else None,
        )

    return [
        decay("FIX", "fixed", ("k0", "k_0"), {"k0": Parameter("the rate", "greater than 0")}, {"k0": 0.01}),
        decay(
            "STEP",
            "fixed step size",
            ("k0 * gamma^floor(t/l)", r"k_0\,\gamma^{\lfloor t/l\rfloor}"),
            {"k0": _START, "gamma": _BASE, "l": steps},
            {"k0": 0.01, "gamma": 0.5, "l": 500},
        ),
        decay(
            "NSTEP",
            "variable step sizes",
            (
                "k0 * gamma^i, i the number of boundaries l[0] < l[1] < ... that are <= t",
                r"k_0\,\gamma^i,\quad l_{i-1}\le t<l_i",
            ),
            {
                "k0": _START,
                "gamma": _BASE,
                "l": Parameter("the steps of the decays", "whole numbers, at least 1, rising"),
            },
            {"k0": 0.01, "gamma": 0.1, "l": (1000, 1500)},
            "counts boundaries in one state for all NSTEP: in a composite a later one goes on with the count",
        ),
        decay(
            "EXP",
            "exponential",
            ("k0 * gamma^t", r"k_0\,\gamma^t"),
            {"k0": _START, "gamma": _BASE},
            {"k0": 0.01, "gamma": 0.999},
        ),
        decay(
            "INV",
            "inverse time",
            ("k0 / (1 + gamma*t)^p", r"\frac{k_0}{(1+\gamma t)^p}"),
            {
                "k0": _START,
                "gamma": Parameter("how fast time counts, per step", "at least 0"),
                "p": Parameter("the power", "at least 0"),
            },
            {"k0": 0.01, "gamma": 0.001, "p": 0.75},
        ),
        decay(
            "POLY",
            "polynomial",
            (
                "(high - low) * (1 - t/l)^p + low, low from step l on",
                r"|k_0-k_1|\left(1-\frac{t}{l}\right)^p+\min(k_0,k_1)",
            ),
            {
                "k0": Parameter("the rate at the start, where k1 is not greater", "at least 0; k0 and k1 not both 0"),
                "k1": Parameter("the rate at the end, where k0 is not smaller", "at least 0; 0 where not given"),
                "p": Parameter("the power", "greater than 0"),
                "l": Parameter("the step at which the end is reached", _RANGES["l"].range),
            },
            {"k0": 0.01, "p": 1.2, "l": 2000},
            "(k1 - k0) * (1 - t/l)^p + k0: k1 is the rate at the start, k0 the one at the end; it goes on after step l",
            {"k0": 0.0, "k1": 0.01, "p": 1.2, "l": 2000},
        ),
        decay(
            "SIG",
            "sigmoid",
            ("k0 / (1 + exp(-gamma*(t - l)))", r"\frac{k_0}{1+e^{-\gamma(t-l)}}"),
            {
                "k0": Parameter(
                    "the rate far from l: after it with gamma > 0, before it with gamma < 0", "greater than 0"
                ),
                "gamma": Parameter("steepness; negative: the rate falls", "any finite number"),
                "l": Parameter("the step at which the rate is k0 / 2", _RANGES["l"].range),
            },
            {"k0": 0.01, "gamma": -0.005, "l": 1000},
        ),
    ]


FUNCTIONS: Mapping[str, Function] = MappingProxyType({function.name: function for function in [*_decays(), *_waves()]})
"""Name -> function, those of the paper's table and those of LRBench's code alone, 34 together."""
