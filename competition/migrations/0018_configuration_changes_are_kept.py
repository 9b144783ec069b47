"""Each change of the configuration is remembered by the database itself, in rows that only its triggers write.

A trigger says the kind of thing, the column with its name, and the columns that are left out: secrets, and what is
written all the time without anybody's having changed anything. What was there before has no row until it changes.
"""

from django.db import migrations

REMEMBERED = (
    ("agents_agent", "agent", "slug", ""),
    ("agents_price", "price", "model", ""),
    ("agents_trainingcutoff", "training cutoff", "model", ""),
    ("competition_season", "season", "slug", ""),
    ("competition_entry", "entry", "slug", ""),
    ("competition_apitoken", "api token", "name", "digest,last_used_at"),
    ("market_listedsymbol", "listed symbol", "name", ""),
    ("django_celery_beat_periodictask", "periodic task", "name", "last_run_at,total_run_count,date_changed"),
    ("django_celery_beat_crontabschedule", "crontab", "id", ""),
    ("django_celery_beat_intervalschedule", "interval", "id", ""),
)

FUNCTION = """
CREATE FUNCTION remember_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    left_out text[] := string_to_array(TG_ARGV[2], ',');
    old_row jsonb := '{}';
    new_row jsonb := '{}';
    named jsonb;
BEGIN
    IF TG_OP <> 'INSERT' THEN old_row := to_jsonb(OLD) - left_out; END IF;
    IF TG_OP <> 'DELETE' THEN new_row := to_jsonb(NEW) - left_out; END IF;
    IF old_row = new_row THEN RETURN NULL; END IF;
    named := old_row || new_row;
    INSERT INTO competition_configurationchange (at, who, through, kind, row_id, name, act, before, after) VALUES (
        clock_timestamp(),
        COALESCE(NULLIF(current_setting('outcry.who', true), ''), session_user),
        COALESCE(current_setting('application_name', true), ''),
        TG_ARGV[0],
        named ->> 'id',
        named ->> TG_ARGV[1],
        lower(TG_OP),
        (SELECT COALESCE(jsonb_object_agg(key, value), '{}') FROM jsonb_each(old_row)
            WHERE value IS DISTINCT FROM new_row -> key),
        (SELECT COALESCE(jsonb_object_agg(key, value), '{}') FROM jsonb_each(new_row)
            WHERE value IS DISTINCT FROM old_row -> key)
    );
    RETURN NULL;
END $$;
"""

KEPT = """
CREATE TRIGGER configuration_change_append_only BEFORE UPDATE OR DELETE ON competition_configurationchange
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER configuration_change_no_truncate BEFORE TRUNCATE ON competition_configurationchange
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER configuration_change_by_triggers_alone BEFORE INSERT ON competition_configurationchange
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_change();
"""

REMEMBER = """
CREATE TRIGGER {table}_remembered AFTER INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION remember_change('{kind}', '{name}', '{left_out}');
"""

FORWARDS = (
    FUNCTION
    + KEPT
    + "".join(
        REMEMBER.format(table=table, kind=kind, name=name, left_out=left_out)
        for table, kind, name, left_out in REMEMBERED
    )
)

BACKWARDS = """
DROP TRIGGER configuration_change_append_only ON competition_configurationchange;
DROP TRIGGER configuration_change_no_truncate ON competition_configurationchange;
DROP TRIGGER configuration_change_by_triggers_alone ON competition_configurationchange;
DROP FUNCTION remember_change CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("competition", "0017_configuration_changes"),
        ("agents", "0010_known_training_cutoffs"),
        ("market", "0007_readings_are_kept"),
        ("portfolio", "0002_ledger_triggers"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
