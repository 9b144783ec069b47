"""Who changed what of the configuration, and when. Triggers write these rows, and let nobody else write or change one.

They are triggers of the tables themselves, so that it makes no difference whether an operator, a command, the API or
somebody at psql made the change. Facts are not in here: each of them is its own history.
"""

import json
from decimal import Decimal
from typing import Any, ClassVar

from django.db import models

from competition.core.differences import Difference, differences


class Exact(json.JSONDecoder):
    """Reads numbers as the decimals that the database wrote."""

    def __init__(self, **options: Any) -> None:
        super().__init__(parse_float=Decimal, **options)


class ConfigurationChange(models.Model):
    """A row of the configuration was added, changed or taken away: `act` says which of `insert`, `update`, `delete`.

    `before` and `after` have the columns that differ.
    `who` is the operator or the token, or else the role of the database; `through` the program that was connected.
    """

    at = models.DateTimeField()
    who = models.TextField()
    through = models.TextField(blank=True)
    kind = models.TextField()
    row_id = models.TextField()
    name = models.TextField()
    act = models.TextField()
    before = models.JSONField(decoder=Exact)
    after = models.JSONField(decoder=Exact)

    class Meta:
        app_label = "competition"
        indexes: ClassVar = [models.Index(fields=["kind", "row_id", "-id"], name="configuration_change_of_row")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} at {self.at:%Y-%m-%d %H:%M:%S}"

    @property
    def differences(self) -> tuple[Difference, ...]:
        return differences(self.before, self.after)
