"""What an audit found is appended and never edited, like what it is about."""

from django.db import migrations, models

FORWARDS = """
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON competition_audit
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON competition_audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

BACKWARDS = """
DROP TRIGGER audit_append_only ON competition_audit;
DROP TRIGGER audit_no_truncate ON competition_audit;
"""


class Migration(migrations.Migration):
    dependencies = [("competition", "0004_symbols_are_frozen"), ("portfolio", "0002_ledger_triggers")]

    operations = [
        migrations.CreateModel(
            name="Audit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("seconds", models.DecimalField(decimal_places=3, max_digits=12)),
                ("season", models.CharField(blank=True, max_length=40)),
                ("findings_count", models.PositiveIntegerField()),
                (
                    "known_count",
                    models.PositiveIntegerField(default=0, help_text="exceptions that were said when they arose"),
                ),
                ("counts", models.JSONField(help_text="findings by invariant")),
                ("findings", models.JSONField(help_text="the first of them, and of the known exceptions")),
                ("seals", models.JSONField(default=dict)),
            ],
            options={"indexes": [models.Index(fields=["season", "-id"], name="audit_newest")]},
        ),
        migrations.RunSQL(FORWARDS, BACKWARDS),
    ]
