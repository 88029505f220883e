-- ── a contact's picture, and whether a person named them ────────────────────────────────────────────────────────
-- The address of the picture, made of the workspace and the token below; empty where there is none.
ALTER TABLE contact
    ADD COLUMN avatar         text NOT NULL DEFAULT '',
    -- What a member wrote, or emptied, stays: no vendor names this contact any more.
    ADD COLUMN name_is_edited boolean NOT NULL DEFAULT false;
-- A small picture, made anew from what the vendor had. The token is unguessable, another one with each picture.
CREATE TABLE contact_avatar (
    workspace_id bigint NOT NULL,
    contact_id   uuid NOT NULL,
    token        text NOT NULL CHECK (token ~ '^[0-9a-f]{32}$'),
    webp         bytea NOT NULL CHECK (octet_length(webp) BETWEEN 1 AND 262144),
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, contact_id),
    UNIQUE (workspace_id, token),
    FOREIGN KEY (workspace_id, contact_id) REFERENCES contact ON DELETE CASCADE
);

-- ── whose name is to be asked for, or was ───────────────────────────────────────────────────────────────────────
CREATE TABLE contact_profile (
    workspace_id       bigint NOT NULL,
    contact_id         uuid NOT NULL,
    channel_account_id uuid NOT NULL,
    scheme             text NOT NULL,
    scope              text NOT NULL,
    value              text NOT NULL,
    -- NULL once the vendor answered, or was asked often enough.
    due_at             timestamptz,
    attempt            integer NOT NULL DEFAULT 0,
    wanted_at          timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, contact_id),
    FOREIGN KEY (workspace_id, contact_id) REFERENCES contact ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, channel_account_id) REFERENCES channel_account ON DELETE CASCADE
);
CREATE INDEX contact_profile_by_account ON contact_profile (workspace_id, channel_account_id);
CREATE INDEX contact_profile_due ON contact_profile (workspace_id, channel_account_id, due_at) WHERE due_at IS NOT NULL;

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['contact_avatar', 'contact_profile']
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
GRANT SELECT (workspace_id, contact_id, channel_account_id, due_at) ON contact_profile TO hub_router;

-- Contacts whose name is to be asked for now, a few of each account in use; none of one with a member's message waiting.
CREATE FUNCTION hub_due_profiles(due_before timestamptz, of_account integer, at_most integer)
    RETURNS TABLE (workspace_id bigint, channel_account_id uuid, contact_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT a.workspace_id, a.id, next.contact_id
        FROM (SELECT DISTINCT p.workspace_id, p.channel_account_id FROM contact_profile p
              WHERE p.due_at <= due_before) waiting
        JOIN channel_account a ON a.workspace_id = waiting.workspace_id AND a.id = waiting.channel_account_id
        CROSS JOIN LATERAL (
            SELECT p.contact_id, p.due_at FROM contact_profile p
            WHERE p.workspace_id = a.workspace_id AND p.channel_account_id = a.id AND p.due_at <= due_before
            ORDER BY p.due_at LIMIT of_account) next
        WHERE a.status = 'connected'
          AND NOT EXISTS (
              SELECT FROM delivery d
              WHERE d.workspace_id = a.workspace_id AND d.channel_account_id = a.id
                AND d.state IN ('queued', 'sending') AND d.priority = 'interactive' AND d.due_at <= due_before)
        ORDER BY next.due_at LIMIT at_most
    $$;
