"""For people who write channels: recorded calls, a stand-in for a vendor, the quality rules, and a new folder."""
