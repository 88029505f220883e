"""
Mail, read and written without any IO: RFC 5322 bytes to items and outgoing messages to bytes.

Not a channel (no manifest): ``imap_smtp``, ``gmail`` and ``outlook`` use it.
"""
