-- Changes of keys are noted, but for their last use.
DROP TRIGGER IF EXISTS keyward_updated ON keyward.keys;
CREATE TRIGGER keyward_updated AFTER UPDATE ON keyward.keys FOR EACH ROW
    EXECUTE FUNCTION keyward.note_change('standard', 'key', 'id');
DROP TRIGGER IF EXISTS keyward_deleted ON keyward.keys;
CREATE TRIGGER keyward_deleted AFTER DELETE ON keyward.keys FOR EACH ROW
    EXECUTE FUNCTION keyward.note_change('standard', 'key', 'id');
DROP TRIGGER IF EXISTS keyward_truncated ON keyward.keys;
CREATE TRIGGER keyward_truncated AFTER TRUNCATE ON keyward.keys FOR EACH STATEMENT
    EXECUTE FUNCTION keyward.note_change('standard', 'any');
-- Also where another server's changes are applied.
ALTER TABLE keyward.keys ENABLE ALWAYS TRIGGER keyward_updated;
ALTER TABLE keyward.keys ENABLE ALWAYS TRIGGER keyward_deleted;
ALTER TABLE keyward.keys ENABLE ALWAYS TRIGGER keyward_truncated;
