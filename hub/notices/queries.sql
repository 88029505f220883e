-- name: addressees
-- Active members who may be told: the named ones, those in charge ($3), those who asked for a kind ($4). What they see is
-- what the rights say now.
SELECT m.id, m.login_id, m.role, a.visible_inboxes, s.kinds::text AS kinds, s.quiet_from, s.quiet_until, s.time_zone,
       s.language, s.digest, s.digest_hour, s.shows_text, s.digest_due_at
FROM member m
LEFT JOIN notice_settings s ON s.workspace_id = m.workspace_id AND s.member_id = m.id
CROSS JOIN LATERAL hub_load_actor(m.workspace_id, m.login_id) a
WHERE m.workspace_id = $1 AND m.active
  AND (m.id = ANY ($2::uuid[]) OR ($3::boolean AND m.role IN ('owner', 'admin'))
       OR jsonb_exists_any(s.kinds, $4::text[]))

-- name: tell
-- Tells a member something, or counts it to what they have not read yet; no row where the event was counted already.
INSERT INTO notice (workspace_id, id, member_id, kind, subject, conversation_id, channel_account_id, actor_id, detail,
                    event_seq, in_app, by_mail, first_at, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
ON CONFLICT (workspace_id, member_id, kind, subject) WHERE read_at IS NULL DO UPDATE
SET amount = notice.amount + 1, actor_id = excluded.actor_id, detail = excluded.detail, event_seq = excluded.event_seq,
    in_app = excluded.in_app, by_mail = excluded.by_mail, at = excluded.at, seen_at = NULL, mailed_at = NULL
WHERE excluded.event_seq = 0 OR notice.event_seq < excluded.event_seq
RETURNING id

-- name: queue_pushes
-- A push of each notice to each browser of its member whose session still holds.
INSERT INTO push (workspace_id, notice_id, subscription_id, due_at)
SELECT $1, told.notice_id, s.id, told.due_at
FROM unnest($2::uuid[], $3::uuid[], $4::timestamptz[]) AS told (notice_id, login_id, due_at)
JOIN hub_push_subscriptions($3::uuid[]) s ON s.login_id = told.login_id
ON CONFLICT (workspace_id, notice_id, subscription_id) DO UPDATE SET due_at = excluded.due_at, attempt = 0

-- name: await_digest
-- A digest is due at the given time for members who have none due.
INSERT INTO notice_settings (workspace_id, member_id, digest_due_at)
SELECT $1, wanted.member_id, wanted.due_at FROM unnest($2::uuid[], $3::timestamptz[]) AS wanted (member_id, due_at)
ON CONFLICT (workspace_id, member_id) DO UPDATE SET digest_due_at = excluded.digest_due_at
WHERE notice_settings.digest_due_at IS NULL

-- name: withdraw_assigned
-- A conversation was given to somebody else: the others need not look at it any more.
UPDATE notice SET read_at = $4
WHERE workspace_id = $1 AND conversation_id = $2 AND kind = 'assigned' AND read_at IS NULL
  AND ($3::uuid IS NULL OR member_id <> $3)
RETURNING member_id

-- name: read_conversation
-- A member read a conversation up to a seq, and with it what they were told of it.
UPDATE notice SET read_at = $5, seen_at = coalesce(seen_at, $5)
WHERE workspace_id = $1 AND member_id = $2 AND conversation_id = $3 AND event_seq <= $4 AND read_at IS NULL
RETURNING id

-- name: page
-- Notices of a member, newest first, with what they are about as it is now; only of what the member may still see.
SELECT n.id, n.kind, n.amount, n.detail, n.conversation_id, n.channel_account_id, n.actor_id, n.first_at, n.at, n.seen_at,
       n.read_at, coalesce(c.inbox_id, a.inbox_id) AS inbox_id,
       coalesce(nullif(k.name, ''), nullif(c.subject, ''), a.name, '') AS title, coalesce(c.preview, '') AS preview
FROM notice n
LEFT JOIN conversation c ON c.workspace_id = n.workspace_id AND c.id = n.conversation_id
LEFT JOIN contact k ON k.workspace_id = c.workspace_id AND k.id = c.contact_id
LEFT JOIN channel_account a ON a.workspace_id = n.workspace_id AND a.id = n.channel_account_id
WHERE n.workspace_id = $1 AND n.member_id = $2 AND n.in_app
  AND ($3::uuid[] IS NULL OR coalesce(c.inbox_id, a.inbox_id) IS NULL
       OR coalesce(c.inbox_id, a.inbox_id) = ANY ($3::uuid[]))
  AND (NOT $4::boolean OR n.read_at IS NULL)
  AND ($5::timestamptz IS NULL OR (n.at, n.id) < ($5, $6::uuid))
ORDER BY n.at DESC, n.id DESC LIMIT $7

-- name: count_new
-- How many notices a member has not read, and not even seen; only of what the member may still see.
SELECT count(*) AS unread, count(*) FILTER (WHERE n.seen_at IS NULL) AS unseen
FROM notice n
LEFT JOIN conversation c ON c.workspace_id = n.workspace_id AND c.id = n.conversation_id
LEFT JOIN channel_account a ON a.workspace_id = n.workspace_id AND a.id = n.channel_account_id
WHERE n.workspace_id = $1 AND n.member_id = $2 AND n.in_app AND n.read_at IS NULL
  AND ($3::uuid[] IS NULL OR coalesce(c.inbox_id, a.inbox_id) IS NULL
       OR coalesce(c.inbox_id, a.inbox_id) = ANY ($3::uuid[]))

-- name: mark_read
-- The member read some notices (NULL: all that were there at a time).
UPDATE notice SET read_at = $4, seen_at = coalesce(seen_at, $4)
WHERE workspace_id = $1 AND member_id = $2 AND read_at IS NULL
  AND ($3::uuid[] IS NULL OR id = ANY ($3::uuid[])) AND at <= $5
RETURNING id

-- name: mark_unread
-- The member takes some back ($3), or all that were read at one moment ($4); not what has been told anew meanwhile.
UPDATE notice n SET read_at = NULL
WHERE n.workspace_id = $1 AND n.member_id = $2 AND n.read_at IS NOT NULL
  AND CASE WHEN $3::uuid[] IS NULL THEN n.read_at = $4::timestamptz ELSE n.id = ANY ($3::uuid[]) END
  AND NOT EXISTS (
    SELECT FROM notice o WHERE o.workspace_id = n.workspace_id AND o.member_id = n.member_id AND o.kind = n.kind
      AND o.subject = n.subject AND o.id <> n.id AND (o.read_at IS NULL OR o.at > n.at))
RETURNING n.id

-- name: mark_seen
-- The member looked at the list as it was at a time.
UPDATE notice SET seen_at = $3
WHERE workspace_id = $1 AND member_id = $2 AND seen_at IS NULL AND at <= $4
RETURNING id

-- name: get_settings
-- What a member chose.
SELECT kinds::text AS kinds, quiet_from, quiet_until, time_zone, language, digest, digest_hour, shows_text, digest_due_at
FROM notice_settings WHERE workspace_id = $1 AND member_id = $2

-- name: put_settings
-- Replaces what a member chose.
INSERT INTO notice_settings (workspace_id, member_id, kinds, quiet_from, quiet_until, time_zone, language, digest,
                             digest_hour, shows_text, digest_due_at)
VALUES ($1, $2, $3::text::jsonb, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (workspace_id, member_id) DO UPDATE
SET kinds = excluded.kinds, quiet_from = excluded.quiet_from, quiet_until = excluded.quiet_until,
    time_zone = excluded.time_zone, language = excluded.language, digest = excluded.digest,
    digest_hour = excluded.digest_hour, shows_text = excluded.shows_text, digest_due_at = excluded.digest_due_at

-- name: due_digests
-- Members whose digest is to be looked at, of all workspaces.
SELECT workspace_id, member_id FROM hub_due_digests($1, $2)

-- name: claim_digest
-- One of them, locked; no row where another process has it, or it is not due any more.
SELECT m.name, m.email, m.active, m.login_id, w.name AS workspace, s.kinds::text AS kinds, s.quiet_from, s.quiet_until,
       s.time_zone, s.language, s.digest, s.digest_hour, s.shows_text, s.digest_due_at, r.visible_inboxes
FROM notice_settings s
JOIN member m ON m.workspace_id = s.workspace_id AND m.id = s.member_id
JOIN workspace w ON w.id = s.workspace_id
LEFT JOIN LATERAL hub_load_actor(m.workspace_id, m.login_id) r ON true
WHERE s.workspace_id = $1 AND s.member_id = $2 AND s.digest_due_at <= $3
FOR UPDATE OF s SKIP LOCKED

-- name: unmailed
-- What a member has neither read nor been mailed; with what it is about, only of what they may still see.
SELECT n.id, n.kind, n.amount, n.detail, n.conversation_id, n.channel_account_id, n.actor_id, n.first_at, n.at, n.seen_at,
       n.read_at, coalesce(c.inbox_id, a.inbox_id) AS inbox_id,
       coalesce(nullif(k.name, ''), nullif(c.subject, ''), a.name, '') AS title, coalesce(c.preview, '') AS preview
FROM notice n
LEFT JOIN conversation c ON c.workspace_id = n.workspace_id AND c.id = n.conversation_id
LEFT JOIN contact k ON k.workspace_id = c.workspace_id AND k.id = c.contact_id
LEFT JOIN channel_account a ON a.workspace_id = n.workspace_id AND a.id = n.channel_account_id
WHERE n.workspace_id = $1 AND n.member_id = $2 AND n.by_mail AND n.read_at IS NULL AND n.mailed_at IS NULL
  AND ($3::uuid[] IS NULL OR coalesce(c.inbox_id, a.inbox_id) IS NULL
       OR coalesce(c.inbox_id, a.inbox_id) = ANY ($3::uuid[]))
ORDER BY n.at DESC, n.id DESC LIMIT $4

-- name: set_digest_due
-- When a member's digest is looked at next.
UPDATE notice_settings SET digest_due_at = $3 WHERE workspace_id = $1 AND member_id = $2

-- name: mark_mailed
-- These are in a mail.
UPDATE notice SET mailed_at = $3 WHERE workspace_id = $1 AND id = ANY ($2::uuid[])

-- name: end_digests
-- A member wants no more mails.
INSERT INTO notice_settings (workspace_id, member_id, digest) SELECT m.workspace_id, m.id, 'off' FROM member m
WHERE m.workspace_id = $1 AND m.id = $2
ON CONFLICT (workspace_id, member_id) DO UPDATE SET digest = 'off', digest_due_at = NULL

-- name: due_pushes
-- Pushes to send, of all workspaces.
SELECT workspace_id, notice_id, subscription_id FROM hub_due_pushes($1, $2)

-- name: claim_push
-- Takes one off the queue before it is sent; no row where another process has it.
DELETE FROM push WHERE (workspace_id, notice_id, subscription_id) IN (
    SELECT p.workspace_id, p.notice_id, p.subscription_id FROM push p
    WHERE p.workspace_id = $1 AND p.notice_id = $2 AND p.subscription_id = $3 AND p.due_at <= $4
    FOR UPDATE SKIP LOCKED)
RETURNING attempt

-- name: pushed_notice
-- What a push is about; no row where it was seen or read meanwhile, or may not be seen any more.
SELECT n.id, n.kind, n.amount, n.detail, n.conversation_id, n.channel_account_id, n.actor_id, n.first_at, n.at, n.seen_at,
       n.read_at, coalesce(c.inbox_id, a.inbox_id) AS inbox_id,
       coalesce(nullif(k.name, ''), nullif(c.subject, ''), a.name, '') AS title, coalesce(c.preview, '') AS preview,
       coalesce(s.language, 'en') AS language, coalesce(s.shows_text, false) AS shows_text
FROM notice n
JOIN member m ON m.workspace_id = n.workspace_id AND m.id = n.member_id AND m.active
CROSS JOIN LATERAL hub_load_actor(m.workspace_id, m.login_id) r
LEFT JOIN notice_settings s ON s.workspace_id = n.workspace_id AND s.member_id = n.member_id
LEFT JOIN conversation c ON c.workspace_id = n.workspace_id AND c.id = n.conversation_id
LEFT JOIN contact k ON k.workspace_id = c.workspace_id AND k.id = c.contact_id
LEFT JOIN channel_account a ON a.workspace_id = n.workspace_id AND a.id = n.channel_account_id
WHERE n.workspace_id = $1 AND n.id = $2 AND n.read_at IS NULL AND n.seen_at IS NULL
  AND (r.visible_inboxes IS NULL OR coalesce(c.inbox_id, a.inbox_id) IS NULL
       OR coalesce(c.inbox_id, a.inbox_id) = ANY (r.visible_inboxes))

-- name: push_later
-- Queues a push again.
INSERT INTO push (workspace_id, notice_id, subscription_id, due_at, attempt) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (workspace_id, notice_id, subscription_id) DO NOTHING

-- name: old_notices
-- Notices made before a time, of all workspaces.
SELECT workspace_id, id FROM hub_old_notices($1, $2)

-- name: drop_notices
-- Forgets notices.
DELETE FROM notice WHERE workspace_id = $1 AND id = ANY ($2::uuid[])
