"""A snapshot that cycles were decided on can be neither changed nor deleted."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION refuse_snapshot_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'snapshots are append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER snapshot_append_only BEFORE UPDATE OR DELETE ON market_storedsnapshot
    FOR EACH ROW EXECUTE FUNCTION refuse_snapshot_change();
CREATE TRIGGER snapshot_no_truncate BEFORE TRUNCATE ON market_storedsnapshot
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_snapshot_change();
"""


class Migration(migrations.Migration):
    dependencies = [("market", "0002_default_symbols")]

    operations = [migrations.RunSQL(FORWARDS, "DROP FUNCTION refuse_snapshot_change CASCADE;")]
