"""Training cutoffs: up to when a model may have read the world. What nobody has stated is unknown."""

from collections.abc import Iterable
from datetime import date, datetime

from agents.models import TrainingCutoff


def cutoffs_of(models: Iterable[str]) -> dict[str, date | None]:
    """The newest stated cutoff of each of these models; None where it is unknown or nobody has stated any."""
    names = list(models)
    rows = TrainingCutoff.objects.filter(model__in=names).order_by("model", "-stated_at").distinct("model")
    return dict.fromkeys(names) | {row.model: row.cutoff for row in rows}


def state_cutoff(model: str, cutoff: date | None, source: str, now: datetime) -> TrainingCutoff:
    """Add what is known of a model. Raises Django's `ValidationError` for what is no model string."""
    row = TrainingCutoff(model=model, cutoff=cutoff, source=source, stated_at=now)
    row.full_clean()
    row.save()
    return row
