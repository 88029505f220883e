-- A secret that calls the API: of a workspace (it acts as itself, for the member who answers for it) or personal (it
-- acts as its member). Never deleted while the workspace lives: what it did refers to it.
CREATE TABLE api_key (
    workspace_id          bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    id                    uuid NOT NULL,
    kind                  text NOT NULL CHECK (kind IN ('workspace', 'personal')),
    name                  text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    -- The end of the token, so that a person can tell which one it is.
    hint                  text NOT NULL CHECK (length(hint) = 4),
    -- Who answers for it: it can never do more than they may at that moment.
    member_id             uuid NOT NULL,
    -- NULL: whatever its member may do.
    scopes                text[],
    -- NULL: every inbox its member sees.
    inbox_ids             uuid[],
    secret_hmac           bytea NOT NULL CHECK (octet_length(secret_hmac) = 32),
    pepper_version        integer NOT NULL,
    -- While it is being changed over: the secret before, and until when that still opens.
    former_hmac           bytea CHECK (octet_length(former_hmac) = 32),
    former_pepper_version integer,
    former_until          timestamptz,
    created_at            timestamptz NOT NULL,
    expires_at            timestamptz CHECK (expires_at > created_at),
    last_used_at          timestamptz,
    revoked_at            timestamptz,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, member_id) REFERENCES member ON DELETE CASCADE,
    CHECK (kind = 'personal' OR scopes IS NOT NULL),
    CHECK ((former_hmac IS NULL) = (former_until IS NULL) AND (former_hmac IS NULL) = (former_pepper_version IS NULL))
);
CREATE INDEX api_key_revoked ON api_key (revoked_at) WHERE revoked_at IS NOT NULL;
-- The sockets of a process ask for keys by id alone.
CREATE UNIQUE INDEX api_key_id ON api_key (id);

-- What a workspace may use; NULL: the installation's default.
CREATE TABLE workspace_limits (
    workspace_id               bigint PRIMARY KEY REFERENCES workspace ON DELETE CASCADE,
    workspace_calls_per_minute integer CHECK (workspace_calls_per_minute BETWEEN 1 AND 1000000),
    member_calls_per_minute    integer CHECK (member_calls_per_minute BETWEEN 1 AND 1000000),
    key_calls_per_minute       integer CHECK (key_calls_per_minute BETWEEN 1 AND 1000000)
);

-- The answer of a call with an Idempotency-Key, for a day. workspace_id 0: calls that name no workspace.
CREATE TABLE idempotency_key (
    workspace_id bigint NOT NULL CHECK (workspace_id >= 0),
    caller_id    uuid NOT NULL,
    route        text NOT NULL,
    key          text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    id           uuid NOT NULL,
    request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 32),
    -- Which attempt runs: one that was taken over must not write its answer over the other's.
    attempt      integer NOT NULL DEFAULT 1,
    lease_until  timestamptz NOT NULL,
    -- NULL while it runs.
    status       integer CHECK (status BETWEEN 200 AND 499),
    media_type   text NOT NULL DEFAULT '',
    -- NULL of a call that is done: its answer held a secret, or was too long to keep.
    body         bytea,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, caller_id, route, key)
);
CREATE INDEX idempotency_key_old ON idempotency_key (created_at);
CREATE UNIQUE INDEX idempotency_key_id ON idempotency_key (workspace_id, id);

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['api_key', 'workspace_limits', 'idempotency_key']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO hub_app
             USING (workspace_id = ANY ((SELECT nullif(current_setting(''app.ws_set'', true), '''')::bigint[])::bigint[]))
             WITH CHECK (workspace_id = ANY ((SELECT nullif(current_setting(''app.ws_set'', true), '''')::bigint[])::bigint[]))',
            tenant_table);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON api_key, workspace_limits TO hub_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_key TO hub_app;

GRANT SELECT (workspace_id, id, kind, name, member_id, scopes, inbox_ids, expires_at, revoked_at) ON api_key TO hub_router;
GRANT SELECT (workspace_id, id, created_at) ON idempotency_key TO hub_router;
CREATE POLICY router ON api_key FOR SELECT TO hub_router USING (true);
CREATE POLICY router ON idempotency_key FOR SELECT TO hub_router USING (true);

-- Which of these keys still hold, who answers for them, and what they were given: open sockets are asked about by id.
CREATE FUNCTION hub_live_keys(wanted uuid[])
    RETURNS TABLE (workspace_id bigint, id uuid, kind text, name text, login_id uuid, scopes text[], inbox_ids uuid[])
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT k.workspace_id, k.id, k.kind, k.name, m.login_id, k.scopes, k.inbox_ids
        FROM api_key k JOIN member m ON m.workspace_id = k.workspace_id AND m.id = k.member_id
        WHERE k.id = ANY (wanted) AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
    $$;

-- Keys revoked since a moment: open sockets of these are closed, resume tickets of these refused.
CREATE FUNCTION hub_revoked_keys(since timestamptz) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT id FROM api_key WHERE revoked_at >= since $$;

-- Answers kept for long enough, oldest first; ids only.
CREATE FUNCTION hub_old_answers(before timestamptz, most integer) RETURNS TABLE (workspace_id bigint, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT workspace_id, id FROM idempotency_key WHERE created_at < before ORDER BY created_at LIMIT most $$;
