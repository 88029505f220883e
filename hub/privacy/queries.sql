-- name: family
-- A contact with all that were merged into them, and into whom they were.
WITH RECURSIVE family AS (
    SELECT c.id, c.merged_into FROM contact c WHERE c.workspace_id = $1 AND c.id = $2
    UNION
    SELECT c.id, c.merged_into FROM contact c JOIN family f ON c.merged_into = f.id OR c.id = f.merged_into
    WHERE c.workspace_id = $1)
SELECT c.id, c.created_at FROM contact c WHERE c.workspace_id = $1 AND c.id IN (SELECT f.id FROM family f) ORDER BY c.id

-- name: addresses
-- Every address some contacts have or had a conversation by.
SELECT i.value FROM contact_identity i WHERE i.workspace_id = $1 AND i.contact_id = ANY ($2::uuid[])
UNION SELECT v.identity_value FROM conversation v WHERE v.workspace_id = $1 AND v.contact_id = ANY ($2::uuid[])

-- name: extent
-- What belongs to some contacts' own conversations, and how many of others' they took part in.
WITH own AS (SELECT v.id FROM conversation v WHERE v.workspace_id = $1 AND v.contact_id = ANY ($2::uuid[])),
messages AS (SELECT m.id FROM message m JOIN own ON own.id = m.conversation_id WHERE m.workspace_id = $1)
SELECT (SELECT count(*) FROM own) AS conversations, (SELECT count(*) FROM messages) AS messages,
       (SELECT count(*) FROM attachment a JOIN messages m ON m.id = a.message_id WHERE a.workspace_id = $1) AS files,
       (SELECT count(DISTINCT p.conversation_id) FROM conversation_participant p
        WHERE p.workspace_id = $1 AND p.contact_id = ANY ($2::uuid[])
          AND p.conversation_id NOT IN (SELECT own.id FROM own)) AS shared_conversations

-- name: add_erasure
-- Queues an erasure.
INSERT INTO erasure (workspace_id, id, kind, contact_ids, policy_id, older_than, addresses, since, requested_by, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: unfinished_erasure
-- The erasure of a person that is not done yet.
SELECT id FROM erasure
WHERE workspace_id = $1 AND phase <> 'done' AND kind = 'contact' AND contact_ids && $2::uuid[] LIMIT 1

-- name: unfinished_retention
-- Whether an erasure of a policy is not done yet.
SELECT id FROM erasure WHERE workspace_id = $1 AND phase <> 'done' AND policy_id = $2 LIMIT 1

-- name: get_erasure
-- One erasure as members see it.
SELECT id, kind, contact_ids, policy_id, phase, conversations, messages, files, requested_by, created_at, finished_at
FROM erasure WHERE workspace_id = $1 AND id = $2

-- name: list_erasures
-- A page of erasures, newest first.
SELECT id, kind, contact_ids, policy_id, phase, conversations, messages, files, requested_by, created_at, finished_at
FROM erasure WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3

-- name: due_erasures
-- Erasures nobody works on.
SELECT workspace_id, id FROM hub_due_erasures($1, $2)

-- name: claim_erasure
-- Takes an erasure until $4, unless somebody else has it; $3 is now.
UPDATE erasure SET lease_until = $4, attempt = attempt + 1
WHERE workspace_id = $1 AND id = $2 AND phase <> 'done' AND (lease_until IS NULL OR lease_until <= $3)
RETURNING workspace_id, id, kind, contact_ids, policy_id, older_than, phase, addresses, since, log_seq, requested_by

-- name: renew_erasure
-- Keeps an erasure for longer.
UPDATE erasure SET lease_until = $3 WHERE workspace_id = $1 AND id = $2 AND phase <> 'done'

-- name: enter_phase
-- Moves an erasure on.
UPDATE erasure SET phase = $3 WHERE workspace_id = $1 AND id = $2 AND phase <> 'done'

-- name: move_log
-- Notes how far the log is gone through.
UPDATE erasure SET log_seq = $3 WHERE workspace_id = $1 AND id = $2

-- name: share_conversations
-- Notes conversations of others that the person took part in.
UPDATE erasure SET shared_ids = ARRAY(SELECT DISTINCT s FROM unnest(shared_ids || $3::uuid[]) AS s)
WHERE workspace_id = $1 AND id = $2

-- name: count_removed
-- Adds to what an erasure removed.
UPDATE erasure SET conversations = conversations + $3, messages = messages + $4, files = files + $5
WHERE workspace_id = $1 AND id = $2

-- name: finish_erasure
-- Ends an erasure: ids and counts stay.
UPDATE erasure SET phase = 'done', finished_at = $3, addresses = '{}', shared_ids = '{}', lease_until = NULL
WHERE workspace_id = $1 AND id = $2 AND phase <> 'done' RETURNING conversations, messages, files

-- name: own_conversations
-- Some conversations of some contacts.
SELECT v.id, v.inbox_id, v.status FROM conversation v
WHERE v.workspace_id = $1 AND v.contact_id = ANY ($2::uuid[]) ORDER BY v.id LIMIT $3

-- name: old_conversations
-- Some conversations a policy does not keep: no activity since $3.
SELECT v.id, v.inbox_id, v.status FROM conversation v JOIN retention_policy p ON p.workspace_id = v.workspace_id
WHERE p.workspace_id = $1 AND p.id = $2 AND v.last_activity_at < $3
  AND (v.inbox_id = p.inbox_id OR v.channel_account_id = p.channel_account_id)
  AND (v.status = 'closed' OR NOT p.closed_only)
ORDER BY v.last_activity_at LIMIT $4

-- name: old_extent
-- How much a policy does not keep, and since when that is in the log.
WITH old AS (
    SELECT v.id, v.created_at FROM conversation v
    WHERE v.workspace_id = $1 AND v.last_activity_at < $4 AND (v.inbox_id = $2 OR v.channel_account_id = $3)
      AND (v.status = 'closed' OR NOT $5::boolean)),
messages AS (SELECT m.id FROM message m JOIN old ON old.id = m.conversation_id WHERE m.workspace_id = $1)
SELECT (SELECT count(*) FROM old) AS conversations, (SELECT min(old.created_at) FROM old) AS since,
       (SELECT count(*) FROM messages) AS messages,
       (SELECT count(*) FROM attachment a JOIN messages m ON m.id = a.message_id WHERE a.workspace_id = $1) AS files

-- name: files_of
-- Files of conversations, with the parts of uploads that are not whole.
SELECT a.author_id, a.ref FROM attachment a
WHERE a.workspace_id = $1 AND (a.conversation_id = ANY ($2::uuid[]) OR a.message_id IN (
    SELECT m.id FROM message m WHERE m.workspace_id = $1 AND m.conversation_id = ANY ($2::uuid[])))

-- name: delete_files
-- Forgets files of conversations; their blobs are swept.
DELETE FROM attachment a
WHERE a.workspace_id = $1 AND (a.conversation_id = ANY ($2::uuid[]) OR a.message_id IN (
    SELECT m.id FROM message m WHERE m.workspace_id = $1 AND m.conversation_id = ANY ($2::uuid[])))

-- name: count_messages
-- How many messages some conversations have.
SELECT count(*) AS amount FROM message WHERE workspace_id = $1 AND conversation_id = ANY ($2::uuid[])

-- name: delete_conversations
-- Removes conversations with their messages, deliveries, notices and read marks.
DELETE FROM conversation WHERE workspace_id = $1 AND id = ANY ($2::uuid[])

-- name: shared_conversations
-- Conversations of others in which some contacts took part, or whose mails name one of their addresses.
SELECT p.conversation_id AS id FROM conversation_participant p
WHERE p.workspace_id = $1 AND p.contact_id = ANY ($2::uuid[])
UNION
SELECT m.conversation_id FROM message m
WHERE m.workspace_id = $1 AND m.headers IS NOT NULL AND EXISTS (
    SELECT FROM unnest($3::text[]) AS address WHERE position(lower(address) IN lower(m.headers::text)) > 0)

-- name: shared_headers
-- Headers of messages of a conversation.
SELECT id, headers::text AS headers FROM message
WHERE workspace_id = $1 AND conversation_id = $2 AND headers IS NOT NULL ORDER BY id

-- name: write_headers
-- Replaces the headers of a message.
UPDATE message SET headers = $3::text::jsonb WHERE workspace_id = $1 AND id = $2

-- name: empty_messages
-- Leaves of the messages some contacts wrote in a conversation that they were there.
UPDATE message SET text = '', quoted = '', headers = NULL, attachments = '[]', has_html = false, author_name = '',
    external_id = NULL, error_message = NULL, version = $4, reply_to = NULL, unreadable = '', reactions = '[]',
    change = NULL, call = NULL
WHERE workspace_id = $1 AND conversation_id = $2 AND author_kind = 'contact' AND author_id = ANY ($3::uuid[])
RETURNING id

-- name: delete_files_of_messages
-- Forgets the files of messages; their blobs are swept.
DELETE FROM attachment WHERE workspace_id = $1 AND message_id = ANY ($2::uuid[])

-- name: strip_messages
-- Others' messages of a conversation lose what they repeat: quoted text and the formatted form, and what fits $3. Sealed ones
-- ($5) are left to ``write_text``.
UPDATE message SET quoted = '', has_html = false, version = $4, reply_to = NULL, change = NULL,
    reactions = coalesce((SELECT jsonb_agg(r) FROM jsonb_array_elements(reactions) AS r
                          WHERE r ->> 'author_kind' <> 'contact'), '[]'),
    text = CASE WHEN text LIKE $5 THEN text ELSE (WITH RECURSIVE step AS (
        SELECT 0 AS n, message.text AS t
        UNION ALL SELECT n + 1, regexp_replace(t, ($3::text[])[n + 1], '[erased]', 'g')
        FROM step WHERE n < coalesce(cardinality($3::text[]), 0))
        SELECT t FROM step ORDER BY n DESC LIMIT 1) END
WHERE workspace_id = $1 AND conversation_id = $2

-- name: delete_versions
-- Forgets what messages of a conversation said before they were edited, and edits of them that wait for the vendor.
WITH acts AS (
    UPDATE delivery SET act_text = '' WHERE workspace_id = $1 AND act IS NOT NULL AND message_id IN (
        SELECT m.id FROM message m WHERE m.workspace_id = $1 AND m.conversation_id = $2))
DELETE FROM message_version v USING message m
WHERE v.workspace_id = $1 AND m.workspace_id = $1 AND m.conversation_id = $2 AND v.message_id = m.id

-- name: delete_html
-- Forgets the formatted forms of a conversation's messages.
DELETE FROM message_html h USING message m
WHERE h.workspace_id = $1 AND m.workspace_id = $1 AND m.conversation_id = $2 AND h.message_id = m.id

-- name: sealed_texts
-- Messages of a conversation whose text the database cannot read.
SELECT id, text FROM message WHERE workspace_id = $1 AND conversation_id = $2 AND text LIKE $3 ORDER BY id

-- name: write_text
-- Replaces the text of a message.
UPDATE message SET text = $3 WHERE workspace_id = $1 AND id = $2

-- name: newest_text
-- What the newest message of a conversation says.
SELECT id, text FROM message WHERE workspace_id = $1 AND conversation_id = $2 ORDER BY seq DESC LIMIT 1

-- name: strip_conversation
-- A conversation of others shows its newest message as it is now.
UPDATE conversation SET version = $3, preview = $4 WHERE workspace_id = $1 AND id = $2

-- name: leave_conversations
-- Some contacts take part in nothing any more.
DELETE FROM conversation_participant WHERE workspace_id = $1 AND contact_id = ANY ($2::uuid[])

-- name: delete_dead_letters
-- Forgets items that could not be stored and name one of the addresses ($2: lower case, as bytes escaped).
DELETE FROM dead_letter WHERE workspace_id = $1 AND EXISTS (
    SELECT FROM unnest($2::bytea[]) AS n
    WHERE position(encode(n, 'escape') IN lower(encode(body, 'escape'))) > 0
       OR position(encode(n, 'escape') IN lower(key)) > 0)

-- name: delete_raw_items
-- Forgets vendors' bytes that name one of the addresses.
DELETE FROM raw_item WHERE workspace_id = $1 AND EXISTS (
    SELECT FROM unnest($2::bytea[]) AS n WHERE position(encode(n, 'escape') IN lower(encode(body, 'escape'))) > 0)
RETURNING id

-- name: delete_pending_references
-- Forgets items that wait for their message and name one of the addresses.
DELETE FROM pending_reference WHERE workspace_id = $1 AND EXISTS (
    SELECT FROM unnest($2::bytea[]) AS n WHERE position(encode(n, 'escape') IN lower(encode(item, 'escape'))) > 0)

-- name: delete_spool
-- Forgets items that wait for the streams and name one of the addresses.
DELETE FROM intake_spool WHERE workspace_id = $1 AND EXISTS (
    SELECT FROM unnest($2::bytea[]) AS n WHERE position(encode(n, 'escape') IN lower(encode(item, 'escape'))) > 0)

-- name: delete_answers
-- Forgets kept answers of calls that name one of the addresses or contacts.
DELETE FROM idempotency_key WHERE workspace_id = $1 AND body IS NOT NULL AND EXISTS (
    SELECT FROM unnest($2::bytea[]) AS n WHERE position(encode(n, 'escape') IN lower(encode(body, 'escape'))) > 0)

-- name: delete_suppressions
-- Forgets that an address said STOP: a later message of it is one of a new contact.
DELETE FROM suppression WHERE workspace_id = $1 AND value = ANY ($2::text[])

-- name: delete_unsent
-- Forgets files a visitor uploaded and did not send.
DELETE FROM attachment WHERE workspace_id = $1 AND message_id IS NULL AND author_id::text = ANY ($2::text[])

-- name: drop_digests
-- Drops digests that wait for their mail server.
SELECT hub_drop_digests($1) AS amount

-- name: delete_contacts
-- Removes contacts with their identities, consents and exports, unless a conversation of theirs came meanwhile.
DELETE FROM contact c
WHERE c.workspace_id = $1 AND c.id = ANY ($2::uuid[])
  AND NOT EXISTS (SELECT FROM conversation v WHERE v.workspace_id = $1 AND v.contact_id = ANY ($2::uuid[]))
RETURNING c.id

-- name: log_span
-- The seq before the first event since a moment, and the newest.
SELECT coalesce((SELECT min(e.seq) FROM event e WHERE e.workspace_id = $1 AND e.appended_at >= $2), 1) - 1 AS before,
       coalesce((SELECT max(e.seq) FROM event e WHERE e.workspace_id = $1), 0) AS newest

-- name: delete_raw_of_log
-- Forgets vendors' bytes of items that events between two seqs came of, where these events' conversations have gone.
DELETE FROM raw_item r USING event e
WHERE r.workspace_id = $1 AND e.workspace_id = $1 AND e.seq > $2 AND e.seq <= $3 AND e.dedupe_key IS NOT NULL
  AND r.channel_account_id::text = regexp_replace(left(e.dedupe_key, 32), '(.{8})(.{4})(.{4})(.{4})(.{12})', '\1-\2-\3-\4-\5')
  AND right(e.dedupe_key, length(r.key) + 1) = ':' || r.key
  AND NOT EXISTS (SELECT FROM conversation v WHERE v.workspace_id = $1 AND v.id = e.conversation_id)

-- name: erase_events
-- Empties events after a seq, up to another, of conversations and contacts that have gone.
SELECT hub_erase_events($1, $2, $3) AS amount

-- name: erase_person_events
-- Empties events after a seq, up to another, that say something of the people an erasure names.
SELECT hub_erase_person_events($1, $2, $3, $4) AS amount

-- name: trash
-- Blobs of a workspace that no row names.
SELECT blob_key FROM blob_trash WHERE workspace_id = $1 AND created_at <= $2 ORDER BY created_at LIMIT $3

-- name: add_policy
-- Says how long conversations are kept.
INSERT INTO retention_policy (workspace_id, id, inbox_id, channel_account_id, days, closed_only, created_at, next_run_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: change_policy
-- Says anew how long.
UPDATE retention_policy SET days = $3, closed_only = $4, next_run_at = $5 WHERE workspace_id = $1 AND id = $2

-- name: delete_policy
-- Keeps conversations for ever again.
DELETE FROM retention_policy WHERE workspace_id = $1 AND id = $2 RETURNING id

-- name: get_policy
-- One policy.
SELECT id, inbox_id, channel_account_id, days, closed_only, created_at, next_run_at FROM retention_policy
WHERE workspace_id = $1 AND id = $2

-- name: list_policies
-- A page of policies, newest first.
SELECT id, inbox_id, channel_account_id, days, closed_only, created_at, next_run_at FROM retention_policy
WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3

-- name: due_policies
-- Policies that are to be looked at.
SELECT workspace_id, id FROM hub_due_retention($1, $2)

-- name: put_off_policy
-- When a policy is looked at next.
UPDATE retention_policy SET next_run_at = $3 WHERE workspace_id = $1 AND id = $2

-- name: add_consent
-- Adds to a person's consents.
INSERT INTO consent_record (workspace_id, id, contact_id, purpose, channel, state, basis, source, occurred_at, recorded_by,
                            recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- name: list_consents
-- A page of a person's consents, newest first.
SELECT id, contact_id, purpose, channel, state, basis, source, occurred_at, recorded_by, recorded_at FROM consent_record
WHERE workspace_id = $1 AND contact_id = $2 AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4

-- name: add_export
-- Queues an export.
INSERT INTO contact_export (workspace_id, id, contact_id, requested_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)

-- name: get_export
-- One export as members see it.
SELECT id, contact_id, requested_by, state, done, total, size_bytes, created_at, finished_at, expires_at FROM contact_export
WHERE workspace_id = $1 AND id = $2

-- name: list_exports
-- A page of a person's exports, newest first.
SELECT id, contact_id, requested_by, state, done, total, size_bytes, created_at, finished_at, expires_at FROM contact_export
WHERE workspace_id = $1 AND contact_id = $2 AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4

-- name: export_parts
-- Where an export's sealed parts are, and the key that opens them.
SELECT part_keys, key_version, wrapped FROM contact_export
WHERE workspace_id = $1 AND id = $2 AND state = 'ready' AND expires_at > $3

-- name: due_exports
-- Exports nobody works on.
SELECT workspace_id, id FROM hub_due_exports($1, $2)

-- name: claim_export
-- Takes an export until $4, unless somebody else has it; $3 is now.
UPDATE contact_export SET state = 'running', lease_until = $4, attempt = attempt + 1, done = 0
WHERE workspace_id = $1 AND id = $2 AND state IN ('queued', 'running') AND (lease_until IS NULL OR lease_until <= $3)
RETURNING contact_id, attempt

-- name: move_export
-- Notes how far an export is, and keeps it for longer.
UPDATE contact_export SET done = $4, total = $5, lease_until = $6
WHERE workspace_id = $1 AND id = $2 AND attempt = $3 AND state = 'running' RETURNING id

-- name: finish_export
-- An export is ready, unless another attempt took it over.
UPDATE contact_export SET state = 'ready', part_keys = $4, size_bytes = $5, key_version = $6, wrapped = $7, finished_at = $8,
    lease_until = NULL
WHERE workspace_id = $1 AND id = $2 AND attempt = $3 AND state = 'running' RETURNING id

-- name: fail_export
-- Gives an export up.
UPDATE contact_export SET state = 'failed', finished_at = $3, lease_until = NULL WHERE workspace_id = $1 AND id = $2

-- name: old_exports
-- Exports that were kept for long enough.
SELECT workspace_id, id FROM hub_old_exports($1, $2)

-- name: delete_exports
-- Forgets exports, and with their rows the keys that open them.
DELETE FROM contact_export WHERE workspace_id = $1 AND id = ANY ($2::uuid[])

-- name: export_contact
-- Rows of a person, whole.
SELECT row_to_json(c)::text AS data FROM contact c WHERE c.workspace_id = $1 AND c.id = ANY ($2::uuid[]) ORDER BY c.id

-- name: export_identities
-- A person's addresses.
SELECT row_to_json(i)::text AS data FROM contact_identity i
WHERE i.workspace_id = $1 AND i.contact_id = ANY ($2::uuid[]) ORDER BY i.created_at, i.scheme, i.value

-- name: export_consents
-- A person's consents.
SELECT row_to_json(c)::text AS data FROM consent_record c
WHERE c.workspace_id = $1 AND c.contact_id = ANY ($2::uuid[]) ORDER BY c.id

-- name: export_stops
-- What a person said by STOP and START.
SELECT row_to_json(c)::text AS data FROM consent c
WHERE c.workspace_id = $1 AND c.contact_id = ANY ($2::uuid[]) ORDER BY c.id

-- name: export_suppressions
-- Addresses nothing is sent to.
SELECT row_to_json(s)::text AS data FROM suppression s
WHERE s.workspace_id = $1 AND s.value = ANY ($2::text[]) ORDER BY s.created_at

-- name: export_conversations
-- Conversations of a person, and those they took part in.
SELECT row_to_json(v)::text AS data FROM conversation v
WHERE v.workspace_id = $1 AND (v.contact_id = ANY ($2::uuid[]) OR v.id IN (
    SELECT p.conversation_id FROM conversation_participant p WHERE p.workspace_id = $1 AND p.contact_id = ANY ($2::uuid[])))
ORDER BY v.id

-- name: export_messages
-- A page of messages: of a person's own conversations, and theirs in others'.
SELECT m.id, (to_jsonb(m) || jsonb_build_object('html', h.html, 'versions', (
           SELECT coalesce(jsonb_agg(jsonb_build_object('text', e.text, 'written_at', e.written_at)
                                     ORDER BY e.revision, e.written_at), '[]')
           FROM message_version e WHERE e.workspace_id = m.workspace_id AND e.message_id = m.id)))::text AS data
FROM message m JOIN conversation v ON v.workspace_id = m.workspace_id AND v.id = m.conversation_id
LEFT JOIN message_html h ON h.workspace_id = m.workspace_id AND h.message_id = m.id
WHERE m.workspace_id = $1 AND ($3::uuid IS NULL OR m.id > $3)
  AND (v.contact_id = ANY ($2::uuid[]) OR (m.author_kind = 'contact' AND m.author_id = ANY ($2::uuid[])))
ORDER BY m.id LIMIT $4

-- name: export_files
-- Files of those messages.
SELECT row_to_json(a)::text AS data FROM attachment a
JOIN message m ON m.workspace_id = a.workspace_id AND m.id = a.message_id
JOIN conversation v ON v.workspace_id = m.workspace_id AND v.id = m.conversation_id
WHERE a.workspace_id = $1
  AND (v.contact_id = ANY ($2::uuid[]) OR (m.author_kind = 'contact' AND m.author_id = ANY ($2::uuid[])))
ORDER BY a.id

-- name: export_events
-- A page of the log that is about a person.
SELECT e.seq, e.type, e.occurred_at, e.conversation_id, e.contact_id, e.data::text AS data FROM event e
WHERE e.workspace_id = $1 AND e.seq > $3 AND e.type <> 'event_erased'
  AND (e.contact_id = ANY ($2::uuid[]) OR e.conversation_id IN (
      SELECT v.id FROM conversation v WHERE v.workspace_id = $1 AND v.contact_id = ANY ($2::uuid[])))
ORDER BY e.seq LIMIT $4

-- name: export_audit
-- What the audit log says was done to a person or their conversations.
SELECT row_to_json(a)::text AS data FROM audit_entry a
WHERE a.workspace_id = $1 AND a.target_id = ANY ($2::text[]) ORDER BY a.id

-- name: lapsed_workspaces
-- Workspaces deleted before a moment.
SELECT id FROM hub_lapsed_workspaces($1, $2) AS id

-- name: tenant_tables
-- Every table with rows of workspaces, quoted, those the application may delete from.
SELECT format('%I', c.relname) AS name FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
  AND has_table_privilege(c.oid, 'DELETE') ORDER BY c.relname

-- name: end_logs
-- Takes rows of an ended workspace's logs; returns how many.
SELECT hub_end_logs($1, $2) AS amount

-- name: delete_workspace
-- The last of a workspace.
DELETE FROM workspace WHERE id = $1
