"""How surprising a count is, given what was counted before.

A Gamma-Poisson model: what has been counted `past` times in an `exposure` is expected at the rate `past / exposure`,
and how well that rate is known follows from `past`. The count of a further span then has a negative binomial
distribution, which is wide while little is known and never narrower than days differ from each other anyway. (Gelman
et al., *Bayesian Data Analysis*, section 2.6.) `topic_surge` has it next.
"""

from math import lgamma, log, log1p

_MOST_SHAPE = 80.0
"""Caps what is believed to be known: rates of real themes differ from day to day by a ninth (1 / sqrt(80)) or more."""
_LN_10 = log(10.0)
_NEGLIGIBLE = 1e-12


def surprise(count: int, expected: float, past: float) -> float:
    """`-log10` of the probability of `count` or more, where `expected` follows from `past` counts; 0 when nothing.

    Args:
        count: what was counted in a span.
        expected: what would have been counted in it at the past rate, above 0.
        past: how many counts the rate is known from, above 0.
    """
    if count <= expected:
        return 0.0
    shape = min(past, _MOST_SHAPE)
    odds = expected / (shape + expected)
    log_first = (
        lgamma(shape + count) - lgamma(shape) - lgamma(count + 1) - shape * log1p(expected / shape) + count * log(odds)
    )
    term, total, at = 1.0, 1.0, count
    while term > _NEGLIGIBLE * total:
        term *= odds * (shape + at) / (at + 1)
        total += term
        at += 1
    return max(0.0, -(log_first + log(total)) / _LN_10)
