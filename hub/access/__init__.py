"""Remembers for seconds who a token is and what they may do, in the ephemeral Redis. Postgres stays the truth."""
