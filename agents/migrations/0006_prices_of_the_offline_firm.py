"""The offline firm's two models get the simulated price of the other offline models."""

from datetime import UTC, datetime

from django.db import migrations

SOURCE = "simulated: offline models cost nothing, this shows how costs look"


def add(apps, schema_editor):
    price = apps.get_model("agents", "Price")
    price.objects.bulk_create(
        [
            price(
                model=f"offline/{name}",
                valid_from=datetime(2020, 1, 1, tzinfo=UTC),
                prompt_usd=prompt,
                completion_usd=completion,
                cached_usd=cached,
                supports_schema=False,
                source=SOURCE,
            )
            for name, prompt, completion, cached in (
                ("desk", "2.00", "8.00", "0.20"),
                ("analyst", "0.15", "0.60", "0.015"),
            )
        ],
        ignore_conflicts=True,
    )


class Migration(migrations.Migration):
    dependencies = [("agents", "0005_prices_of_offline_models")]

    # The price list is append-only, so going back leaves the rows; coming again finds them.
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
