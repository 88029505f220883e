-- name: known_rows
-- The conversations of messages that change, as they are now.
SELECT row_to_json(c)::text AS data
FROM unnest($1::bigint[], $2::uuid[]) AS wanted (workspace_id, id)
CROSS JOIN LATERAL (
    SELECT one.* FROM conversation one WHERE one.workspace_id = wanted.workspace_id AND one.id = wanted.id LIMIT 1) c

-- name: in_flight
-- Messages of ours in some threads that the vendor has not named yet, the oldest first: what an echo may be the copy of.
SELECT wanted.thread_key, json_build_object('message', row_to_json(m), 'inbox_id', m.inbox_id, 'contact_id', m.contact_id)::text
    AS data
FROM unnest($1::bigint[], $2::uuid[], $3::text[]) AS wanted (workspace_id, channel_account_id, thread_key)
CROSS JOIN LATERAL (
    SELECT one.*, c.inbox_id, c.contact_id
    FROM delivery d
    JOIN message one ON one.workspace_id = d.workspace_id AND one.id = d.message_id
    JOIN conversation c ON c.workspace_id = d.workspace_id AND c.id = d.conversation_id
    WHERE d.workspace_id = wanted.workspace_id AND d.channel_account_id = wanted.channel_account_id
      AND d.thread_key = wanted.thread_key AND d.act IS NULL AND one.external_id IS NULL
      AND (d.state IN ('sending', 'unknown') OR (d.finished_at > $4 AND one.status IN ('unknown', 'failed')))
    ORDER BY d.position LIMIT 20) m

-- name: watched
-- Messages of ours in some threads, sent up to a moment and not marked read; by the time we gave them to the vendor.
SELECT wanted.thread_key, wanted.watermark,
       json_build_object('message', row_to_json(m), 'inbox_id', m.inbox_id, 'contact_id', m.contact_id)::text AS data
FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::timestamptz[])
     AS wanted (workspace_id, channel_account_id, thread_key, watermark)
CROSS JOIN LATERAL (
    SELECT one.*, c.inbox_id, c.contact_id
    FROM conversation c
    JOIN message one ON one.workspace_id = c.workspace_id AND one.conversation_id = c.id
    WHERE c.workspace_id = wanted.workspace_id AND c.channel_account_id = wanted.channel_account_id
      AND c.thread_key = wanted.thread_key AND one.direction = 'outbound' AND one.status IN ('sent', 'delivered')
      AND coalesce((SELECT max(d.attempted_at) FROM delivery d
                    WHERE d.workspace_id = one.workspace_id AND d.message_id = one.id AND d.act IS NULL),
                   one.occurred_at) <= wanted.watermark
    ORDER BY one.seq DESC LIMIT 200) m
ORDER BY m.seq

-- name: write_changes
-- Writes what messages are now ($1), what they said before ($2), and drops formatted texts that have gone ($3, $4) before
-- the new ones are written.
WITH changed AS (
    UPDATE message SET text = r.text, quoted = r.quoted, unreadable = r.unreadable, has_html = r.has_html,
                       attachments = r.attachments, reply_to = r.reply_to, reactions = r.reactions,
                       edit_revision = r.edit_revision, edited_at = r.edited_at, deleted_at = r.deleted_at,
                       change = r.change, call = r.call, version = greatest(message.version, r.version)
    FROM json_populate_recordset(NULL::message, $1::json) AS r
    WHERE message.workspace_id = r.workspace_id AND message.id = r.id
), stale AS (
    DELETE FROM message_html USING unnest($3::bigint[], $4::uuid[]) AS gone (workspace_id, id)
    WHERE message_html.workspace_id = gone.workspace_id AND message_html.message_id = gone.id
)
INSERT INTO message_version (workspace_id, message_id, id, revision, text, written_at)
SELECT workspace_id, message_id, id, revision, text, written_at
FROM json_populate_recordset(NULL::message_version, $2::json)
ON CONFLICT (workspace_id, message_id, id) DO NOTHING

-- name: erase_deleted
-- Forgets what deleted messages were made of: earlier texts, formatted texts, files; and what quotes them shows.
WITH gone AS (SELECT workspace_id, id FROM unnest($1::bigint[], $2::uuid[]) AS wanted (workspace_id, id)
), versions AS (
    DELETE FROM message_version v USING gone WHERE v.workspace_id = gone.workspace_id AND v.message_id = gone.id
), htmls AS (
    DELETE FROM message_html h USING gone WHERE h.workspace_id = gone.workspace_id AND h.message_id = gone.id
), files AS (
    DELETE FROM attachment a USING gone WHERE a.workspace_id = gone.workspace_id AND a.message_id = gone.id
)
UPDATE message m SET reply_to = jsonb_set(m.reply_to, '{text}', '""')
FROM gone
WHERE m.workspace_id = gone.workspace_id AND m.reply_to IS NOT NULL AND m.reply_to ->> 'message_id' = gone.id::text

-- name: redact_deleted
-- Takes what deleted messages said out of the log; $6 and $7 are lines that show it and cannot be read here.
SELECT hub_redact_message(gone.workspace_id, gone.conversation_id, gone.id,
           gone.seq || ARRAY(SELECT m.seq FROM message m
                             WHERE m.workspace_id = gone.workspace_id AND m.reply_to IS NOT NULL
                               AND m.reply_to ->> 'message_id' = gone.id::text)
                    || ARRAY(SELECT line.seq FROM unnest($6::bigint[], $7::bigint[]) AS line (workspace_id, seq)
                             WHERE line.workspace_id = gone.workspace_id),
           gone.shown)
FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[])
     AS gone (workspace_id, id, conversation_id, seq, shown)

-- name: lines_shown
-- What the lines of conversations that a deleted message stood in showed of it, to be compared once it is opened.
SELECT gone.workspace_id, gone.id, e.seq, e.data -> 'conversation' ->> 'preview' AS preview, gone.shown
FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::text[]) AS gone (workspace_id, id, conversation_id, shown)
CROSS JOIN LATERAL (
    SELECT one.seq, one.data FROM event one
    WHERE one.workspace_id = gone.workspace_id AND one.conversation_id = gone.conversation_id
      AND one.type IN ('conversation_assigned', 'conversation_closed', 'conversation_reopened', 'conversation_snoozed',
                       'conversation_moved')) e

-- name: list_versions
-- What a message said before, the oldest first.
SELECT message_id, revision, text, written_at FROM message_version
WHERE workspace_id = $1 AND message_id = $2 ORDER BY revision, written_at, id LIMIT 100

-- name: insert_act
-- Queues something to do at the vendor; ``position`` keeps the order within the thread, with the sends.
INSERT INTO delivery (workspace_id, id, message_id, conversation_id, channel_account_id, channel, thread_key, priority,
                      state, position, due_at, created_at, act, act_text, act_emoji, act_actor_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'interactive', 'queued', $8, $9, $9, $10, $11, $12, $13)

-- name: supersede_acts
-- Ends what is queued for a message and was not begun, of one kind or (NULL) of any; returns how many that were.
WITH ended AS (
    UPDATE delivery SET state = 'failed', finished_at = $4, lease_until = NULL, error_code = 'superseded'
    WHERE workspace_id = $1 AND message_id = $2 AND state = 'queued' AND act IS NOT NULL AND act <> 'mark_read'
      AND ($3::text IS NULL OR act = $3) AND ($5::text IS NULL OR act_emoji = $5)
    RETURNING id)
SELECT count(*) AS amount FROM ended

-- name: cancel_send
-- Ends a send that was not begun; returns its id.
UPDATE delivery SET state = 'failed', finished_at = $3, lease_until = NULL, error_code = 'cancelled'
WHERE workspace_id = $1 AND message_id = $2 AND state = 'queued' AND act IS NULL RETURNING id

-- name: is_unsent
-- Whether a send waits and was not begun.
SELECT EXISTS (SELECT FROM delivery WHERE workspace_id = $1 AND message_id = $2 AND state = 'queued' AND act IS NULL)
    AS unsent

-- name: newest_inbound
-- The newest message of the contact up to a seq that the vendor knows and was not told of as read.
SELECT row_to_json(m)::text AS data FROM message m
WHERE m.workspace_id = $1 AND m.conversation_id = $2 AND m.seq <= $3 AND m.direction = 'inbound'
  AND m.external_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM delivery d WHERE d.workspace_id = m.workspace_id AND d.message_id = m.id AND d.act = 'mark_read')
ORDER BY m.seq DESC LIMIT 1

-- name: supersede_read
-- Ends a mark that was not begun: a later one says it too.
UPDATE delivery SET state = 'failed', finished_at = $4, lease_until = NULL, error_code = 'superseded'
WHERE workspace_id = $1 AND channel_account_id = $2 AND thread_key = $3 AND state = 'queued' AND act = 'mark_read'
