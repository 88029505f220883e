-- ── messages that change ────────────────────────────────────────────────────────────────────────────────────────
ALTER TABLE message
    -- Orders edits that come shuffled: the vendor's number, then its clock.
    ADD COLUMN edit_revision bigint NOT NULL DEFAULT 0,
    ADD COLUMN edited_at     timestamptz,
    ADD COLUMN deleted_at    timestamptz,
    -- The message it answers, with the start of its text as it was.
    ADD COLUMN reply_to      jsonb,
    -- Why there is no text, in words.
    ADD COLUMN unreadable    text NOT NULL DEFAULT '',
    -- Every mark with its time, taken back ones too: they come in any order.
    ADD COLUMN reactions     jsonb NOT NULL DEFAULT '[]',
    -- An edit, deletion or reaction of ours that the vendor has not confirmed, or refused.
    ADD COLUMN change        jsonb;
CREATE INDEX message_quotes ON message (workspace_id, (reply_to ->> 'message_id')) WHERE reply_to IS NOT NULL;
-- What a message said before it was edited.
CREATE TABLE message_version (
    workspace_id bigint NOT NULL,
    message_id   uuid NOT NULL,
    id           uuid NOT NULL,
    revision     bigint NOT NULL,
    text         text NOT NULL,
    written_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, message_id, id),
    FOREIGN KEY (workspace_id, message_id) REFERENCES message ON DELETE CASCADE
);
ALTER TABLE message_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE message_version FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON message_version TO hub_app
    USING (workspace_id = ANY ((SELECT nullif(current_setting('app.ws_set', true), '')::bigint[])::bigint[]))
    WITH CHECK (workspace_id = ANY ((SELECT nullif(current_setting('app.ws_set', true), '')::bigint[])::bigint[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON message_version TO hub_app;

-- ── what we do at vendors ───────────────────────────────────────────────────────────────────────────────────────
-- A row with an act is no send: it stands in the same queue, so that an edit never overtakes its message.
ALTER TABLE delivery
    ADD COLUMN act          text CHECK (act IN ('edit', 'delete', 'react', 'unreact', 'mark_read')),
    ADD COLUMN act_text     text NOT NULL DEFAULT '',
    ADD COLUMN act_emoji    text NOT NULL DEFAULT '',
    ADD COLUMN act_actor_id uuid;

-- ── the log follows ─────────────────────────────────────────────────────────────────────────────────────────────
CREATE INDEX event_edits ON event (workspace_id, conversation_id, seq)
    WHERE type IN ('message_edited', 'message_change_noted');
-- Takes what a deleted message said out of the log: of the events with these numbers (the one that added it, those of
-- messages that quote it), of its edits, and of the lines that showed its start in the list. Returns how many.
CREATE FUNCTION hub_redact_message(wanted_workspace bigint, wanted_conversation uuid, wanted_message uuid,
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
          AND e.data -> 'conversation' ->> 'preview' = shown;
        GET DIAGNOSTICS more = ROW_COUNT;
        RETURN amount + more;
    END $$;
