"""What the channels of Meta share: how calls are signed, the Graph API, and the messaging events of pages."""
