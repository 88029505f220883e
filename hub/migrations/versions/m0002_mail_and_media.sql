-- ── mail: subject and people, formatted text, several contacts in one conversation ──────────────────────────────
ALTER TABLE message
    ADD COLUMN headers  jsonb,
    ADD COLUMN has_html boolean NOT NULL DEFAULT false,
    ADD COLUMN quoted   text NOT NULL DEFAULT '';
-- Sanitised when it came in; kept apart because a list of messages never needs it.
CREATE TABLE message_html (
    workspace_id  bigint NOT NULL,
    message_id    uuid NOT NULL,
    html          text NOT NULL,
    remote_images integer NOT NULL DEFAULT 0 CHECK (remote_images >= 0),
    PRIMARY KEY (workspace_id, message_id),
    FOREIGN KEY (workspace_id, message_id) REFERENCES message ON DELETE CASCADE
);
-- The normalised subject, for replies that name no earlier message; empty on channels without subjects.
ALTER TABLE conversation ADD COLUMN subject_key text NOT NULL DEFAULT '';
CREATE INDEX conversation_by_subject ON conversation (workspace_id, channel_account_id, subject_key, last_activity_at DESC)
    WHERE subject_key <> '';

-- ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────
-- message_id is NULL while a file is uploaded and not sent. blob_key names the bytes in the object store.
CREATE TABLE attachment (
    workspace_id       bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    id                 uuid NOT NULL,
    message_id         uuid,
    conversation_id    uuid,
    channel_account_id uuid,
    author_id          uuid,
    state              text NOT NULL CHECK (state IN ('pending', 'ready', 'failed')),
    kind               text NOT NULL,
    filename           text NOT NULL CHECK (length(filename) BETWEEN 1 AND 255),
    mime               text NOT NULL,
    size_bytes         bigint NOT NULL DEFAULT 0 CHECK (size_bytes >= 0),
    width              integer,
    height             integer,
    inline             boolean NOT NULL DEFAULT false,
    inline_cid         text,
    sha256             bytea,
    blob_key           text,
    thumbnail_key      text,
    preview_key        text,
    -- Where the bytes come from: the vendor's reference, the raw item they are part of, or an upload's progress.
    ref                text,
    raw_item_id        uuid,
    upload_offset      bigint NOT NULL DEFAULT 0 CHECK (upload_offset >= 0),
    attempt            integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    due_at             timestamptz,
    lease_until        timestamptz,
    error              text,
    created_at         timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, message_id) REFERENCES message ON DELETE CASCADE,
    CHECK (state <> 'ready' OR blob_key IS NOT NULL)
);
CREATE INDEX attachment_by_message ON attachment (workspace_id, message_id);
CREATE INDEX attachment_due ON attachment (due_at) WHERE state = 'pending' AND due_at IS NOT NULL;
CREATE INDEX attachment_unsent ON attachment (created_at) WHERE message_id IS NULL;
CREATE INDEX attachment_by_raw_item ON attachment (workspace_id, raw_item_id) WHERE raw_item_id IS NOT NULL;
-- Blobs whose row has gone: swept from the object store later, so that a deleted row never leaves its bytes behind.
CREATE TABLE blob_trash (
    workspace_id bigint NOT NULL,
    blob_key     text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, blob_key)
);
-- SECURITY DEFINER: also runs when an owner's cascade (a deleted workspace) removes the rows.
CREATE FUNCTION hub_trash_blobs() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    BEGIN
        INSERT INTO blob_trash (workspace_id, blob_key)
        SELECT OLD.workspace_id, k FROM unnest(ARRAY[OLD.blob_key, OLD.thumbnail_key, OLD.preview_key]) AS k
        WHERE k IS NOT NULL
        ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$;
CREATE TRIGGER attachment_trash AFTER DELETE ON attachment FOR EACH ROW EXECUTE FUNCTION hub_trash_blobs();

-- ── ingress: big items, early items, and the spool ──────────────────────────────────────────────────────────────
-- Bodies over 64 KiB (the stream carries the id), and those whose attachments are parts of them.
CREATE TABLE raw_item (
    workspace_id       bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    id                 uuid NOT NULL,
    channel_account_id uuid NOT NULL,
    key                text NOT NULL,
    body               bytea NOT NULL,
    created_at         timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX raw_item_age ON raw_item (created_at);
-- Items about a message not seen yet; applied when it comes, dropped after seven days.
CREATE TABLE pending_reference (
    workspace_id       bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    id                 uuid NOT NULL,
    channel_account_id uuid NOT NULL,
    reference          text NOT NULL CHECK (length(reference) BETWEEN 1 AND 1000),
    dedupe_key         text NOT NULL,
    item               bytea NOT NULL,
    created_at         timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, dedupe_key)
);
CREATE INDEX pending_reference_target ON pending_reference (workspace_id, channel_account_id, reference);
-- Ids are time-ordered: the oldest of an account are found when it has too many.
CREATE INDEX pending_reference_order ON pending_reference (workspace_id, channel_account_id, id);
CREATE INDEX pending_reference_age ON pending_reference (created_at);
-- Stream items taken while Redis was away, in the order they came (ids are time-ordered).
CREATE TABLE intake_spool (
    workspace_id bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    id           uuid NOT NULL,
    partition    integer NOT NULL CHECK (partition BETWEEN 0 AND 255),
    item         bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX intake_spool_order ON intake_spool (partition, id);

-- ── polled channels ─────────────────────────────────────────────────────────────────────────────────────────────
-- Where polling an account goes on; one holder at a time, anybody may take an expired lease.
CREATE TABLE channel_cursor (
    workspace_id       bigint NOT NULL,
    channel_account_id uuid NOT NULL,
    cursor             text,
    progress           jsonb,
    error              text,
    checked_at         timestamptz,
    last_item_at       timestamptz,
    holder             text,
    lease_until        timestamptz,
    PRIMARY KEY (workspace_id, channel_account_id),
    FOREIGN KEY (workspace_id, channel_account_id) REFERENCES channel_account ON DELETE CASCADE
);

-- ── the demo ────────────────────────────────────────────────────────────────────────────────────────────────────
ALTER TABLE channel_account ADD COLUMN demo boolean NOT NULL DEFAULT false;
-- Whoever deletes a contact is asked what refers to it; without these each of them reads the whole workspace.
CREATE INDEX conversation_participant_by_contact ON conversation_participant (workspace_id, contact_id);
CREATE INDEX contact_merged ON contact (workspace_id, merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX consent_by_contact ON consent (workspace_id, contact_id);

-- ── tenancy ─────────────────────────────────────────────────────────────────────────────────────────────────────
DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY[
        'message_html', 'attachment', 'blob_trash', 'raw_item', 'pending_reference', 'intake_spool', 'channel_cursor']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO hub_app
             USING (workspace_id = ANY ((SELECT nullif(current_setting(''app.ws_set'', true), '''')::bigint[])::bigint[]))
             WITH CHECK (workspace_id = ANY ((SELECT nullif(current_setting(''app.ws_set'', true), '''')::bigint[])::bigint[]))',
            tenant_table);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hub_app', tenant_table);
    END LOOP;
END $$;

GRANT SELECT (demo) ON channel_account TO hub_router;
-- Removing the demo empties its events: seq stays gapless and says nothing any more.
GRANT SELECT (type, conversation_id, contact_id, data) ON event TO hub_router;
GRANT UPDATE (type, former_inbox_id, conversation_id, conversation_seq, contact_id, actor_id, dedupe_key, data)
    ON event TO hub_router;
GRANT SELECT (workspace_id, id) ON contact TO hub_router;
CREATE POLICY router_erases ON event FOR UPDATE TO hub_router USING (true) WITH CHECK (true);
CREATE POLICY router ON contact FOR SELECT TO hub_router USING (true);
GRANT SELECT (workspace_id, id, state, message_id, due_at, lease_until, created_at, raw_item_id) ON attachment TO hub_router;
GRANT SELECT (workspace_id, id, created_at) ON raw_item, pending_reference TO hub_router;
GRANT SELECT (workspace_id, id, partition, created_at) ON intake_spool TO hub_router;
GRANT SELECT (workspace_id, channel_account_id, error) ON channel_cursor TO hub_router;
GRANT SELECT, INSERT ON blob_trash TO hub_router;
CREATE POLICY router ON attachment FOR SELECT TO hub_router USING (true);
CREATE POLICY router ON channel_cursor FOR SELECT TO hub_router USING (true);
CREATE POLICY router ON raw_item FOR SELECT TO hub_router USING (true);
CREATE POLICY router ON pending_reference FOR SELECT TO hub_router USING (true);
CREATE POLICY router ON intake_spool FOR SELECT TO hub_router USING (true);
CREATE POLICY router ON blob_trash TO hub_router USING (true) WITH CHECK (true);

-- ── the listed functions that look across workspaces: ids and routing facts, never content ──────────────────────
DROP FUNCTION hub_channel_routes();
-- Every connected or paused channel account with what a webhook needs to be verified and routed.
CREATE FUNCTION hub_channel_routes()
    RETURNS TABLE (workspace_id bigint, id uuid, inbox_id uuid, channel text, status text, settings text,
                   credentials_sealed bytea, external_ref text, demo boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT a.workspace_id, a.id, a.inbox_id, a.channel, a.status, a.settings::text, a.credentials_sealed,
               a.external_ref, a.demo
        FROM channel_account a WHERE a.status <> 'removed'
    $$;

-- Empties events of one workspace (the transaction's own) after one seq, up to another: those of conversations and
-- contacts that have gone, and those of the demo's accounts. They keep seq and inbox; returns how many.
CREATE FUNCTION hub_erase_events(wanted_workspace bigint, after_seq bigint, until_seq bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    DECLARE
        amount bigint;
    BEGIN
        IF NOT wanted_workspace = ANY (nullif(current_setting('app.ws_set', true), '')::bigint[]) THEN
            RAISE insufficient_privilege USING MESSAGE = 'not a workspace of this transaction';
        END IF;
        UPDATE event e
        SET type = 'event_erased', data = '{"type":"event_erased"}', former_inbox_id = NULL, conversation_id = NULL,
            conversation_seq = NULL, contact_id = NULL, actor_id = NULL, dedupe_key = NULL
        WHERE e.workspace_id = wanted_workspace AND e.seq > after_seq AND e.seq <= until_seq
          AND e.type NOT IN ('conversation_removed', 'event_erased')
          AND ((e.conversation_id IS NOT NULL AND NOT EXISTS (
                   SELECT FROM conversation v WHERE v.workspace_id = wanted_workspace AND v.id = e.conversation_id))
            OR (e.contact_id IS NOT NULL AND NOT EXISTS (
                   SELECT FROM contact c WHERE c.workspace_id = wanted_workspace AND c.id = e.contact_id))
            OR (e.type LIKE 'channel\_account\_%' AND e.data -> 'channel_account' ->> 'demo' = 'true'));
        GET DIAGNOSTICS amount = ROW_COUNT;
        RETURN amount;
    END $$;

-- Files whose bytes are still to be fetched.
CREATE FUNCTION hub_due_attachments(due_before timestamptz, at_most integer) RETURNS TABLE (workspace_id bigint, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT a.workspace_id, a.id FROM attachment a
        WHERE a.state = 'pending' AND a.due_at <= due_before AND (a.lease_until IS NULL OR a.lease_until <= due_before)
        ORDER BY a.due_at LIMIT at_most
    $$;

-- Uploads nobody sent.
CREATE FUNCTION hub_unsent_attachments(made_before timestamptz, at_most integer) RETURNS TABLE (workspace_id bigint, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT a.workspace_id, a.id FROM attachment a
        WHERE a.message_id IS NULL AND a.created_at < made_before ORDER BY a.created_at LIMIT at_most
    $$;

-- Blobs to take out of the object store.
CREATE FUNCTION hub_trashed_blobs(made_before timestamptz, at_most integer) RETURNS TABLE (workspace_id bigint, blob_key text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT b.workspace_id, b.blob_key FROM blob_trash b WHERE b.created_at < made_before ORDER BY b.created_at LIMIT at_most
    $$;

-- Raw items old enough to be forgotten, unless a file is still to be cut out of them.
CREATE FUNCTION hub_old_raw_items(made_before timestamptz, at_most integer) RETURNS TABLE (workspace_id bigint, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT r.workspace_id, r.id FROM raw_item r
        WHERE r.created_at < made_before AND NOT EXISTS (
            SELECT FROM attachment a
            WHERE a.workspace_id = r.workspace_id AND a.raw_item_id = r.id AND a.state = 'pending')
        ORDER BY r.created_at LIMIT at_most
    $$;

-- Items whose message did not come in time.
CREATE FUNCTION hub_old_pending_references(made_before timestamptz, at_most integer)
    RETURNS TABLE (workspace_id bigint, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT p.workspace_id, p.id FROM pending_reference p
        WHERE p.created_at < made_before ORDER BY p.created_at LIMIT at_most
    $$;

-- The oldest spooled items of a partition.
CREATE FUNCTION hub_spooled_items(of_partition integer, at_most integer) RETURNS TABLE (workspace_id bigint, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT s.workspace_id, s.id FROM intake_spool s WHERE s.partition = of_partition ORDER BY s.id LIMIT at_most
    $$;

-- Workspaces with spooled items: one probe of the index each, however many items they have.
CREATE FUNCTION hub_spooled_workspaces() RETURNS TABLE (workspace_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH RECURSIVE found AS (
            (SELECT s.workspace_id FROM intake_spool s ORDER BY s.workspace_id LIMIT 1)
            UNION ALL
            SELECT (SELECT s.workspace_id FROM intake_spool s WHERE s.workspace_id > f.workspace_id
                    ORDER BY s.workspace_id LIMIT 1)
            FROM found f WHERE f.workspace_id IS NOT NULL)
        SELECT f.workspace_id FROM found f WHERE f.workspace_id IS NOT NULL
    $$;

-- Workspaces with dead letters, for an operator who looks at all of them.
CREATE FUNCTION hub_dead_letter_workspaces() RETURNS TABLE (workspace_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT DISTINCT d.workspace_id FROM dead_letter d $$;

CREATE FUNCTION hub_spool_count() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT count(*) FROM intake_spool s $$;

-- Unfinished sends by channel and state, and since when the oldest of them is due; for /metrics and `hub doctor`.
CREATE FUNCTION hub_delivery_backlog()
    RETURNS TABLE (channel text, state text, amount bigint, oldest_due_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT d.channel, d.state, count(*), min(d.due_at) FROM delivery d
        WHERE d.state IN ('queued', 'sending', 'unknown') GROUP BY d.channel, d.state
    $$;

-- Files of received messages that are still to be fetched; for /metrics.
CREATE FUNCTION hub_attachment_backlog() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT count(*) FROM attachment a WHERE a.state = 'pending' AND a.due_at IS NOT NULL $$;

-- Connected accounts that could not be read at the last try, by channel; for `hub doctor`.
CREATE FUNCTION hub_polling_faults() RETURNS TABLE (channel text, amount bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT a.channel, count(*) FROM channel_cursor c
        JOIN channel_account a ON a.workspace_id = c.workspace_id AND a.id = c.channel_account_id
        WHERE c.error IS NOT NULL AND a.status = 'connected' AND NOT a.demo GROUP BY a.channel ORDER BY a.channel
    $$;

-- A function's new owner needs CREATE on its schema at that moment, and not afterwards.
GRANT CREATE ON SCHEMA public TO hub_router;
DO $$
DECLARE
    listed text;
BEGIN
    FOR listed IN
        SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        JOIN pg_roles r ON r.oid = p.proowner
        WHERE n.nspname = 'public' AND p.proname LIKE 'hub\_%' AND r.rolname <> 'hub_router'
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', listed);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO hub_app', listed);
        EXECUTE format('ALTER FUNCTION %s OWNER TO hub_router', listed);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM hub_router;
