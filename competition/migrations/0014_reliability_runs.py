"""What the runs that try to break the site found is appended and never edited, like audits."""

from django.db import migrations, models

FORWARDS = """
CREATE TRIGGER reliability_run_append_only BEFORE UPDATE OR DELETE ON competition_reliabilityrun
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER reliability_run_no_truncate BEFORE TRUNCATE ON competition_reliabilityrun
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

BACKWARDS = """
DROP TRIGGER reliability_run_append_only ON competition_reliabilityrun;
DROP TRIGGER reliability_run_no_truncate ON competition_reliabilityrun;
"""


class Migration(migrations.Migration):
    dependencies = [("competition", "0013_visitors_ask_for_backtests"), ("portfolio", "0002_ledger_triggers")]

    operations = [
        migrations.CreateModel(
            name="ReliabilityRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("simulation", "simulation"), ("chaos", "chaos"), ("mutations", "mutations")],
                        max_length=12,
                    ),
                ),
                ("version", models.CharField(help_text="of the product", max_length=20)),
                (
                    "commit",
                    models.CharField(
                        blank=True, help_text="blank where there is no checkout to ask", max_length=50
                    ),
                ),
                ("seed", models.BigIntegerField(help_text="the first one, where a run has many")),
                ("seeds_count", models.PositiveIntegerField(default=1)),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField()),
                ("counts", models.JSONField(default=dict, help_text="what was done and held")),
                ("faults", models.JSONField(default=dict, help_text="what was done to it")),
                ("violations", models.PositiveIntegerField(help_text="how often something that must hold did not")),
                ("findings", models.JSONField(default=list, help_text="the first violations in words")),
            ],
            options={
                "indexes": [models.Index(fields=["kind", "-id"], name="reliability_run_newest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["simulation", "chaos", "mutations"])),
                        name="reliability_run_kind",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ended_at__gte", models.F("started_at"))),
                        name="reliability_run_ends_after_start",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("seeds_count__gt", 0)), name="reliability_run_has_a_seed"
                    ),
                ],
            },
        ),
        migrations.RunSQL(FORWARDS, BACKWARDS),
    ]
