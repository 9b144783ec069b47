"""Rules are frozen once a season opens, verdicts once given, cycles and turns once terminal, standings always."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION season_rules_are_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'draft' AND (NEW.slug, NEW.rules, NEW.rules_sha256, NEW.opened_at)
        IS DISTINCT FROM (OLD.slug, OLD.rules, OLD.rules_sha256, OLD.opened_at)
    THEN
        RAISE EXCEPTION 'season % is %: its rules are frozen', OLD.slug, OLD.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'closed' AND NEW.state <> 'closed' OR OLD.state = 'open' AND NEW.state = 'draft' THEN
        RAISE EXCEPTION 'season % is % and may not become %', OLD.slug, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER season_rules_are_frozen BEFORE UPDATE ON competition_season
    FOR EACH ROW EXECUTE FUNCTION season_rules_are_frozen();

CREATE FUNCTION terminal_rows_are_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('closed', 'held', 'missed', 'settled', 'quarantined') THEN
        RAISE EXCEPTION '% % is % and may not change', TG_TABLE_NAME, OLD.id, OLD.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER cycle_terminal_is_frozen BEFORE UPDATE ON competition_cycle
    FOR EACH ROW EXECUTE FUNCTION terminal_rows_are_frozen();
CREATE TRIGGER turn_terminal_is_frozen BEFORE UPDATE ON competition_turn
    FOR EACH ROW EXECUTE FUNCTION terminal_rows_are_frozen();

CREATE FUNCTION verdict_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.verdict <> '' AND (NEW.verdict, NEW.verdict_reason, NEW.decision, NEW.violations, NEW.decided_at)
        IS DISTINCT FROM (OLD.verdict, OLD.verdict_reason, OLD.decision, OLD.violations, OLD.decided_at)
    THEN
        RAISE EXCEPTION 'turn % has its verdict: %', OLD.id, OLD.verdict USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER verdict_is_final BEFORE UPDATE ON competition_turn
    FOR EACH ROW EXECUTE FUNCTION verdict_is_final();

CREATE TRIGGER standing_append_only BEFORE UPDATE OR DELETE ON competition_standing
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER standing_no_truncate BEFORE TRUNCATE ON competition_standing
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cycle_kept BEFORE DELETE ON competition_cycle FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cycle_no_truncate BEFORE TRUNCATE ON competition_cycle
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER turn_kept BEFORE DELETE ON competition_turn FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER turn_no_truncate BEFORE TRUNCATE ON competition_turn
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

BACKWARDS = """
DROP TRIGGER standing_append_only ON competition_standing;
DROP TRIGGER standing_no_truncate ON competition_standing;
DROP TRIGGER cycle_kept ON competition_cycle;
DROP TRIGGER cycle_no_truncate ON competition_cycle;
DROP TRIGGER turn_no_truncate ON competition_turn;
DROP TRIGGER turn_kept ON competition_turn;
DROP FUNCTION season_rules_are_frozen, terminal_rows_are_frozen, verdict_is_final CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("competition", "0001_initial"), ("portfolio", "0002_ledger_triggers")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
