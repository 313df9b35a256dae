"""Training of a classifier: the rate of each step, repeatability, divergence, errors."""

import math

import pytest
import torch
from torch import nn

import d2l_utils as d2l
from d2l_utils.data import Classification


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(60, 1, 8, generator=generator, dtype=torch.float64)
    y = (X.sum(dim=(1, 2)) > 0).long()
    return Classification(X[:50], y[:50], X[50:], y[50:])


def linear(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(8, 2, dtype=torch.float64))


def train(data, schedule=None, lr=0.1, **options):
    net = linear()
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
    options = {"num_epochs": 3, "batch_size": 20} | options
    return net, d2l.train_classifier(net, optimizer, data, schedule=schedule, **options)


def test_the_rate_is_set_before_the_step_it_belongs_to(data):
    asked = []

    def schedule(t):
        asked.append(t)
        return 0.1 / (t + 1)

    _, record = train(data, schedule)
    assert asked == list(range(9))  # 3 epochs of batches of 20, 20 and 10; once a step
    assert record.learning_rates == [0.1 / (t + 1) for t in asked]


def test_a_first_rate_of_zero_leaves_the_net_untouched(data):
    net, _ = train(data, lambda _: 0.0)
    for p, q in zip(net.parameters(), linear().parameters(), strict=True):
        assert torch.equal(p, q)
    start = linear()
    after_one, _ = train(data, lambda t: 0.1 if t == 0 else 0.0, num_epochs=1, batch_size=50)
    loss = nn.functional.cross_entropy(start(data.features), data.labels)
    loss.backward()
    for p, q in zip(after_one.parameters(), start.parameters(), strict=True):
        torch.testing.assert_close(p, q - 0.1 * q.grad, rtol=0, atol=1e-14)


def test_equals_a_loop_with_a_scheduler_of_pytorch_after_300_steps(data):
    epochs, steps = 100, 300
    net, _ = train(data, lambda t: 0.05 * (1 + math.cos(math.pi * t / steps)), num_epochs=epochs)
    other = linear()
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        for batch in torch.randperm(50, generator=generator).split(20):
            optimizer.zero_grad()
            nn.functional.cross_entropy(other(data.features[batch]), data.labels[batch]).backward()
            optimizer.step()
            scheduler.step()
    for p, q in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-12)


def test_record_is_that_of_the_net_it_leaves(data):
    net, record = train(data)
    loss, accuracy = d2l.evaluate_classifier(net, data.features, data.labels)
    assert (record.train_loss[-1], record.train_accuracy[-1]) == (loss, accuracy)
    assert record.test_accuracy[-1] == d2l.evaluate_classifier(net, data.test_features, data.test_labels)[1]
    assert len(record.train_loss) == len(record.test_accuracy) == 3
    assert record.learning_rates == [0.1] * 9  # without a schedule the optimizer's own
    assert record.train_loss[-1] < math.log(2)
    assert record.seconds_per_epoch > 0


def test_seed_sets_the_batches_and_the_global_state_is_left_alone(data):
    state = torch.random.get_rng_state()
    runs = [train(data, seed=seed)[1].train_loss for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_run_that_diverges_ends_and_says_when(data):
    _, record = train(data, lambda t: 1e308 if t >= 3 else 0.1)
    assert record.diverged
    assert 4 < record.diverged_at <= 9
    assert len(record.learning_rates) == record.diverged_at
    assert len(record.train_loss) >= 1
    assert not train(data)[1].diverged


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"schedule": lambda _: -0.1}, ValueError, r"schedule\(0\) .*-0\.1"),
        ({"schedule": lambda t: math.nan if t else 0.1}, ValueError, r"schedule\(1\) .*nan"),
        ({"schedule": 0.1}, TypeError, "schedule must be a function of the step, got 0.1"),
        ({"batch_size": 51}, ValueError, "batch_size must be at most the number of samples, 50, got 51"),
        ({"num_epochs": 0}, ValueError, "num_epochs must be at least 1, got 0"),
    ],
)
def test_errors_name_the_argument(data, options, error, message):
    with pytest.raises(error, match=message):
        train(data, **options)
