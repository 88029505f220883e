-- ── windows and templates ───────────────────────────────────────────────────────────────────────────────────────
-- Until when a channel takes free text here; NULL where it has no windows, or the contact has not written yet.
ALTER TABLE conversation ADD COLUMN window_expires_at timestamptz;
-- What a message was made of, where it was sent as a template.
ALTER TABLE message ADD COLUMN template jsonb;

-- ── hints: the vendor said that there is something; whoever reads the account fetches it ────────────────────────
CREATE TABLE channel_hint (
    workspace_id       bigint NOT NULL,
    channel_account_id uuid NOT NULL,
    key                text NOT NULL CHECK (length(key) BETWEEN 1 AND 300),
    body               bytea NOT NULL,
    created_at         timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, channel_account_id, key),
    FOREIGN KEY (workspace_id, channel_account_id) REFERENCES channel_account ON DELETE CASCADE
);

-- ── upkeep: one row an account the hub has something to do for, or to say about ─────────────────────────────────
CREATE TABLE channel_upkeep (
    workspace_id       bigint NOT NULL,
    channel_account_id uuid NOT NULL,
    maintain_due_at    timestamptz,
    maintain_failures  integer NOT NULL DEFAULT 0,
    maintain_error     text,
    unreachable_since  timestamptz,
    history_wanted_at  timestamptz,
    history_done_at    timestamptz,
    history_cursor     text,
    history_progress   jsonb,
    history_error      text,
    templates          jsonb,
    templates_at       timestamptz,
    PRIMARY KEY (workspace_id, channel_account_id),
    FOREIGN KEY (workspace_id, channel_account_id) REFERENCES channel_account ON DELETE CASCADE
);
CREATE INDEX channel_upkeep_due ON channel_upkeep (maintain_due_at) WHERE maintain_due_at IS NOT NULL;
CREATE INDEX channel_upkeep_history ON channel_upkeep (history_wanted_at)
    WHERE history_wanted_at IS NOT NULL AND history_done_at IS NULL;

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['channel_hint', 'channel_upkeep']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO hub_app
             USING (workspace_id = ANY ((SELECT nullif(current_setting(''app.ws_set'', true), '''')::bigint[])::bigint[]))
             WITH CHECK (workspace_id = ANY ((SELECT nullif(current_setting(''app.ws_set'', true), '''')::bigint[])::bigint[]))',
            tenant_table);
        EXECUTE format('CREATE POLICY router ON %I FOR SELECT TO hub_router USING (true)', tenant_table);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hub_app', tenant_table);
    END LOOP;
END $$;
GRANT SELECT (workspace_id, channel_account_id, created_at) ON channel_hint TO hub_router;
GRANT SELECT (workspace_id, channel_account_id, maintain_due_at, history_wanted_at, history_done_at)
    ON channel_upkeep TO hub_router;

-- Accounts in use with hints waiting, or with history that is not read yet; those with hints first.
CREATE FUNCTION hub_accounts_to_read(at_most integer)
    RETURNS TABLE (workspace_id bigint, id uuid, has_hints boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT a.workspace_id, a.id, min(wanted.rank) = 0 FROM (
            SELECT h.workspace_id, h.channel_account_id, 0 AS rank, min(h.created_at) AS since
            FROM channel_hint h GROUP BY h.workspace_id, h.channel_account_id
            UNION ALL
            SELECT u.workspace_id, u.channel_account_id, 1, u.history_wanted_at FROM channel_upkeep u
            WHERE u.history_wanted_at IS NOT NULL AND u.history_done_at IS NULL) wanted
        JOIN channel_account a ON a.workspace_id = wanted.workspace_id AND a.id = wanted.channel_account_id
        WHERE a.status = 'connected'
        GROUP BY a.workspace_id, a.id ORDER BY min(wanted.rank), min(wanted.since) LIMIT at_most
    $$;

-- Accounts in use whose renewal is due.
CREATE FUNCTION hub_due_upkeep(due_before timestamptz, at_most integer) RETURNS TABLE (workspace_id bigint, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT u.workspace_id, u.channel_account_id FROM channel_upkeep u
        JOIN channel_account a ON a.workspace_id = u.workspace_id AND a.id = u.channel_account_id
        WHERE u.maintain_due_at <= due_before AND a.status = 'connected'
        ORDER BY u.maintain_due_at LIMIT at_most
    $$;
