ALTER TABLE objects ADD COLUMN pack INTEGER;
ALTER TABLE objects ADD COLUMN at INTEGER;
CREATE INDEX objects_by_pack ON objects (pack);
