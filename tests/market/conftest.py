from tests.databases import migrated_template, own_database  # noqa: F401
