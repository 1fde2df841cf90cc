"""Defects to seed into answers, so that a set of rules shows what it would miss.

for defect in DEFECTS:
    for spot in defect.spots(answer, lot=7):
        worse = spot.seeded      # the same answer with one defect, at spot.pattern
"""

from shadow_compare.core.seeding.answers import ANSWER_DEFECTS
from shadow_compare.core.seeding.model import Defect, Seeded
from shadow_compare.core.seeding.shapes import SHAPE_DEFECTS
from shadow_compare.core.seeding.values import VALUE_DEFECTS

DEFECTS: tuple[Defect, ...] = (*VALUE_DEFECTS, *SHAPE_DEFECTS, *ANSWER_DEFECTS)

__all__ = ["DEFECTS", "Defect", "Seeded"]
