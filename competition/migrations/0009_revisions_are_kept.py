"""Revisions of a board are appended, never edited; a provisional turn changes only by being settled."""

from django.db import migrations

FORWARDS = """
CREATE TRIGGER revision_append_only BEFORE UPDATE OR DELETE ON competition_revision
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER revision_no_truncate BEFORE TRUNCATE ON competition_revision
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER board_changed AFTER INSERT ON competition_revision FOR EACH ROW EXECUTE FUNCTION board_changed();

CREATE FUNCTION provisional_turn_is_settled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state NOT IN ('provisional', 'settled') THEN
        RAISE EXCEPTION 'turn % is provisional and may not become %', OLD.id, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER provisional_turn_is_settled BEFORE UPDATE ON competition_turn
    FOR EACH ROW WHEN (OLD.state = 'provisional') EXECUTE FUNCTION provisional_turn_is_settled();
"""

BACKWARDS = """
DROP TRIGGER board_changed ON competition_revision;
DROP TRIGGER revision_append_only ON competition_revision;
DROP TRIGGER revision_no_truncate ON competition_revision;
DROP FUNCTION provisional_turn_is_settled CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("competition", "0008_revisions"), ("portfolio", "0004_order_attempts_are_kept")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
