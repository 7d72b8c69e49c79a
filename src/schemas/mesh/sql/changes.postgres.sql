-- Changes of keys are noted, but for their last use.
DROP TRIGGER IF EXISTS keyward_updated ON mesh.api_key;
CREATE TRIGGER keyward_updated AFTER UPDATE ON mesh.api_key FOR EACH ROW
    WHEN ((OLD.id::text, OLD.mesh_id::text, OLD.label::text, OLD.secret_hash::text, OLD.secret_prefix::text,
            OLD.capabilities::text, OLD.topic_scopes::text, OLD.issued_by_member_id::text,
            OLD.created_at::text, OLD.revoked_at::text, OLD.expires_at::text)
        IS DISTINCT FROM (NEW.id::text, NEW.mesh_id::text, NEW.label::text, NEW.secret_hash::text,
            NEW.secret_prefix::text, NEW.capabilities::text, NEW.topic_scopes::text,
            NEW.issued_by_member_id::text, NEW.created_at::text, NEW.revoked_at::text, NEW.expires_at::text))
    EXECUTE FUNCTION keyward.note_change('mesh', 'key', 'id');
DROP TRIGGER IF EXISTS keyward_deleted ON mesh.api_key;
CREATE TRIGGER keyward_deleted AFTER DELETE ON mesh.api_key FOR EACH ROW
    EXECUTE FUNCTION keyward.note_change('mesh', 'key', 'id');
DROP TRIGGER IF EXISTS keyward_truncated ON mesh.api_key;
CREATE TRIGGER keyward_truncated AFTER TRUNCATE ON mesh.api_key FOR EACH STATEMENT
    EXECUTE FUNCTION keyward.note_change('mesh', 'any');
-- Also where another server's changes are applied.
ALTER TABLE mesh.api_key ENABLE ALWAYS TRIGGER keyward_updated;
ALTER TABLE mesh.api_key ENABLE ALWAYS TRIGGER keyward_deleted;
ALTER TABLE mesh.api_key ENABLE ALWAYS TRIGGER keyward_truncated;

-- What shuts down the keys that belong to it.
DROP TRIGGER IF EXISTS keyward_updated ON mesh.mesh;
CREATE TRIGGER keyward_updated AFTER UPDATE ON mesh.mesh FOR EACH ROW
    WHEN (OLD.archived_at::text IS DISTINCT FROM NEW.archived_at::text)
    EXECUTE FUNCTION keyward.note_change('mesh', 'any', 'id');
DROP TRIGGER IF EXISTS keyward_deleted ON mesh.mesh;
CREATE TRIGGER keyward_deleted AFTER DELETE ON mesh.mesh FOR EACH ROW
    EXECUTE FUNCTION keyward.note_change('mesh', 'any', 'id');
ALTER TABLE mesh.mesh ENABLE ALWAYS TRIGGER keyward_updated;
ALTER TABLE mesh.mesh ENABLE ALWAYS TRIGGER keyward_deleted;

-- What shuts down the keys that belong to it.
DROP TRIGGER IF EXISTS keyward_updated ON mesh.member;
CREATE TRIGGER keyward_updated AFTER UPDATE ON mesh.member FOR EACH ROW
    WHEN (OLD.revoked_at::text IS DISTINCT FROM NEW.revoked_at::text)
    EXECUTE FUNCTION keyward.note_change('mesh', 'any', 'id');
DROP TRIGGER IF EXISTS keyward_deleted ON mesh.member;
CREATE TRIGGER keyward_deleted AFTER DELETE ON mesh.member FOR EACH ROW
    EXECUTE FUNCTION keyward.note_change('mesh', 'any', 'id');
ALTER TABLE mesh.member ENABLE ALWAYS TRIGGER keyward_updated;
ALTER TABLE mesh.member ENABLE ALWAYS TRIGGER keyward_deleted;
