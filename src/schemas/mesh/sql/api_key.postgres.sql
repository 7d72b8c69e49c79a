-- The table of the schema `mesh`, as the service itself makes it, in its schema and beside its parents.
CREATE TABLE IF NOT EXISTS mesh.api_key (
    id text PRIMARY KEY NOT NULL,
    mesh_id text NOT NULL REFERENCES mesh.mesh (id) ON DELETE CASCADE ON UPDATE CASCADE,
    label text NOT NULL,
    secret_hash text NOT NULL,
    secret_prefix text NOT NULL,
    capabilities jsonb NOT NULL DEFAULT '[]'::jsonb,
    topic_scopes jsonb,
    issued_by_member_id text REFERENCES mesh.member (id) ON DELETE SET NULL ON UPDATE CASCADE,
    created_at timestamp NOT NULL DEFAULT now(),
    last_used_at timestamp,
    revoked_at timestamp,
    expires_at timestamp
);

CREATE INDEX IF NOT EXISTS api_key_by_mesh ON mesh.api_key (mesh_id);
CREATE INDEX IF NOT EXISTS api_key_by_prefix ON mesh.api_key (secret_prefix);
