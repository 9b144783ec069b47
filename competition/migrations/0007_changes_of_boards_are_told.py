"""Whoever keeps boards in memory is told which one has changed, at the moment the change commits.

The payload is the slug of the season, or * when it may be any: names of agents and the list of seasons are on all.
"""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION board_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    season_slug text;
BEGIN
    CASE TG_TABLE_NAME
        WHEN 'competition_cycle', 'competition_entry' THEN
            SELECT slug INTO season_slug FROM competition_season WHERE id = NEW.season_id;
        WHEN 'portfolio_valuation' THEN
            SELECT season.slug INTO season_slug FROM competition_entry entry
                JOIN competition_season season ON season.id = entry.season_id
                WHERE entry.portfolio_id = NEW.portfolio_id;
        ELSE
            season_slug := '*';
    END CASE;
    IF season_slug IS NOT NULL THEN
        PERFORM pg_notify('board', season_slug);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER board_changed AFTER INSERT OR UPDATE ON competition_season
    FOR EACH ROW EXECUTE FUNCTION board_changed();
CREATE TRIGGER board_changed AFTER INSERT OR UPDATE ON competition_cycle
    FOR EACH ROW EXECUTE FUNCTION board_changed();
CREATE TRIGGER board_changed AFTER INSERT OR UPDATE ON competition_entry
    FOR EACH ROW EXECUTE FUNCTION board_changed();
CREATE TRIGGER board_changed AFTER INSERT ON portfolio_valuation
    FOR EACH ROW EXECUTE FUNCTION board_changed();
CREATE TRIGGER board_changed AFTER UPDATE ON agents_agent
    FOR EACH ROW EXECUTE FUNCTION board_changed();
"""
BACKWARDS = """
DROP TRIGGER board_changed ON competition_season;
DROP TRIGGER board_changed ON competition_cycle;
DROP TRIGGER board_changed ON competition_entry;
DROP TRIGGER board_changed ON portfolio_valuation;
DROP TRIGGER board_changed ON agents_agent;
DROP FUNCTION board_changed();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("competition", "0006_backtests"),
        ("agents", "0007_charge_of_nothing"),
        ("portfolio", "0002_ledger_triggers"),
    ]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
