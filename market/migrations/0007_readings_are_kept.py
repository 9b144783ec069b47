"""A reading can never be changed, and not be deleted while a cycle may still freeze it."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION refuse_reading_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.known_at < now() - interval '2 days' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'readings are append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER reading_append_only BEFORE UPDATE OR DELETE ON market_storedreading
    FOR EACH ROW EXECUTE FUNCTION refuse_reading_change();
CREATE TRIGGER reading_no_truncate BEFORE TRUNCATE ON market_storedreading
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_reading_change();
"""


class Migration(migrations.Migration):
    dependencies = [("market", "0006_readings")]

    operations = [migrations.RunSQL(FORWARDS, "DROP FUNCTION refuse_reading_change CASCADE;")]
