"""Prices, calls and settled reservations are history: they can be neither changed nor deleted."""

from django.db import migrations

FORWARDS = """
CREATE TRIGGER price_append_only BEFORE UPDATE OR DELETE ON agents_price
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER price_no_truncate BEFORE TRUNCATE ON agents_price
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER call_append_only BEFORE UPDATE OR DELETE ON agents_call
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER call_no_truncate BEFORE TRUNCATE ON agents_call
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION reservation_settles_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.settled_at IS NOT NULL OR (NEW.id, NEW.attempt_id, NEW.scopes, NEW.tokens, NEW.usd, NEW.made_at)
        IS DISTINCT FROM (OLD.id, OLD.attempt_id, OLD.scopes, OLD.tokens, OLD.usd, OLD.made_at)
    THEN
        RAISE EXCEPTION 'reservation % is settled once and changed never', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reservation_settles_once BEFORE UPDATE ON agents_reservation
    FOR EACH ROW EXECUTE FUNCTION reservation_settles_once();
CREATE TRIGGER reservation_kept BEFORE DELETE ON agents_reservation
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER reservation_no_truncate BEFORE TRUNCATE ON agents_reservation
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER budget_kept BEFORE DELETE ON agents_budget FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER budget_no_truncate BEFORE TRUNCATE ON agents_budget
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

BACKWARDS = """
DROP TRIGGER price_append_only ON agents_price;
DROP TRIGGER price_no_truncate ON agents_price;
DROP TRIGGER call_append_only ON agents_call;
DROP TRIGGER call_no_truncate ON agents_call;
DROP TRIGGER reservation_kept ON agents_reservation;
DROP TRIGGER reservation_no_truncate ON agents_reservation;
DROP TRIGGER budget_kept ON agents_budget;
DROP TRIGGER budget_no_truncate ON agents_budget;
DROP FUNCTION reservation_settles_once CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0003_prices_budgets_and_calls")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
