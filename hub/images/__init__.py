"""Images that mails name and do not bring: the signed addresses under which browsers ask us for them, and a cache."""
