"""What one evaluation says of a network: loss, accuracy, confidence, and the distance to the training loss.

Source of the metrics: Y. Wu et al., arXiv 1908.06477, as LRBench implements them in its notebook
`lrbench-mnist-caffe.ipynb` and in `LRBench/framework/keras/compute_metrics.py`. NumPy only; Python 3.7 or newer.
"""

from __future__ import annotations

import numpy as np

SMALLEST_PROBABILITY = float(np.finfo(np.float32).tiny)

NOT_FINITE = "a probability is not finite"
NONE_CORRECT = "no image was classified correctly"
ONE_CORRECT = "one image alone was classified correctly"
ONE_CLASS_CORRECT = "the images that were classified correctly are all of one class"

SCORES = ("loss", "top1", "top5", "average_confidence", "confidence_deviation", "confidence_deviation_across_classes")


def score(probabilities: np.ndarray, labels: np.ndarray) -> dict:
    """Every key of `SCORES`, and `not_measured`: key -> reason, for the keys that are None.

    `loss`: mean cross-entropy. A probability of 0 counts as the smallest normal float32, so that one certain mistake
    does not make it infinite. `top1`, `top5`: fractions of the images. Equal probabilities are ranked by class number,
    as `argmax` does.

    With p_i the probabilities of image i, y_i its class, and C = {i: argmax p_i = y_i} the correct images:

    * average confidence AC = mean over C of max p_i;
    * confidence deviation CD = standard deviation over C of max p_i, divided by |C| (`numpy.std`);
    * deviation across classes CDAC = standard deviation, over the classes c, of the mean over {i in C: y_i = c} of
      max p_i.

    Where LRBench differs: its notebook calls CD and CDAC variances, but computes standard deviations, as here. Its CDAC
    leaves out classes without a correct image, as here (`numpy.nanstd` in the notebook); its Keras code counts them as
    0 and, where there is such a class, runs over too few. A CDAC of one class alone is 0 by the formula, and would look
    perfectly even: here it is refused, as is the CD of one image.

    All is accumulated in float64.

    Args:
        probabilities: float32 `(images, classes)`.
        labels: int32 `(images,)`.
    """
    if not np.isfinite(probabilities).all():
        return dict(dict.fromkeys(SCORES), not_measured=dict.fromkeys(SCORES, NOT_FINITE))
    rows, classes = np.arange(len(labels)), np.arange(probabilities.shape[1])
    of_label = probabilities[rows, labels]
    larger = probabilities > of_label[:, None]
    tied_before = (probabilities == of_label[:, None]) & (classes[None, :] < labels[:, None])
    rank = (larger | tied_before).sum(axis=1)
    of_label = of_label.astype(np.float64)
    found = {
        "loss": float(-np.log(np.maximum(of_label, SMALLEST_PROBABILITY)).mean()),
        "top1": float((rank < 1).mean()),
        "top5": float((rank < 5).mean()),
    }
    # Of a correct image the probability of its class is the largest.
    return dict(found, **_confidence(of_label[rank < 1], labels[rank < 1]))


def _confidence(confidences: np.ndarray, labels: np.ndarray) -> dict:
    """AC, CD and CDAC of the correct images, and why one of them is None."""
    keys = SCORES[3:]
    if not len(confidences):
        return dict(dict.fromkeys(keys), not_measured=dict.fromkeys(keys, NONE_CORRECT))
    counts = np.bincount(labels)
    means = np.bincount(labels, weights=confidences)[counts > 0] / counts[counts > 0]
    why = {}
    if len(confidences) < 2:
        why[keys[1]] = ONE_CORRECT
    if len(means) < 2:
        why[keys[2]] = ONE_CLASS_CORRECT
    values = zip(keys, (confidences.mean(), confidences.std(), means.std()))
    return dict({key: None if key in why else float(value) for key, value in values}, not_measured=why)


def with_training_loss(scores: dict, training_loss: float) -> dict:
    """The scores of an evaluation with `training_loss` and `loss_difference`, evaluated loss minus training loss.

    The training loss is the mean of the mini-batch losses of the last epoch of steps (of all steps before the first
    epoch is over, rounded up to whole mini-batches). Where the size of a mini-batch divides the number of training
    images, every one of them then counts once, as every evaluated image does in the other loss; where not, mini-batches
    reach over the end of an epoch, and a few images may count twice or not at all. The number does not
    depend on how often is
    evaluated, and at the end of an epoch it is what Keras and with it LRBench calls the training loss. It costs no pass
    of its own. The losses are those of the training: before each step's update, with
    dropout and augmentation where the setting has them; while a network still learns fast, or with strong dropout, the
    difference is therefore negative.

    LRBench means test minus training loss, but its Keras code computes `history['loss'][-1] - score[0]`, the opposite,
    as two variables have each other's names; a comment beside it speaks of accuracies.
    """
    loss = scores["loss"]
    difference = None if loss is None else loss - training_loss
    why = {} if difference is not None else {"loss_difference": scores["not_measured"]["loss"]}
    return dict(
        scores,
        training_loss=training_loss,
        loss_difference=difference,
        not_measured=dict(scores["not_measured"], **why),
    )
