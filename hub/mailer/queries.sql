-- name: newest_key
-- The public half that mails are sealed to.
SELECT version, public_key FROM mail_key ORDER BY version DESC LIMIT 1

-- name: keep_key
-- Makes a public half known; another one of the same version was of a secret key that is no more.
INSERT INTO mail_key (version, public_key, created_at) VALUES ($1, $2, $3)
ON CONFLICT (version) DO UPDATE SET public_key = excluded.public_key, created_at = excluded.created_at
WHERE mail_key.public_key <> excluded.public_key

-- name: queue_mail
-- A mail to be sent by whichever worker is first.
INSERT INTO system_mail (id, recipient, template, locale, sealed, key_version, created_at, due_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)

-- name: claim
-- Mails to send now, marked as being sent for as long as the lease.
SELECT id, recipient, template, locale, sealed, key_version, created_at, expires_at, attempt
FROM hub_due_system_mail($1, $2, $3)

-- name: finish
-- Forgets a mail that was sent, or never will be.
SELECT hub_finish_system_mail($1) AS is_done

-- name: put_off
-- Tries a mail again later.
SELECT hub_put_off_system_mail($1, $2, $3) AS is_done

-- name: free_lapsed
-- Takes mails back whose sender died.
SELECT template, is_queued FROM hub_lapsed_system_mail($1, $2::text[])

-- name: expire
-- Drops what is not worth sending any more.
SELECT template FROM hub_expire_system_mail($1) AS template

-- name: list_waiting
-- What waits, newest first.
SELECT id, recipient, template, locale, sealed, key_version, created_at, expires_at, attempt, error_code
FROM hub_list_system_mail($1)

-- name: backlog
-- How much waits.
SELECT waiting, tried, oldest FROM hub_count_system_mail()
