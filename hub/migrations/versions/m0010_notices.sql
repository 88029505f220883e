-- ── mail of the hub's own ───────────────────────────────────────────────────────────────────────────────────────
-- Fields hold links that open accounts, so they are sealed to the installation's key: whoever queues a mail knows the
-- public half only, and cannot read what others queued. What was queued in the open before has no reader and goes.
DELETE FROM system_mail;
ALTER TABLE system_mail
    DROP COLUMN fields,
    ADD COLUMN sealed bytea NOT NULL,
    ADD COLUMN key_version integer NOT NULL CHECK (key_version > 0),
    ADD COLUMN state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending')),
    ADD COLUMN lease_until timestamptz,
    ADD COLUMN error_code text NOT NULL DEFAULT '',
    ADD CHECK ((state = 'sending') = (lease_until IS NOT NULL));
CREATE INDEX system_mail_expiry ON system_mail (expires_at);
-- The public halves, by version of HUB_SECRET_KEY. Not tenant data.
CREATE TABLE mail_key (
    version    integer PRIMARY KEY CHECK (version > 0),
    public_key bytea NOT NULL CHECK (length(public_key) = 32),
    created_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON mail_key TO hub_app;
GRANT SELECT, UPDATE, DELETE ON system_mail TO hub_router;

-- Claims mails for sending, links before digests. The caller COMMITs before it sends.
CREATE FUNCTION hub_due_system_mail(moment timestamptz, lease interval, at_most integer)
    RETURNS TABLE (id uuid, recipient text, template text, locale text, sealed bytea, key_version integer,
                   created_at timestamptz, expires_at timestamptz, attempt integer)
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH due AS (
            SELECT d.id FROM system_mail d
            WHERE d.state = 'queued' AND d.due_at <= moment AND d.expires_at > moment
            ORDER BY (d.template = 'digest'), d.due_at LIMIT at_most FOR UPDATE SKIP LOCKED)
        UPDATE system_mail m SET state = 'sending', lease_until = moment + lease, attempt = m.attempt + 1
        FROM due WHERE m.id = due.id
        RETURNING m.id, m.recipient, m.template, m.locale, m.sealed, m.key_version, m.created_at, m.expires_at, m.attempt
    $$;
-- The mail is with its recipient's server, or never will be.
CREATE FUNCTION hub_finish_system_mail(wanted uuid) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH gone AS (DELETE FROM system_mail m WHERE m.id = wanted AND m.state = 'sending' RETURNING 1)
        SELECT EXISTS (SELECT FROM gone)
    $$;
-- Not sent, for certain: tried again later.
CREATE FUNCTION hub_put_off_system_mail(wanted uuid, due timestamptz, code text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH later AS (
            UPDATE system_mail m SET state = 'queued', lease_until = NULL, due_at = due, error_code = code
            WHERE m.id = wanted AND m.state = 'sending' RETURNING 1)
        SELECT EXISTS (SELECT FROM later)
    $$;
-- Mails whose sender died or got no answer: those that may come twice are queued again, the others dropped.
CREATE FUNCTION hub_lapsed_system_mail(moment timestamptz, repeatable text[])
    RETURNS TABLE (template text, is_queued boolean)
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH lapsed AS (
            SELECT d.id FROM system_mail d WHERE d.state = 'sending' AND d.lease_until <= moment
            LIMIT 200 FOR UPDATE SKIP LOCKED
        ), again AS (
            UPDATE system_mail m SET state = 'queued', lease_until = NULL, due_at = moment, error_code = 'not_confirmed'
            FROM lapsed WHERE m.id = lapsed.id AND m.template = ANY (repeatable) RETURNING m.template
        ), gone AS (
            DELETE FROM system_mail m USING lapsed
            WHERE m.id = lapsed.id AND m.template <> ALL (repeatable) RETURNING m.template
        )
        SELECT again.template, true FROM again UNION ALL SELECT gone.template, false FROM gone
    $$;
-- Drops what is not worth sending any more; the templates of what went.
CREATE FUNCTION hub_expire_system_mail(moment timestamptz) RETURNS SETOF text
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        DELETE FROM system_mail m WHERE m.id IN (
            SELECT d.id FROM system_mail d WHERE d.state = 'queued' AND d.expires_at <= moment
            LIMIT 200 FOR UPDATE SKIP LOCKED) RETURNING m.template
    $$;
-- What waits, newest first: for the operator, who holds the key.
CREATE FUNCTION hub_list_system_mail(at_most integer)
    RETURNS TABLE (id uuid, recipient text, template text, locale text, sealed bytea, key_version integer,
                   created_at timestamptz, expires_at timestamptz, attempt integer, error_code text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT m.id, m.recipient, m.template, m.locale, m.sealed, m.key_version, m.created_at, m.expires_at, m.attempt,
               m.error_code
        FROM system_mail m ORDER BY m.created_at DESC LIMIT at_most
    $$;
CREATE FUNCTION hub_count_system_mail() RETURNS TABLE (waiting bigint, tried bigint, oldest timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT count(*), count(*) FILTER (WHERE m.attempt > 0), min(m.created_at) FROM system_mail m $$;

-- ── reactions ───────────────────────────────────────────────────────────────────────────────────────────────────
-- How far each room has read each workspace's log; moved in the transaction of what it did.
CREATE TABLE reaction_cursor (
    workspace_id bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    room         text NOT NULL CHECK (room ~ '^[a-z_]{1,40}$'),
    seq          bigint NOT NULL CHECK (seq >= 0),
    PRIMARY KEY (workspace_id, room)
);
-- Workspaces that are there already begin now: nobody is told of last year's messages. Their owner does not see them
-- through forced row security.
ALTER TABLE workspace NO FORCE ROW LEVEL SECURITY;
INSERT INTO reaction_cursor (workspace_id, room, seq) SELECT w.id, 'notices', w.event_seq FROM workspace w;
ALTER TABLE workspace FORCE ROW LEVEL SECURITY;

-- ── notices ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- What one member is told. No names and no text: these are read where they are kept, so that erasing them erases here.
-- Unread ones about the same thing are one row that counts.
CREATE TABLE notice (
    workspace_id       bigint NOT NULL,
    id                 uuid NOT NULL,
    member_id          uuid NOT NULL,
    kind               text NOT NULL CHECK (kind ~ '^[a-z_]{1,40}$'),
    subject            text NOT NULL CHECK (length(subject) BETWEEN 1 AND 100),
    conversation_id    uuid,
    channel_account_id uuid,
    actor_id           uuid,
    detail             text NOT NULL DEFAULT '' CHECK (length(detail) <= 100),
    amount             integer NOT NULL DEFAULT 1 CHECK (amount > 0),
    event_seq          bigint NOT NULL CHECK (event_seq >= 0),
    in_app             boolean NOT NULL,
    by_mail            boolean NOT NULL,
    first_at           timestamptz NOT NULL,
    at                 timestamptz NOT NULL,
    seen_at            timestamptz,
    read_at            timestamptz,
    mailed_at          timestamptz,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, member_id) REFERENCES member ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, channel_account_id) REFERENCES channel_account ON DELETE CASCADE
);
CREATE UNIQUE INDEX notice_unread ON notice (workspace_id, member_id, kind, subject) WHERE read_at IS NULL;
CREATE INDEX notice_by_member ON notice (workspace_id, member_id, at DESC, id DESC);
CREATE INDEX notice_by_conversation ON notice (workspace_id, conversation_id) WHERE conversation_id IS NOT NULL;
CREATE INDEX notice_by_account ON notice (workspace_id, channel_account_id) WHERE channel_account_id IS NOT NULL;
CREATE INDEX notice_age ON notice (at);
CREATE TABLE notice_settings (
    workspace_id  bigint NOT NULL,
    member_id     uuid NOT NULL,
    kinds         jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(kinds) = 'object'),
    quiet_from    smallint CHECK (quiet_from BETWEEN 0 AND 1439),
    quiet_until   smallint CHECK (quiet_until BETWEEN 0 AND 1439),
    time_zone     text NOT NULL DEFAULT 'UTC' CHECK (length(time_zone) BETWEEN 1 AND 64),
    language      text NOT NULL DEFAULT 'en' CHECK (length(language) BETWEEN 2 AND 35),
    digest        text NOT NULL DEFAULT 'hourly' CHECK (digest IN ('off', 'hourly', 'daily')),
    digest_hour   smallint NOT NULL DEFAULT 8 CHECK (digest_hour BETWEEN 0 AND 23),
    shows_text    boolean NOT NULL DEFAULT false,
    digest_due_at timestamptz,
    PRIMARY KEY (workspace_id, member_id),
    FOREIGN KEY (workspace_id, member_id) REFERENCES member ON DELETE CASCADE,
    CHECK ((quiet_from IS NULL) = (quiet_until IS NULL))
);
CREATE INDEX notice_settings_due ON notice_settings (digest_due_at) WHERE digest_due_at IS NOT NULL;

-- ── web push ────────────────────────────────────────────────────────────────────────────────────────────────────
-- A browser of a login, for as long as the session lives that subscribed it. Not tenant data.
CREATE TABLE push_subscription (
    id            uuid PRIMARY KEY,
    login_id      uuid NOT NULL REFERENCES login ON DELETE CASCADE,
    session_id    uuid NOT NULL REFERENCES login_session (id) ON DELETE CASCADE,
    endpoint      text NOT NULL CHECK (length(endpoint) BETWEEN 10 AND 2000),
    endpoint_hash bytea NOT NULL UNIQUE CHECK (length(endpoint_hash) = 32),
    public_key    bytea NOT NULL CHECK (length(public_key) = 65),
    auth          bytea NOT NULL CHECK (length(auth) = 16),
    created_at    timestamptz NOT NULL
);
CREATE INDEX push_subscription_by_login ON push_subscription (login_id, created_at);
CREATE INDEX push_subscription_by_session ON push_subscription (session_id);
-- The one key pair push services know this installation by; its private half sealed. Not tenant data.
CREATE TABLE push_key (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    public_key  bytea NOT NULL CHECK (length(public_key) = 65),
    sealed      bytea NOT NULL,
    key_version integer NOT NULL CHECK (key_version > 0),
    created_at  timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON push_key TO hub_app;
-- One notice to one browser, to be sent.
CREATE TABLE push (
    workspace_id    bigint NOT NULL,
    notice_id       uuid NOT NULL,
    subscription_id uuid NOT NULL REFERENCES push_subscription ON DELETE CASCADE,
    due_at          timestamptz NOT NULL,
    attempt         integer NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, notice_id, subscription_id),
    FOREIGN KEY (workspace_id, notice_id) REFERENCES notice ON DELETE CASCADE
);
CREATE INDEX push_due ON push (due_at);
CREATE INDEX push_by_subscription ON push (subscription_id);

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['reaction_cursor', 'notice', 'notice_settings', 'push'] LOOP
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
GRANT SELECT ON reaction_cursor TO hub_router;
GRANT SELECT (workspace_id, id, at) ON notice TO hub_router;
GRANT SELECT (workspace_id, member_id, digest_due_at) ON notice_settings TO hub_router;
GRANT SELECT ON push TO hub_router;
GRANT SELECT, INSERT, UPDATE, DELETE ON push_subscription TO hub_router;

-- Workspaces whose log a room has not read to its end.
CREATE FUNCTION hub_rooms_behind(wanted_room text, at_most integer) RETURNS SETOF bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT w.id FROM workspace w
        WHERE w.event_seq > coalesce((
            SELECT c.seq FROM reaction_cursor c WHERE c.workspace_id = w.id AND c.room = wanted_room), 0)
        LIMIT at_most
    $$;
CREATE FUNCTION hub_due_digests(moment timestamptz, at_most integer) RETURNS TABLE (workspace_id bigint, member_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT s.workspace_id, s.member_id FROM notice_settings s
        WHERE s.digest_due_at <= moment ORDER BY s.digest_due_at LIMIT at_most
    $$;
CREATE FUNCTION hub_old_notices(made_before timestamptz, at_most integer) RETURNS TABLE (workspace_id bigint, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT n.workspace_id, n.id FROM notice n WHERE n.at < made_before ORDER BY n.at LIMIT at_most $$;
CREATE FUNCTION hub_due_pushes(moment timestamptz, at_most integer)
    RETURNS TABLE (workspace_id bigint, notice_id uuid, subscription_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT p.workspace_id, p.notice_id, p.subscription_id FROM push p
        WHERE p.due_at <= moment ORDER BY p.due_at LIMIT at_most
    $$;
-- The browsers of some logins whose session still holds.
CREATE FUNCTION hub_push_subscriptions(wanted_logins uuid[]) RETURNS TABLE (id uuid, login_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT p.id, p.login_id FROM push_subscription p JOIN login_session s ON s.id = p.session_id
        WHERE p.login_id = ANY (wanted_logins) AND s.revoked_at IS NULL AND s.expires_at > now()
    $$;
-- Where one browser is reached, if its session still holds.
CREATE FUNCTION hub_push_target(wanted uuid) RETURNS TABLE (endpoint text, public_key bytea, auth bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT p.endpoint, p.public_key, p.auth FROM push_subscription p JOIN login_session s ON s.id = p.session_id
        WHERE p.id = wanted AND s.revoked_at IS NULL AND s.expires_at > now()
    $$;
-- Keeps a browser for a session, twenty a login: the oldest go. The same endpoint again belongs to who came last.
CREATE FUNCTION hub_keep_push_subscription(new_id uuid, new_login uuid, new_session uuid, new_endpoint text,
                                           new_hash bytea, new_public_key bytea, new_auth bytea, made_at timestamptz)
    RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    DECLARE
        kept uuid;
    BEGIN
        DELETE FROM push_subscription p WHERE p.id IN (
            SELECT o.id FROM push_subscription o WHERE o.login_id = new_login AND o.endpoint_hash <> new_hash
            ORDER BY o.created_at DESC OFFSET 19);
        INSERT INTO push_subscription AS p
            (id, login_id, session_id, endpoint, endpoint_hash, public_key, auth, created_at)
        VALUES (new_id, new_login, new_session, new_endpoint, new_hash, new_public_key, new_auth, made_at)
        ON CONFLICT (endpoint_hash) DO UPDATE
        SET login_id = excluded.login_id, session_id = excluded.session_id, public_key = excluded.public_key,
            auth = excluded.auth, created_at = excluded.created_at
        RETURNING p.id INTO kept;
        RETURN kept;
    END $$;
CREATE FUNCTION hub_drop_push_subscription(wanted_login uuid, wanted_hash bytea) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH gone AS (
            DELETE FROM push_subscription p WHERE p.login_id = wanted_login AND p.endpoint_hash = wanted_hash RETURNING 1)
        SELECT EXISTS (SELECT FROM gone)
    $$;
-- A push service said that this browser is no more.
CREATE FUNCTION hub_forget_push_subscription(wanted uuid) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH gone AS (DELETE FROM push_subscription p WHERE p.id = wanted RETURNING 1)
        SELECT EXISTS (SELECT FROM gone)
    $$;
