"""Update rules as a chapter writes them, for the tests of the interactive figures."""

import math


def gd_2d(x1, x2, f_grad, *, eta):
    g1, g2 = f_grad(x1, x2)
    return x1 - eta * g1, x2 - eta * g2


def rmsprop_2d(x1, x2, s1, s2, f_grad, *, eta=0.4, gamma=0.9, eps=1e-6):
    g1, g2 = f_grad(x1, x2)
    s1 = gamma * s1 + (1 - gamma) * g1**2
    s2 = gamma * s2 + (1 - gamma) * g2**2
    x1 -= eta / math.sqrt(s1 + eps) * g1
    x2 -= eta / math.sqrt(s2 + eps) * g2
    return x1, x2, s1, s2


def adagrad_2d(x1, x2, s1, s2, f_grad, *, eta=0.4, eps=1e-6):
    g1, g2 = f_grad(x1, x2)
    s1 += g1**2
    s2 += g2**2
    return x1 - eta / math.sqrt(s1 + eps) * g1, x2 - eta / math.sqrt(s2 + eps) * g2, s1, s2


def momentum_2d(x1, x2, v1, v2, f_grad, *, eta=0.4, beta=0.5):
    g1, g2 = f_grad(x1, x2)
    v1 = beta * v1 + eta * g1
    v2 = beta * v2 + eta * g2
    return x1 - v1, x2 - v2, v1, v2


def own_gradient_2d(x1, x2, s1, s2, *, eta=0.4):
    return x1 - eta * 0.2 * x1, x2 - eta * 4 * x2, s1, s2


def factor(t, *, base_lr=0.1, decay=0.9):
    return base_lr * decay**t


class MultiFactor:
    def __init__(self, base_lr=0.1, decay=0.5, milestone=10):
        self.rate, self.decay, self.milestone = base_lr, decay, milestone

    def __call__(self, t):
        if t and t % self.milestone == 0:
            self.rate *= self.decay
        return self.rate
