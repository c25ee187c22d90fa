"""Colours that people with other colour vision can tell apart, and signs for those who see none."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.reporting.paper.inks import FRAMEWORK_INKS, OTHER_INKS, PHASE_INKS, PrintInk, print_inks
from harness.reporting.paper.libraries import THREAD_INKS

# Source: Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency",
# IEEE TVCG 15 (2009), severity 1.0; the matrices act on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
JUST_NOTICEABLE = 2.3
"""CIE 1976 difference that half of the observers see (Mahy, Van Eycken and Oosterlinck, 1994)."""


def seen(colour: str, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIELAB (D65) of a colour `#rrggbb` as an eye sees it."""
    srgb = np.array([int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(matrix @ linear, 0, 1)
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    x, y, z = (to_xyz @ linear) / np.array([0.95047, 1.0, 1.08883])
    fx, fy, fz = (t ** (1 / 3) if t > (6 / 29) ** 3 else t / (3 * (6 / 29) ** 2) + 4 / 29 for t in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


def nearest(inks: list[PrintInk], vision: str) -> float:
    return min(
        float(np.linalg.norm(seen(one.colour, VISION[vision]) - seen(other.colour, VISION[vision])))
        for one, other in itertools.combinations(inks, 2)
    )


def test_the_simulation_takes_red_and_green_together() -> None:
    red, green = PrintInk("#cc3333", "", "", ""), PrintInk("#777700", "", "", "")
    assert nearest([red, green], "normal") > 60
    assert nearest([red, green], "deuteranopia") < 0.5 * nearest([red, green], "normal")


@pytest.mark.parametrize("vision", VISION)
def test_frameworks_differ_in_colour_for_every_eye(vision: str) -> None:
    assert nearest(list(FRAMEWORK_INKS.values()), vision) > 4 * JUST_NOTICEABLE
    assert nearest([*FRAMEWORK_INKS.values(), *OTHER_INKS], vision) > 3 * JUST_NOTICEABLE


@pytest.mark.parametrize("vision", VISION)
def test_numbers_of_threads_differ_in_colour_for_every_eye(vision: str) -> None:
    assert nearest(list(THREAD_INKS), vision) > 4 * JUST_NOTICEABLE


@pytest.mark.parametrize(
    "inks", [[*FRAMEWORK_INKS.values(), *OTHER_INKS], list(PHASE_INKS.values()), list(THREAD_INKS)]
)
def test_without_any_colour_they_differ_in_marker_and_in_hatch(inks: list[PrintInk]) -> None:
    assert len({ink.marker for ink in inks}) == len(inks)
    assert len({ink.hatch for ink in inks}) == len(inks)


def test_lines_of_frameworks_differ_without_colour() -> None:
    inks = [*FRAMEWORK_INKS.values(), *OTHER_INKS]
    assert len({str(ink.line) for ink in inks}) == len(inks)


def test_a_framework_always_has_its_ink_and_an_unknown_one_has_another() -> None:
    inks = print_inks(["torch", "mxnet", "torch@debian11"])
    assert inks["torch"] is FRAMEWORK_INKS["torch"]
    assert inks["mxnet"].colour != inks["torch@debian11"].colour
    assert print_inks(["torch"])["torch"] == inks["torch"]
