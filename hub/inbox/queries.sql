-- name: known
-- Everything a batch mentions, one row each as (what, data): seen items, channel accounts, identities with their contacts,
-- the conversation of each thread (the live one, else the newest), and the messages that receipts point at. Each key is
-- looked up by itself (LATERAL … LIMIT 1): joined as sets, a table without statistics was read whole for every batch.
SELECT 'seen' AS what, json_build_object(
           'workspace_id', e.workspace_id, 'dedupe_key', e.dedupe_key, 'seq', e.seq,
           'conversation_id', e.conversation_id, 'message_id', m.id)::text AS data
FROM unnest($1::bigint[], $2::text[]) AS wanted (workspace_id, dedupe_key)
CROSS JOIN LATERAL (
    SELECT one.* FROM event one
    WHERE one.workspace_id = wanted.workspace_id AND one.dedupe_key = wanted.dedupe_key LIMIT 1) e
LEFT JOIN LATERAL (
    SELECT one.id FROM message one
    WHERE one.workspace_id = e.workspace_id AND one.conversation_id = e.conversation_id AND one.seq = e.seq LIMIT 1) m
    ON true
UNION ALL
SELECT 'account', json_build_object(
           'workspace_id', a.workspace_id, 'id', a.id, 'inbox_id', a.inbox_id, 'channel', a.channel,
           'status', a.status, 'reopen_days', i.reopen_days)::text
FROM unnest($3::bigint[], $4::uuid[]) AS wanted (workspace_id, id)
CROSS JOIN LATERAL (
    SELECT one.* FROM channel_account one
    WHERE one.workspace_id = wanted.workspace_id AND one.id = wanted.id LIMIT 1) a
CROSS JOIN LATERAL (
    SELECT one.reopen_days FROM inbox one
    WHERE one.workspace_id = a.workspace_id AND one.id = a.inbox_id LIMIT 1) i
UNION ALL
SELECT 'identity', json_build_object(
           'workspace_id', ci.workspace_id, 'scheme', ci.scheme, 'scope', ci.scope, 'value', ci.value,
           'contact', json_build_object(
               'id', c.id, 'name', c.name, 'lifecycle_stage', c.lifecycle_stage, 'created_at', c.created_at,
               'version', c.version, 'avatar', c.avatar, 'identities', (
                   SELECT json_agg(json_build_object(
                              'scheme', every.scheme, 'scope', every.scope, 'value', every.value,
                              'verified', every.verified) ORDER BY every.created_at, every.scheme, every.value)
                   FROM contact_identity every
                   WHERE every.workspace_id = c.workspace_id AND every.contact_id = c.id)))::text
FROM unnest($5::bigint[], $6::text[], $7::text[], $8::text[]) AS wanted (workspace_id, scheme, scope, value)
CROSS JOIN LATERAL (
    SELECT one.* FROM contact_identity one
    WHERE one.workspace_id = wanted.workspace_id AND one.scheme = wanted.scheme
      AND one.scope = wanted.scope AND one.value = wanted.value LIMIT 1) ci
CROSS JOIN LATERAL (
    SELECT one.* FROM contact one
    WHERE one.workspace_id = ci.workspace_id AND one.id = ci.contact_id LIMIT 1) c
UNION ALL
SELECT 'thread', row_to_json(c)::text
FROM unnest($9::bigint[], $10::uuid[], $11::text[]) AS wanted (workspace_id, channel_account_id, thread_key)
CROSS JOIN LATERAL (
    SELECT newest.* FROM conversation newest
    WHERE newest.workspace_id = wanted.workspace_id AND newest.channel_account_id = wanted.channel_account_id
      AND newest.thread_key = wanted.thread_key
    ORDER BY newest.created_at DESC LIMIT 1) c
UNION ALL
SELECT 'target', json_build_object('message', row_to_json(m), 'inbox_id', c.inbox_id, 'contact_id', c.contact_id)::text
FROM unnest($12::bigint[], $13::uuid[], $14::text[]) AS wanted (workspace_id, channel_account_id, external_id)
CROSS JOIN LATERAL (
    SELECT one.* FROM message one
    WHERE one.workspace_id = wanted.workspace_id AND one.channel_account_id = wanted.channel_account_id
      AND one.external_id = wanted.external_id LIMIT 1) m
CROSS JOIN LATERAL (
    SELECT one.inbox_id, one.contact_id FROM conversation one
    WHERE one.workspace_id = m.workspace_id AND one.id = m.conversation_id LIMIT 1) c
UNION ALL
SELECT 'target', json_build_object('message', row_to_json(m), 'inbox_id', c.inbox_id, 'contact_id', c.contact_id)::text
FROM unnest($15::bigint[], $16::uuid[], $17::uuid[]) AS wanted (workspace_id, channel_account_id, id)
CROSS JOIN LATERAL (
    SELECT one.* FROM message one
    WHERE one.workspace_id = wanted.workspace_id AND one.channel_account_id = wanted.channel_account_id
      AND one.id = wanted.id LIMIT 1) m
CROSS JOIN LATERAL (
    SELECT one.inbox_id, one.contact_id FROM conversation one
    WHERE one.workspace_id = m.workspace_id AND one.id = m.conversation_id LIMIT 1) c
UNION ALL
SELECT 'pending', json_build_object(
           'workspace_id', p.workspace_id, 'id', p.id, 'channel_account_id', p.channel_account_id,
           'reference', p.reference, 'dedupe_key', p.dedupe_key, 'created_at', p.created_at,
           'item', translate(encode(p.item, 'base64'), E'\n', ''))::text
FROM unnest($12::bigint[], $13::uuid[], $14::text[]) AS wanted (workspace_id, channel_account_id, external_id)
CROSS JOIN LATERAL (
    SELECT one.* FROM pending_reference one
    WHERE one.workspace_id = wanted.workspace_id AND one.channel_account_id = wanted.channel_account_id
      AND one.reference = wanted.external_id ORDER BY one.created_at, one.id LIMIT 50) p

-- name: write_batch
-- Writes the contacts, identities, conversations and messages of a batch. Every row is in its last state, so the order
-- inside does not matter.
WITH contacts AS (
    INSERT INTO contact (workspace_id, id, name, lifecycle_stage, created_at, version)
    SELECT workspace_id, id, name, lifecycle_stage, created_at, version
    FROM json_to_recordset($1::json) AS r (workspace_id bigint, id uuid, name text, lifecycle_stage text,
                                           created_at timestamptz, version bigint)
    ON CONFLICT (workspace_id, id) DO UPDATE SET name = excluded.name, version = excluded.version
), identities AS (
    INSERT INTO contact_identity (workspace_id, scheme, scope, value, contact_id, verified, created_at)
    SELECT workspace_id, scheme, scope, value, contact_id, verified, created_at
    FROM json_to_recordset($2::json) AS r (workspace_id bigint, scheme text, scope text, value text, contact_id uuid,
                                           verified boolean, created_at timestamptz)
), conversations AS (
    INSERT INTO conversation (workspace_id, id, inbox_id, channel_account_id, channel, thread_key, contact_id,
                              identity_scheme, identity_scope, identity_value, status, assignee_id, snoozed_until,
                              subject, subject_key, preview, preview_author_kind, last_activity_at, last_inbound_at,
                              last_inbound_seq, last_outbound_seq, visitor_seq, created_at, closed_at, version, window_expires_at)
    SELECT workspace_id, id, inbox_id, channel_account_id, channel, thread_key, contact_id,
           identity_scheme, identity_scope, identity_value, status, assignee_id, snoozed_until,
           subject, subject_key, preview, preview_author_kind, last_activity_at, last_inbound_at,
           last_inbound_seq, last_outbound_seq, visitor_seq, created_at, closed_at, version, window_expires_at
    FROM json_populate_recordset(NULL::conversation, $3::json)
    ON CONFLICT (workspace_id, id) DO UPDATE SET
        status = excluded.status, snoozed_until = excluded.snoozed_until, closed_at = excluded.closed_at,
        subject = excluded.subject, subject_key = excluded.subject_key,
        preview = excluded.preview, preview_author_kind = excluded.preview_author_kind,
        last_activity_at = excluded.last_activity_at, last_inbound_at = excluded.last_inbound_at,
        last_inbound_seq = excluded.last_inbound_seq, last_outbound_seq = excluded.last_outbound_seq,
        visitor_seq = excluded.visitor_seq, version = excluded.version,
        window_expires_at = excluded.window_expires_at
)
INSERT INTO message (workspace_id, id, conversation_id, channel_account_id, seq, version, kind, direction,
                     author_kind, author_id, author_name, text, attachments, external_id, client_message_id,
                     status, error_code, error_message, conversation_seq, occurred_at, created_at,
                     headers, has_html, quoted, reply_to, unreadable, reactions, edit_revision, edited_at, deleted_at,
                     call)
SELECT workspace_id, id, conversation_id, channel_account_id, seq, version, kind, direction,
       author_kind, author_id, author_name, text, attachments, external_id, client_message_id,
       status, error_code, error_message, conversation_seq, occurred_at, created_at,
       headers, has_html, quoted, reply_to, unreadable, reactions, edit_revision, edited_at, deleted_at, call
FROM json_populate_recordset(NULL::message, $4::json)

-- name: write_statuses
-- Writes what receipts said about messages, and finishes deliveries whose message a receipt settled; $2 is the time.
WITH statuses AS (
    UPDATE message SET status = r.status, error_code = r.error_code, error_message = r.error_message,
                       external_id = r.external_id, version = greatest(message.version, r.version)
    FROM json_populate_recordset(NULL::message, $1::json) AS r
    WHERE message.workspace_id = r.workspace_id AND message.id = r.id
)
UPDATE delivery SET state = CASE r.status WHEN 'failed' THEN 'failed' ELSE 'sent' END, finished_at = $2,
                    lease_until = NULL, error_code = r.error_code
FROM json_populate_recordset(NULL::message, $1::json) AS r
WHERE delivery.workspace_id = r.workspace_id AND delivery.message_id = r.id AND delivery.state = 'unknown'
  AND delivery.act IS NULL
  AND r.status IN ('sent', 'delivered', 'read', 'failed')

-- name: write_consents
-- Writes consents ($2; those that are known already stay), and what an address came to ($1) as suppression or its end. A
-- weaker reason never replaces a stronger one; START undoes a STOP and nothing else.
WITH stopped AS (
    INSERT INTO suppression (workspace_id, channel_account_id, scheme, scope, value, reason, created_at)
    SELECT workspace_id, channel_account_id, scheme, scope, value, reason, occurred_at
    FROM json_to_recordset($1::json) AS r (workspace_id bigint, channel_account_id uuid, scheme text, scope text,
                                           value text, state text, reason text, occurred_at timestamptz)
    WHERE state = 'stop'
    ON CONFLICT (workspace_id, channel_account_id, scheme, scope, value) DO UPDATE SET reason = excluded.reason
    WHERE array_position(ARRAY['bounce', 'stop', 'manual', 'complaint'], suppression.reason)
        < array_position(ARRAY['bounce', 'stop', 'manual', 'complaint'], excluded.reason)
), started AS (
    DELETE FROM suppression USING json_to_recordset($1::json) AS r (workspace_id bigint, channel_account_id uuid,
                                                                    scheme text, scope text, value text, state text)
    WHERE r.state = 'start' AND suppression.workspace_id = r.workspace_id AND suppression.reason = 'stop'
      AND suppression.channel_account_id = r.channel_account_id AND suppression.scheme = r.scheme
      AND suppression.scope = r.scope AND suppression.value = r.value
)
INSERT INTO consent (workspace_id, id, contact_id, channel_account_id, state, source, occurred_at)
SELECT workspace_id, consent_id, contact_id, channel_account_id, state,
       CASE reason WHEN 'complaint' THEN 'complaint' ELSE 'message' END, occurred_at
FROM json_to_recordset($2::json) AS r (workspace_id bigint, consent_id uuid, contact_id uuid, channel_account_id uuid,
                                       state text, reason text, occurred_at timestamptz)
WHERE contact_id IS NOT NULL
ON CONFLICT (workspace_id, id) DO NOTHING

-- name: write_conversation
-- Puts a conversation into a new state; its address, thread and contact never change.
UPDATE conversation SET inbox_id = r.inbox_id, status = r.status, assignee_id = r.assignee_id,
    snoozed_until = r.snoozed_until, closed_at = r.closed_at, subject = r.subject, subject_key = r.subject_key, preview = r.preview,
    preview_author_kind = r.preview_author_kind, last_activity_at = r.last_activity_at,
    last_outbound_seq = r.last_outbound_seq, visitor_seq = r.visitor_seq, version = r.version
FROM json_populate_record(NULL::conversation, $1::json) AS r
WHERE conversation.workspace_id = r.workspace_id AND conversation.id = r.id

-- name: write_message
-- Adds one message or note.
INSERT INTO message (workspace_id, id, conversation_id, channel_account_id, seq, version, kind, direction,
                     author_kind, author_id, author_name, text, attachments, external_id, client_message_id,
                     status, error_code, error_message, conversation_seq, occurred_at, created_at,
                     headers, has_html, quoted, reply_to, unreadable, reactions, edit_revision, edited_at, deleted_at,
                     template, call)
SELECT workspace_id, id, conversation_id, channel_account_id, seq, version, kind, direction,
       author_kind, author_id, author_name, text, attachments, external_id, client_message_id,
       status, error_code, error_message, conversation_seq, occurred_at, created_at,
       headers, has_html, quoted, reply_to, unreadable, reactions, edit_revision, edited_at, deleted_at, template,
       call
FROM json_populate_record(NULL::message, $1::json)

-- name: live_calls
-- Telephone calls of a channel account that go on, the longest first; older ones ($3) ended without anybody saying so.
SELECT coalesce(external_id, '') AS external_id, call ->> 'outcome' AS outcome, coalesce(call ->> 'member', '') AS member
FROM message
WHERE workspace_id = $1 AND kind = 'call' AND channel_account_id = $2 AND occurred_at > $3
  AND call ->> 'ended_at' IS NULL AND call ->> 'talk_s' IS NULL AND call ->> 'outcome' IN ('ringing', 'waiting', 'answered')
ORDER BY occurred_at, id LIMIT 500

-- name: write_call
-- Changes how a member's call stands by what the vendor answered; its external id is set only once.
UPDATE message SET text = r.text, call = r.call, error_code = r.error_code, error_message = r.error_message,
    external_id = coalesce(message.external_id, r.external_id), version = r.version
FROM json_populate_record(NULL::message, $1::json) AS r
WHERE message.workspace_id = r.workspace_id AND message.id = r.id

-- name: write_message_status
-- Changes the delivery state of one message.
UPDATE message SET status = $3, error_code = $4, error_message = $5, version = $6,
    external_id = coalesce(external_id, $7)
WHERE workspace_id = $1 AND id = $2

-- name: write_message_attachments
-- Changes what one message shows of its files.
UPDATE message SET attachments = $3::jsonb, version = $4 WHERE workspace_id = $1 AND id = $2

-- name: get_conversation
-- One conversation with its hidden columns.
SELECT row_to_json(c)::text AS data FROM conversation c WHERE c.workspace_id = $1 AND c.id = $2

-- name: get_message
-- One message of a conversation.
SELECT row_to_json(m)::text AS data FROM message m WHERE m.workspace_id = $1 AND m.id = $2

-- name: find_sent
-- The message an author sent under a client's own id, if it came through before.
SELECT row_to_json(m)::text AS data FROM message m
WHERE m.workspace_id = $1 AND m.author_id = $2 AND m.client_message_id = $3

-- name: newest_reply
-- The newest message to the contact after a seq, written by somebody else than $4.
SELECT row_to_json(m)::text AS data FROM message m
WHERE m.workspace_id = $1 AND m.conversation_id = $2 AND m.seq > $3 AND m.kind = 'message' AND m.direction = 'outbound'
  AND m.author_id IS DISTINCT FROM $4
ORDER BY m.seq DESC LIMIT 1

-- name: unread_outbound
-- Messages to the contact up to a conversation_seq that are not marked read; queued ones too, shown since COMMIT.
SELECT row_to_json(m)::text AS data FROM message m
WHERE m.workspace_id = $1 AND m.conversation_id = $2 AND m.direction = 'outbound' AND m.kind = 'message'
  AND m.conversation_seq <= $3 AND m.status IN ('queued', 'sending', 'unknown', 'sent', 'delivered')
ORDER BY m.seq LIMIT 200

-- name: put_read_mark
-- Moves a member's read mark.
INSERT INTO conversation_read (workspace_id, conversation_id, member_id, read_seq) VALUES ($1, $2, $3, $4)
ON CONFLICT (workspace_id, member_id, conversation_id) DO UPDATE SET read_seq = excluded.read_seq
WHERE conversation_read.read_seq <> excluded.read_seq
RETURNING read_seq

-- name: list_conversations
-- A page of conversations, newest activity first; every filter is optional (NULL).
SELECT row_to_json(c)::text AS data FROM conversation c
WHERE c.workspace_id = $1
  AND ($2::text IS NULL OR c.status = $2)
  AND ($3::uuid[] IS NULL OR c.inbox_id = ANY ($3::uuid[]))
  AND ($4::uuid IS NULL OR c.assignee_id = $4)
  AND (NOT $5::boolean OR c.assignee_id IS NULL)
  AND ($6::uuid IS NULL OR c.contact_id = $6)
  AND ($7::timestamptz IS NULL OR (c.last_activity_at, c.id) < ($7, $8::uuid))
ORDER BY c.last_activity_at DESC, c.id DESC LIMIT $9

-- name: count_conversations
-- How many conversations of each status are visible.
SELECT status, count(*) AS amount FROM conversation
WHERE workspace_id = $1 AND ($2::uuid[] IS NULL OR inbox_id = ANY ($2::uuid[])) GROUP BY status

-- name: list_messages
-- A page of a conversation, newest first, before a seq.
SELECT row_to_json(m)::text AS data FROM message m
WHERE m.workspace_id = $1 AND m.conversation_id = $2 AND ($3::bigint IS NULL OR m.seq < $3)
ORDER BY m.seq DESC LIMIT $4

-- name: list_visitor_messages
-- A page of what a visitor may see of a conversation, newest first, before a conversation_seq.
SELECT row_to_json(m)::text AS data FROM message m
WHERE m.workspace_id = $1 AND m.conversation_id = $2 AND m.conversation_seq IS NOT NULL
  AND m.deleted_at IS NULL AND ($3::bigint IS NULL OR m.conversation_seq < $3)
ORDER BY m.conversation_seq DESC LIMIT $4

-- name: list_read_marks
-- One member's read marks of some conversations.
SELECT conversation_id, member_id, read_seq FROM conversation_read
WHERE workspace_id = $1 AND member_id = $2 AND conversation_id = ANY ($3::uuid[])

-- name: move_thread
-- Gives the conversations of a thread another thread and address; nothing that members see changes.
UPDATE conversation SET thread_key = $4, identity_scheme = $5, identity_scope = $6, identity_value = $7
WHERE workspace_id = $1 AND channel_account_id = $2 AND thread_key = $3

-- name: find_thread
-- The newest conversation of a thread, live or closed.
SELECT row_to_json(c)::text AS data FROM conversation c
WHERE c.workspace_id = $1 AND c.channel_account_id = $2 AND c.thread_key = $3 ORDER BY c.created_at DESC LIMIT 1

-- name: visitor_conversations
-- The newest conversation of several visitors' threads and its newest conversation_seq; ``number`` says whose it is.
SELECT wanted.number, c.id, c.visitor_seq
FROM unnest($1::bigint[], $2::uuid[], $3::text[])
     WITH ORDINALITY AS wanted (workspace_id, channel_account_id, thread_key, number)
CROSS JOIN LATERAL (
    SELECT conversation.id, conversation.visitor_seq FROM conversation
    WHERE conversation.workspace_id = wanted.workspace_id
      AND conversation.channel_account_id = wanted.channel_account_id AND conversation.thread_key = wanted.thread_key
    ORDER BY conversation.created_at DESC LIMIT 1) c

-- name: conversation_inbox
-- The inbox of one conversation, for authorising what is not written down.
SELECT inbox_id FROM conversation WHERE workspace_id = $1 AND id = $2

-- name: insert_delivery
-- Queues the send of a message; ``position`` keeps the order within the thread.
INSERT INTO delivery (workspace_id, id, message_id, conversation_id, channel_account_id, channel, thread_key, priority,
                      state, position, due_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'queued', $9, $10, $10)

-- name: due_deliveries
-- Deliveries to look at now, across workspaces: ids and routing facts only.
SELECT workspace_id, id, message_id, channel_account_id, channel, thread_key, priority, state, attempt
FROM hub_due_deliveries($1, $2, $3)

-- name: claim_delivery
-- Takes a due delivery unless somebody else did; a ``queued`` one becomes ``sending`` under a lease.
UPDATE delivery SET
    state = CASE state WHEN 'queued' THEN 'sending' ELSE state END,
    attempt = attempt + CASE state WHEN 'queued' THEN 1 ELSE 0 END,
    attempted_at = CASE state WHEN 'queued' THEN $3 ELSE attempted_at END,
    lease_until = $4
FROM (SELECT id, state AS state_before FROM delivery
      WHERE workspace_id = $1 AND id = $2 FOR UPDATE SKIP LOCKED) AS before
WHERE delivery.workspace_id = $1 AND delivery.id = before.id
  AND delivery.state IN ('queued', 'sending', 'unknown') AND delivery.due_at <= $3
  AND (delivery.lease_until IS NULL OR delivery.lease_until <= $3)
  AND NOT EXISTS (
      SELECT FROM delivery earlier
      WHERE earlier.workspace_id = delivery.workspace_id AND earlier.channel_account_id = delivery.channel_account_id
        AND earlier.thread_key = delivery.thread_key AND earlier.position < delivery.position
        AND earlier.state IN ('queued', 'sending', 'unknown'))
RETURNING delivery.id, before.state_before, delivery.attempt, delivery.attempted_at, delivery.created_at, delivery.act,
          delivery.act_text, delivery.act_emoji, delivery.act_actor_id

-- name: delivery_message
-- The message of a delivery, its conversation's address, and why that address must not be written to, if so.
SELECT row_to_json(m)::text AS message, row_to_json(c)::text AS conversation,
       (SELECT s.reason FROM suppression s
        WHERE s.workspace_id = c.workspace_id AND s.channel_account_id = c.channel_account_id
          AND s.scheme = c.identity_scheme AND s.scope = c.identity_scope AND s.value = c.identity_value) AS stopped,
       (SELECT newest.external_id FROM message newest
        WHERE newest.workspace_id = c.workspace_id AND newest.conversation_id = c.id AND newest.direction = 'inbound'
        ORDER BY newest.seq DESC LIMIT 1) AS reply_to_external_id,
       (SELECT quoted.external_id FROM message quoted
        WHERE quoted.workspace_id = m.workspace_id AND quoted.id = (m.reply_to ->> 'message_id')::uuid)
           AS quoted_external_id,
       (SELECT author.avatar FROM member author
        WHERE author.workspace_id = m.workspace_id AND author.id = m.author_id AND m.author_kind = 'member')
           AS author_avatar
FROM message m JOIN conversation c ON c.workspace_id = m.workspace_id AND c.id = m.conversation_id
WHERE m.workspace_id = $1 AND m.id = $2

-- name: settle_delivery
-- Puts a delivery into its next state: finished, waiting for another try, or unknown.
UPDATE delivery SET state = $3, due_at = coalesce($4, due_at), error_code = $5, attempt = attempt - $6,
    finished_at = $7, lease_until = NULL
WHERE workspace_id = $1 AND id = $2 AND state IN ('queued', 'sending', 'unknown')

-- name: due_snoozes
-- Snoozed conversations whose time has come, across workspaces: ids only.
SELECT workspace_id, id FROM hub_due_snoozes($1, $2)

-- name: abandon_deliveries
-- Ends the unfinished deliveries of one message.
UPDATE delivery SET state = 'failed', finished_at = $3, lease_until = NULL, error_code = 'superseded'
WHERE workspace_id = $1 AND message_id = $2 AND act IS NULL AND state IN ('queued', 'sending', 'unknown')

-- name: list_lines
-- What was done to a conversation between two seqs, oldest first: the lines between its messages. At most 200.
SELECT e.seq, e.type, e.actor_id, e.occurred_at AS at,
       (e.data -> 'conversation' ->> 'assignee_id')::uuid AS assignee_id,
       (e.data -> 'conversation' ->> 'inbox_id')::uuid AS inbox_id,
       (e.data -> 'conversation' ->> 'snoozed_until')::timestamptz AS snoozed_until
FROM event e
WHERE e.workspace_id = $1 AND e.conversation_id = $2 AND e.seq > $3 AND e.seq < $4
  AND e.type IN ('conversation_assigned', 'conversation_closed', 'conversation_reopened', 'conversation_snoozed',
                 'conversation_moved')
ORDER BY e.seq DESC LIMIT 200
