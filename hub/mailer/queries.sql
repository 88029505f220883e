-- name: queue_mail
-- A mail to be sent by whichever worker is first.
INSERT INTO system_mail (id, recipient, template, locale, fields, created_at, due_at, expires_at)
VALUES ($1, $2, $3, $4, $5::text::jsonb, $6, $6, $7)
