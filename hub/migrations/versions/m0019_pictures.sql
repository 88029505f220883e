-- Contacts whose mails show their pictures without being asked, and who said so.
CREATE TABLE contact_pictures (
    workspace_id bigint NOT NULL,
    contact_id   uuid NOT NULL,
    member_id    uuid,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, contact_id),
    FOREIGN KEY (workspace_id, contact_id) REFERENCES contact ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, member_id) REFERENCES member ON DELETE SET NULL (member_id)
);
GRANT SELECT, INSERT, DELETE ON contact_pictures TO hub_app;
ALTER TABLE contact_pictures ENABLE ROW LEVEL SECURITY;
ALTER TABLE contact_pictures FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON contact_pictures TO hub_app
    USING (workspace_id = ANY ((SELECT nullif(current_setting('app.ws_set', true), '')::bigint[])::bigint[]))
    WITH CHECK (workspace_id = ANY ((SELECT nullif(current_setting('app.ws_set', true), '')::bigint[])::bigint[]));
CREATE POLICY router ON contact_pictures FOR SELECT TO hub_router USING (true);
