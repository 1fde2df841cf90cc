"""What all of the data half's tables belong to."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()
