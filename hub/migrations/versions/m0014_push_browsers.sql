-- The browsers of a login whose session still holds, newest first; twenty at most.
CREATE FUNCTION hub_own_push_subscriptions(wanted_login uuid)
    RETURNS TABLE (id uuid, session_id uuid, user_agent text, created_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT p.id, p.session_id, s.user_agent, p.created_at
        FROM push_subscription p JOIN login_session s ON s.id = p.session_id
        WHERE p.login_id = wanted_login AND s.revoked_at IS NULL AND s.expires_at > now()
        ORDER BY p.created_at DESC, p.id DESC
    $$;
