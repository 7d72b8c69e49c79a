-- Changes of keys are noted, but for their last use.
DROP TRIGGER IF EXISTS keyward_updated ON api_keys;
CREATE TRIGGER keyward_updated AFTER UPDATE ON api_keys FOR EACH ROW
    WHEN ((OLD.id::text, OLD.key_hash::text, OLD.key_prefix::text, OLD.name::text, OLD.client_id::text,
            OLD.scopes::text, OLD.rate_limit_rpm::text, OLD.is_active::text, OLD.created_at::text,
            OLD.expires_at::text, OLD.metadata::text)
        IS DISTINCT FROM (NEW.id::text, NEW.key_hash::text, NEW.key_prefix::text, NEW.name::text,
            NEW.client_id::text, NEW.scopes::text, NEW.rate_limit_rpm::text, NEW.is_active::text,
            NEW.created_at::text, NEW.expires_at::text, NEW.metadata::text))
    EXECUTE FUNCTION keyward.note_change('scraper', 'key', 'id');
DROP TRIGGER IF EXISTS keyward_deleted ON api_keys;
CREATE TRIGGER keyward_deleted AFTER DELETE ON api_keys FOR EACH ROW
    EXECUTE FUNCTION keyward.note_change('scraper', 'key', 'id');
DROP TRIGGER IF EXISTS keyward_truncated ON api_keys;
CREATE TRIGGER keyward_truncated AFTER TRUNCATE ON api_keys FOR EACH STATEMENT
    EXECUTE FUNCTION keyward.note_change('scraper', 'any');
-- Also where another server's changes are applied.
ALTER TABLE api_keys ENABLE ALWAYS TRIGGER keyward_updated;
ALTER TABLE api_keys ENABLE ALWAYS TRIGGER keyward_deleted;
ALTER TABLE api_keys ENABLE ALWAYS TRIGGER keyward_truncated;
