"""A season freezes what it trades, with the filters, when it opens: an edited listing changes no season."""

from typing import Any

from django.db import migrations, models
from django.db.models import Q

from market.core.symbols import Symbol, symbols_content

FORWARDS = """
CREATE OR REPLACE FUNCTION season_rules_are_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'draft' AND (NEW.slug, NEW.rules, NEW.rules_sha256, NEW.symbols, NEW.opened_at)
        IS DISTINCT FROM (OLD.slug, OLD.rules, OLD.rules_sha256, OLD.symbols, OLD.opened_at)
    THEN
        RAISE EXCEPTION 'season % is %: its rules are frozen', OLD.slug, OLD.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'closed' AND NEW.state <> 'closed' OR OLD.state = 'open' AND NEW.state = 'draft' THEN
        RAISE EXCEPTION 'season % is % and may not become %', OLD.slug, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

BACKWARDS = FORWARDS.replace("NEW.symbols, ", "").replace("OLD.symbols, ", "")


def freeze_symbols(apps: Any, schema_editor: Any) -> None:
    """Seasons that are open or closed already get what is listed now; that is what they were played with."""
    listed = {row.name: row for row in apps.get_model("market", "ListedSymbol").objects.all()}
    for season in apps.get_model("competition", "Season").objects.exclude(state="draft"):
        rows = [listed[name] for name in season.rules["universe"]]
        season.symbols = symbols_content(
            Symbol(r.name, r.base, r.quote, r.step, r.min_quantity, r.max_quantity, r.tick, r.min_notional)
            for r in rows
        )
        season.save(update_fields=["symbols"])


class Migration(migrations.Migration):
    dependencies = [("competition", "0003_turns_over_budget"), ("market", "0003_snapshots_are_kept")]

    operations = [
        migrations.AddField(
            model_name="season",
            name="symbols",
            field=models.JSONField(
                blank=True, help_text="what is traded, with the filters frozen at opening", null=True
            ),
        ),
        migrations.RunPython(freeze_symbols, migrations.RunPython.noop),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.RemoveConstraint(model_name="season", name="season_open_has_hash"),
        migrations.AddConstraint(
            model_name="season",
            constraint=models.CheckConstraint(
                condition=Q(state="draft")
                | Q(opened_at__isnull=False, symbols__isnull=False) & ~Q(rules_sha256=""),
                name="season_open_has_hash",
            ),
        ),
        migrations.RunSQL(FORWARDS, BACKWARDS),
    ]
