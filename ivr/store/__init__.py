"""The database: engine, unit of work, migrations. What is stored is each feature's own business."""
