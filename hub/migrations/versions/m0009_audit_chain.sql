-- An entry gets its place in its workspace's chain, and its hash, once, soon after its transaction has committed
-- (docs/decisions/0027-audit-chain.md). Until then both are NULL.
ALTER TABLE audit_entry
    ADD position bigint CHECK (position > 0),
    ADD hash bytea CHECK (octet_length(hash) = 32),
    ADD CONSTRAINT audit_entry_sealed CHECK ((position IS NULL) = (hash IS NULL));
CREATE UNIQUE INDEX audit_entry_position ON audit_entry (workspace_id, position) WHERE position IS NOT NULL;
CREATE INDEX audit_entry_unsealed ON audit_entry (workspace_id, id) WHERE position IS NULL;
CREATE INDEX audit_entry_actor ON audit_entry (workspace_id, actor_id, id);
CREATE INDEX audit_entry_target ON audit_entry (workspace_id, target_id, id);
CREATE INDEX audit_entry_action ON audit_entry (workspace_id, action text_pattern_ops, id);

-- The application adds entries without a place; only the function below gives them one, and only once.
REVOKE INSERT ON audit_entry FROM hub_app;
GRANT INSERT (workspace_id, id, at, action, actor_kind, actor_id, target_kind, target_id, address, details)
    ON audit_entry TO hub_app;
GRANT SELECT (workspace_id, id, position) ON audit_entry TO hub_router;
GRANT UPDATE (position, hash) ON audit_entry TO hub_router;
CREATE POLICY router ON audit_entry FOR SELECT TO hub_router USING (true);
CREATE POLICY sealing ON audit_entry FOR UPDATE TO hub_router USING (position IS NULL) WITH CHECK (position IS NOT NULL);

-- What a chain's newest hash was at a time, signed: a copy of the heads outside the database shows what was cut off.
CREATE TABLE audit_head (
    workspace_id bigint NOT NULL CHECK (workspace_id >= 0),
    position     bigint NOT NULL CHECK (position > 0),
    hash         bytea NOT NULL CHECK (octet_length(hash) = 32),
    signed_at    timestamptz NOT NULL,
    public_key   bytea NOT NULL CHECK (octet_length(public_key) = 32),
    signature    bytea NOT NULL CHECK (octet_length(signature) = 64),
    PRIMARY KEY (workspace_id, position)
);
ALTER TABLE audit_head ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_head FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_head TO hub_app
    USING (workspace_id = ANY ((SELECT nullif(current_setting('app.ws_set', true), '')::bigint[])::bigint[]));
GRANT SELECT, INSERT ON audit_head TO hub_app;
GRANT SELECT (workspace_id, position) ON audit_head TO hub_router;
CREATE POLICY router ON audit_head FOR SELECT TO hub_router USING (true);

-- Chains with entries that wait for their place.
CREATE FUNCTION hub_unsealed_audit(most integer) RETURNS TABLE (workspace_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT DISTINCT e.workspace_id FROM audit_entry e WHERE e.position IS NULL ORDER BY 1 LIMIT most $$;

-- Every chain there is, found by hopping from workspace to workspace along the index; with its newest place and the
-- newest one that was signed (0: none).
CREATE FUNCTION hub_audit_chains() RETURNS TABLE (workspace_id bigint, position_ bigint, signed bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    WITH RECURSIVE chain AS (
        (SELECT e.workspace_id FROM audit_entry e ORDER BY e.workspace_id LIMIT 1)
        UNION ALL
        SELECT (SELECT e.workspace_id FROM audit_entry e WHERE e.workspace_id > chain.workspace_id
                ORDER BY e.workspace_id LIMIT 1)
        FROM chain WHERE chain.workspace_id IS NOT NULL
    ), known AS (
        SELECT chain.workspace_id FROM chain WHERE chain.workspace_id IS NOT NULL
        UNION SELECT DISTINCT h.workspace_id FROM audit_head h
    )
    SELECT known.workspace_id,
        coalesce((SELECT max(e.position) FROM audit_entry e
                  WHERE e.workspace_id = known.workspace_id AND e.position IS NOT NULL), 0),
        coalesce((SELECT max(h.position) FROM audit_head h WHERE h.workspace_id = known.workspace_id), 0)
    FROM known ORDER BY 1
    $$;

-- Gives entries of one chain their places, in the order given. Only of a workspace this transaction has named.
CREATE FUNCTION hub_seal_audit(chain bigint, first bigint, ids uuid[], hashes bytea[]) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    WITH sealed AS (
        UPDATE audit_entry SET position = first + given.number - 1, hash = given.hash
        FROM unnest(ids, hashes) WITH ORDINALITY AS given (id, hash, number)
        WHERE audit_entry.workspace_id = chain AND audit_entry.id = given.id AND audit_entry.position IS NULL
          AND chain = ANY (nullif(current_setting('app.ws_set', true), '')::bigint[])
        RETURNING audit_entry.id
    )
    SELECT count(*) FROM sealed
    $$;
