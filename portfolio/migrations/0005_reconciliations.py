"""What a look at the account found is appended and never edited."""

from django.db import migrations, models

FORWARDS = """
CREATE TRIGGER reconciliation_append_only BEFORE UPDATE OR DELETE ON portfolio_reconciliation
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER reconciliation_no_truncate BEFORE TRUNCATE ON portfolio_reconciliation
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

BACKWARDS = """
DROP TRIGGER reconciliation_append_only ON portfolio_reconciliation;
DROP TRIGGER reconciliation_no_truncate ON portfolio_reconciliation;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('portfolio', '0004_order_attempts_are_kept'),
    ]

    operations = [
        migrations.CreateModel(
            name='Reconciliation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('epoch', models.PositiveSmallIntegerField()),
                ('seconds', models.DecimalField(decimal_places=3, max_digits=12)),
                ('orders', models.PositiveIntegerField(default=0, help_text='orders of ours that were compared')),
                ('under_way', models.PositiveIntegerField(default=0, help_text='orders whose outcome was not known')),
                ('is_still', models.BooleanField(default=False, help_text='nothing of ours moved during the look')),
                ('is_wipe', models.BooleanField(default=False)),
                ('findings_count', models.PositiveIntegerField(default=0)),
                ('findings', models.JSONField(default=list, help_text='the first of them: kind, subject and sentence')),
                ('lines', models.JSONField(default=list)),
                ('requests', models.PositiveIntegerField(default=0)),
                ('trouble', models.CharField(blank=True, max_length=300)),
            ],
            options={
                'indexes': [models.Index(fields=['epoch', 'id'], name='reconciliation_of_epoch')],
                'constraints': [models.CheckConstraint(condition=models.Q(('trouble', ''), models.Q(('findings_count', 0), ('is_still', False), ('is_wipe', False), ('orders', 0)), _connector='OR'), name='reconciliation_found_nothing_in_trouble'), models.CheckConstraint(condition=models.Q(('epoch__gt', 0)), name='reconciliation_of_an_epoch')],
            },
        ),
        migrations.RunSQL(FORWARDS, BACKWARDS),
    ]
