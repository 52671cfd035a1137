"""A labelled history as companies have them, made up from a seed: tiers by words, yes and no, gaps, stray texts.

Who leaves follows from a hidden risk, so a profile that reads the columns rightly ranks well above chance.
"""

import csv
import io
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

PROFILE = """\
version: churn-1
signals:
  contract_term: {normalise: {tiers: {Month-to-month: 0, One year: 70, Two year: 100}}}
  tenure_months: {normalise: {linear: {from: 0, to: 48}}}
  service_calls: {normalise: {steps: {0: 100, 2: 60, 4: 0}}}
  tech_support: {normalise: {tiers: {Yes: 100, No: 30}}}
  monthly_charges: {normalise: {linear: {from: 120, to: 20}}}
  noise: {normalise: {linear: {from: 0, to: 1}}}
profiles:
  - id: everyone
    components:
      bond: {weight: 2, signals: {contract_term: 1, tenure_months: 1}}
      service: {weight: 1, signals: {service_calls: 2, tech_support: 1}}
      money: {weight: 1, signals: {monthly_charges: 1}}
      luck: {weight: 4, signals: {noise: 1}}
"""
MAPPING = """\
format: csv
account: "{customerID}"
signals:
  contract_term: "{Contract}"
  tenure_months: "{tenure}"
  service_calls: "{ServiceCalls}"
  tech_support: "{TechSupport}"
  monthly_charges: "{MonthlyCharges}"
  noise: "{noise}"
label: "{Churn}"
"""
_COLUMNS = ("customerID", "Contract", "tenure", "ServiceCalls", "TechSupport", "MonthlyCharges", "noise", "Churn")


@dataclass(frozen=True)
class ChurnRow:
    """One customer, as the file has it."""

    values: tuple[str, ...]


def churn_rows(count: int, seed: int = 7, missing: float = 0.03) -> Iterator[ChurnRow]:
    """Rows; about one in four has left, about `missing` of the values are blank."""
    dice = random.Random(seed)
    for number in range(count):
        contract = dice.choices(("Month-to-month", "One year", "Two year"), (55, 21, 24))[0]
        tenure = int(dice.triangular(0, 72, 10))
        calls = min(9, int(dice.expovariate(0.7)))
        support = dice.choice(("Yes", "No"))
        charges = round(dice.uniform(18, 119), 2)
        risk = {"Month-to-month": 1.0, "One year": -0.8, "Two year": -2.0}[contract]
        risk += 0.45 * calls - 0.035 * tenure + 0.012 * (charges - 65) - (0.6 if support == "Yes" else 0) - 0.9
        left = dice.random() < 1 / (1 + math.exp(-risk))
        values = [contract, str(tenure), str(calls), support, str(charges), str(round(dice.random(), 3))]
        shown = [dice.choice(("", " ", "NA")) if dice.random() < missing else value for value in values]
        yield ChurnRow((f"C{number:05}", *shown, "Yes" if left else "No"))


def churn_csv(count: int, seed: int = 7, missing: float = 0.03) -> str:
    """A whole file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(row.values for row in churn_rows(count, seed, missing))
    return text.getvalue()
