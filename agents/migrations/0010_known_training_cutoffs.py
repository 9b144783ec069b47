"""Training cutoffs that their makers state on the models' own pages. Of every other model it is unknown."""

from datetime import UTC, date, datetime

from django.db import migrations

STATED_AT = datetime(2026, 1, 1, tzinfo=UTC)
KNOWN = {
    "openai/gpt-4o": date(2023, 10, 1),
    "openai/gpt-4o-mini": date(2023, 10, 1),
}


def add(apps, schema_editor):
    rows = apps.get_model("agents", "TrainingCutoff").objects
    for model, cutoff in KNOWN.items():
        rows.create(model=model, cutoff=cutoff, source="the maker's page of the model", stated_at=STATED_AT)


class Migration(migrations.Migration):
    dependencies = [("agents", "0009_replies_and_cutoffs_are_kept")]

    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
