"""Every change of candles, by whatever path, gives their series a new version in the same transaction."""

from django.db import migrations, models

# An unchanged re-import changes no row, so `changed` is empty and the version stays. What an update moves to another
# series is a change of both.
FORWARDS = """
CREATE FUNCTION candles_change_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO market_seriesversion (symbol, timeframe, version)
    SELECT symbol, timeframe, gen_random_uuid()
    FROM (SELECT DISTINCT symbol, timeframe FROM changed ORDER BY symbol, timeframe) AS series
    ON CONFLICT (symbol, timeframe) DO UPDATE SET version = excluded.version;
    RETURN NULL;
END $$;
CREATE FUNCTION moved_candles_change_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO market_seriesversion (symbol, timeframe, version)
    SELECT symbol, timeframe, gen_random_uuid()
    FROM (
        SELECT symbol, timeframe FROM changed UNION SELECT symbol, timeframe FROM was ORDER BY symbol, timeframe
    ) AS series
    ON CONFLICT (symbol, timeframe) DO UPDATE SET version = excluded.version;
    RETURN NULL;
END $$;
CREATE FUNCTION emptied_candles_change_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE market_seriesversion SET version = gen_random_uuid();
    RETURN NULL;
END $$;
CREATE TRIGGER candle_insert_version AFTER INSERT ON market_candle
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION candles_change_version();
CREATE TRIGGER candle_delete_version AFTER DELETE ON market_candle
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION candles_change_version();
CREATE TRIGGER candle_update_version AFTER UPDATE ON market_candle
    REFERENCING OLD TABLE AS was NEW TABLE AS changed FOR EACH STATEMENT
    EXECUTE FUNCTION moved_candles_change_version();
CREATE TRIGGER candle_truncate_version AFTER TRUNCATE ON market_candle
    FOR EACH STATEMENT EXECUTE FUNCTION emptied_candles_change_version();
INSERT INTO market_seriesversion (symbol, timeframe, version)
SELECT symbol, timeframe, gen_random_uuid() FROM (SELECT DISTINCT symbol, timeframe FROM market_candle) AS series;
"""

BACKWARDS = """
DROP FUNCTION candles_change_version CASCADE;
DROP FUNCTION moved_candles_change_version CASCADE;
DROP FUNCTION emptied_candles_change_version CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("market", "0004_listed_symbols_stay")]

    operations = [
        migrations.CreateModel(
            name="SeriesVersion",
            fields=[
                ("pk", models.CompositePrimaryKey("symbol", "timeframe", blank=True, editable=False, primary_key=True, serialize=False)),
                ("symbol", models.CharField(max_length=20)),
                ("timeframe", models.CharField(max_length=3)),
                ("version", models.UUIDField()),
            ],
        ),
        migrations.RunSQL(FORWARDS, BACKWARDS),
    ]
