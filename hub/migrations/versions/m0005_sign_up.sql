-- Second factors a login has: totp, passkey, recovery. With one of the first two a password alone opens nothing.
ALTER TABLE login ADD factors text[] NOT NULL DEFAULT '{}';
ALTER TABLE login ADD locale text NOT NULL DEFAULT '';
-- When its owner showed that they get mail at the address; the operator vouches for those they add.
ALTER TABLE login ADD email_verified_at timestamptz DEFAULT now();
-- When this session last saw a full proof of who its owner is; and where it was begun.
ALTER TABLE login_session ADD proved_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE login_session ADD address text NOT NULL DEFAULT '';

-- Somebody who wants to sign up. There is no login before the address is proved to be theirs: nobody can lay a password
-- in wait for the address of somebody else.
CREATE TABLE registration (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    email      text NOT NULL CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 320),
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    locale     text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at)
);
CREATE INDEX registration_by_email ON registration (email);
CREATE INDEX registration_expires ON registration (expires_at);
GRANT INSERT ON registration TO hub_app;

-- A sign-in whose password was right and whose second factor is still to come.
CREATE TABLE login_challenge (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    login_id   uuid NOT NULL REFERENCES login ON DELETE CASCADE,
    bearer     boolean NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
    tries      integer NOT NULL DEFAULT 0,
    used_at    timestamptz
);
CREATE INDEX login_challenge_expires ON login_challenge (expires_at);
GRANT INSERT ON login_challenge TO hub_app;

GRANT SELECT, UPDATE, DELETE ON registration, login_challenge TO hub_router;

DROP FUNCTION hub_find_login(text);
CREATE FUNCTION hub_find_login(wanted_email text)
    RETURNS TABLE (id uuid, email text, name text, password_hash text, factors text[], locale text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT l.id, l.email, l.name, l.password_hash, l.factors, l.locale FROM login l WHERE l.email = lower(wanted_email)
    $$;

CREATE FUNCTION hub_get_login(wanted uuid)
    RETURNS TABLE (id uuid, email text, name text, password_hash text, factors text[], locale text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT l.id, l.email, l.name, l.password_hash, l.factors, l.locale FROM login l WHERE l.id = wanted $$;

-- A registration by the hash of its token, as long as it is good; looked at before anything is used up.
CREATE FUNCTION hub_find_registration(wanted_hash bytea) RETURNS TABLE (email text, name text, locale text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT r.email, r.name, r.locale FROM registration r WHERE r.token_hash = wanted_hash AND r.expires_at > now() $$;

-- Uses a registration up, and every other one of that address.
CREATE FUNCTION hub_use_registration(wanted_hash bytea) RETURNS TABLE (email text, name text, locale text)
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH used AS (
            DELETE FROM registration r WHERE r.token_hash = wanted_hash AND r.expires_at > now()
            RETURNING r.email, r.name, r.locale
        ), others AS (
            DELETE FROM registration o USING used WHERE o.email = used.email AND o.token_hash <> wanted_hash
        )
        SELECT used.email, used.name, used.locale FROM used
    $$;

-- Counts a try at a challenge; no row once it was used, has run out, or was tried five times.
CREATE FUNCTION hub_try_challenge(wanted_hash bytea)
    RETURNS TABLE (login_id uuid, email text, name text, locale text, factors text[], bearer boolean)
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH tried AS (
            UPDATE login_challenge c SET tries = c.tries + 1
            WHERE c.token_hash = wanted_hash AND c.used_at IS NULL AND c.expires_at > now() AND c.tries < 5
            RETURNING c.login_id, c.bearer
        )
        SELECT l.id, l.email, l.name, l.locale, l.factors, tried.bearer FROM tried JOIN login l ON l.id = tried.login_id
    $$;

CREATE FUNCTION hub_use_challenge(wanted_hash bytea) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH used AS (
            UPDATE login_challenge SET used_at = now()
            WHERE token_hash = wanted_hash AND used_at IS NULL AND expires_at > now() RETURNING 1
        )
        SELECT EXISTS (SELECT FROM used)
    $$;

-- Whose sessions are live, newest use first.
CREATE FUNCTION hub_login_sessions(wanted_login uuid)
    RETURNS TABLE (id uuid, created_at timestamptz, used_at timestamptz, expires_at timestamptz, user_agent text, address text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT s.id, s.created_at, s.used_at, s.expires_at, s.user_agent, s.address FROM login_session s
        WHERE s.login_id = wanted_login AND s.revoked_at IS NULL AND s.expires_at > now()
          AND s.used_at > now() - interval '12 hours'
        ORDER BY s.used_at DESC, s.id
    $$;

-- Ends one session of a login, or all but one (the other argument is NULL then); the ids of those that ended.
CREATE FUNCTION hub_revoke_sessions_of(wanted_login uuid, only_id uuid, kept_id uuid) RETURNS SETOF uuid
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        UPDATE login_session SET revoked_at = now()
        WHERE login_id = wanted_login AND revoked_at IS NULL AND (only_id IS NULL OR id = only_id)
          AND (kept_id IS NULL OR id <> kept_id)
        RETURNING id
    $$;

-- What nobody can use any more: counts what went.
CREATE FUNCTION hub_sweep_sign_ins() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH registrations AS (DELETE FROM registration WHERE expires_at < now() RETURNING 1),
             challenges AS (DELETE FROM login_challenge WHERE expires_at < now() RETURNING 1)
        SELECT (SELECT count(*) FROM registrations) + (SELECT count(*) FROM challenges)
    $$;
