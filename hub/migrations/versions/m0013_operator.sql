-- ── who operates the installation ───────────────────────────────────────────────────────────────────────────────
-- Only set by hub_set_operator: the application has no UPDATE of this column.
ALTER TABLE login ADD COLUMN is_operator boolean NOT NULL DEFAULT false;
UPDATE login SET is_operator = true WHERE id = (SELECT l.id FROM login l ORDER BY l.created_at, l.id LIMIT 1);
GRANT UPDATE (is_operator) ON login TO hub_router;

-- ── a workspace, as the operator sees to it ─────────────────────────────────────────────────────────────────────
ALTER TABLE workspace
    ADD COLUMN suspended_at timestamptz,
    ADD COLUMN suspended_why text NOT NULL DEFAULT '' CHECK (length(suspended_why) <= 500),
    ADD COLUMN lets_operators_in boolean NOT NULL DEFAULT true,
    ADD CHECK (suspended_at IS NOT NULL OR suspended_why = '');
GRANT SELECT (suspended_at, suspended_why, lets_operators_in) ON workspace TO hub_router;

-- NULL: the installation's default (HUB_LIMITS), which is no limit where the operator names none.
ALTER TABLE workspace_limits
    ADD COLUMN members bigint CHECK (members >= 1),
    ADD COLUMN channel_accounts bigint CHECK (channel_accounts >= 0),
    ADD COLUMN storage_bytes bigint CHECK (storage_bytes >= 0),
    ADD COLUMN sockets bigint CHECK (sockets >= 1),
    ADD COLUMN messages_per_day bigint CHECK (messages_per_day >= 0),
    ADD COLUMN version bigint NOT NULL DEFAULT 1;

-- ── feature flags: workspace_id 0 is the installation ───────────────────────────────────────────────────────────
CREATE TABLE feature_flag (
    workspace_id bigint NOT NULL CHECK (workspace_id >= 0),
    name         text NOT NULL CHECK (name ~ '^[a-z_]{1,40}$'),
    is_on        boolean NOT NULL,
    changed_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, name)
);

-- ── usage: one row a workspace and day (UTC) ────────────────────────────────────────────────────────────────────
-- Messages are counted by their own INSERT; calls and sockets by the serve processes, every few seconds.
CREATE TABLE usage_day (
    workspace_id bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    day          date NOT NULL,
    messages_in  bigint NOT NULL DEFAULT 0,
    messages_out bigint NOT NULL DEFAULT 0,
    api_calls    bigint NOT NULL DEFAULT 0,
    most_sockets bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, day)
) WITH (fillfactor = 50);
-- How many sockets each serve process holds for a workspace; a row that is not renewed counts for nothing.
CREATE TABLE socket_count (
    workspace_id bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    process      text NOT NULL CHECK (length(process) BETWEEN 1 AND 100),
    sockets      bigint NOT NULL CHECK (sockets >= 0),
    noted_at     timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, process)
) WITH (fillfactor = 50);

-- ── an operator in somebody's workspace ─────────────────────────────────────────────────────────────────────────
-- A row beside a session: without its row a session is an ordinary one, so both are written in one transaction.
CREATE TABLE entered_session (
    workspace_id bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    session_id   uuid NOT NULL UNIQUE REFERENCES login_session (id) ON DELETE CASCADE,
    operator_id  uuid NOT NULL REFERENCES login,
    member_id    uuid NOT NULL,
    reason       text NOT NULL CHECK (length(reason) BETWEEN 3 AND 500),
    began_at     timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL CHECK (expires_at <= began_at + interval '60 minutes'),
    ended_at     timestamptz,
    PRIMARY KEY (workspace_id, session_id)
);

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['feature_flag', 'usage_day', 'socket_count', 'entered_session'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO hub_app
             USING (workspace_id = ANY ((SELECT nullif(current_setting(''app.ws_set'', true), '''')::bigint[])::bigint[]))
             WITH CHECK (workspace_id = ANY ((SELECT nullif(current_setting(''app.ws_set'', true), '''')::bigint[])::bigint[]))',
            tenant_table);
        EXECUTE format('CREATE POLICY router ON %I FOR SELECT TO hub_router USING (true)', tenant_table);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hub_app', tenant_table);
        EXECUTE format('GRANT SELECT ON %I TO hub_router', tenant_table);
    END LOOP;
END $$;
CREATE POLICY router ON workspace_limits FOR SELECT TO hub_router USING (true);
GRANT SELECT ON workspace_limits TO hub_router;
GRANT SELECT (workspace_id, active) ON member TO hub_router;
GRANT SELECT (workspace_id, size_bytes) ON attachment TO hub_router;

-- Counts what a statement added. Whoever adds messages holds the workspace's lock: nobody waits here for anybody.
CREATE FUNCTION usage_count_messages() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
    BEGIN
        INSERT INTO usage_day AS u (workspace_id, day, messages_in, messages_out)
        SELECT a.workspace_id, (a.created_at AT TIME ZONE 'UTC')::date,
               count(*) FILTER (WHERE a.direction = 'inbound'),
               count(*) FILTER (WHERE a.direction = 'outbound' AND a.kind <> 'note')
        FROM added a GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (workspace_id, day) DO UPDATE
        SET messages_in = u.messages_in + excluded.messages_in, messages_out = u.messages_out + excluded.messages_out;
        RETURN NULL;
    END $$;
CREATE TRIGGER usage_of_messages AFTER INSERT ON message REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION usage_count_messages();

-- ── the listed functions that look across workspaces ────────────────────────────────────────────────────────────
CREATE FUNCTION hub_is_operator(wanted_login uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT coalesce((SELECT l.is_operator FROM login l WHERE l.id = wanted_login), false) $$;
CREATE FUNCTION hub_set_operator(wanted_login uuid, wanted boolean) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH changed AS (
            UPDATE login l SET is_operator = wanted WHERE l.id = wanted_login AND l.is_operator <> wanted RETURNING 1)
        SELECT EXISTS (SELECT FROM changed)
    $$;
CREATE FUNCTION hub_list_operators() RETURNS TABLE (id uuid, email text, name text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT l.id, l.email, l.name FROM login l WHERE l.is_operator ORDER BY l.email $$;
CREATE FUNCTION hub_suspended_why(wanted_workspace bigint) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT w.suspended_why FROM workspace w WHERE w.id = wanted_workspace AND w.suspended_at IS NOT NULL $$;
-- A page of workspaces, newest first, with what the operator's list shows of each.
CREATE FUNCTION hub_list_workspaces(part text, before bigint, at_most integer)
    RETURNS TABLE (id bigint, name text, created_at timestamptz, suspended_at timestamptz, suspended_why text,
                   deleted_at timestamptz, lets_operators_in boolean, members bigint, sockets bigint,
                   messages_30_days bigint, storage_bytes bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH page AS (
            SELECT w.id, w.name, w.created_at, w.suspended_at, w.suspended_why, w.deleted_at, w.lets_operators_in
            FROM workspace w
            WHERE (before IS NULL OR w.id < before) AND (part IS NULL OR w.name ILIKE part OR w.id::text ILIKE part)
            ORDER BY w.id DESC LIMIT at_most)
        SELECT p.id, p.name, p.created_at, p.suspended_at, p.suspended_why, p.deleted_at, p.lets_operators_in,
               (SELECT count(*) FROM member m WHERE m.workspace_id = p.id AND m.active),
               (SELECT coalesce(sum(s.sockets), 0)::bigint FROM socket_count s
                WHERE s.workspace_id = p.id AND s.noted_at > now() - interval '30 seconds'),
               (SELECT coalesce(sum(u.messages_in + u.messages_out), 0)::bigint FROM usage_day u
                WHERE u.workspace_id = p.id AND u.day > (now() AT TIME ZONE 'UTC')::date - 30),
               (SELECT coalesce(sum(a.size_bytes), 0)::bigint FROM attachment a WHERE a.workspace_id = p.id)
        FROM page p ORDER BY p.id DESC
    $$;
-- Which operator is behind a session, and where alone it opens anything; no row for an ordinary one.
CREATE FUNCTION hub_entered(wanted_session uuid)
    RETURNS TABLE (workspace_id bigint, operator_id uuid, member_id uuid, reason text, expires_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT e.workspace_id, e.operator_id, e.member_id, e.reason, e.expires_at
        FROM entered_session e WHERE e.session_id = wanted_session
    $$;
-- Which of these sessions are an operator's in somebody's workspace, and which workspace.
CREATE FUNCTION hub_entered_sessions(wanted uuid[]) RETURNS TABLE (session_id uuid, workspace_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT e.session_id, e.workspace_id FROM entered_session e WHERE e.session_id = ANY (wanted) $$;
-- Ends one session by its id: an operator's in a workspace, by its owner or by the operator.
CREATE FUNCTION hub_end_entered_session(wanted_workspace bigint, wanted_session uuid) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH ended AS (
            UPDATE login_session s SET revoked_at = now()
            WHERE s.id = wanted_session AND s.revoked_at IS NULL
              AND EXISTS (SELECT FROM entered_session e
                          WHERE e.session_id = s.id AND e.workspace_id = wanted_workspace)
            RETURNING 1)
        SELECT EXISTS (SELECT FROM ended)
    $$;
