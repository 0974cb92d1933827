"""Each head against a slow, direct implementation of its paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anonderm.models.classifier.heads import (
    COUNT_DEVIATION,
    Corn,
    Head,
    LabelDistribution,
    MultiLabel,
    Softmax,
    Targets,
    head_from_card,
)

HEADS = (Softmax(4), Corn(4), LabelDistribution((0, 5, 20), 65))


def outputs_of(head: Head, count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (3 * torch.randn(count, head.outputs, generator=generator)).double()


def grades(count: int, classes: int = 4, seed: int = 1) -> torch.Tensor:
    return torch.randint(classes, (count,), generator=torch.Generator().manual_seed(seed))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def slow_corn_loss(outputs: list[list[float]], truth: list[int], weights: list[float]) -> float:
    """Shi, Cao and Raschka 2021: each task on its own subset, one mean over all of them."""
    loss, examples = 0.0, 0.0
    for task in range(len(outputs[0])):
        for row, grade in zip(outputs, truth, strict=True):
            if grade >= task:
                chance = sigmoid(row[task])
                loss -= weights[grade] * math.log(chance if grade > task else 1 - chance)
                examples += weights[grade]
    return loss / examples


@pytest.mark.parametrize("weights", [[1.0, 1.0, 1.0, 1.0], [0.5, 2.0, 1.0, 4.0]])
def test_corn_loss_is_that_of_the_paper(weights: list[float]):
    outputs, truth = outputs_of(Corn(4), 40), grades(40)
    expected = slow_corn_loss(outputs.tolist(), truth.tolist(), weights)
    loss = Corn(4).loss(outputs, Targets(truth), torch.tensor(weights).double(), 0.0)
    assert loss.item() == pytest.approx(expected, rel=1e-9)


def test_corn_predicts_by_the_probability_of_being_worse():
    outputs = outputs_of(Corn(5), 200)
    expected = []
    for row in outputs.tolist():
        beyond = np.cumprod([sigmoid(x) for x in row])
        expected.append(int((beyond > 0.5).sum()))
    probabilities = Corn(5).probabilities(outputs).numpy()
    np.testing.assert_array_equal(Corn(5).predict(probabilities), expected)
    np.testing.assert_allclose(1 - probabilities.cumsum(1)[:, 0], torch.sigmoid(outputs[:, 0]))
    assert set(expected) == {0, 1, 2, 3, 4}


def slow_distribution_loss(outputs: list[list[float]], truth: list[int], head: LabelDistribution) -> float:
    """Wu et al. 2019, equations 1 to 8, number by number."""

    def softmax(numbers: list[float]) -> list[float]:
        powers = [math.exp(number) for number in numbers]
        return [power / sum(powers) for power in powers]

    def merged(by_count: list[float]) -> list[float]:
        chances = [0.0] * head.classes
        for count, chance in enumerate(by_count):
            chances[sum(count > bound for bound in head.bounds)] += chance
        return chances

    def divergence(target: list[float], guess: list[float]) -> float:
        return sum(t * math.log(t / g) for t, g in zip(target, guess, strict=True) if t > 0)

    losses = []
    for row, count in zip(outputs, truth, strict=True):
        away = [(level - count) / COUNT_DEVIATION for level in range(1, head.highest_count + 1)]
        bell = [math.exp(-(distance**2) / 2) for distance in away]
        target = (
            [0.0, *(height / sum(bell) for height in bell)] if count else [1.0] + [0.0] * head.highest_count
        )
        by_grade, by_count = softmax(row[: head.classes]), softmax(row[head.classes :])
        grading = (divergence(merged(target), by_grade) + divergence(merged(target), merged(by_count))) / 2
        losses.append(0.6 * grading + 0.4 * divergence(target, by_count))
    return sum(losses) / len(losses)


def test_label_distribution_loss_is_that_of_the_paper():
    head = LabelDistribution((0, 5, 20), 65)
    outputs = outputs_of(head, 20)
    counts = torch.arange(20) * 3
    expected = slow_distribution_loss(outputs.tolist(), counts.tolist(), head)
    loss = head.loss(outputs, Targets(torch.bucketize(counts, torch.tensor(head.bounds)), counts), None, 0.0)
    assert loss.item() == pytest.approx(expected, rel=1e-9)


def test_a_perfect_label_distribution_has_no_loss_and_gives_grade_and_count():
    head = LabelDistribution((0, 5, 20), 65)
    counts = torch.tensor([0, 3, 12, 40])
    by_count = head.count_distribution(counts)
    by_grade = head._by_grade(by_count, torch.sum)
    outputs = torch.cat([by_grade, by_count], dim=1).log().clamp(min=-1000)
    assert head.loss(outputs, Targets(torch.arange(4), counts), None, 0.0).item() == pytest.approx(
        0, abs=1e-9
    )
    assert head.counts(outputs).tolist() == counts.tolist()
    assert head.predict(head.probabilities(outputs).numpy()).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_probabilities_sum_to_one_and_are_those_of_the_scores(head: Head):
    outputs = outputs_of(head, 50)
    probabilities = head.probabilities(outputs)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(50).double())
    torch.testing.assert_close(head.scores(outputs).softmax(1), probabilities)


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_equal_weights_do_not_change_the_loss_and_rare_classes_can_weigh_more(head: Head):
    outputs, truth = outputs_of(head, 50), Targets(grades(50), grades(50, 60))
    plain = head.loss(outputs, truth, None, 0.0)
    even = head.loss(outputs, truth, torch.full((4,), 3.0).double(), 0.0)
    torch.testing.assert_close(even, plain)
    last = truth.labels == 3
    of_last = head.loss(outputs[last], truth.rows(last), None, 0.0)
    only_last = head.loss(outputs, truth, torch.tensor([0.0, 0.0, 0.0, 1.0]).double(), 0.0)
    torch.testing.assert_close(only_last, of_last)


@given(st.lists(st.tuples(st.floats(-5, 5), st.booleans()), min_size=1, max_size=8))
def test_multi_label_loss_is_binary_cross_entropy(pairs: list[tuple[float, bool]]):
    outputs = torch.tensor([[output for output, _ in pairs]]).double()
    truth = Targets(torch.tensor([[float(there) for _, there in pairs]]).double())
    chances = [sigmoid(output) for output, _ in pairs]
    expected = -np.mean(
        [math.log(c if there else 1 - c) for c, (_, there) in zip(chances, pairs, strict=True)]
    )
    head = MultiLabel(len(pairs))
    assert head.loss(outputs, truth, None, 0.0).item() == pytest.approx(expected, rel=1e-6)
    decided = head.predict(head.probabilities(outputs).numpy())
    assert decided.tolist() == [[int(chance > 0.5) for chance in chances]]


@pytest.mark.parametrize("head", [*HEADS, MultiLabel(4)], ids=lambda head: head.name)
def test_a_head_is_rebuilt_from_its_description(head: Head):
    assert head_from_card(head.describe(), 4) == head
