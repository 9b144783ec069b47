"""List the five default symbols, with the exchange's filters of their date."""

from datetime import date

from django.db import migrations

from market.core.symbols import DEFAULT_SYMBOLS, FILTERS_AS_OF


def list_default_symbols(apps, schema_editor):
    listed = apps.get_model("market", "ListedSymbol")
    listed.objects.bulk_create(
        listed(
            name=symbol.name,
            base=symbol.base,
            quote=symbol.quote,
            step=symbol.step,
            min_quantity=symbol.min_quantity,
            max_quantity=symbol.max_quantity,
            tick=symbol.tick,
            min_notional=symbol.min_notional,
            filters_as_of=date.fromisoformat(FILTERS_AS_OF),
        )
        for symbol in DEFAULT_SYMBOLS
    )


class Migration(migrations.Migration):
    dependencies = [("market", "0001_initial")]

    # Back again there is nothing to do: an operator may have changed the rows, and 0001 drops the table.
    operations = [migrations.RunPython(list_default_symbols, migrations.RunPython.noop)]
