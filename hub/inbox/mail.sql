-- name: known_threads
-- What mails of a batch may belong to, as (what, data): conversations named by our signature ($1, $2), of the messages
-- they answer ($4-$6), of a subject ($7-$9, active since $10) and of a thread key ($11-$13); each with the newest of its
-- thread, its contact and everybody in it; and the own addresses of the workspaces ($3). Every key is looked up by itself
-- (LATERAL … LIMIT), for the reason given at ``known``.
WITH referenced AS (
    SELECT m.workspace_id, m.channel_account_id, m.external_id, m.conversation_id
    FROM unnest($4::bigint[], $5::uuid[], $6::text[]) AS wanted (workspace_id, channel_account_id, external_id)
    CROSS JOIN LATERAL (
        SELECT one.* FROM message one
        WHERE one.workspace_id = wanted.workspace_id AND one.channel_account_id = wanted.channel_account_id
          AND one.external_id = wanted.external_id LIMIT 1) m
), of_subject AS (
    SELECT c.workspace_id, c.channel_account_id, c.subject_key, c.id, c.last_activity_at
    FROM unnest($7::bigint[], $8::uuid[], $9::text[]) AS wanted (workspace_id, channel_account_id, subject_key)
    CROSS JOIN LATERAL (
        SELECT one.* FROM conversation one
        WHERE one.workspace_id = wanted.workspace_id AND one.channel_account_id = wanted.channel_account_id
          AND one.subject_key = wanted.subject_key AND one.subject_key <> '' AND one.last_activity_at >= $10
        ORDER BY one.last_activity_at DESC LIMIT 20) c
), of_thread AS (
    SELECT c.workspace_id, c.id
    FROM unnest($11::bigint[], $12::uuid[], $13::text[]) AS wanted (workspace_id, channel_account_id, thread_key)
    CROSS JOIN LATERAL (
        SELECT newest.workspace_id, newest.id FROM conversation newest
        WHERE newest.workspace_id = wanted.workspace_id AND newest.channel_account_id = wanted.channel_account_id
          AND newest.thread_key = wanted.thread_key
        ORDER BY newest.created_at DESC LIMIT 1) c
), candidate AS (
    SELECT c.workspace_id, c.id, c.channel_account_id, c.thread_key
    FROM (SELECT workspace_id, id FROM unnest($1::bigint[], $2::uuid[]) AS claimed (workspace_id, id)
          UNION SELECT workspace_id, conversation_id FROM referenced
          UNION SELECT workspace_id, id FROM of_subject
          UNION SELECT workspace_id, id FROM of_thread) AS named
    CROSS JOIN LATERAL (
        SELECT one.* FROM conversation one
        WHERE one.workspace_id = named.workspace_id AND one.id = named.id LIMIT 1) c
), every AS (
    SELECT workspace_id, id FROM candidate
    UNION
    SELECT c.workspace_id, c.id FROM candidate
    CROSS JOIN LATERAL (
        SELECT newest.workspace_id, newest.id FROM conversation newest
        WHERE newest.workspace_id = candidate.workspace_id
          AND newest.channel_account_id = candidate.channel_account_id AND newest.thread_key = candidate.thread_key
        ORDER BY newest.created_at DESC LIMIT 1) c
)
SELECT 'reference' AS what, json_build_object(
           'workspace_id', workspace_id, 'channel_account_id', channel_account_id, 'key', external_id,
           'conversation_ids', json_build_array(conversation_id))::text AS data
FROM referenced
UNION ALL
SELECT 'subject', json_build_object(
           'workspace_id', workspace_id, 'channel_account_id', channel_account_id, 'key', subject_key,
           'conversation_ids', json_agg(id ORDER BY last_activity_at DESC))::text
FROM of_subject GROUP BY workspace_id, channel_account_id, subject_key
UNION ALL
SELECT 'conversation', json_build_object(
           'conversation', row_to_json(c),
           'contact', json_build_object(
               'id', k.id, 'name', k.name, 'lifecycle_stage', k.lifecycle_stage, 'created_at', k.created_at,
               'version', k.version, 'avatar', k.avatar, 'identities', (
                   SELECT coalesce(json_agg(json_build_object(
                              'scheme', every_one.scheme, 'scope', every_one.scope, 'value', every_one.value,
                              'verified', every_one.verified)
                              ORDER BY every_one.created_at, every_one.scheme, every_one.value), '[]')
                   FROM contact_identity every_one
                   WHERE every_one.workspace_id = k.workspace_id AND every_one.contact_id = k.id)),
           'participants', (
               SELECT json_build_array(c.contact_id)::jsonb || coalesce(jsonb_agg(p.contact_id), '[]')
               FROM conversation_participant p
               WHERE p.workspace_id = c.workspace_id AND p.conversation_id = c.id))::text
FROM every
CROSS JOIN LATERAL (
    SELECT one.* FROM conversation one WHERE one.workspace_id = every.workspace_id AND one.id = every.id LIMIT 1) c
CROSS JOIN LATERAL (
    SELECT one.* FROM contact one WHERE one.workspace_id = c.workspace_id AND one.id = c.contact_id LIMIT 1) k
UNION ALL
SELECT 'account', json_build_object(
           'workspace_id', a.workspace_id, 'external_ref', a.external_ref,
           'address', coalesce(a.settings ->> 'address', ''), 'aliases', coalesce(a.settings ->> 'aliases', ''))::text
FROM channel_account a WHERE a.workspace_id = ANY ($3::bigint[])

-- name: write_mail
-- Writes who takes part ($1) and formatted texts ($2), and lets those be written to again who wrote to us ($3) although
-- mail to them bounced once.
WITH people AS (
    INSERT INTO conversation_participant (workspace_id, conversation_id, contact_id, added_at)
    SELECT workspace_id, conversation_id, contact_id, added_at
    FROM json_populate_recordset(NULL::conversation_participant, $1::json)
    ON CONFLICT DO NOTHING
), lifted AS (
    DELETE FROM suppression USING json_to_recordset($3::json) AS r (workspace_id bigint, channel_account_id uuid,
                                                                    scheme text, scope text, value text)
    WHERE suppression.workspace_id = r.workspace_id AND suppression.channel_account_id = r.channel_account_id
      AND suppression.scheme = r.scheme AND suppression.scope = r.scope AND suppression.value = r.value
      AND suppression.reason = 'bounce'
)
INSERT INTO message_html (workspace_id, message_id, html, remote_images)
SELECT workspace_id, message_id, html, remote_images
FROM json_populate_recordset(NULL::message_html, $2::json)

-- name: write_pending
-- Keeps early items ($1; one that waits already stays as it is) and drops those whose message has come ($2, $3).
WITH done AS (
    DELETE FROM pending_reference USING unnest($2::bigint[], $3::uuid[]) AS applied (workspace_id, id)
    WHERE pending_reference.workspace_id = applied.workspace_id AND pending_reference.id = applied.id
)
INSERT INTO pending_reference (workspace_id, id, channel_account_id, reference, dedupe_key, item, created_at)
SELECT workspace_id, id, channel_account_id, reference, dedupe_key, decode(item, 'base64'), created_at
FROM json_to_recordset($1::json) AS r (workspace_id bigint, id uuid, channel_account_id uuid, reference text,
                                       dedupe_key text, item text, created_at timestamptz)
ON CONFLICT (workspace_id, dedupe_key) DO NOTHING

-- name: trim_pending
-- Drops the oldest early items of accounts ($1, $2) beyond their newest $3, at most 1,000 each.
DELETE FROM pending_reference USING
    unnest($1::bigint[], $2::uuid[]) AS wanted (workspace_id, channel_account_id)
    CROSS JOIN LATERAL (
        SELECT one.workspace_id, one.id FROM pending_reference one
        WHERE one.workspace_id = wanted.workspace_id AND one.channel_account_id = wanted.channel_account_id
        ORDER BY one.id DESC OFFSET $3 LIMIT 1000) AS oldest
WHERE pending_reference.workspace_id = oldest.workspace_id AND pending_reference.id = oldest.id

-- name: pending_for
-- What waits for a message that has just become known under the vendor's id $3, in the order it came.
SELECT json_build_object(
           'workspace_id', p.workspace_id, 'id', p.id, 'channel_account_id', p.channel_account_id,
           'reference', p.reference, 'dedupe_key', p.dedupe_key, 'created_at', p.created_at,
           'item', translate(encode(p.item, 'base64'), E'\n', ''))::text AS data
FROM pending_reference p
WHERE p.workspace_id = $1 AND p.channel_account_id = $2 AND p.reference = $3
ORDER BY p.created_at, p.id LIMIT 50

-- name: old_pending
-- Early items kept since before $1, across workspaces: ids only.
SELECT workspace_id, id FROM hub_old_pending_references($1, $2)

-- name: drop_pending
-- Drops early items by id.
DELETE FROM pending_reference WHERE workspace_id = $1 AND id = ANY ($2::uuid[])

-- name: get_html
-- The formatted text of a message, and its pictures by Content-ID.
SELECT h.message_id, h.html, h.remote_images,
       (SELECT coalesce(json_agg(json_build_array(a.inline_cid, a.id)), '[]') FROM attachment a
        WHERE a.workspace_id = h.workspace_id AND a.message_id = h.message_id AND a.inline_cid IS NOT NULL)::text AS inline
FROM message_html h WHERE h.workspace_id = $1 AND h.message_id = $2

-- name: newest_mail
-- The message an answer goes to: the newest from a contact, else our newest.
SELECT row_to_json(m)::text AS data FROM (
    (SELECT one.*, 0 AS place FROM message one
     WHERE one.workspace_id = $1 AND one.conversation_id = $2 AND one.direction = 'inbound' AND one.kind = 'message'
     ORDER BY one.seq DESC LIMIT 1)
    UNION ALL
    (SELECT one.*, 1 AS place FROM message one
     WHERE one.workspace_id = $1 AND one.conversation_id = $2 AND one.direction = 'outbound' AND one.kind = 'message'
     ORDER BY one.seq DESC LIMIT 1)) AS m
ORDER BY m.place LIMIT 1

-- name: own_addresses
-- What the workspace's channel accounts are called by their vendors, and the addresses in their settings.
SELECT json_build_object(
           'workspace_id', a.workspace_id, 'external_ref', a.external_ref,
           'address', coalesce(a.settings ->> 'address', ''), 'aliases', coalesce(a.settings ->> 'aliases', ''))::text
       AS data
FROM channel_account a WHERE a.workspace_id = $1

-- name: identities
-- Contacts of some addresses of one scheme and scope.
SELECT ci.value, ci.contact_id FROM unnest($4::text[]) AS wanted (value)
CROSS JOIN LATERAL (
    SELECT one.value, one.contact_id FROM contact_identity one
    WHERE one.workspace_id = $1 AND one.scheme = $2 AND one.scope = $3 AND one.value = wanted.value LIMIT 1) ci

-- name: make_contact
-- Adds a contact with its one address.
WITH made AS (
    INSERT INTO contact (workspace_id, id, name, created_at, version) VALUES ($1, $2, $3, $4, $5)
)
INSERT INTO contact_identity (workspace_id, scheme, scope, value, contact_id, created_at) VALUES ($1, $6, $7, $8, $2, $4)

-- name: add_participants
-- Adds contacts to a conversation until it has $5.
INSERT INTO conversation_participant (workspace_id, conversation_id, contact_id, added_at)
SELECT $1, $2, new.contact_id, $4 FROM unnest($3::uuid[]) AS new (contact_id)
WHERE (SELECT count(*) FROM conversation_participant p WHERE p.workspace_id = $1 AND p.conversation_id = $2) < $5
ON CONFLICT DO NOTHING

-- name: answered
-- What message $2 answers (the newest from a contact before it, else our newest before it), the ids of the thread up to
-- there (the first and the newest 29), and which of the addresses $3 must not be written to, with the reason.
WITH parent AS (
    SELECT found.id, found.external_id, found.text, found.seq
    FROM message m
    CROSS JOIN LATERAL (
        (SELECT one.id, one.external_id, one.text, one.seq, 0 AS place FROM message one
         WHERE one.workspace_id = m.workspace_id AND one.conversation_id = m.conversation_id AND one.seq < m.seq
           AND one.kind = 'message' AND one.direction = 'inbound' AND one.external_id IS NOT NULL
         ORDER BY one.seq DESC LIMIT 1)
        UNION ALL
        (SELECT one.id, one.external_id, one.text, one.seq, 1 AS place FROM message one
         WHERE one.workspace_id = m.workspace_id AND one.conversation_id = m.conversation_id AND one.seq < m.seq
           AND one.kind = 'message' AND one.direction = 'outbound' AND one.external_id IS NOT NULL
         ORDER BY one.seq DESC LIMIT 1)
        ORDER BY place LIMIT 1) AS found
    WHERE m.workspace_id = $1 AND m.id = $2
)
SELECT parent.id, parent.external_id, parent.text,
       (SELECT coalesce(json_agg(chain.external_id ORDER BY chain.seq), '[]') FROM (
           (SELECT one.external_id, one.seq FROM message one
            WHERE one.workspace_id = m.workspace_id AND one.conversation_id = m.conversation_id
              AND one.seq <= parent.seq AND one.external_id IS NOT NULL
            ORDER BY one.seq LIMIT 1)
           UNION
           (SELECT one.external_id, one.seq FROM message one
            WHERE one.workspace_id = m.workspace_id AND one.conversation_id = m.conversation_id
              AND one.seq <= parent.seq AND one.external_id IS NOT NULL
            ORDER BY one.seq DESC LIMIT 29)) AS chain)::text AS chain,
       (SELECT coalesce(json_agg(json_build_array(s.value, s.reason)), '[]')
        FROM unnest($3::text[]) AS wanted (value)
        CROSS JOIN LATERAL (
            SELECT one.value, one.reason FROM suppression one
            WHERE one.workspace_id = m.workspace_id AND one.channel_account_id = m.channel_account_id
              AND one.scheme = $4 AND one.scope = $5 AND one.value = wanted.value LIMIT 1) s)::text AS suppressed
FROM message m LEFT JOIN parent ON true
WHERE m.workspace_id = $1 AND m.id = $2
