"""What has ended never changes, what follows follows only from what is dead, and every state is kept."""

from django.db import migrations

APPEND_ONLY = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# As in core/order_attempts.py; a test compares the two.
CHANGES = {
    "sending": "unknown acknowledged ended filled partial expired refused not_placed abandoned wiped",
    "unknown": "acknowledged ended filled partial expired refused not_placed abandoned wiped",
    "acknowledged": "ended filled partial expired refused wiped",
    "ended": "filled partial expired wiped",
}
PAIRS = ", ".join(f"('{old}', '{new}')" for old, states in CHANGES.items() for new in states.split())

BEGINS = """
CREATE FUNCTION order_attempt_begins() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before record;
BEGIN
    IF NEW.state NOT IN ('sending', 'abandoned') THEN
        RAISE EXCEPTION 'attempt % cannot begin as %', NEW.client_order_id, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    SELECT number, state, refusal INTO before FROM portfolio_orderattempt
        WHERE order_id = NEW.order_id ORDER BY number DESC LIMIT 1;
    IF NEW.number <> coalesce(before.number, 0) + 1 THEN
        RAISE EXCEPTION 'attempt % is number %, after %', NEW.client_order_id, NEW.number, coalesce(before.number, 0)
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF before.number IS NOT NULL AND NOT (before.state = 'not_placed'
        OR before.state = 'refused' AND before.refusal IN ('late', 'wait', 'keys'))
    THEN
        RAISE EXCEPTION 'attempt % would follow one that is %: only what is provably dead may be followed',
            NEW.client_order_id, before.state USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER order_attempt_begins BEFORE INSERT ON portfolio_orderattempt
    FOR EACH ROW EXECUTE FUNCTION order_attempt_begins();
"""

GOES_ON = f"""
CREATE FUNCTION order_attempt_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state NOT IN ('sending', 'unknown', 'acknowledged', 'ended') THEN
        RAISE EXCEPTION 'attempt % is % and may not change', OLD.client_order_id, OLD.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.id, NEW.order_id, NEW.number, NEW.client_order_id, NEW.claimed_at, NEW.payload, NEW.timestamp_ms,
        NEW.recv_window_ms)
        IS DISTINCT FROM
       (OLD.id, OLD.order_id, OLD.number, OLD.client_order_id, OLD.claimed_at, OLD.payload, OLD.timestamp_ms,
        OLD.recv_window_ms)
    THEN
        RAISE EXCEPTION 'attempt % is written: the request of an attempt never changes', OLD.client_order_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.exchange_order_id IS NOT NULL
        AND (NEW.exchange_order_id, NEW.epoch) IS DISTINCT FROM (OLD.exchange_order_id, OLD.epoch)
    THEN
        RAISE EXCEPTION 'attempt % is order % of the exchange and stays it', OLD.client_order_id, OLD.exchange_order_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN ({PAIRS}) THEN
        RAISE EXCEPTION 'attempt % is % and may not become %', OLD.client_order_id, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER order_attempt_goes_on BEFORE UPDATE ON portfolio_orderattempt
    FOR EACH ROW EXECUTE FUNCTION order_attempt_goes_on();
CREATE TRIGGER order_attempt_kept BEFORE DELETE ON portfolio_orderattempt
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER order_attempt_no_truncate BEFORE TRUNCATE ON portfolio_orderattempt
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

REMEMBERS = """
CREATE FUNCTION order_attempt_remembers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO portfolio_attemptchange (attempt_id, before, after, at, reason)
        VALUES (NEW.id, CASE TG_OP WHEN 'INSERT' THEN '' ELSE OLD.state END, NEW.state, NEW.changed_at, NEW.reason);
    RETURN NULL;
END $$;
CREATE TRIGGER order_attempt_remembers_its_beginning AFTER INSERT ON portfolio_orderattempt
    FOR EACH ROW EXECUTE FUNCTION order_attempt_remembers();
CREATE TRIGGER order_attempt_remembers AFTER UPDATE ON portfolio_orderattempt
    FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION order_attempt_remembers();
"""

ADDS_UP = """
CREATE FUNCTION order_attempt_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    traded numeric;
BEGIN
    SELECT coalesce(sum(quantity), 0) INTO traded FROM portfolio_exchangetrade WHERE attempt_id = NEW.id;
    IF traded <> NEW.executed THEN
        RAISE EXCEPTION 'attempt % executed %, and its trades come to %', NEW.client_order_id, NEW.executed, traded
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER order_attempt_adds_up AFTER UPDATE ON portfolio_orderattempt
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state IN ('filled', 'partial'))
    EXECUTE FUNCTION order_attempt_adds_up();
"""

TABLES = ("attemptchange", "exchangetrade", "venueepoch", "tradinghalt", "incident")
FORWARDS = [*(APPEND_ONLY.format(table=f"portfolio_{table}") for table in TABLES), BEGINS, GOES_ON, REMEMBERS, ADDS_UP]

BACKWARDS = [
    *(
        f"DROP TRIGGER portfolio_{table}_append_only ON portfolio_{table};"
        f"DROP TRIGGER portfolio_{table}_no_truncate ON portfolio_{table};"
        for table in TABLES
    ),
    "DROP TRIGGER order_attempt_kept ON portfolio_orderattempt;",
    "DROP TRIGGER order_attempt_no_truncate ON portfolio_orderattempt;",
    "DROP FUNCTION order_attempt_begins, order_attempt_goes_on, order_attempt_remembers, order_attempt_adds_up CASCADE;",
]


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0003_order_attempts")]

    operations = [migrations.RunSQL("\n".join(FORWARDS), "\n".join(BACKWARDS))]
