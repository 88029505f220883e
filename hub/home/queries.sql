-- name: open_counts
-- Of the open conversations that were silent longest ($4 at most): how many wait, mine, nobody's.
SELECT count(*) FILTER (WHERE o.waits) AS waiting, count(*) FILTER (WHERE o.waits AND o.assignee_id = $3) AS mine_waiting,
       count(*) FILTER (WHERE o.assignee_id IS NULL) AS unassigned, count(*) >= $4::integer AS is_partial
FROM (
    SELECT c.assignee_id, c.last_inbound_seq > c.last_outbound_seq AS waits FROM conversation c
    WHERE c.workspace_id = $1 AND c.status = 'open' AND ($2::uuid[] IS NULL OR c.inbox_id = ANY ($2::uuid[]))
    ORDER BY c.last_activity_at, c.id LIMIT $4::integer) o

-- name: longest_waiting
-- The conversations that wait longest for an answer, of those looked at ($3).
SELECT o.id AS conversation_id, o.contact_id, coalesce(nullif(k.name, ''), o.address) AS contact_name,
       o.subject, o.channel, o.preview, o.assignee_id, o.since
FROM (
    SELECT c.id, c.contact_id, c.subject, c.channel, c.preview, c.assignee_id, c.last_inbound_seq, c.last_outbound_seq,
           coalesce(c.last_inbound_at, c.last_activity_at) AS since,
           CASE WHEN c.identity_scheme IN ('phone', 'email') THEN c.identity_value ELSE '' END AS address
    FROM conversation c
    WHERE c.workspace_id = $1 AND c.status = 'open' AND ($2::uuid[] IS NULL OR c.inbox_id = ANY ($2::uuid[]))
    ORDER BY c.last_activity_at, c.id LIMIT $3::integer) o
JOIN contact k ON k.workspace_id = $1 AND k.id = o.contact_id
WHERE o.last_inbound_seq > o.last_outbound_seq
ORDER BY o.since, o.id LIMIT $4

-- name: failed_sends
-- Open conversations whose newest message to the contact failed; with how many there are.
SELECT o.id AS conversation_id, o.contact_id, coalesce(nullif(k.name, ''), o.address) AS contact_name,
       o.subject, m.occurred_at AS at,
       coalesce(m.error_message, '') AS error, count(*) OVER () AS amount
FROM (
    SELECT c.id, c.contact_id, c.subject, c.last_outbound_seq,
           CASE WHEN c.identity_scheme IN ('phone', 'email') THEN c.identity_value ELSE '' END AS address
    FROM conversation c
    WHERE c.workspace_id = $1 AND c.status = 'open' AND ($2::uuid[] IS NULL OR c.inbox_id = ANY ($2::uuid[]))
    ORDER BY c.last_activity_at DESC, c.id DESC LIMIT $3::integer) o
CROSS JOIN LATERAL (
    SELECT l.status, l.error_message, l.occurred_at FROM message l
    WHERE l.workspace_id = $1 AND l.conversation_id = o.id AND l.seq = o.last_outbound_seq LIMIT 1) m
JOIN contact k ON k.workspace_id = $1 AND k.id = o.contact_id
WHERE o.last_outbound_seq > 0 AND m.status = 'failed'
ORDER BY m.occurred_at DESC, o.id LIMIT $4

-- name: snoozed_due
-- How many of a member's own snoozed conversations come back before a time.
SELECT count(*) AS amount FROM conversation c
WHERE c.workspace_id = $1 AND c.assignee_id = $3 AND c.status = 'snoozed' AND c.snoozed_until <= $4
  AND ($2::uuid[] IS NULL OR c.inbox_id = ANY ($2::uuid[]))

-- name: idle_channels
-- Channel accounts that must be connected again, or are paused.
SELECT a.id, a.name, a.channel, a.status FROM channel_account a
WHERE a.workspace_id = $1 AND a.status IN ('needs_sign_in', 'paused')
  AND ($2::uuid[] IS NULL OR a.inbox_id = ANY ($2::uuid[]))
ORDER BY a.status, a.name, a.id LIMIT $3

-- name: unreadable
-- How many raw items could not be stored and wait for somebody, at most $2.
SELECT count(*) AS amount
FROM (SELECT FROM dead_letter d WHERE d.workspace_id = $1 AND d.state = 'new' LIMIT $2::integer) waiting

-- name: invited
-- How many invitations nobody has accepted yet.
SELECT count(*) AS amount FROM invitation i
WHERE i.workspace_id = $1 AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > $2

-- name: beginnings
-- What a new workspace has done: a channel of its own, a colleague, an answer.
SELECT EXISTS (
           SELECT FROM channel_account a WHERE a.workspace_id = $1 AND a.status <> 'removed' AND NOT a.demo
       ) AS channel_connected,
       (SELECT count(*) FROM (SELECT FROM member m WHERE m.workspace_id = $1 LIMIT 2) two) > 1
       OR EXISTS (SELECT FROM invitation i WHERE i.workspace_id = $1) AS colleague_invited,
       EXISTS (
           SELECT FROM (SELECT c.last_outbound_seq FROM conversation c WHERE c.workspace_id = $1 LIMIT $2::integer) found
           WHERE found.last_outbound_seq > 0) AS contact_answered
