"""The command refuses what cannot be meant, and does not pretend where the simulator is not shipped."""

import pytest
from django.core.management import CommandError, call_command

from competition.management.commands import simulate


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--schedules", "0"], "--schedules must be from 1 to 1000000, not 0."),
        (["--seed", "-1"], "--seed must be from 0 to 2147483647, not -1."),
        (["--minutes", "0"], "--minutes must be above 0, not 0."),
    ],
)
def test_what_cannot_be_meant_is_refused(flags: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=f"^{sentence}$"):
        call_command("simulate", *flags)


def test_without_the_tests_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "SIMULATOR", "tests.that_are_not_here")
    with pytest.raises(CommandError, match="run this in a checkout"):
        call_command("simulate", "--schedules", "1", "--seed", "1")
