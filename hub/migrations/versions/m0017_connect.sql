-- ── tokens ──────────────────────────────────────────────────────────────────────────────────────────────────────
-- token_expires_at: when the vendor's token ends, NULL where it does not. renewing_until: one worker renews it, and
-- nobody else asks the vendor before then; rolling tokens are good once.
ALTER TABLE channel_account
    ADD COLUMN token_expires_at timestamptz,
    ADD COLUMN token_renewed_at timestamptz,
    ADD COLUMN renewing_until   timestamptz,
    ADD COLUMN last_sent_at     timestamptz;
GRANT SELECT (token_expires_at) ON channel_account TO hub_router;

DROP FUNCTION hub_channel_routes();
-- Every connected or paused channel account with what a webhook needs to be verified and routed.
CREATE FUNCTION hub_channel_routes()
    RETURNS TABLE (workspace_id bigint, id uuid, inbox_id uuid, channel text, status text, settings text,
                   credentials_sealed bytea, external_ref text, demo boolean, token_expires_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT a.workspace_id, a.id, a.inbox_id, a.channel, a.status, a.settings::text, a.credentials_sealed,
               a.external_ref, a.demo, a.token_expires_at
        FROM channel_account a WHERE a.status <> 'removed'
    $$;

-- ── signing in at a vendor ──────────────────────────────────────────────────────────────────────────────────────
-- A browser that was sent to a vendor. Of its secret only a hash is kept; the PKCE verifier is derived from the
-- session's secret, so nobody who reads this can finish somebody else's sign-in. form_sealed goes once it is used.
CREATE TABLE connect_attempt (
    workspace_id       bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    id                 uuid NOT NULL,
    state_hash         bytea NOT NULL UNIQUE CHECK (length(state_hash) = 32),
    member_id          uuid NOT NULL,
    session_id         uuid NOT NULL,
    channel            text NOT NULL,
    channel_account_id uuid NOT NULL,
    is_again           boolean NOT NULL,
    form_sealed        bytea,
    created_at         timestamptz NOT NULL,
    expires_at         timestamptz NOT NULL CHECK (expires_at > created_at),
    used_at            timestamptz,
    outcome            text NOT NULL DEFAULT 'waiting' CHECK (outcome IN ('waiting', 'connected', 'refused')),
    message            text NOT NULL DEFAULT '',
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX connect_attempt_expires ON connect_attempt (workspace_id, expires_at);

-- ── what went wrong ─────────────────────────────────────────────────────────────────────────────────────────────
-- One row a channel account and code; the actions keep the newest twenty of an account.
CREATE TABLE channel_trouble (
    workspace_id       bigint NOT NULL,
    channel_account_id uuid NOT NULL,
    doing              text NOT NULL CHECK (doing IN ('send', 'read', 'fetch', 'webhook', 'renew')),
    code               text NOT NULL CHECK (length(code) BETWEEN 1 AND 80),
    message            text NOT NULL CHECK (length(message) <= 500),
    times              bigint NOT NULL CHECK (times > 0),
    first_at           timestamptz NOT NULL,
    last_at            timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, channel_account_id, doing, code),
    FOREIGN KEY (workspace_id, channel_account_id) REFERENCES channel_account ON DELETE CASCADE
);

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['connect_attempt', 'channel_trouble'] LOOP
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
GRANT SELECT (workspace_id, state_hash, session_id, channel, used_at, expires_at) ON connect_attempt TO hub_router;

-- Whose workspace a browser that comes back from a vendor belongs to: only for the session that was sent there, to the
-- channel it was sent for, in time, once.
CREATE FUNCTION hub_find_connect_attempt(wanted_state bytea, wanted_session uuid, wanted_channel text) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT a.workspace_id FROM connect_attempt a
        WHERE a.state_hash = wanted_state AND a.session_id = wanted_session AND a.channel = wanted_channel
          AND a.used_at IS NULL AND a.expires_at > now()
    $$;
