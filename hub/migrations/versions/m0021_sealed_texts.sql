-- ── which key a workspace seals texts with ──────────────────────────────────────────────────────────────────────
-- Read with the lock every writing action takes, so nobody asks for it and nobody writes by an older answer. The former
-- one: not everything is sealed anew (or opened) yet.
ALTER TABLE workspace
    ADD COLUMN text_key_id        integer,
    ADD COLUMN former_text_key_id integer;
-- Keys of texts are their own (1000 and up): they are changed and thrown away without the credentials noticing. One that
-- is used no more is kept for seven days.
ALTER TABLE workspace_key
    ADD COLUMN purpose    text NOT NULL DEFAULT 'credentials' CHECK (purpose IN ('credentials', 'texts')),
    ADD COLUMN retired_at timestamptz,
    ADD CHECK ((purpose = 'texts') = (id >= 1000));
CREATE INDEX workspace_key_version ON workspace_key (key_version);
CREATE INDEX workspace_key_retired ON workspace_key (retired_at) WHERE retired_at IS NOT NULL;

DROP FUNCTION events_lock(bigint[]);
-- As in 0001, with the keys of texts.
CREATE FUNCTION events_lock(wanted bigint[])
    RETURNS TABLE (workspace_id bigint, event_seq bigint, text_key_id integer, former_text_key_id integer)
    LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM set_config('app.ws_set', wanted::text, true);
        RETURN QUERY
            SELECT w.id, w.event_seq, w.text_key_id, w.former_text_key_id FROM workspace w
            WHERE w.id = ANY (wanted) ORDER BY w.id FOR NO KEY UPDATE;
    END $$;
GRANT EXECUTE ON FUNCTION events_lock(bigint[]) TO hub_app;

-- ── bringing what is stored to what is wanted ───────────────────────────────────────────────────────────────────
CREATE TABLE text_sealing (
    workspace_id bigint PRIMARY KEY REFERENCES workspace ON DELETE CASCADE,
    phase        text NOT NULL CHECK (phase IN ('messages', 'htmls', 'versions', 'conversations', 'acts', 'events', 'done')),
    -- The last row of the phase that is as wanted.
    place        text NOT NULL DEFAULT '',
    -- The log's end when it was asked for: what came later was written as wanted.
    until_seq    bigint NOT NULL,
    done         bigint NOT NULL DEFAULT 0 CHECK (done >= 0),
    total        bigint NOT NULL CHECK (total >= 0),
    requested_by uuid,
    started_at   timestamptz NOT NULL,
    finished_at  timestamptz,
    lease_until  timestamptz,
    CHECK ((phase = 'done') = (finished_at IS NOT NULL))
);
CREATE INDEX text_sealing_due ON text_sealing (started_at) WHERE phase <> 'done';
ALTER TABLE text_sealing ENABLE ROW LEVEL SECURITY;
ALTER TABLE text_sealing FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON text_sealing TO hub_app
    USING (workspace_id = ANY ((SELECT nullif(current_setting('app.ws_set', true), '')::bigint[])::bigint[]))
    WITH CHECK (workspace_id = ANY ((SELECT nullif(current_setting('app.ws_set', true), '')::bigint[])::bigint[]));
CREATE POLICY router ON text_sealing FOR SELECT TO hub_router USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON text_sealing TO hub_app;
GRANT SELECT (workspace_id, phase, until_seq, lease_until, started_at) ON text_sealing TO hub_router;

-- Workspaces with texts to bring to what is wanted, and with keys to throw away.
CREATE FUNCTION hub_due_text_sealing(moment timestamptz, retired_before timestamptz, at_most integer) RETURNS SETOF bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        (SELECT s.workspace_id FROM text_sealing s
         WHERE s.phase <> 'done' AND (s.lease_until IS NULL OR s.lease_until <= moment)
         ORDER BY s.started_at LIMIT at_most)
        UNION
        (SELECT k.workspace_id FROM workspace_key k WHERE k.retired_at <= retired_before LIMIT at_most)
    $$;

-- Replaces what events say by the same under another key. Only while the workspace's own job does that, only of events
-- from before it began, and only where an event still says what it was made of: one that was emptied meanwhile stays so.
CREATE FUNCTION hub_reseal_events(wanted_workspace bigint, seqs bigint[], olds text[], news text[]) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    DECLARE
        amount bigint;
    BEGIN
        IF NOT wanted_workspace = ANY (nullif(current_setting('app.ws_set', true), '')::bigint[]) OR NOT EXISTS (
            SELECT FROM text_sealing s WHERE s.workspace_id = wanted_workspace AND s.phase = 'events'
              AND s.until_seq >= ALL (seqs))
        THEN
            RAISE insufficient_privilege USING MESSAGE = 'no texts are being sealed here';
        END IF;
        UPDATE event e SET data = new.data::json
        FROM unnest(seqs, olds, news) AS new (seq, before, data)
        WHERE e.workspace_id = wanted_workspace AND e.seq = new.seq AND e.data::text = new.before;
        GET DIAGNOSTICS amount = ROW_COUNT;
        RETURN amount;
    END $$;

-- As in 0002; where texts are sealed, what vendors sent is kept in the open for an hour only, and for its files.
CREATE INDEX workspace_seals ON workspace (id) WHERE text_key_id IS NOT NULL;
GRANT SELECT (text_key_id) ON workspace TO hub_router;
CREATE OR REPLACE FUNCTION hub_old_raw_items(made_before timestamptz, at_most integer)
    RETURNS TABLE (workspace_id bigint, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT r.workspace_id, r.id FROM (
            SELECT old.workspace_id, old.id, old.created_at FROM raw_item old WHERE old.created_at < made_before
            UNION
            SELECT fresh.workspace_id, fresh.id, fresh.created_at
            FROM workspace w JOIN raw_item fresh ON fresh.workspace_id = w.id
            WHERE w.text_key_id IS NOT NULL AND fresh.created_at < now() - interval '1 hour') r
        WHERE NOT EXISTS (
            SELECT FROM attachment a
            WHERE a.workspace_id = r.workspace_id AND a.raw_item_id = r.id AND a.state = 'pending')
        ORDER BY r.created_at LIMIT at_most
    $$;

-- As in 0016; a line whose preview is sealed is named by its number, for nobody can compare it here.
CREATE OR REPLACE FUNCTION hub_redact_message(wanted_workspace bigint, wanted_conversation uuid, wanted_message uuid,
                                              wanted_seqs bigint[], shown text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    DECLARE
        empty_message constant jsonb :=
            '{"text": "", "quoted": "", "attachments": [], "has_html": false, "reactions": [], "change": null}';
        amount bigint;
        more bigint;
    BEGIN
        IF NOT wanted_workspace = ANY (nullif(current_setting('app.ws_set', true), '')::bigint[]) THEN
            RAISE insufficient_privilege USING MESSAGE = 'not a workspace of this transaction';
        END IF;
        UPDATE event e
        SET data = (e.data::jsonb
            || CASE WHEN e.data -> 'message' ->> 'id' = wanted_message::text
                    THEN jsonb_build_object('message', (e.data -> 'message')::jsonb || empty_message)
                    WHEN e.data -> 'message' -> 'reply_to' ->> 'message_id' = wanted_message::text
                    THEN jsonb_build_object('message', jsonb_set((e.data -> 'message')::jsonb, '{reply_to,text}', '""'))
                    ELSE '{}' END
            || CASE WHEN e.data ->> 'message_id' = wanted_message::text AND e.type = 'message_change_noted'
                    THEN '{"change": null}'::jsonb ELSE '{}' END
            || CASE WHEN e.data -> 'message' ->> 'id' = wanted_message::text AND e.data -> 'conversation' IS NOT NULL
                    THEN jsonb_build_object('conversation', (e.data -> 'conversation')::jsonb || '{"preview": ""}')
                    ELSE '{}' END)::json
        WHERE e.workspace_id = wanted_workspace AND e.type <> 'event_erased'
          AND (e.seq = ANY (wanted_seqs)
               OR e.seq IN (SELECT x.seq FROM event x
                            WHERE x.workspace_id = wanted_workspace AND x.conversation_id = wanted_conversation
                              AND x.type IN ('message_edited', 'message_change_noted')
                              AND coalesce(x.data -> 'message' ->> 'id', x.data ->> 'message_id') = wanted_message::text));
        GET DIAGNOSTICS amount = ROW_COUNT;
        UPDATE event e
        SET data = (e.data::jsonb
                    || jsonb_build_object('conversation', (e.data -> 'conversation')::jsonb || '{"preview": ""}'))::json
        WHERE shown <> '' AND e.workspace_id = wanted_workspace AND e.conversation_id = wanted_conversation
          AND e.type IN ('conversation_assigned', 'conversation_closed', 'conversation_reopened', 'conversation_snoozed',
                         'conversation_moved')
          AND (e.data -> 'conversation' ->> 'preview' = shown OR e.seq = ANY (wanted_seqs));
        GET DIAGNOSTICS more = ROW_COUNT;
        RETURN amount + more;
    END $$;

-- ── wraps, by the version of the installation's key ─────────────────────────────────────────────────────────────
-- Keys of credentials only: what serves webhooks keeps them all in memory.
CREATE OR REPLACE FUNCTION hub_workspace_keys()
    RETURNS TABLE (workspace_id bigint, id integer, key_version integer, wrapped bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT k.workspace_id, k.id, k.key_version, k.wrapped FROM workspace_key k WHERE k.purpose = 'credentials' $$;

-- Workspaces with keys that another version wrapped, from one id on.
CREATE FUNCTION hub_stale_key_workspaces(newest integer, after_id bigint, at_most integer) RETURNS SETOF bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT DISTINCT k.workspace_id FROM workspace_key k
        WHERE k.key_version <> newest AND k.workspace_id > after_id ORDER BY k.workspace_id LIMIT at_most
    $$;
GRANT SELECT (key_version) ON contact_export TO hub_router;
CREATE FUNCTION hub_stale_exports(newest integer, after_id uuid, at_most integer) RETURNS TABLE (workspace_id bigint, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT x.workspace_id, x.id FROM contact_export x WHERE x.key_version <> newest AND x.id > after_id
        ORDER BY x.id LIMIT at_most
    $$;
-- Secrets of authenticator apps: their first byte is the format, the next four the version.
CREATE FUNCTION hub_stale_totps(newest integer, after_login uuid, at_most integer)
    RETURNS TABLE (login_id uuid, id uuid, secret_sealed bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT t.login_id, t.id, t.secret_sealed FROM login_totp t
        WHERE substring(t.secret_sealed FROM 2 FOR 4) <> int4send(newest)
          AND t.login_id > after_login
        ORDER BY t.login_id LIMIT at_most
    $$;
-- Only the sealing changes: what was there, and a longer life, are not for the caller to say.
CREATE FUNCTION hub_reseal_totp(wanted uuid, totp_id uuid, before bytea, sealed bytea) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH changed AS (
            UPDATE login_totp t SET secret_sealed = sealed
            WHERE t.login_id = wanted AND t.id = totp_id AND t.secret_sealed = before RETURNING 1)
        SELECT EXISTS (SELECT FROM changed)
    $$;
-- Mails of the hub's own that wait.
CREATE FUNCTION hub_stale_mails(newest integer, after_id uuid, at_most integer)
    RETURNS TABLE (id uuid, sealed bytea, key_version integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT m.id, m.sealed, m.key_version FROM system_mail m
        WHERE m.key_version <> newest AND m.id > after_id ORDER BY m.id LIMIT at_most
    $$;
CREATE FUNCTION hub_reseal_mail(wanted uuid, before bytea, resealed bytea, version integer) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH changed AS (
            UPDATE system_mail m SET sealed = resealed, key_version = version
            WHERE m.id = wanted AND m.sealed = before RETURNING 1)
        SELECT EXISTS (SELECT FROM changed)
    $$;
GRANT SELECT (pepper_version) ON api_key TO hub_router;
-- How much each version of the installation's key still holds: counts only.
CREATE FUNCTION hub_key_versions() RETURNS TABLE (what text, version integer, amount bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT CASE k.purpose WHEN 'texts' THEN 'keys of message texts' ELSE 'keys of credentials' END,
               k.key_version, count(*)
        FROM workspace_key k GROUP BY k.purpose, k.key_version
        UNION ALL
        SELECT 'keys of exports', x.key_version, count(*) FROM contact_export x
        WHERE x.key_version IS NOT NULL GROUP BY x.key_version
        UNION ALL
        SELECT 'authenticator apps', ('x' || encode(substring(t.secret_sealed FROM 2 FOR 4), 'hex'))::bit(32)::integer,
               count(*)
        FROM login_totp t GROUP BY 2
        UNION ALL
        SELECT 'mails that wait', m.key_version, count(*) FROM system_mail m GROUP BY m.key_version
        UNION ALL
        SELECT 'API keys', a.pepper_version, count(*) FROM api_key a WHERE a.revoked_at IS NULL GROUP BY a.pepper_version
        ORDER BY 1, 2
    $$;
