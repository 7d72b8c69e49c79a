-- What was changed last of each key, noted by triggers on the tables of keys, whoever changes those. Whoever watches
-- asks for the transactions that it has not seen yet; a notification tells it when.
CREATE TABLE IF NOT EXISTS keyward.changes (
    schema text COLLATE pg_catalog."C" NOT NULL,
    -- Of what: `key`, or `any` where any key may be meant.
    subject text COLLATE pg_catalog."C" NOT NULL,
    id text COLLATE pg_catalog."C" NOT NULL,
    changed_in xid8 NOT NULL,
    PRIMARY KEY (schema, subject, id)
);
CREATE INDEX IF NOT EXISTS changes_changed_in ON keyward.changes (schema, changed_in);

-- Arguments: the schema, `key` or `any`, and the column of the identity. It has the rights of whoever made it, so that
-- nobody who changes a key needs any on the table above.
CREATE OR REPLACE FUNCTION keyward.note_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    what text := TG_ARGV[1];
    which text := '';
BEGIN
    -- The change is made all the same; whoever watches misses the table, and says so.
    IF pg_catalog.to_regclass('keyward.changes') IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'TRUNCATE' THEN
        which := coalesce(pg_catalog.to_jsonb(OLD) ->> TG_ARGV[2], '');
    END IF;
    -- What does not fit into an index must not keep anybody from a change.
    IF TG_OP = 'TRUNCATE' OR pg_catalog.octet_length(which) > 1000 THEN
        what := 'any';
        which := '';
    END IF;
    INSERT INTO keyward.changes AS c (schema, subject, id, changed_in)
    VALUES (TG_ARGV[0], what, which, pg_catalog.pg_current_xact_id())
    ON CONFLICT ON CONSTRAINT changes_pkey DO UPDATE SET changed_in = excluded.changed_in;
    PERFORM pg_catalog.pg_notify('keyward_changes', TG_ARGV[0]);
    RETURN NULL;
END
$body$;
