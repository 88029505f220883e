-- name: keys
-- Wrapped keys of texts by workspace and id.
SELECT k.workspace_id, k.id, k.key_version, k.wrapped
FROM unnest($1::bigint[], $2::integer[]) AS wanted (workspace_id, id)
CROSS JOIN LATERAL (
    SELECT one.* FROM workspace_key one
    WHERE one.workspace_id = wanted.workspace_id AND one.id = wanted.id AND one.purpose = 'texts' LIMIT 1) k

-- name: sealing
-- How a workspace keeps its texts.
SELECT w.text_key_id, w.former_text_key_id, s.phase, s.done, s.total, s.started_at, s.finished_at, k.created_at AS key_made_at
FROM workspace w LEFT JOIN text_sealing s ON s.workspace_id = w.id
LEFT JOIN workspace_key k ON k.workspace_id = w.id AND k.id = w.text_key_id
WHERE w.id = $1

-- name: newest_key_id
-- The highest id a key of texts ever had and still has.
SELECT max(id) AS id FROM workspace_key WHERE workspace_id = $1 AND purpose = 'texts'

-- name: add_key
-- Adds a key of texts.
INSERT INTO workspace_key (workspace_id, id, key_version, wrapped, created_at, purpose) VALUES ($1, $2, $3, $4, $5, 'texts')

-- name: use_key
-- From now on texts are sealed with $2 (NULL: not at all); those from before may be sealed with $3.
UPDATE workspace SET text_key_id = $2, former_text_key_id = $3 WHERE id = $1

-- name: count_rows
-- How much there is to seal or open; of very much an estimate, for nobody may wait for the count.
SELECT (SELECT count(*) FROM (SELECT FROM message WHERE workspace_id = $1 LIMIT $2) counted)
     + (SELECT count(*) FROM (SELECT FROM message_html WHERE workspace_id = $1 LIMIT $2) counted)
     + (SELECT count(*) FROM (SELECT FROM message_version WHERE workspace_id = $1 LIMIT $2) counted)
     + (SELECT count(*) FROM (SELECT FROM conversation WHERE workspace_id = $1 LIMIT $2) counted)
     + (SELECT w.event_seq FROM workspace w WHERE w.id = $1) AS amount

-- name: begin
-- Asks for what is stored to be brought to what is wanted.
INSERT INTO text_sealing (workspace_id, phase, until_seq, total, requested_by, started_at)
VALUES ($1, 'messages', $2, $3, $4, $5)
ON CONFLICT (workspace_id) DO UPDATE SET phase = 'messages', place = '', until_seq = excluded.until_seq, done = 0,
    total = excluded.total, requested_by = excluded.requested_by, started_at = excluded.started_at, finished_at = NULL,
    lease_until = NULL

-- name: due
-- Workspaces that wait for the job.
SELECT workspace_id FROM hub_due_text_sealing($1, $2, $3) AS workspace_id

-- name: claim
-- Takes a workspace's work until $3, unless somebody else has it; $2 is now.
UPDATE text_sealing SET lease_until = $3
WHERE workspace_id = $1 AND phase <> 'done' AND (lease_until IS NULL OR lease_until <= $2)
RETURNING workspace_id, phase, place, until_seq

-- name: advance
-- Moves a workspace's work on, and keeps it for longer; nothing where somebody else did that, or it began anew.
UPDATE text_sealing SET phase = $4, place = $5, done = done + $6, lease_until = $7
WHERE workspace_id = $1 AND phase = $2 AND place = $3
RETURNING phase

-- name: finish
-- Everything is as wanted.
UPDATE text_sealing SET phase = 'done', place = '', done = total, finished_at = $2, lease_until = NULL
WHERE workspace_id = $1

-- name: retire_keys
-- Keys that texts are not sealed with any more.
UPDATE workspace_key SET retired_at = $3
WHERE workspace_id = $1 AND purpose = 'texts' AND retired_at IS NULL AND ($2::integer IS NULL OR id <> $2)

-- name: drop_keys
-- Throws retired keys away; returns how many.
WITH gone AS (DELETE FROM workspace_key WHERE workspace_id = $1 AND retired_at <= $2 RETURNING id)
SELECT count(*) AS amount FROM gone

-- name: messages_after
-- What some messages say.
SELECT m.id, json_build_object('workspace_id', m.workspace_id, 'id', m.id, 'text', m.text, 'quoted', m.quoted,
           'headers', m.headers, 'reply_to', m.reply_to, 'change', m.change, 'template', m.template)::text AS data
FROM message m WHERE m.workspace_id = $1 AND m.id > $2 ORDER BY m.id LIMIT $3

-- name: write_messages
-- The same, kept another way.
UPDATE message SET text = r.text, quoted = r.quoted, headers = r.headers, reply_to = r.reply_to, change = r.change,
    template = r.template
FROM json_populate_recordset(NULL::message, $1::json) AS r
WHERE message.workspace_id = r.workspace_id AND message.id = r.id

-- name: htmls_after
-- Some formatted texts.
SELECT h.message_id AS id,
       json_build_object('workspace_id', h.workspace_id, 'message_id', h.message_id, 'html', h.html)::text AS data
FROM message_html h WHERE h.workspace_id = $1 AND h.message_id > $2 ORDER BY h.message_id LIMIT $3

-- name: write_htmls
-- The same, kept another way.
UPDATE message_html SET html = r.html
FROM json_populate_recordset(NULL::message_html, $1::json) AS r
WHERE message_html.workspace_id = r.workspace_id AND message_html.message_id = r.message_id

-- name: versions_after
-- What some messages said before they were edited.
SELECT v.message_id AS id, json_agg(json_build_object('workspace_id', v.workspace_id, 'message_id', v.message_id,
           'id', v.id, 'text', v.text))::text AS data
FROM message_version v WHERE v.workspace_id = $1 AND v.message_id > $2
GROUP BY v.message_id ORDER BY v.message_id LIMIT $3

-- name: write_versions
-- The same, kept another way.
UPDATE message_version SET text = r.text, id = r.new_id
FROM json_to_recordset($1::json) AS r (workspace_id bigint, message_id uuid, id uuid, new_id uuid, text text)
WHERE message_version.workspace_id = r.workspace_id AND message_version.message_id = r.message_id
  AND message_version.id = r.id

-- name: conversations_after
-- What the list shows of some conversations.
SELECT c.id, json_build_object('workspace_id', c.workspace_id, 'id', c.id, 'subject', c.subject, 'preview', c.preview,
           'subject_key', c.subject_key)::text AS data
FROM conversation c WHERE c.workspace_id = $1 AND c.id > $2 ORDER BY c.id LIMIT $3

-- name: write_conversations
-- The same, kept another way.
UPDATE conversation SET subject = r.subject, preview = r.preview, subject_key = r.subject_key
FROM json_populate_recordset(NULL::conversation, $1::json) AS r
WHERE conversation.workspace_id = r.workspace_id AND conversation.id = r.id

-- name: acts_after
-- What some edits that were queued say.
SELECT d.id, json_build_object('workspace_id', d.workspace_id, 'id', d.id, 'text', d.act_text)::text AS data
FROM delivery d WHERE d.workspace_id = $1 AND d.act_text <> '' AND d.id > $2 ORDER BY d.id LIMIT $3

-- name: write_acts
-- The same, kept another way.
UPDATE delivery SET act_text = r.text
FROM json_to_recordset($1::json) AS r (workspace_id bigint, id uuid, text text)
WHERE delivery.workspace_id = r.workspace_id AND delivery.id = r.id

-- name: log_after
-- Some events up to $4.
SELECT e.seq, e.data::text AS data FROM event e
WHERE e.workspace_id = $1 AND e.seq > $2 AND e.seq <= $4 ORDER BY e.seq LIMIT $3

-- name: write_log
-- The same, kept another way; those that were emptied meanwhile stay as they are.
SELECT hub_reseal_events($1, $2, $3, $4) AS amount
