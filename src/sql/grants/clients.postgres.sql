-- Clients, as forgejo-mcp-broker keeps them. Times are seconds since 1970, from the application.
CREATE TABLE clients (
    client_id text PRIMARY KEY,
    client_secret text,
    redirect_uris text NOT NULL,
    metadata_json text,
    created_at bigint NOT NULL,
    last_used bigint
);
CREATE INDEX idx_clients_last_used ON clients (last_used);
