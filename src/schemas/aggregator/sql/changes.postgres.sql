-- Changes of keys are noted, but for their last use.
DROP TRIGGER IF EXISTS keyward_updated ON aggregators;
CREATE TRIGGER keyward_updated AFTER UPDATE ON aggregators FOR EACH ROW
    WHEN ((OLD.did::text, OLD.api_key_prefix::text, OLD.api_key_hash::text, OLD.api_key_created_at::text,
            OLD.api_key_revoked_at::text)
        IS DISTINCT FROM (NEW.did::text, NEW.api_key_prefix::text, NEW.api_key_hash::text,
            NEW.api_key_created_at::text, NEW.api_key_revoked_at::text))
    EXECUTE FUNCTION keyward.note_change('aggregator', 'key', 'did');
DROP TRIGGER IF EXISTS keyward_deleted ON aggregators;
CREATE TRIGGER keyward_deleted AFTER DELETE ON aggregators FOR EACH ROW
    EXECUTE FUNCTION keyward.note_change('aggregator', 'key', 'did');
DROP TRIGGER IF EXISTS keyward_truncated ON aggregators;
CREATE TRIGGER keyward_truncated AFTER TRUNCATE ON aggregators FOR EACH STATEMENT
    EXECUTE FUNCTION keyward.note_change('aggregator', 'any');
-- Also where another server's changes are applied.
ALTER TABLE aggregators ENABLE ALWAYS TRIGGER keyward_updated;
ALTER TABLE aggregators ENABLE ALWAYS TRIGGER keyward_deleted;
ALTER TABLE aggregators ENABLE ALWAYS TRIGGER keyward_truncated;
