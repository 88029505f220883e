-- The application connects with role hub_app, which owns nothing; hub_router owns the few functions that look across
-- workspaces and sees only the columns granted to it below (ids, routing facts, verifiers: never content).
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hub_app') THEN
        CREATE ROLE hub_app NOLOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hub_router') THEN
        CREATE ROLE hub_router NOLOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
    EXECUTE format('GRANT hub_router TO %I', current_user);
END $$;
GRANT USAGE ON SCHEMA public TO hub_app, hub_router;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- ── installation ────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE installation (
    only_row          boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch             bigint NOT NULL DEFAULT 1 CHECK (epoch > 0),
    system_identifier text NOT NULL,
    timeline          integer NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now()
);
INSERT INTO installation (system_identifier, timeline)
SELECT s.system_identifier::text, c.timeline_id FROM pg_control_system() s, pg_control_checkpoint() c;

-- ── sign-in: not tenant data ────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE login (
    id            uuid PRIMARY KEY,
    email         text NOT NULL CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 320),
    name          text NOT NULL DEFAULT '',
    password_hash text,
    created_at    timestamptz NOT NULL,
    UNIQUE (email)
);
CREATE TABLE login_session (
    token_hash  bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    id          uuid NOT NULL UNIQUE,
    login_id    uuid NOT NULL REFERENCES login ON DELETE CASCADE,
    created_at  timestamptz NOT NULL,
    used_at     timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    revoked_at  timestamptz,
    user_agent  text NOT NULL DEFAULT ''
);
CREATE INDEX login_session_by_login ON login_session (login_id);
CREATE INDEX login_session_revoked ON login_session (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE TABLE login_link (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    login_id   uuid NOT NULL REFERENCES login ON DELETE CASCADE,
    purpose    text NOT NULL CHECK (purpose IN ('invite', 'reset')),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);

-- ── workspaces and members ──────────────────────────────────────────────────────────────────────────────────────
-- fillfactor 50: event_seq changes with every batch, and half-empty pages keep those updates HOT.
CREATE TABLE workspace (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    event_seq      bigint NOT NULL DEFAULT 0 CHECK (event_seq >= 0),
    rights_version bigint NOT NULL DEFAULT 1,
    -- Seq of the event that last changed anybody's rights: cursors before it start from a snapshot.
    rights_seq     bigint NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE member (
    workspace_id bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    id           uuid NOT NULL,
    login_id     uuid NOT NULL REFERENCES login,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    email        text NOT NULL,
    role         text NOT NULL CHECK (role IN ('owner', 'admin', 'agent', 'viewer')),
    active       boolean NOT NULL DEFAULT true,
    created_at   timestamptz NOT NULL,
    version      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, login_id)
);
CREATE INDEX member_by_login ON member (login_id);

-- ── inboxes and channel accounts ────────────────────────────────────────────────────────────────────────────────
CREATE TABLE inbox (
    workspace_id bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    id           uuid NOT NULL,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    restricted   boolean NOT NULL DEFAULT false,
    reopen_days  integer NOT NULL DEFAULT 7 CHECK (reopen_days BETWEEN 0 AND 3650),
    created_at   timestamptz NOT NULL,
    version      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, id)
);
CREATE TABLE inbox_member (
    workspace_id bigint NOT NULL,
    inbox_id     uuid NOT NULL,
    member_id    uuid NOT NULL,
    PRIMARY KEY (workspace_id, inbox_id, member_id),
    FOREIGN KEY (workspace_id, inbox_id) REFERENCES inbox ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, member_id) REFERENCES member ON DELETE CASCADE
);
-- Data keys: one a workspace, wrapped by the installation's key; key_version names the wrapping key.
CREATE TABLE workspace_key (
    workspace_id bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    id           integer NOT NULL CHECK (id > 0),
    key_version  integer NOT NULL CHECK (key_version > 0),
    wrapped      bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE TABLE channel_account (
    workspace_id       bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    id                 uuid NOT NULL,
    inbox_id           uuid NOT NULL,
    channel            text NOT NULL CHECK (channel ~ '^[a-z][a-z0-9_]{1,39}$'),
    name               text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    status             text NOT NULL CHECK (status IN ('connected', 'paused', 'needs_sign_in', 'removed')),
    status_reason      text NOT NULL DEFAULT '',
    settings           jsonb NOT NULL DEFAULT '{}',
    credentials_sealed bytea,
    external_ref       text NOT NULL DEFAULT '',
    last_item_at       timestamptz,
    created_at         timestamptz NOT NULL,
    version            bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (id),
    FOREIGN KEY (workspace_id, inbox_id) REFERENCES inbox
);

-- ── contacts ────────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE company (
    workspace_id bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    id           uuid NOT NULL,
    name         text NOT NULL,
    created_at   timestamptz NOT NULL,
    version      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, id)
);
CREATE TABLE contact (
    workspace_id    bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    id              uuid NOT NULL,
    name            text NOT NULL DEFAULT '',
    lifecycle_stage text NOT NULL DEFAULT 'visitor'
        CHECK (lifecycle_stage IN ('visitor', 'lead', 'qualified', 'opportunity', 'customer', 'former')),
    owner_id        uuid,
    company_id      uuid,
    timezone        text,
    locale          text,
    custom          jsonb NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL,
    version         bigint NOT NULL DEFAULT 0,
    merged_into     uuid,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, owner_id) REFERENCES member,
    FOREIGN KEY (workspace_id, company_id) REFERENCES company,
    FOREIGN KEY (workspace_id, merged_into) REFERENCES contact
);
CREATE TABLE contact_identity (
    workspace_id bigint NOT NULL,
    scheme       text NOT NULL CHECK (length(scheme) BETWEEN 1 AND 40),
    scope        text NOT NULL DEFAULT '',
    value        text NOT NULL CHECK (length(value) BETWEEN 1 AND 320),
    contact_id   uuid NOT NULL,
    verified     boolean NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, scheme, scope, value),
    FOREIGN KEY (workspace_id, contact_id) REFERENCES contact ON DELETE CASCADE
);
CREATE INDEX contact_identity_by_contact ON contact_identity (workspace_id, contact_id);
-- STOP and START: one row for (who, from which of our addresses); asked by every sender at send time.
CREATE TABLE suppression (
    workspace_id       bigint NOT NULL,
    channel_account_id uuid NOT NULL,
    scheme             text NOT NULL,
    scope              text NOT NULL DEFAULT '',
    value              text NOT NULL,
    reason             text NOT NULL CHECK (reason IN ('stop', 'bounce', 'complaint', 'manual')),
    created_at         timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, channel_account_id, scheme, scope, value),
    FOREIGN KEY (workspace_id, channel_account_id) REFERENCES channel_account ON DELETE CASCADE
);
CREATE TABLE consent (
    workspace_id       bigint NOT NULL,
    id                 uuid NOT NULL,
    contact_id         uuid NOT NULL,
    channel_account_id uuid NOT NULL,
    state              text NOT NULL CHECK (state IN ('stop', 'start')),
    source             text NOT NULL,
    occurred_at        timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, contact_id) REFERENCES contact ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, channel_account_id) REFERENCES channel_account ON DELETE CASCADE
);

-- ── conversations and messages ──────────────────────────────────────────────────────────────────────────────────
CREATE TABLE conversation (
    workspace_id        bigint NOT NULL,
    id                  uuid NOT NULL,
    inbox_id            uuid NOT NULL,
    channel_account_id  uuid NOT NULL,
    channel             text NOT NULL,
    thread_key          text NOT NULL CHECK (length(thread_key) BETWEEN 1 AND 320),
    contact_id          uuid NOT NULL,
    identity_scheme     text NOT NULL,
    identity_scope      text NOT NULL DEFAULT '',
    identity_value      text NOT NULL,
    status              text NOT NULL CHECK (status IN ('open', 'pending', 'snoozed', 'closed')),
    assignee_id         uuid,
    snoozed_until       timestamptz,
    subject             text NOT NULL DEFAULT '',
    preview             text NOT NULL DEFAULT '',
    preview_author_kind text NOT NULL DEFAULT 'contact',
    last_activity_at    timestamptz NOT NULL,
    last_inbound_at     timestamptz,
    last_inbound_seq    bigint NOT NULL DEFAULT 0,
    last_outbound_seq   bigint NOT NULL DEFAULT 0,
    visitor_seq         bigint NOT NULL DEFAULT 0,
    created_at          timestamptz NOT NULL,
    closed_at           timestamptz,
    version             bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, inbox_id) REFERENCES inbox,
    FOREIGN KEY (workspace_id, channel_account_id) REFERENCES channel_account,
    FOREIGN KEY (workspace_id, contact_id) REFERENCES contact,
    FOREIGN KEY (workspace_id, assignee_id) REFERENCES member,
    CHECK ((status = 'snoozed') = (snoozed_until IS NOT NULL)),
    CHECK ((status = 'closed') = (closed_at IS NOT NULL))
);
-- At most one live conversation a thread: two writers racing on a new one cannot both win.
CREATE UNIQUE INDEX conversation_live_thread ON conversation (workspace_id, channel_account_id, thread_key)
    WHERE status <> 'closed';
CREATE INDEX conversation_by_thread ON conversation (workspace_id, channel_account_id, thread_key, created_at DESC);
CREATE INDEX conversation_by_activity ON conversation (workspace_id, status, last_activity_at DESC, id DESC);
CREATE INDEX conversation_by_contact ON conversation (workspace_id, contact_id, last_activity_at DESC);
CREATE INDEX conversation_snooze_due ON conversation (snoozed_until) WHERE status = 'snoozed';
CREATE TABLE conversation_participant (
    workspace_id    bigint NOT NULL,
    conversation_id uuid NOT NULL,
    contact_id      uuid NOT NULL,
    added_at        timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, conversation_id, contact_id),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, contact_id) REFERENCES contact ON DELETE CASCADE
);
CREATE TABLE conversation_read (
    workspace_id    bigint NOT NULL,
    conversation_id uuid NOT NULL,
    member_id       uuid NOT NULL,
    read_seq        bigint NOT NULL,
    PRIMARY KEY (workspace_id, member_id, conversation_id),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, member_id) REFERENCES member ON DELETE CASCADE
);
CREATE TABLE message (
    workspace_id       bigint NOT NULL,
    id                 uuid NOT NULL,
    conversation_id    uuid NOT NULL,
    channel_account_id uuid NOT NULL,
    seq                bigint NOT NULL,
    version            bigint NOT NULL,
    kind               text NOT NULL CHECK (kind IN ('message', 'note', 'call', 'form')),
    direction          text NOT NULL CHECK (direction IN ('inbound', 'outbound')),
    author_kind        text NOT NULL CHECK (author_kind IN ('contact', 'member', 'ai', 'system')),
    author_id          uuid,
    author_name        text NOT NULL DEFAULT '',
    text               text NOT NULL DEFAULT '',
    attachments        jsonb NOT NULL DEFAULT '[]',
    external_id        text,
    client_message_id  uuid,
    status             text CHECK (status IN ('queued', 'sending', 'sent', 'delivered', 'read', 'failed', 'unknown')),
    error_code         text,
    error_message      text,
    conversation_seq   bigint,
    occurred_at        timestamptz NOT NULL,
    created_at         timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation ON DELETE CASCADE,
    CHECK ((kind = 'message' AND direction = 'outbound') = (status IS NOT NULL))
);
CREATE INDEX message_by_conversation ON message (workspace_id, conversation_id, seq DESC);
CREATE UNIQUE INDEX message_external ON message (workspace_id, channel_account_id, external_id)
    WHERE external_id IS NOT NULL;
-- The idempotency key of a send: the same author sending the same id twice gets the first message back.
CREATE UNIQUE INDEX message_client ON message (workspace_id, author_id, client_message_id)
    WHERE client_message_id IS NOT NULL;

-- ── the event log ───────────────────────────────────────────────────────────────────────────────────────────────
-- json, not jsonb: the bytes go to the socket as they are, and a bad one is refused at the door.
CREATE TABLE event (
    workspace_id     bigint NOT NULL,
    seq              bigint NOT NULL CHECK (seq > 0),
    type             text NOT NULL,
    inbox_id         uuid,
    former_inbox_id  uuid,
    conversation_id  uuid,
    conversation_seq bigint,
    contact_id       uuid,
    actor_id         uuid,
    dedupe_key       text,
    data             json NOT NULL,
    occurred_at      timestamptz NOT NULL,
    appended_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, seq)
);
CREATE UNIQUE INDEX event_dedupe ON event (workspace_id, dedupe_key) WHERE dedupe_key IS NOT NULL;
CREATE UNIQUE INDEX event_conversation_seq ON event (workspace_id, conversation_id, conversation_seq)
    WHERE conversation_seq IS NOT NULL;
CREATE INDEX event_recent ON event (appended_at);
-- What stands between the messages of a thread: who assigned, closed, snoozed.
CREATE INDEX event_lines ON event (workspace_id, conversation_id, seq)
    WHERE type IN ('conversation_assigned', 'conversation_closed', 'conversation_reopened', 'conversation_snoozed',
                   'conversation_moved');

-- ── outbound ────────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE delivery (
    workspace_id       bigint NOT NULL,
    id                 uuid NOT NULL,
    message_id         uuid NOT NULL,
    conversation_id    uuid NOT NULL,
    channel_account_id uuid NOT NULL,
    channel            text NOT NULL,
    thread_key         text NOT NULL,
    priority           text NOT NULL DEFAULT 'interactive' CHECK (priority IN ('interactive', 'bulk')),
    state              text NOT NULL CHECK (state IN ('queued', 'sending', 'unknown', 'sent', 'failed')),
    position           bigint NOT NULL,
    attempt            integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    due_at             timestamptz NOT NULL,
    lease_until        timestamptz,
    -- When the newest try began: where to look when the vendor is asked about it.
    attempted_at       timestamptz,
    error_code         text,
    created_at         timestamptz NOT NULL,
    finished_at        timestamptz,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, message_id) REFERENCES message ON DELETE CASCADE,
    CHECK ((state IN ('sent', 'failed')) = (finished_at IS NOT NULL))
);
CREATE INDEX delivery_due ON delivery (due_at) WHERE state IN ('queued', 'sending', 'unknown');
CREATE INDEX delivery_thread ON delivery (workspace_id, channel_account_id, thread_key, position)
    WHERE state IN ('queued', 'sending', 'unknown');
CREATE INDEX delivery_message ON delivery (workspace_id, message_id);

-- ── ingress ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- Raw items that could not become messages; kept with the bytes the vendor sent, so that a mended parser can replay them.
CREATE TABLE dead_letter (
    workspace_id       bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    id                 uuid NOT NULL,
    channel_account_id uuid NOT NULL,
    channel            text NOT NULL,
    key                text NOT NULL,
    body               bytea NOT NULL,
    error              text NOT NULL,
    stream             text NOT NULL,
    entry_id           text NOT NULL,
    received_at        timestamptz NOT NULL,
    created_at         timestamptz NOT NULL,
    state              text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'replayed', 'dropped')),
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, stream, entry_id)
);
-- One owner a stream partition. The holder renews before lease_until; anybody may take an expired one. Not tenant data.
CREATE TABLE partition_lease (
    partition   integer PRIMARY KEY CHECK (partition BETWEEN 0 AND 255),
    holder      text NOT NULL,
    lease_until timestamptz NOT NULL
);
-- Workers that want partitions, those without any included, so that each can work out its fair share. A process that
-- finds another incarnation under its name steps down. Not tenant data.
CREATE TABLE intake_worker (
    holder      text PRIMARY KEY CHECK (length(holder) BETWEEN 1 AND 200),
    incarnation uuid NOT NULL,
    live_until  timestamptz NOT NULL
);

-- ── first statistics ────────────────────────────────────────────────────────────────────────────────────────────
-- A new installation's tables have no statistics until autovacuum's first round, and plans made for empty tables are
-- kept by prepared statements (measured: 200 look-ups by text key ran into the 5 s timeout at 400 rows). So the planner
-- is shown the shape of the data once: rows of three tenants are made, measured and taken away; TRUNCATE leaves the
-- column statistics behind.
INSERT INTO workspace (name, created_at) SELECT 'shape', now() FROM generate_series(1, 3);
INSERT INTO inbox (workspace_id, id, name, created_at) SELECT w.id, gen_random_uuid(), 'shape', now() FROM workspace w;
INSERT INTO channel_account (workspace_id, id, inbox_id, channel, name, status, created_at)
SELECT i.workspace_id, gen_random_uuid(), i.id, 'shape', 'shape', 'connected', now() FROM inbox i;
INSERT INTO contact (workspace_id, id, created_at)
SELECT w.id, gen_random_uuid(), now() FROM workspace w, generate_series(1, 400);
INSERT INTO contact_identity (workspace_id, scheme, value, contact_id, created_at)
SELECT c.workspace_id, 'phone', c.id::text, c.id, now() FROM contact c;
INSERT INTO conversation (workspace_id, id, inbox_id, channel_account_id, channel, thread_key, contact_id,
                          identity_scheme, identity_value, status, last_activity_at, created_at, version)
SELECT c.workspace_id, gen_random_uuid(), a.inbox_id, a.id, 'shape', c.id::text, c.id, 'phone', c.id::text, 'open',
       now() - random() * interval '30 days', now() - random() * interval '30 days', 1
FROM contact c JOIN channel_account a ON a.workspace_id = c.workspace_id;
INSERT INTO message (workspace_id, id, conversation_id, channel_account_id, seq, version, kind, direction, author_kind,
                     author_id, text, external_id, client_message_id, conversation_seq, occurred_at, created_at)
SELECT v.workspace_id, gen_random_uuid(), v.id, v.channel_account_id, n, n, 'message', 'inbound', 'contact',
       v.contact_id, 'shape', gen_random_uuid()::text, gen_random_uuid(), n, now(), now()
FROM conversation v, generate_series(1, 4) n;
INSERT INTO event (workspace_id, seq, type, inbox_id, conversation_id, conversation_seq, contact_id, dedupe_key, data,
                   occurred_at, appended_at)
SELECT m.workspace_id, row_number() OVER (PARTITION BY m.workspace_id), 'message_received', v.inbox_id,
       m.conversation_id, m.seq, v.contact_id, m.id::text, '{}', now(), now() - random() * interval '30 days'
FROM message m JOIN conversation v ON v.workspace_id = m.workspace_id AND v.id = m.conversation_id;
INSERT INTO delivery (workspace_id, id, message_id, conversation_id, channel_account_id, channel, thread_key, state,
                      position, due_at, created_at, finished_at)
SELECT m.workspace_id, gen_random_uuid(), m.id, m.conversation_id, m.channel_account_id, 'shape', m.conversation_id::text,
       'sent', m.seq, now(), now(), now()
FROM message m WHERE m.seq = 1;
ANALYZE workspace, inbox, channel_account, contact, contact_identity, conversation, message, event, delivery;
TRUNCATE workspace, event RESTART IDENTITY CASCADE;

-- ── tenancy ─────────────────────────────────────────────────────────────────────────────────────────────────────
DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY[
        'member', 'inbox', 'inbox_member', 'workspace_key', 'channel_account', 'company', 'contact',
        'contact_identity', 'suppression', 'consent', 'conversation', 'conversation_participant', 'conversation_read',
        'message', 'event', 'delivery', 'dead_letter']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        -- (SELECT …) reads the setting once a statement; bare, its list of up to 200 ids was parsed for every row and
        -- every probe of an index (measured with 1,000 workspaces: a quarter of Postgres' time).
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO hub_app
             USING (workspace_id = ANY ((SELECT nullif(current_setting(''app.ws_set'', true), '''')::bigint[])::bigint[]))
             WITH CHECK (workspace_id = ANY ((SELECT nullif(current_setting(''app.ws_set'', true), '''')::bigint[])::bigint[]))',
            tenant_table);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hub_app', tenant_table);
    END LOOP;
END $$;
ALTER TABLE workspace ENABLE ROW LEVEL SECURITY;
ALTER TABLE workspace FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON workspace TO hub_app
    USING (id = ANY ((SELECT nullif(current_setting('app.ws_set', true), '')::bigint[])::bigint[]))
    WITH CHECK (id = ANY ((SELECT nullif(current_setting('app.ws_set', true), '')::bigint[])::bigint[]));
GRANT SELECT, UPDATE, DELETE ON workspace TO hub_app;
REVOKE UPDATE, DELETE ON event FROM hub_app;
GRANT SELECT ON installation, alembic_version TO hub_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON partition_lease, intake_worker TO hub_app;
GRANT INSERT, SELECT (id), UPDATE (name, password_hash) ON login TO hub_app;
GRANT INSERT ON login_session, login_link TO hub_app;

-- What the router may see across workspaces, column by column.
GRANT SELECT, INSERT, UPDATE ON installation TO hub_router;
GRANT SELECT ON login, login_session, login_link TO hub_router;
GRANT UPDATE (used_at, revoked_at) ON login_session TO hub_router;
GRANT UPDATE (used_at) ON login_link TO hub_router;
GRANT SELECT (id, name, event_seq, rights_version, rights_seq, created_at) ON workspace TO hub_router;
GRANT INSERT (name, created_at) ON workspace TO hub_router;
GRANT SELECT (workspace_id, id, login_id, role, active) ON member TO hub_router;
GRANT SELECT (workspace_id, id, inbox_id, channel, status, settings, credentials_sealed, external_ref) ON channel_account TO hub_router;
GRANT SELECT ON workspace_key, inbox_member TO hub_router;
GRANT SELECT (workspace_id, id, restricted) ON inbox TO hub_router;
GRANT SELECT (workspace_id, id, status, snoozed_until) ON conversation TO hub_router;
GRANT SELECT (workspace_id, id, message_id, channel_account_id, channel, thread_key, priority, state, position, attempt, due_at, lease_until)
    ON delivery TO hub_router;
GRANT SELECT (workspace_id, seq, appended_at) ON event TO hub_router;
CREATE POLICY router ON workspace TO hub_router USING (true) WITH CHECK (true);
CREATE POLICY router ON member FOR SELECT TO hub_router USING (true);
CREATE POLICY router ON inbox FOR SELECT TO hub_router USING (true);
CREATE POLICY router ON inbox_member FOR SELECT TO hub_router USING (true);
CREATE POLICY router ON channel_account FOR SELECT TO hub_router USING (true);
CREATE POLICY router ON workspace_key FOR SELECT TO hub_router USING (true);
CREATE POLICY router ON conversation FOR SELECT TO hub_router USING (true);
CREATE POLICY router ON delivery FOR SELECT TO hub_router USING (true);
CREATE POLICY router ON event FOR SELECT TO hub_router USING (true);

-- ── the listed functions that look across workspaces ────────────────────────────────────────────────────────────
-- Makes a workspace and returns its id (an INSERT … RETURNING under the tenant policy could not see the new row).
CREATE FUNCTION hub_create_workspace(workspace_name text, made_at timestamptz) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ INSERT INTO workspace (name, created_at) VALUES (workspace_name, made_at) RETURNING id $$;

-- True once somebody owns a workspace here: the set-up page closes.
CREATE FUNCTION hub_has_owner() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT EXISTS (SELECT FROM member WHERE role = 'owner' AND active) $$;

-- The id of the workspace where there is exactly one: what a command means that names none.
CREATE FUNCTION hub_only_workspace() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT CASE WHEN count(*) = 1 THEN min(w.id) END FROM workspace w $$;

CREATE FUNCTION hub_find_login(wanted_email text)
    RETURNS TABLE (id uuid, email text, name text, password_hash text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT l.id, l.email, l.name, l.password_hash FROM login l WHERE l.email = lower(wanted_email) $$;

CREATE FUNCTION hub_login_memberships(wanted_login uuid)
    RETURNS TABLE (workspace_id bigint, workspace_name text, member_id uuid, role text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT m.workspace_id, w.name, m.id, m.role FROM member m JOIN workspace w ON w.id = m.workspace_id
        WHERE m.login_id = wanted_login AND m.active ORDER BY m.workspace_id
    $$;

-- A live session by the hash of its token; touches used_at at most once a minute.
CREATE FUNCTION hub_find_session(wanted_hash bytea)
    RETURNS TABLE (id uuid, login_id uuid, email text, name text, expires_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    BEGIN
        UPDATE login_session s SET used_at = now()
        WHERE s.token_hash = wanted_hash AND s.revoked_at IS NULL AND s.expires_at > now()
          AND s.used_at < now() - interval '1 minute' AND s.used_at > now() - interval '12 hours';
        RETURN QUERY
            SELECT s.id, s.login_id, l.email, l.name, s.expires_at
            FROM login_session s JOIN login l ON l.id = s.login_id
            WHERE s.token_hash = wanted_hash AND s.revoked_at IS NULL AND s.expires_at > now()
              AND s.used_at > now() - interval '12 hours';
    END $$;

-- Who a login is in a workspace and which inboxes they see there (NULL: all); no row for who is not an active member.
CREATE FUNCTION hub_load_actor(wanted_workspace bigint, wanted_login uuid)
    RETURNS TABLE (member_id uuid, role text, rights_version bigint, rights_seq bigint, visible_inboxes uuid[])
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT m.id, m.role, w.rights_version, w.rights_seq,
               CASE WHEN m.role IN ('owner', 'admin') THEN NULL ELSE ARRAY(
                   SELECT i.id FROM inbox i
                   WHERE i.workspace_id = wanted_workspace AND (NOT i.restricted OR EXISTS (
                       SELECT FROM inbox_member im
                       WHERE im.workspace_id = wanted_workspace AND im.inbox_id = i.id AND im.member_id = m.id))) END
        FROM member m JOIN workspace w ON w.id = m.workspace_id
        WHERE m.workspace_id = wanted_workspace AND m.login_id = wanted_login AND m.active
    $$;

-- The same for many at once: the open sockets of a process are asked about every few seconds.
CREATE FUNCTION hub_load_actors(wanted_workspaces bigint[], wanted_logins uuid[])
    RETURNS TABLE (workspace_id bigint, login_id uuid, member_id uuid, role text, rights_version bigint,
                   rights_seq bigint, visible_inboxes uuid[])
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT wanted.workspace_id, wanted.login_id, a.member_id, a.role, a.rights_version, a.rights_seq,
               a.visible_inboxes
        FROM unnest(wanted_workspaces, wanted_logins) AS wanted (workspace_id, login_id)
        CROSS JOIN LATERAL hub_load_actor(wanted.workspace_id, wanted.login_id) a
    $$;

-- A live session and who its login is in a workspace (NULLs: nobody), in one round trip: asked by every call of the API.
CREATE FUNCTION hub_find_actor(wanted_hash bytea, wanted_workspace bigint)
    RETURNS TABLE (id uuid, login_id uuid, email text, name text, expires_at timestamptz,
                   member_id uuid, role text, rights_version bigint, rights_seq bigint, visible_inboxes uuid[])
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT s.id, s.login_id, s.email, s.name, s.expires_at,
               a.member_id, a.role, a.rights_version, a.rights_seq, a.visible_inboxes
        FROM hub_find_session(wanted_hash) s LEFT JOIN LATERAL hub_load_actor(wanted_workspace, s.login_id) a ON true
    $$;

CREATE FUNCTION hub_revoke_session(wanted_hash bytea) RETURNS uuid
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ UPDATE login_session SET revoked_at = now() WHERE token_hash = wanted_hash AND revoked_at IS NULL RETURNING id $$;

CREATE FUNCTION hub_revoke_login_sessions(wanted_login uuid) RETURNS SETOF uuid
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ UPDATE login_session SET revoked_at = now() WHERE login_id = wanted_login AND revoked_at IS NULL RETURNING id $$;

-- Sessions revoked since a moment: open sockets of these are closed, resume tickets of these refused.
CREATE FUNCTION hub_revoked_sessions(since timestamptz) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT id FROM login_session WHERE revoked_at >= since $$;

-- Which of these sessions still hold, and whose they are. An open socket counts as use, noted every five minutes.
CREATE FUNCTION hub_live_sessions(wanted uuid[]) RETURNS TABLE (id uuid, login_id uuid)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    BEGIN
        UPDATE login_session s SET used_at = now()
        WHERE s.id = ANY (wanted) AND s.revoked_at IS NULL AND s.used_at < now() - interval '5 minutes';
        RETURN QUERY
            SELECT s.id, s.login_id FROM login_session s
            WHERE s.id = ANY (wanted) AND s.revoked_at IS NULL AND s.expires_at > now();
    END $$;

-- Uses a one-time link up, and the login's other open links with it: a second call, or a late one, gets no row.
CREATE FUNCTION hub_consume_link(wanted_hash bytea) RETURNS TABLE (login_id uuid, purpose text)
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH used AS (
            UPDATE login_link l SET used_at = now()
            WHERE l.token_hash = wanted_hash AND l.used_at IS NULL AND l.expires_at > now()
            RETURNING l.login_id, l.purpose
        ), others AS (
            UPDATE login_link o SET used_at = now() FROM used
            WHERE o.login_id = used.login_id AND o.token_hash <> wanted_hash AND o.used_at IS NULL
        )
        SELECT used.login_id, used.purpose FROM used
    $$;

-- Every connected or paused channel account with what a webhook needs to be verified and routed.
CREATE FUNCTION hub_channel_routes()
    RETURNS TABLE (workspace_id bigint, id uuid, inbox_id uuid, channel text, status text, settings text,
                   credentials_sealed bytea, external_ref text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT a.workspace_id, a.id, a.inbox_id, a.channel, a.status, a.settings::text, a.credentials_sealed, a.external_ref
        FROM channel_account a WHERE a.status <> 'removed'
    $$;

CREATE FUNCTION hub_workspace_keys()
    RETURNS TABLE (workspace_id bigint, id integer, key_version integer, wrapped bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT k.workspace_id, k.id, k.key_version, k.wrapped FROM workspace_key k $$;

-- Snoozed conversations whose time has come.
CREATE FUNCTION hub_due_snoozes(due_before timestamptz, at_most integer) RETURNS TABLE (workspace_id bigint, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT c.workspace_id, c.id FROM conversation c
        WHERE c.status = 'snoozed' AND c.snoozed_until <= due_before ORDER BY c.snoozed_until LIMIT at_most
    $$;

-- Deliveries to look at now, of threads in which nothing earlier is unfinished; interactive before bulk. Accounts that
-- are paused or wait for a sign-in keep their queue; busy ones are left out, so that they hide nobody else's.
CREATE FUNCTION hub_due_deliveries(due_before timestamptz, at_most integer, busy_accounts uuid[])
    RETURNS TABLE (workspace_id bigint, id uuid, message_id uuid, channel_account_id uuid, channel text,
                   thread_key text, priority text, state text, attempt integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT d.workspace_id, d.id, d.message_id, d.channel_account_id, d.channel, d.thread_key, d.priority, d.state, d.attempt
        FROM delivery d
        WHERE d.state IN ('queued', 'sending', 'unknown')
          AND d.due_at <= due_before
          AND (d.lease_until IS NULL OR d.lease_until <= due_before)
          AND d.channel_account_id <> ALL (busy_accounts)
          AND EXISTS (
              SELECT FROM channel_account a
              WHERE a.workspace_id = d.workspace_id AND a.id = d.channel_account_id
                AND a.status IN ('connected', 'removed'))
          AND NOT EXISTS (
              SELECT FROM delivery earlier
              WHERE earlier.workspace_id = d.workspace_id AND earlier.channel_account_id = d.channel_account_id
                AND earlier.thread_key = d.thread_key AND earlier.position < d.position
                AND earlier.state IN ('queued', 'sending', 'unknown'))
        ORDER BY (d.priority = 'bulk'), d.due_at LIMIT at_most
    $$;

-- Newest seq of workspaces that got events since a moment: the healer's question.
CREATE FUNCTION hub_recent_heads(since timestamptz) RETURNS TABLE (workspace_id bigint, head bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT e.workspace_id, max(e.seq) FROM event e WHERE e.appended_at >= since GROUP BY e.workspace_id $$;

-- Newest seq of the named workspaces, whatever their age.
CREATE FUNCTION hub_heads(wanted bigint[]) RETURNS TABLE (workspace_id bigint, head bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT w.id, w.event_seq FROM workspace w WHERE w.id = ANY (wanted) $$;

-- Bumps the epoch when the database is another copy than the one last seen (failover, restore); returns the epoch.
CREATE FUNCTION hub_epoch(seen_identifier text, seen_timeline integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    DECLARE
        answer bigint;
    BEGIN
        SELECT i.epoch INTO answer FROM installation i
        WHERE i.system_identifier = seen_identifier AND i.timeline = seen_timeline;
        IF answer IS NULL THEN
            UPDATE installation i
            SET epoch = i.epoch + 1, system_identifier = seen_identifier, timeline = seen_timeline
            WHERE i.system_identifier <> seen_identifier OR i.timeline <> seen_timeline;
            SELECT i.epoch INTO answer FROM installation i;
        END IF;
        RETURN answer;
    END $$;

-- Counts for /metrics, over all workspaces, no content.
CREATE FUNCTION hub_delivery_counts() RETURNS TABLE (state text, amount bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT d.state, count(*) FROM delivery d WHERE d.state IN ('queued', 'sending', 'unknown') GROUP BY d.state $$;
GRANT SELECT (workspace_id, id, state, created_at) ON dead_letter TO hub_router;
CREATE POLICY router ON dead_letter FOR SELECT TO hub_router USING (true);
CREATE FUNCTION hub_dead_letter_count() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT count(*) FROM dead_letter d WHERE d.state = 'new' $$;

-- ── the sequence ────────────────────────────────────────────────────────────────────────────────────────────────
-- Names the tenants of this transaction and locks their counters in id order. VOLATILE plpgsql: each statement after the
-- lock sees what other writers committed while we waited.
CREATE FUNCTION events_lock(wanted bigint[]) RETURNS TABLE (workspace_id bigint, event_seq bigint)
    LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM set_config('app.ws_set', wanted::text, true);
        RETURN QUERY
            SELECT w.id, w.event_seq FROM workspace w WHERE w.id = ANY (wanted) ORDER BY w.id FOR NO KEY UPDATE;
    END $$;
GRANT EXECUTE ON FUNCTION events_lock(bigint[]) TO hub_app;

DO $$
DECLARE
    listed text;
BEGIN
    FOR listed IN
        SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = 'public' AND p.proname LIKE 'hub\_%'
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', listed);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO hub_app', listed);
    END LOOP;
END $$;
-- A function's new owner needs CREATE on its schema at that moment, and not afterwards.
GRANT CREATE ON SCHEMA public TO hub_router;
DO $$
DECLARE
    listed text;
BEGIN
    FOR listed IN
        SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = 'public' AND p.proname LIKE 'hub\_%'
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO hub_router', listed);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM hub_router;
