"""What was found at the exchange after the record was put back is appended and never edited."""

import django.db.models.deletion
from decimal import Decimal
from django.db import migrations, models


FORWARDS = """
CREATE TRIGGER found_order_append_only BEFORE UPDATE OR DELETE ON portfolio_foundorder
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER found_order_no_truncate BEFORE TRUNCATE ON portfolio_foundorder
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

BACKWARDS = """
DROP TRIGGER found_order_append_only ON portfolio_foundorder;
DROP TRIGGER found_order_no_truncate ON portfolio_foundorder;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('portfolio', '0005_reconciliations'),
    ]

    operations = [
        migrations.CreateModel(
            name='FoundOrder',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cycle_number', models.PositiveIntegerField()),
                ('order_id', models.CharField(max_length=36)),
                ('client_order_id', models.CharField(max_length=36, unique=True)),
                ('symbol', models.CharField(max_length=20)),
                ('side', models.CharField(choices=[('buy', 'buy'), ('sell', 'sell')], max_length=4)),
                ('epoch', models.PositiveSmallIntegerField()),
                ('exchange_order_id', models.BigIntegerField()),
                ('quantity', models.DecimalField(decimal_places=18, max_digits=38)),
                ('executed', models.DecimalField(decimal_places=18, max_digits=38)),
                ('quote_amount', models.DecimalField(decimal_places=18, max_digits=38)),
                ('trades', models.JSONField(help_text='as the exchange listed them: trade id, amounts as decimal strings, instant')),
                ('goes_on', models.BooleanField(help_text='its decision is on record, so that its turn takes it up')),
                ('found_at', models.DateTimeField()),
                ('portfolio', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='found_orders', to='portfolio.portfolio')),
            ],
            options={
                'indexes': [models.Index(fields=['portfolio', 'cycle_number'], name='found_order_of_week')],
                'constraints': [models.CheckConstraint(condition=models.Q(('executed__gt', 0), ('executed__lte', models.F('quantity')), ('quantity__lt', Decimal('10000000000000000000'))), name='found_order_executed')],
            },
        ),
        migrations.RunSQL(FORWARDS, BACKWARDS),
    ]
