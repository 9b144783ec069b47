"""What was shown and what was said can be neither changed nor deleted."""

from django.db import migrations

FORWARDS = """
CREATE TRIGGER brief_append_only BEFORE UPDATE OR DELETE ON agents_brief
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER brief_no_truncate BEFORE TRUNCATE ON agents_brief
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION attempt_ends_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.outcome <> 'pending' OR (NEW.id, NEW.brief_id, NEW.number, NEW.run_token)
        IS DISTINCT FROM (OLD.id, OLD.brief_id, OLD.number, OLD.run_token)
    THEN
        RAISE EXCEPTION 'attempt % has ended as %: what was said is kept', OLD.id, OLD.outcome
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER attempt_ends_once BEFORE UPDATE ON agents_attempt
    FOR EACH ROW EXECUTE FUNCTION attempt_ends_once();
CREATE TRIGGER attempt_kept BEFORE DELETE ON agents_attempt FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER attempt_no_truncate BEFORE TRUNCATE ON agents_attempt
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION agent_stays_itself() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.slug, NEW.version, NEW.kind, NEW.model, NEW.parameters)
        IS DISTINCT FROM (OLD.slug, OLD.version, OLD.kind, OLD.model, OLD.parameters)
        AND EXISTS (SELECT 1 FROM agents_brief WHERE agent_id = OLD.id)
    THEN
        RAISE EXCEPTION 'agent % has been asked already; a changed agent is a new version', OLD.slug
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER agent_stays_itself BEFORE UPDATE ON agents_agent
    FOR EACH ROW EXECUTE FUNCTION agent_stays_itself();
"""

BACKWARDS = """
DROP TRIGGER brief_append_only ON agents_brief;
DROP TRIGGER brief_no_truncate ON agents_brief;
DROP TRIGGER attempt_kept ON agents_attempt;
DROP TRIGGER attempt_no_truncate ON agents_attempt;
DROP FUNCTION attempt_ends_once, agent_stays_itself CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0001_initial"), ("portfolio", "0002_ledger_triggers")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
