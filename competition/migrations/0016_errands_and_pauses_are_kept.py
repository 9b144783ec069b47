"""Pauses are appended, never edited; an errand that has ended stays as it ended, and none is deleted."""

from django.db import migrations

FORWARDS = """
CREATE TRIGGER entry_pause_append_only BEFORE UPDATE OR DELETE ON competition_entrypause
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entry_pause_no_truncate BEFORE TRUNCATE ON competition_entrypause
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER errand_ended BEFORE UPDATE ON competition_errand
    FOR EACH ROW WHEN (OLD.state IN ('done', 'failed')) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER errand_kept BEFORE DELETE ON competition_errand
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER errand_no_truncate BEFORE TRUNCATE ON competition_errand
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

BACKWARDS = """
DROP TRIGGER entry_pause_append_only ON competition_entrypause;
DROP TRIGGER entry_pause_no_truncate ON competition_entrypause;
DROP TRIGGER errand_ended ON competition_errand;
DROP TRIGGER errand_kept ON competition_errand;
DROP TRIGGER errand_no_truncate ON competition_errand;
"""


class Migration(migrations.Migration):
    dependencies = [("competition", "0015_errands_and_pauses"), ("portfolio", "0002_ledger_triggers")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
