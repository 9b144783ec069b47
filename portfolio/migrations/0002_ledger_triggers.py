"""The ledger's invariants, enforced by the database itself: through any client, psql included."""

from django.db import migrations

REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused. Write a correction as a new row.', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
"""

APPEND_ONLY = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

BALANCED = """
CREATE FUNCTION journal_sums_to_zero() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    SELECT asset, sum(amount) AS total INTO wrong FROM portfolio_posting
        WHERE journal_id = NEW.journal_id GROUP BY asset HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'journal % does not sum to zero in %: % left over', NEW.journal_id, wrong.asset, wrong.total
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER posting_journal_balanced AFTER INSERT ON portfolio_posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION journal_sums_to_zero();

CREATE FUNCTION journal_has_postings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM portfolio_posting WHERE journal_id = NEW.id) THEN
        RAISE EXCEPTION 'journal % moves nothing', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER journal_not_empty AFTER INSERT ON portfolio_journal
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION journal_has_postings();

CREATE FUNCTION entry_holds_what_it_spends() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    held numeric;
BEGIN
    SELECT sum(amount) INTO held FROM portfolio_posting
        WHERE portfolio_id = NEW.portfolio_id AND account = 'entry' AND asset = NEW.asset;
    IF held < 0 THEN
        RAISE EXCEPTION 'portfolio % would hold % %', NEW.portfolio_id, held, NEW.asset
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER posting_never_overdraws AFTER INSERT ON portfolio_posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.account = 'entry' AND NEW.amount < 0)
    EXECUTE FUNCTION entry_holds_what_it_spends();

ALTER TABLE portfolio_posting ADD CONSTRAINT posting_portfolio_of_journal
    FOREIGN KEY (journal_id, portfolio_id) REFERENCES portfolio_journal (id, portfolio_id)
    DEFERRABLE INITIALLY DEFERRED;
"""

ORDER_ENDS_ONCE = """
CREATE FUNCTION order_ends_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'new'
        OR (NEW.id, NEW.portfolio_id, NEW.cycle_number, NEW.client_order_id, NEW.symbol, NEW.side, NEW.quantity,
            NEW.reference_price)
        IS DISTINCT FROM
           (OLD.id, OLD.portfolio_id, OLD.cycle_number, OLD.client_order_id, OLD.symbol, OLD.side, OLD.quantity,
            OLD.reference_price)
    THEN
        RAISE EXCEPTION 'order % is % and written: only the end of a new order may be added',
            OLD.client_order_id, OLD.state USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER order_ends_once BEFORE UPDATE ON portfolio_order FOR EACH ROW EXECUTE FUNCTION order_ends_once();
CREATE TRIGGER order_kept BEFORE DELETE ON portfolio_order FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER order_no_truncate BEFORE TRUNCATE ON portfolio_order
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

TABLES = ("portfolio_journal", "portfolio_posting", "portfolio_fill", "portfolio_valuation")
FORWARDS = [REFUSE_CHANGE, *(APPEND_ONLY.format(table=table) for table in TABLES), BALANCED, ORDER_ENDS_ONCE]

BACKWARDS = """
ALTER TABLE portfolio_posting DROP CONSTRAINT posting_portfolio_of_journal;
DROP FUNCTION refuse_change, journal_sums_to_zero, journal_has_postings, entry_holds_what_it_spends, order_ends_once
    CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0001_initial")]

    operations = [migrations.RunSQL("\n".join(FORWARDS), BACKWARDS)]
