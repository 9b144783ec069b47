"""Kept replies and training cutoffs are history: rows are added, never changed."""

from django.db import migrations

TABLES = ("keptreply", "trainingcutoff")
FORWARDS = "".join(
    f"""
CREATE TRIGGER {name}_append_only BEFORE UPDATE OR DELETE ON agents_{name}
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER {name}_no_truncate BEFORE TRUNCATE ON agents_{name}
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
    for name in TABLES
)
BACKWARDS = "".join(
    f"DROP TRIGGER {name}_append_only ON agents_{name}; DROP TRIGGER {name}_no_truncate ON agents_{name};"
    for name in TABLES
)


class Migration(migrations.Migration):
    dependencies = [("agents", "0008_kept_replies_and_training_cutoffs")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
