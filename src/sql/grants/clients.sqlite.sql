-- Clients, as forgejo-mcp-broker keeps them. Times are seconds since 1970, from the application.
CREATE TABLE clients (
    client_id TEXT NOT NULL PRIMARY KEY,
    client_secret TEXT,
    redirect_uris TEXT NOT NULL,
    metadata_json TEXT,
    created_at INTEGER NOT NULL,
    last_used INTEGER
);
CREATE INDEX idx_clients_last_used ON clients (last_used);
