"""Offline models cost nothing. They get a simulated price, so that costs have something to show without any key."""

from datetime import UTC, datetime

from django.db import migrations

MODELS = ("steady", "swinger", "garbled", "latecomer", "greedy", "refuser")
SOURCE = "simulated: offline models cost nothing, this shows how costs look"


def add(apps, schema_editor):
    price = apps.get_model("agents", "Price")
    price.objects.bulk_create(
        [
            price(
                model=f"offline/{name}",
                valid_from=datetime(2020, 1, 1, tzinfo=UTC),
                prompt_usd="0.50",
                completion_usd="2.00",
                cached_usd="0.05",
                supports_schema=False,
                source=SOURCE,
            )
            for name in MODELS
        ],
        ignore_conflicts=True,
    )


class Migration(migrations.Migration):
    dependencies = [("agents", "0004_calls_and_prices_are_kept")]

    # The price list is append-only, so going back leaves the rows; coming again finds them.
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
