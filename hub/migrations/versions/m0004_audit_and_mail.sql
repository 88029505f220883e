-- Who did what to which row, and from where. No foreign keys: an entry outlives its workspace and its actor.
-- workspace_id 0 is the installation itself.
CREATE TABLE audit_entry (
    workspace_id bigint NOT NULL CHECK (workspace_id >= 0),
    id           uuid NOT NULL,
    at           timestamptz NOT NULL,
    action       text NOT NULL CHECK (action ~ '^[a-z_]+\.[a-z_]+$'),
    actor_kind   text NOT NULL CHECK (actor_kind IN ('member', 'login', 'key', 'operator', 'system')),
    actor_id     uuid,
    target_kind  text NOT NULL DEFAULT '',
    target_id    text NOT NULL DEFAULT '',
    address      text NOT NULL DEFAULT '',
    details      jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(details) = 'object'),
    PRIMARY KEY (workspace_id, id)
);
ALTER TABLE audit_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_entry FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_entry FOR SELECT TO hub_app
    USING (workspace_id = ANY ((SELECT nullif(current_setting('app.ws_set', true), '')::bigint[])::bigint[]));
-- Anybody may add to the installation's own log, nobody reads it as a tenant.
CREATE POLICY adding ON audit_entry FOR INSERT TO hub_app
    WITH CHECK (workspace_id = 0
        OR workspace_id = ANY ((SELECT nullif(current_setting('app.ws_set', true), '')::bigint[])::bigint[]));
GRANT SELECT, INSERT ON audit_entry TO hub_app;

-- Not tenant data: a person signs in to several workspaces. A row goes once it is sent, or is not worth sending any more.
CREATE TABLE system_mail (
    id         uuid PRIMARY KEY,
    recipient  text NOT NULL CHECK (length(recipient) BETWEEN 3 AND 320),
    template   text NOT NULL CHECK (template ~ '^[a-z_]+$'),
    locale     text NOT NULL DEFAULT 'en',
    fields     jsonb NOT NULL CHECK (jsonb_typeof(fields) = 'object'),
    created_at timestamptz NOT NULL,
    due_at     timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
    attempt    integer NOT NULL DEFAULT 0
);
CREATE INDEX system_mail_due ON system_mail (due_at);
GRANT INSERT ON system_mail TO hub_app;
