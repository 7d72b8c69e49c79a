//! The parents of a mesh's keys: users, meshes and members.

use keyward::key::Draft;
use keyward::schemas::mesh::{Capability, Mesh, MeshDetails, MeshKey};

use super::TestSchema;

impl TestSchema for Mesh {
    fn schema() -> Self {
        Self::new()
    }

    fn parents(postgres: bool) -> &'static str {
        if postgres { POSTGRES } else { SQLITE }
    }

    fn owner(owner: &str, postgres: bool) -> String {
        let (user, mesh) = if postgres { ("public.\"user\"", "mesh.mesh") } else { ("\"user\"", "mesh") };
        format!(
            "INSERT INTO {user} (id, name, email) VALUES ('owner of {owner}', 'Ada', '{owner}@example.org');
             INSERT INTO {mesh} (id, name, slug, owner_user_id) VALUES ('{owner}', 'Mesh', 'mesh', 'owner of {owner}');"
        )
    }

    fn draft(owner: &str) -> Draft<Self> {
        MeshKey::new(owner, "deploy bot", [Capability::Send, Capability::Read]).unwrap().into()
    }

    fn samples() -> Vec<MeshDetails> {
        let key = |label: &str, capabilities: &[Capability]| {
            MeshKey::new("any", label, capabilities.iter().copied()).unwrap()
        };
        [
            key("plain", &[Capability::Send]),
            key("ünï ✓ '; --", &Capability::ALL).only_topics(["#deploys", "ünï", "a,b \"c\" \\"]).unwrap(),
            key("nowhere", &[Capability::Admin]).no_topics(),
        ]
        .map(|key| Draft::from(key).details)
        .into()
    }
}

const POSTGRES: &str = "
    CREATE SCHEMA mesh;
    CREATE TYPE mesh.visibility AS ENUM ('private', 'public');
    CREATE TYPE mesh.transport AS ENUM ('managed', 'tailscale', 'self_hosted');
    CREATE TYPE mesh.tier AS ENUM ('free', 'pro', 'team', 'enterprise');
    CREATE TYPE mesh.role AS ENUM ('admin', 'member');
    CREATE TYPE mesh.api_key_capability AS ENUM ('send', 'read', 'state_write', 'admin');
    CREATE TABLE public.\"user\" (
        id text PRIMARY KEY,
        name text NOT NULL,
        email text NOT NULL UNIQUE,
        email_verified boolean NOT NULL DEFAULT false,
        created_at timestamp NOT NULL DEFAULT now(),
        updated_at timestamp NOT NULL DEFAULT now()
    );
    CREATE TABLE mesh.mesh (
        id text PRIMARY KEY,
        name text NOT NULL,
        slug text NOT NULL,
        owner_user_id text NOT NULL REFERENCES public.\"user\" (id) ON DELETE CASCADE ON UPDATE CASCADE,
        visibility mesh.visibility NOT NULL DEFAULT 'private',
        transport mesh.transport NOT NULL DEFAULT 'managed',
        tier mesh.tier NOT NULL DEFAULT 'free',
        max_peers integer,
        created_at timestamp NOT NULL DEFAULT now(),
        archived_at timestamp,
        owner_pubkey text,
        owner_secret_key text,
        root_key text,
        self_editable jsonb DEFAULT '{}'
    );
    CREATE TABLE mesh.member (
        id text PRIMARY KEY,
        mesh_id text NOT NULL REFERENCES mesh.mesh (id) ON DELETE CASCADE ON UPDATE CASCADE,
        user_id text REFERENCES public.\"user\" (id) ON DELETE SET NULL ON UPDATE CASCADE,
        peer_pubkey text NOT NULL,
        display_name text NOT NULL,
        role mesh.role NOT NULL DEFAULT 'member',
        joined_at timestamp NOT NULL DEFAULT now(),
        last_seen_at timestamp,
        revoked_at timestamp,
        peer_grants jsonb NOT NULL DEFAULT '{}',
        role_tag text,
        default_groups jsonb,
        message_mode text,
        dashboard_user_id text
    );
    CREATE TABLE mesh.topic (
        id text PRIMARY KEY,
        mesh_id text NOT NULL REFERENCES mesh.mesh (id) ON DELETE CASCADE ON UPDATE CASCADE,
        name text NOT NULL,
        UNIQUE (mesh_id, name)
    );";

const SQLITE: &str = "
    CREATE TABLE \"user\" (
        id TEXT PRIMARY KEY NOT NULL,
        name TEXT NOT NULL,
        email TEXT NOT NULL UNIQUE,
        email_verified BOOLEAN NOT NULL DEFAULT FALSE,
        created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
        updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
    );
    CREATE TABLE mesh (
        id TEXT PRIMARY KEY NOT NULL,
        name TEXT NOT NULL,
        slug TEXT NOT NULL,
        owner_user_id TEXT NOT NULL REFERENCES \"user\" (id) ON DELETE CASCADE ON UPDATE CASCADE,
        visibility TEXT NOT NULL DEFAULT 'private',
        transport TEXT NOT NULL DEFAULT 'managed',
        tier TEXT NOT NULL DEFAULT 'free',
        max_peers INTEGER,
        created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
        archived_at TIMESTAMP,
        owner_pubkey TEXT,
        owner_secret_key TEXT,
        root_key TEXT,
        self_editable TEXT DEFAULT '{}'
    );
    CREATE TABLE member (
        id TEXT PRIMARY KEY NOT NULL,
        mesh_id TEXT NOT NULL REFERENCES mesh (id) ON DELETE CASCADE ON UPDATE CASCADE,
        user_id TEXT REFERENCES \"user\" (id) ON DELETE SET NULL ON UPDATE CASCADE,
        peer_pubkey TEXT NOT NULL,
        display_name TEXT NOT NULL,
        role TEXT NOT NULL DEFAULT 'member',
        joined_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
        last_seen_at TIMESTAMP,
        revoked_at TIMESTAMP,
        peer_grants TEXT NOT NULL DEFAULT '{}',
        role_tag TEXT,
        default_groups TEXT,
        message_mode TEXT,
        dashboard_user_id TEXT
    );";
