-- ── workspaces ──────────────────────────────────────────────────────────────────────────────────────────────────
-- deleted_at: closed to its members, kept for 30 days, an owner may take it back until then.
ALTER TABLE workspace ADD COLUMN deleted_at timestamptz, ADD COLUMN version bigint NOT NULL DEFAULT 0;

-- ── custom roles ────────────────────────────────────────────────────────────────────────────────────────────────
-- permissions: words of the catalogue; one that is no longer in it is ignored when it is read.
CREATE TABLE custom_role (
    workspace_id bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    id           uuid NOT NULL,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    permissions  text[] NOT NULL,
    created_at   timestamptz NOT NULL,
    version      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX custom_role_by_name ON custom_role (workspace_id, lower(name));
-- Whoever has a custom role is a viewer otherwise: nothing that only looks at the role takes them for more.
ALTER TABLE member
    ADD COLUMN custom_role_id uuid,
    ADD COLUMN avatar text NOT NULL DEFAULT '',
    ADD FOREIGN KEY (workspace_id, custom_role_id) REFERENCES custom_role,
    ADD CHECK (custom_role_id IS NULL OR role = 'viewer');
CREATE INDEX member_by_custom_role ON member (workspace_id, custom_role_id) WHERE custom_role_id IS NOT NULL;
CREATE INDEX member_by_age ON member (workspace_id, created_at, id);

-- ── teams, and which inboxes they open ──────────────────────────────────────────────────────────────────────────
CREATE TABLE team (
    workspace_id bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    id           uuid NOT NULL,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    created_at   timestamptz NOT NULL,
    version      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX team_by_name ON team (workspace_id, lower(name));
CREATE TABLE team_member (
    workspace_id bigint NOT NULL,
    team_id      uuid NOT NULL,
    member_id    uuid NOT NULL,
    PRIMARY KEY (workspace_id, team_id, member_id),
    FOREIGN KEY (workspace_id, team_id) REFERENCES team ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, member_id) REFERENCES member ON DELETE CASCADE
);
CREATE INDEX team_member_by_member ON team_member (workspace_id, member_id);
CREATE TABLE inbox_team (
    workspace_id bigint NOT NULL,
    inbox_id     uuid NOT NULL,
    team_id      uuid NOT NULL,
    PRIMARY KEY (workspace_id, inbox_id, team_id),
    FOREIGN KEY (workspace_id, inbox_id) REFERENCES inbox ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, team_id) REFERENCES team ON DELETE CASCADE
);
CREATE INDEX inbox_team_by_team ON inbox_team (workspace_id, team_id);

-- ── hand-overs ──────────────────────────────────────────────────────────────────────────────────────────────────
-- Open conversations of a member who left, on their way to others; the row goes when none is left.
CREATE TABLE hand_over (
    workspace_id bigint NOT NULL,
    member_id    uuid NOT NULL,
    to_kind      text NOT NULL CHECK (to_kind IN ('nobody', 'member', 'team')),
    to_id        uuid,
    asked_by     uuid,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, member_id),
    FOREIGN KEY (workspace_id, member_id) REFERENCES member ON DELETE CASCADE,
    CHECK ((to_kind = 'nobody') = (to_id IS NULL))
);
CREATE INDEX hand_over_by_age ON hand_over (created_at);
CREATE INDEX conversation_by_assignee ON conversation (workspace_id, assignee_id, id) WHERE status <> 'closed';

-- ── invitations, and domains whose people may join ──────────────────────────────────────────────────────────────
CREATE TABLE invitation (
    workspace_id   bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    id             uuid NOT NULL,
    token_hash     bytea NOT NULL CHECK (length(token_hash) = 32),
    email          text NOT NULL CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 320),
    role           text NOT NULL CHECK (role IN ('owner', 'admin', 'agent', 'viewer')),
    custom_role_id uuid,
    team_ids       uuid[] NOT NULL DEFAULT '{}',
    inbox_ids      uuid[] NOT NULL DEFAULT '{}',
    invited_by     uuid NOT NULL,
    created_at     timestamptz NOT NULL,
    sent_at        timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    accepted_at    timestamptz,
    revoked_at     timestamptz,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, custom_role_id) REFERENCES custom_role,
    FOREIGN KEY (workspace_id, invited_by) REFERENCES member
);
CREATE UNIQUE INDEX invitation_by_token ON invitation (token_hash);
CREATE UNIQUE INDEX invitation_open ON invitation (workspace_id, email)
    WHERE accepted_at IS NULL AND revoked_at IS NULL;
CREATE TABLE join_domain (
    workspace_id bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    domain       text NOT NULL CHECK (domain = lower(domain) AND length(domain) BETWEEN 3 AND 253),
    role         text NOT NULL CHECK (role IN ('agent', 'viewer')),
    enabled      boolean NOT NULL DEFAULT false,
    proved_by    uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    version      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, domain),
    FOREIGN KEY (workspace_id, proved_by) REFERENCES member
);
CREATE INDEX join_domain_by_domain ON join_domain (domain) WHERE enabled;

-- ── profiles: of a login, not tenant data ───────────────────────────────────────────────────────────────────────
ALTER TABLE login
    ADD COLUMN IF NOT EXISTS time_zone text NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS locale text NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS avatar text NOT NULL DEFAULT '';
GRANT UPDATE (time_zone, locale, avatar) ON login TO hub_app;
-- A small picture, made anew from what was uploaded. The token is its address: unguessable, another one with each upload.
CREATE TABLE login_avatar (
    token      text PRIMARY KEY CHECK (token ~ '^[0-9a-f]{32}$'),
    login_id   uuid NOT NULL UNIQUE REFERENCES login ON DELETE CASCADE,
    webp       bytea NOT NULL CHECK (octet_length(webp) BETWEEN 1 AND 262144),
    created_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, DELETE ON login_avatar TO hub_app;

-- ── tenancy ─────────────────────────────────────────────────────────────────────────────────────────────────────
DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY[
        'custom_role', 'team', 'team_member', 'inbox_team', 'hand_over', 'invitation', 'join_domain']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO hub_app
             USING (workspace_id = ANY ((SELECT nullif(current_setting(''app.ws_set'', true), '''')::bigint[])::bigint[]))
             WITH CHECK (workspace_id = ANY ((SELECT nullif(current_setting(''app.ws_set'', true), '''')::bigint[])::bigint[]))',
            tenant_table);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO hub_app', tenant_table);
        EXECUTE format('CREATE POLICY router ON %I FOR SELECT TO hub_router USING (true)', tenant_table);
    END LOOP;
END $$;
-- Accepting an invitation notes that the address was proved.
GRANT UPDATE (email_verified_at) ON login TO hub_router;
GRANT SELECT (deleted_at) ON workspace TO hub_router;
GRANT SELECT (custom_role_id) ON member TO hub_router;
GRANT SELECT (workspace_id, id, permissions) ON custom_role TO hub_router;
GRANT SELECT ON team_member, inbox_team TO hub_router;
GRANT SELECT (workspace_id, member_id, created_at) ON hand_over TO hub_router;
GRANT SELECT (workspace_id, id, token_hash) ON invitation TO hub_router;
GRANT SELECT (workspace_id, domain, enabled) ON join_domain TO hub_router;

-- ── the listed functions that look across workspaces ────────────────────────────────────────────────────────────
DROP FUNCTION hub_find_actor(bytea, bigint);
DROP FUNCTION hub_load_actors(bigint[], uuid[]);
DROP FUNCTION hub_load_actor(bigint, uuid);
DROP FUNCTION hub_login_memberships(uuid);

-- Who a login is in a workspace, what their custom role allows (NULL: the role's own) and which inboxes they see there
-- (NULL: all), by themselves or by a team; no row for who is not an active member, or where the workspace is deleted.
CREATE FUNCTION hub_load_actor(wanted_workspace bigint, wanted_login uuid)
    RETURNS TABLE (member_id uuid, role text, rights_version bigint, rights_seq bigint, visible_inboxes uuid[],
                   permissions text[])
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT m.id, m.role, w.rights_version, w.rights_seq,
               CASE WHEN m.role IN ('owner', 'admin') THEN NULL ELSE ARRAY(
                   SELECT i.id FROM inbox i
                   WHERE i.workspace_id = wanted_workspace AND (NOT i.restricted
                       OR EXISTS (
                           SELECT FROM inbox_member im
                           WHERE im.workspace_id = wanted_workspace AND im.inbox_id = i.id AND im.member_id = m.id)
                       OR EXISTS (
                           SELECT FROM inbox_team it JOIN team_member tm
                               ON tm.workspace_id = it.workspace_id AND tm.team_id = it.team_id
                           WHERE it.workspace_id = wanted_workspace AND it.inbox_id = i.id
                             AND tm.member_id = m.id))) END,
               -- A member of a custom role that cannot be read may do nothing.
               CASE WHEN m.custom_role_id IS NULL THEN NULL ELSE coalesce((
                   SELECT r.permissions FROM custom_role r
                   WHERE r.workspace_id = wanted_workspace AND r.id = m.custom_role_id), '{}') END
        FROM member m JOIN workspace w ON w.id = m.workspace_id
        WHERE m.workspace_id = wanted_workspace AND m.login_id = wanted_login AND m.active AND w.deleted_at IS NULL
    $$;

CREATE FUNCTION hub_load_actors(wanted_workspaces bigint[], wanted_logins uuid[])
    RETURNS TABLE (workspace_id bigint, login_id uuid, member_id uuid, role text, rights_version bigint,
                   rights_seq bigint, visible_inboxes uuid[], permissions text[])
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT wanted.workspace_id, wanted.login_id, a.member_id, a.role, a.rights_version, a.rights_seq,
               a.visible_inboxes, a.permissions
        FROM unnest(wanted_workspaces, wanted_logins) AS wanted (workspace_id, login_id)
        CROSS JOIN LATERAL hub_load_actor(wanted.workspace_id, wanted.login_id) a
    $$;

CREATE FUNCTION hub_find_actor(wanted_hash bytea, wanted_workspace bigint)
    RETURNS TABLE (id uuid, login_id uuid, email text, name text, expires_at timestamptz, member_id uuid, role text,
                   rights_version bigint, rights_seq bigint, visible_inboxes uuid[], permissions text[])
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT s.id, s.login_id, s.email, s.name, s.expires_at,
               a.member_id, a.role, a.rights_version, a.rights_seq, a.visible_inboxes, a.permissions
        FROM hub_find_session(wanted_hash) s LEFT JOIN LATERAL hub_load_actor(wanted_workspace, s.login_id) a ON true
    $$;

CREATE FUNCTION hub_login_memberships(wanted_login uuid)
    RETURNS TABLE (workspace_id bigint, workspace_name text, member_id uuid, role text, custom_role_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT m.workspace_id, w.name, m.id, m.role, m.custom_role_id
        FROM member m JOIN workspace w ON w.id = m.workspace_id
        WHERE m.login_id = wanted_login AND m.active AND w.deleted_at IS NULL ORDER BY m.workspace_id
    $$;

-- Deleted workspaces that a login still may take back: it owns them.
CREATE FUNCTION hub_deleted_workspaces(wanted_login uuid)
    RETURNS TABLE (workspace_id bigint, workspace_name text, member_id uuid, deleted_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT m.workspace_id, w.name, m.id, w.deleted_at FROM member m JOIN workspace w ON w.id = m.workspace_id
        WHERE m.login_id = wanted_login AND m.active AND m.role = 'owner' AND w.deleted_at IS NOT NULL
        ORDER BY m.workspace_id
    $$;

-- A person as they are in every workspace.
CREATE FUNCTION hub_login_profile(wanted_login uuid)
    RETURNS TABLE (email text, name text, time_zone text, locale text, avatar text, is_verified boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT l.email, l.name, l.time_zone, l.locale, l.avatar,
               l.email_verified_at IS NOT NULL
        FROM login l WHERE l.id = wanted_login
    $$;

-- Notes that a login's address was proved: a link sent to it was used.
CREATE FUNCTION hub_verify_login(wanted_login uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ UPDATE login SET email_verified_at = now() WHERE id = wanted_login AND email_verified_at IS NULL $$;

-- Workspaces that take people of a domain without an invitation; not those the login is or was a member of.
CREATE FUNCTION hub_joinable_workspaces(wanted_login uuid, wanted_domain text)
    RETURNS TABLE (workspace_id bigint, workspace_name text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT w.id, w.name FROM join_domain d JOIN workspace w ON w.id = d.workspace_id
        WHERE d.domain = wanted_domain AND d.enabled AND w.deleted_at IS NULL AND NOT EXISTS (
            SELECT FROM member m WHERE m.workspace_id = d.workspace_id AND m.login_id = wanted_login)
        ORDER BY w.id LIMIT 20
    $$;

-- Where an invitation is, by the hash of its token; whether it still holds is looked at under the workspace's lock.
CREATE FUNCTION hub_find_invitation(wanted_hash bytea) RETURNS TABLE (workspace_id bigint, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT i.workspace_id, i.id FROM invitation i WHERE i.token_hash = wanted_hash $$;

-- Members whose open conversations are to be handed over, longest waiting first.
CREATE FUNCTION hub_due_hand_overs(at_most integer) RETURNS TABLE (workspace_id bigint, member_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT h.workspace_id, h.member_id FROM hand_over h ORDER BY h.created_at LIMIT at_most $$;
