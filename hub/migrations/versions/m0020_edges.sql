-- ── whoever moves a workspace's rights says so in the log, in the same transaction ──────────────────────────────
-- Open sockets and resume tickets learn of it by that event alone. The types are those of hub/realtime/feed.py
-- RIGHTS_EVENTS (a test compares them); rights_seq is the seq that the next event had when the rights moved.
CREATE FUNCTION workspace_rights_are_told() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
    BEGIN
        IF NOT EXISTS (
            SELECT FROM event e WHERE e.workspace_id = NEW.id AND e.seq >= NEW.rights_seq AND e.type IN (
                'member_added', 'member_changed', 'role_changed', 'role_removed', 'team_changed', 'team_removed',
                'inbox_changed', 'inbox_removed', 'workspace_changed', 'conversation_removed', 'contacts_removed',
                'demo_removed'))
        THEN
            RAISE integrity_constraint_violation USING
                MESSAGE = 'the rights of a workspace moved without an event that says so',
                CONSTRAINT = 'workspace_rights_told';
        END IF;
        RETURN NULL;
    END $$;
CREATE CONSTRAINT TRIGGER workspace_rights_told AFTER UPDATE OF rights_version ON workspace
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.rights_version IS DISTINCT FROM NEW.rights_version)
    EXECUTE FUNCTION workspace_rights_are_told();

-- ── a stay of an operator ends with its session, by whatever way that ends ──────────────────────────────────────
GRANT UPDATE (ended_at) ON entered_session TO hub_router;
CREATE POLICY router_ends ON entered_session FOR UPDATE TO hub_router
    USING (ended_at IS NULL) WITH CHECK (ended_at IS NOT NULL);
CREATE FUNCTION hub_end_stay() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        UPDATE entered_session e SET ended_at = least(NEW.revoked_at, e.expires_at)
        WHERE e.session_id = NEW.id AND e.ended_at IS NULL;
        RETURN NULL;
    END $$;
CREATE TRIGGER stay_ends_with_session AFTER UPDATE OF revoked_at ON login_session FOR EACH ROW
    WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION hub_end_stay();

-- Who operates the installation no more is in nobody's workspace any more.
CREATE FUNCTION hub_end_stays_of() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        UPDATE login_session s SET revoked_at = now()
        WHERE s.revoked_at IS NULL AND s.id IN (
            SELECT e.session_id FROM entered_session e WHERE e.operator_id = NEW.id AND e.ended_at IS NULL);
        RETURN NULL;
    END $$;
CREATE TRIGGER stays_end_with_operator AFTER UPDATE OF is_operator ON login FOR EACH ROW
    WHEN (OLD.is_operator AND NOT NEW.is_operator) EXECUTE FUNCTION hub_end_stays_of();

-- ── is this a device somebody has signed in with before? ────────────────────────────────────────────────────────
-- Versions do not count: a browser that updated itself is no new device. Nor do operators' stays.
CREATE FUNCTION hub_is_new_device(wanted_login uuid, wanted_session uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT coalesce(bool_and(regexp_replace(b.user_agent, '[0-9._]+', '', 'g')
                                 <> regexp_replace(n.user_agent, '[0-9._]+', '', 'g')), false)
        FROM login_session n JOIN login_session b ON b.login_id = n.login_id AND b.id <> n.id
        WHERE n.id = wanted_session AND n.login_id = wanted_login
          AND NOT EXISTS (SELECT FROM entered_session e WHERE e.session_id = b.id)
    $$;

-- ── the newest place of each chain of the audit log, beside the chain ───────────────────────────────────────────
-- Shows that entries were cut off which no signed head knows yet. Written by hub_seal_audit alone.
CREATE TABLE audit_tail (
    workspace_id bigint PRIMARY KEY CHECK (workspace_id >= 0),
    position     bigint NOT NULL CHECK (position > 0),
    hash         bytea NOT NULL CHECK (octet_length(hash) = 32),
    sealed_at    timestamptz NOT NULL
);
INSERT INTO audit_tail (workspace_id, position, hash, sealed_at)
SELECT DISTINCT ON (e.workspace_id) e.workspace_id, e.position, e.hash, now() FROM audit_entry e
WHERE e.position IS NOT NULL ORDER BY e.workspace_id, e.position DESC;
ALTER TABLE audit_tail ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_tail FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_tail TO hub_app
    USING (workspace_id = ANY ((SELECT nullif(current_setting('app.ws_set', true), '')::bigint[])::bigint[]));
CREATE POLICY router ON audit_tail TO hub_router USING (true);
GRANT SELECT ON audit_tail TO hub_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON audit_tail TO hub_router;
GRANT SELECT (hash) ON audit_entry TO hub_router;

CREATE OR REPLACE FUNCTION hub_seal_audit(chain bigint, first bigint, ids uuid[], hashes bytea[]) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    WITH sealed AS (
        UPDATE audit_entry SET position = first + given.number - 1, hash = given.hash
        FROM unnest(ids, hashes) WITH ORDINALITY AS given (id, hash, number)
        WHERE audit_entry.workspace_id = chain AND audit_entry.id = given.id AND audit_entry.position IS NULL
          AND chain = ANY (nullif(current_setting('app.ws_set', true), '')::bigint[])
        RETURNING audit_entry.position, audit_entry.hash
    ), tail AS (
        INSERT INTO audit_tail AS t (workspace_id, position, hash, sealed_at)
        SELECT chain, s.position, s.hash, now() FROM sealed s ORDER BY s.position DESC LIMIT 1
        ON CONFLICT (workspace_id) DO UPDATE
        SET position = excluded.position, hash = excluded.hash, sealed_at = excluded.sealed_at
        WHERE t.position < excluded.position
    )
    SELECT count(*) FROM sealed
    $$;

-- As in 0009; a chain that only its tail remembers is one as well.
CREATE OR REPLACE FUNCTION hub_audit_chains() RETURNS TABLE (workspace_id bigint, position_ bigint, signed bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    WITH RECURSIVE chain AS (
        (SELECT e.workspace_id FROM audit_entry e ORDER BY e.workspace_id LIMIT 1)
        UNION ALL
        SELECT (SELECT e.workspace_id FROM audit_entry e WHERE e.workspace_id > chain.workspace_id
                ORDER BY e.workspace_id LIMIT 1)
        FROM chain WHERE chain.workspace_id IS NOT NULL
    ), known AS (
        SELECT chain.workspace_id FROM chain WHERE chain.workspace_id IS NOT NULL
        UNION SELECT DISTINCT h.workspace_id FROM audit_head h
        UNION SELECT t.workspace_id FROM audit_tail t
    )
    SELECT known.workspace_id,
        coalesce((SELECT max(e.position) FROM audit_entry e
                  WHERE e.workspace_id = known.workspace_id AND e.position IS NOT NULL), 0),
        coalesce((SELECT max(h.position) FROM audit_head h WHERE h.workspace_id = known.workspace_id), 0)
    FROM known ORDER BY 1
    $$;

-- As in 0012, the tail with the rest.
CREATE OR REPLACE FUNCTION hub_end_logs(wanted_workspace bigint, at_most integer) RETURNS bigint
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
        amount := amount + step;
        DELETE FROM audit_tail t WHERE t.workspace_id = wanted_workspace;
        GET DIAGNOSTICS step = ROW_COUNT;
        RETURN amount + step;
    END $$;

-- ── who called from there? ──────────────────────────────────────────────────────────────────────────────────────
CREATE INDEX audit_entry_address ON audit_entry (workspace_id, address, id);
