-- ── exports ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- What is known of one person, as a zip cut into sealed blobs. The key that opens them is in the row alone: with the
-- row they become unreadable at once, and are swept as any blob without a row.
CREATE TABLE contact_export (
    workspace_id bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    id           uuid NOT NULL,
    contact_id   uuid NOT NULL,
    requested_by uuid NOT NULL,
    state        text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'ready', 'failed')),
    done         integer NOT NULL DEFAULT 0 CHECK (done >= 0),
    total        integer NOT NULL DEFAULT 0 CHECK (total >= 0),
    size_bytes   bigint NOT NULL DEFAULT 0 CHECK (size_bytes >= 0),
    part_keys    text[] NOT NULL DEFAULT '{}',
    key_version  integer,
    wrapped      bytea,
    attempt      integer NOT NULL DEFAULT 0,
    lease_until  timestamptz,
    created_at   timestamptz NOT NULL,
    finished_at  timestamptz,
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, contact_id) REFERENCES contact ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, requested_by) REFERENCES member ON DELETE CASCADE,
    CHECK ((state = 'ready') = (wrapped IS NOT NULL)),
    CHECK ((state = 'ready') = (key_version IS NOT NULL))
);
CREATE INDEX contact_export_by_contact ON contact_export (workspace_id, contact_id, id);
CREATE INDEX contact_export_by_member ON contact_export (workspace_id, requested_by);
CREATE INDEX contact_export_due ON contact_export (created_at) WHERE state IN ('queued', 'running');
CREATE INDEX contact_export_age ON contact_export (expires_at);
CREATE FUNCTION hub_trash_export() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    BEGIN
        INSERT INTO blob_trash (workspace_id, blob_key) SELECT OLD.workspace_id, k FROM unnest(OLD.part_keys) AS k
        ON CONFLICT (workspace_id, blob_key) DO UPDATE SET created_at = excluded.created_at;
        RETURN NULL;
    END $$;
CREATE TRIGGER contact_export_trash AFTER DELETE ON contact_export FOR EACH ROW EXECUTE FUNCTION hub_trash_export();
GRANT UPDATE (created_at) ON blob_trash TO hub_router;

-- ── retention ───────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE retention_policy (
    workspace_id       bigint NOT NULL,
    id                 uuid NOT NULL,
    inbox_id           uuid,
    channel_account_id uuid,
    days               integer NOT NULL CHECK (days BETWEEN 1 AND 36500),
    closed_only        boolean NOT NULL DEFAULT true,
    created_at         timestamptz NOT NULL,
    next_run_at        timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, inbox_id) REFERENCES inbox ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, channel_account_id) REFERENCES channel_account ON DELETE CASCADE,
    CHECK ((inbox_id IS NULL) <> (channel_account_id IS NULL))
);
CREATE UNIQUE INDEX retention_policy_of_inbox ON retention_policy (workspace_id, inbox_id) WHERE inbox_id IS NOT NULL;
CREATE UNIQUE INDEX retention_policy_of_account ON retention_policy (workspace_id, channel_account_id)
    WHERE channel_account_id IS NOT NULL;
CREATE INDEX retention_policy_due ON retention_policy (next_run_at);
CREATE INDEX conversation_by_inbox_activity ON conversation (workspace_id, inbox_id, last_activity_at);
CREATE INDEX conversation_by_account_activity ON conversation (workspace_id, channel_account_id, last_activity_at);

-- ── erasures: of a person, or of what a policy does not keep any longer ─────────────────────────────────────────
-- Done in phases, each safe to repeat; what stays afterwards are ids and counts. No foreign key to what goes.
CREATE TABLE erasure (
    workspace_id     bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    id               uuid NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('contact', 'retention')),
    -- The person; with contacts that were merged into them.
    contact_ids      uuid[] NOT NULL DEFAULT '{}',
    policy_id        uuid,
    -- What a policy does not keep: activity before this.
    older_than       timestamptz,
    phase            text NOT NULL DEFAULT 'conversations'
        CHECK (phase IN ('conversations', 'shared', 'traces', 'contact', 'log', 'files', 'done')),
    -- What the person is recognised by where no id says so; emptied at the end.
    addresses        text[] NOT NULL DEFAULT '{}',
    -- Conversations of others the person took part in.
    shared_ids       uuid[] NOT NULL DEFAULT '{}',
    -- The log holds nothing of it before this, and has been gone through up to log_seq.
    since            timestamptz NOT NULL,
    log_seq          bigint NOT NULL DEFAULT 0,
    conversations    integer NOT NULL DEFAULT 0,
    messages         integer NOT NULL DEFAULT 0,
    files            integer NOT NULL DEFAULT 0,
    requested_by     uuid,
    attempt          integer NOT NULL DEFAULT 0,
    lease_until      timestamptz,
    created_at       timestamptz NOT NULL,
    finished_at      timestamptz,
    PRIMARY KEY (workspace_id, id),
    CHECK ((phase = 'done') = (finished_at IS NOT NULL)),
    CHECK (phase <> 'done' OR addresses = '{}')
);
CREATE INDEX erasure_due ON erasure (created_at) WHERE phase <> 'done';

-- ── consents: what a person agreed to, an entry a change, never changed ─────────────────────────────────────────
CREATE TABLE consent_record (
    workspace_id bigint NOT NULL,
    id           uuid NOT NULL,
    contact_id   uuid NOT NULL,
    purpose      text NOT NULL CHECK (purpose ~ '^[a-z][a-z0-9_]{0,39}$'),
    -- A kind of channel, or empty for any.
    channel      text NOT NULL DEFAULT '' CHECK (length(channel) <= 40),
    state        text NOT NULL CHECK (state IN ('given', 'withdrawn')),
    -- GDPR Art. 6(1)(a) to (f).
    basis        text NOT NULL CHECK (basis IN ('consent', 'contract', 'legal_obligation', 'vital_interests',
                                                'public_task', 'legitimate_interests')),
    -- Where it was said: a form, a call, a message.
    source       text NOT NULL CHECK (length(source) BETWEEN 1 AND 200),
    occurred_at  timestamptz NOT NULL,
    recorded_by  uuid,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, contact_id) REFERENCES contact ON DELETE CASCADE
);
CREATE INDEX consent_record_by_contact ON consent_record (workspace_id, contact_id, id DESC);

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['contact_export', 'retention_policy', 'erasure', 'consent_record'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO hub_app
             USING (workspace_id = ANY ((SELECT nullif(current_setting(''app.ws_set'', true), '''')::bigint[])::bigint[]))
             WITH CHECK (workspace_id = ANY ((SELECT nullif(current_setting(''app.ws_set'', true), '''')::bigint[])::bigint[]))',
            tenant_table);
        EXECUTE format('CREATE POLICY router ON %I FOR SELECT TO hub_router USING (true)', tenant_table);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON contact_export, retention_policy, erasure TO hub_app;
-- No UPDATE and no DELETE: a consent is withdrawn by another row, and goes with the contact.
GRANT SELECT, INSERT ON consent_record TO hub_app;
GRANT SELECT (workspace_id, id, state, lease_until, created_at, expires_at) ON contact_export TO hub_router;
GRANT SELECT (workspace_id, id, next_run_at) ON retention_policy TO hub_router;
GRANT SELECT (workspace_id, id, phase, lease_until, created_at, contact_ids, shared_ids) ON erasure TO hub_router;
-- A deleted workspace's log and its audit log go with it; the functions below look at when it was deleted.
GRANT DELETE ON event, audit_entry, audit_head TO hub_router;
CREATE POLICY router_ends ON event FOR DELETE TO hub_router USING (true);
CREATE POLICY router_ends ON audit_entry FOR DELETE TO hub_router USING (true);
CREATE POLICY router_ends ON audit_head FOR DELETE TO hub_router USING (true);
GRANT SELECT (email) ON member TO hub_router;

-- ── the listed functions that look across workspaces ────────────────────────────────────────────────────────────
CREATE FUNCTION hub_due_erasures(moment timestamptz, at_most integer) RETURNS TABLE (workspace_id bigint, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT e.workspace_id, e.id FROM erasure e
        WHERE e.phase <> 'done' AND (e.lease_until IS NULL OR e.lease_until <= moment)
        ORDER BY e.created_at LIMIT at_most
    $$;
CREATE FUNCTION hub_due_exports(moment timestamptz, at_most integer) RETURNS TABLE (workspace_id bigint, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT x.workspace_id, x.id FROM contact_export x
        WHERE x.state IN ('queued', 'running') AND (x.lease_until IS NULL OR x.lease_until <= moment)
        ORDER BY x.created_at LIMIT at_most
    $$;
CREATE FUNCTION hub_old_exports(moment timestamptz, at_most integer) RETURNS TABLE (workspace_id bigint, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT x.workspace_id, x.id FROM contact_export x WHERE x.expires_at <= moment ORDER BY x.expires_at LIMIT at_most $$;
CREATE FUNCTION hub_due_retention(moment timestamptz, at_most integer) RETURNS TABLE (workspace_id bigint, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT p.workspace_id, p.id FROM retention_policy p WHERE p.next_run_at <= moment ORDER BY p.next_run_at LIMIT at_most $$;
CREATE FUNCTION hub_lapsed_workspaces(deleted_before timestamptz, at_most integer) RETURNS SETOF bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT w.id FROM workspace w WHERE w.deleted_at < deleted_before ORDER BY w.deleted_at LIMIT at_most $$;

-- Empties events between two seqs that say something about the people, or about others' conversations, that an
-- unfinished erasure of the transaction's own workspace names; returns how many.
CREATE FUNCTION hub_erase_person_events(wanted_workspace bigint, wanted_erasure uuid, after_seq bigint, until_seq bigint)
    RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    DECLARE
        amount bigint;
        named record;
    BEGIN
        IF NOT wanted_workspace = ANY (nullif(current_setting('app.ws_set', true), '')::bigint[]) THEN
            RAISE insufficient_privilege USING MESSAGE = 'not a workspace of this transaction';
        END IF;
        SELECT e.contact_ids, e.shared_ids INTO STRICT named FROM erasure e
        WHERE e.workspace_id = wanted_workspace AND e.id = wanted_erasure AND e.phase = 'log';
        UPDATE event e
        SET type = 'event_erased', data = '{"type":"event_erased"}', former_inbox_id = NULL, conversation_id = NULL,
            conversation_seq = NULL, contact_id = NULL, actor_id = NULL, dedupe_key = NULL
        WHERE e.workspace_id = wanted_workspace AND e.seq > after_seq AND e.seq <= until_seq
          AND e.type NOT IN ('conversation_removed', 'contacts_removed', 'event_erased')
          AND (e.conversation_id = ANY (named.shared_ids) OR e.contact_id = ANY (named.contact_ids));
        GET DIAGNOSTICS amount = ROW_COUNT;
        RETURN amount;
    END $$;

-- Digests that wait for their mail server may quote what is erased; they are sealed, so all of a workspace's people go.
CREATE FUNCTION hub_drop_digests(wanted_workspace bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    DECLARE
        amount bigint;
    BEGIN
        IF NOT wanted_workspace = ANY (nullif(current_setting('app.ws_set', true), '')::bigint[]) THEN
            RAISE insufficient_privilege USING MESSAGE = 'not a workspace of this transaction';
        END IF;
        DELETE FROM system_mail m
        WHERE m.template = 'digest' AND m.recipient IN (
            SELECT p.email FROM member p WHERE p.workspace_id = wanted_workspace);
        GET DIAGNOSTICS amount = ROW_COUNT;
        RETURN amount;
    END $$;

-- Takes away rows of the logs of a workspace that was deleted 30 days ago or longer; returns how many, 0 at the end.
CREATE FUNCTION hub_end_logs(wanted_workspace bigint, at_most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    DECLARE
        amount bigint;
        step bigint;
    BEGIN
        IF NOT wanted_workspace = ANY (nullif(current_setting('app.ws_set', true), '')::bigint[])
           OR NOT EXISTS (SELECT FROM workspace w
                          WHERE w.id = wanted_workspace AND w.deleted_at <= now() - interval '30 days') THEN
            RAISE insufficient_privilege USING MESSAGE = 'not a workspace that has ended';
        END IF;
        DELETE FROM event e WHERE e.workspace_id = wanted_workspace AND e.seq IN (
            SELECT o.seq FROM event o WHERE o.workspace_id = wanted_workspace ORDER BY o.seq LIMIT at_most);
        GET DIAGNOSTICS amount = ROW_COUNT;
        DELETE FROM audit_entry e WHERE e.workspace_id = wanted_workspace AND e.id IN (
            SELECT o.id FROM audit_entry o WHERE o.workspace_id = wanted_workspace ORDER BY o.id LIMIT at_most);
        GET DIAGNOSTICS step = ROW_COUNT;
        amount := amount + step;
        DELETE FROM audit_head h WHERE h.workspace_id = wanted_workspace;
        GET DIAGNOSTICS step = ROW_COUNT;
        RETURN amount + step;
    END $$;
