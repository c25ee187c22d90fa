"""TensorFlow's layout of weights: there and back, and what it does to a dense layer behind an image."""

from __future__ import annotations

import numpy as np
import pytest

from frameworks.tensorflow.layout import channels_first, channels_last, flattened_inputs, from_tensorflow, to_tensorflow

SHAPE = (3, 4, 5)


@pytest.mark.parametrize(
    ("shape", "flattened"), [((7, 3, 5, 5), None), ((7, 60), SHAPE), ((7, 60), None), ((7,), None)]
)
def test_back_is_what_went_there(shape: tuple[int, ...], flattened: tuple[int, ...] | None) -> None:
    value = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    assert np.array_equal(from_tensorflow(to_tensorflow(value, flattened), flattened), value)


def test_a_dense_layer_on_an_image_gives_the_same_in_both_layouts() -> None:
    random = np.random.RandomState(0)
    image, weights = random.rand(*SHAPE), random.rand(7, 60)
    channels_last = image.transpose(1, 2, 0).reshape(-1)
    assert channels_last @ to_tensorflow(weights, SHAPE) == pytest.approx(weights @ image.reshape(-1))


def test_only_dense_layers_on_images_are_reordered() -> None:
    layers = [
        {"name": "a", "kind": "dense", "input_shapes": [list(SHAPE)]},
        {"name": "b", "kind": "dense", "input_shapes": [[7]]},
    ]
    assert flattened_inputs({"layers": layers}) == {"a.weights": SHAPE}


def test_images_there_and_back_and_other_arrays_as_they_are() -> None:
    images, features = np.arange(120).reshape(2, *SHAPE), np.arange(6).reshape(2, 3)
    assert channels_last(images).shape == (2, 4, 5, 3)
    assert np.array_equal(channels_first(channels_last(images)), images)
    assert channels_last(features) is features
    assert channels_first(features) is features
